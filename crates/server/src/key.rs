//! `holdfast key`.

use crate::{Database, Done, Failed, now};
use domain::access::BUILT_IN;
use engine::keys::{self, NewKey};
use engine::views::Time;
use engine::{By, beside};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

#[derive(clap::Subcommand)]
enum KeyCommand {
    /// Create a key and print it, once
    Create {
        /// Whom it is for; stands in the books beside what was done with it
        #[arg(long)]
        name: String,
        /// The name of a role: read, operate, admin, warehouse, … or one of your own
        #[arg(long)]
        role: String,
        /// Codes of the locations that it is limited to
        #[arg(long, value_delimiter = ',')]
        locations: Option<Vec<String>>,
        /// Codes of the channels that it is limited to
        #[arg(long, value_delimiter = ',')]
        channels: Option<Vec<String>>,
        /// Days until it expires; never if left out
        #[arg(long, value_parser = clap::value_parser!(i64).range(1..=36_500))]
        days: Option<i64>,
        #[command(flatten)]
        database: Database,
    },
    /// List keys without their secrets
    List {
        #[command(flatten)]
        database: Database,
    },
    /// End a key for good
    Revoke {
        /// The 12 characters after hf_
        id: String,
        #[command(flatten)]
        database: Database,
    },
}

impl KeyArgs {
    pub fn run(self) -> Done {
        match self.command {
            KeyCommand::Create { name, role, locations, channels, days, database } => {
                let expires_in_seconds = days.map(|days| days * 86_400);
                let new = NewKey { name, role, expires_in_seconds, locations, channels };
                let made = beside(&database.url()?, |tx| keys::create(tx, &By::from("command line"), now(), &new));
                let (_, text) = made.map_err(|stop| match stop.refused() {
                    Some(domain::Refused::Unknown { noun: domain::Noun::Role, name, .. }) => {
                        let names: Vec<&str> = BUILT_IN.iter().map(|r| r.name).collect();
                        Failed(format!("there is no role “{name}”; there are: {}, and your own", names.join(", ")))
                    }
                    _ => Failed(stop.to_string()),
                })?;
                println!("{text}");
            }
            KeyCommand::List { database } => {
                let mut conn = engine::db::Conn::open_to_read(&database.url()?)?;
                let mut tx = conn.begin_read()?;
                for key in keys::list_keys(&mut tx)? {
                    let end = match (key.revoked_at, key.expires_at) {
                        (Some(at), _) => format!("revoked {}", Time(at)),
                        (None, Some(at)) => format!("expires {}", Time(at)),
                        (None, None) => "in force".to_owned(),
                    };
                    println!("{}  {:10}  {:24}  {end}", key.id, key.role, key.name);
                }
            }
            KeyCommand::Revoke { id, database } => {
                beside(&database.url()?, |tx| keys::revoke(tx, &By::from("command line"), now(), &id))?;
                println!("Key {id} is revoked.");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
