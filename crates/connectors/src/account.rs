//! An account at an outside system: how one signs in there, what its answers and limits mean. Marketplaces and warehouses
//! are accounts; a [`Wire`] leads to one.

use crate::transport::{Fault, Limit, Request, Response, Token, Wire};
use std::future::Future;
use std::pin::Pin;

/// Work that asks an outside system something, perhaps in several requests.
pub type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, Fault>> + Send + 'a>>;

/// A field that is needed to connect.
#[derive(Debug, Clone, Copy)]
pub struct Setting {
    pub name: &'static str,
    pub help: &'static str,
    /// Encrypted at rest and never shown again.
    pub secret: bool,
}

/// An account's kind by its word: a marketplace, or a warehouse.
pub fn by_word(word: &str) -> Option<&'static dyn Account> {
    let market = crate::marketplace::by_word(word).map(|m| m as &'static dyn Account);
    market.or_else(|| crate::warehouse::by_word(word).map(|w| w as &'static dyn Account))
}

pub trait Account: Send + Sync {
    /// The word by which it is connected, such as `shopify`.
    fn word(&self) -> &'static str;
    fn name(&self) -> &'static str;
    /// What is needed to connect.
    fn settings(&self) -> &'static [Setting];
    /// The request that gets a token, where tokens run out.
    fn sign_in(&self, _setting: &dyn Fn(&str) -> String) -> Option<Request> {
        None
    }
    fn read_token(&self, answer: &Response, now: i64) -> Result<Token, Fault> {
        crate::read::token(answer, now)
    }
    /// Headers of every request; `token` is the one from [`Account::sign_in`], or empty.
    fn headers(&self, setting: &dyn Fn(&str) -> String, token: &str) -> Vec<(&'static str, String)>;
    /// Turns an answer that says no, in its status or in its body, into what it means; None if it is good.
    fn fault(&self, answer: &Response) -> Option<Fault>;
    /// The limit of an operation (`Request::what`): with an answer, what that tells, good or not; without one, what is
    /// published. None if nothing is known.
    fn limit(&self, _what: &'static str, _answer: Option<&Response>) -> Option<Limit> {
        None
    }
    /// Headers, in lower case, by which a webhook is named: the same for each copy of it. Without one its body is its name.
    fn webhook_names(&self) -> &'static [&'static str] {
        &["webhook-id"]
    }
    /// Asks something harmless, to see whether the settings are right; answers the account's name.
    fn check<'a>(&'a self, wire: &'a Wire) -> Work<'a, String>;
}
