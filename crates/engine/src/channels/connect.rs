//! Connect: a channel is added, changed, paused. Its secrets come in encrypted and are never read here.

use super::rows::{CHANNELS, Channel, PROGRESS, Progress};
use crate::Stop;
use crate::batch::Batch;
use crate::command::{Answer, Reply};
use crate::config::Config;
use crate::db::{Rows, Sql, Tx, Value, Write};
use crate::views::{Id, Time};
use connectors::account::{self, Account, Setting};
use connectors::{marketplace, warehouse};
use domain::quota::{Mode, Policy};
use domain::routing::Kind as LocationKind;
use domain::{Noun, Refused, limits};
use serde::Serialize;
use std::collections::BTreeMap;
use std::sync::Arc;
use utoipa::ToSchema;

const SECRETS: Sql = Sql("SELECT secrets FROM channels WHERE id = $1");
const SET_SECRETS: Sql = Sql("UPDATE channels SET secrets = $1 WHERE id = $2");

/// A channel to be added. What the marketplace is like comes from its connector.
#[derive(Debug, Clone)]
pub struct NewChannel {
    pub code: String,
    pub kind: String,
    pub name: String,
    /// Where its API is.
    pub address: String,
    pub settings: BTreeMap<String, String>,
    /// Encrypted.
    pub secrets: String,
    pub policy: Policy,
    pub compares: bool,
    pub restocks: bool,
    /// How long after it was sent a write may still be applied, microseconds.
    pub late: i64,
    /// The code of the location that it stands for, if it is somebody else's warehouse.
    pub location: Option<String>,
}

/// What to change; what is left out stays.
#[derive(Debug, Clone, Default)]
pub struct UpdateChannel {
    pub code: String,
    pub name: Option<String>,
    pub paused: Option<bool>,
    /// Sell nothing there, or sell again.
    pub stopped: Option<bool>,
    pub policy: Option<Policy>,
    pub address: Option<String>,
    pub settings: Option<BTreeMap<String, String>>,
    pub secrets: Option<String>,
}

/// A channel, without its secrets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelView {
    #[schema(value_type = String)]
    pub id: Id,
    #[schema(value_type = String)]
    pub code: Arc<str>,
    pub kind: String,
    pub name: String,
    pub address: String,
    #[schema(value_type = Object)]
    pub settings: BTreeMap<String, String>,
    /// No quantities are sent.
    pub paused: bool,
    /// Nothing is sold there, whatever the policies say.
    pub stopped: bool,
    #[schema(value_type = Object)]
    pub policy: Policy,
    /// The location that it stands for, if it is somebody else's warehouse.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub location: Option<Arc<str>>,
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Time,
}

impl ChannelView {
    pub fn new(channel: &Channel, config: &Config) -> ChannelView {
        ChannelView {
            id: Id(channel.id),
            code: channel.code.clone(),
            kind: channel.kind.clone(),
            name: channel.name.clone(),
            address: channel.address.clone(),
            settings: serde_json::from_str(&channel.settings).unwrap_or_default(),
            paused: channel.paused,
            stopped: channel.stopped,
            policy: channel.policy.clone(),
            location: channel.location.map(|id| config.code(id)),
            created_at: Time(channel.created_at),
        }
    }
}

/// Refuses a policy whose figures make no sense.
pub fn check_policy(policy: &Policy) -> Result<(), Refused> {
    let range = |field: &str, n: i64, max: i64| {
        if (0..=max).contains(&n) { Ok(()) } else { Err(Refused::invalid(field, format!("must be 0 to {max}"))) }
    };
    match policy.mode {
        Mode::Quota => {}
        Mode::Shared { buffer } => range("policy.mode.buffer", buffer, limits::MAX_LINE_QUANTITY)?,
        Mode::Fixed { units } => range("policy.mode.units", units, limits::MAX_LINE_QUANTITY)?,
    }
    range("policy.stop_at", policy.stop_at, limits::MAX_LINE_QUANTITY)?;
    range("policy.cap", policy.cap.unwrap_or(0), limits::MAX_LINE_QUANTITY)?;
    range("policy.percent", policy.percent.unwrap_or(0), 100)
}

impl NewChannel {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        limits::name("code", &self.code)?;
        limits::text("name", &self.name)?;
        check_policy(&self.policy)?;
        if let Some(known) = batch.config.channel_like(&self.code) {
            return Err(Refused::Exists { noun: Noun::Channel, name: known.code.to_string() }.into());
        }
        let location = self.location.as_deref().map(|code| self.warehouse(batch, code)).transpose()?;
        let channel = Channel {
            id: batch.id()?,
            code: self.code.as_str().into(),
            kind: self.kind.clone(),
            name: self.name.clone(),
            address: self.address.clone(),
            settings: serde_json::to_string(&self.settings).unwrap_or_default(),
            paused: false,
            stopped: false,
            policy: self.policy.clone(),
            compares: self.compares,
            restocks: self.restocks,
            late: self.late.max(1),
            created_at: batch.now,
            location,
        };
        let mut rows = Rows::default();
        channel.write(&self.secrets, &mut rows);
        batch.more.push(Write::new(&CHANNELS, rows));
        // Orders from before the channel was connected were filled by whoever did it then.
        let progress = Progress { channel: channel.id, watermark: 0, orders_from: batch.now, ..Progress::default() };
        let mut rows = Rows::default();
        progress.write(&mut rows);
        batch.more.push(Write::new(&PROGRESS, rows));
        let view = ChannelView::new(&channel, &batch.config);
        batch.event("channel.connected", channel.id, &view);
        Arc::make_mut(&mut batch.config).channels.push(channel);
        batch.config_changed = true;
        Ok(Reply::created(Answer::Channel(Box::new(view))))
    }
}

impl NewChannel {
    /// The location that somebody else's warehouse stands for: one of that kind, that no other connection stands for.
    fn warehouse(&self, batch: &Batch<'_>, code: &str) -> Result<i64, Refused> {
        let location = batch.location(code, "location")?;
        if location.kind != LocationKind::ThirdParty {
            return Err(Refused::invalid("location", "must be of kind third_party"));
        }
        match batch.config.warehouse_at(location.id) {
            Some(other) => Err(Refused::invalid("location", format!("is connected already, as “{}”", other.code))),
            None => Ok(location.id),
        }
    }
}

impl UpdateChannel {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let known = batch
            .config
            .channel_by_code(&self.code)
            .filter(|c| !c.is_contract())
            .ok_or_else(|| Refused::unknown(Noun::Channel, &self.code, "code"))?;
        let mut channel = known.clone();
        if let Some(name) = &self.name {
            channel.name = limits::text("name", name)?.to_owned();
        }
        if let Some(policy) = &self.policy {
            check_policy(policy)?;
            channel.policy = policy.clone();
        }
        if let Some(settings) = &self.settings {
            channel.settings = serde_json::to_string(settings).unwrap_or_default();
        }
        if let Some(address) = &self.address {
            check_address(address)?;
            channel.address = address.clone();
        }
        channel.stopped = self.stopped.unwrap_or(channel.stopped);
        channel.paused = self.paused.unwrap_or(channel.paused);
        let view = ChannelView::new(&channel, &batch.config);
        batch.event("channel.updated", channel.id, &view);
        batch.changed_channels.push((channel.clone(), self.secrets.clone()));
        let config = Arc::make_mut(&mut batch.config);
        if let Some(place) = config.channels.iter_mut().find(|c| c.id == channel.id) {
            *place = channel;
        }
        batch.config_changed = true;
        Ok(Reply::done(Answer::Channel(Box::new(view))))
    }
}

/// The encrypted secrets of a channel.
pub fn secrets(tx: &mut Tx<'_>, channel: i64) -> Result<String, Stop> {
    let found = tx.one(SECRETS, &[Value::Int(channel)], |r| r.text(0))?;
    found.ok_or_else(|| Refused::unknown(Noun::Channel, channel.to_string(), "id").into())
}

/// Writes secrets that were encrypted anew, for a rotation of the key.
pub fn set_secrets(tx: &mut Tx<'_>, channel: i64, secrets: &str) -> Result<(), Stop> {
    tx.execute(SET_SECRETS, &[Value::Text(secrets), Value::Int(channel)])?;
    Ok(())
}

/// A marketplace or a warehouse that can be connected, and what it needs.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KindView {
    #[schema(example = "shopify")]
    pub kind: &'static str,
    pub name: &'static str,
    /// It is somebody else's warehouse, and needs the location that it stands for.
    pub is_warehouse: bool,
    pub settings: Vec<SettingView>,
}

#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SettingView {
    pub name: &'static str,
    pub help: &'static str,
    /// Encrypted at rest and never shown again.
    pub secret: bool,
}

/// Every marketplace and warehouse that can be connected.
pub fn kinds() -> Vec<KindView> {
    let setting = |s: &Setting| SettingView { name: s.name, help: s.help, secret: s.secret };
    let kind = |is_warehouse: bool, account: &dyn Account| KindView {
        kind: account.word(),
        name: account.name(),
        is_warehouse,
        settings: account.settings().iter().map(setting).collect(),
    };
    let markets = marketplace::ALL.iter().map(|m| kind(false, *m));
    markets.chain(warehouse::ALL.iter().map(|w| kind(true, *w))).collect()
}

/// What is asked for when a channel is to be connected.
#[derive(Debug, Clone, Default)]
pub struct Connection {
    pub kind: String,
    pub code: String,
    pub name: String,
    pub address: String,
    pub settings: BTreeMap<String, String>,
    pub policy: Policy,
    pub location: Option<String>,
}

/// The channel that these words ask for. Settings are sorted into open and secret ones, which are encrypted.
pub fn read_new(vault: &crate::secrets::Vault, connection: Connection) -> Result<NewChannel, Stop> {
    let Connection { kind, code, name, address, settings, policy, location } = connection;
    let known: Vec<&str> = kinds().iter().map(|k| k.kind).collect();
    let account = account::by_word(&kind).ok_or_else(|| Refused::invalid("kind", format!("must be one of {}", known.join(", "))))?;
    let market = marketplace::by_word(&kind);
    if market.is_some() == location.is_some() {
        let reason =
            if market.is_some() { "is only for a warehouse of somebody else" } else { "must name the location that this warehouse stands for" };
        return Err(Refused::invalid("location", reason).into());
    }
    let (settings, secrets) = sort_settings(vault, account, &code, settings)?;
    check_address(&address)?;
    Ok(NewChannel {
        code,
        kind,
        name,
        address,
        settings,
        secrets,
        policy,
        compares: market.is_some_and(|m| m.writes() == marketplace::Writes::Compared),
        restocks: market.is_some_and(|m| m.restocks_on_cancel()),
        late: market.map_or(0, |m| m.late()),
        location,
    })
}

/// New settings of a channel of this kind, if there are any: the open ones, and the secret ones encrypted.
pub fn read_settings(
    vault: &crate::secrets::Vault,
    kind: &str,
    code: &str,
    settings: Option<BTreeMap<String, String>>,
) -> Result<Option<(BTreeMap<String, String>, String)>, Stop> {
    let account = account::by_word(kind).ok_or_else(|| Stop::broken(format!("there is no connector “{kind}”")))?;
    settings.map(|settings| sort_settings(vault, account, code, settings)).transpose()
}

/// The setting that keeps where a channel's webhooks come to; every account may have it.
pub const WEBHOOK_ADDRESS: &str = "webhook_address";

/// Refuses an address that would carry secrets in the clear to another machine.
pub(super) fn check_address(address: &str) -> Result<(), Refused> {
    if address.len() <= 512 && limits::is_https_or_here(address) { Ok(()) } else { Err(Refused::invalid("address", "must begin with https://")) }
}

/// Refuses a setting that this kind of account does not have, or that is too long.
pub(super) fn check_settings(account: &dyn Account, settings: &BTreeMap<String, String>) -> Result<(), Refused> {
    for (name, value) in settings {
        if name != WEBHOOK_ADDRESS && !account.settings().iter().any(|s| s.name == name) {
            return Err(Refused::UnknownField { field: format!("settings.{name}") });
        }
        if value.len() > 8_192 {
            return Err(Refused::invalid(format!("settings.{name}"), "must be at most 8,192 bytes long"));
        }
    }
    Ok(())
}

/// Settings as they are kept: the open ones, and the secret ones encrypted. Refuses one that is unknown.
pub(super) fn sort_settings(
    vault: &crate::secrets::Vault,
    account: &dyn Account,
    code: &str,
    settings: BTreeMap<String, String>,
) -> Result<(BTreeMap<String, String>, String), Stop> {
    check_settings(account, &settings)?;
    let (secret, open): (BTreeMap<String, String>, BTreeMap<String, String>) =
        settings.into_iter().partition(|(name, _)| account.settings().iter().any(|s| s.name == name && s.secret));
    let secrets = vault.encrypt(code, &serde_json::to_string(&secret).unwrap_or_default())?;
    Ok((open, secrets))
}
