//! What people do to stock by hand: its words, its form's fields, and the command that they make. Not here: how a form looks
//! (`change.rs`), what comes of it (`effect.rs`), any rule (`engine/stock`).

use crate::console::fields::Fields;
use crate::console::viewer::{Viewer, Wrong};
use domain::{Permission, Refused};
use engine::stock::adjust::AdjustLine;
use engine::stock::count::CountLine;
use engine::stock::r#move::Place;
use engine::stock::transfer::SendTransfer;
use engine::stock::{self, SkuLine};
use engine::{Command, Stop};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    Receive,
    Adjust,
    Move,
    Transfer,
    Count,
}

use Deed::*;

/// Reasons of an adjustment. Those from `damaged` to `scrap` are written off, as `engine::stock::adjust` says.
const ADJUST: &[(&str, &str)] = &[
    ("correction", "Correction"),
    ("found", "Found"),
    ("damaged", "Damaged, written off"),
    ("expired", "Expired"),
    ("lost", "Lost"),
    ("theft", "Theft"),
    ("shrinkage", "Shrinkage"),
    ("scrap", "Scrapped"),
    ("return", "Back from a customer"),
];
const MOVE: &[(&str, &str)] = &[
    ("damaged", "Damaged"),
    ("inspection", "To be inspected"),
    ("inspected", "Inspected, good"),
    ("repaired", "Repaired"),
    ("safety stock", "Safety stock changed"),
    ("other", "Other"),
];
const COUNT: &[(&str, &str)] = &[("cycle count", "Cycle count"), ("stocktake", "Stocktake"), ("recount", "Recount after a doubt")];

/// The states that people may book by hand, and their names.
pub const BY_HAND: [&str; 4] = ["available", "damaged", "quality_control", "safety_stock"];

impl Deed {
    pub const ALL: [Deed; 5] = [Receive, Adjust, Move, Transfer, Count];

    /// As addresses and forms write it.
    pub fn word(self) -> &'static str {
        match self {
            Receive => "receive",
            Adjust => "adjust",
            Move => "move",
            Transfer => "transfer",
            Count => "count",
        }
    }

    pub fn parse(word: &str) -> Option<Deed> {
        Deed::ALL.into_iter().find(|d| d.word() == word)
    }

    pub fn name(self) -> &'static str {
        match self {
            Receive => "Receive",
            Adjust => "Adjust",
            Move => "Move",
            Transfer => "Transfer",
            Count => "Count",
        }
    }

    pub fn icon(self) -> &'static str {
        match self {
            Receive => "plus",
            Adjust => "edit",
            Move => "move",
            Transfer => "truck",
            Count => "count",
        }
    }

    /// The single key that leads to it.
    pub fn key(self) -> &'static str {
        match self {
            Receive => "r",
            Adjust => "a",
            Move => "m",
            Transfer => "t",
            Count => "c",
        }
    }

    pub fn permission(self) -> Permission {
        match self {
            Receive => Permission::StockReceive,
            Adjust | Move | Count => Permission::StockAdjust,
            Transfer => Permission::StockTransfer,
        }
    }

    /// What its field of units is called.
    pub fn units_label(self) -> &'static str {
        match self {
            Adjust => "Change",
            Count => "Counted, all states",
            Receive | Move | Transfer => "Units",
        }
    }

    /// Reasons to choose from: (as it is booked, as it reads).
    pub fn reasons(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Adjust => ADJUST,
            Move => MOVE,
            Count => COUNT,
            Receive | Transfer => &[],
        }
    }

    /// A reason as it is booked, in the reader's words where it is one of those to choose from.
    pub fn reason<'r>(v: &Viewer, booked: &'r str) -> &'r str {
        let known = Deed::ALL.into_iter().flat_map(Deed::reasons).find(|(value, _)| *value == booked);
        known.map_or(booked, |(_, text)| v.t(text))
    }

    /// What its button says.
    pub fn button(self, v: &Viewer, units: Option<i64>) -> String {
        let Some(n) = units else { return v.t(self.name()).to_owned() };
        match self {
            Receive => v.say("Receive {}", &[&v.num(n)]),
            Adjust => v.say("Adjust by {}", &[&v.signed(n)]),
            Move => v.say("Move {}", &[&v.num(n)]),
            Transfer => v.say("Send {}", &[&v.num(n)]),
            Count => v.say("Count {}", &[&v.num(n)]),
        }
    }

    /// The command that the form's other fields make of these lines: (SKU, units).
    pub fn command(self, fields: &Fields, lines: Vec<(String, i64)>) -> Command {
        let text = |name: &str| fields.text(name).to_owned();
        let (location, reference) = (text("location"), fields.given("reference"));
        let reason = fields.given("reason");
        let plain = |lines: Vec<(String, i64)>| lines.into_iter().map(|(sku, quantity)| SkuLine { sku, quantity }).collect();
        match self {
            Receive => Command::Receive(stock::receive::Receive { location, lines: plain(lines), reference }),
            Adjust => {
                let state = fields.given("state");
                let lines = lines.into_iter().map(|(sku, delta)| AdjustLine { sku, delta, state: state.clone() }).collect();
                Command::Adjust(stock::adjust::Adjust { location, reason: reason.unwrap_or_default(), lines, reference })
            }
            Move => {
                let from = Place { location: location.clone(), state: text("from_state") };
                let to = Place { location, state: text("to_state") };
                Command::Move(stock::r#move::Move { from, to, lines: plain(lines), reason: reason.unwrap_or_default(), reference })
            }
            Transfer => Command::SendTransfer(SendTransfer { from: location, to: text("to"), lines: plain(lines), reference }),
            Count => {
                let lines = lines.into_iter().map(|(sku, counted)| CountLine { sku, counted }).collect();
                Command::Count(stock::count::Count { location, lines, reason, reference })
            }
        }
    }

    /// Where in the form a refusal belongs: the commands call their fields by other names, and some refusals by none.
    pub fn place_of(self, refused: &Refused) -> Option<&'static str> {
        let Some(field) = refused.field() else {
            let of_units = matches!(refused, Refused::InsufficientStock { .. } | Refused::CountBelowPromised { .. } | Refused::LevelTooLarge { .. });
            return of_units.then_some("units");
        };
        match field {
            "units" => Some("units"),
            "location" | "from" | "from.location" => Some("location"),
            "to" if self == Move => Some("to_state"),
            "to" | "to.location" => Some("to"),
            "state" | "lines[0].state" => Some("state"),
            "from.state" => Some("from_state"),
            "to.state" => Some("to_state"),
            "reason" => Some("reason"),
            "reference" => Some("reference"),
            field if field.starts_with("lines[") && !field.ends_with(".sku") => Some("units"),
            _ => None,
        }
    }

    /// The viewer of the form that was refused: the reason stands beside its field.
    pub fn refused(self, viewer: Viewer, fields: Fields, stop: Stop) -> Result<Viewer, crate::problem::Problem> {
        let place = stop.refused().and_then(|r| self.place_of(r));
        let mut viewer = viewer.refused(fields.0, stop)?;
        if let Some(wrong) = &mut viewer.wrong {
            wrong.field = place.map(str::to_owned);
        }
        Ok(viewer)
    }

    /// A refusal as a sentence for people.
    pub fn why(v: &Viewer, refused: &Refused) -> String {
        Wrong::new(v, refused).detail
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_find_their_field() {
        let invalid = |field: &str| Refused::invalid(field, "is wrong");
        for (deed, field, place) in [
            (Adjust, "lines[0].delta", Some("units")),
            (Count, "lines[3].counted", Some("units")),
            (Adjust, "lines[0].sku", None),
            (Adjust, "lines[0].state", Some("state")),
            (Move, "from.location", Some("location")),
            (Move, "to", Some("to_state")),
            (Transfer, "to", Some("to")),
            (Transfer, "from", Some("location")),
            (Receive, "location", Some("location")),
        ] {
            assert_eq!(deed.place_of(&invalid(field)), place, "{deed:?} {field}");
        }
        assert_eq!(Adjust.place_of(&Refused::InsufficientStock { shortfalls: Vec::new() }), Some("units"));
        assert_eq!(Adjust.place_of(&Refused::StorageFull), None);
        assert!(Deed::ALL.into_iter().all(|d| Deed::parse(d.word()) == Some(d)));
    }
}
