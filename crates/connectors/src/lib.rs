//! Translates. Outside files and systems into plain values: it builds requests and reads answers, and decides nothing.
//!
//! Here now: CSV files as they are really met, and the two public data sets that prove the program. The marketplaces and
//! warehouses are here too, each in a folder of its own.

pub mod account;
pub mod alerts;
pub mod amazon;
pub mod brunel;
pub mod csv;
pub mod ebay;
pub mod marketplace;
pub mod online_retail;
pub mod read;
pub mod shipbob;
pub mod shopify;
pub mod sign_in_transport;
pub mod standard_webhooks;
pub mod transport;
pub mod warehouse;
