//! The statements that are no `Sql("…")` in the text: for the test that prepares every one on both databases.

use crate::access::audit::AUDIT;
use crate::alerts::rows::{ALERTS, DELIVERIES};
use crate::batch::CAPACITY;
use crate::catalog::rows::{ITEMS, KIT_COMPONENTS, LOCATIONS, POSTAL_CODES};
use crate::channels::rows::{CHANNELS, LISTING_ITEMS, LISTINGS, MARKET_ORDERS, OUTBOX, PROGRESS};
use crate::channels::sums::LISTING_SUMS;
use crate::contracts::rows::{CONTRACT_LINES, CONTRACTS};
use crate::db::{Lookup, Table};
use crate::events::EVENTS;
use crate::exceptions::EXCEPTIONS;
use crate::imports::IMPORTS;
use crate::keys::API_KEYS;
use crate::orders::notes::ORDER_NOTES;
use crate::orders::rows::{FULFILLMENT_LINES, FULFILLMENTS, ORDER_LINES, ORDERS, SHIPMENTS};
use crate::people::rows::{LINKS, PASSKEYS, PEOPLE, ROLES, SESSIONS, SETTINGS};
use crate::reservations::rows::RESERVATIONS;
use crate::routing::rules::RULE_SETS;
use crate::sequencer::IDEMPOTENCY;
use crate::stock::closings::CLOSINGS;
use crate::stock::rows::{ENTRIES, LEVELS, TRANSFER_LINES, TRANSFERS};
use crate::stock::sales::ITEM_DAYS;
use crate::warehouses::rows::HANDOVERS;

/// Tables that are written in bulk.
pub const TABLES: &[&Table] = &[
    &ITEMS,
    &KIT_COMPONENTS,
    &LOCATIONS,
    &LEVELS,
    &ENTRIES,
    &CLOSINGS,
    &RESERVATIONS,
    &ORDERS,
    &ORDER_LINES,
    &FULFILLMENTS,
    &FULFILLMENT_LINES,
    &SHIPMENTS,
    &TRANSFERS,
    &TRANSFER_LINES,
    &EVENTS,
    &IDEMPOTENCY,
    &CAPACITY,
    &POSTAL_CODES,
    &IMPORTS,
    &RULE_SETS,
    &CHANNELS,
    &PROGRESS,
    &LISTINGS,
    &LISTING_ITEMS,
    &LISTING_SUMS,
    &MARKET_ORDERS,
    &OUTBOX,
    &EXCEPTIONS,
    &HANDOVERS,
    &CONTRACTS,
    &CONTRACT_LINES,
    &ALERTS,
    &DELIVERIES,
    &AUDIT,
    &PEOPLE,
    &PASSKEYS,
    &SESSIONS,
    &LINKS,
    &ROLES,
    &SETTINGS,
    &API_KEYS,
    &ORDER_NOTES,
    &ITEM_DAYS,
];

/// Reads of many rows by a key.
pub const LOOKUPS: &[&[&Lookup]] = &[
    crate::batch::LOOKUPS,
    crate::channels::load::LOOKUPS,
    crate::sequencer::LOOKUPS,
    crate::alerts::rows::LOOKUPS,
    crate::orders::list::LOOKUPS,
    crate::stock::holders::LOOKUPS,
    crate::stock::list::LOOKUPS,
    crate::stock::sales::LOOKUPS,
    crate::stock::transfers::LOOKUPS,
    crate::search::LOOKUPS,
    crate::routing::past::LOOKUPS,
];
