//! What was just booked, in words, with the way to take it back. The address names the movement; its entries tell the rest.

use super::{Spot, Where, path};
use crate::console::parts::{csrf, icon, once, seen};
use crate::console::viewer::Viewer;
use domain::steps::Status;
use domain::{Permission, Refused};
use engine::access::audit;
use engine::db::Tx;
use engine::stock::movements::{self, DocumentEntry};
use engine::stock::undo::{self, UNDO_MICROS, Undo};
use engine::views::TransferView;
use engine::{Command, Config, Stop, rehearse};
use maud::{Markup, html};
use std::sync::Arc;

/// A movement or a transfer.
pub struct Done {
    document: i64,
    entries: Vec<DocumentEntry>,
    /// The transfer as it is now, if it is one.
    transfer: Option<TransferView>,
    /// Whether it can be taken back; None: not by this reader, or no more.
    undo: Option<Result<(), Refused>>,
}

impl Done {
    /// From `done` in the address; None if it names nothing that this reader may see.
    pub fn read(tx: &mut Tx<'_>, config: &Arc<Config>, v: &Viewer) -> Result<Option<Done>, Stop> {
        let Some(document) = v.asked("done").and_then(|text| text.parse().ok()) else { return Ok(None) };
        let entries = movements::of_document(tx, config, document, Where::of(v).ids())?;
        let is_transfer = entries.iter().any(|e| e.entry.cause.starts_with("transfer."));
        let transfer = if is_transfer { Some(engine::orders::read::transfer(tx, config, document)?) } else { None };
        let mut done = Done { document, entries, transfer, undo: None };
        if done.entries.is_empty() {
            return Ok(None);
        }
        done.undo = match (done.may_undo(v), &done.transfer) {
            (false, _) => None,
            (true, Some(_)) => Some(Ok(())),
            (true, None) => {
                let undo = Undo { document, entries: undo::entries(tx, config, document)? };
                let tried = rehearse(tx, config, v.now, &v.by(), &[Command::Undo(undo)])?;
                tried.into_iter().next().map(|tried| tried.outcome.map(|_| ()))
            }
        };
        Ok(Some(done))
    }

    fn undo_path(&self) -> String {
        if self.transfer.is_some() { format!("/transfers/{}/cancel", self.document) } else { "/stock/undo".to_owned() }
    }

    fn may_undo(&self, v: &Viewer) -> bool {
        if let Some(transfer) = &self.transfer {
            // Whoever sent it, while nothing has arrived.
            let is_sender = self.entries.iter().any(|e| e.entry.to == "in_transit");
            return is_sender && v.may(Permission::StockTransfer) && transfer.status == Status::InTransit.word();
        }
        let causes = ["stock.received", "stock.adjusted", "stock.moved", "stock.counted"];
        let by_hand = self.entries.iter().all(|e| causes.contains(&e.entry.cause.as_str()) && !e.entry.actor.starts_with("channel:"));
        let fresh = self.entries.iter().all(|e| v.now - e.entry.at.0 <= UNDO_MICROS);
        by_hand && fresh && v.may(Permission::StockAdjust)
    }

    /// A sentence, and a button that leads back here when it has taken it back.
    pub fn flash(&self, v: &Viewer, spots: &[Spot]) -> Markup {
        html! {
            div.banner.banner-ok.flash role="status" {
                (icon("ok"))
                div { (self.words(v, spots)) }
                @if self.transfer.is_some() { a.btn.btn-s href=(format!("/transfers/{}", self.document)) { (v.t("Open the transfer")) } }
                @if let Some(Err(Refused::InsufficientStock { .. })) = self.undo {
                    div.small { (v.t("It cannot be taken back: units of it were promised, shipped or moved since.")) }
                }
                @if let Some(Ok(())) = self.undo {
                    form action=(self.undo_path()) method="post" {
                        (csrf(v)) (once())
                        @if let Some(transfer) = &self.transfer { (seen(&audit::etag_of(transfer))) }
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
        let is_undone = self.entries.iter().any(|e| ["stock.undone", "transfer.canceled"].contains(&e.entry.cause.as_str()));
        let booked = || self.entries.iter().filter(|e| e.entry.cause == first.entry.cause);
        let units: i64 = booked().map(|e| e.entry.quantity).sum();
        // Units more or fewer on hand.
        let outer = |word: &str| ["supplier", "customer", "scrap", "count"].contains(&word);
        let change = |e: &DocumentEntry| match (outer(e.entry.from), outer(e.entry.to)) {
            (true, false) => e.entry.quantity,
            (false, true) => -e.entry.quantity,
            _ => 0,
        };
        let net = || booked().map(change).sum();
        let state = |word: &str| super::words::account(v, word).to_lowercase();
        let text = match first.entry.cause.as_str() {
            _ if self.transfer.is_some() => {
                let to = booked().find(|e| e.entry.to == "incoming").map(|e| place(&e.entry.location)).unwrap_or_default();
                let sent = booked().filter(|e| e.entry.to == "in_transit").map(|e| e.entry.quantity).sum();
                v.say("{} sent from {} to {}.", &[&v.count(sent, "unit", "units"), &from, &to])
            }
            "stock.received" => v.say("{} received at {}.", &[&v.count(units, "unit", "units"), &from]),
            "stock.moved" => {
                v.say("{} moved from {} to {} at {}.", &[&v.count(units, "unit", "units"), &state(first.entry.from), &state(first.entry.to), &from])
            }
            "stock.counted" => v.say("Counted at {}: {}.", &[&from, &v.signed(net())]),
            _ => v.say("Adjusted by {} at {}.", &[&v.signed(net()), &from]),
        };
        html! { b { @if let [sku] = skus.as_slice() { a href=(path(sku)) { (sku) } } @else { (v.count(skus.len() as i64, "item", "items")) } } ": " (text) @if is_undone { " " (v.t("It was undone since.")) } }
    }
}
