//! Solve: what a person does about an exception. An order is tried again as it came; whoever decides that nothing is to be done
//! says so, and it is in the history.

use super::read::ExceptionView;
use super::{Exception, Step, close};
use crate::Stop;
use crate::batch::Batch;
use crate::channels::rows::market_key;
use crate::channels::take_orders;
use crate::command::{Answer, Needs, Reply};
use crate::config::Config;
use crate::db::{Sql, Tx, Value};
use connectors::marketplace::MarketOrder;
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

/// What to do about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Do it again as it came, now that the cause is gone.
    Retry,
    /// Take the order on, and let what is missing wait for stock.
    Backorder,
    /// It is dealt with elsewhere.
    Dismiss,
    /// Give it to somebody.
    Assign,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Solve {
    #[serde(skip)]
    pub id: i64,
    pub action: Action,
    /// Who looks after it, for assign.
    #[serde(default)]
    pub owner: Option<String>,
    #[serde(default)]
    pub note: Option<String>,
    /// The order that it is about, found by whoever calls.
    #[serde(skip)]
    pub market_order: Option<String>,
    /// Names in that order: (listings, SKUs).
    #[serde(skip)]
    pub names: (Vec<String>, Vec<String>),
}

/// What can be done about an exception.
pub fn actions(exception: &Exception) -> Vec<&'static str> {
    if !exception.open {
        return Vec::new();
    }
    if exception.key.starts_with("order:") { vec!["retry", "backorder", "dismiss", "assign"] } else { vec!["dismiss", "assign"] }
}

impl Solve {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.exceptions.push(self.id);
        if let Some(key) = &self.market_order {
            needs.market_orders.push(key.clone());
            needs.externals.extend(self.names.0.iter().map(String::as_str));
            needs.skus.extend(self.names.1.iter().map(String::as_str));
            needs.queued_holds = true;
            needs.supplies();
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let known = batch.exceptions.get(self.id).ok_or_else(|| Refused::unknown(Noun::Exception, self.id.to_string(), "id"))?.clone();
        let note = limits::text("note", self.note.as_deref().unwrap_or(""))?;
        if !known.open {
            return Err(Refused::invalid("id", "names an exception that is solved already").into());
        }
        match self.action {
            Action::Assign => {
                let owner = limits::name("owner", self.owner.as_deref().unwrap_or(""))?.to_owned();
                let step = Step { at: batch.now, actor: batch.actor.to_string(), what: format!("given to {owner}") };
                if let Some(kept) = batch.exceptions.change(self.id) {
                    kept.history.push(step);
                    kept.owner = Some(owner);
                }
            }
            Action::Dismiss => close(batch, self.id, &format!("dismissed. {note}")),
            Action::Retry | Action::Backorder => {
                let key = self.market_order.as_deref().ok_or_else(|| Refused::invalid("action", "is for exceptions about an order"))?;
                take_orders::again(batch, key, self.action == Action::Backorder)?;
            }
        }
        let kept = batch.exceptions.get(self.id).ok_or_else(|| Stop::broken("the exception vanished"))?;
        Ok(Reply::done(Answer::Exception(Box::new(ExceptionView::new(kept, &batch.config)))))
    }
}

/// The order that an exception is about: its key, and the names in it (listings, SKUs).
pub type About = Option<(String, Vec<String>, Vec<String>)>;

const KEY: Sql = Sql("SELECT key FROM exceptions WHERE id = $1");
const TOLD: Sql = Sql("SELECT told FROM market_orders WHERE key = $1");

/// Finds the order that an exception is about, if it is about one.
pub fn about(tx: &mut Tx<'_>, config: &Config, id: i64) -> Result<About, Stop> {
    let Some(key) = tx.one(KEY, &[Value::Int(id)], |r| r.text(0))? else { return Ok(None) };
    let Some((code, external)) = key.strip_prefix("order:").and_then(|rest| rest.split_once(':')) else { return Ok(None) };
    let Some(channel) = config.channel_by_code(code) else { return Ok(None) };
    let key = market_key(channel.id, external);
    let Some(told) = tx.one(TOLD, &[Value::Text(&key)], |r| r.text(0))? else { return Ok(None) };
    let Ok(told) = serde_json::from_str::<MarketOrder>(&told) else { return Ok(None) };
    let listings = told.lines.iter().map(|l| l.listing.clone()).collect();
    let skus = told.lines.iter().filter_map(|l| l.sku.clone()).collect();
    Ok(Some((key, listings, skus)))
}

/// The same, with the order that it is about.
pub fn with_order(solve: Solve, about: About) -> Solve {
    match about {
        Some((key, listings, skus)) => Solve { market_order: Some(key), names: (listings, skus), ..solve },
        None => solve,
    }
}
