//! What every marketplace can be asked, in plain values. A connector builds requests and reads answers; only
//! [`crate::transport::Wire`] sends them. To add one: a folder of its own, and one line in [`ALL`].

use crate::account::{Account, Work};
use crate::transport::{Fault, Wire};
use serde::{Deserialize, Serialize};

/// Every marketplace there is.
pub const ALL: &[&dyn Marketplace] = &[&crate::amazon::Amazon, &crate::ebay::Ebay, &crate::shopify::Shopify];

/// A connector by its word, such as `shopify`.
pub fn by_word(word: &str) -> Option<&'static dyn Marketplace> {
    ALL.iter().copied().find(|m| m.word() == word)
}

/// How a marketplace takes quantities.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Writes {
    /// It compares with what it shows before it changes it, and a repeated key does nothing: a write is applied once or surely not.
    Compared,
    /// A quantity replaces whatever is shown; a lost reply may mean applied or not.
    Blind,
}

pub trait Marketplace: Account {
    fn writes(&self) -> Writes;
    /// Most quantities in one call of [`Marketplace::set_quantities`].
    fn batch(&self) -> usize;
    /// Most quantities in one call that takes its time, beside which urgent ones go on; None if one call is as quick as another.
    fn bulk(&self) -> Option<usize> {
        None
    }
    /// How long after it happened an order is surely in the list, in microseconds: what was placed longer ago than this
    /// before a complete reading of the list began has been read.
    fn settles_in(&self) -> i64;
    /// Seconds between two readings of the list of orders, within what the marketplace allows; webhooks are faster.
    fn polls_every(&self) -> u64 {
        5
    }
    /// Longest that a write may still be applied after it was sent, in microseconds: 15 minutes where it is applied at once or not
    /// at all; more where it may wait in a queue there.
    fn late(&self) -> i64 {
        900 * 1_000_000
    }
    /// Whether an order canceled there puts its units back into what it shows, without being asked.
    fn restocks_on_cancel(&self) -> bool;

    /// Orders that changed since `from` (microseconds since 1970 UTC), page by page. `page` is what the page before named.
    fn orders<'a>(&'a self, wire: &'a Wire, from: i64, page: Option<String>) -> Work<'a, Page<MarketOrder>>;
    /// Orders placed since `from`, whatever happened to them later: for marketplaces whose list of changes ends before now, so that
    /// an order that changed after that end is not in it. None if the list of changes hides nothing.
    fn orders_placed<'a>(&'a self, _wire: &'a Wire, _from: i64, _page: Option<String>) -> Option<Work<'a, Page<MarketOrder>>> {
        None
    }
    /// One order, whole.
    fn order<'a>(&'a self, wire: &'a Wire, id: &'a str) -> Work<'a, MarketOrder>;
    /// What is listed, with the quantities shown.
    fn listings<'a>(&'a self, wire: &'a Wire, page: Option<String>) -> Work<'a, Page<MarketListing>>;
    /// The quantities shown now for these listings.
    fn quantities<'a>(&'a self, wire: &'a Wire, listings: &'a [String]) -> Work<'a, Vec<(String, i64)>>;
    /// Sets quantities; answers one outcome for each, in the same order. A fault of the whole call is a fault.
    fn set_quantities<'a>(&'a self, wire: &'a Wire, wanted: &'a [SetQuantity]) -> Work<'a, Vec<SetOutcome>>;
    /// Tells the buyer that it is on its way.
    fn ship<'a>(&'a self, wire: &'a Wire, shipped: &'a Shipped) -> Work<'a, ()>;
    /// Whether a whole order can be canceled there from here.
    fn cancels(&self) -> bool {
        true
    }
    /// Cancels an order there, with its refund where the marketplace leaves that to the seller.
    fn cancel<'a>(&'a self, wire: &'a Wire, order: &'a str, reason: &'a str) -> Work<'a, ()>;
    /// Whether it can be told to pay back for some of an order's lines.
    fn refunds(&self) -> bool {
        false
    }
    /// Pays back for some of an order's lines, for units that came back or never left. Doing it again with the same key pays once.
    fn refund<'a>(&'a self, _wire: &'a Wire, refund: &'a Refund) -> Work<'a, ()> {
        let detail = format!("{} cannot be told to refund: refund order {} there", self.name(), refund.order);
        Box::pin(async move { Err(Fault::Refused { status: 405, code: "refund_not_offered".into(), detail }) })
    }
    /// Asks to be told of orders at this address, as far as that is not asked yet; answers the topics. Safe to repeat, and to be
    /// repeated now and then: marketplaces drop subscriptions whose address did not answer.
    fn subscribe<'a>(&'a self, _wire: &'a Wire, _address: &'a str) -> Work<'a, Vec<String>> {
        let detail = format!("{} has no subscriptions by API: enter the address there", self.name());
        Box::pin(async move { Err(Fault::Refused { status: 405, code: "subscribe_not_offered".into(), detail }) })
    }
    /// The public key that a webhook is signed with, by its name, if one has to be fetched to verify it.
    fn key_wanted(&self, _headers: &[(String, String)]) -> Option<String> {
        None
    }
    /// Fetches that key, in the form in which [`Marketplace::webhook`] asks for the secret `public_key:<name>`.
    fn fetch_key<'a>(&'a self, _wire: &'a Wire, name: &'a str) -> Work<'a, String> {
        Box::pin(async move { Err(Fault::Refused { status: 405, code: "no_keys".into(), detail: format!("there is no key {name}") }) })
    }
    /// The answer to a marketplace that asks whether an address is ours: to its code, at that address.
    fn challenge(&self, _setting: &dyn Fn(&str) -> String, _code: &str, _address: &str) -> Option<String> {
        None
    }
    /// Reads a webhook: `headers` in lower case, the raw body. Answers the orders it speaks of; refuses a wrong signature,
    /// or one from longer ago than the marketplace repeats itself. `now` in microseconds.
    fn webhook(&self, secrets: &dyn Fn(&str) -> Option<String>, headers: &[(String, String)], body: &[u8], now: i64) -> Result<Notice, Rejected>;
}

/// A page of something; `next` asks for the one after it.
#[derive(Debug, Clone)]
pub struct Page<T> {
    pub rows: Vec<T>,
    pub next: Option<String>,
    /// Rows that could not be understood: (the marketplace's id if there is one, why, the row as it came).
    pub unread: Vec<(String, String, String)>,
}

/// An order as a marketplace tells it; it is kept in these words.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MarketOrder {
    /// The marketplace's own id.
    pub id: String,
    /// What people call it there.
    pub number: String,
    /// Microseconds since 1970 UTC, by the marketplace's clock.
    pub placed_at: i64,
    pub updated_at: i64,
    pub state: MarketState,
    pub currency: Option<String>,
    pub customer: Option<String>,
    pub ship_to: Address,
    pub lines: Vec<MarketLine>,
    /// The order as it came, JSON.
    #[serde(skip)]
    pub raw: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarketState {
    /// Not paid or not confirmed: its units count as sold there, and it may not be sent yet.
    Pending,
    /// To be sent.
    Open,
    Shipped,
    Canceled,
    /// A word that this version does not know; kept and shown.
    Other(String),
}

impl MarketState {
    pub fn word(&self) -> &str {
        match self {
            MarketState::Pending => "pending",
            MarketState::Open => "open",
            MarketState::Shipped => "shipped",
            MarketState::Canceled => "canceled",
            MarketState::Other(word) => word,
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct MarketLine {
    pub id: String,
    /// The listing, as [`MarketListing::id`] names it.
    pub listing: String,
    pub sku: Option<String>,
    pub title: String,
    /// How often the listing was ordered, canceled ones included.
    pub quantity: i64,
    /// Never to be sent.
    pub canceled: i64,
    /// Sent, and given back or paid back there since, as far as it tells.
    #[serde(default)]
    pub returned: i64,
    /// Decimal text in the order's currency.
    pub unit_price: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Address {
    /// ISO 3166-1 alpha-2.
    pub country: String,
    pub postal_code: Option<String>,
    pub name: Option<String>,
    pub company: Option<String>,
    pub address1: Option<String>,
    pub address2: Option<String>,
    pub city: Option<String>,
    pub province: Option<String>,
    pub phone: Option<String>,
    pub email: Option<String>,
}

/// Something listed for sale.
#[derive(Debug, Clone, PartialEq)]
pub struct MarketListing {
    /// The name by which quantities are set.
    pub id: String,
    pub sku: Option<String>,
    pub barcode: Option<String>,
    pub title: String,
    /// What is shown as for sale, if the list tells.
    pub quantity: Option<i64>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetQuantity {
    pub listing: String,
    /// What is shown now, as far as is known: for marketplaces that compare.
    pub from: Option<i64>,
    pub to: i64,
    /// The same for every try of the same write.
    pub key: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SetOutcome {
    /// Done: buyers see it.
    Applied,
    /// Taken, and applied later or never: read it back.
    Accepted,
    /// Not done: something else is shown than was said.
    Stale { shown: Option<i64> },
    /// Not done, and trying again would not help.
    Refused { code: String, detail: String },
}

/// What left, for one order there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shipped {
    pub order: String,
    /// Names this shipment: the same for every try.
    pub key: String,
    pub carrier: Option<String>,
    pub tracking_number: Option<String>,
    pub shipped_at: i64,
    /// (the order's line there, how often)
    pub lines: Vec<(String, i64)>,
}

/// Money to be paid back, for one order there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub order: String,
    /// Names this refund: the same for every try.
    pub key: String,
    pub reason: String,
    pub lines: Vec<RefundLine>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefundLine {
    /// The order's line there.
    pub line: String,
    /// How often the listing.
    pub quantity: i64,
    /// What was paid for one, as decimal text in this currency, if it is known.
    pub unit_price: Option<(String, String)>,
    /// They had left and came back; otherwise they never left.
    pub came_back: bool,
}

/// What a webhook says.
#[derive(Debug, Clone, PartialEq)]
pub enum Notice {
    /// Orders to take in as they stand.
    Orders(Vec<MarketOrder>),
    /// Orders to be asked for, by id.
    Ask(Vec<String>),
    /// Quantities of these listings changed, perhaps not by us.
    Quantities(Vec<(String, i64)>),
    /// Nothing of interest.
    Other(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rejected {
    Signature,
    Old,
    NotUnderstood(String),
}
