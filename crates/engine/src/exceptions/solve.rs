//! Solve: what a person does about an exception: do it again, say what a listing is, send from elsewhere, take something else, let
//! the buyer wait, or give the money back. Whoever decides that nothing is to be done says so, and it is in the history.

use super::read::ExceptionView;
use super::{Exception, Step, close};
use crate::Stop;
use crate::batch::Batch;
use crate::channels::listings::MapListing;
use crate::channels::outbox;
use crate::channels::rows::{Listing, market_key};
use crate::channels::take_orders::{self, How};
use crate::command::{Answer, Needs, Reply};
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use crate::orders::cancel::CancelOrder;
use crate::orders::place::ShipTo;
use crate::orders::reroute::{self, Reroute};
use crate::views::Time;
use crate::warehouses::hand_over;
use connectors::marketplace::{MarketLine, MarketOrder};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

/// Longest that something is put aside: 90 days, in microseconds.
const LONGEST_SNOOZE: i64 = 90 * 86_400_000_000;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Do it again as it came, now that the cause is gone.
    Retry,
    /// Say which item a listing of the order is, for this order and all later ones, and take the order on.
    Remap,
    /// Let another location send it.
    Reroute,
    /// Take the order on, and let what is missing wait for stock.
    Backorder,
    /// Take the order on with another item in the place of one, for the same price.
    Substitute,
    /// Cancel the order, here and there, and give the money back.
    Cancel,
    /// It is dealt with elsewhere.
    Dismiss,
    /// Give it to somebody, or to nobody.
    Assign,
    /// Put it aside until a time, or take it up again now.
    Snooze,
    /// It was dismissed by mistake.
    Reopen,
}

impl Action {
    fn word(self) -> &'static str {
        match self {
            Action::Retry => "retry",
            Action::Remap => "remap",
            Action::Reroute => "reroute",
            Action::Backorder => "backorder",
            Action::Substitute => "substitute",
            Action::Cancel => "cancel",
            Action::Dismiss => "dismiss",
            Action::Assign => "assign",
            Action::Snooze => "snooze",
            Action::Reopen => "reopen",
        }
    }
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Solve {
    #[serde(skip)]
    pub id: i64,
    pub action: Action,
    /// Who looks after it, for assign: a login, or another name; nobody if it is empty.
    #[serde(default)]
    pub owner: Option<String>,
    /// For snooze: when it comes back, at most 90 days from now; at once if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Time>,
    #[serde(default)]
    pub note: Option<String>,
    /// For remap: the item's SKU. For substitute: the SKU that is to be sent instead.
    #[serde(default)]
    pub sku: Option<String>,
    /// For remap: the listing, by the marketplace's name of it; the first of the order that is no item here if left out.
    #[serde(default)]
    pub listing: Option<String>,
    /// For remap: units of the item in one listing; 1 if left out.
    #[serde(default)]
    pub units_per_listing: Option<i64>,
    /// For substitute: the SKU in whose place the other is sent.
    #[serde(default)]
    pub instead_of: Option<String>,
    /// For reroute: the code of the location; chosen by the rules if left out.
    #[serde(default)]
    pub to: Option<String>,
    /// What it is about, found by whoever calls ([`with_subject`]): its key, and what that means.
    #[serde(skip)]
    pub key: String,
    #[serde(skip)]
    pub about: About,
}

/// What an exception is about, as its key says.
#[derive(Debug, Clone, Default)]
pub enum About {
    #[default]
    Else,
    /// An order on a marketplace: its key, the listings and the SKUs in it.
    Order {
        key: String,
        listings: Vec<String>,
        skus: Vec<String>,
    },
    /// A fulfillment at somebody else's warehouse, and where it goes.
    Handover {
        fulfillment: i64,
        ship_to: Box<ShipTo>,
    },
    Listing(i64),
    Letter(i64),
}

/// What can be done about an exception.
pub fn actions(exception: &Exception) -> Vec<&'static str> {
    use Action::*;
    if !exception.open {
        return if was_dismissed(exception) { vec![Reopen.word()] } else { Vec::new() };
    }
    let own: &[Action] = match exception.key.split(':').next() {
        Some("order") if exception.kind == "unmapped" => &[Remap, Retry, Cancel],
        Some("order") => &[Retry, Backorder, Substitute, Cancel],
        Some("handover") => &[Retry, Action::Reroute, Cancel],
        Some("listing" | "letter") => &[Retry],
        _ => &[],
    };
    own.iter().chain(&[Dismiss, Assign, Snooze]).map(|action| action.word()).collect()
}

/// Dismissed, and nothing was thrown away with it. Not known where the history is not read.
fn was_dismissed(exception: &Exception) -> bool {
    exception.history.last().is_some_and(|step| step.what.starts_with(DISMISSED)) && !exception.key.starts_with("letter:")
}

const DISMISSED: &str = "dismissed";

impl Solve {
    /// Does this about an exception, with nothing said about how.
    pub fn new(id: i64, action: Action) -> Solve {
        let about = About::default();
        let (owner, until, note, sku, listing) = (None, None, None, None, None);
        Solve { id, action, owner, until, note, sku, listing, units_per_listing: None, instead_of: None, to: None, key: String::new(), about }
    }

    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.exceptions.push(self.id);
        if self.action == Action::Reopen {
            needs.exception_keys.push(self.key.clone());
        }
        match &self.about {
            About::Order { key, listings, skus } => {
                needs.market_orders.push(key.clone());
                needs.externals.extend(listings.iter().map(String::as_str));
                needs.skus.extend(skus.iter().map(String::as_str));
                needs.skus.extend(self.sku.as_deref());
                needs.queued_holds = true;
                needs.supplies();
            }
            About::Handover { fulfillment, ship_to } => {
                needs.fulfillments.push(*fulfillment);
                needs.postal_code(&ship_to.country, ship_to.postal_code.as_ref());
                needs.queued_holds = true;
                needs.supplies();
            }
            About::Listing(id) => needs.listings.push(*id),
            About::Letter(_) | About::Else => {}
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let known = batch.exceptions.get(self.id).ok_or_else(|| Refused::unknown(Noun::Exception, self.id.to_string(), "id"))?.clone();
        let note = limits::text("note", self.note.as_deref().unwrap_or(""))?;
        if !known.open && self.action != Action::Reopen {
            return Err(Refused::invalid("id", "names an exception that is solved already").into());
        }
        if !actions(&known).contains(&self.action.word()) {
            return Err(Refused::invalid("action", format!("must be one of {}", actions(&known).join(", "))).into());
        }
        match self.action {
            Action::Assign => {
                let owner = self.owner.as_deref().ok_or_else(|| Refused::invalid("owner", "must say who looks after it; nobody if it is empty"))?;
                let owner = if owner.is_empty() { None } else { Some(limits::name("owner", owner)?.to_owned()) };
                let what = owner.as_ref().map_or("given back".to_owned(), |owner| format!("given to {owner}"));
                self.note(batch, what, |kept| kept.owner = owner);
                super::changed(batch, self.id);
            }
            Action::Snooze => {
                let until = self.until.map_or(0, |until| until.0);
                let what = match self.until {
                    None => "taken up again".to_owned(),
                    Some(Time(at)) if (batch.now + 1..=batch.now + LONGEST_SNOOZE).contains(&at) => format!("put aside until {}", Time(at)),
                    Some(_) => return Err(Refused::invalid("until", "must be after now and within 90 days").into()),
                };
                self.note(batch, what, |kept| kept.snoozed_until = until);
                super::changed(batch, self.id);
            }
            Action::Reopen => {
                if batch.exceptions.values().any(|other| other.open && other.key == known.key) {
                    return Err(Refused::invalid("id", "names an exception whose trouble was met again since, and is open as another one").into());
                }
                self.note(batch, "opened again".into(), |kept| (kept.open, kept.snoozed_until) = (true, 0));
                super::changed(batch, self.id);
            }
            Action::Dismiss => {
                if let About::Letter(letter) = self.about {
                    outbox::forget(batch, letter);
                }
                let what = if note.is_empty() { DISMISSED.to_owned() } else { format!("{DISMISSED}. {note}") };
                close(batch, self.id, &what);
            }
            _ => {
                self.note(batch, self.action.word().to_owned(), |_| {});
                self.act(batch)?;
            }
        }
        let kept = batch.exceptions.get(self.id).ok_or_else(|| Stop::broken("the exception vanished"))?;
        Ok(Reply::done(Answer::Exception(Box::new(ExceptionView::new(kept, &batch.config)))))
    }

    /// Changes it, and notes what was done with what whoever did it says about it.
    fn note(&self, batch: &mut Batch<'_>, what: String, change: impl FnOnce(&mut Exception)) {
        let what = self.note.as_deref().filter(|note| !note.is_empty()).map_or(what.clone(), |note| format!("{what}. {note}"));
        let step = Step { at: batch.now, actor: batch.actor.to_string(), what };
        if let Some(kept) = batch.exceptions.change(self.id) {
            kept.history.push(step);
            change(kept);
        }
    }

    fn act(&self, batch: &mut Batch<'_>) -> Result<(), Stop> {
        match (&self.about, self.action) {
            (About::Order { key, .. }, Action::Cancel) => {
                if take_orders::cancel_there(batch, key, self.reason())? {
                    close(batch, self.id, "canceled there, with refund");
                }
                Ok(())
            }
            (About::Order { key, .. }, action) => {
                if action == Action::Remap {
                    self.remap(batch, key)?;
                }
                let mut how = How { backorder: action == Action::Backorder, again: true, ..How::default() };
                if action == Action::Substitute {
                    how.substitute = Some(self.substitute(batch)?);
                }
                take_orders::again(batch, key, how)
            }
            (About::Handover { fulfillment, .. }, Action::Cancel) => {
                let unknown = || Refused::unknown(Noun::Fulfillment, fulfillment.to_string(), "id");
                let id = batch.order_of_fulfillment(*fulfillment).ok_or_else(unknown)?;
                CancelOrder { id, reason: Some(self.reason().into()), ..CancelOrder::default() }.decide(batch)?;
                close(batch, self.id, "canceled");
                Ok(())
            }
            (About::Handover { fulfillment, ship_to }, Action::Reroute) => {
                Reroute { fulfillment: *fulfillment, to: self.to.clone(), ship_to: (**ship_to).clone() }.decide(batch)?;
                close(batch, self.id, "rerouted");
                Ok(())
            }
            (About::Handover { fulfillment, .. }, _) => {
                hand_over::again(batch, *fulfillment);
                close(batch, self.id, "handed over again");
                Ok(())
            }
            (About::Listing(id), _) => {
                MapListing { id: *id, retry: true, ..MapListing::default() }.decide(batch)?;
                close(batch, self.id, "tried again");
                Ok(())
            }
            (About::Letter(letter), _) => {
                outbox::again(batch, *letter);
                close(batch, self.id, "told again");
                Ok(())
            }
            (About::Else, _) => Err(Refused::invalid("action", "cannot be done about this").into()),
        }
    }

    fn reason(&self) -> &str {
        self.note.as_deref().filter(|n| !n.is_empty()).unwrap_or("canceled by the seller")
    }

    /// Says which item a listing of the order is.
    fn remap(&self, batch: &mut Batch<'_>, key: &str) -> Result<(), Stop> {
        let there = batch.market_orders.get(key).ok_or_else(|| Refused::unknown(Noun::Order, key, "id"))?.value.clone();
        let listing_of = |batch: &Batch<'_>, external: &str| batch.external(there.channel, external).and_then(|id| batch.listings.get(id)).cloned();
        // What was ordered before it was read is no listing here yet; its SKU may say what it is.
        let unmapped = |line: &&MarketLine| match listing_of(batch, &line.listing) {
            Some(listing) => listing.item.is_none(),
            None => line.sku.as_deref().is_none_or(|sku| batch.any_item(sku).is_none()),
        };
        let line = match &self.listing {
            Some(external) => there.told.lines.iter().find(|l| l.listing == *external),
            None => there.told.lines.iter().find(unmapped),
        };
        let external = line.map(|l| l.listing.as_str()).or(self.listing.as_deref()).unwrap_or_default();
        let id = match (listing_of(batch, external), line) {
            (Some(listing), _) => listing.id,
            (None, Some(line)) => {
                let id = batch.id()?;
                let new = Listing::new(id, there.channel, line.listing.clone());
                batch.add_listing(Listing { sku: line.sku.clone(), title: line.title.clone(), ..new });
                id
            }
            (None, None) => return Err(Refused::unknown(Noun::Listing, external, "listing").into()),
        };
        let sku = self.sku.clone().ok_or_else(|| Refused::invalid("sku", "must name the item that the listing is"))?;
        MapListing { id, sku: Some(sku), units_per_listing: self.units_per_listing, ..MapListing::default() }.decide(batch)?;
        Ok(())
    }

    /// (the SKU that was ordered, the one that is sent)
    fn substitute(&self, batch: &Batch<'_>) -> Result<(String, String), Refused> {
        let sku = self.sku.as_deref().ok_or_else(|| Refused::invalid("sku", "must name the item that is sent instead"))?;
        let instead_of = self.instead_of.as_deref().ok_or_else(|| Refused::invalid("instead_of", "must name the item that is not sent"))?;
        batch.item(sku, "sku")?;
        Ok((instead_of.to_owned(), sku.to_owned()))
    }
}

const KEY: Sql = Sql("SELECT key FROM exceptions WHERE id = $1");
const TOLD: Sql = Sql("SELECT told FROM market_orders WHERE key = $1");

/// The same, with what the exception is about.
pub fn with_subject(tx: &mut Tx<'_>, config: &Config, solve: Solve) -> Result<Solve, Stop> {
    let key = tx.one(KEY, &[Value::Int(solve.id)], |r| r.text(0))?.unwrap_or_default();
    let number = |text: &str| text.parse::<i64>().ok();
    let about = match key.split_once(':') {
        Some(("order", name)) => of_order(tx, config, name)?,
        Some(("handover", id)) => match number(id) {
            Some(fulfillment) => About::Handover { fulfillment, ship_to: Box::new(reroute::ship_to(tx, fulfillment)?) },
            None => About::Else,
        },
        Some(("listing", id)) => number(id).map_or(About::Else, About::Listing),
        Some(("letter", id)) => number(id).map_or(About::Else, About::Letter),
        _ => About::Else,
    };
    Ok(Solve { about, key, ..solve })
}

/// `name` is the channel and the marketplace's id, such as `shopify:1001`.
fn of_order(tx: &mut Tx<'_>, config: &Config, name: &str) -> Result<About, Stop> {
    let Some((code, external)) = name.split_once(':') else { return Ok(About::Else) };
    let Some(channel) = config.channel_by_code(code) else { return Ok(About::Else) };
    let key = market_key(channel.id, external);
    let Some(told) = tx.one(TOLD, &[Value::Text(&key)], |r| r.text(0))? else { return Ok(About::Else) };
    let Ok(told) = serde_json::from_str::<MarketOrder>(&told) else { return Ok(About::Else) };
    let listings = told.lines.iter().map(|l| l.listing.clone()).collect();
    let skus = told.lines.iter().filter_map(|l| l.sku.clone()).collect();
    Ok(About::Order { key, listings, skus })
}
