//! The player: hands what happened to the engine, in order, and keeps just enough in mind to ship it and to take it back.
//!
//! Here: sending in waves, waiting for the answers, and what the answers say of orders and parcels. Which invoice makes
//! which commands stands in play.rs.

use crate::Failed;
use domain::Refused;
use engine::catalog::items::NewItem;
use engine::db::Tx;
use engine::orders::cancel::CancelOrder;
use engine::orders::place::PlaceOrder;
use engine::orders::r#return::ReturnOrder;
use engine::orders::ship::Ship;
use engine::reservations::reserve::Reserve;
use engine::stock::SkuLine;
use engine::stock::adjust::Adjust;
use engine::stock::receive::Receive;
use engine::views::OrderView;
use engine::{Answer, Command, Config, Engine, IdempotencyKey, Reply, Stop};
use std::collections::BTreeMap;
use std::sync::Arc;
use tokio::sync::oneshot;

type Answered = oneshot::Receiver<Result<Reply, Stop>>;

/// What became of an order: its view, or the code and the words of the refusal.
pub struct Placed {
    /// The number that the caller gave it.
    pub order: usize,
    pub outcome: Result<Box<OrderView>, String>,
}

pub struct Player {
    pub engine: Engine,
    pub actor: Arc<str>,
    pub channel: &'static str,
    /// When what is sent happened; now if none.
    pub at: Option<i64>,
    /// Refusals that nobody expected, in words.
    pub trouble: Vec<String>,
    config: Arc<Config>,
    waiting: Vec<(Option<usize>, Answered)>,
    /// Parcels that have not left: fulfillment, and the day on which it was made.
    open: BTreeMap<i64, String>,
    /// Whether something in this wave may serve orders that wait.
    supplied: bool,
    last_event: i64,
}

/// Some units of an order that the customer does not keep.
pub struct TakenBack {
    pub order: i64,
    pub sku: String,
    /// All units of this SKU that were ever taken back from this order, these included.
    pub in_all: i64,
}

impl Player {
    pub fn new(engine: Engine, actor: &str, channel: &'static str) -> Player {
        Player {
            engine,
            actor: actor.into(),
            channel,
            at: None,
            trouble: Vec::new(),
            config: Arc::default(),
            waiting: Vec::new(),
            open: BTreeMap::new(),
            supplied: false,
            last_event: 0,
        }
    }

    fn send(&mut self, order: Option<usize>, command: Command, key: Option<IdempotencyKey>) -> Result<(), Failed> {
        loop {
            match self.engine.send_at(self.at, command.clone(), self.actor.clone(), key.clone()) {
                Ok(answer) => {
                    self.waiting.push((order, answer));
                    return Ok(());
                }
                // Others keep the writer busy too.
                Err(Stop::Refused(Refused::Overloaded { .. })) => std::thread::sleep(std::time::Duration::from_millis(20)),
                Err(stop) => return Err(stop.into()),
            }
        }
    }

    /// A movement of stock, which a second run must not do again.
    fn send_once(&mut self, name: &str, command: Command) -> Result<(), Failed> {
        if !self.supplied {
            self.supplied = true;
            self.last_event = *self.engine.watch_events().borrow();
        }
        let request = *blake3::hash(format!("{command:?}").as_bytes()).as_bytes();
        let key = IdempotencyKey { key: format!("{}:{name}", self.actor), request };
        self.send(None, command, Some(key))
    }

    pub fn create_location(&mut self, location: engine::catalog::locations::NewLocation) -> Result<(), Failed> {
        self.send(None, Command::CreateLocation(location), None)
    }

    pub fn create_item(&mut self, item: NewItem) -> Result<(), Failed> {
        self.send(None, Command::CreateItem(item), None)
    }

    /// Sets units aside and waits for the answer: the hold, or none if they are not all there.
    pub fn hold(&mut self, reserve: Reserve) -> Result<Option<String>, Failed> {
        let answer = self.engine.send_at(self.at, Command::Reserve(reserve), self.actor.clone(), None)?;
        match answer.blocking_recv().unwrap_or(Err(Stop::Stopped)) {
            Ok(Reply { answer: Answer::Reservation(view), .. }) => Ok(Some(view.id.0.to_string())),
            Ok(_) => Ok(None),
            Err(stop) if stop.refused().is_some() => Ok(None),
            Err(stop) => Err(stop.into()),
        }
    }

    pub fn place(&mut self, order: usize, place: PlaceOrder) -> Result<(), Failed> {
        self.send(Some(order), Command::PlaceOrder(Box::new(place)), None)
    }

    pub fn receive(&mut self, reference: String, location: &str, lines: Vec<SkuLine>) -> Result<(), Failed> {
        let name = format!("receive:{location}:{reference}");
        self.send_once(&name, Command::Receive(Receive { location: location.into(), lines, reference: Some(reference) }))
    }

    pub fn adjust(&mut self, name: &str, adjust: Adjust) -> Result<(), Failed> {
        self.send_once(&format!("adjust:{name}"), Command::Adjust(adjust))
    }

    /// Waits until the wave is durable; answers the orders in it.
    pub fn settle(&mut self) -> Result<Vec<Placed>, Failed> {
        let mut placed = Vec::new();
        for (order, answer) in std::mem::take(&mut self.waiting) {
            let outcome = match answer.blocking_recv().unwrap_or(Err(Stop::Stopped)) {
                Ok(reply) => match reply.answer {
                    Answer::Order(view) => {
                        self.note(&view);
                        Ok(view)
                    }
                    _ => continue,
                },
                Err(stop) => match stop.refused() {
                    // A second run meets what the first one made.
                    Some(Refused::Exists { .. } | Refused::StepNotAllowed { .. } | Refused::IdempotencyKeyReused) => continue,
                    Some(refused) => Err(format!("{}: {refused}", refused.code())),
                    None => return Err(stop.into()),
                },
            };
            match (order, outcome) {
                (Some(order), outcome) => placed.push(Placed { order, outcome }),
                (None, Err(why)) => self.trouble.push(why),
                (None, Ok(_)) => {}
            }
        }
        if std::mem::take(&mut self.supplied) {
            self.note_filled()?;
        }
        Ok(placed)
    }

    fn note(&mut self, view: &OrderView) {
        for fulfillment in &view.fulfillments {
            if ["open", "partially_fulfilled"].contains(&fulfillment.status) {
                self.open.insert(fulfillment.id.0, fulfillment.day.clone());
            } else {
                self.open.remove(&fulfillment.id.0);
            }
        }
    }

    /// Orders that waited and were served by this wave have new parcels.
    fn note_filled(&mut self) -> Result<(), Failed> {
        let actor = self.actor.clone();
        let mut after = self.last_event;
        let mut filled = Vec::new();
        loop {
            let events = self.engine.read_blocking(|tx| engine::events::after(tx, after, 1_000))?;
            let Some(last) = events.last() else { break };
            after = last.id.0;
            filled.extend(events.iter().filter(|e| e.kind == "order.filled" && e.actor == *actor).map(|e| e.subject.0));
        }
        self.last_event = after;
        filled.sort_unstable();
        filled.dedup();
        let channel = self.channel;
        for view in self.orders(&filled)?.iter().filter(|view| view.channel == channel) {
            self.note(view);
        }
        Ok(())
    }

    /// Reads with the configuration as it is now.
    pub fn read<T>(&mut self, read: impl FnOnce(&mut Tx<'_>, &Config) -> Result<T, Stop>) -> Result<T, Failed> {
        let config = &mut self.config;
        Ok(self.engine.read_blocking(|tx| {
            Config::refresh(tx, config)?;
            read(tx, config)
        })?)
    }

    pub fn orders(&mut self, ids: &[i64]) -> Result<Vec<OrderView>, Failed> {
        self.read(|tx, config| ids.iter().map(|id| engine::orders::read::one(tx, config, *id)).collect())
    }

    /// Goes on with what an earlier run left: the parcels that it had not shipped.
    pub fn find_open(&mut self) -> Result<(), Failed> {
        for status in ["open", "backordered", "partially_fulfilled"] {
            let filter = engine::orders::read::Filter { status: status.into(), channel: self.channel.into(), reference: String::new() };
            let mut before = i64::MAX;
            loop {
                let views = self.read(|tx, config| engine::orders::read::list(tx, config, &filter, before, 500))?;
                let Some(last) = views.last() else { break };
                before = last.id.0;
                views.iter().for_each(|view| self.note(view));
            }
        }
        Ok(())
    }

    /// Parcels that have not left, oldest first: the fulfillment, and the day (as 2010-12-01) on which it was made.
    pub fn parcels(&self) -> impl Iterator<Item = (i64, &str)> {
        self.open.iter().map(|(id, made)| (*id, made.as_str()))
    }

    pub fn ship(&mut self, fulfillment: i64) -> Result<(), Failed> {
        self.open.remove(&fulfillment);
        self.send(None, Command::Ship(Ship { fulfillment, ..Ship::default() }), None)
    }

    /// Takes units back: those that have not left the house are canceled, the others come back to it. Asks the books what
    /// was taken back already, so that nothing comes back twice.
    pub fn take_back(&mut self, units: &[TakenBack], reason: &str) -> Result<(), Failed> {
        let mut ids: Vec<i64> = units.iter().map(|u| u.order).collect();
        ids.sort_unstable();
        ids.dedup();
        for view in self.orders(&ids)? {
            let (mut canceled, mut returned) = (Vec::new(), Vec::new());
            for unit in units.iter().filter(|u| u.order == view.id.0) {
                let lines = || view.lines.iter().filter(|l| *l.sku == *unit.sku);
                let left = unit.in_all - lines().map(|l| l.canceled + l.returned).sum::<i64>();
                let unshipped: i64 = lines().map(|l| l.quantity - l.canceled - l.shipped).sum();
                let to_cancel = left.min(unshipped);
                let line = |quantity| SkuLine { sku: unit.sku.clone(), quantity };
                canceled.extend((to_cancel > 0).then(|| line(to_cancel)));
                returned.extend((left > to_cancel).then(|| line(left - to_cancel)));
            }
            if !self.supplied {
                self.supplied = true;
                self.last_event = *self.engine.watch_events().borrow();
            }
            let (id, reason) = (view.id.0, Some(reason.to_owned()));
            if !canceled.is_empty() {
                self.send(None, Command::CancelOrder(CancelOrder { id, lines: Some(canceled), reason: reason.clone(), from_channel: false }), None)?;
            }
            if !returned.is_empty() {
                // To where the first parcel came from: the address on its label.
                let location = view.fulfillments.first().map_or(super::places::MAIN, |f| &f.location).to_owned();
                self.send(None, Command::ReturnOrder(ReturnOrder { id, location, lines: returned, state: None, reason, refund: false }), None)?;
            }
        }
        Ok(())
    }

    /// Where an item can be taken from, the fullest shelf first.
    pub fn available(&mut self, sku: &str) -> Result<Vec<(String, i64)>, Failed> {
        let view = self.read(|tx, config| match engine::stock::read::stock(tx, config, sku, None) {
            Ok(view) => Ok(Some(view)),
            // An item that was refused has no stock.
            Err(stop) if stop.refused().is_some() => Ok(None),
            Err(stop) => Err(stop),
        })?;
        let places = view.into_iter().flat_map(|v| v.locations).map(|l| (l.location.to_string(), l.balances.available));
        let mut places: Vec<(String, i64)> = places.filter(|(_, n)| *n > 0).collect();
        places.sort_by_key(|(code, n)| (std::cmp::Reverse(*n), code.clone()));
        Ok(places)
    }

    /// Units of an item that the books hold under a reference.
    pub fn booked(&mut self, sku: &str, cause: &str, reference: &str) -> Result<i64, Failed> {
        let mut units = 0;
        let mut after = (0, 0);
        loop {
            let page = self.read(|tx, config| match engine::stock::read::entries(tx, config, sku, after, 1_000) {
                Err(stop) if stop.refused().is_some() => Ok(Vec::new()),
                page => page,
            })?;
            let Some((_, last)) = page.last() else { return Ok(units) };
            after = *last;
            units += page.iter().filter(|(e, _)| e.cause == cause && e.reference.as_deref() == Some(reference)).map(|(e, _)| e.quantity).sum::<i64>();
        }
    }
}
