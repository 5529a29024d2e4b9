//! Webhooks: what a marketplace or a warehouse tells by itself.

use super::connect::{UpdateChannel, WEBHOOK_ADDRESS};
use super::rows::Channel;
use super::take_orders::TakeOrders;
use super::workers::{Workers, actor, config, settings};
use crate::secrets::Vault;
use crate::warehouses::{self, follow::Followed};
use crate::{Command, Engine, Stop};
use connectors::account;
use connectors::marketplace::{self, Marketplace, Notice, Rejected};
use connectors::transport::Fault;
use connectors::warehouse::{self, Warehouse};
use domain::Refused;
use std::collections::{BTreeMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};

/// Webhooks that were taken in lately, so that a copy is not acted on again: marketplaces send ten of one, and a stranger who
/// caught one could make us ask for its order as often as he likes.
#[derive(Clone, Default)]
pub struct Seen(Arc<Mutex<(VecDeque<[u8; 32]>, HashSet<[u8; 32]>)>>);

/// Most that are remembered.
const REMEMBERED: usize = 20_000;

impl Seen {
    fn name(channel: &Channel, headers: &[(String, String)], body: &[u8]) -> [u8; 32] {
        let names = account::by_word(&channel.kind).map_or(&[][..], |a| a.webhook_names());
        let mut hasher = blake3::Hasher::new();
        hasher.update(&channel.id.to_le_bytes());
        for (name, value) in headers.iter().filter(|(name, _)| names.contains(&name.as_str())) {
            hasher.update(name.as_bytes()).update(value.as_bytes());
        }
        hasher.update(body);
        *hasher.finalize().as_bytes()
    }

    fn has(&self, name: &[u8; 32]) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1.contains(name)
    }

    fn add(&self, name: [u8; 32]) {
        let mut seen = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.1.insert(name) {
            seen.0.push_back(name);
        }
        if seen.0.len() > REMEMBERED
            && let Some(oldest) = seen.0.pop_front()
        {
            seen.1.remove(&oldest);
        }
    }
}

/// Takes in a webhook: `headers` in lower case, the raw body. None if it is not signed by this channel, or is too old. A copy of one
/// that was taken in is answered as it was, and nothing is done.
pub async fn receive(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    code: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Result<usize, Rejected>, Stop> {
    let config = config(engine).await?;
    let Some(channel) = config.channel_by_code(code) else { return Ok(Err(Rejected::Signature)) };
    let (mut settings, _) = settings(engine, vault, channel).await?;
    let name = Seen::name(channel, headers, body);
    if let Some(market) = marketplace::by_word(&channel.kind) {
        if let Some(name) = market.key_wanted(headers) {
            let wire = workers.wire(engine, vault, channel).await?;
            let fetch = async || market.fetch_key(&wire, &name).await;
            if let Some(key) = workers.keys.get(channel.id, &name, engine.now(), fetch).await {
                settings.insert(format!("public_key:{name}"), key);
            }
        }
        return Ok(match market.webhook(&|name| settings.get(name).cloned(), headers, body, engine.now()) {
            Ok(_) if workers.seen.has(&name) => Ok(0),
            Ok(told) => {
                let (count, all) = notice(workers, engine, vault, channel, market, told).await?;
                if all {
                    workers.seen.add(name);
                }
                Ok(count)
            }
            Err(rejected) => Err(rejected),
        });
    }
    let Some(warehouse) = warehouse::by_word(&channel.kind) else { return Ok(Err(Rejected::Signature)) };
    Ok(match warehouse.notice(&|name| settings.get(name).cloned(), headers, body, engine.now()) {
        Ok(_) if workers.seen.has(&name) => Ok(0),
        Ok(ids) => {
            let asked = ids.len();
            let count = follow(workers, engine, vault, channel, warehouse, ids).await?;
            if count == asked {
                workers.seen.add(name);
            }
            Ok(count)
        }
        Err(rejected) => Err(rejected),
    })
}

/// The answer to a marketplace that asks whether the address of a channel's webhooks is ours; None if this one does not ask.
pub async fn challenge(engine: &Engine, vault: &Vault, code: &str, challenge: &str) -> Result<Option<String>, Stop> {
    let config = config(engine).await?;
    let Some(channel) = config.channel_by_code(code) else { return Ok(None) };
    let Some(market) = marketplace::by_word(&channel.kind) else { return Ok(None) };
    let (settings, _) = settings(engine, vault, channel).await?;
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    Ok(market.challenge(&setting, challenge, &setting("webhook_address")))
}

/// Asks a marketplace or a warehouse to tell of orders at this address; answers the topics, or why there is no answer. Safe to
/// repeat.
pub async fn subscribe(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    channel: &Channel,
    address: &str,
) -> Result<Result<Vec<String>, String>, Stop> {
    let wire = workers.wire(engine, vault, channel).await?;
    let answer = match (marketplace::by_word(&channel.kind), warehouse::by_word(&channel.kind)) {
        (Some(market), _) => market.subscribe(&wire, address).await,
        (None, Some(warehouse)) => warehouse.subscribe(&wire, address).await,
        (None, None) => return Err(Stop::broken(format!("there is no connector “{}”", channel.kind))),
    };
    match answer {
        Ok(topics) => {
            remember_address(engine, channel, address).await?;
            Ok(Ok(topics))
        }
        Err(Fault::Refused { code, detail, .. }) => Err(Refused::invalid("address", format!("is not taken: {detail} ({code})")).into()),
        Err(fault) => Ok(Err(fault.to_string())),
    }
}

/// Keeps the address in the channel's settings, so that a subscription which is dropped there is made again.
async fn remember_address(engine: &Engine, channel: &Channel, address: &str) -> Result<(), Stop> {
    let mut settings: BTreeMap<String, String> = serde_json::from_str(&channel.settings).unwrap_or_default();
    if settings.insert(WEBHOOK_ADDRESS.into(), address.to_owned()).as_deref() == Some(address) {
        return Ok(());
    }
    let update = UpdateChannel { code: channel.code.to_string(), settings: Some(settings), ..UpdateChannel::default() };
    engine.submit(Command::UpdateChannel(update), actor(), None).await.map(drop)
}

/// Most orders that one webhook may make us ask for.
const MOST: usize = 100;

/// Looks after the orders that a warehouse speaks of; whatever fails is looked after when its time comes.
async fn follow(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    channel: &Channel,
    warehouse: &dyn Warehouse,
    ids: Vec<String>,
) -> Result<usize, Stop> {
    let (id, mut count) = (channel.id, 0);
    let wire = workers.wire(engine, vault, channel).await?;
    for external in ids.into_iter().take(MOST) {
        let name = external.clone();
        let Some(fulfillment) = engine.read(move |tx| warehouses::read::by_external(tx, id, &name)).await? else { continue };
        let Ok(told) = warehouse.follow(&wire, &external).await else { continue };
        engine.submit(Command::Followed(Box::new(Followed { fulfillment, told })), actor(), None).await?;
        count += 1;
    }
    Ok(count)
}

/// Takes in what a webhook said: how many orders, and whether they are all that it spoke of. Orders that it only names are asked for;
/// whatever fails comes with the next poll.
async fn notice(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    channel: &Channel,
    market: &dyn Marketplace,
    notice: Notice,
) -> Result<(usize, bool), Stop> {
    let mut all = true;
    let orders = match notice {
        Notice::Orders(orders) => orders,
        Notice::Ask(ids) => {
            let wire = workers.wire(engine, vault, channel).await?;
            let mut orders = Vec::with_capacity(ids.len());
            for id in ids.iter().take(MOST) {
                orders.extend(market.order(&wire, id).await.ok());
            }
            all = orders.len() == ids.len();
            orders
        }
        // The numbers are read with a time that is known; a webhook's is not.
        Notice::Quantities(_) | Notice::Other(_) => Vec::new(),
    };
    let count = orders.len();
    if count > 0 {
        let command = TakeOrders {
            channel: channel.id,
            channel_code: channel.code.to_string(),
            orders,
            unread: Vec::new(),
            watermark: None,
            orders_from: None,
            settle: Vec::new(),
        };
        engine.submit(Command::TakeOrders(Box::new(command)), actor(), None).await?;
    }
    Ok((count, all))
}
