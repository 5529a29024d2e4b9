//! Statuses, and which step each allows: the one table of every document's life.

use crate::{Noun, Refused};
use serde::{Deserialize, Serialize};

/// What a reservation, order, fulfillment or transfer is doing now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Status {
    /// Reservation: its units are set aside.
    Held,
    /// Reservation: given back by its owner.
    Released,
    /// Reservation: ran out of time, units given back.
    Expired,
    /// Reservation: became an order.
    Ordered,
    /// Order: units held, waits for a routing run. It has no fulfillments yet.
    Queued,
    /// Order or fulfillment: units committed, nothing shipped yet.
    Open,
    /// Order: some units wait for stock to arrive, nothing shipped yet.
    Backordered,
    /// Order or fulfillment: some units shipped.
    PartiallyFulfilled,
    /// Order or fulfillment: all units that were not canceled have shipped.
    Fulfilled,
    /// Order or fulfillment: canceled before anything shipped. Transfer: taken back before anything arrived.
    Canceled,
    /// Transfer: left its source.
    InTransit,
    /// Transfer: some units arrived.
    PartiallyReceived,
    /// Transfer: all units arrived, were written off or were taken back.
    Received,
}

/// What may be done to a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Step {
    Extend,
    Release,
    Expire,
    Order,
    Route,
    Fill,
    Ship,
    Cancel,
    Return,
    Receive,
}

use Status::*;

/// The life of every document: in this status, these steps. What is not here is refused.
const ALLOWED: &[(Noun, Status, &[Step])] = &[
    (Noun::Reservation, Held, &[Step::Extend, Step::Release, Step::Expire, Step::Order]),
    (Noun::Order, Queued, &[Step::Route, Step::Cancel]),
    (Noun::Order, Open, &[Step::Ship, Step::Cancel]),
    (Noun::Order, Backordered, &[Step::Fill, Step::Ship, Step::Cancel]),
    (Noun::Order, PartiallyFulfilled, &[Step::Fill, Step::Ship, Step::Cancel, Step::Return]),
    (Noun::Order, Fulfilled, &[Step::Return]),
    (Noun::Fulfillment, Open, &[Step::Ship, Step::Cancel]),
    (Noun::Fulfillment, PartiallyFulfilled, &[Step::Ship, Step::Cancel]),
    (Noun::Transfer, InTransit, &[Step::Receive, Step::Cancel]),
    (Noun::Transfer, PartiallyReceived, &[Step::Receive, Step::Cancel]),
];

const WORDS: [(Status, &str); 13] = [
    (Held, "held"),
    (Released, "released"),
    (Expired, "expired"),
    (Ordered, "ordered"),
    (Queued, "queued"),
    (Open, "open"),
    (Backordered, "backordered"),
    (PartiallyFulfilled, "partially_fulfilled"),
    (Fulfilled, "fulfilled"),
    (Canceled, "canceled"),
    (InTransit, "in_transit"),
    (PartiallyReceived, "partially_received"),
    (Received, "received"),
];

impl Status {
    /// The word in the API, the database and on pages.
    pub fn word(self) -> &'static str {
        WORDS.iter().find(|(status, _)| *status == self).map_or("", |(_, word)| word)
    }

    pub fn parse(word: &str) -> Option<Status> {
        WORDS.iter().find(|(_, w)| *w == word).map(|(status, _)| *status)
    }

    /// Whether this document may take this step now.
    pub fn allows(self, noun: Noun, step: Step) -> bool {
        ALLOWED.iter().any(|(n, s, steps)| *n == noun && *s == self && steps.contains(&step))
    }

    /// Ok if this document may take this step now; else the refusal that names the status.
    pub fn check(self, noun: Noun, id: i64, step: Step) -> Result<(), Refused> {
        if self.allows(noun, step) {
            return Ok(());
        }
        if noun == Noun::Reservation && self == Expired {
            return Err(Refused::ReservationExpired { id: id.to_string() });
        }
        Err(Refused::StepNotAllowed { noun, id: id.to_string(), status: self, step })
    }
}

impl Step {
    pub fn word(self) -> &'static str {
        match self {
            Step::Extend => "extend",
            Step::Release => "release",
            Step::Expire => "expire",
            Step::Order => "order",
            Step::Route => "route",
            Step::Fill => "fill",
            Step::Ship => "ship",
            Step::Cancel => "cancel",
            Step::Return => "return",
            Step::Receive => "receive",
        }
    }
}

/// What an order or a fulfillment amounts to, from the sums over its lines.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    pub ordered: i64,
    pub canceled: i64,
    pub shipped: i64,
    pub backordered: i64,
}

impl Progress {
    /// The status that these sums mean.
    pub fn status(self) -> Status {
        let wanted = self.ordered - self.canceled;
        if wanted == 0 {
            Canceled
        } else if self.shipped >= wanted {
            Fulfilled
        } else if self.shipped > 0 {
            PartiallyFulfilled
        } else if self.backordered > 0 {
            Backordered
        } else {
            Open
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_make_statuses() {
        for ((ordered, canceled, shipped, backordered), status) in [
            ((5, 0, 0, 0), Open),
            ((5, 0, 0, 2), Backordered),
            ((5, 0, 2, 2), PartiallyFulfilled),
            ((5, 1, 4, 0), Fulfilled),
            ((5, 5, 0, 0), Canceled),
            ((5, 0, 5, 0), Fulfilled),
        ] {
            assert_eq!(Progress { ordered, canceled, shipped, backordered }.status(), status);
        }
    }

    #[test]
    fn closed_documents_allow_nothing() {
        for status in [Released, Expired, Ordered] {
            assert!(status.check(Noun::Reservation, 1, Step::Release).is_err());
            assert!(status.check(Noun::Reservation, 1, Step::Order).is_err());
        }
        assert_eq!(Expired.check(Noun::Reservation, 1, Step::Extend).unwrap_err().code(), "reservation_expired");
        assert!(Canceled.check(Noun::Order, 1, Step::Ship).is_err());
        for (status, word) in WORDS {
            assert_eq!(Status::parse(word), Some(status));
        }
    }
}
