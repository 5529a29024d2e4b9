//! Warehouses that somebody else runs: orders are handed over to them and followed until they are sent, and what they say they
//! have is held against the books. Each is connected as a channel is, with the location that it stands for.
//!
//! A fulfillment that was handed over belongs to the warehouse until it says otherwise: it is asked back, never just taken back, for
//! a parcel that is being packed while its units are promised to somebody else would be sold twice.

pub mod follow;
pub mod hand_over;
pub mod list;
pub mod read;
pub(crate) mod rows;
pub mod snapshot;
pub mod worker;
