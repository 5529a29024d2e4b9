//! Signing in: tries and the lock after too many of them, sessions, the second factor.
//!
//! A try is counted before it is looked at, so that many at once do not get more of them. Not here: whether a password, a code or
//! a passkey is right (`identity`), cookies and pages (`web`).

use super::rows::{SESSION_COLUMNS, SESSIONS};
use super::{Person, Session, by_id, by_login, passkeys, roles, write};
use crate::Stop;
use crate::access::By;
use crate::access::audit::{self, Record};
use crate::db::{Sql, Tx, Value, Write};
use crate::keys::{random_text, secret_hash, split};
use domain::{Grant, Noun, Refused};
use subtle::ConstantTimeEq;

const SESSION: Sql = Sql("SELECT id, hash, person, how, second, address, agent, created_at, seen_at, ended_at FROM sessions WHERE id = $1");
const SESSIONS_OF: Sql = Sql(
    "SELECT id, hash, person, how, second, address, agent, created_at, seen_at, ended_at FROM sessions WHERE person = $1 AND ended_at IS NULL AND created_at > $2 AND seen_at > $3 ORDER BY created_at DESC LIMIT 200",
);
const SEEN: Sql = Sql("UPDATE sessions SET seen_at = $1 WHERE id = $2 AND ended_at IS NULL");
const PERSON_SEEN: Sql = Sql("UPDATE people SET seen_at = $1 WHERE id = $2");
const END: Sql = Sql("UPDATE sessions SET ended_at = $1 WHERE id = $2 AND ended_at IS NULL");
const END_ALL: Sql = Sql("UPDATE sessions SET ended_at = $1 WHERE person = $2 AND id <> $3 AND ended_at IS NULL");
const SECOND: Sql = Sql("UPDATE sessions SET second = 1 WHERE id = $1");
const PRUNE: Sql = Sql("DELETE FROM sessions WHERE created_at < $1");

const SECOND_MICROS: i64 = 1_000_000;
/// A session that nobody used for this long has ended: a working day with its breaks.
pub const IDLE_MICROS: i64 = 12 * 3_600 * SECOND_MICROS;
/// No session lasts longer, however much it is used.
pub const LONGEST_MICROS: i64 = 7 * 86_400 * SECOND_MICROS;
/// Wrong tries that cost nothing; each further one doubles the wait.
const FREE_TRIES: i64 = 5;
const FIRST_WAIT: i64 = 30 * SECOND_MICROS;
const LONGEST_WAIT: i64 = 15 * 60 * SECOND_MICROS;

/// The start of a text of a session's cookie.
const PREFIX: &str = "hs_";

/// How long an account takes no tries after so many wrong ones, in microseconds.
fn wait(failures: i64) -> i64 {
    match failures - FREE_TRIES {
        ..0 => 0,
        beyond => FIRST_WAIT.saturating_mul(1 << beyond.min(20)).min(LONGEST_WAIT),
    }
}

/// A try at signing in.
#[derive(Debug)]
pub enum Try {
    /// Nobody of that login, or switched off: look as busy as if there were.
    Nobody,
    /// Too many wrong ones: until then, microseconds since 1970 UTC.
    Locked { until: i64 },
    /// Counted as wrong until [`begin`] says otherwise.
    Go(Box<Person>),
}

/// Counts a try with a password or a code.
pub fn attempt(tx: &mut Tx<'_>, by: &By, now: i64, login: &str) -> Result<Try, Stop> {
    let Some(mut person) = by_login(tx, login)?.filter(|p| p.active) else { return Ok(Try::Nobody) };
    if person.locked_until > now {
        return Ok(Try::Locked { until: person.locked_until });
    }
    person.failures += 1;
    person.locked_until = now + wait(person.failures);
    write(tx, &person)?;
    if person.failures == FREE_TRIES {
        audit::append(tx, &[Record::new(by, now, "person.locked", "person", &person.login)])?;
    }
    Ok(Try::Go(Box::new(person)))
}

/// Forgets wrong tries: whoever is signed in has shown the password again.
pub fn forgive(tx: &mut Tx<'_>, person: &str) -> Result<(), Stop> {
    let person = Person { failures: 0, locked_until: 0, ..by_id(tx, person)? };
    write(tx, &person)
}

/// How somebody signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum How {
    Password,
    Passkey,
    Company,
    Link,
}

impl How {
    fn word(self) -> &'static str {
        match self {
            How::Password => "password",
            How::Passkey => "passkey",
            How::Company => "company",
            How::Link => "link",
        }
    }

    /// A passkey is something one has, opened by something one knows or is; the company asks for what it wants itself.
    fn is_two_factors(self) -> bool {
        matches!(self, How::Passkey | How::Company)
    }
}

/// Begins a session, and forgets wrong tries. Answers the text for the cookie, which is not stored.
pub fn begin(tx: &mut Tx<'_>, by: &By, now: i64, person: &str, how: How, agent: &str) -> Result<(Session, String), Stop> {
    let mut person = Person { seen_at: Some(now), ..by_id(tx, person)? };
    // While a second factor is still to be shown, wrong tries count on: a right password must not buy more guesses at codes.
    if person.totp.is_none() || how.is_two_factors() {
        (person.failures, person.locked_until) = (0, 0);
    }
    if !person.active {
        return Err(Refused::unknown(Noun::Person, &person.login, "login").into());
    }
    write(tx, &person)?;
    let (id, secret) = (random_text(12)?, random_text(43)?);
    let session = Session {
        hash: secret_hash(&secret),
        person: person.id.clone(),
        how: how.word().into(),
        second: how.is_two_factors(),
        address: by.visitor.as_ref().map(|v| v.address.to_string()).unwrap_or_default(),
        agent: agent.chars().filter(|c| !c.is_control()).take(200).collect(),
        created_at: now,
        seen_at: now,
        ended_at: None,
        id,
    };
    tx.write(vec![Write::new(&SESSIONS, session.rows())])?;
    let by = By { actor: person.actor(), ..by.clone() };
    let after = serde_json::json!({ "session": session.id, "how": session.how }).to_string();
    audit::append(tx, &[Record::new(&by, now, "person.sign_in", "person", &person.login).states(None, Some(after))])?;
    let text = format!("{PREFIX}{}_{secret}", session.id);
    Ok((session, text))
}

/// What a session may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Full,
    /// The person has a second factor and did not show it yet.
    ShowSecondFactor,
    /// The role asks for a second factor and the person has none yet.
    SetSecondFactor,
}

/// Who a session belongs to.
#[derive(Clone)]
pub struct SignedIn {
    pub session: Session,
    pub person: Person,
    pub grant: Grant,
    pub standing: Standing,
}

impl Session {
    /// The secret that forms of this session carry: told by the cookie's secret, and telling nothing of it.
    pub fn form_token(&self) -> String {
        blake3::keyed_hash(&self.hash, b"holdfast form token").to_hex()[..32].to_owned()
    }
}

impl SignedIn {
    /// Whether this text of a cookie opens this session now. Takes the same time for every wrong secret.
    pub fn opens(&self, text: &str, now: i64) -> bool {
        let secret = split(PREFIX, text).map_or("", |(_, secret)| secret);
        let right = bool::from(secret_hash(secret).ct_eq(&self.session.hash));
        let s = &self.session;
        right && s.ended_at.is_none() && now < s.seen_at + IDLE_MICROS && now < s.created_at + LONGEST_MICROS && self.person.active
    }
}

/// The id in the text of a session's cookie.
pub fn session_id(text: &str) -> Option<&str> {
    split(PREFIX, text).map(|(id, _)| id)
}

/// A session with its person and what they may do; whether the cookie's text opens it is for [`SignedIn::opens`] to say.
pub fn find(tx: &mut Tx<'_>, id: &str) -> Result<Option<SignedIn>, Stop> {
    debug_assert!(SESSION.0.contains(SESSION_COLUMNS));
    let Some(session) = tx.one(SESSION, &[Value::Text(id)], Session::read)? else { return Ok(None) };
    let person = by_id(tx, &session.person)?;
    let role = roles::find(tx, &person.role)?;
    let asked = role.as_ref().is_some_and(|r| r.second_factor);
    let standing = if session.second {
        Standing::Full
    } else if person.totp.is_some() {
        Standing::ShowSecondFactor
    } else if asked && passkeys(tx, &person.id)?.is_empty() {
        Standing::SetSecondFactor
    } else if asked {
        // A passkey is there; a password alone is not enough.
        Standing::ShowSecondFactor
    } else {
        Standing::Full
    };
    let grant = person.grant(role.map(|r| r.permissions).unwrap_or_default());
    Ok(Some(SignedIn { session, person, grant, standing }))
}

/// The sessions of a person that are open, the newest first.
pub fn list(tx: &mut Tx<'_>, person: &str, now: i64) -> Result<Vec<Session>, Stop> {
    Ok(tx.rows(SESSIONS_OF, &[Value::Text(person), Value::Int(now - LONGEST_MICROS), Value::Int(now - IDLE_MICROS)], Session::read)?)
}

/// Notes that a session is in use.
pub fn seen(tx: &mut Tx<'_>, now: i64, session: &str, person: &str) -> Result<(), Stop> {
    tx.execute(SEEN, &[Value::Int(now), Value::Text(session)])?;
    tx.execute(PERSON_SEEN, &[Value::Int(now), Value::Text(person)])?;
    Ok(())
}

/// Ends a session of a person.
pub fn end(tx: &mut Tx<'_>, by: &By, now: i64, person: &str, id: &str) -> Result<(), Stop> {
    let session = tx.one(SESSION, &[Value::Text(id)], Session::read)?.filter(|s| s.person == person);
    if session.is_none() {
        return Err(Refused::unknown(Noun::Session, id, "id").into());
    }
    if tx.execute(END, &[Value::Int(now), Value::Text(id)])? > 0 {
        let login = by_id(tx, person)?.login;
        let before = serde_json::json!({ "session": id }).to_string();
        audit::append(tx, &[Record::new(by, now, "person.sign_out", "person", login).states(Some(before), None)])?;
    }
    Ok(())
}

/// Ends all sessions of a person but one.
pub fn end_all(tx: &mut Tx<'_>, person: &str, keep: &str, now: i64) -> Result<u64, Stop> {
    Ok(tx.execute(END_ALL, &[Value::Int(now), Value::Text(person), Value::Text(keep)])?)
}

/// What a second factor was shown by.
#[derive(Debug, Clone)]
pub enum Shown {
    /// The step of a code from the app.
    Step(i64),
    /// The hash of a recovery code.
    Recovery(String),
}

/// Lets a session in fully, after a code was found right. Refuses a step or a recovery code that was used meanwhile.
pub fn show_second(tx: &mut Tx<'_>, by: &By, now: i64, session: &str, person: &str, shown: &Shown) -> Result<(), Stop> {
    let mut person = by_id(tx, person)?;
    let used = || Refused::invalid("code", "was used already; wait for the next one");
    match shown {
        Shown::Step(step) if *step <= person.totp_step => return Err(used().into()),
        Shown::Step(step) => person.totp_step = *step,
        Shown::Recovery(hash) => {
            let place = person.recovery.iter().position(|known| known == hash).ok_or_else(used)?;
            person.recovery.remove(place);
        }
    }
    (person.failures, person.locked_until) = (0, 0);
    write(tx, &person)?;
    tx.execute(SECOND, &[Value::Text(session)])?;
    let after = serde_json::json!({ "recovery_codes_left": person.recovery.len() }).to_string();
    let action = if matches!(shown, Shown::Recovery(_)) { "person.use_recovery_code" } else { "person.show_second_factor" };
    Ok(audit::append(tx, &[Record::new(by, now, action, "person", person.login).states(None, Some(after))])?)
}

/// A session in which a second factor was just set needs not show it again.
pub fn trust(tx: &mut Tx<'_>, session: &str) -> Result<(), Stop> {
    tx.execute(SECOND, &[Value::Text(session)])?;
    Ok(())
}

/// Forgets sessions that ended long ago; answers how many.
pub fn prune(tx: &mut Tx<'_>, now: i64) -> Result<u64, Stop> {
    Ok(tx.execute(PRUNE, &[Value::Int(now - 5 * LONGEST_MICROS)])?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_a_quarter_of_an_hour() {
        let seconds: Vec<i64> = [0, 1, 4, 5, 6, 7, 8, 9, 10, 11, 1_000].map(|f| wait(f) / SECOND_MICROS).into();
        assert_eq!(seconds, [0, 0, 0, 30, 60, 120, 240, 480, 900, 900, 900]);
    }
}
