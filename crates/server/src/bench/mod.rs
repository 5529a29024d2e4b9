//! `holdfast bench`: measures this machine and writes a table. Every figure is taken with the load generator beside the
//! server on the same machine, with every commit synced, and beside plain SQL on the same PostgreSQL in the same run.

mod channels;
mod engine_only;
mod growth;
mod http;
mod load;
mod open_pages;
mod pages;
mod plain_sql;

use crate::progress::thousands;
use crate::{Done, Failed};
use engine::Url;
use serde::Serialize;
use sim::postgres::{TempFolder, TempPostgres};
use std::cell::Cell;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Bench {
    /// What to measure; everything if left out
    #[arg(value_enum)]
    only: Vec<What>,
    /// Seconds for each measurement, after some to warm up; 8 if left out, 30 for the busy hour and before the outage
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=7_200))]
    seconds: Option<u64>,
    /// A PostgreSQL to measure on, as a URL of an empty database, which takes one measurement (the lists take one that they filled before, too); one of our own is started if left out
    #[arg(long, alias = "database", value_name = "URL")]
    postgres: Option<String>,
    /// Leave PostgreSQL out
    #[arg(long)]
    sqlite_only: bool,
    /// Items in the large database of the growth measurement, and of the lists'
    #[arg(long, default_value_t = 1_000_000)]
    items: u64,
    /// Orders in the database of the lists
    #[arg(long, default_value_t = 1_000_000, value_parser = clap::value_parser!(u64).range(pages::FEWEST..=10_000_000))]
    orders: u64,
    /// A SQLite file for the lists: filled if it is not there, and kept. With it, or with `--postgres`, the lists are measured there alone
    #[arg(long, value_name = "PATH")]
    keep: Option<std::path::PathBuf>,
    /// Orders a second in all, at our own shop and the marketplaces; 1,000 in the busy hour and 100 around the outage if left out
    #[arg(long, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    rate: Option<u64>,
    /// Seconds of load before the busy hour or the outage is measured. Reading again what is known already, and recalls, reach their
    /// usual size after six minutes
    #[arg(long, value_name = "SECONDS", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=7_200))]
    warm_up: u64,
    /// Items that all three marketplaces list in the busy hour and around the outage
    #[arg(long, default_value_t = 2_000, value_parser = clap::value_parser!(u64).range(10..=100_000))]
    listed: u64,
    /// Seconds that eBay answers nothing
    #[arg(long, value_name = "SECONDS", default_value_t = 60, value_parser = clap::value_parser!(u64).range(1..=86_400))]
    outage: u64,
    /// Listings on each of the three marketplaces while memory is watched; a third of them is measured first
    #[arg(long, default_value_t = 100_000, value_parser = clap::value_parser!(u64).range(3..=1_000_000))]
    listings: u64,
    /// Amazon's rates while memory is watched, as many times as published: at the published ones the first listing of 100,000 takes 17 minutes and the first quantities 6 hours
    #[arg(long, value_name = "TIMES", default_value_t = 100.0)]
    amazon_speed: f64,
    /// The longest that memory is watched, in seconds
    #[arg(long, value_name = "SECONDS", default_value_t = 1_800)]
    limit: u64,
    /// What buyers of the channels' measurements choose follows from it
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum What {
    /// Reservations without HTTP
    Engine,
    /// One reservation a request over HTTP
    Reservations,
    /// Orders of three lines over eight locations, over HTTP
    Orders,
    /// The plain-SQL way on the same PostgreSQL
    Plain,
    /// All of the next four
    Channels,
    /// What channels cost: the same reservations with the item listed on three
    ChannelsCost,
    /// Orders to our own shop and three simulated marketplaces at once, with real workers and real HTTP
    ChannelsBusy,
    /// The same while one marketplace answers nothing, and what happens when it is back
    ChannelsOutage,
    /// Memory of a server that keeps very many listings
    ChannelsMemory,
    /// What a large database costs: reservations, import, start, memory
    Growth,
    /// What a thousand open pages cost while orders come in
    OpenPages,
    /// The reads behind the console's lists, and its pages over HTTP, on a large database
    Pages,
}

/// A measured figure.
#[derive(Debug, Clone, Serialize)]
pub struct Figure {
    pub what: String,
    pub database: String,
    pub callers: usize,
    pub per_second: f64,
    /// Milliseconds; 0 where a single caller's time has no meaning.
    pub p50_ms: f64,
    pub p99_ms: f64,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub note: String,
}

/// A new, empty database for one measurement.
pub struct Place {
    pub url: Url,
    _folder: Option<TempFolder>,
}

/// Where to measure.
struct Machine {
    postgres: Option<TempPostgres>,
    given: Option<String>,
    /// The given one has been measured on: it is no longer empty.
    used: Cell<bool>,
}

impl Machine {
    fn sqlite(&self) -> Result<Place, Failed> {
        let folder = TempFolder::new("bench")?;
        Ok(Place { url: Url::Sqlite(folder.path().join("bench.db")), _folder: Some(folder) })
    }

    fn postgres(&self) -> Result<Option<Place>, Failed> {
        let text = match (&self.given, &self.postgres) {
            (Some(_), _) if self.used.replace(true) => {
                return Err(Failed(
                    "the given PostgreSQL database takes one measurement: name it, as in `holdfast bench channels-busy --postgres …`".into(),
                ));
            }
            (Some(url), _) => url.clone(),
            (None, Some(server)) => server.database()?,
            (None, None) => return Ok(None),
        };
        Ok(Some(Place { url: Url::parse(&text)?, _folder: None }))
    }

    /// An embedded database, and one on PostgreSQL if there is one.
    fn places(&self) -> Result<Vec<Place>, Failed> {
        Ok(std::iter::once(self.sqlite()?).chain(self.postgres()?).collect())
    }
}

impl Bench {
    pub fn run(self) -> Done {
        let wanted = |what| self.only.is_empty() || self.only.contains(&what);
        let of_channels = |what| wanted(What::Channels) || wanted(what);
        let seconds = self.seconds.unwrap_or(8);
        let postgres = if self.sqlite_only || self.postgres.is_some() { None } else { Some(TempPostgres::start_measured()?) };
        let machine = Machine { postgres, given: self.postgres.clone().filter(|_| !self.sqlite_only), used: Cell::default() };
        let runtime = crate::serve::runtime()?;
        let mut figures: Vec<Figure> = Vec::new();
        let mut tell = |figure: Figure| {
            if !self.json {
                println!("{}", line(&figure));
            }
            figures.push(figure);
        };
        if !self.json {
            println!("{}", about());
            println!("{:<44}{:<12}{:>8}{:>12}{:>10}{:>10}", "", "database", "callers", "per second", "p50 ms", "p99 ms");
        }
        if wanted(What::Engine) {
            for place in machine.places()? {
                // Twice what one commit takes, so that the next batch is there when one is done.
                let callers = if matches!(place.url, engine::Url::Sqlite(_)) { 2_048 } else { 8_192 };
                tell(engine_only::reservations(&runtime, &place, callers, seconds)?);
            }
        }
        if wanted(What::Reservations) {
            for place in machine.places()? {
                for figure in http::reservations(&runtime, &place, 256, seconds)? {
                    tell(figure);
                }
            }
        }
        if wanted(What::Orders) {
            for place in machine.places()? {
                tell(http::orders(&runtime, &place, 256, seconds)?);
            }
        }
        if wanted(What::Plain)
            && let Some(place) = machine.postgres()?
        {
            tell(plain_sql::reservations(&runtime, &place, 64, seconds)?);
        }
        if of_channels(What::ChannelsCost) {
            for figure in engine_only::with_channels(&runtime, &machine.sqlite()?, &machine.sqlite()?, 2_048, seconds)? {
                tell(figure);
            }
        }
        if wanted(What::Growth) {
            for figure in growth::measure(&runtime, &machine.sqlite()?, &machine.sqlite()?, self.items, seconds)? {
                tell(figure);
            }
        }
        if wanted(What::OpenPages) {
            for place in machine.places()? {
                for figure in open_pages::measure(&runtime, &place, 1_000, seconds)? {
                    tell(figure);
                }
            }
        }
        if wanted(What::Pages) {
            self.pages(&runtime, &machine, &mut tell)?;
        }
        let channels = self.channels(&runtime, &machine, of_channels)?;
        if self.json {
            println!("{}", serde_json::json!({ "machine": about(), "figures": figures, "channels": channels }));
        }
        Ok(ExitCode::SUCCESS)
    }

    /// The lists' reads and the pages: on the databases that were named, or on a new one of each kind.
    fn pages(&self, runtime: &tokio::runtime::Runtime, machine: &Machine, tell: &mut dyn FnMut(Figure)) -> Result<(), Failed> {
        let given = [self.keep.clone().map(Url::Sqlite), self.postgres.as_deref().map(Url::parse).transpose()?];
        let given: Vec<Place> = given.into_iter().flatten().map(|url| Place { url, _folder: None }).collect();
        for place in if given.is_empty() { machine.places()? } else { given } {
            if !pages::is_filled(&place)? {
                tell(pages::fill(&place, self.items, self.orders)?);
            }
            pages::fill_desk(&place, self.items)?.into_iter().for_each(&mut *tell);
            tell(pages::settle(&place)?);
            pages::measure(&place, self.items, tell)?;
            let own = TempFolder::new("bench")?;
            let folder = match &place.url {
                Url::Sqlite(path) if self.keep.is_some() => path.with_extension("search"),
                _ => own.path().join("search"),
            };
            pages::shown::measure(runtime, &place, self.items, &folder, tell)?;
        }
        Ok(())
    }

    /// Those of the channels' measurements that are wanted, each on both databases.
    fn channels(&self, runtime: &tokio::runtime::Runtime, machine: &Machine, wanted: impl Fn(What) -> bool) -> Result<Channels, Failed> {
        let options = channels::Options {
            seconds: self.seconds.unwrap_or(30),
            warm_up: self.warm_up,
            rate: self.rate,
            outage: self.outage,
            listed: self.listed as usize,
            limit: self.limit,
            amazon_speed: self.amazon_speed,
            seed: self.seed,
        };
        let mut all = Channels::default();
        if wanted(What::ChannelsBusy) {
            for place in machine.places()? {
                let busy = channels::busy(runtime, &place, &options)?;
                if !self.json {
                    busy.print();
                }
                all.busy.push(busy);
            }
        }
        if wanted(What::ChannelsOutage) {
            for place in machine.places()? {
                let outage = channels::outage(runtime, &place, &options)?;
                if !self.json {
                    outage.print();
                }
                all.outage.push(outage);
            }
        }
        if wanted(What::ChannelsMemory) {
            // A database that was given takes one of the two.
            let sizes = if machine.given.is_some() { vec![self.listings] } else { vec![self.listings / 3, self.listings] };
            for listings in sizes {
                for place in machine.places()? {
                    let memory = channels::memory(runtime, &place, listings, &options)?;
                    if !self.json {
                        memory.print();
                    }
                    all.memory.push(memory);
                }
            }
        }
        Ok(all)
    }
}

/// What the channels' measurements came to.
#[derive(Default, Serialize)]
struct Channels {
    busy: Vec<channels::Busy>,
    outage: Vec<channels::Outage>,
    memory: Vec<channels::Memory>,
}

fn line(figure: &Figure) -> String {
    let millis = |ms: f64| if ms == 0.0 { "–".to_owned() } else { format!("{ms:.2}") };
    let note = if figure.note.is_empty() { String::new() } else { format!("   {}", figure.note) };
    format!(
        "{:<44}{:<12}{:>8}{:>12}{:>10}{:>10}{note}",
        figure.what,
        figure.database,
        figure.callers,
        thousands(figure.per_second as i64),
        millis(figure.p50_ms),
        millis(figure.p99_ms)
    )
}

/// The machine, in a line.
fn about() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|l| l.strip_prefix("model name")?.split_once(':').map(|(_, m)| m.trim().to_owned()))
        .unwrap_or_else(|| "unknown CPU".into());
    let cores = std::thread::available_parallelism().map_or(0, |n| n.get());
    format!("{model}, {cores} cores, every commit synced, load generator on the same cores, holdfast {}", env!("CARGO_PKG_VERSION"))
}

/// Name of a kind of database for the table.
pub fn kind(url: &Url) -> String {
    match url {
        Url::Sqlite(_) => "SQLite".into(),
        Url::Postgres(_) => "PostgreSQL".into(),
    }
}
