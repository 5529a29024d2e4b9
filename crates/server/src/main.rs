//! Starts. The program `holdfast`: reads the command line and hands over to one file a command.

mod bench;
mod demo;
mod files;
mod key;
mod markets;
mod person;
mod progress;
mod replay;
mod route;
mod serve;
mod simulate;

use clap::{Args, Parser, Subcommand};
use engine::Url;
use std::path::PathBuf;
use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Stock that cannot be oversold: a double-entry ledger with atomic reservations, orders and routing.
#[derive(Parser)]
#[command(
    name = "holdfast",
    version,
    max_term_width = 100,
    after_help = "Exit codes: 0 done, 1 failed or discrepancies found, 2 the command line is wrong."
)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Args, Clone)]
pub struct Database {
    /// sqlite:PATH or postgres://…
    #[arg(long, env = "HOLDFAST_DATABASE", default_value = "sqlite:holdfast.db", value_name = "URL", hide_env_values = true)]
    database: String,
}

impl Database {
    fn url(&self) -> Result<Url, Failed> {
        Url::parse(&self.database).map_err(|e| Failed(format!("--database: {e}")))
    }
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API and the pages; creates and migrates the database by itself
    Serve(serve::Serve),
    /// Start everything with a catalog, six locations and real orders, nothing else needed
    Demo(demo::Demo),
    /// Play the invoices of the UCI Online Retail data set as orders, and report
    Replay(replay::Replay),
    /// Import a CSV file of items, locations, stock, orders or postal codes
    Import(files::Import),
    /// Recompute every balance and every hash; exit code 1 if anything does not fit
    Verify(files::Verify),
    /// Write a backup of everything into one SQLite file, beside a running server too
    Backup(files::Backup),
    /// Fill an empty database, of either kind, from a backup
    Restore(files::Restore),
    /// Create, list and revoke API keys, beside a running server too
    Key(key::KeyArgs),
    /// Let people in, reset passwords, switch people off, beside a running server too
    Person(person::PersonArgs),
    /// Replay past orders under another rule set and compare
    Route(route::Route),
    /// Measure this machine: reservations, orders, imports, beside plain SQL on the same PostgreSQL
    Bench(bench::Bench),
    /// Play a season with a flash sale on three marketplaces under four regimes, and compare
    Simulate(simulate::Simulate),
}

/// Why a command failed, in words for the terminal.
#[derive(Debug)]
pub struct Failed(pub String);

impl<E: std::error::Error> From<E> for Failed {
    fn from(error: E) -> Failed {
        Failed(error.to_string())
    }
}

pub type Done = Result<ExitCode, Failed>;

fn main() -> ExitCode {
    let filter = tracing_subscriber::EnvFilter::try_from_env("HOLDFAST_LOG").unwrap_or_else(|_| "warn,holdfast=info".into());
    tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_target(false).init();
    let done = match Cli::parse().command {
        Command::Serve(args) => args.run(),
        Command::Demo(args) => args.run(),
        Command::Replay(args) => args.run(),
        Command::Import(args) => args.run(),
        Command::Verify(args) => args.run(),
        Command::Backup(args) => args.run(),
        Command::Restore(args) => args.run(),
        Command::Key(args) => args.run(),
        Command::Person(args) => args.run(),
        Command::Route(args) => args.run(),
        Command::Bench(args) => args.run(),
        Command::Simulate(args) => args.run(),
    };
    match done {
        Ok(code) => code,
        Err(Failed(text)) => {
            eprintln!("holdfast: {text}");
            ExitCode::FAILURE
        }
    }
}

/// Microseconds since 1970 UTC.
pub fn now() -> i64 {
    engine_clock().now()
}

fn engine_clock() -> engine::Clock {
    engine::Clock::default()
}

/// A file that must be there, with its length.
pub fn open_file(path: &PathBuf) -> Result<(std::fs::File, u64), Failed> {
    let file = std::fs::File::open(path).map_err(|e| Failed(format!("{}: {e}", path.display())))?;
    let length = file.metadata().map(|m| m.len()).unwrap_or(0);
    Ok((file, length))
}
