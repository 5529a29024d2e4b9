//! What is listed at Amazon and what it shows (Listings Items API 2021-08-01). A listing is named by the seller's SKU; its
//! quantity is that of the seller's own channel, `DEFAULT`. Listings that only Amazon sends show none here.

use super::{get, marketplace};
use crate::marketplace::{MarketListing, Page};
use crate::read::{date, escape, json, parse_time, rows, text, whole};
use crate::transport::{Fault, Wire};
use serde_json::Value;

/// The seller's own channel; Amazon's begin with `AMAZON`.
pub const CHANNEL: &str = "DEFAULT";
/// Most items on one page, and most names in one question.
const LIMIT: usize = 20;
/// Pages go no further than this many items; then a new search begins where the last item was created.
const REACH: usize = 1000;

fn search(wire: &Wire, rest: &str) -> String {
    format!("/listings/2021-08-01/items/{}?marketplaceIds={}&{rest}", escape(wire.setting("seller_id")), escape(marketplace(wire)))
}

/// A page is named by where its search began (microseconds), how many items that search has given, and Amazon's token.
pub async fn page(wire: &Wire, page: Option<String>) -> Result<Page<MarketListing>, Fault> {
    let place = page.as_deref().unwrap_or("0|0|");
    let read = |place: &str| -> Option<(i64, usize, String)> {
        let mut parts = place.splitn(3, '|');
        Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?, parts.next()?.to_owned()))
    };
    let (after, seen, token) = read(place).ok_or_else(|| Fault::NotUnderstood { detail: format!("no page “{place}”") })?;
    let mut path = search(wire, &format!("includedData=summaries,fulfillmentAvailability&sortBy=createdDate&sortOrder=ASC&pageSize={LIMIT}"));
    if after > 0 {
        path.push_str(&format!("&createdAfter={}", escape(&date(after))));
    }
    if !token.is_empty() {
        path.push_str(&format!("&pageToken={}", escape(&token)));
    }
    let answer = json(&wire.send(get("searchListingsItems", path)).await?)?;
    let items = rows(&answer, "/items");
    let mut found = Page { rows: Vec::new(), next: None, unread: Vec::new() };
    for item in items {
        let Some(sku) = text(item, "/sku") else {
            found.unread.push((String::new(), "it has no sku".into(), item.to_string()));
            continue;
        };
        found.rows.push(MarketListing {
            id: sku.clone(),
            sku: Some(sku),
            barcode: None,
            title: text(item, "/summaries/0/itemName").unwrap_or_default(),
            quantity: shown(item),
        });
    }
    let seen = seen + items.len();
    let created = || items.iter().filter_map(|i| parse_time(i.pointer("/summaries/0/createdDate")?.as_str()?)).max();
    let total = whole(&answer, "/numberOfResults").and_then(|n| usize::try_from(n).ok()).unwrap_or(seen);
    found.next = match text(&answer, "/pagination/nextToken") {
        Some(token) if seen < REACH => Some(format!("{after}|{seen}|{token}")),
        _ if seen >= REACH && total > seen => match created().filter(|at| *at / 1000 > after / 1000) {
            Some(at) => Some(format!("{at}|0|")),
            None => return Err(Fault::NotUnderstood { detail: format!("more than {REACH} listings were created at the same moment") }),
        },
        _ => None,
    };
    Ok(found)
}

fn shown(item: &Value) -> Option<i64> {
    let own = |channel: &&Value| text(channel, "/fulfillmentChannelCode").as_deref() == Some(CHANNEL);
    whole(rows(item, "/fulfillmentAvailability").iter().find(own)?, "/quantity")
}

/// Listings that Amazon does not know, or that do not tell, are left out.
pub async fn quantities(wire: &Wire, listings: &[String]) -> Result<Vec<(String, i64)>, Fault> {
    let mut found = Vec::new();
    // A list of names is parted by commas; a name with a comma is asked for alone.
    let (alone, together): (Vec<&String>, Vec<&String>) = listings.iter().partition(|sku| listings.len() == 1 || sku.contains(','));
    for some in together.chunks(LIMIT) {
        let names: Vec<String> = some.iter().map(|sku| escape(sku)).collect();
        let rest = format!("includedData=fulfillmentAvailability&identifiersType=SKU&pageSize={LIMIT}&identifiers={}", names.join(","));
        let answer = json(&wire.send(get("searchListingsItems", search(wire, &rest))).await?)?;
        found.extend(rows(&answer, "/items").iter().filter_map(|item| Some((text(item, "/sku")?, shown(item)?))));
    }
    for sku in alone {
        let (seller, marketplace) = (escape(wire.setting("seller_id")), escape(marketplace(wire)));
        let path =
            format!("/listings/2021-08-01/items/{seller}/{}?marketplaceIds={marketplace}&includedData=fulfillmentAvailability,issues", escape(sku));
        match wire.send(get("getListingsItem", path)).await {
            Err(Fault::Refused { status: 404, .. }) => {}
            answer => found.extend(shown(&json(&answer?)?).map(|quantity| (sku.clone(), quantity))),
        }
    }
    Ok(found)
}
