//! Links that open something once: the first owner, an invitation, a new password. Only a hash of a link is stored.

use super::rows::LINKS;
use super::{by_id, is_empty};
use crate::Stop;
use crate::access::By;
use crate::access::audit::{self, Record};
use crate::db::{Cell, Row, Rows, Sql, Tx, Value, Write};
use crate::keys::{random_text, secret_hash, split};
use domain::{Noun, Refused};
use subtle::ConstantTimeEq;

const FIND: Sql = Sql("SELECT id, hash, kind, person, expires_at, used_at FROM links WHERE id = $1");
const USE: Sql = Sql("UPDATE links SET used_at = $1 WHERE id = $2 AND used_at IS NULL");
const VOID: Sql = Sql("UPDATE links SET used_at = $1 WHERE person = $2 AND used_at IS NULL");
const VOID_OWNER: Sql = Sql("UPDATE links SET used_at = $1 WHERE kind = 'owner' AND used_at IS NULL");

const PREFIX: &str = "hl_";
const HOUR: i64 = 3_600 * 1_000_000;

/// What a link opens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Whoever has it becomes the first owner. Printed where the server runs.
    Owner,
    /// Somebody sets their first password.
    Invite,
    /// Somebody sets a new password.
    Reset,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::Owner => "owner",
            Kind::Invite => "invite",
            Kind::Reset => "reset",
        }
    }

    fn parse(word: &str) -> Option<Kind> {
        [Kind::Owner, Kind::Invite, Kind::Reset].into_iter().find(|k| k.word() == word)
    }

    /// For how long, microseconds.
    fn lasts(self) -> i64 {
        match self {
            Kind::Owner => 24 * HOUR,
            Kind::Invite => 7 * 24 * HOUR,
            Kind::Reset => HOUR,
        }
    }
}

/// A link that was found to be good.
#[derive(Debug, Clone)]
pub struct Link {
    pub id: String,
    pub kind: Kind,
    /// Whom it is for; nobody yet for the first owner.
    pub person: Option<String>,
}

/// Makes a link; those made before for the same person open nothing any more. Answers its text, which is not stored.
pub fn create(tx: &mut Tx<'_>, by: &By, now: i64, kind: Kind, person: Option<&str>) -> Result<String, Stop> {
    let subject = match person {
        Some(id) => by_id(tx, id)?.login,
        None if is_empty(tx)? => "first owner".into(),
        None => return Err(Refused::invalid("person", "is missing; there is an owner already").into()),
    };
    match person {
        Some(id) => tx.execute(VOID, &[Value::Int(now), Value::Text(id)])?,
        None => tx.execute(VOID_OWNER, &[Value::Int(now)])?,
    };
    let (id, secret) = (random_text(12)?, random_text(43)?);
    let hash = Cell::Hash(secret_hash(&secret));
    let person = person.map(str::to_owned);
    let row = vec![id.clone().into(), hash, kind.word().into(), person.into(), now.into(), (now + kind.lasts()).into(), Cell::Null];
    tx.write(vec![Write::new(&LINKS, Rows(row))])?;
    audit::append(tx, &[Record::new(by, now, "link.create", kind.word(), subject)])?;
    Ok(format!("{PREFIX}{id}_{secret}"))
}

/// The link behind a text. Refuses a wrong, used or old one with the same words.
pub fn find(tx: &mut Tx<'_>, now: i64, text: &str) -> Result<Link, Stop> {
    let refused = || Refused::invalid("link", "is wrong, too old or was used already; ask for a new one");
    let (id, secret) = split(PREFIX, text).ok_or_else(refused)?;
    let read = |r: &Row<'_>| (r.hash(1), Kind::parse(&r.text(2)), r.opt_text(3), r.int(4), r.opt_int(5));
    let (hash, kind, person, expires_at, used_at) = tx.one(FIND, &[Value::Text(id)], read)?.ok_or_else(refused)?;
    let right = bool::from(secret_hash(secret).ct_eq(&hash));
    match kind {
        Some(kind) if right && used_at.is_none() && now < expires_at => Ok(Link { id: id.into(), kind, person }),
        _ => Err(refused().into()),
    }
}

/// Uses a link up. Refuses it when somebody was faster.
pub fn consume(tx: &mut Tx<'_>, now: i64, link: &Link) -> Result<(), Stop> {
    if tx.execute(USE, &[Value::Int(now), Value::Text(&link.id)])? == 0 {
        return Err(Refused::unknown(Noun::Link, &link.id, "link").into());
    }
    Ok(())
}
