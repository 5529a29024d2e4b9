//! API keys: `hf_<id>_<secret>`. Only a hash of the secret is stored; the key itself is shown once. A key has a role, limits to
//! locations and channels as people have, an end, and the time of its last use.

use crate::Stop;
use crate::access::By;
use crate::access::audit::{self, Record};
use crate::config::Config;
use crate::db::{Conn, Faults, Row, Rows, Sql, Table, Tx, Type, Url, Value, Write};
use crate::people::{Limits, grant, roles};
use crate::views::Time;
use domain::{Grant, Noun, Refused, limits};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

pub const API_KEYS: Table = Table {
    name: "api_keys",
    columns: &[
        ("id", Type::Text),
        ("name", Type::Text),
        ("role", Type::Text),
        ("hash", Type::Hash),
        ("created_at", Type::Int),
        ("expires_at", Type::Int),
        ("revoked_at", Type::Int),
        ("locations", Type::Text),
        ("channels", Type::Text),
        ("used_at", Type::Int),
    ],
    key: "id",
};

const BY_ID: Sql = Sql("SELECT id, name, role, hash, created_at, expires_at, revoked_at, locations, channels, used_at FROM api_keys WHERE id = $1");
const ALL: Sql = Sql(
    "SELECT id, name, role, hash, created_at, expires_at, revoked_at, locations, channels, used_at FROM api_keys ORDER BY created_at DESC, id LIMIT 1000",
);
const REVOKE: Sql = Sql("UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL");
const USED: Sql = Sql("UPDATE api_keys SET used_at = $1 WHERE id = $2");

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub role: String,
    hash: [u8; 32],
    /// Microseconds since 1970 UTC, as all times here.
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
    pub locations: Option<Vec<i64>>,
    pub channels: Option<Vec<String>>,
    /// Known to the minute.
    pub used_at: Option<i64>,
}

/// A key to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// Whom it is for; stands in the books beside what was done with it.
    pub name: String,
    /// The name of a role.
    #[schema(example = "operate")]
    pub role: String,
    /// Left out: until it is revoked.
    #[serde(default)]
    pub expires_in_seconds: Option<i64>,
    /// Codes of locations; everywhere if left out.
    #[serde(default)]
    pub locations: Option<Vec<String>>,
    /// Codes of channels; all if left out.
    #[serde(default)]
    pub channels: Option<Vec<String>>,
}

/// A key as people see it.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView {
    pub id: String,
    pub name: String,
    pub role: String,
    #[serde(flatten)]
    pub limits: Limits,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires_at: Option<Time>,
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked_at: Option<Time>,
    /// Known to the minute.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Time>,
}

impl KeyView {
    pub fn new(key: &Key, config: &Config) -> KeyView {
        KeyView {
            id: key.id.clone(),
            name: key.name.clone(),
            role: key.role.clone(),
            limits: Limits::of(config, &key.locations, &key.channels),
            created_at: Time(key.created_at),
            expires_at: key.expires_at.map(Time),
            revoked_at: key.revoked_at.map(Time),
            used_at: key.used_at.map(Time),
        }
    }
}

impl Key {
    /// Whether this secret opens this key now. Takes the same time for every wrong secret.
    pub fn opens(&self, secret: &str, now: i64) -> bool {
        let right = bool::from(secret_hash(secret).ct_eq(&self.hash));
        right && self.is_in_force(now)
    }

    /// Whether it is neither revoked nor too old.
    pub fn is_in_force(&self, now: i64) -> bool {
        self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// Splits `hf_<id>_<secret>`.
    pub fn split(text: &str) -> Option<(&str, &str)> {
        split("hf_", text)
    }

    fn read(row: &Row<'_>) -> Key {
        // A limit that cannot be read is a limit to nothing.
        let list = |text: Option<String>| text.map(|t| serde_json::from_str(&t).unwrap_or_default());
        Key {
            id: row.text(0),
            name: row.text(1),
            role: row.text(2),
            hash: row.hash(3),
            created_at: row.int(4),
            expires_at: row.opt_int(5),
            revoked_at: row.opt_int(6),
            locations: row.opt_text(7).map(|t| serde_json::from_str(&t).unwrap_or_default()),
            channels: list(row.opt_text(8)),
            used_at: row.opt_int(9),
        }
    }

    fn rows(&self) -> Rows {
        let list = |text: Option<String>| text.into();
        Rows(vec![
            self.id.clone().into(),
            self.name.clone().into(),
            self.role.clone().into(),
            crate::db::Cell::Hash(self.hash),
            self.created_at.into(),
            self.expires_at.into(),
            self.revoked_at.into(),
            list(self.locations.as_ref().and_then(|l| serde_json::to_string(l).ok())),
            list(self.channels.as_ref().and_then(|c| serde_json::to_string(c).ok())),
            self.used_at.into(),
        ])
    }
}

/// Splits `<prefix><id>_<secret>` as keys, sessions and links are written.
pub(crate) fn split<'t>(prefix: &str, text: &'t str) -> Option<(&'t str, &'t str)> {
    let (id, secret) = text.strip_prefix(prefix)?.split_once('_')?;
    (id.len() == 12 && secret.len() == 43).then_some((id, secret))
}

/// The secret has 256 random bits, so a fast hash is enough: there is nothing to guess.
pub(crate) fn secret_hash(secret: &str) -> [u8; 32] {
    *blake3::hash(secret.as_bytes()).as_bytes()
}

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// Random letters and digits, each with 62 equal chances.
pub(crate) fn random_text(length: usize) -> Result<String, Stop> {
    let mut text = String::with_capacity(length);
    let mut bytes = [0u8; 64];
    while text.len() < length {
        getrandom::fill(&mut bytes).map_err(|e| Stop::broken(format!("no randomness: {e}")))?;
        let fair = bytes.iter().filter(|b| **b < 248).map(|b| char::from(ALPHABET[usize::from(*b) % 62]));
        text.extend(fair.take(length - text.len()));
    }
    Ok(text)
}

/// Writes in a transaction of its own beside a running server, for the command line.
pub fn beside<T>(url: &Url, write: impl FnOnce(&mut Tx<'_>) -> Result<T, Stop>) -> Result<T, Stop> {
    let mut conn = Conn::open(url)?;
    crate::db::migrate(&mut conn)?;
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    let value = write(&mut tx)?;
    tx.commit()?;
    Ok(value)
}

/// Creates a key and answers its text, which is not stored. Nobody may give a key more than they have.
pub fn create(tx: &mut Tx<'_>, by: &By, now: i64, new: &NewKey) -> Result<(Key, String), Stop> {
    limits::name("name", &new.name)?;
    let mut config = Arc::default();
    Config::refresh(tx, &mut config)?;
    let role = roles::known(tx, &new.role, "role")?;
    let reach = Limits { locations: new.locations.clone(), channels: new.channels.clone() };
    let expires_at = match new.expires_in_seconds {
        Some(seconds) => Some(now + 1_000_000 * limits::quantity("expires_in_seconds", seconds)?),
        None => None,
    };
    let (id, secret) = (random_text(12)?, random_text(43)?);
    let key = Key {
        name: new.name.clone(),
        role: role.name,
        hash: secret_hash(&secret),
        created_at: now,
        expires_at,
        revoked_at: None,
        locations: reach.ids(&config)?,
        channels: reach.channels,
        used_at: None,
        id,
    };
    roles::may_give(by, &grant(role.permissions, &key.locations, &key.channels), true)?;
    tx.write(vec![Write::new(&API_KEYS, key.rows())])?;
    let after = serde_json::to_string(&KeyView::new(&key, &config)).ok();
    audit::append(tx, &[Record::new(by, now, "key.create", "key", &key.id).states(None, after)])?;
    let text = format!("hf_{}_{secret}", key.id);
    Ok((key, text))
}

/// Creates a key with a role and no limits, beside a running server.
pub fn create_key(url: &Url, name: &str, role: &str, now: i64, expires_at: Option<i64>) -> Result<(Key, String), Stop> {
    let expires_in_seconds = expires_at.map(|at| (at - now) / 1_000_000);
    let new = NewKey { name: name.into(), role: role.into(), expires_in_seconds, locations: None, channels: None };
    beside(url, |tx| create(tx, &By::from("command line"), now, &new))
}

/// A key by its id, and what it may do.
pub fn find_key(tx: &mut Tx<'_>, id: &str) -> Result<Option<(Key, Grant)>, Stop> {
    let Some(key) = tx.one(BY_ID, &[Value::Text(id)], Key::read)? else { return Ok(None) };
    let permissions = roles::find(tx, &key.role)?.map(|r| r.permissions).unwrap_or_default();
    let grant = grant(permissions, &key.locations, &key.channels);
    Ok(Some((key, grant)))
}

/// All keys, the newest first.
pub fn list_keys(tx: &mut Tx<'_>) -> Result<Vec<Key>, Stop> {
    Ok(tx.rows(ALL, &[], Key::read)?)
}

/// Notes that a key is in use.
pub fn used(tx: &mut Tx<'_>, now: i64, id: &str) -> Result<(), Stop> {
    tx.execute(USED, &[Value::Int(now), Value::Text(id)])?;
    Ok(())
}

/// Ends a key for good; every server notices within a second.
pub fn revoke(tx: &mut Tx<'_>, by: &By, now: i64, id: &str) -> Result<(), Stop> {
    if tx.execute(REVOKE, &[Value::Int(now), Value::Text(id)])? == 0 {
        return Err(Refused::unknown(Noun::Key, id, "id").into());
    }
    Ok(audit::append(tx, &[Record::new(by, now, "key.revoke", "key", id)])?)
}
