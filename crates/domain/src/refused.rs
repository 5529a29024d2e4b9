//! Every "no" that a person can meet: a stable code, a plain sentence, and the figures needed to act.
//!
//! Not here: HTTP statuses and pages (`web/problem.rs` alone turns a refusal into either), and faults of the
//! program or the machine (`engine::Broken`).

use crate::steps::{Status, Step};
use serde::{Deserialize, Serialize};
use std::fmt;

/// What a name in a request refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Noun {
    Item,
    Location,
    Reservation,
    Order,
    Fulfillment,
    Transfer,
    RuleSet,
    Key,
    Import,
    Channel,
    Listing,
    Exception,
    Contract,
    Alert,
    Delivery,
    Secret,
    Person,
    Role,
    Session,
    Passkey,
    Link,
    Movement,
    Record,
    Setting,
}

impl Noun {
    /// The word used in sentences.
    pub fn word(self) -> &'static str {
        match self {
            Noun::Item => "item",
            Noun::Location => "location",
            Noun::Reservation => "reservation",
            Noun::Order => "order",
            Noun::Fulfillment => "fulfillment",
            Noun::Transfer => "transfer",
            Noun::RuleSet => "rule set",
            Noun::Key => "key",
            Noun::Import => "import",
            Noun::Channel => "channel",
            Noun::Listing => "listing",
            Noun::Exception => "exception",
            Noun::Contract => "contract",
            Noun::Alert => "alert endpoint",
            Noun::Delivery => "delivery",
            Noun::Secret => "secret",
            Noun::Person => "person",
            Noun::Role => "role",
            Noun::Session => "session",
            Noun::Passkey => "passkey",
            Noun::Link => "link",
            Noun::Movement => "movement",
            Noun::Record => "record",
            Noun::Setting => "setting",
        }
    }

    fn unknown_code(self) -> &'static str {
        match self {
            Noun::Item => "unknown_item",
            Noun::Location => "unknown_location",
            Noun::Reservation => "unknown_reservation",
            Noun::Order => "unknown_order",
            Noun::Fulfillment => "unknown_fulfillment",
            Noun::Transfer => "unknown_transfer",
            Noun::RuleSet => "unknown_rule_set",
            Noun::Key => "unknown_key",
            Noun::Import => "unknown_import",
            Noun::Channel => "unknown_channel",
            Noun::Listing => "unknown_listing",
            Noun::Exception => "unknown_exception",
            Noun::Contract => "unknown_contract",
            Noun::Alert => "unknown_alert",
            Noun::Delivery => "unknown_delivery",
            Noun::Secret => "unknown_secret",
            Noun::Person => "unknown_person",
            Noun::Role => "unknown_role",
            Noun::Session => "unknown_session",
            Noun::Passkey => "unknown_passkey",
            Noun::Link => "unknown_link",
            Noun::Movement => "unknown_movement",
            Noun::Record => "unknown_record",
            Noun::Setting => "unknown_setting",
        }
    }

    fn exists_code(self) -> &'static str {
        match self {
            Noun::Item => "item_exists",
            Noun::Location => "location_exists",
            Noun::Key => "key_exists",
            Noun::Channel => "channel_exists",
            Noun::Person => "person_exists",
            Noun::Role => "role_exists",
            _ => "already_exists",
        }
    }
}

/// An item that was asked for beyond what could be promised.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shortfall {
    pub sku: String,
    pub requested: i64,
    pub available: i64,
}

/// A "no" with its figures. Flat on purpose: one list for the whole program.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Refused {
    /// Fewer units could be promised than were asked for; nothing was held.
    InsufficientStock { shortfalls: Vec<Shortfall> },
    /// The units exist, but no routing rule lets them be sent; each candidate with its reason.
    NotRoutable { reasons: Vec<(String, String)> },
    /// A name that stands for nothing here.
    Unknown { noun: Noun, name: String, field: String },
    /// A name that is taken.
    Exists { noun: Noun, name: String },
    /// A field whose value cannot be used.
    Invalid { field: String, reason: String },
    /// A field that this call does not have.
    UnknownField { field: String },
    /// A quantity outside its limits.
    QuantityOutOfRange { field: String, quantity: i64, min: i64, max: i64 },
    /// The same item twice in one request where that is ambiguous.
    DuplicateLine { sku: String, field: String },
    /// Two currencies in one order.
    MixedCurrency { expected: String, found: String, field: String },
    /// A step that this document's status does not allow.
    StepNotAllowed { noun: Noun, id: String, status: Status, step: Step },
    /// The hold ran out before it was used.
    ReservationExpired { id: String },
    /// A count that is lower than what is promised to customers.
    CountBelowPromised { sku: String, counted: i64, promised: i64 },
    /// Stock was to be booked on a kit, which has none of its own.
    KitHasNoStock { sku: String },
    /// More units than a level can hold.
    LevelTooLarge { sku: String, location: String },
    /// Units that somebody else's warehouse was told to send, and that only it can give back.
    HandedOver { sku: String, location: String },
    /// Another price than the contract's.
    PriceNotAgreed { sku: String, agreed: String, field: String },
    /// More units than the contract leaves to order.
    BeyondContract { sku: String, asked: i64, left: i64 },
    /// Shipped, received or returned beyond what is left to do.
    TooMany { sku: String, asked: i64, left: i64 },
    /// There are as many of these as there may be.
    LimitReached { noun: Noun, most: usize },
    /// The role does not allow it.
    NotAllowed { permission: String },
    /// The role allows it, but not at this location or on this channel.
    OutOfScope { noun: Noun, name: String },
    /// Somebody else changed it since it was looked at.
    Changed { noun: Noun, name: String },
    /// The same idempotency key came with another request.
    IdempotencyKeyReused,
    /// The first request with this key has not ended.
    IdempotencyInProgress,
    /// More work than can be done in time; try again after the given seconds.
    Overloaded { retry_after_seconds: u32 },
    /// The disk is full: nothing was written, reading goes on.
    StorageFull,
    /// There is no search index to ask yet.
    SearchNotReady,
}

impl Refused {
    /// A field whose value cannot be used, and why.
    pub fn invalid(field: impl Into<String>, reason: impl Into<String>) -> Refused {
        Refused::Invalid { field: field.into(), reason: reason.into() }
    }

    /// A name that stands for nothing here, found in `field` of the request.
    pub fn unknown(noun: Noun, name: impl Into<String>, field: impl Into<String>) -> Refused {
        Refused::Unknown { noun, name: name.into(), field: field.into() }
    }

    /// The stable code: snake_case, never changed once released.
    pub fn code(&self) -> &'static str {
        match self {
            Refused::InsufficientStock { .. } => "insufficient_stock",
            Refused::NotRoutable { .. } => "not_routable",
            Refused::Unknown { noun, .. } => noun.unknown_code(),
            Refused::Exists { noun, .. } => noun.exists_code(),
            Refused::Invalid { .. } => "invalid_field",
            Refused::UnknownField { .. } => "unknown_field",
            Refused::QuantityOutOfRange { .. } => "quantity_out_of_range",
            Refused::DuplicateLine { .. } => "duplicate_line",
            Refused::MixedCurrency { .. } => "mixed_currency",
            Refused::StepNotAllowed { .. } => "step_not_allowed",
            Refused::ReservationExpired { .. } => "reservation_expired",
            Refused::CountBelowPromised { .. } => "count_below_promised",
            Refused::KitHasNoStock { .. } => "kit_has_no_stock",
            Refused::LevelTooLarge { .. } => "level_too_large",
            Refused::HandedOver { .. } => "handed_over",
            Refused::PriceNotAgreed { .. } => "price_not_agreed",
            Refused::BeyondContract { .. } => "beyond_contract",
            Refused::TooMany { .. } => "too_many",
            Refused::LimitReached { .. } => "limit_reached",
            Refused::NotAllowed { .. } => "role_insufficient",
            Refused::OutOfScope { .. } => "out_of_scope",
            Refused::Changed { .. } => "changed_meanwhile",
            Refused::IdempotencyKeyReused => "idempotency_key_reused",
            Refused::IdempotencyInProgress => "idempotency_in_progress",
            Refused::Overloaded { .. } => "overloaded",
            Refused::StorageFull => "storage_full",
            Refused::SearchNotReady => "search_not_ready",
        }
    }

    /// The field of the request at fault, where there is one.
    pub fn field(&self) -> Option<&str> {
        match self {
            Refused::Unknown { field, .. }
            | Refused::Invalid { field, .. }
            | Refused::UnknownField { field }
            | Refused::QuantityOutOfRange { field, .. }
            | Refused::DuplicateLine { field, .. }
            | Refused::MixedCurrency { field, .. }
            | Refused::PriceNotAgreed { field, .. } => Some(field),
            _ => None,
        }
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refused::InsufficientStock { shortfalls } => {
                write!(f, "Not enough stock, and nothing was changed:")?;
                for (i, s) in shortfalls.iter().enumerate() {
                    let comma = if i == 0 { "" } else { "," };
                    write!(f, "{comma} {} of {} asked, {} available", s.requested, s.sku, s.available)?;
                }
                write!(f, ".")
            }
            Refused::NotRoutable { reasons } => {
                write!(f, "The units exist, but the routing rules let no location send them:")?;
                for (location, reason) in reasons {
                    write!(f, " {location}: {reason};")?;
                }
                Ok(())
            }
            Refused::Unknown { noun, name, .. } => write!(f, "There is no {} “{name}”.", noun.word()),
            Refused::Exists { noun, name } => write!(f, "There is already a {} “{name}”.", noun.word()),
            Refused::Invalid { field, reason } => write!(f, "“{field}” {reason}."),
            Refused::UnknownField { field } => write!(f, "This call has no field “{field}”; check its spelling."),
            Refused::QuantityOutOfRange { field, quantity, min, max } if *min < 0 => {
                write!(f, "“{field}” is {quantity}; it must be from {min} to {max}, and not 0.")
            }
            Refused::QuantityOutOfRange { field, quantity, min, max } => {
                write!(f, "“{field}” is {quantity}; it must be from {min} to {max}.")
            }
            Refused::DuplicateLine { sku, .. } => write!(f, "“{sku}” stands in two lines; add them up into one."),
            Refused::MixedCurrency { expected, found, .. } => {
                write!(f, "One order has one currency: the first line is in {expected}, this one in {found}.")
            }
            Refused::StepNotAllowed { noun, id, status, step } => {
                write!(f, "This {} ({id}) is {}, which does not allow: {}.", noun.word(), status.word(), step.word())
            }
            Refused::ReservationExpired { id } => {
                write!(f, "Reservation {id} has expired and its units are free again; reserve anew.")
            }
            Refused::CountBelowPromised { sku, counted, promised } => {
                write!(f, "{counted} of {sku} were counted, but {promised} are promised or set aside here; cancel or move some first.")
            }
            Refused::KitHasNoStock { sku } => write!(f, "“{sku}” is a kit: book its components instead."),
            Refused::LevelTooLarge { sku, location } => {
                write!(f, "The level of {sku} at {location} would grow beyond {}.", crate::limits::MAX_LEVEL)
            }
            Refused::HandedOver { sku, location } => {
                write!(f, "{location} was told to send {sku}, and sends an order whole or not at all: cancel the whole order to ask it back.")
            }
            Refused::PriceNotAgreed { sku, agreed, .. } => {
                write!(f, "The contract's price of {sku} is {agreed}; leave the price out, or give that one.")
            }
            Refused::BeyondContract { sku, asked, left } => write!(f, "{asked} of {sku} asked, the contract leaves {left} to order."),
            Refused::TooMany { sku, asked, left } => write!(f, "{asked} of {sku} asked, only {left} left to do."),
            Refused::LimitReached { noun, most } => write!(f, "There may be {most} of these and no more: {}. Remove one first.", noun.word()),
            Refused::NotAllowed { permission } => write!(f, "This needs the permission {permission}, which your role does not have."),
            Refused::OutOfScope { noun, name } => write!(f, "Your access does not reach the {} “{name}”.", noun.word()),
            Refused::Changed { noun, name } => {
                write!(
                    f,
                    "Somebody else changed the {} “{name}” since you opened it, so nothing was saved. Look at it as it is now, then decide.",
                    noun.word()
                )
            }
            Refused::IdempotencyKeyReused => {
                write!(f, "This Idempotency-Key was used with another request; use a new key for a new request.")
            }
            Refused::IdempotencyInProgress => {
                write!(f, "The first request with this Idempotency-Key is still running; ask again in a moment.")
            }
            Refused::Overloaded { retry_after_seconds } => {
                write!(f, "More work is waiting than can be done in time; try again in {retry_after_seconds} s.")
            }
            Refused::StorageFull => write!(f, "The disk is full: nothing was written. Free some space and try again."),
            Refused::SearchNotReady => write!(f, "Search is being prepared; try again in a moment."),
        }
    }
}

impl std::error::Error for Refused {}
