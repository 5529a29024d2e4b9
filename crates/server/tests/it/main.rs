//! Drives the public surface: the API through the real router, on SQLite and on a real PostgreSQL, and the binary itself.

mod access;
mod alerts;
mod api;
mod brunel;
mod catchers;
mod channels;
mod contracts;
mod desk;
mod imports;
mod links;
mod lists;
mod mails;
mod nodes;
mod orders;
mod refusals;
mod reservations;
mod routing;
mod search;
mod statements;
mod stock;
mod stock_lists;
mod support;
mod warehouses;
