//! Each connector against its vendor, simulated. One program, because each takes half a minute to link.

extern crate holdfast_sim as sim;

mod amazon;
mod ebay;
mod schema;
mod shipbob;
mod shopify;
mod wires;
