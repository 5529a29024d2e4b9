//! What every batch needs and what rarely changes: locations, channels, who is told of exceptions, and the active rule set. Kept in
//! memory, read again when the `config` counter in the database has moved, so that all nodes agree.

use crate::alerts::rows::Endpoint;
use crate::catalog::rows::read_location;
use crate::channels::rows::Channel;
use crate::contracts::rows::Contract;
use crate::db::{Result, Sql, Tx};
use crate::people::settings::{self, House};
use domain::routing::{Location, RuleSet};
use std::collections::HashMap;
use std::sync::Arc;

const COUNTERS: Sql = Sql("SELECT name, value FROM counters WHERE name IN ('config', 'event')");
const CHANGED: Sql = Sql("UPDATE counters SET value = value + 1 WHERE name = 'config'");
const LOCATIONS: Sql = Sql(
    "SELECT id, code, name, kind, country, postal_code, latitude, longitude, daily_capacity, cost_per_unit, active, created_at FROM locations ORDER BY id",
);
const CHANNELS: Sql = Sql(
    "SELECT id, code, kind, name, address, settings, paused, policy, compares, restocks, late, created_at, location, stopped FROM channels ORDER BY id",
);
const CONTRACTS: Sql = Sql("SELECT channel, customer, currency, starts_at, ends_at FROM contracts ORDER BY channel");
const ALERTS: Sql =
    Sql("SELECT id, name, way, severity, kinds, channels, solved, active, reason, secrets, created_at, events, exceptions FROM alerts ORDER BY id");
const ACTIVE_RULES: Sql = Sql("SELECT name, rules FROM rule_sets WHERE active = 1 ORDER BY id DESC LIMIT 1");

#[derive(Debug, Clone, Default)]
pub struct Config {
    pub version: i64,
    pub locations: Vec<Location>,
    pub channels: Vec<Channel>,
    pub contracts: Vec<Contract>,
    /// Who is told of exceptions.
    pub alerts: Vec<Endpoint>,
    pub house: House,
    codes: HashMap<String, usize>,
    ids: HashMap<i64, (usize, Arc<str>)>,
    pub rules: RuleSet,
    pub rules_name: String,
}

impl Config {
    /// Reads the configuration anew if it has changed since `known`. Answers the number of the last event, which costs nothing here.
    pub fn refresh(tx: &mut Tx<'_>, known: &mut Arc<Config>) -> Result<i64> {
        let counters = tx.rows(COUNTERS, &[], |r| (r.text(0), r.int(1)))?;
        let counter = |name: &str| counters.iter().find(|(n, _)| n == name).map_or(0, |(_, value)| *value);
        let (version, last_event) = (counter("config"), counter("event"));
        if version == known.version {
            return Ok(last_event);
        }
        let mut config = Config { version, ..Config::default() };
        for location in tx.rows(LOCATIONS, &[], read_location)? {
            config.put(location);
        }
        config.channels = tx.rows(CHANNELS, &[], Channel::read)?;
        config.contracts = tx.rows(CONTRACTS, &[], Contract::read)?;
        config.alerts = tx.rows(ALERTS, &[], Endpoint::read)?.into_iter().flatten().collect();
        if let Some((name, rules)) = tx.one(ACTIVE_RULES, &[], |r| (r.text(0), r.text(1)))? {
            config.rules = serde_json::from_str(&rules).map_err(|e| crate::db::Error::other(format!("rule set “{name}” cannot be read: {e}")))?;
            config.rules_name = name;
        }
        if let Some(house) = settings::text(tx, House::NAME)? {
            config.house = serde_json::from_str(&house).map_err(|e| crate::db::Error::other(format!("setting {}: {e}", House::NAME)))?;
        }
        *known = Arc::new(config);
        Ok(last_event)
    }

    /// Tells every node that the configuration has changed, when this transaction is committed.
    pub fn changed(tx: &mut Tx<'_>) -> Result<()> {
        tx.execute(CHANGED, &[]).map(drop)
    }

    /// Adds or replaces a location.
    pub fn put(&mut self, location: Location) {
        match self.ids.get(&location.id) {
            Some((place, _)) => self.locations[*place] = location,
            None => {
                let place = self.locations.len();
                self.codes.insert(location.code.clone(), place);
                self.ids.insert(location.id, (place, location.code.as_str().into()));
                self.locations.push(location);
            }
        }
    }

    pub fn by_code(&self, code: &str) -> Option<&Location> {
        self.codes.get(code).map(|place| &self.locations[*place])
    }

    /// The location whose code is this one, whatever the case of its letters (of those from A to Z): people take such codes for one another.
    pub fn location_like(&self, code: &str) -> Option<&Location> {
        self.locations.iter().find(|l| l.code.eq_ignore_ascii_case(code))
    }

    /// The channel whose code is this one, in the same way.
    pub fn channel_like(&self, code: &str) -> Option<&Channel> {
        self.channels.iter().find(|c| c.code.eq_ignore_ascii_case(code))
    }

    pub fn by_id(&self, id: i64) -> Option<&Location> {
        self.ids.get(&id).map(|(place, _)| &self.locations[*place])
    }

    pub fn channel(&self, id: i64) -> Option<&Channel> {
        self.channels.iter().find(|c| c.id == id)
    }

    pub fn contract(&self, channel: i64) -> Option<&Contract> {
        self.contracts.iter().find(|c| c.channel == channel)
    }

    pub fn channel_by_code(&self, code: &str) -> Option<&Channel> {
        self.channels.iter().find(|c| &*c.code == code)
    }

    pub fn alert(&self, id: i64) -> Option<&Endpoint> {
        self.alerts.iter().find(|e| e.id == id)
    }

    /// The connection to somebody else's warehouse that stands for this location.
    pub fn warehouse_at(&self, location: i64) -> Option<&Channel> {
        self.channels.iter().find(|c| c.location == Some(location))
    }

    pub fn code(&self, id: i64) -> Arc<str> {
        self.ids.get(&id).map_or_else(|| format!("#{id}").into(), |(_, code)| code.clone())
    }

    pub fn is_active(&self, id: i64) -> bool {
        self.by_id(id).is_some_and(|l| l.active)
    }
}
