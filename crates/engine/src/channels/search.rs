//! The list of a channel's listings by their titles, with a search by how their SKUs and titles begin.

use super::listings::ListingView;
use super::rows::{LISTINGS_BY_ID, Listing};
use crate::Stop;
use crate::batch::sorted;
use crate::catalog::rows::{ITEMS_BY_ID, Item};
use crate::config::Config;
use crate::db::{Ahead, Lookup, Row, Sql, Tx, Value};
use crate::page::{Page, unreadable};
use domain::{Noun, Refused, limits};
use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

// Bounds are told one by one: SQLite takes but one of a row of expressions for the beginning of a range.
const ALL: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND lower(title) >= lower($2) AND (lower(title) > lower($2) OR id > $3) ORDER BY lower(title), id LIMIT $4",
);
const ALL_LAST: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND lower(title) <= lower($2) AND (lower(title) < lower($2) OR id < $3) ORDER BY lower(title) DESC, id DESC LIMIT $4",
);
const UNMAPPED: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND item IS NULL AND lower(title) >= lower($2) AND (lower(title) > lower($2) OR id > $3) ORDER BY lower(title), id LIMIT $4",
);
const UNMAPPED_LAST: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND item IS NULL AND lower(title) <= lower($2) AND (lower(title) < lower($2) OR id < $3) ORDER BY lower(title) DESC, id DESC LIMIT $4",
);
const REFUSED: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND fault IS NOT NULL AND lower(title) >= lower($2) AND (lower(title) > lower($2) OR id > $3) ORDER BY lower(title), id LIMIT $4",
);
const REFUSED_LAST: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND fault IS NOT NULL AND lower(title) <= lower($2) AND (lower(title) < lower($2) OR id < $3) ORDER BY lower(title) DESC, id DESC LIMIT $4",
);
const END: Sql = Sql("SELECT title FROM listings WHERE channel = $1 ORDER BY lower(title) DESC, id DESC LIMIT 1");
const BY_SKU: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND sku IS NOT NULL AND lower(sku) >= lower($2) AND (lower(sku) > lower($2) OR id > $3) AND lower(sku) < lower($4) ORDER BY lower(sku), id LIMIT $5",
);
const BY_TITLE: Sql = Sql(
    "SELECT id, sku, title, item, fault FROM listings WHERE channel = $1 AND lower(title) >= lower($2) AND (lower(title) > lower($2) OR id > $3) AND lower(title) < lower($4) ORDER BY lower(title), id LIMIT $5",
);

/// Listings that one page looks at. Beyond, it ends with what it found.
const EXAMINED: usize = 2_000;
const STEP: usize = 200;

/// Which listings of a channel.
#[derive(Debug, Clone, Default)]
pub struct ListingQuery {
    /// The channel's code.
    pub channel: String,
    pub only: Only,
    /// How the SKU or the title begins, whatever the case of its letters; any if empty.
    pub begins: String,
    /// The other way round: the last title first. Not of those that are searched.
    pub reversed: bool,
    /// Where the page before ended.
    pub after: Option<ListingCursor>,
    /// Most rows.
    pub limit: usize,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Only {
    #[default]
    Any,
    /// No item yet.
    Unmapped,
    /// The marketplace refused the last write.
    Refused,
}

/// A listing as far as it is searched.
#[derive(Clone)]
struct Light {
    id: i64,
    sku: Option<String>,
    title: String,
    item: Option<i64>,
    refused: bool,
}

impl Light {
    fn read(row: &Row<'_>) -> Light {
        Light { id: row.int(0), sku: row.opt_text(1), title: row.text(2), item: row.opt_int(3), refused: row.opt_text(4).is_some() }
    }

    /// What it is sorted by.
    fn text(self, by: By) -> String {
        match by {
            By::Sku => self.sku.unwrap_or_default(),
            By::Title => self.title,
        }
    }
}

/// How listings are found, one after another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    Sku,
    Title,
}

impl By {
    fn next(self) -> Option<By> {
        (self == By::Sku).then_some(By::Title)
    }
}

/// Where a list stands: after a listing, as its SKU or title was then, so that a new title does not move the place. Shown as
/// `title.1042.Red mug`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingCursor {
    by: By,
    id: i64,
    text: String,
}

impl ListingCursor {
    /// Reads what a page gave out. Refuses anything else, naming `field`.
    pub fn parse(field: &str, text: &str) -> Result<ListingCursor, Refused> {
        let mut parts = text.splitn(3, '.');
        let by = match parts.next() {
            Some("sku") => By::Sku,
            Some("title") => By::Title,
            _ => return Err(unreadable(field)),
        };
        let id = parts.next().and_then(|id| id.parse().ok()).ok_or_else(|| unreadable(field))?;
        let text = parts.next().filter(|text| limits::text(field, text).is_ok()).ok_or_else(|| unreadable(field))?;
        Ok(ListingCursor { by, id, text: text.to_owned() })
    }
}

impl fmt::Display for ListingCursor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let by = if self.by == By::Sku { "sku" } else { "title" };
        write!(f, "{by}.{}.{}", self.id, self.text)
    }
}

impl ListingQuery {
    fn wants(&self, found: &Light, by: By) -> bool {
        let only = match self.only {
            Only::Any => true,
            Only::Unmapped => found.item.is_none(),
            Only::Refused => found.refused,
        };
        // Some collations sort other texts into the range.
        let begins = |text: &str| text.to_lowercase().starts_with(&self.begins.to_lowercase());
        let by_sku = || found.sku.as_deref().is_some_and(begins);
        only && match by {
            By::Title if self.begins.is_empty() => true,
            By::Sku => by_sku(),
            // Those were found before.
            By::Title => begins(&found.title) && !by_sku(),
        }
    }

    /// The next ones, at most `count`; fewer only where this way of finding them ends.
    fn step(&self, tx: &mut Tx<'_>, channel: i64, at: &ListingCursor, count: usize) -> Result<Vec<Light>, Stop> {
        let (channel, text, id, step) = (Value::Int(channel), Value::Text(&at.text), Value::Int(at.id), Value::Int(count as i64));
        if self.begins.is_empty() {
            let sql = match (self.only, self.reversed) {
                (Only::Any, false) => ALL,
                (Only::Any, true) => ALL_LAST,
                (Only::Unmapped, false) => UNMAPPED,
                (Only::Unmapped, true) => UNMAPPED_LAST,
                (Only::Refused, false) => REFUSED,
                (Only::Refused, true) => REFUSED_LAST,
            };
            return Ok(tx.rows(sql, &[channel, text, id, step], Light::read)?);
        }
        let end = format!("{}\u{10ffff}", self.begins);
        if at.by == By::Title {
            return Ok(tx.rows(BY_TITLE, &[channel, text, id, Value::Text(&end), step], Light::read)?);
        }
        let values = [channel, text, id, Value::Text(&end), step];
        let titles = [channel, Value::Text(&self.begins), Value::Int(0), Value::Text(&end), Value::Int(STEP as i64)];
        tx.ahead(&[Ahead::Rows(BY_SKU, &values), Ahead::Rows(BY_TITLE, &titles)]);
        Ok(tx.rows(BY_SKU, &values, Light::read)?)
    }

    /// Where the page begins. Refuses a cursor of another list.
    fn start(&self, tx: &mut Tx<'_>, channel: i64) -> Result<ListingCursor, Stop> {
        let searched = !self.begins.is_empty();
        match &self.after {
            Some(after) if !searched && after.by == By::Sku => Err(unreadable("after").into()),
            Some(after) => Ok(after.clone()),
            None if searched => Ok(ListingCursor { by: By::Sku, text: self.begins.clone(), id: 0 }),
            None if !self.reversed => Ok(ListingCursor { by: By::Title, text: String::new(), id: 0 }),
            None => {
                let last = tx.one(END, &[Value::Int(channel)], |r| r.text(0))?;
                Ok(ListingCursor { by: By::Title, text: last.unwrap_or_default(), id: i64::MAX })
            }
        }
    }
}

/// A page of a channel's listings: by their titles, or, when searched, those whose SKU begins so, then those whose title does.
/// Looks at a page of them and 1,800 more at most. Refuses an unknown channel, and a cursor of another list.
pub fn list(tx: &mut Tx<'_>, config: &Config, query: &ListingQuery) -> Result<Page<ListingView, ListingCursor>, Stop> {
    limits::text("begins", &query.begins)?;
    let channel = config.channel_by_code(&query.channel).ok_or_else(|| Refused::unknown(Noun::Channel, &query.channel, "channel"))?;
    let mut at = query.start(tx, channel.id)?;
    let mut lights: Vec<Light> = Vec::new();
    let mut next = None;
    'pages: for n in 0.. {
        if n == EXAMINED / STEP {
            next = Some(at);
            break;
        }
        // Of most lists, all that are read are wanted.
        let count = if n == 0 { query.limit + 1 } else { STEP };
        let found = query.step(tx, channel.id, &at, count)?;
        let ended = found.len() < count;
        for light in found {
            if query.wants(&light, at.by) {
                if lights.len() == query.limit {
                    next = Some(at);
                    break 'pages;
                }
                lights.push(light.clone());
            }
            at = ListingCursor { by: at.by, id: light.id, text: light.text(at.by) };
        }
        if ended {
            let Some(by) = at.by.next() else { break };
            at = ListingCursor { by, text: query.begins.clone(), id: 0 };
        }
    }
    Ok(Page { rows: views(tx, channel.code.clone(), &lights)?, next })
}

fn views(tx: &mut Tx<'_>, channel: Arc<str>, lights: &[Light]) -> Result<Vec<ListingView>, Stop> {
    let listings = Lookup { lock: false, ..LISTINGS_BY_ID };
    let (ids, items) = (sorted(lights.iter().map(|l| &l.id)), sorted(lights.iter().filter_map(|l| l.item.as_ref())));
    tx.ahead(&[Ahead::Ids(&listings, &ids, &[]), Ahead::Ids(&ITEMS_BY_ID, &items, &[])]);
    let found: HashMap<i64, Listing> = tx.by_ids(&listings, &ids, &[], Listing::read)?.into_iter().map(|l| (l.id, l)).collect();
    let items: HashMap<i64, Arc<str>> = tx.by_ids(&ITEMS_BY_ID, &items, &[], Item::read)?.into_iter().map(|i| (i.id, i.sku)).collect();
    let view = |l: &Listing| ListingView::new(l, channel.clone(), l.item.and_then(|i| items.get(&i).cloned()));
    Ok(lights.iter().filter_map(|light| found.get(&light.id)).map(view).collect())
}
