//! The simulation's tests: one program, because a second one takes half a minute to link, and because most of them wait.

extern crate holdfast_sim as sim;

mod buyers;
mod channels;
mod connectors;
mod found;
mod market;
mod season;
mod seeds;
