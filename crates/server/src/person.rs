//! `holdfast person`: who can sign in. For the first of them, and for whoever locked themselves out.

use crate::{Database, Done, Failed, now};
use engine::people::links::{self, Kind};
use engine::people::{self, NewPerson, UpdatePerson};
use engine::{By, Stop, beside};
use std::process::ExitCode;

#[derive(clap::Args)]
pub struct PersonArgs {
    #[command(subcommand)]
    command: PersonCommand,
}

#[derive(clap::Subcommand)]
enum PersonCommand {
    /// Let somebody in, and print the path of a link with which they set their password
    Create {
        /// Their mail address
        login: String,
        #[arg(long)]
        name: String,
        /// owner, operations, warehouse, channels, finance, support, auditor, or one of your own
        #[arg(long)]
        role: String,
        #[command(flatten)]
        database: Database,
    },
    /// Print the path of a link with which somebody sets a new password; their second factor stays
    Reset {
        login: String,
        /// Take their second factor away, too: for a lost phone
        #[arg(long)]
        second_factor: bool,
        #[command(flatten)]
        database: Database,
    },
    /// Switch somebody off, and sign them out everywhere
    Disable {
        login: String,
        #[command(flatten)]
        database: Database,
    },
    /// List everybody
    List {
        #[command(flatten)]
        database: Database,
    },
}

fn by() -> By {
    By::from("command line")
}

/// Somebody by their mail address.
fn find(tx: &mut engine::db::Tx<'_>, login: &str) -> Result<people::Person, Stop> {
    let login = people::login("login", login)?;
    people::by_login(tx, &login)?.ok_or_else(|| domain::Refused::unknown(domain::Noun::Person, login, "login").into())
}

impl PersonArgs {
    pub fn run(self) -> Done {
        match self.command {
            PersonCommand::Create { login, name, role, database } => {
                let new = NewPerson { login, name, role, locations: None, channels: None };
                let link = beside(&database.url()?, |tx| {
                    let person = people::create(tx, &by(), now(), &new)?;
                    links::create(tx, &by(), now(), Kind::Invite, Some(&person.id))
                })?;
                println!("/link?link={link}");
                eprintln!("Open this path on the server within seven days to set the password.");
            }
            PersonCommand::Reset { login, second_factor, database } => {
                let link = beside(&database.url()?, |tx| {
                    let person = find(tx, &login)?;
                    if second_factor {
                        people::set_second_factor(tx, &by(), now(), &person.id, None, Vec::new())?;
                    }
                    links::create(tx, &by(), now(), Kind::Reset, Some(&person.id))
                })?;
                println!("/link?link={link}");
                eprintln!("Open this path on the server within an hour to set the password.");
            }
            PersonCommand::Disable { login, database } => {
                let off = UpdatePerson { active: Some(false), ..UpdatePerson::default() };
                beside(&database.url()?, |tx| {
                    let id = find(tx, &login)?.id;
                    people::update(tx, &by(), now(), &id, &off)
                })?;
                println!("{login} is switched off.");
            }
            PersonCommand::List { database } => {
                let url = database.url()?;
                let everybody = beside(&url, people::list).map_err(|e| Failed(e.to_string()))?;
                for p in everybody {
                    let state = if p.active { "can sign in" } else { "switched off" };
                    println!("{:32}  {:12}  {:24}  {state}", p.login, p.role, p.name);
                }
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
