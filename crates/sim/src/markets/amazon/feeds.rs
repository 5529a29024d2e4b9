//! Feeds: a document is uploaded, waits, is worked off row by row, and leaves a report in which rows may have failed.

use super::{Amazon, CANCELED, error};
use crate::markets::ask::{Ask, date, empty, json};
use axum::response::{IntoResponse, Response};
use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::{Value, json as value};
use std::collections::BTreeMap;
use std::io::Write;

#[derive(Default)]
pub(super) struct Feeds {
    next: u64,
    /// Media type and content by id, once uploaded.
    documents: BTreeMap<String, (String, Option<Vec<u8>>)>,
    feeds: BTreeMap<String, Feed>,
    pub(super) rows_fail: f64,
    pub(super) fail: f64,
}

#[derive(Clone)]
struct Feed {
    document: String,
    /// Askings until it is over.
    waits: u32,
    status: &'static str,
    report: Option<String>,
    at: i64,
}

impl Amazon {
    fn url(ask: &Ask, what: &str, id: &str) -> String {
        format!("http://{}/{what}/{id}", ask.header("host"))
    }

    pub(super) fn create_document(&self, ask: &Ask) -> Response {
        let Some(kind) = ask.json()["contentType"].as_str().map(str::to_owned) else { return error(400, "InvalidInput", "contentType") };
        let mut state = self.state();
        state.feeds.next += 1;
        let id = format!("amzn1.tortuga.{}", state.feeds.next);
        state.feeds.documents.insert(id.clone(), (kind, None));
        json(201, &value!({ "feedDocumentId": id, "url": Amazon::url(ask, "uploads", &id) }))
    }

    /// The address vouches for itself: a token has no business here, and the media type must be the one announced.
    pub(super) fn upload(&self, ask: &Ask, id: &str) -> Response {
        let mut state = self.state();
        match state.feeds.documents.get_mut(id) {
            Some((kind, content)) if ask.header("content-type") == kind && ask.header("x-amz-access-token").is_empty() => {
                *content = Some(ask.body.clone());
                empty(200)
            }
            _ => empty(403),
        }
    }

    pub(super) fn create_feed(&self, ask: &Ask) -> Response {
        let body = ask.json();
        let mut state = self.state();
        let document = body["inputFeedDocumentId"].as_str().unwrap_or("").to_owned();
        let uploaded = state.feeds.documents.get(&document).is_some_and(|(_, content)| content.is_some());
        if !uploaded || body["feedType"] != "JSON_LISTINGS_FEED" {
            return error(400, "InvalidInput", "inputFeedDocumentId or feedType");
        }
        state.feeds.next += 1;
        let id = state.feeds.next.to_string();
        let waits = state.rng.u32(0..4);
        let feed = Feed { document, waits, status: "IN_QUEUE", report: None, at: self.market.now() };
        state.feeds.feeds.insert(id.clone(), feed);
        json(202, &value!({ "feedId": id }))
    }

    pub(super) fn feed(&self, id: &str) -> Response {
        let Some(feed) = self.go_on(id) else { return error(404, "NotFound", "no such feed") };
        let mut body = value!({ "feedId": id, "feedType": "JSON_LISTINGS_FEED", "createdTime": date(feed.at), "processingStatus": feed.status });
        if let Some(report) = feed.report {
            body["resultFeedDocumentId"] = report.into();
        }
        json(200, &body)
    }

    /// Works off what still waits, asked after or not.
    pub fn finish_feeds(&self) {
        let ids: Vec<String> = self.state().feeds.feeds.keys().cloned().collect();
        for id in ids {
            while self.go_on(&id).is_some_and(|feed| matches!(feed.status, "IN_QUEUE" | "IN_PROGRESS")) {}
        }
    }

    fn go_on(&self, id: &str) -> Option<Feed> {
        let mut feed = self.state().feeds.feeds.get(id).cloned()?;
        if feed.waits > 0 {
            feed.waits -= 1;
            feed.status = if feed.waits < 2 { "IN_PROGRESS" } else { "IN_QUEUE" };
        } else if matches!(feed.status, "IN_QUEUE" | "IN_PROGRESS") {
            let bad = {
                let mut state = self.state();
                let chance = state.feeds.fail;
                (state.rng.f64() < chance).then(|| state.rng.bool())
            };
            match bad {
                Some(true) => feed.status = CANCELED,
                fatal => {
                    let report = self.work_off(&feed.document, fatal.is_some());
                    feed.status = if fatal.is_some() { "FATAL" } else { "DONE" };
                    feed.report = fatal.is_none().then_some(report);
                }
            }
        }
        self.state().feeds.feeds.insert(id.to_owned(), feed.clone());
        Some(feed)
    }

    /// Does every row, or with `half` some of them; answers the document with the report.
    fn work_off(&self, document: &str, half: bool) -> String {
        let content = self.state().feeds.documents.get(document).and_then(|(_, content)| content.clone()).unwrap_or_default();
        let content: Value = serde_json::from_slice(&content).unwrap_or_default();
        let mut issues = Vec::new();
        let messages = content["messages"].as_array().cloned().unwrap_or_default();
        for message in &messages {
            let fails = {
                let mut state = self.state();
                let chance = state.feeds.rows_fail;
                if half && state.rng.bool() {
                    continue;
                }
                state.rng.f64() < chance
            };
            let issue = match fails {
                true => Err(value!({ "code": "99022", "message": "a row that fails", "severity": "ERROR" })),
                false => self.apply(message["sku"].as_str().unwrap_or(""), message),
            };
            if let Err(mut issue) = issue {
                issue["messageId"] = message["messageId"].clone();
                issues.push(issue);
            }
            issues.push(value!({ "messageId": message["messageId"], "code": "18027", "message": "only a warning", "severity": "WARNING" }));
        }
        let summary = value!({ "errors": issues.len(), "messagesProcessed": messages.len() });
        let report = value!({ "header": { "version": "2.0" }, "issues": issues, "summary": summary }).to_string().into_bytes();
        let mut state = self.state();
        state.feeds.next += 1;
        let id = format!("amzn1.report.{}", state.feeds.next);
        let packed = state.rng.bool();
        let content = if packed { pack(&report) } else { report };
        state.feeds.documents.insert(id.clone(), (if packed { "GZIP" } else { "" }.to_owned(), Some(content)));
        id
    }

    pub(super) fn document(&self, ask: &Ask, id: &str) -> Response {
        let Some((kind, _)) = self.state().feeds.documents.get(id).cloned() else { return error(404, "NotFound", "no such document") };
        let mut body = value!({ "feedDocumentId": id, "url": Amazon::url(ask, "downloads", id) });
        if kind == "GZIP" {
            body["compressionAlgorithm"] = kind.into();
        }
        json(200, &body)
    }

    pub(super) fn download(&self, id: &str) -> Response {
        let content = self.state().feeds.documents.get(id).and_then(|(_, content)| content.clone());
        content.map_or_else(|| empty(404), IntoResponse::into_response)
    }
}

fn pack(plain: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
    let written = packer.write_all(plain);
    written.and_then(|()| packer.finish()).unwrap_or_default()
}
