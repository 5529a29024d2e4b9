//! `holdfast key`.

use crate::{Database, Done, Failed, now};
use engine::views::Time;
use engine::{Role, create_key, list_keys, revoke_key};
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
        /// read, operate or admin
        #[arg(long)]
        role: String,
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
            KeyCommand::Create { name, role, days, database } => {
                let role = Role::parse(&role).ok_or_else(|| Failed(format!("there is no role “{role}”; there are: read, operate, admin")))?;
                let now = now();
                let expires_at = days.map(|days| now + days * 86_400_000_000);
                let (_, text) = create_key(&database.url()?, &name, role, now, expires_at)?;
                println!("{text}");
            }
            KeyCommand::List { database } => {
                let mut conn = engine::db::Conn::open_to_read(&database.url()?)?;
                let mut tx = conn.begin_read()?;
                for key in list_keys(&mut tx)? {
                    let end = match (key.revoked_at, key.expires_at) {
                        (Some(at), _) => format!("revoked {}", Time(at)),
                        (None, Some(at)) => format!("expires {}", Time(at)),
                        (None, None) => "in force".to_owned(),
                    };
                    println!("{}  {:8}  {:24}  {end}", key.id, key.role.word(), key.name);
                }
            }
            KeyCommand::Revoke { id, database } => {
                revoke_key(&database.url()?, &id, now())?;
                println!("Key {id} is revoked.");
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
