//! Each connector against its vendor, simulated.

mod amazon;
mod ebay;
mod schema;
mod shipbob;
mod shopify;
mod wires;
