//! Settings of the installation: few, by name, each a JSON document.

use super::rows::SETTINGS;
use crate::Stop;
use crate::access::By;
use crate::access::audit::{self, Record};
use crate::config::Config;
use crate::db::{self, Rows, Sql, Tx, Value, Write};
use domain::Noun;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

const GET: Sql = Sql("SELECT value FROM settings WHERE name = $1");

/// The merchant's house: what pages assume where nobody says otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct House {
    /// Shown beside the product's name.
    pub name: String,
    pub language: String,
    /// A time zone of the IANA database.
    pub zone: String,
    /// The currency that pages assume, ISO 4217.
    pub currency: String,
}

impl Default for House {
    fn default() -> House {
        House { name: String::new(), language: "en".into(), zone: "UTC".into(), currency: "USD".into() }
    }
}

impl House {
    pub const NAME: &'static str = "house";
}

/// Sign-in through the company's own provider (OpenID Connect).
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Company {
    /// Such as `https://login.example.com`; empty switches it off.
    pub issuer: String,
    pub client_id: String,
    /// Encrypted.
    pub client_secret: String,
    /// What the button says.
    pub label: String,
    /// People with a mail address here are let in without an invitation, in this role; empty lets in only who was invited.
    pub domain: String,
    pub role: String,
}

impl Company {
    pub const NAME: &'static str = "company";
}

/// What is set under a name, as it is stored.
pub fn text(tx: &mut Tx<'_>, name: &str) -> db::Result<Option<String>> {
    tx.one(GET, &[Value::Text(name)], |r| r.text(0))
}

/// What is set under a name; what was never set is its default.
pub fn get<T: DeserializeOwned + Default>(tx: &mut Tx<'_>, name: &str) -> Result<T, Stop> {
    text(tx, name)?.map_or(Ok(T::default()), |t| serde_json::from_str(&t).map_err(|e| Stop::broken(format!("setting {name}: {e}"))))
}

/// Sets it. `shown` is what is shown and recorded of it before and after: without secrets. Refused if somebody has set it since it was seen.
pub fn set<T: Serialize>(tx: &mut Tx<'_>, by: &By, now: i64, name: &'static str, value: &T, shown: (Option<String>, String)) -> Result<(), Stop> {
    by.check_seen(&audit::etag(shown.0.as_deref().unwrap_or_default()), Noun::Setting, name)?;
    tx.write(vec![Write::changed(&SETTINGS, row(name, value)?)])?;
    Config::changed(tx)?;
    Ok(audit::append(tx, &[Record::new(by, now, "settings.set", "setting", name).states(shown.0, Some(shown.1))])?)
}

/// As it is stored.
pub(super) fn row<T: Serialize>(name: &'static str, value: &T) -> Result<Rows, Stop> {
    let text = serde_json::to_string(value).map_err(|e| Stop::broken(e.to_string()))?;
    Ok(Rows(vec![name.into(), text.into()]))
}
