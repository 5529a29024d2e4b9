//! `holdfast replay`: plays the invoices of the UCI Online Retail data set as orders on the file's own clock, and reports.
//!
//! The story is here: read the file, look whether an earlier run began, play day by day, verify. history.rs reads,
//! buyer.rs and places.rs stand in for what the file does not tell, play.rs turns invoices into commands, matching.rs
//! finds the sale of a return, player.rs sends, report.rs tells. The demo plays with the same parts.

pub mod buyer;
pub mod history;
mod matching;
mod places;
pub mod play;
pub mod player;
mod report;

use crate::progress::bar;
use crate::{Database, Done, Failed, open_file};
use buyer::Buyer;
use engine::{Engine, Options};
use history::{Flag, History, day};
use play::{Play, date};
use player::Player;
use report::{Class, Report, events};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Instant;

const HOUR: i64 = 3_600_000_000;
const DAY: i64 = 24 * HOUR;
/// Stock is opened at five, deliveries come at six, parcels leave at nine in the evening: around the hours of the file.
const OPENING: i64 = 5 * HOUR;
const MORNING: i64 = 6 * HOUR;
const EVENING: i64 = 21 * HOUR;

/// Whoever replays is called `replay:` and the beginning of the file's digest, in every entry and event.
const ACTORS: &str = "replay:";

#[derive(clap::Args)]
pub struct Replay {
    /// Invoice lines with the columns InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID,
    /// Country; CSV, gzip or not
    file: PathBuf,
    #[command(flatten)]
    database: Database,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

impl Replay {
    pub fn run(self) -> Done {
        let url = self.database.url()?;
        let begun = Instant::now();
        let name = self.file.display().to_string();
        let history = Arc::new(History::read(open_file(&self.file)?.0).map_err(|e| Failed(format!("{name}: {e}")))?);
        let (Some(first), Some(last)) = (history.invoices.first(), history.invoices.last()) else {
            return Err(Failed(format!("{name}: has no line that can be played")));
        };
        let (first, last) = (day(first.at), day(last.at));

        let engine = Engine::open(Options::new(url.clone()))?;
        let actor: String = history.digest[..4].iter().fold(ACTORS.to_owned(), |text, byte| format!("{text}{byte:02x}"));
        let before = events(&engine, &actor, ACTORS)?;
        if let Some(other) = before.other {
            // Its receipts would be added to this file's, and the stock would be that of two shops.
            return Err(Failed(format!("{url} holds the replay of another file ({other}); give this one a database of its own")));
        }
        let mut play =
            Play::new(history.clone(), Player::new(engine.clone(), &actor, "online-retail"), Buyer::new(buyer::WEEKLY, history.items.len()));
        play.seam = before.last;
        if before.last.is_some() {
            play.player.find_open()?;
        }
        days(&mut play, first, last)?;
        for bad in &history.bad {
            tracing::warn!("{name}, line {}: {}", bad.line, bad.detail);
            play.books.add(Class::Unreadable, 0, 0);
        }
        let seconds = begun.elapsed().as_secs_f64();
        let told = events(&engine, &actor, ACTORS)?.told;
        engine.shut_down();

        let progress = bar(0, "entries verified");
        let verify = engine::verify(&url, |entries| progress.set_position(entries))?;
        progress.finish_and_clear();
        let report = Report {
            file: name,
            lines: history.lines,
            invoices: history.invoices.len(),
            items: history.items.len(),
            file_money: history.money,
            flags: flags(&history, &play),
            books: play.books,
            told,
            trouble: play.player.trouble,
            resumed_after: before.last,
            seconds,
            verify,
        };
        if self.json {
            println!("{}", report.json());
        } else {
            report.print();
        }
        Ok(if report.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

/// Plays every day of the file, those without invoices too.
fn days(play: &mut Play, first: i64, last: i64) -> Result<(), Failed> {
    let history = play.history.clone();
    let progress = bar(history.lines, "lines");
    let mut invoices = history.invoices.iter().enumerate().peekable();
    for today in first..=last {
        let first_at = invoices.peek().map_or(i64::MAX, |(_, invoice)| invoice.at);
        if today == first {
            play.set_time(first_at.min(today * DAY + OPENING));
            play.open(first)?;
        }
        play.set_time(first_at.min(today * DAY + MORNING));
        play.morning(today, first)?;
        while let Some((number, invoice)) = invoices.next_if(|(_, invoice)| day(invoice.at) == today) {
            play.set_time(invoice.at);
            play.invoice(number)?;
            progress.inc(invoice.lines.len() as u64);
        }
        play.set_time(today * DAY + EVENING);
        play.settle()?;
        let due: Vec<i64> = play.player.parcels().filter(|(_, made)| *made <= date(today).as_str()).map(|(id, _)| id).collect();
        for parcel in due {
            play.player.ship(parcel)?;
        }
        play.settle()?;
        play.buyer.evening();
    }
    progress.finish_and_clear();
    Ok(())
}

/// The flags of the file and those of the play, by name.
fn flags(history: &History, play: &Play) -> BTreeMap<String, Flag> {
    let all = history.flags.0.iter().chain(&play.flags.0);
    all.map(|(name, flag)| (name.clone(), Flag { lines: flag.lines, first: flag.first.clone() })).collect()
}
