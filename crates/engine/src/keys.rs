//! API keys: `hf_<id>_<secret>`. Only a hash of the secret is stored; the key itself is shown once.

use crate::Stop;
use crate::db::{Conn, Faults, Sql, Tx, Url, Value};
use domain::{Noun, Refused, limits};
use serde::{Deserialize, Serialize};
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

const INSERT: Sql = Sql("INSERT INTO api_keys (id, name, role, hash, created_at, expires_at) VALUES ($1, $2, $3, $4, $5, $6)");
const BY_ID: Sql = Sql("SELECT id, name, role, hash, created_at, expires_at, revoked_at FROM api_keys WHERE id = $1");
const ALL: Sql = Sql("SELECT id, name, role, hash, created_at, expires_at, revoked_at FROM api_keys ORDER BY created_at, id LIMIT 1000");
const REVOKE: Sql = Sql("UPDATE api_keys SET revoked_at = $1 WHERE id = $2 AND revoked_at IS NULL");

/// What a key may do; each role may do all that the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// See everything.
    Read,
    /// Sell, receive, ship: everything of the daily work.
    Operate,
    /// Also items, locations, rules, keys.
    Admin,
}

impl Role {
    pub fn word(self) -> &'static str {
        match self {
            Role::Read => "read",
            Role::Operate => "operate",
            Role::Admin => "admin",
        }
    }

    pub fn parse(word: &str) -> Option<Role> {
        [Role::Read, Role::Operate, Role::Admin].into_iter().find(|r| r.word() == word)
    }
}

/// A key without its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub id: String,
    pub name: String,
    pub role: Role,
    hash: [u8; 32],
    pub created_at: i64,
    pub expires_at: Option<i64>,
    pub revoked_at: Option<i64>,
}

impl Key {
    /// Whether this secret opens this key now. Takes the same time for every wrong secret.
    pub fn opens(&self, secret: &str, now: i64) -> bool {
        let right = bool::from(hash(secret).ct_eq(&self.hash));
        right && self.revoked_at.is_none() && self.expires_at.is_none_or(|at| at > now)
    }

    /// Splits `hf_<id>_<secret>`.
    pub fn split(text: &str) -> Option<(&str, &str)> {
        let (id, secret) = text.strip_prefix("hf_")?.split_once('_')?;
        (id.len() == 12 && secret.len() == 43).then_some((id, secret))
    }

    fn read(row: &crate::db::Row<'_>) -> Key {
        Key {
            id: row.text(0),
            name: row.text(1),
            // A role that this version does not know may do the least.
            role: Role::parse(&row.text(2)).unwrap_or(Role::Read),
            hash: row.hash(3),
            created_at: row.int(4),
            expires_at: row.opt_int(5),
            revoked_at: row.opt_int(6),
        }
    }
}

/// The secret has 256 random bits, so a fast hash is enough: there is nothing to guess.
fn hash(secret: &str) -> [u8; 32] {
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

/// Creates a key and answers its text, which is not stored. Works beside a running server.
pub fn create_key(url: &Url, name: &str, role: Role, now: i64, expires_at: Option<i64>) -> Result<(Key, String), Stop> {
    limits::name("name", name)?;
    let (id, secret) = (random_text(12)?, random_text(43)?);
    let mut conn = Conn::open(url)?;
    crate::db::migrate(&mut conn)?;
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    let hash = hash(&secret);
    let values = [Value::Text(&id), Value::Text(name), Value::Text(role.word()), Value::Bytes(&hash), Value::Int(now), Value::opt_int(expires_at)];
    tx.execute(INSERT, &values)?;
    tx.commit()?;
    let text = format!("hf_{id}_{secret}");
    Ok((Key { id, name: name.into(), role, hash, created_at: now, expires_at, revoked_at: None }, text))
}

pub fn find_key(tx: &mut Tx<'_>, id: &str) -> Result<Option<Key>, Stop> {
    Ok(tx.one(BY_ID, &[Value::Text(id)], Key::read)?)
}

pub fn list_keys(tx: &mut Tx<'_>) -> Result<Vec<Key>, Stop> {
    Ok(tx.rows(ALL, &[], Key::read)?)
}

/// Ends a key for good. Works beside a running server, which notices within a second.
pub fn revoke_key(url: &Url, id: &str, now: i64) -> Result<(), Stop> {
    let mut conn = Conn::open(url)?;
    crate::db::migrate(&mut conn)?;
    let none = Faults::default();
    let mut tx = conn.begin(&none)?;
    if tx.execute(REVOKE, &[Value::Int(now), Value::Text(id)])? == 0 {
        return Err(Refused::unknown(Noun::Key, id, "id").into());
    }
    Ok(tx.commit()?)
}
