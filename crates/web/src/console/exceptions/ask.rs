//! Which exceptions the address asks for, and addresses that ask for others. Filters are parameters, so that a list can be kept and
//! passed on: `is` (open, mine, snoozed, solved), `kind`, `severity`, `channel`, `owner`, `q`, `sort`, `as=table`.

use super::Names;
use crate::console::fields::address;
use crate::console::viewer::Viewer;
use domain::{Grant, Noun, Refused};
use engine::exceptions::desk::{By, DeskQuery, Sort, Standing};
use engine::exceptions::read::ExceptionView;
use engine::exceptions::{Kind, Severity};
use engine::page::{Cursor, Page};
use engine::{Config, Stop};
use std::sync::Arc;

/// Stands for nobody in the filter by owner, where an empty text is everybody.
pub const NOBODY: &str = "-";

/// Orders of open ones besides the usual one.
const SORTS: [(By, &str); 3] = [(By::Severity, "severity"), (By::Age, "age"), (By::Times, "times")];

/// What the list holds, and what can be asked for.
pub struct Shown {
    pub list: Page<ExceptionView, Cursor<2>>,
    pub sorts: Vec<Sort>,
    /// (code, name) of the channels that the viewer may see.
    pub channels: Vec<(String, String)>,
}

#[derive(Clone)]
pub struct Asked {
    /// open, mine, snoozed or solved
    pub is: &'static str,
    pub kind: Option<Kind>,
    pub severity: Option<Severity>,
    /// A code.
    pub channel: Option<String>,
    /// A login, or [`NOBODY`].
    pub owner: Option<String>,
    pub q: String,
    pub as_table: bool,
    pub by: By,
    /// The other way round.
    pub reversed: bool,
    pub after: Option<String>,
    /// Who asks: exceptions are given to people by their logins, as names are not unique and change.
    pub me: String,
    grant: Arc<Grant>,
    pub now: i64,
}

impl Asked {
    pub fn of(v: &Viewer) -> Asked {
        let is = ["mine", "snoozed", "solved"].into_iter().find(|word| v.asked("is").as_deref() == Some(*word)).unwrap_or("open");
        let sort = v.asked("sort").unwrap_or_default();
        let by = SORTS.iter().find(|(_, word)| is != "solved" && sort.trim_start_matches('-') == *word).map_or(By::Time, |(by, _)| *by);
        Asked {
            is,
            kind: v.asked("kind").and_then(|word| Kind::parse(&word)),
            severity: v.asked("severity").and_then(|word| Severity::parse(&word)),
            channel: v.asked("channel"),
            owner: v.asked("owner").filter(|_| is != "mine"),
            q: v.asked("q").unwrap_or_default(),
            as_table: v.asked("as").as_deref() == Some("table"),
            by,
            reversed: if is == "solved" { sort == "solved" } else { sort.starts_with('-') },
            after: v.asked("after"),
            me: v.login(),
            grant: v.grant(),
            now: v.now,
        }
    }

    /// No filter but how they stand.
    pub fn is_plain(&self) -> bool {
        self.kind.is_none() && self.severity.is_none() && self.channel.is_none() && self.owner.is_none() && self.q.is_empty()
    }

    /// As the engine is asked. Refuses a cursor of another list, and a channel that is not there or not theirs.
    pub fn desk(&self, config: &Config, limit: usize) -> Result<DeskQuery, Stop> {
        let unknown = |code: &str| Refused::unknown(Noun::Channel, code, "channel");
        let channel = |code: &String| config.channel_by_code(code).filter(|c| self.grant.on(&c.code)).map(|c| c.id).ok_or_else(|| unknown(code));
        let owner = self.owner.as_ref().map(|owner| if owner == NOBODY { String::new() } else { owner.clone() });
        Ok(DeskQuery {
            standing: match self.is {
                "snoozed" => Standing::Snoozed,
                "solved" => Standing::Solved,
                _ => Standing::Open,
            },
            kind: self.kind,
            severity: self.severity,
            channel: self.channel.as_ref().map(channel).transpose()?,
            owner: if self.is == "mine" { Some(self.me.clone()) } else { owner },
            text: self.q.clone(),
            by: self.by,
            reversed: self.reversed,
            grant: self.grant.clone(),
            now: self.now,
            after: self.after.as_deref().map(|text| Cursor::parse("after", text)).transpose()?,
            limit,
        })
    }

    /// The order as the address says it; empty if it is the usual one.
    pub fn sort(&self) -> String {
        let word = SORTS.iter().find(|(by, _)| *by == self.by).map_or("due", |(_, word)| word);
        match self.reversed {
            _ if self.is == "solved" => {
                if self.reversed {
                    "solved".to_owned()
                } else {
                    String::new()
                }
            }
            true => format!("-{word}"),
            false if self.by == By::Time => String::new(),
            false => word.to_owned(),
        }
    }

    fn parameters(&self) -> Vec<(&'static str, String)> {
        let is = if self.is == "open" { "" } else { self.is };
        vec![
            ("is", is.to_owned()),
            ("kind", self.kind.map_or("", Kind::word).to_owned()),
            ("severity", self.severity.map_or("", Severity::word).to_owned()),
            ("channel", self.channel.clone().unwrap_or_default()),
            ("owner", self.owner.clone().unwrap_or_default()),
            ("q", self.q.clone()),
            ("as", if self.as_table { "table".to_owned() } else { String::new() }),
            ("sort", self.sort()),
        ]
    }

    fn with(&self, path: &str, changes: &[(&str, &str)]) -> String {
        let kept = self.parameters().into_iter().filter(|(name, _)| !changes.iter().any(|(n, _)| n == name));
        let all = kept.map(|(n, value)| (n.to_owned(), value)).chain(changes.iter().map(|(n, value)| ((*n).to_owned(), (*value).to_owned())));
        address(path, all.filter(|(_, value)| !value.is_empty()))
    }

    /// The list with some of this changed.
    pub fn address(&self, changes: &[(&str, &str)]) -> String {
        self.with("/exceptions", changes)
    }

    /// An exception beside this list.
    pub fn at(&self, id: i64) -> String {
        self.with(&format!("/exceptions/{id}"), &[("as", "")])
    }
}

/// The login of whom somebody names by login or by name; an empty text is nobody. Refuses a name that is nobody's, or several people's.
pub fn login(names: &Names, text: &str) -> Result<String, Refused> {
    let text = text.trim();
    if text.is_empty() || names.iter().any(|(login, _)| login == text) {
        return Ok(text.to_owned());
    }
    let alike: Vec<&str> = names.iter().filter(|(_, name)| name.to_lowercase() == text.to_lowercase()).map(|(login, _)| login.as_str()).collect();
    match alike.as_slice() {
        [one] => Ok((*one).to_owned()),
        [] => Err(Refused::invalid("owner", format!("names nobody who can sign in: “{text}”"))),
        several => Err(Refused::invalid("owner", format!("is the name of several people; take the mail address: {}", several.join(", ")))),
    }
}

/// What a kind of exception is called.
pub fn kind_name(v: &Viewer, word: &str) -> &'static str {
    v.t(match Kind::parse(word) {
        Some(Kind::Unmapped) => "Listing without an item",
        Some(Kind::Unfillable) => "Cannot be filled",
        Some(Kind::OversoldElsewhere) => "Oversold there",
        Some(Kind::PushRefused) => "Quantity refused",
        Some(Kind::AuthorizationExpired) => "Credentials refused",
        Some(Kind::Drift) => "Drift",
        Some(Kind::StuckQueue) => "Queue stuck",
        Some(Kind::ThirdPartySilence) => "Warehouse silent",
        Some(Kind::NotUnderstood) => "Not understood",
        Some(Kind::NotTold) => "Not taken there",
        None => "Another kind",
    })
}

/// Shape, class of its state, class of its icon, and word of a severity.
pub fn severity(word: &str) -> (&'static str, &'static str, &'static str, &'static str) {
    match word {
        "critical" => ("danger", "st-danger", "sev-3", "Critical"),
        "warning" => ("warn", "st-warn", "sev-2", "Warning"),
        _ => ("info", "st-info", "sev-1", "Notice"),
    }
}
