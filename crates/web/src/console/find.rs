//! Finds items and orders by what somebody types, within what they may see: the search index, and what the database has under just that
//! name, which is found at once and while there is no index.

use super::orders::id_of;
use crate::App;
use domain::{Grant, Permission, Refused};
use engine::Stop;
use engine::db::Tx;
use engine::orders::list::{self, OrderQuery, OrderRow};
use engine::stock::list::StockRow;
use search::{Kind, Query, Search};

/// Rows that are read under just the name that was typed.
const EXACT: i64 = 50;

/// What a text is about.
#[derive(Debug, Clone, Default)]
pub struct Hits {
    /// The likeliest first, each once.
    pub ids: Vec<i64>,
    /// There are more than were looked for.
    pub more: bool,
    /// Nothing is written so; these come close.
    pub near: bool,
}

impl Hits {
    fn new(search: &Search, query: &Query<'_>, exact: Vec<i64>) -> Result<Hits, Stop> {
        let mut hits = match search.find(query) {
            Ok(found) => Hits { more: found.total > found.hits.len(), near: found.is_near, ids: found.hits.iter().map(|hit| hit.id).collect() },
            // What has just that name is found all the same.
            Err(stop) if query.of_item.is_none() && stop.refused() == Some(&Refused::SearchNotReady) => Hits::default(),
            Err(stop) => return Err(stop),
        };
        if hits.near && !exact.is_empty() {
            hits = Hits::default();
        }
        for id in exact {
            if !hits.ids.contains(&id) {
                hits.ids.push(id);
            }
        }
        Ok(hits)
    }
}

/// Items by SKU, name and barcode: at most `limit` of the index, and some that have just that barcode or a SKU that begins so.
pub fn items(tx: &mut Tx<'_>, search: &Search, text: &str, limit: usize) -> Result<Hits, Stop> {
    let exact = engine::catalog::read::named(tx, text, EXACT)?;
    Hits::new(search, &Query { text, kind: Some(Kind::Item), channels: None, of_item: None, active_only: false, limit }, exact)
}

/// Orders by number, reference, customer, address and tracking number: at most `limit` of the index, and some that have just that number
/// or reference. Only those of `channels`, where they are given, come from the index; the others are for the caller to leave out.
///
/// With the id of an `item` only those that have lines of it, and all of them if the text is empty; refused while there is no index.
pub fn orders(tx: &mut Tx<'_>, search: &Search, text: &str, item: Option<i64>, channels: Option<&[String]>, limit: usize) -> Result<Hits, Stop> {
    let exact = match item {
        None => engine::orders::read::by_reference(tx, text, EXACT)?.into_iter().chain(id_of(text)).collect(),
        // Whether they have lines of it is not known.
        Some(_) => Vec::new(),
    };
    Hits::new(search, &Query { text, kind: Some(Kind::Order), channels, of_item: item, active_only: false, limit }, exact)
}

/// At most `limit` items and as many orders, the likeliest first.
pub async fn find(app: &App, grant: &Grant, words: &str, limit: usize) -> Result<(Vec<StockRow>, Vec<OrderRow>), Stop> {
    let (grant, words, search, now) = (grant.clone(), words.trim().to_owned(), app.search.clone(), app.engine.now());
    app.read(move |tx, config| {
        let locations = grant.locations.as_ref().map(|ids| ids.to_vec());
        let channels: Option<Vec<String>> = grant.channels.as_ref().map(|codes| codes.iter().map(|c| c.to_string()).collect());
        let mut rows = Vec::new();
        if grant.may(Permission::StockView) {
            let mut hits = items(tx, &search, &words, limit)?;
            hits.ids.truncate(limit);
            rows = engine::stock::list::rows(tx, config, &hits.ids, locations.as_deref(), now)?;
        }
        let mut found = Vec::new();
        if grant.may(Permission::OrdersView) {
            let ids = orders(tx, &search, &words, None, channels.as_deref(), limit)?.ids;
            let place = |row: &OrderRow| ids.iter().position(|id| *id == row.id.0);
            let query = OrderQuery { ids: Some(ids.clone()), channels, locations, limit: ids.len().max(1), ..OrderQuery::default() };
            found = list::list(tx, config, &query)?.rows;
            found.sort_by_key(place);
            found.truncate(limit);
        }
        Ok((rows, found))
    })
    .await
}
