//! The rule set: kept as a document; a new one replaces the active one, old ones stay for the record.

use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Reply};
use crate::db::{Row, Rows, Sql, Table, Tx, Type, Value, Write};
use crate::views::{Id, Time};
use domain::routing::RuleSet;
use domain::{Noun, Refused, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

pub const RULE_SETS: Table = Table {
    name: "rule_sets",
    columns: &[
        ("id", Type::Int),
        ("name", Type::Text),
        ("rules", Type::Text),
        ("active", Type::Int),
        ("created_at", Type::Int),
        ("actor", Type::Text),
    ],
    key: "id",
};

const LIST: Sql = Sql("SELECT id, name, rules, created_at, actor FROM rule_sets ORDER BY id DESC LIMIT 100");
const VERSIONS: Sql = Sql("SELECT id, name, created_at, actor FROM rule_sets WHERE id < $1 ORDER BY id DESC LIMIT $2");
const ONE: Sql = Sql("SELECT name, rules FROM rule_sets WHERE id = $1");

#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRules {
    pub name: String,
    /// The rules; see the routing guide.
    #[schema(value_type = Object)]
    pub rules: RuleSet,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct RuleSetView {
    #[schema(value_type = String)]
    pub id: Id,
    pub name: String,
    pub active: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    /// Who put it in force.
    pub actor: String,
    #[schema(value_type = Object)]
    pub rules: RuleSet,
}

/// Refuses rules that name places that do not exist, or costs and counts out of range.
pub fn check(rules: &RuleSet, is_location: impl Fn(&str) -> bool) -> Result<(), Refused> {
    if rules.rules.len() > 200 || rules.only_for.len() > 1000 {
        return Err(Refused::invalid("rules", "may hold at most 200 rules and 1,000 restrictions"));
    }
    for (n, rule) in rules.rules.iter().enumerate() {
        limits::text(&format!("rules.rules[{n}].name"), &rule.name)?;
        if let Some(code) = rule.from.locations.iter().find(|code| !is_location(code)) {
            return Err(Refused::unknown(Noun::Location, code, format!("rules.rules[{n}].from.locations")));
        }
        for (field, codes) in [("when.countries", &rule.when.countries), ("from.countries", &rule.from.countries)] {
            for code in codes {
                limits::country(&format!("rules.rules[{n}].{field}"), code)?;
            }
        }
        if rule.when.min_units.zip(rule.when.max_units).is_some_and(|(min, max)| min > max) {
            return Err(Refused::invalid(format!("rules.rules[{n}].when.max_units"), "must not be less than the least"));
        }
        if !(1..=100).contains(&rule.max_fulfillments) {
            return Err(Refused::invalid(format!("rules.rules[{n}].max_fulfillments"), "must be 1 to 100"));
        }
        let cost = &rule.cost;
        for (field, value) in [
            ("per_fulfillment", cost.per_fulfillment),
            ("per_km", cost.per_km),
            ("split_penalty", cost.split_penalty),
            ("stock_out_risk", cost.stock_out_risk),
        ] {
            if !(0..=1_000_000_000_000).contains(&value) {
                return Err(Refused::invalid(format!("rules.rules[{n}].cost.{field}"), "must be 0 to 1,000,000,000,000 micro-units"));
            }
        }
        if rule.from.max_distance_km.is_some_and(|km| !(0.0..=25_000.0).contains(&km)) {
            return Err(Refused::invalid(format!("rules.rules[{n}].from.max_distance_km"), "must be 0 to 25,000"));
        }
    }
    for (n, only) in rules.only_for.iter().enumerate() {
        if !is_location(&only.location) {
            return Err(Refused::unknown(Noun::Location, &only.location, format!("rules.only_for[{n}].location")));
        }
    }
    Ok(())
}

impl SetRules {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        limits::name("name", &self.name)?;
        check(&self.rules, |code| batch.config.by_code(code).is_some())?;
        let id = batch.id()?;
        let mut rows = Rows::default();
        let json = serde_json::to_string(&self.rules).map_err(|e| Stop::broken(e.to_string()))?;
        // The newest set that is active counts, so the older ones need no change.
        rows.0.extend([id.into(), self.name.clone().into(), json.into(), true.into(), batch.now.into(), batch.actor.clone().into()]);
        batch.more.push(Write::new(&RULE_SETS, rows));
        let actor = batch.actor.to_string();
        let view = RuleSetView { id: Id(id), name: self.name.clone(), active: true, created_at: Time(batch.now), actor, rules: self.rules.clone() };
        batch.event("rules.changed", id, &view);
        let config = Arc::make_mut(&mut batch.config);
        config.rules = self.rules.clone();
        config.rules_name = self.name.clone();
        batch.config_changed = true;
        Ok(Reply::created(Answer::Rules(Box::new(view))))
    }
}

/// The last hundred rule sets, the active one first.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<RuleSetView>, Stop> {
    let rows = tx.rows(LIST, &[], |r| (r.int(0), r.text(1), r.text(2), r.int(3), r.text(4)))?;
    let view = |(n, (id, name, rules, created_at, actor)): (usize, (i64, String, String, i64, String))| {
        Ok(RuleSetView { id: Id(id), name, active: n == 0, created_at: Time(created_at), actor, rules: parse(id, &rules)? })
    };
    rows.into_iter().enumerate().map(view).collect()
}

/// A rule set that was put in force, without its rules.
#[derive(Debug, Clone)]
pub struct Version {
    pub id: i64,
    pub name: String,
    /// Microseconds since 1970 UTC.
    pub created_at: i64,
    /// Who put it in force.
    pub actor: String,
}

/// The newest rule sets before an id; without one before, the first is in force.
pub fn versions(tx: &mut Tx<'_>, before: i64, limit: i64) -> Result<Vec<Version>, Stop> {
    let read = |r: &Row<'_>| Version { id: r.int(0), name: r.text(1), created_at: r.int(2), actor: r.text(3) };
    Ok(tx.rows(VERSIONS, &[Value::Int(before), Value::Int(limit)], read)?)
}

/// The name and the rules of a rule set, in force or not.
pub fn one(tx: &mut Tx<'_>, id: i64) -> Result<(String, RuleSet), Stop> {
    let found = tx.one(ONE, &[Value::Int(id)], |r| (r.text(0), r.text(1)))?;
    let (name, rules) = found.ok_or_else(|| Refused::unknown(Noun::RuleSet, id.to_string(), "id"))?;
    Ok((name, parse(id, &rules)?))
}

fn parse(id: i64, rules: &str) -> Result<RuleSet, Stop> {
    serde_json::from_str(rules).map_err(|e| Stop::broken(format!("rule set {id}: {e}")))
}
