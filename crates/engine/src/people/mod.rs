//! People: who can sign in, with which role, limited to which locations and channels.
//!
//! Here: creating and changing them. Beside: signing in and sessions (`sign_in.rs`), links that open once (`links.rs`), roles
//! (`roles.rs`), settings of the installation (`settings.rs`), secrets under a new key (`reseal.rs`). Not here: checking a password, a code or a passkey (`identity`).
//! Everything is a function of a transaction, so that the server and the command line do the same; run it with
//! [`crate::Engine::transact`] or [`crate::beside`].

pub mod links;
pub mod pending;
pub mod reseal;
pub mod roles;
pub mod rows;
pub mod settings;
pub mod sign_in;

use crate::Stop;
use crate::access::By;
use crate::access::audit::{self, Record};
use crate::config::Config;
use crate::db::{Sql, Tx, Value, Write};
use crate::views::Time;
use domain::{Grant, Noun, Permissions, Refused, limits};
use rows::{PASSKEYS, PEOPLE};
pub use rows::{Passkey, Person, Preferences, Session};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use utoipa::ToSchema;

const BY_ID: Sql = Sql(
    "SELECT id, login, name, role, locations, channels, password, totp, totp_step, recovery, subject, preferences, active, failures, locked_until, created_at, seen_at FROM people WHERE id = $1",
);
const BY_LOGIN: Sql = Sql(
    "SELECT id, login, name, role, locations, channels, password, totp, totp_step, recovery, subject, preferences, active, failures, locked_until, created_at, seen_at FROM people WHERE login = $1",
);
const BY_SUBJECT: Sql = Sql(
    "SELECT id, login, name, role, locations, channels, password, totp, totp_step, recovery, subject, preferences, active, failures, locked_until, created_at, seen_at FROM people WHERE subject = $1",
);
const ALL: Sql = Sql(
    "SELECT id, login, name, role, locations, channels, password, totp, totp_step, recovery, subject, preferences, active, failures, locked_until, created_at, seen_at FROM people ORDER BY name, login LIMIT 5000",
);
const NAMES: Sql = Sql("SELECT login, name FROM people WHERE active = 1 ORDER BY name, login LIMIT 5000");
const ANY: Sql = Sql("SELECT COUNT(*) FROM (SELECT id FROM people LIMIT 1) AS someone");
const PASSKEYS_OF: Sql = Sql("SELECT id, person, name, credential, created_at, used_at FROM passkeys WHERE person = $1 ORDER BY created_at");
const PASSKEY: Sql = Sql("SELECT id, person, name, credential, created_at, used_at FROM passkeys WHERE id = $1");
const REMOVE_PASSKEY: Sql = Sql("DELETE FROM passkeys WHERE id = $1 AND person = $2");

/// Most people of one installation.
pub const MAX_PEOPLE: usize = 5_000;
/// Most passkeys of one person.
const MAX_PASSKEYS: usize = 20;

/// Somebody to be let in.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPerson {
    /// A mail address.
    pub login: String,
    pub name: String,
    pub role: String,
    /// Codes of locations; everywhere if left out.
    #[serde(default)]
    pub locations: Option<Vec<String>>,
    /// Codes of channels; all if left out.
    #[serde(default)]
    pub channels: Option<Vec<String>>,
}

/// The fields to change; those left out stay. Limits are given whole.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct UpdatePerson {
    pub name: Option<String>,
    pub role: Option<String>,
    /// Both limits at once, so that one can be taken away.
    pub limits: Option<Limits>,
    pub active: Option<bool>,
}

/// What somebody is limited to; none of it is everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Limits {
    /// Codes of locations.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub locations: Option<Vec<String>>,
    /// Codes of channels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
}

impl Limits {
    /// With locations by their ids. Refuses a location that is not there.
    pub(crate) fn ids(&self, config: &Config) -> Result<Option<Vec<i64>>, Refused> {
        let id = |(n, code): (usize, &String)| {
            config.by_code(code).map(|l| l.id).ok_or_else(|| Refused::unknown(Noun::Location, code, format!("locations[{n}]")))
        };
        self.channels.iter().flatten().try_for_each(|code| limits::name("channels", code).map(drop))?;
        self.locations.as_ref().map(|codes| codes.iter().enumerate().map(id).collect()).transpose()
    }

    pub(crate) fn of(config: &Config, locations: &Option<Vec<i64>>, channels: &Option<Vec<String>>) -> Limits {
        let codes = |ids: &Vec<i64>| ids.iter().map(|id| config.code(*id).to_string()).collect();
        Limits { locations: locations.as_ref().map(codes), channels: channels.clone() }
    }
}

/// A person without what they sign in with.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PersonView {
    pub id: String,
    pub login: String,
    pub name: String,
    pub role: String,
    #[serde(flatten)]
    pub limits: Limits,
    pub active: bool,
    pub has_password: bool,
    pub has_second_factor: bool,
    pub from_company: bool,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

impl PersonView {
    pub fn new(person: &Person, config: &Config) -> PersonView {
        PersonView {
            id: person.id.clone(),
            login: person.login.clone(),
            name: person.name.clone(),
            role: person.role.clone(),
            limits: Limits::of(config, &person.locations, &person.channels),
            active: person.active,
            has_password: person.password.is_some(),
            has_second_factor: person.totp.is_some(),
            from_company: person.subject.is_some(),
            created_at: Time(person.created_at),
        }
    }
}

impl Person {
    /// What the person may do in a role with these permissions.
    pub fn grant(&self, permissions: Permissions) -> Grant {
        grant(permissions, &self.locations, &self.channels)
    }

    /// As it stands in entries, events and the audit log.
    pub fn actor(&self) -> Arc<str> {
        format!("person:{}", self.login).into()
    }
}

pub(crate) fn grant(permissions: Permissions, locations: &Option<Vec<i64>>, channels: &Option<Vec<String>>) -> Grant {
    let channels = channels.as_ref().map(|codes| codes.iter().map(|c| Arc::<str>::from(c.as_str())).collect());
    Grant { permissions, locations: locations.as_ref().map(|ids| ids.as_slice().into()), channels }
}

/// A mail address as a login: in lower case. Refuses what cannot be one.
pub fn login(field: &str, text: &str) -> Result<String, Refused> {
    let login = text.trim().to_lowercase();
    limits::name(field, &login)?;
    let well_formed = login.split_once('@').is_some_and(|(user, host)| !user.is_empty() && host.contains('.') && !host.contains('@'));
    let plain = !login.chars().any(|c| c.is_whitespace() || "<>\"',;:\\()[]".contains(c));
    if well_formed && plain { Ok(login) } else { Err(Refused::invalid(field, "must be a mail address, such as ada@example.com")) }
}

pub fn by_id(tx: &mut Tx<'_>, id: &str) -> Result<Person, Stop> {
    debug_assert!(BY_ID.0.contains(rows::PERSON_COLUMNS));
    tx.one(BY_ID, &[Value::Text(id)], Person::read)?.ok_or_else(|| Refused::unknown(Noun::Person, id, "id").into())
}

pub fn by_login(tx: &mut Tx<'_>, login: &str) -> Result<Option<Person>, Stop> {
    Ok(tx.one(BY_LOGIN, &[Value::Text(login)], Person::read)?)
}

/// Who the company's provider means: issuer and subject.
pub fn by_subject(tx: &mut Tx<'_>, subject: &str) -> Result<Option<Person>, Stop> {
    Ok(tx.one(BY_SUBJECT, &[Value::Text(subject)], Person::read)?)
}

/// Everybody, by name.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Person>, Stop> {
    Ok(tx.rows(ALL, &[], Person::read)?)
}

/// The logins and names of all who can sign in, by name.
pub fn names(tx: &mut Tx<'_>) -> Result<Vec<(String, String)>, Stop> {
    Ok(tx.rows(NAMES, &[], |r| (r.text(0), r.text(1)))?)
}

/// Whether nobody can sign in yet.
pub fn is_empty(tx: &mut Tx<'_>) -> Result<bool, Stop> {
    Ok(tx.one(ANY, &[], |r| r.int(0))?.unwrap_or(0) == 0)
}

pub(crate) fn write(tx: &mut Tx<'_>, person: &Person) -> Result<(), Stop> {
    Ok(tx.write(vec![Write::changed(&PEOPLE, person.rows())])?)
}

fn state(person: &Person, config: &Config) -> Option<String> {
    serde_json::to_string(&PersonView::new(person, config)).ok()
}

/// The configuration, as these operations need it: names of locations.
fn config(tx: &mut Tx<'_>) -> Result<Arc<Config>, Stop> {
    let mut config = Arc::default();
    Config::refresh(tx, &mut config)?;
    Ok(config)
}

/// Lets somebody in. They cannot sign in before they have a password, a passkey, or come through their company.
pub fn create(tx: &mut Tx<'_>, by: &By, now: i64, new: &NewPerson) -> Result<Person, Stop> {
    let login = login("login", &new.login)?;
    let name = limits::text("name", new.name.trim())?.to_owned();
    if name.is_empty() {
        return Err(Refused::invalid("name", "must not be empty").into());
    }
    if by_login(tx, &login)?.is_some() {
        return Err(Refused::Exists { noun: Noun::Person, name: login }.into());
    }
    if list(tx)?.len() >= MAX_PEOPLE {
        return Err(Refused::LimitReached { noun: Noun::Person, most: MAX_PEOPLE }.into());
    }
    let config = config(tx)?;
    let limits = Limits { locations: new.locations.clone(), channels: new.channels.clone() };
    let role = roles::known(tx, &new.role, "role")?;
    let person = Person {
        id: crate::keys::random_text(12)?,
        login,
        name,
        role: role.name,
        locations: limits.ids(&config)?,
        channels: limits.channels,
        password: None,
        totp: None,
        totp_step: 0,
        recovery: Vec::new(),
        subject: None,
        preferences: Preferences::default(),
        active: true,
        failures: 0,
        locked_until: 0,
        created_at: now,
        seen_at: None,
    };
    roles::may_give(by, &person.grant(role.permissions), true)?;
    write(tx, &person)?;
    audit::append(tx, &[Record::new(by, now, "person.create", "person", &person.login).states(None, state(&person, &config))])?;
    Ok(person)
}

/// Changes somebody. Whoever is switched off is signed out. There is always somebody left who may do everything.
pub fn update(tx: &mut Tx<'_>, by: &By, now: i64, id: &str, change: &UpdatePerson) -> Result<Person, Stop> {
    let config = config(tx)?;
    let before = by_id(tx, id)?;
    let seen = state(&before, &config).unwrap_or_default();
    by.check_seen(&audit::etag(&seen), Noun::Person, &before.login)?;
    may_change(tx, by, &before)?;
    let mut person = before.clone();
    if let Some(name) = &change.name {
        person.name = limits::text("name", name.trim())?.to_owned();
    }
    if let Some(role) = &change.role {
        person.role = roles::known(tx, role, "role")?.name;
    }
    if let Some(limits) = &change.limits {
        person.locations = limits.ids(&config)?;
        person.channels = limits.channels.clone();
    }
    person.active = change.active.unwrap_or(person.active);
    let permissions = roles::find(tx, &person.role)?.map(|r| r.permissions).unwrap_or_default();
    roles::may_give(by, &person.grant(permissions), true)?;
    if owns(tx, &before)? && !owns(tx, &person)? && !somebody_else_owns(tx, id)? {
        return Err(Refused::invalid("role", "would leave nobody who may do everything; give somebody else the role of owner first").into());
    }
    write(tx, &person)?;
    if !person.active {
        sign_in::end_all(tx, id, "", now)?;
    }
    let record = Record::new(by, now, "person.update", "person", &person.login).states(Some(seen), state(&person, &config));
    audit::append(tx, &[record])?;
    Ok(person)
}

/// Refuses who wants to change somebody that may do more than themselves.
pub fn may_change(tx: &mut Tx<'_>, by: &By, person: &Person) -> Result<(), Stop> {
    let permissions = roles::find(tx, &person.role)?.map(|r| r.permissions).unwrap_or_default();
    Ok(roles::may_give(by, &person.grant(permissions), true)?)
}

fn owns(tx: &mut Tx<'_>, person: &Person) -> Result<bool, Stop> {
    let permissions = roles::find(tx, &person.role)?.map(|r| r.permissions).unwrap_or_default();
    Ok(person.active && permissions == Permissions::ALL && person.locations.is_none() && person.channels.is_none())
}

fn somebody_else_owns(tx: &mut Tx<'_>, id: &str) -> Result<bool, Stop> {
    for other in list(tx)?.into_iter().filter(|p| p.id != id) {
        if owns(tx, &other)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Sets a password (its PHC string), and signs out every session but one.
pub fn set_password(tx: &mut Tx<'_>, by: &By, now: i64, id: &str, phc: &str, keep_session: &str) -> Result<(), Stop> {
    let person = Person { password: Some(phc.into()), failures: 0, locked_until: 0, ..by_id(tx, id)? };
    write(tx, &person)?;
    sign_in::end_all(tx, id, keep_session, now)?;
    Ok(audit::append(tx, &[Record::new(by, now, "person.set_password", "person", &person.login)])?)
}

/// Keeps the hash of a password anew, which was made of the same password in today's way.
pub fn rehash(tx: &mut Tx<'_>, id: &str, phc: &str) -> Result<(), Stop> {
    let person = Person { password: Some(phc.into()), ..by_id(tx, id)? };
    write(tx, &person)
}

/// Sets or takes away the second factor: its secret, encrypted, the step that was just used, and the hashes of the recovery codes.
pub fn set_second_factor(tx: &mut Tx<'_>, by: &By, now: i64, id: &str, totp: Option<(String, i64)>, recovery: Vec<String>) -> Result<(), Stop> {
    let known = by_id(tx, id)?;
    let action = if totp.is_some() { "person.set_second_factor" } else { "person.remove_second_factor" };
    let totp_step = totp.as_ref().map_or(0, |(_, step)| *step);
    write(tx, &Person { totp: totp.map(|(secret, _)| secret), totp_step, recovery, ..known.clone() })?;
    Ok(audit::append(tx, &[Record::new(by, now, action, "person", &known.login)])?)
}

/// Ties somebody to who the company's provider says they are.
pub fn set_subject(tx: &mut Tx<'_>, by: &By, now: i64, id: &str, subject: &str) -> Result<(), Stop> {
    let known = by_id(tx, id)?;
    write(tx, &Person { subject: Some(subject.into()), ..known.clone() })?;
    Ok(audit::append(tx, &[Record::new(by, now, "person.set_company", "person", &known.login)])?)
}

/// Sets what somebody prefers. Their own matter, so it is not recorded.
pub fn set_preferences(tx: &mut Tx<'_>, id: &str, preferences: Preferences) -> Result<(), Stop> {
    let known = by_id(tx, id)?;
    write(tx, &Person { preferences, ..known })
}

pub fn passkeys(tx: &mut Tx<'_>, person: &str) -> Result<Vec<Passkey>, Stop> {
    Ok(tx.rows(PASSKEYS_OF, &[Value::Text(person)], Passkey::read)?)
}

pub fn passkey(tx: &mut Tx<'_>, id: &str) -> Result<Option<Passkey>, Stop> {
    Ok(tx.one(PASSKEY, &[Value::Text(id)], Passkey::read)?)
}

pub fn add_passkey(tx: &mut Tx<'_>, by: &By, now: i64, passkey: &Passkey) -> Result<(), Stop> {
    limits::text("name", &passkey.name)?;
    if passkeys(tx, &passkey.person)?.len() >= MAX_PASSKEYS {
        return Err(Refused::LimitReached { noun: Noun::Passkey, most: MAX_PASSKEYS }.into());
    }
    let person = by_id(tx, &passkey.person)?;
    tx.write(vec![Write::new(&PASSKEYS, passkey.rows())])?;
    let after = serde_json::json!({ "name": passkey.name }).to_string();
    Ok(audit::append(tx, &[Record::new(by, now, "person.add_passkey", "person", person.login).states(None, Some(after))])?)
}

/// Keeps what using a passkey changed of it.
pub fn use_passkey(tx: &mut Tx<'_>, now: i64, passkey: Passkey) -> Result<(), Stop> {
    Ok(tx.write(vec![Write::changed(&PASSKEYS, Passkey { used_at: Some(now), ..passkey }.rows())])?)
}

pub fn remove_passkey(tx: &mut Tx<'_>, by: &By, now: i64, person: &str, id: &str) -> Result<(), Stop> {
    let known = by_id(tx, person)?;
    if tx.execute(REMOVE_PASSKEY, &[Value::Text(id), Value::Text(person)])? == 0 {
        return Err(Refused::unknown(Noun::Passkey, id, "id").into());
    }
    Ok(audit::append(tx, &[Record::new(by, now, "person.remove_passkey", "person", known.login)])?)
}
