//! Routing: the rule set, runs over queued orders, and what-if replays of other rules over past orders.

pub(crate) mod past;
pub mod rules;
pub mod run;
pub mod whatif;
