//! What was just booked, in words, with the way to take it back. The address names the movement; its entries tell the rest.

use super::{Spot, Where, path};
use crate::console::parts::{csrf, icon, once};
use crate::console::viewer::Viewer;
use domain::Permission;
use engine::db::Tx;
use engine::stock::movements::{self, DocumentEntry};
use engine::stock::undo::UNDO_MICROS;
use engine::{Config, Stop};
use maud::{Markup, html};

/// A movement or a transfer.
pub struct Done {
    document: i64,
    entries: Vec<DocumentEntry>,
}

impl Done {
    /// From `done` in the address; None if it names nothing that this reader may see.
    pub fn read(tx: &mut Tx<'_>, config: &Config, v: &Viewer) -> Result<Option<Done>, Stop> {
        let Some(document) = v.asked("done").and_then(|text| text.parse().ok()) else { return Ok(None) };
        let entries = movements::of_document(tx, config, document, Where::of(v).ids())?;
        Ok(Some(Done { document, entries }).filter(|d| !d.entries.is_empty()))
    }

    fn is_transfer(&self) -> bool {
        self.entries.iter().any(|e| e.entry.cause.starts_with("transfer."))
    }

    fn may_undo(&self, v: &Viewer) -> bool {
        let by_hand =
            self.entries.iter().all(|e| ["stock.received", "stock.adjusted", "stock.moved", "stock.counted"].contains(&e.entry.cause.as_str()));
        let fresh = self.entries.iter().all(|e| v.now - e.entry.at.0 <= UNDO_MICROS);
        by_hand && fresh && v.may(Permission::StockAdjust)
    }

    /// A sentence, and a button that leads back here when it has taken it back.
    pub fn flash(&self, v: &Viewer, spots: &[Spot]) -> Markup {
        html! {
            div.banner.banner-ok.flash role="status" {
                (icon("ok"))
                div { (self.words(v, spots)) }
                @if self.is_transfer() { a.btn.btn-s href=(format!("/transfers/{}", self.document)) { (v.t("Open the transfer")) } }
                @else if self.may_undo(v) {
                    form action="/stock/undo" method="post" {
                        (csrf(v)) (once())
                        input type="hidden" name="id" value=(self.document);
                        input type="hidden" name="next" value=(v.address(&[]));
                        button.btn.btn-s type="submit" data-undo { (icon("undo")) (v.t("Undo")) " " kbd { "Z" } }
                    }
                }
            }
        }
    }

    fn words(&self, v: &Viewer, spots: &[Spot]) -> Markup {
        let mut skus: Vec<&str> = self.entries.iter().map(|e| &*e.sku).collect();
        skus.dedup();
        let first = &self.entries[0];
        let place = |code: &str| spots.iter().find(|s| s.code == code).map_or_else(|| code.to_owned(), |s| s.name.clone());
        let from = place(&first.entry.location);
        let units: i64 = self.entries.iter().map(|e| e.entry.quantity).sum();
        let state = |word: &str| super::words::account(v, word).to_lowercase();
        let text = match first.entry.cause.as_str() {
            _ if self.is_transfer() => {
                let to = self.entries.iter().find(|e| e.entry.to == "incoming").map(|e| place(&e.entry.location)).unwrap_or_default();
                let sent = self.entries.iter().filter(|e| e.entry.to == "in_transit").map(|e| e.entry.quantity).sum();
                v.say("{} sent from {} to {}.", &[&v.count(sent, "unit", "units"), &from, &to])
            }
            "stock.received" => v.say("{} received at {}.", &[&v.count(units, "unit", "units"), &from]),
            "stock.moved" => {
                v.say("{} moved from {} to {} at {}.", &[&v.count(units, "unit", "units"), &state(first.entry.from), &state(first.entry.to), &from])
            }
            "stock.counted" => v.say("Counted at {}: {}.", &[&from, &v.signed(self.net())]),
            _ => v.say("Adjusted by {} at {}.", &[&v.signed(self.net()), &from]),
        };
        html! { b { @if let [sku] = skus.as_slice() { a href=(path(sku)) { (sku) } } @else { (v.count(skus.len() as i64, "item", "items")) } } ": " (text) }
    }

    /// Units more or fewer on hand.
    fn net(&self) -> i64 {
        let outer = |word: &str| ["supplier", "customer", "scrap", "count"].contains(&word);
        let change = |e: &DocumentEntry| match (outer(e.entry.from), outer(e.entry.to)) {
            (true, false) => e.entry.quantity,
            (false, true) => -e.entry.quantity,
            _ => 0,
        };
        self.entries.iter().map(change).sum()
    }
}
