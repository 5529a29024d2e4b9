//! `holdfast simulate`: a season with a flash sale on three marketplaces and an own shop, four ways of keeping the numbers there.

use crate::progress;
use crate::{Done, Failed};
use serde::Serialize;
use sim::season::{Options, Outcome, REGIMES, Summary, play_many, summarize, table};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Simulate {
    /// How many seasons under each regime
    #[arg(long, default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=100_000))]
    seeds: u64,
    /// Play only this one
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Items for sale, three of them in the flash sale
    #[arg(long, default_value_t = 40, value_parser = clap::value_parser!(u64).range(4..=1000))]
    items: u64,
    /// Days that the season lasts
    #[arg(long, default_value_t = 14, value_parser = clap::value_parser!(i64).range(2..=90))]
    days: i64,
    /// Nothing is lost, late, doubled, refused or changed behind our back
    #[arg(long)]
    without_faults: bool,
    /// Answer as JSON, every season and the summary
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Report {
    seeds: u64,
    items: u64,
    days: i64,
    faults: bool,
    summary: Vec<Summary>,
    seasons: Vec<Outcome>,
}

impl Simulate {
    pub fn run(self) -> Done {
        let (first, seeds) = self.seed.map_or((1, self.seeds), |seed| (seed, 1));
        let faults = !self.without_faults;
        let options = Options { items: self.items as usize, days: self.days, faults, ..Options::new(first) };
        let bar = progress::bar(seeds * REGIMES.len() as u64, "seasons");
        let threads = std::thread::available_parallelism().map_or(1, |n| n.get());
        let seasons = play_many(&options, first..first.saturating_add(seeds), threads, || bar.inc(1)).map_err(Failed)?;
        bar.finish_and_clear();
        let summary = summarize(&seasons);
        if self.json {
            println!("{}", serde_json::to_string(&Report { seeds, items: self.items, days: self.days, faults, summary, seasons })?);
            return Ok(ExitCode::SUCCESS);
        }
        let plural = if seeds == 1 { format!("Seed {first}") } else { format!("{seeds} seeds") };
        println!("{plural}, {} items, {} days, {} faults\n", self.items, self.days, if faults { "with all" } else { "without" });
        print!("{}", table(&summary));
        Ok(ExitCode::SUCCESS)
    }
}
