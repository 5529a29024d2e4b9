//! Contracts with business customers, who order over the API: an agreed price, a quantity that they may order and one that they
//! agreed to order, and units that are set aside for them. Those units are lent as to a channel, so that nobody else is promised
//! them; unlike a marketplace, the customer sells nothing unseen, so they come back at once.

pub mod agree;
pub mod read;
pub(crate) mod rows;

use crate::batch::Batch;
use crate::orders::rows::Order;
use domain::{Refused, money::Money};
use rows::{Contract, ContractLine};
use std::collections::BTreeMap;

impl Batch<'_> {
    /// The contract under which orders of this channel are, while it runs.
    pub(crate) fn contract(&self, channel: &str) -> Option<&Contract> {
        let id = self.config.channel_by_code(channel).filter(|c| c.is_contract())?.id;
        self.config.contract(id).filter(|c| c.runs_at(self.now))
    }

    fn contract_listing(&self, channel: i64, item: i64) -> Option<i64> {
        let seats = self.seats.by_item.get(&item)?;
        seats.iter().map(|(listing, _)| *listing).find(|id| self.listings.get(*id).is_some_and(|l| l.channel == channel))
    }

    /// The line of a running contract that an order of an item on this channel falls under.
    pub(crate) fn contract_line(&self, channel: &str, item: i64) -> Option<(&Contract, &ContractLine)> {
        let contract = self.contract(channel)?;
        let line = self.contract_lines.get(self.contract_listing(contract.channel, item)?)?;
        Some((contract, line))
    }

    /// Units of an item that are lent to the contract which this channel stands for.
    pub(crate) fn lent_to(&self, channel: &str, item: i64) -> i64 {
        let line = self.contract_line(channel, item).and_then(|(_, line)| self.listings.get(line.listing));
        line.map_or(0, |listing| listing.exposure.total())
    }

    /// Sets aside what the contracts of an item are owed, as far as units are free; gives back what is beyond it.
    pub(crate) fn set_aside(&mut self, item: i64) {
        let (id, now) = (0, self.now);
        for listing in self.contract_listings(item) {
            let target = self.owed(listing);
            let has = self.listings.get(listing).map_or(0, |l| l.exposure.total());
            let to = if has > target { target } else { has + (target - has).min(self.unlent(item).max(0)) };
            if to == has {
                continue;
            }
            // Nobody sells there unseen: what is lent or taken back is so at once.
            if let Some(kept) = self.listings.change(listing) {
                kept.exposure.read(has, now, now, 0);
                kept.exposure.lend(id, true, to, now);
                kept.exposure.applied(id, now);
            }
        }
    }

    /// Units that the contracts of an item are owed and do not have.
    pub(crate) fn owed_beyond(&self, item: i64) -> i64 {
        let short = |listing: i64| (self.owed(listing) - self.listings.get(listing).map_or(0, |l| l.exposure.total())).max(0);
        self.contract_listings(item).into_iter().map(short).sum()
    }

    fn contract_listings(&self, item: i64) -> Vec<i64> {
        let seats = self.seats.by_item.get(&item).into_iter().flatten();
        seats.map(|(listing, _)| *listing).filter(|id| self.contract_lines.get(*id).is_some()).collect()
    }

    /// Units that should be set aside under a line now.
    fn owed(&self, listing: i64) -> i64 {
        let Some(line) = self.contract_lines.get(listing) else { return 0 };
        let runs = self.config.contract(line.channel).is_some_and(|c| c.runs_at(self.now));
        if runs { line.set_aside.min(line.quantity - line.ordered).max(0) } else { 0 }
    }
}

/// The agreed price of an item, if it is under the contract of this channel. Refuses another price.
pub(crate) fn price(batch: &Batch<'_>, channel: &str, item: i64, given: Option<Money>, field: &str) -> Result<Option<Money>, Refused> {
    let Some((contract, line)) = batch.contract_line(channel, item) else { return Ok(given) };
    let agreed = Money { minor: line.unit_price_minor, currency: domain::money::Currency::parse("currency", &contract.currency)? };
    match given {
        Some(given) if given != agreed => {
            let sku = batch.names().sku(item).to_string();
            Err(Refused::PriceNotAgreed { sku, agreed: format!("{} {}", agreed.amount(), contract.currency), field: field.to_owned() })
        }
        _ => Ok(Some(agreed)),
    }
}

/// Refuses units beyond what the contract of this channel allows; `units` are wanted of each item.
pub(crate) fn check(batch: &Batch<'_>, channel: &str, units: impl Iterator<Item = (i64, i64)>) -> Result<(), Refused> {
    for (item, asked) in units {
        if let Some((_, line)) = batch.contract_line(channel, item)
            && asked > line.quantity - line.ordered
        {
            return Err(Refused::BeyondContract { sku: batch.names().sku(item).to_string(), asked, left: line.quantity - line.ordered });
        }
    }
    Ok(())
}

/// The units of an order by item that count under its contract.
fn counted(order: &Order) -> BTreeMap<i64, i64> {
    let mut units = BTreeMap::new();
    for line in &order.lines {
        *units.entry(line.item).or_default() += line.quantity - line.canceled;
    }
    units
}

/// An order was placed or changed: what it takes under its contract is counted. `before` is None for a new one.
pub(crate) fn count(batch: &mut Batch<'_>, before: Option<&Order>, after: &Order) {
    let Some(channel) = batch.config.channel_by_code(&after.channel).filter(|c| c.is_contract()).map(|c| c.id) else { return };
    let was = before.map(counted).unwrap_or_default();
    let now = batch.now;
    for (item, units) in counted(after) {
        let more = units - was.get(&item).copied().unwrap_or(0);
        let Some(listing) = batch.contract_listing(channel, item).filter(|_| more != 0) else { continue };
        if let Some(line) = batch.contract_lines.change(listing) {
            line.ordered = (line.ordered + more).max(0);
        }
        if let Some(kept) = batch.listings.change(listing).filter(|_| more > 0) {
            let lent = kept.exposure.total().min(more);
            let _ = kept.exposure.sold(lent, now);
        }
        batch.seats.touched.insert(item);
    }
}
