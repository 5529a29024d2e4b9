//! Setting quantities at Amazon. Few at a time, and everything that must go down, goes listing by listing; much that goes
//! up goes in one feed, which Amazon works off when it likes. Neither is ever more than taken: what buyers see has to be
//! read back.
//!
//! A feed that was taken may be applied after a later change of the same listing. Whoever sets quantities here must not
//! trust an earlier feed to be over before the quantity was read back.

use super::listings::CHANNEL;
use super::{get, marketplace};
use crate::marketplace::{SetOutcome, SetQuantity};
use crate::read::{CANCELED, escape, json, rows, text, whole};
use crate::transport::{Fault, Request, Wire};
use flate2::read::GzDecoder;
use serde_json::{Value, json};
use std::io::Read;
use std::time::Duration;

/// Most quantities in one feed.
pub const BULK: usize = 500;
/// Most that are asked for at once while others may become urgent: two seconds of patches at the published rate.
pub const AT_ONCE: usize = 10;
/// More than this many go by feed, but for those that go down.
const FEW: usize = 20;
/// How often a feed is asked after, and how long after each time unless the setting says otherwise.
const POLLS: usize = 24;
const POLL_MILLISECONDS: u64 = 5000;
/// Largest report of a feed that is read, bytes.
const LARGEST_REPORT: u64 = 64 << 20;
const JSON: &str = "application/json; charset=UTF-8";

fn patches(quantity: i64) -> Value {
    // `replace` would wipe the lead time and whatever else stands beside the quantity.
    json!([{
        "op": "merge",
        "path": "/attributes/fulfillment_availability",
        "value": [{ "fulfillment_channel_code": CHANNEL, "quantity": quantity }],
    }])
}

pub async fn set(wire: &Wire, wanted: &[SetQuantity]) -> Result<Vec<SetOutcome>, Fault> {
    if wanted.len() > BULK {
        return Err(Fault::Refused { status: 400, code: "too_many_rows".into(), detail: format!("at most {BULK} quantities a call") });
    }
    // What is not known to go up is taken to go down.
    let by_feed = |w: &SetQuantity| wanted.len() > FEW && w.from.is_some_and(|from| from <= w.to);
    let mut outcomes: Vec<Option<SetOutcome>> = vec![None; wanted.len()];
    for (n, one) in wanted.iter().enumerate().filter(|(_, w)| !by_feed(w)) {
        match patch(wire, one).await {
            Ok(outcome) => outcomes[n] = Some(outcome),
            // Surely not done, and so it will be for the rest.
            Err(fault) if outcomes.iter().all(Option::is_none) => return Err(fault),
            Err(_) => return Ok(rest_undone(outcomes)),
        }
    }
    let fed: Vec<usize> = (0..wanted.len()).filter(|n| outcomes[*n].is_none()).collect();
    if !fed.is_empty() {
        let rows: Vec<&SetQuantity> = fed.iter().map(|n| &wanted[*n]).collect();
        match feed(wire, &rows).await {
            Ok(answers) => fed.iter().zip(answers).for_each(|(n, answer)| outcomes[*n] = Some(answer)),
            Err(fault) if fed.len() == wanted.len() => return Err(fault),
            Err(_) => {}
        }
    }
    Ok(rest_undone(outcomes))
}

/// What was not come to was not done; it is said so that it is looked at and asked for again.
fn rest_undone(outcomes: Vec<Option<SetOutcome>>) -> Vec<SetOutcome> {
    outcomes.into_iter().map(|o| o.unwrap_or(SetOutcome::Stale { shown: None })).collect()
}

/// One listing. A fault is one after which it was surely not done.
async fn patch(wire: &Wire, one: &SetQuantity) -> Result<SetOutcome, Fault> {
    let (seller, marketplace) = (escape(wire.setting("seller_id")), escape(marketplace(wire)));
    let body = json!({ "productType": "PRODUCT", "patches": patches(one.to) });
    let answer = wire
        .send(Request {
            what: "patchListingsItem",
            method: "PATCH",
            path: format!("/listings/2021-08-01/items/{seller}/{}?marketplaceIds={marketplace}", escape(&one.listing)),
            headers: Vec::new(),
            body: Some(("application/json", body.to_string().into_bytes())),
            repeatable: false,
        })
        .await;
    let answer = match answer {
        Ok(answer) => json(&answer).unwrap_or_default(),
        Err(Fault::Lost { .. } | Fault::NotUnderstood { .. }) => return Ok(SetOutcome::Accepted),
        Err(Fault::Refused { code, detail, .. }) => return Ok(SetOutcome::Refused { code, detail }),
        Err(fault) => return Err(fault),
    };
    if text(&answer, "/status").as_deref() == Some("INVALID") {
        let issues = rows(&answer, "/issues");
        let issue = issues.iter().find(|i| text(i, "/severity").as_deref() == Some("ERROR")).or(issues.first()).unwrap_or(&Value::Null);
        return Ok(refused(issue));
    }
    Ok(SetOutcome::Accepted)
}

fn refused(issue: &Value) -> SetOutcome {
    SetOutcome::Refused { code: text(issue, "/code").unwrap_or_else(|| "INVALID".into()), detail: text(issue, "/message").unwrap_or_default() }
}

fn post(what: &'static str, path: &str, body: &Value) -> Request {
    let body = Some(("application/json", body.to_string().into_bytes()));
    Request { what, method: "POST", path: path.into(), headers: Vec::new(), body, repeatable: false }
}

/// Many listings in one document. A fault is one after which none was done.
async fn feed(wire: &Wire, wanted: &[&SetQuantity]) -> Result<Vec<SetOutcome>, Fault> {
    let missing = |what: &str| Fault::NotUnderstood { detail: format!("no {what} in the answer") };
    let all = |outcome: SetOutcome| Ok(vec![outcome; wanted.len()]);
    // A document that nobody uses does no harm, so its making may be tried again.
    let make = Request { repeatable: true, ..post("createFeedDocument", "/feeds/2021-06-30/documents", &json!({ "contentType": JSON })) };
    let document = json(&wire.send(make).await?)?;
    let (id, url) =
        (text(&document, "/feedDocumentId").ok_or_else(|| missing("feedDocumentId"))?, text(&document, "/url").ok_or_else(|| missing("url"))?);
    let messages = wanted
        .iter()
        .enumerate()
        .map(|(n, w)| json!({ "messageId": n + 1, "sku": w.listing, "operationType": "PATCH", "productType": "PRODUCT", "patches": patches(w.to) }));
    let header = json!({ "sellerId": wire.setting("seller_id"), "version": "2.0", "issueLocale": "en_US" });
    let content = json!({ "header": header, "messages": messages.collect::<Vec<_>>() });
    let upload = Request {
        what: "upload",
        method: "PUT",
        path: url,
        headers: Vec::new(),
        body: Some((JSON, content.to_string().into_bytes())),
        repeatable: true,
    };
    wire.send(upload).await?;
    let create = json!({ "feedType": "JSON_LISTINGS_FEED", "marketplaceIds": [marketplace(wire)], "inputFeedDocumentId": id });
    let created = match wire.send(post("createFeed", "/feeds/2021-06-30/feeds", &create)).await {
        Ok(created) => created,
        Err(Fault::Lost { .. } | Fault::NotUnderstood { .. }) => return all(SetOutcome::Accepted),
        Err(fault) => return Err(fault),
    };
    // From here on it is taken, whatever else fails.
    let Some(feed) = json(&created).ok().and_then(|c| text(&c, "/feedId")) else { return all(SetOutcome::Accepted) };
    match wait(wire, &feed).await {
        Ok(Ended::Report(id)) => Ok(report(wire, &id, wanted.len()).await.unwrap_or(vec![SetOutcome::Accepted; wanted.len()])),
        // It never began.
        Ok(Ended::Canceled) => all(SetOutcome::Stale { shown: None }),
        Ok(Ended::Unknown) | Err(_) => all(SetOutcome::Accepted),
    }
}

enum Ended {
    /// With a report, by this id of a document.
    Report(String),
    Canceled,
    /// Not yet, or without saying how.
    Unknown,
}

async fn wait(wire: &Wire, feed: &str) -> Result<Ended, Fault> {
    let wait = wire.setting("feed_poll_milliseconds").parse().unwrap_or(POLL_MILLISECONDS);
    for _ in 0..POLLS {
        tokio::time::sleep(Duration::from_millis(wait)).await;
        let answer = json(&wire.send(get("getFeed", format!("/feeds/2021-06-30/feeds/{}", escape(feed)))).await?)?;
        match text(&answer, "/processingStatus").unwrap_or_default().as_str() {
            "DONE" | "FATAL" => return Ok(text(&answer, "/resultFeedDocumentId").map_or(Ended::Unknown, Ended::Report)),
            CANCELED => return Ok(Ended::Canceled),
            _ => {}
        }
    }
    Ok(Ended::Unknown)
}

/// Rows with an error were not done; the others were taken.
async fn report(wire: &Wire, document: &str, count: usize) -> Result<Vec<SetOutcome>, Fault> {
    let answer = json(&wire.send(get("getFeedDocument", format!("/feeds/2021-06-30/documents/{}", escape(document)))).await?)?;
    let url = text(&answer, "/url").ok_or_else(|| Fault::NotUnderstood { detail: "a document without url".into() })?;
    let mut body = wire.send(get("download", url)).await?.body;
    if text(&answer, "/compressionAlgorithm").as_deref() == Some("GZIP") && body.starts_with(&[0x1f, 0x8b]) {
        let mut plain = Vec::new();
        let read = GzDecoder::new(body.as_slice()).take(LARGEST_REPORT).read_to_end(&mut plain);
        read.map_err(|e| Fault::NotUnderstood { detail: format!("a report that cannot be unpacked: {e}") })?;
        body = plain;
    }
    let report: Value = serde_json::from_slice(&body).map_err(|e| Fault::NotUnderstood { detail: format!("a report that is not JSON: {e}") })?;
    let mut outcomes = vec![SetOutcome::Accepted; count];
    for issue in rows(&report, "/issues").iter().filter(|i| text(i, "/severity").as_deref() == Some("ERROR")) {
        let row = whole(issue, "/messageId").and_then(|id| usize::try_from(id - 1).ok());
        if let Some(outcome) = row.and_then(|n| outcomes.get_mut(n)) {
            *outcome = refused(issue);
        }
    }
    Ok(outcomes)
}
