//! Webhooks: what a marketplace tells by itself.

use super::connect;
use super::rows::Channel;
use super::take_orders::TakeOrders;
use super::worker::{Workers, actor, config};
use crate::secrets::Vault;
use crate::{Command, Engine, Stop};
use connectors::marketplace::{self, Notice};
use connectors::transport::Fault;
use domain::Refused;
use std::collections::BTreeMap;

/// Takes in a webhook: `headers` in lower case, the raw body. None if it is not signed by this channel, or is too old.
pub async fn receive(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    code: &str,
    headers: &[(String, String)],
    body: &[u8],
) -> Result<Result<usize, marketplace::Rejected>, Stop> {
    let config = config(engine).await?;
    let Some(channel) = config.channel_by_code(code) else { return Ok(Err(marketplace::Rejected::Signature)) };
    let Some(market) = marketplace::by_word(&channel.kind) else { return Ok(Err(marketplace::Rejected::Signature)) };
    let mut settings = settings(engine, vault, channel).await?;
    if let Some(name) = market.key_wanted(headers) {
        let (_, wire) = workers.wire(engine, vault, channel).await?;
        let fetch = async || market.fetch_key(&wire, &name).await;
        if let Some(key) = workers.keys.get(channel.id, &name, engine.now(), fetch).await {
            settings.insert(format!("public_key:{name}"), key);
        }
    }
    match market.webhook(&|name| settings.get(name).cloned(), headers, body, engine.now()) {
        Ok(told) => Ok(Ok(notice(workers, engine, vault, channel, told).await?)),
        Err(rejected) => Ok(Err(rejected)),
    }
}

/// The settings of a channel, secret ones too.
async fn settings(engine: &Engine, vault: &Vault, channel: &Channel) -> Result<BTreeMap<String, String>, Stop> {
    let id = channel.id;
    let sealed = engine.read(move |tx| connect::secrets(tx, id)).await?;
    let (text, _) = vault.decrypt(&channel.code, &sealed)?;
    let mut settings: BTreeMap<String, String> = serde_json::from_str(&channel.settings).unwrap_or_default();
    settings.extend(serde_json::from_str::<BTreeMap<String, String>>(&text).unwrap_or_default());
    Ok(settings)
}

/// The answer to a marketplace that asks whether the address of a channel's webhooks is ours; None if this one does not ask.
pub async fn challenge(engine: &Engine, vault: &Vault, code: &str, challenge: &str) -> Result<Option<String>, Stop> {
    let config = config(engine).await?;
    let Some(channel) = config.channel_by_code(code) else { return Ok(None) };
    let Some(market) = marketplace::by_word(&channel.kind) else { return Ok(None) };
    let settings = settings(engine, vault, channel).await?;
    let setting = |name: &str| settings.get(name).cloned().unwrap_or_default();
    Ok(market.challenge(&setting, challenge, &setting("webhook_address")))
}

/// Asks a channel to tell of its orders at this address; answers the topics, or why there is no answer.
pub async fn subscribe(
    workers: &Workers,
    engine: &Engine,
    vault: &Vault,
    channel: &Channel,
    address: &str,
) -> Result<Result<Vec<String>, String>, Stop> {
    let (market, wire) = workers.wire(engine, vault, channel).await?;
    match market.subscribe(&wire, address).await {
        Ok(topics) => Ok(Ok(topics)),
        Err(Fault::Refused { code, detail, .. }) => Err(Refused::invalid("address", format!("is not taken: {detail} ({code})")).into()),
        Err(fault) => Ok(Err(format!("{fault:?}"))),
    }
}

/// Takes in what a webhook said. Orders that it only names are asked for; whatever fails comes with the next poll.
async fn notice(workers: &Workers, engine: &Engine, vault: &Vault, channel: &Channel, notice: Notice) -> Result<usize, Stop> {
    let orders = match notice {
        Notice::Orders(orders) => orders,
        Notice::Ask(ids) => {
            let (market, wire) = workers.wire(engine, vault, channel).await?;
            let mut orders = Vec::with_capacity(ids.len());
            for id in ids.iter().take(100) {
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
