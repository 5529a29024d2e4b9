//! Check: an account is asked something harmless, to see whether its settings are right, before or after it is connected; and what
//! to do when it does not answer.

use super::connect::{Connection, check_address, check_settings};
use super::rows::Channel;
use super::workers::{way, wire};
use crate::secrets::Vault;
use crate::{Engine, Stop};
use connectors::account;
use connectors::transport::{Fault, Wire};
use domain::Refused;
use std::time::Duration;

/// Longest that somebody waits for the answer; a slow account is told as one that does not answer.
const PATIENCE: Duration = Duration::from_secs(20);

/// Why an account did not answer well.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unanswered {
    /// In a sentence without its end.
    pub why: String,
    pub advice: &'static str,
}

impl From<Fault> for Unanswered {
    fn from(fault: Fault) -> Unanswered {
        let advice = match &fault {
            Fault::Unauthorized { .. } => {
                "Compare each secret with what the other side shows, or make a new one there; look whether it may read orders and write quantities."
            }
            Fault::Unavailable { .. } => "Look whether the address is right, whether it opens from this server, and whether the other side is down.",
            Fault::Throttled { .. } => "Wait a moment and check again; another program may be using up its calls.",
            Fault::Lost { .. } => "Check again. If it goes on, the address may lead to something else.",
            Fault::Refused { .. } => "Compare the address and the ids with what the other side shows.",
            Fault::NotUnderstood { .. } => "The address seems to lead to something else, such as a web page: look at its beginning and its end.",
        };
        Unanswered { why: fault.to_string(), advice }
    }
}

/// Asks a connected account its name.
pub async fn check(engine: &Engine, vault: &Vault, channel: &Channel) -> Result<Result<String, Unanswered>, Stop> {
    ask(&channel.kind, &wire(engine, vault, channel).await?).await
}

/// The same with settings that are not kept anywhere yet. Refuses what [`super::connect::read_new`] would, as far as it can be told
/// without a name and a policy.
pub async fn check_new(engine: &Engine, connection: &Connection) -> Result<Result<String, Unanswered>, Stop> {
    let account =
        account::by_word(&connection.kind).ok_or_else(|| Refused::invalid("kind", "must be a marketplace or a warehouse that can be connected"))?;
    check_settings(account, &connection.settings)?;
    check_address(&connection.address)?;
    match way(engine, account, connection.address.clone(), connection.settings.clone(), 0) {
        Ok(wire) => ask(&connection.kind, &wire).await,
        Err(fault) => Ok(Err(fault.into())),
    }
}

async fn ask(kind: &str, wire: &Wire) -> Result<Result<String, Unanswered>, Stop> {
    let account = account::by_word(kind).ok_or_else(|| Stop::broken(format!("there is no connector “{kind}”")))?;
    let answer = tokio::time::timeout(PATIENCE, account.check(wire)).await;
    let answer = answer.unwrap_or_else(|_| Err(Fault::Unavailable { detail: format!("nothing came within {} s", PATIENCE.as_secs()) }));
    Ok(answer.map_err(Unanswered::from))
}
