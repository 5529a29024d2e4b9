//! What a wire needs to know of ShipBob: its settings, headers, limits and faults. A wire leads to a marketplace; this one
//! has nothing to sell, and refuses everything that only a marketplace can be asked.

use crate::marketplace::{MarketListing, MarketOrder, Marketplace, Notice, Page, Rejected, SetOutcome, SetQuantity, Setting, Shipped, Work, Writes};
use crate::transport::{Fault, Limit, Request, Response, Token, Wire};

/// For [`crate::transport::WireOptions`].
pub struct Way;

const SETTINGS: &[Setting] = &[
    Setting { name: "token", help: "Personal Access Token", secret: true },
    Setting { name: "channel_id", help: "of the channel with write scope", secret: false },
    Setting { name: "webhook_secret", help: "whsec_…; several apart by spaces while they are being changed", secret: true },
];

fn refused<'a, T: Send + 'a>() -> Work<'a, T> {
    let detail = "ShipBob is a warehouse, not a marketplace".to_owned();
    Box::pin(async move { Err(Fault::Refused { status: 405, code: "not_a_marketplace".into(), detail }) })
}

impl Marketplace for Way {
    fn word(&self) -> &'static str {
        "shipbob"
    }

    fn name(&self) -> &'static str {
        "ShipBob"
    }

    fn settings(&self) -> &'static [Setting] {
        SETTINGS
    }

    fn sign_in(&self, _setting: &dyn Fn(&str) -> String) -> Option<Request> {
        None
    }

    fn read_token(&self, _answer: &Response, _now: i64) -> Result<Token, Fault> {
        Err(Fault::NotUnderstood { detail: "ShipBob's tokens do not run out".into() })
    }

    fn headers(&self, setting: &dyn Fn(&str) -> String, _token: &str) -> Vec<(&'static str, String)> {
        vec![
            ("accept", "application/json".into()),
            ("authorization", format!("Bearer {}", setting("token"))),
            ("shipbob_channel_id", setting("channel_id")),
        ]
    }

    fn fault(&self, answer: &Response) -> Option<Fault> {
        crate::read::fault(answer, &["/title"], &["/detail"])
    }

    /// About 150 calls in any minute for the whole account: never more than 30 at once and two a second after them.
    fn limit(&self, _what: &'static str, answer: Option<&Response>) -> Option<Limit> {
        answer.is_none().then_some(Limit { bucket: "account", per_second: 2.0, burst: 30.0, cost: 1.0, left: None })
    }

    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String> {
        Box::pin(super::channel(wire))
    }

    fn writes(&self) -> Writes {
        Writes::Blind
    }

    fn batch(&self) -> usize {
        1
    }

    fn settles_in(&self) -> i64 {
        0
    }

    fn restocks_on_cancel(&self) -> bool {
        false
    }

    fn orders<'a>(&'a self, _: &'a Wire, _: i64, _: Option<String>) -> Work<'a, Page<MarketOrder>> {
        refused()
    }

    fn order<'a>(&'a self, _: &'a Wire, _: &'a str) -> Work<'a, MarketOrder> {
        refused()
    }

    fn listings<'a>(&'a self, _: &'a Wire, _: Option<String>) -> Work<'a, Page<MarketListing>> {
        refused()
    }

    fn quantities<'a>(&'a self, _: &'a Wire, _: &'a [String]) -> Work<'a, Vec<(String, i64)>> {
        refused()
    }

    fn set_quantities<'a>(&'a self, _: &'a Wire, _: &'a [SetQuantity]) -> Work<'a, Vec<SetOutcome>> {
        refused()
    }

    fn ship<'a>(&'a self, _: &'a Wire, _: &'a Shipped) -> Work<'a, ()> {
        refused()
    }

    fn cancel<'a>(&'a self, _: &'a Wire, _: &'a str, _: &'a str) -> Work<'a, ()> {
        refused()
    }

    fn webhook(&self, _: &dyn Fn(&str) -> Option<String>, _: &[(String, String)], _: &[u8], _: i64) -> Result<Notice, Rejected> {
        Err(Rejected::NotUnderstood("ShipBob is a warehouse, not a marketplace".into()))
    }
}
