//! The rows of people, passkeys, sessions, links, roles and settings: how they are read and written.

use crate::db::{Cell, Row, Rows, Table, Type};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use Type::{Hash, Int, Text};

pub const PEOPLE: Table = Table {
    name: "people",
    columns: &[
        ("id", Text),
        ("login", Text),
        ("name", Text),
        ("role", Text),
        ("locations", Text),
        ("channels", Text),
        ("password", Text),
        ("totp", Text),
        ("totp_step", Int),
        ("recovery", Text),
        ("subject", Text),
        ("preferences", Text),
        ("active", Int),
        ("failures", Int),
        ("locked_until", Int),
        ("created_at", Int),
        ("seen_at", Int),
    ],
    key: "id",
};

pub const PASSKEYS: Table = Table {
    name: "passkeys",
    columns: &[("id", Text), ("person", Text), ("name", Text), ("credential", Text), ("created_at", Int), ("used_at", Int)],
    key: "id",
};

pub const SESSIONS: Table = Table {
    name: "sessions",
    columns: &[
        ("id", Text),
        ("hash", Hash),
        ("person", Text),
        ("how", Text),
        ("second", Int),
        ("address", Text),
        ("agent", Text),
        ("created_at", Int),
        ("seen_at", Int),
        ("ended_at", Int),
    ],
    key: "id",
};

pub const LINKS: Table = Table {
    name: "links",
    columns: &[("id", Text), ("hash", Hash), ("kind", Text), ("person", Text), ("created_at", Int), ("expires_at", Int), ("used_at", Int)],
    key: "id",
};

pub const ROLES: Table = Table {
    name: "roles",
    columns: &[("name", Text), ("about", Text), ("permissions", Text), ("second_factor", Int), ("created_at", Int)],
    key: "name",
};

pub const SETTINGS: Table = Table { name: "settings", columns: &[("name", Text), ("value", Text)], key: "name" };

/// What somebody prefers; None follows the installation or the browser.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Preferences {
    /// Such as `en` or `de`.
    pub language: Option<String>,
    /// A time zone of the IANA database, such as `Europe/London`.
    pub zone: Option<String>,
    /// `light` or `dark`.
    pub theme: Option<String>,
}

/// Somebody who can sign in. Holds secrets, so it shows none by `Debug` and is never serialized.
#[derive(Clone)]
pub struct Person {
    pub id: String,
    pub login: String,
    pub name: String,
    pub role: String,
    /// Ids of the locations, and codes of the channels, that the person is limited to.
    pub locations: Option<Vec<i64>>,
    pub channels: Option<Vec<String>>,
    /// A PHC string of argon2id.
    pub password: Option<String>,
    /// The secret of the second factor, encrypted.
    pub totp: Option<String>,
    /// The last step that was used; none at or before it is taken again.
    pub totp_step: i64,
    /// Hashes of recovery codes that are left.
    pub recovery: Vec<String>,
    /// Issuer and subject at the company's provider.
    pub subject: Option<String>,
    pub preferences: Preferences,
    pub active: bool,
    pub failures: i64,
    /// Microseconds since 1970 UTC, as all times here.
    pub locked_until: i64,
    pub created_at: i64,
    pub seen_at: Option<i64>,
}

impl std::fmt::Debug for Person {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Person {} {}", self.id, self.login)
    }
}

pub const PERSON_COLUMNS: &str = "id, login, name, role, locations, channels, password, totp, totp_step, recovery, subject, preferences, active, failures, locked_until, created_at, seen_at";

fn list<T: for<'d> Deserialize<'d>>(text: Option<String>) -> Option<Vec<T>> {
    // A limit that cannot be read is a limit to nothing.
    text.map(|t| serde_json::from_str(&t).unwrap_or_default())
}

fn json(value: &impl Serialize) -> Cell {
    serde_json::to_string(value).unwrap_or_else(|_| "null".into()).into()
}

impl Person {
    pub fn read(row: &Row<'_>) -> Person {
        Person::read_at(row, 0)
    }

    /// From the columns that begin at `n`.
    pub fn read_at(row: &Row<'_>, n: usize) -> Person {
        Person {
            id: row.text(n),
            login: row.text(n + 1),
            name: row.text(n + 2),
            role: row.text(n + 3),
            locations: list(row.opt_text(n + 4)),
            channels: list(row.opt_text(n + 5)),
            password: row.opt_text(n + 6),
            totp: row.opt_text(n + 7),
            totp_step: row.int(n + 8),
            recovery: serde_json::from_str(&row.text(n + 9)).unwrap_or_default(),
            subject: row.opt_text(n + 10),
            preferences: serde_json::from_str(&row.text(n + 11)).unwrap_or_default(),
            active: row.flag(n + 12),
            failures: row.int(n + 13),
            locked_until: row.int(n + 14),
            created_at: row.int(n + 15),
            seen_at: row.opt_int(n + 16),
        }
    }

    pub fn rows(&self) -> Rows {
        let p = self.clone();
        Rows(vec![
            p.id.into(),
            p.login.into(),
            p.name.into(),
            p.role.into(),
            p.locations.as_ref().map_or(Cell::Null, json),
            p.channels.as_ref().map_or(Cell::Null, json),
            p.password.into(),
            p.totp.into(),
            p.totp_step.into(),
            json(&p.recovery),
            p.subject.into(),
            json(&p.preferences),
            p.active.into(),
            p.failures.into(),
            p.locked_until.into(),
            p.created_at.into(),
            p.seen_at.into(),
        ])
    }
}

/// A key pair that somebody signs in with; the private half never leaves their device.
#[derive(Debug, Clone)]
pub struct Passkey {
    pub id: String,
    pub person: String,
    pub name: String,
    /// As `identity::passkey` keeps it.
    pub credential: String,
    pub created_at: i64,
    pub used_at: Option<i64>,
}

impl Passkey {
    pub fn read(row: &Row<'_>) -> Passkey {
        Passkey { id: row.text(0), person: row.text(1), name: row.text(2), credential: row.text(3), created_at: row.int(4), used_at: row.opt_int(5) }
    }

    pub fn rows(&self) -> Rows {
        let k = self.clone();
        Rows(vec![k.id.into(), k.person.into(), k.name.into(), k.credential.into(), k.created_at.into(), k.used_at.into()])
    }
}

/// A browser that is signed in.
#[derive(Clone)]
pub struct Session {
    pub id: String,
    pub(crate) hash: [u8; 32],
    pub person: String,
    /// password, passkey, company or link
    pub how: String,
    /// Whether a second factor was shown, or the way of signing in is as good as two.
    pub second: bool,
    pub address: String,
    /// What the browser calls itself.
    pub agent: String,
    pub created_at: i64,
    pub seen_at: i64,
    pub ended_at: Option<i64>,
}

pub const SESSION_COLUMNS: &str = "id, hash, person, how, second, address, agent, created_at, seen_at, ended_at";

impl Session {
    pub fn read(row: &Row<'_>) -> Session {
        Session {
            id: row.text(0),
            hash: row.hash(1),
            person: row.text(2),
            how: row.text(3),
            second: row.flag(4),
            address: row.text(5),
            agent: row.text(6),
            created_at: row.int(7),
            seen_at: row.int(8),
            ended_at: row.opt_int(9),
        }
    }

    pub fn rows(&self) -> Rows {
        let s = self.clone();
        Rows(vec![
            s.id.into(),
            Cell::Hash(s.hash),
            s.person.into(),
            s.how.into(),
            s.second.into(),
            s.address.into(),
            s.agent.into(),
            s.created_at.into(),
            s.seen_at.into(),
            s.ended_at.into(),
        ])
    }
}
