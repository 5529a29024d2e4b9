//! The rows of what was handed over.

use crate::db::{Lookup, Row, Rows, Table, Type};

use Type::{Int, Text};

/// How far a fulfillment is at a warehouse.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// Nothing was sent yet: it can be changed and canceled at will.
    Waiting,
    /// It is being handed over; whether the warehouse has it is not known yet.
    Sending,
    /// The warehouse has it.
    Working,
    /// The warehouse has it and waits for a person.
    Stuck,
    /// The warehouse does not take it.
    Refused,
    Shipped,
    /// The warehouse will send nothing more of it.
    Canceled,
}

const WORDS: [(State, &str); 7] = [
    (State::Waiting, "waiting"),
    (State::Sending, "sending"),
    (State::Working, "working"),
    (State::Stuck, "stuck"),
    (State::Refused, "refused"),
    (State::Shipped, "shipped"),
    (State::Canceled, "canceled"),
];

impl State {
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    pub fn parse(word: &str) -> Option<State> {
        WORDS.iter().find(|(_, w)| *w == word).map(|(state, _)| *state)
    }

    /// The warehouse has it, or may have it.
    pub fn is_away(self) -> bool {
        matches!(self, State::Sending | State::Working | State::Stuck)
    }
}

/// Who asked a fulfillment back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    Us,
    /// The marketplace canceled the order, and need not be told.
    Channel,
    /// To be sent by another location.
    Reroute,
}

/// What is known of a fulfillment at a warehouse.
#[derive(Debug, Clone)]
pub struct Handover {
    pub fulfillment: i64,
    pub channel: i64,
    pub order: i64,
    pub external: Option<String>,
    pub state: State,
    pub recall: Option<Recall>,
    pub due_at: i64,
    pub tries: i64,
    pub handed_at: i64,
    pub heard_at: i64,
    pub parcels: Vec<String>,
    pub fault: Option<String>,
}

pub const HANDOVERS: Table = Table {
    name: "handovers",
    columns: &[
        ("fulfillment", Int),
        ("channel", Int),
        ("order_id", Int),
        ("external", Text),
        ("state", Text),
        ("open", Int),
        ("recall", Int),
        ("due_at", Int),
        ("tries", Int),
        ("handed_at", Int),
        ("heard_at", Int),
        ("parcels", Text),
        ("fault", Text),
    ],
    key: "fulfillment",
};

pub const HANDOVER_COLUMNS: &str = "fulfillment, channel, order_id, external, state, recall, due_at, tries, handed_at, heard_at, parcels, fault";

pub const HANDOVERS_BY_FULFILLMENT: Lookup =
    Lookup { columns: HANDOVER_COLUMNS, from: "handovers", key: "fulfillment", and: "", order: "fulfillment", lock: true };

impl Handover {
    pub fn read(row: &Row<'_>) -> Handover {
        Handover {
            fulfillment: row.int(0),
            channel: row.int(1),
            order: row.int(2),
            external: row.opt_text(3),
            state: State::parse(&row.text(4)).unwrap_or(State::Working),
            recall: match row.int(5) {
                0 => None,
                1 => Some(Recall::Us),
                2 => Some(Recall::Channel),
                _ => Some(Recall::Reroute),
            },
            due_at: row.int(6),
            tries: row.int(7),
            handed_at: row.int(8),
            heard_at: row.int(9),
            parcels: serde_json::from_str(&row.text(10)).unwrap_or_default(),
            fault: row.opt_text(11),
        }
    }

    pub fn write(&self, rows: &mut Rows) {
        let open = self.state == State::Waiting || self.state.is_away();
        let recall = match self.recall {
            None => 0i64,
            Some(Recall::Us) => 1,
            Some(Recall::Channel) => 2,
            Some(Recall::Reroute) => 3,
        };
        rows.0.extend([
            self.fulfillment.into(),
            self.channel.into(),
            self.order.into(),
            self.external.clone().into(),
            self.state.word().into(),
            open.into(),
            recall.into(),
            self.due_at.into(),
            self.tries.into(),
            self.handed_at.into(),
            self.heard_at.into(),
            serde_json::to_string(&self.parcels).unwrap_or_default().into(),
            self.fault.clone().into(),
        ]);
    }

    /// The key of the exception about it.
    pub fn key(&self) -> String {
        key(self.fulfillment)
    }
}

pub fn key(fulfillment: i64) -> String {
    format!("handover:{fulfillment}")
}
