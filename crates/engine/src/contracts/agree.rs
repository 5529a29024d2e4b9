//! Agree: a contract is made, changed, or ended before its time.

use super::read::ContractView;
use super::rows::{CONTRACTS, Contract, ContractLine, KIND};
use crate::Stop;
use crate::batch::Batch;
use crate::channels::rows::{CHANNELS, Channel, Listing};
use crate::command::{Answer, Needs, Reply};
use crate::db::{Cell, Rows, Sql, Write};
use crate::stock::check_skus;
use crate::views::{Amount, Time};
use domain::quota::{Mode, Policy};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

pub const SET_DATES: Sql = Sql("UPDATE contracts SET ends_at = $1 WHERE channel = $2");

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewContract {
    /// Its short name, such as `hotel-astoria`; orders under it carry it as their channel.
    pub code: String,
    pub customer: String,
    #[schema(example = "GBP")]
    pub currency: String,
    /// From now on if left out.
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub starts_at: Option<Time>,
    #[schema(value_type = String, format = DateTime)]
    pub ends_at: Time,
    pub lines: Vec<AgreedLine>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct AgreedLine {
    pub sku: String,
    pub unit_price: Amount,
    /// Most units that the customer may order under the contract.
    pub quantity: i64,
    /// Units that it agrees to order; 0 if left out.
    #[serde(default)]
    pub minimum: i64,
    /// Units set aside for it at any time; all that is left to order if left out.
    #[serde(default)]
    pub set_aside: Option<i64>,
}

/// What to change; what is left out stays. Prices and quantities that were agreed do not change: end the contract and make a new one.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ChangeContract {
    #[serde(skip)]
    pub code: String,
    #[serde(default)]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends_at: Option<Time>,
    /// Units set aside from now on, by SKU.
    #[serde(default)]
    pub set_aside: Vec<SetAside>,
    /// Its listings, found by whoever calls.
    #[serde(skip)]
    pub listings: Vec<i64>,
}

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetAside {
    pub sku: String,
    pub units: i64,
}

impl NewContract {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.extend(self.lines.iter().map(|l| l.sku.as_str()));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        limits::name("code", &self.code)?;
        limits::name("customer", &self.customer)?;
        check_skus(self.lines.iter().map(|l| l.sku.as_str()))?;
        if let Some(known) = batch.config.channel_like(&self.code) {
            return Err(Refused::Exists { noun: Noun::Channel, name: known.code.to_string() }.into());
        }
        let starts_at = self.starts_at.map_or(batch.now, |t| t.0);
        if self.ends_at.0 <= starts_at || self.ends_at.0 <= batch.now {
            return Err(Refused::invalid("ends_at", "must be after its start, and after now").into());
        }
        let lines = self.read(batch)?;
        let id = batch.id()?;
        let channel = Channel {
            id,
            code: self.code.as_str().into(),
            kind: KIND.into(),
            name: self.customer.clone(),
            address: String::new(),
            settings: "{}".into(),
            paused: false,
            stopped: false,
            policy: Policy { mode: Mode::Fixed { units: 0 }, ..Policy::default() },
            compares: true,
            restocks: false,
            late: 1,
            created_at: batch.now,
            location: None,
        };
        let contract = Contract { channel: id, customer: self.customer.clone(), currency: self.currency.clone(), starts_at, ends_at: self.ends_at.0 };
        let (mut channels, mut contracts) = (Rows::default(), Rows::default());
        channel.write("", &mut channels);
        contract.write(&mut contracts);
        batch.more.extend([Write::new(&CHANNELS, channels), Write::new(&CONTRACTS, contracts)]);
        let config = Arc::make_mut(&mut batch.config);
        config.channels.push(channel);
        config.contracts.push(contract.clone());
        batch.config_changed = true;
        for line in lines {
            let listing = batch.id()?;
            let mut row = Listing::new(listing, id, self.code.clone());
            row.external = format!("item:{}", line.item);
            row.item = Some(line.item);
            batch.listings.add(listing, row);
            batch.seats.add(line.item, listing, 1);
            crate::channels::listings::link(batch, listing, line.item, 1);
            batch.seats.touched.insert(line.item);
            batch.contract_lines.add(listing, ContractLine { listing, channel: id, ..line });
        }
        // Set aside here, so that the answer tells how much could be.
        let items: Vec<i64> = batch.contract_lines.values().filter(|l| l.channel == id).map(|l| l.item).collect();
        items.iter().for_each(|item| batch.set_aside(*item));
        let view = ContractView::of_batch(batch, &contract);
        batch.event("contract.agreed", id, &view);
        Ok(Reply::created(Answer::Contract(Box::new(view))))
    }

    /// The lines without their listing and channel, which they get later.
    fn read(&self, batch: &Batch<'_>) -> Result<Vec<ContractLine>, Refused> {
        let mut lines = Vec::with_capacity(self.lines.len());
        for (n, line) in self.lines.iter().enumerate() {
            let field = |name: &str| format!("lines[{n}].{name}");
            let item = batch.plain_item(&line.sku, field("sku"))?;
            limits::quantity(&field("quantity"), line.quantity)?;
            let price = line.unit_price.parse(&field("unit_price"))?;
            if price.currency.code() != self.currency {
                let (expected, found) = (self.currency.clone(), price.currency.code().to_owned());
                return Err(Refused::MixedCurrency { expected, found, field: field("unit_price") });
            }
            let set_aside = line.set_aside.unwrap_or(line.quantity);
            for (name, units) in [("minimum", line.minimum), ("set_aside", set_aside)] {
                if !(0..=line.quantity).contains(&units) {
                    return Err(Refused::invalid(field(name), format!("must be 0 to the line's quantity, {}", line.quantity)));
                }
            }
            lines.push(ContractLine {
                listing: 0,
                channel: 0,
                item: item.id,
                unit_price_minor: price.minor,
                quantity: line.quantity,
                minimum: line.minimum,
                set_aside,
                ordered: 0,
            });
        }
        Ok(lines)
    }
}

impl ChangeContract {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.listings.extend(&self.listings);
        needs.skus.extend(self.set_aside.iter().map(|s| s.sku.as_str()));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let unknown = || Refused::unknown(Noun::Contract, &self.code, "code");
        let id = batch.config.channel_by_code(&self.code).filter(|c| c.is_contract()).ok_or_else(unknown)?.id;
        let mut contract = batch.config.contract(id).ok_or_else(unknown)?.clone();
        let mut changes = Vec::new();
        for (n, line) in self.set_aside.iter().enumerate() {
            let field = format!("set_aside[{n}].sku");
            let item = batch.item(&line.sku, field.as_str())?;
            let known = batch.contract_lines.values().find(|l| l.channel == id && l.item == item.id);
            let known = known.ok_or_else(|| Refused::unknown(Noun::Item, &line.sku, field))?;
            if !(0..=known.quantity).contains(&line.units) {
                return Err(Refused::invalid(format!("set_aside[{n}].units"), format!("must be 0 to {}", known.quantity)).into());
            }
            changes.push((known.listing, line.units));
        }
        if let Some(ends_at) = self.ends_at {
            if ends_at.0 <= contract.starts_at {
                return Err(Refused::invalid("ends_at", "must be after its start").into());
            }
            contract.ends_at = ends_at.0;
            batch.statements.push((SET_DATES, vec![Cell::Int(ends_at.0), Cell::Int(id)]));
            let config = Arc::make_mut(&mut batch.config);
            config.contracts.iter_mut().filter(|c| c.channel == id).for_each(|c| c.ends_at = ends_at.0);
            batch.config_changed = true;
        }
        for (listing, units) in changes {
            if let Some(line) = batch.contract_lines.change(listing) {
                line.set_aside = units;
            }
        }
        let items: Vec<i64> = batch.contract_lines.values().filter(|l| l.channel == id).map(|l| l.item).collect();
        for item in items {
            batch.set_aside(item);
            batch.seats.touched.insert(item);
        }
        let view = ContractView::of_batch(batch, &contract);
        batch.event("contract.changed", id, &view);
        Ok(Reply::done(Answer::Contract(Box::new(view))))
    }
}
