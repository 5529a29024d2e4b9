//! Items and their stock: the list (`list.rs`, what is done to many at once in `bulk.rs`), new ones (`new.rs`), and the page of one
//! (`one.rs` and the panels that it is made of).
//!
//! Here: the routes, and how far a viewer may see. Not here: reading (`engine/stock`), rules.

mod asof;
mod bulk;
mod change;
mod charts;
mod deeds;
mod done;
mod effect;
mod facts;
mod holders;
mod ledger;
mod levels;
mod list;
mod new;
mod one;
mod quota;
mod sell;
mod words;

pub use deeds::Deed;

use super::fields::step;
use super::viewer::Viewer;
use crate::rules::{Pages, Rule::May};
use domain::Grant;
use domain::Permission::{ItemsEdit, StockAdjust, StockReceive, StockTransfer, StockView as View};
use engine::Config;
use engine::access::reach;
use engine::views::StockView;
use std::sync::Arc;

/// The pages of items, each with its rule.
pub fn routes(pages: Pages) -> Pages {
    pages
        .get("/items", May(View), list::page)
        .post("/items", May(ItemsEdit), new::create)
        .get("/items/new", May(ItemsEdit), new::page)
        .post("/items/bulk", May(View), bulk::page)
        .get("/items/{sku}", May(View), one::page)
        .get("/items/{sku}/ahead", May(View), change::look_ahead)
        .post("/items/{sku}/facts", May(ItemsEdit), one::set_facts)
        .post("/items/{sku}/receive", May(StockReceive), change::receive)
        .post("/items/{sku}/adjust", May(StockAdjust), change::adjust)
        .post("/items/{sku}/move", May(StockAdjust), change::move_units)
        .post("/items/{sku}/transfer", May(StockTransfer), change::transfer)
        .post("/items/{sku}/count", May(StockAdjust), change::count)
        .post("/stock/undo", May(StockAdjust), change::take_back)
}

/// The address of an item's page.
fn path(sku: &str) -> String {
    format!("/items/{}", step(sku))
}

/// The viewer of a page that is shown again at its own address after a form was sent to another.
fn here(viewer: Viewer, path: String) -> Viewer {
    Viewer { path, query: String::new(), ..viewer }
}

/// Whether somebody may see a channel.
fn on(v: &Viewer, code: &str) -> bool {
    v.caller.as_ref().is_some_and(|c| c.grant.on(code))
}

/// How far a viewer may see, for reads that outlive the viewer.
#[derive(Debug, Clone)]
struct Where(Arc<Grant>);

impl Where {
    fn of(v: &Viewer) -> Where {
        Where(v.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default())
    }

    fn at(&self, location: i64) -> bool {
        self.0.at(location)
    }

    /// The locations (ids) that it is limited to; None is all.
    fn ids(&self) -> Option<&[i64]> {
        self.0.locations.as_deref()
    }

    /// The same stock without other locations, and their units in no sum.
    fn stock(&self, stock: StockView, config: &Config) -> StockView {
        reach::stock(stock, &self.0, config)
    }

    /// The locations that may be seen, by name.
    fn spots(&self, config: &Config) -> Vec<Spot> {
        let mut spots: Vec<Spot> = config
            .locations
            .iter()
            .filter(|l| self.at(l.id))
            .map(|l| Spot { code: l.code.clone(), name: l.name.clone(), active: l.active })
            .collect();
        spots.sort_by(|a, b| (&a.name, &a.code).cmp(&(&b.name, &b.code)));
        spots
    }
}

/// A location as pages name it.
#[derive(Debug, Clone)]
struct Spot {
    code: String,
    name: String,
    active: bool,
}
