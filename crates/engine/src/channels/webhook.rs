//! Webhooks: what a marketplace or a warehouse tells by itself.

use super::rows::Channel;
use super::take_orders::TakeOrders;
use super::workers::{Workers, actor, config, settings};
use crate::secrets::Vault;
use crate::warehouses::{self, follow::Followed};
use crate::{Command, Engine, Stop};
use connectors::marketplace::{self, Marketplace, Notice, Rejected};
use connectors::transport::Fault;
use connectors::warehouse::{self, Warehouse};
use domain::Refused;

/// Takes in a webhook: `headers` in lower case, the raw body. None if it is not signed by this channel, or is too old.
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
    if let Some(market) = marketplace::by_word(&channel.kind) {
        if let Some(name) = market.key_wanted(headers) {
            let wire = workers.wire(engine, vault, channel).await?;
            let fetch = async || market.fetch_key(&wire, &name).await;
            if let Some(key) = workers.keys.get(channel.id, &name, engine.now(), fetch).await {
                settings.insert(format!("public_key:{name}"), key);
            }
        }
        return Ok(match market.webhook(&|name| settings.get(name).cloned(), headers, body, engine.now()) {
            Ok(told) => Ok(notice(workers, engine, vault, channel, market, told).await?),
            Err(rejected) => Err(rejected),
        });
    }
    let Some(warehouse) = warehouse::by_word(&channel.kind) else { return Ok(Err(Rejected::Signature)) };
    Ok(match warehouse.notice(&|name| settings.get(name).cloned(), headers, body, engine.now()) {
        Ok(ids) => Ok(follow(workers, engine, vault, channel, warehouse, ids).await?),
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
        Ok(topics) => Ok(Ok(topics)),
        Err(Fault::Refused { code, detail, .. }) => Err(Refused::invalid("address", format!("is not taken: {detail} ({code})")).into()),
        Err(fault) => Ok(Err(format!("{fault:?}"))),
    }
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

/// Takes in what a webhook said. Orders that it only names are asked for; whatever fails comes with the next poll.
async fn notice(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    channel: &Channel,
    market: &dyn Marketplace,
    notice: Notice,
) -> Result<usize, Stop> {
    let orders = match notice {
        Notice::Orders(orders) => orders,
        Notice::Ask(ids) => {
            let wire = workers.wire(engine, vault, channel).await?;
            let mut orders = Vec::with_capacity(ids.len());
            for id in ids.iter().take(MOST) {
                orders.extend(market.order(&wire, id).await.ok());
            }
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
    Ok(count)
}
