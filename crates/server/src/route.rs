//! `holdfast route`: what another rule set would have made of past orders.

use crate::progress::thousands;
use crate::{Database, Done, Failed};
use engine::Config;
use engine::db::Conn;
use engine::routing::rules::check;
use engine::routing::whatif::{Outcome, what_if};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

#[derive(clap::Args)]
pub struct Route {
    /// A JSON file with the rules to try; see docs/routing.md
    rules: PathBuf,
    /// How many of the last orders
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(i64).range(1..=1_000_000))]
    orders: i64,
    #[command(flatten)]
    database: Database,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

impl Route {
    pub fn run(self) -> Done {
        let text = std::fs::read_to_string(&self.rules).map_err(|e| Failed(format!("{}: {e}", self.rules.display())))?;
        let rules = serde_json::from_str(&text).map_err(|e| Failed(format!("{}: {e}", self.rules.display())))?;
        let mut conn = Conn::open_to_read(&self.database.url()?)?;
        let mut tx = conn.begin_read()?;
        let mut config = Arc::default();
        Config::refresh(&mut tx, &mut config)?;
        check(&rules, |code| config.by_code(code).is_some())?;
        let outcome = what_if(&mut tx, &config, &rules, self.orders)?;
        if self.json {
            println!("{}", serde_json::to_string(&outcome)?);
            return Ok(ExitCode::SUCCESS);
        }
        let row =
            |name: &str, figure: &dyn Fn(&Outcome) -> String| println!("{name:<22}{:>16}{:>16}", figure(&outcome.current), figure(&outcome.proposed));
        println!("{:<22}{:>16}{:>16}", "", "current", "proposed");
        row("orders", &|o| thousands(o.orders as i64));
        row("sent whole at once", &|o| thousands(o.whole as i64));
        row("fill rate", &|o| format!("{:.2}%", o.fill_rate * 100.0));
        row("splits", &|o| thousands(o.splits as i64));
        row("mean distance, km", &|o| format!("{:.1}", o.mean_distance_km));
        row("cost", &|o| format!("{}.{:02}", thousands(o.cost / 1_000_000), (o.cost % 1_000_000) / 10_000));
        Ok(ExitCode::SUCCESS)
    }
}
