//! `holdfast import`, `verify`, `backup` and `restore`.

use crate::progress::{bar, thousands};
use crate::{Database, Done, Failed, open_file};
use engine::imports::{self, Kind, run};
use engine::{Engine, Options};
use std::ops::ControlFlow::Continue;
use std::path::PathBuf;
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct Import {
    /// items, locations, stock, orders or postal_codes
    kind: String,
    /// A CSV file, gzip or not; its columns are in docs/imports.md
    file: PathBuf,
    #[command(flatten)]
    database: Database,
    /// Only read and check the file
    #[arg(long)]
    dry_run: bool,
    /// Name of this import, to go on with it where it stopped; the path and size of the file if left out
    #[arg(long)]
    key: Option<String>,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

impl Import {
    pub fn run(self) -> Done {
        let words = Kind::ALL.map(Kind::word).join(", ");
        let kind = Kind::parse(&self.kind).ok_or_else(|| Failed(format!("there is no import of “{}”; there are: {words}", self.kind)))?;
        let (file, length) = open_file(&self.file)?;
        let key = self.key.unwrap_or_else(|| format!("cli:{}:{length}", self.file.display()));
        let engine = Engine::open(Options::new(self.database.url()?))?;
        let progress = bar(0, "rows");
        let name = self.file.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        let import = imports::Import { key: &key, kind, file: &name };
        let view = run(&engine, import, file, &"cli".into(), self.dry_run, |rows| {
            progress.set_position(rows);
            Continue(())
        })?;
        progress.finish_and_clear();
        engine.shut_down();
        if self.json {
            println!("{}", serde_json::to_string(&view)?);
        } else {
            if view.resumed_after > 0 {
                println!("Went on after row {}, where an earlier import had stopped.", thousands(view.resumed_after));
            }
            for error in &view.errors {
                println!("line {}, {}: {} [{}]", error.line, if error.column.is_empty() { "row" } else { &error.column }, error.detail, error.code);
            }
            let told = view.errors.len() as u64;
            if view.rejected > told {
                println!("… and {} more refused rows.", thousands(view.rejected - told));
            }
            let verb = if self.dry_run { "can be read" } else { "accepted" };
            println!("{} rows {verb}, {} refused.", thousands(view.accepted), thousands(view.rejected));
        }
        Ok(if view.rejected == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(clap::Args)]
pub struct Verify {
    #[command(flatten)]
    database: Database,
    /// Answer as JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub fn run(self) -> Done {
        let progress = bar(0, "entries");
        let report = engine::verify(&self.database.url()?, |entries| progress.set_position(entries))?;
        progress.finish_and_clear();
        if self.json {
            let json =
                serde_json::json!({ "entries": report.entries, "levels": report.levels, "discrepancies": report.discrepancies, "told": report.told });
            println!("{json}");
        } else {
            for text in &report.told {
                eprintln!("{text}");
            }
            println!("{} entries, {} levels, {} discrepancies", report.entries, report.levels, report.discrepancies);
        }
        Ok(if report.discrepancies == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(clap::Args)]
pub struct Backup {
    /// The file to write; it must not exist
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

impl Backup {
    pub fn run(self) -> Done {
        let progress = bar(0, "rows");
        engine::backup(&self.database.url()?, &self.file, |rows| progress.set_position(rows))?;
        progress.finish_and_clear();
        let report = engine::verify(&engine::Url::Sqlite(self.file.clone()), |_| {})?;
        println!("{}: {} entries, {} levels, {} discrepancies", self.file.display(), report.entries, report.levels, report.discrepancies);
        Ok(if report.discrepancies == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

#[derive(clap::Args)]
pub struct Restore {
    /// A backup that `holdfast backup` wrote
    file: PathBuf,
    #[command(flatten)]
    database: Database,
}

impl Restore {
    pub fn run(self) -> Done {
        let url = self.database.url()?;
        open_file(&self.file)?;
        let progress = bar(0, "rows");
        engine::restore(&self.file, &url, |rows| progress.set_position(rows))?;
        progress.finish_and_clear();
        let report = engine::verify(&url, |_| {})?;
        println!("{url}: {} entries, {} levels, {} discrepancies", report.entries, report.levels, report.discrepancies);
        Ok(if report.discrepancies == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
