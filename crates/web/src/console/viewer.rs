//! Who looks at a page, and all that depends on it: language, numbers, times in the person's zone, what may be done, what was
//! typed before a form was refused. Every page is a function of a [`Viewer`].

use super::language::Language;
use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::visit::{Visit, text};
use axum::extract::FromRequestParts;
use axum::http::header;
use axum::http::request::Parts;
use domain::{Grant, Permission, Refused, Shortfall};
use engine::exceptions::desk;
use engine::people::settings::House;
use engine::{By, Stop};
use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::borrow::Cow;
use std::sync::{Arc, OnceLock};

/// What stands in the navigation beside the links.
#[derive(Debug, Clone, Default)]
pub struct Signs {
    /// Open exceptions: all, and critical ones.
    pub exceptions: i64,
    pub critical: i64,
    /// The number of the last event when the page was made.
    pub seq: i64,
}

/// Why a form was refused, for the page that shows it again.
#[derive(Debug, Clone)]
pub struct Wrong {
    pub field: Option<String>,
    /// Beside its field, whose name need not be said again.
    pub detail: String,
    /// Where no field shows it.
    whole: String,
    /// What the field is called that shows it, once one did.
    shown: Arc<OnceLock<String>>,
}

impl Wrong {
    pub fn new(v: &Viewer, refused: &Refused) -> Wrong {
        // A field of an amount is named after the amount, not after its parts.
        let field = refused.field().map(|f| f.trim_end_matches(".amount").trim_end_matches(".currency").to_owned());
        let wrong = Wrong::plain(field, figures(v, refused).unwrap_or_else(|| v.whole(&refused.to_string()).into_owned()));
        match refused {
            Refused::Invalid { reason, .. } => {
                Wrong { detail: capital(v.whole(reason).trim_end_matches('.')) + ".", whole: v.whole(&refused.to_string()).into_owned(), ..wrong }
            }
            Refused::QuantityOutOfRange { .. } => Wrong { whole: v.whole(&refused.to_string()).into_owned(), ..wrong },
            _ => wrong,
        }
    }

    /// In words that say all wherever they stand.
    pub fn plain(field: Option<String>, detail: String) -> Wrong {
        Wrong { field, whole: detail.clone(), detail, shown: Arc::default() }
    }

    /// Why, for the field of this name, which people know by a label. None: another one is at fault.
    pub fn beside(&self, name: &str, label: &str) -> Option<String> {
        (self.field.as_deref() == Some(name)).then(|| self.detail.clone()).inspect(|_| drop(self.shown.set(label.to_owned())))
    }

    /// Why, for above the form: with the label of the field that shows it, if one did.
    pub fn above(&self) -> String {
        match self.shown.get() {
            Some(label) if self.detail != self.whole => format!("{label}: {}", self.detail),
            _ => self.whole.clone(),
        }
    }
}

/// A refusal that is about figures, with the figures as the reader writes them.
fn figures(v: &Viewer, refused: &Refused) -> Option<String> {
    Some(match refused {
        Refused::QuantityOutOfRange { min, max, .. } if *min < 0 => v.say("Must be from {} to {}, and not 0.", &[&v.num(*min), &v.num(*max)]),
        Refused::QuantityOutOfRange { min, max, .. } => v.say("Must be from {} to {}.", &[&v.num(*min), &v.num(*max)]),
        Refused::InsufficientStock { shortfalls } => {
            let short = |s: &Shortfall| v.say("{} of {} asked, {} available", &[&v.num(s.requested), &s.sku, &v.num(s.available)]);
            let all: Vec<String> = shortfalls.iter().map(short).collect();
            v.say("Not enough stock, and nothing was changed: {}.", &[&all.join(", ")])
        }
        Refused::CountBelowPromised { sku, counted, promised } => v.say(
            "{} of {} were counted, but {} are promised or set aside here; cancel or move some first.",
            &[&v.num(*counted), sku, &v.num(*promised)],
        ),
        Refused::TooMany { sku, asked, left } => v.say("{} of {} asked, only {} left to do.", &[&v.num(*asked), sku, &v.num(*left)]),
        _ => return None,
    })
}

/// Words as they begin a sentence.
pub fn capital(words: &str) -> String {
    let (first, rest) = words.split_at(words.chars().next().map_or(0, char::len_utf8));
    first.to_uppercase() + rest
}

#[derive(Clone)]
pub struct Viewer {
    /// None on pages before signing in.
    pub caller: Option<Caller>,
    pub name: String,
    pub language: Language,
    pub zone: TimeZone,
    /// Light, dark, or None: as the system says.
    pub theme: Option<String>,
    pub house: House,
    pub visit: Visit,
    /// The path that was asked for, and its query.
    pub path: String,
    pub query: String,
    /// Microseconds since 1970 UTC.
    pub now: i64,
    pub signs: Signs,
    /// What the form held that was refused, and why.
    pub typed: Vec<(String, String)>,
    pub wrong: Option<Wrong>,
}

impl FromRequestParts<App> for Viewer {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Viewer, Problem> {
        let caller = parts.extensions.get::<Caller>().cloned();
        let grant = caller.as_ref().map(|c| c.grant.clone());
        let now = app.engine.now();
        let counted = app.counted.clone();
        let (house, signs) = app
            .read_as_of(move |tx, config, seq| {
                let Some(grant) = grant else { return Ok((config.house.clone(), Signs::default())) };
                // An exception that was put aside comes back without an event.
                let sorts = counted.exceptions.get(seq, now / 1_000_000, || desk::sorts(tx, now).map(Arc::new))?;
                let open = || sorts.iter().filter(|s| !s.snoozed && s.reaches(config, &grant));
                let exceptions = open().map(|s| s.count).sum();
                let critical = open().filter(|s| s.severity == "critical").map(|s| s.count).sum();
                Ok((config.house.clone(), Signs { exceptions, critical, seq }))
            })
            .await?;
        let person = caller.as_ref().and_then(|c| c.signed_in.as_ref()).map(|s| s.person.clone());
        let preferences = person.as_ref().map(|p| p.preferences.clone()).unwrap_or_default();
        let accepted = text(&parts.headers, header::ACCEPT_LANGUAGE).and_then(Language::accepted);
        let language = preferences.language.as_deref().and_then(Language::parse).or(accepted);
        let zone = preferences.zone.as_deref().unwrap_or(&house.zone);
        Ok(Viewer {
            name: person.map(|p| p.name).unwrap_or_default(),
            language: language.or_else(|| Language::parse(&house.language)).unwrap_or_default(),
            zone: TimeZone::get(zone).unwrap_or(TimeZone::UTC),
            theme: preferences.theme,
            visit: Visit::of(app, parts),
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().unwrap_or_default().to_owned(),
            now,
            house,
            signs,
            caller,
            typed: Vec::new(),
            wrong: None,
        })
    }
}

impl Viewer {
    /// A text in the reader's language.
    pub fn t(&self, english: &'static str) -> &'static str {
        self.language.text(english)
    }

    /// A text that the engine wrote, in the person's language: a refusal, the title of an exception.
    pub fn whole<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.language.whole(text)
    }

    /// The same with figures or names where `{}` stands, in their order.
    pub fn say(&self, english: &'static str, parts: &[&dyn std::fmt::Display]) -> String {
        let mut pieces = self.t(english).split("{}");
        let mut text = pieces.next().unwrap_or_default().to_owned();
        for (piece, part) in pieces.zip(parts.iter().map(Some).chain(std::iter::repeat(None))) {
            if let Some(part) = part {
                text.push_str(&part.to_string());
            }
            text.push_str(piece);
        }
        text
    }

    /// What may be done, and where.
    pub fn grant(&self) -> Arc<Grant> {
        self.caller.as_ref().map(|c| c.grant.clone()).unwrap_or_default()
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.caller.as_ref().is_some_and(|c| c.may(permission))
    }

    /// The mail address by which the viewer signs in; empty before.
    pub fn login(&self) -> String {
        self.caller.as_ref().and_then(|c| c.signed_in.as_ref()).map(|s| s.person.login.clone()).unwrap_or_default()
    }

    /// Whether a location (its id) is among those that the viewer may see.
    pub fn at(&self, location: i64) -> bool {
        self.caller.as_ref().is_none_or(|c| c.grant.at(location))
    }

    /// Whether a channel (its code) is among those that the viewer may see.
    pub fn on(&self, channel: &str) -> bool {
        self.caller.as_ref().is_none_or(|c| c.grant.on(channel))
    }

    /// Whether the viewer sees some locations, or some channels, only.
    pub fn is_limited(&self) -> bool {
        self.caller.as_ref().is_some_and(|c| c.grant.is_limited())
    }

    /// As whom the engine is asked.
    pub fn by(&self) -> By {
        match &self.caller {
            Some(caller) => caller.by(),
            None => {
                let visitor =
                    engine::Visitor { grant: Default::default(), means: "".into(), address: self.visit.address.to_string().into(), is_person: true };
                By::visitor("anybody".into(), visitor.into())
            }
        }
    }

    /// The secret that each form of this session carries, so that no other page can have it sent.
    pub fn csrf(&self) -> String {
        self.caller.as_ref().and_then(|c| c.signed_in.as_ref()).map(|s| s.session.form_token()).unwrap_or_default()
    }

    /// The same viewer after a form was refused: the page shows it again with what was typed and why. A fault goes on.
    pub fn refused(mut self, typed: Vec<(String, String)>, stop: Stop) -> Result<Viewer, Problem> {
        let Some(refused) = stop.refused().cloned() else { return Err(stop.into()) };
        self.wrong = Some(Wrong::new(&self, &refused));
        self.typed = typed;
        Ok(self)
    }

    /// As [`Viewer::refused`], for a refusal at hand.
    pub fn said_no(self, typed: Vec<(String, String)>, refused: Refused) -> Result<Viewer, Problem> {
        self.refused(typed, refused.into())
    }

    /// What was typed into a field of a refused form.
    pub fn typed(&self, name: &str) -> Option<&str> {
        self.typed.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the address.
    pub fn asked(&self, name: &str) -> Option<String> {
        super::fields::pairs(&self.query).into_iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value)
    }

    /// The address of this page with parameters set, or taken away where the value is empty; the page within a list always goes.
    pub fn address(&self, changes: &[(&str, &str)]) -> String {
        let gone = |name: &str| changes.iter().any(|(n, _)| *n == name) || ["after", "said", "done"].contains(&name);
        let kept = super::fields::pairs(&self.query).into_iter().filter(|(name, _)| !gone(name));
        let set = changes.iter().filter(|(_, value)| !value.is_empty()).map(|(n, value)| ((*n).to_owned(), (*value).to_owned()));
        super::fields::address(&self.path, kept.chain(set))
    }

    /// 1234567 as “1,234,567” or “1.234.567”; a true minus.
    pub fn num(&self, n: i64) -> String {
        let text = super::show::num(n);
        match self.language.marks().0 {
            ',' => text,
            mark => text.replace(',', &mark.to_string()),
        }
    }

    /// With a sign: “+12”, “−3”, “0”.
    pub fn signed(&self, n: i64) -> String {
        if n > 0 { format!("+{}", self.num(n)) } else { self.num(n) }
    }

    /// With so many decimals: “12.6”.
    pub fn decimal(&self, n: f64, places: usize) -> String {
        let text = format!("{:.places$}", n.abs());
        let (whole, rest) = text.split_once('.').unwrap_or((&text, ""));
        let whole = self.num(whole.parse().unwrap_or(i64::MAX));
        let minus = if n < 0.0 && text.chars().any(|c| ('1'..='9').contains(&c)) { "−" } else { "" };
        if rest.is_empty() { format!("{minus}{whole}") } else { format!("{minus}{whole}{}{rest}", self.language.marks().1) }
    }

    /// “1 order”, “2 orders”.
    pub fn count(&self, n: i64, one: &'static str, many: &'static str) -> String {
        format!("{} {}", self.num(n), self.t(if n == 1 { one } else { many }))
    }

    /// “£9.99”, “9,99 €”: by the habit of the language.
    pub fn money(&self, amount: &engine::views::Amount) -> String {
        let (whole, rest) = amount.amount.split_once('.').unwrap_or((&amount.amount, ""));
        let whole = whole.parse().map_or_else(|_| whole.to_owned(), |n| self.num(n));
        let figure = if rest.is_empty() { whole } else { format!("{whole}{}{rest}", self.language.marks().1) };
        let sign = match amount.currency.as_str() {
            "GBP" => "£",
            "EUR" => "€",
            "USD" => "$",
            "JPY" => "¥",
            other => return format!("{figure} {other}"),
        };
        if self.language == Language::English { format!("{sign}{figure}") } else { format!("{figure} {sign}") }
    }

    fn time(&self, micros: i64, how: &str) -> String {
        time_in(&self.zone, micros, how)
    }

    /// 14:32:08
    pub fn clock(&self, micros: i64) -> String {
        self.time(micros, "%H:%M:%S")
    }

    /// 14:32
    pub fn minute(&self, micros: i64) -> String {
        self.time(micros, "%H:%M")
    }

    /// Fri 5 Dec; another year than this is told.
    pub fn date(&self, micros: i64) -> String {
        self.date_in(&self.zone, micros)
    }

    /// A day (days since 1970 UTC) that is the same wherever one looks from: “Fri 5 Dec”.
    pub fn day(&self, day: i64) -> String {
        self.date_in(&TimeZone::UTC, day.saturating_mul(DAY_MICROS))
    }

    fn date_in(&self, zone: &TimeZone, micros: i64) -> String {
        let part = |how: &str| time_in(zone, micros, how);
        let year = if part("%Y") == self.time(self.now, "%Y") { String::new() } else { part(" %Y") };
        match self.language {
            Language::English => format!("{} {}{year}", part("%a"), part("%-d %b")),
            Language::German => {
                let day = ["So", "Mo", "Di", "Mi", "Do", "Fr", "Sa"].get(part("%w").parse::<usize>().unwrap_or(0)).copied().unwrap_or("");
                format!("{day} {}{}", part("%-d.%-m."), year.trim())
            }
        }
    }

    /// The day that it is by UTC (days since 1970), as capacity is counted.
    pub fn utc_day(&self) -> i64 {
        self.now.div_euclid(DAY_MICROS)
    }

    /// When the reader's day began, microseconds since 1970 UTC.
    pub fn midnight(&self) -> i64 {
        let now = Timestamp::from_microsecond(self.now).map(|t| t.to_zoned(self.zone.clone()));
        now.and_then(|t| t.start_of_day()).map_or(self.now, |t| t.timestamp().as_microsecond())
    }

    /// The time of today, the day of another: “14:32” or “Fri 5 Dec”.
    pub fn when(&self, micros: i64) -> String {
        if self.time(micros, "%Y%j") == self.time(self.now, "%Y%j") { self.minute(micros) } else { self.date(micros) }
    }

    /// “Fri 5 Dec, 14:32”.
    pub fn moment(&self, micros: i64) -> String {
        format!("{}, {}", self.date(micros), self.minute(micros))
    }

    /// 2026-12-05T14:32 in the reader's zone, as a field for a time takes it.
    pub fn local(&self, micros: i64) -> String {
        self.time(micros, "%Y-%m-%dT%H:%M")
    }

    /// When a day of the reader's zone begins, microseconds since 1970 UTC.
    pub fn begin_of(&self, day: Date) -> Option<i64> {
        Some(day.to_zoned(self.zone.clone()).ok()?.timestamp().as_microsecond())
    }

    /// When a day of the reader's zone has ended.
    pub fn end_of(&self, day: Date) -> Option<i64> {
        self.begin_of(day.tomorrow().ok()?)
    }

    /// The day that the address names.
    pub fn day_asked(&self, name: &str) -> Option<Date> {
        self.asked(name)?.parse().ok()
    }

    /// The instant of a time typed in the reader's zone.
    pub fn instant(&self, local: &str) -> Option<i64> {
        let civil: jiff::civil::DateTime = local.parse().ok()?;
        Some(civil.to_zoned(self.zone.clone()).ok()?.timestamp().as_microsecond())
    }

    /// The name of the reader's zone.
    pub fn zone_name(&self) -> String {
        self.zone.iana_name().unwrap_or("UTC").to_owned()
    }

    /// How long, in microseconds: “8 s”, “4 min”, “1 h 32 m”, “3 days”.
    pub fn age(&self, micros: i64) -> String {
        let seconds = micros.max(0) / 1_000_000;
        match seconds {
            0..60 => format!("{seconds} s"),
            60..5_400 => format!("{} min", seconds / 60),
            5_400..172_800 => format!("{} h {} m", seconds / 3_600, seconds / 60 % 60),
            // In German it stands after “vor” and “in”, too.
            _ => self.say("{} days", &[&self.num(seconds / 86_400)]),
        }
    }

    /// “4 min ago”.
    pub fn ago(&self, micros: i64) -> String {
        self.say("{} ago", &[&self.age(self.now - micros)])
    }
}

const DAY_MICROS: i64 = 86_400_000_000;

fn time_in(zone: &TimeZone, micros: i64, how: &str) -> String {
    Timestamp::from_microsecond(micros).map_or_else(|_| "–".into(), |t| t.to_zoned(zone.clone()).strftime(how).to_string())
}
