//! The small world that every run begins with: a few items of each kind, a few locations, three channels. Small on
//! purpose, so that commands meet the same units, the same orders and the same limits all the time.

use engine::catalog::items::NewItem;
use engine::catalog::locations::NewLocation;
use engine::routing::rules::SetRules;
use engine::stock::SkuLine;
use engine::stock::receive::Receive;
use engine::{Command, WhenShort};

/// The clock when a run begins: 2026-01-05T10:00:00Z, in microseconds.
pub const BEGIN: i64 = 1_767_607_200_000_000;
pub const SECOND: i64 = 1_000_000;
pub const DAY: i64 = 86_400 * SECOND;

/// Sells from anywhere, at once.
pub const WEB: &str = "web";
/// Sells only from the first two locations.
pub const B2B: &str = "b2b";
/// Its orders wait for a routing run.
pub const BATCH: &str = "batch";
pub const CHANNELS: [&str; 3] = [WEB, B2B, BATCH];

/// What is true of an item.
#[derive(Debug, Clone)]
pub struct ItemFacts {
    pub sku: &'static str,
    pub when_short: WhenShort,
    /// Not sent before this instant.
    pub from: Option<i64>,
    /// (item, units in one kit); empty for a plain item.
    pub components: Vec<(usize, i64)>,
    pub active: bool,
}

/// What is true of a location.
#[derive(Debug, Clone)]
pub struct LocationFacts {
    pub code: &'static str,
    /// Orders a day.
    pub capacity: Option<i64>,
    pub active: bool,
}

#[derive(Debug, Clone)]
pub struct World {
    pub items: Vec<ItemFacts>,
    pub locations: Vec<LocationFacts>,
}

impl Default for World {
    fn default() -> World {
        let item = |sku, when_short, components: &[(usize, i64)]| ItemFacts {
            sku,
            when_short,
            from: (when_short == WhenShort::Preorder).then_some(BEGIN + DAY),
            components: components.to_vec(),
            active: true,
        };
        let location = |code, capacity| LocationFacts { code, capacity, active: true };
        World {
            items: vec![
                item("DENY", WhenShort::Deny, &[]),
                item("PART", WhenShort::Partial, &[]),
                item("BACK", WhenShort::Backorder, &[]),
                item("SOON", WhenShort::Preorder, &[]),
                item("KIT-1", WhenShort::Deny, &[(0, 1), (2, 2)]),
                item("KIT-2", WhenShort::Deny, &[(1, 2), (2, 1)]),
            ],
            locations: vec![location("NORTH", None), location("SOUTH", None), location("EAST", Some(3)), location("WEST", Some(40))],
        }
    }
}

impl World {
    /// The commands that create it. The clock must not have moved from [`BEGIN`].
    pub fn create(&self) -> Vec<Command> {
        let mut commands = Vec::new();
        for location in &self.locations {
            commands.push(Command::CreateLocation(NewLocation {
                code: location.code.into(),
                name: location.code.into(),
                kind: "warehouse".into(),
                country: "GB".into(),
                daily_capacity: location.capacity,
                ..NewLocation::default()
            }));
        }
        for item in &self.items {
            commands.push(Command::CreateItem(NewItem {
                sku: item.sku.into(),
                name: item.sku.into(),
                when_short: item.when_short,
                available_from: item.from.map(|_| "2026-01-06T10:00:00Z".into()),
                components: item.components.iter().map(|(n, quantity)| SkuLine { sku: self.items[*n].sku.into(), quantity: *quantity }).collect(),
                ..NewItem::default()
            }));
        }
        let rules = serde_json::json!({ "rules": [
            { "name": "b2b", "when": { "channels": [B2B] }, "from": { "locations": ["NORTH", "SOUTH"] }, "otherwise": "stop" },
            { "name": "batch", "when": { "channels": [BATCH] }, "timing": "run" },
        ]});
        let rules = serde_json::from_value(rules).expect("rules that can be read");
        commands.push(Command::SetRules(SetRules { name: "simulation".into(), rules }));
        commands
    }

    /// Some of every plain item everywhere. It also makes every level a row, so that no node can overlook one that is new.
    pub fn stock(&self, rng: &mut fastrand::Rng) -> Vec<Command> {
        let mut commands = Vec::new();
        for location in &self.locations {
            let plain = self.items.iter().filter(|i| i.components.is_empty());
            let lines = plain.map(|i| SkuLine { sku: i.sku.into(), quantity: rng.i64(1..10) }).collect();
            commands.push(Command::Receive(Receive { location: location.code.into(), lines, reference: None }));
        }
        commands
    }

    pub fn item(&self, sku: &str) -> Option<usize> {
        self.items.iter().position(|i| i.sku == sku)
    }

    pub fn location(&self, code: &str) -> Option<usize> {
        self.locations.iter().position(|l| l.code == code)
    }

    pub fn plain(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.items.len()).filter(|n| self.items[*n].components.is_empty())
    }

    /// Units of plain items in so many of an item.
    pub fn units_in(&self, item: usize, quantity: i64) -> Vec<(usize, i64)> {
        let facts = &self.items[item];
        if facts.components.is_empty() { vec![(item, quantity)] } else { facts.components.iter().map(|(c, per)| (*c, per * quantity)).collect() }
    }
}
