//! The workload: what is asked next. Each command comes from a seed of its own, so that leaving one out leaves the others
//! as they were, as far as the books that they choose from allow.

use crate::auditor::Auditor;
use crate::world::{CHANNELS, WEB};
use engine::catalog::items::UpdateItem;
use engine::catalog::locations::UpdateLocation;
use engine::orders::cancel::CancelOrder;
use engine::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use engine::orders::r#return::ReturnOrder;
use engine::orders::ship::Ship;
use engine::reservations::extend::Extend;
use engine::reservations::release::Release;
use engine::reservations::reserve::{Reserve, ReserveLine};
use engine::stock::SkuLine;
use engine::stock::adjust::{Adjust, AdjustLine};
use engine::stock::count::{Count, CountLine};
use engine::stock::r#move::{Move, Place};
use engine::stock::receive::Receive;
use engine::stock::transfer::{CancelTransfer, ReceiveTransfer, ReceivedLine, SendTransfer};
use engine::{Command, WhenShort};
use fastrand::Rng;

/// What can be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Kind {
    Receive,
    Adjust,
    Move,
    Count,
    Send,
    Arrive,
    Reserve,
    Extend,
    Release,
    Place,
    Cancel,
    Ship,
    Return,
    Expire,
    Route,
    Fill,
    Settings,
    Clock,
}

/// How often each is asked.
pub const KINDS: [(Kind, usize); 18] = [
    (Kind::Place, 22),
    (Kind::Reserve, 14),
    (Kind::Ship, 11),
    (Kind::Receive, 11),
    (Kind::Cancel, 8),
    (Kind::Release, 5),
    (Kind::Adjust, 5),
    (Kind::Move, 5),
    (Kind::Return, 5),
    (Kind::Extend, 4),
    (Kind::Count, 4),
    (Kind::Send, 4),
    (Kind::Arrive, 4),
    (Kind::Expire, 4),
    (Kind::Route, 6),
    (Kind::Fill, 3),
    (Kind::Settings, 4),
    (Kind::Clock, 5),
];

/// What a step asks for: a command, one of the jobs, or a moved clock.
#[derive(Debug, Clone)]
pub enum Ask {
    Command(Box<Command>),
    Expire,
    Route,
    Fill,
    /// Microseconds, forward or back.
    Clock(i64),
}

impl Ask {
    /// Whether it can be answered for sure only when nothing else is under way: the settings of a node that has not seen
    /// a change yet are not wrong, and a look at waiting orders tells only how many it served.
    pub fn is_alone(&self) -> bool {
        match self {
            Ask::Fill | Ask::Clock(_) => true,
            Ask::Command(command) => matches!(**command, Command::UpdateItem(_) | Command::UpdateLocation(_)),
            _ => false,
        }
    }
}

/// Chooses and makes commands from what the books know.
pub struct Workload<'a> {
    pub books: &'a Auditor,
    pub rng: Rng,
    /// Makes references differ.
    pub number: u64,
}

impl Workload<'_> {
    pub fn kind(&mut self) -> Kind {
        let total: usize = KINDS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.usize(..total);
        for (kind, weight) in KINDS {
            if left < weight {
                return kind;
            }
            left -= weight;
        }
        Kind::Receive
    }

    /// While there is nothing to work on, what makes something.
    fn possible(&mut self, kind: Kind) -> Kind {
        let books = self.books;
        let is_there = match kind {
            Kind::Extend | Kind::Release => books.holds.values().any(|h| h.status == "held"),
            Kind::Arrive => books.transfers.values().any(|t| t.is_open()),
            Kind::Cancel | Kind::Ship => books.orders.values().any(|o| !matches!(o.status(), "fulfilled" | "canceled")),
            Kind::Return => books.orders.values().any(|o| matches!(o.status(), "fulfilled" | "partially_fulfilled")),
            _ => true,
        };
        match kind {
            _ if is_there || self.chance(10) => kind,
            Kind::Extend | Kind::Release => Kind::Reserve,
            Kind::Arrive => Kind::Send,
            _ => Kind::Place,
        }
    }

    pub fn ask(&mut self, kind: Kind) -> Ask {
        let kind = self.possible(kind);
        let command = match kind {
            Kind::Receive => {
                let reference = self.chance(3).then(|| "delivery note".to_owned());
                Command::Receive(Receive { location: self.location(), lines: self.lines(), reference })
            }
            Kind::Adjust => self.adjust(),
            Kind::Move => {
                let (from, to) = (Place { location: self.location(), state: self.state() }, Place { location: self.location(), state: self.state() });
                Command::Move(Move { from, to, lines: self.lines(), reason: "tidying".into(), reference: None })
            }
            Kind::Count => self.count(),
            Kind::Send => Command::SendTransfer(SendTransfer { from: self.location(), to: self.location(), lines: self.lines(), reference: None }),
            Kind::Arrive => self.arrive(),
            Kind::Reserve => self.reserve(),
            Kind::Extend => Command::Extend(Extend { id: self.hold(), expires_in_seconds: self.seconds() }),
            Kind::Release => Command::Release(Release { id: self.hold() }),
            Kind::Place => self.place(),
            Kind::Cancel => {
                let (id, skus) = self.order(|status| !matches!(status, "fulfilled" | "canceled"));
                let lines = self.chance(2).then(|| self.lines_of(&skus));
                Command::CancelOrder(CancelOrder { id, lines, reason: None, from_channel: false })
            }
            Kind::Ship => self.ship(),
            Kind::Return => {
                let (id, skus) = self.order(|status| matches!(status, "fulfilled" | "partially_fulfilled"));
                let state = if self.chance(3) { Some(self.state()) } else { None };
                Command::ReturnOrder(ReturnOrder { id, location: self.location(), lines: self.lines_of(&skus), state, reason: None, refund: false })
            }
            Kind::Settings => self.settings(),
            Kind::Expire => return Ask::Expire,
            Kind::Route => return Ask::Route,
            Kind::Fill => return Ask::Fill,
            Kind::Clock => return self.clock(),
        };
        Ask::Command(Box::new(command))
    }

    fn chance(&mut self, one_in: u32) -> bool {
        self.rng.u32(..one_in) == 0
    }

    /// Mostly a few; now and then what nobody should ask for.
    fn quantity(&mut self) -> i64 {
        match self.rng.u32(..100) {
            0 => *self.rng.choice(&[0, -1, 1_000_000_001, i64::MAX, i64::MIN]).unwrap_or(&0),
            1..=8 => self.rng.i64(10..40),
            _ => self.rng.i64(1..5),
        }
    }

    fn sku(&mut self, kits: bool) -> String {
        if self.chance(50) {
            return "NOTHING".into();
        }
        let most = if kits || self.chance(30) { self.books.world.items.len() } else { self.books.world.plain().count() };
        self.books.world.items[self.rng.usize(..most)].sku.into()
    }

    fn location(&mut self) -> String {
        if self.chance(60) {
            return "NOWHERE".into();
        }
        self.books.world.locations[self.rng.usize(..self.books.world.locations.len())].code.into()
    }

    fn state(&mut self) -> String {
        let words = ["available", "available", "available", "damaged", "quality_control", "safety_stock"];
        if self.chance(40) { "reserved".into() } else { words[self.rng.usize(..words.len())].into() }
    }

    fn seconds(&mut self) -> i64 {
        match self.rng.u32(..30) {
            0 => *self.rng.choice(&[0, -5, i64::MAX, 30 * 24 * 3600 + 1]).unwrap_or(&0),
            1 => 30 * 24 * 3600,
            _ => self.rng.i64(5..3600),
        }
    }

    /// Lines of plain items, mostly without one twice.
    fn lines(&mut self) -> Vec<SkuLine> {
        let count = if self.chance(60) { 0 } else { self.rng.usize(1..4) };
        let mut lines: Vec<SkuLine> = Vec::new();
        for _ in 0..count {
            let line = SkuLine { sku: self.sku(false), quantity: self.quantity() };
            if self.chance(15) || lines.iter().all(|l| l.sku != line.sku) {
                lines.push(line);
            }
        }
        lines
    }

    fn lines_of(&mut self, skus: &[String]) -> Vec<SkuLine> {
        let mut lines: Vec<SkuLine> = Vec::new();
        for sku in skus {
            if self.rng.bool() || skus.len() == 1 {
                lines.push(SkuLine {
                    sku: if self.chance(30) { self.sku(true) } else { sku.clone() },
                    quantity: self.quantity().min(self.rng.i64(1..5)),
                });
            }
        }
        lines
    }

    fn adjust(&mut self) -> Command {
        let reason = ["damaged", "found", "return"][self.rng.usize(..3)].into();
        let mut lines: Vec<AdjustLine> = Vec::new();
        for SkuLine { sku, quantity } in self.lines() {
            let state = if self.chance(3) { Some(self.state()) } else { None };
            let delta = if self.rng.bool() { quantity } else { quantity.saturating_neg() };
            lines.push(AdjustLine { sku, delta, state });
        }
        Command::Adjust(Adjust { location: self.location(), reason, lines, reference: None })
    }

    fn count(&mut self) -> Command {
        let location = self.location();
        let mut lines = Vec::new();
        for SkuLine { sku, quantity } in self.lines() {
            let known = self.books.world.item(&sku).zip(self.books.world.location(&location));
            let on_hand: i64 = known.map_or(0, |(item, location)| self.books.level(item, location)[..6].iter().sum());
            // A count is mostly near what is there.
            let counted = if self.chance(8) { quantity } else { (on_hand + self.rng.i64(-2..4)).max(0) };
            lines.push(CountLine { sku, counted });
        }
        Command::Count(Count { location, lines, reason: None, reference: None })
    }

    fn arrive(&mut self) -> Command {
        let open: Vec<i64> = self.books.transfers.iter().filter(|(_, t)| t.is_open()).map(|(id, _)| *id).collect();
        let any: Vec<i64> = self.books.transfers.keys().copied().collect();
        let id = if self.chance(8) { self.one_of(&any) } else { self.one_of(&open) };
        let items: Vec<usize> = self.books.transfers.get(&id).map(|t| t.lines.keys().copied().collect()).unwrap_or_default();
        if self.chance(6) {
            return Command::CancelTransfer(CancelTransfer { id });
        }
        if self.chance(3) {
            return Command::ReceiveTransfer(ReceiveTransfer { id, lines: None });
        }
        let mut lines = Vec::new();
        for item in items {
            let left = self.books.transfers.get(&id).map_or(0, |t| t.left(item));
            let received = if self.chance(12) { self.quantity() } else { self.rng.i64(left.clamp(0, 1)..=left.max(0)) };
            let lost = if self.chance(4) { self.rng.i64(0..3) } else { 0 };
            lines.push(ReceivedLine { sku: self.books.world.items[item].sku.into(), received: received.min(2_000_000_000), lost });
        }
        Command::ReceiveTransfer(ReceiveTransfer { id, lines: Some(lines) })
    }

    fn reserve(&mut self) -> Command {
        let mut lines = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            let location = if self.chance(3) { Some(self.location()) } else { None };
            lines.push(ReserveLine { sku: self.sku(true), quantity: self.quantity(), location });
        }
        let has_holds = self.books.holds.values().any(|h| h.status == "held");
        let replaces = if has_holds && self.chance(4) { Some(self.hold().to_string()) } else { None };
        Command::Reserve(Reserve { lines, expires_in_seconds: self.seconds(), channel: Some(WEB.into()), replaces })
    }

    fn place(&mut self) -> Command {
        let mut lines = Vec::new();
        for _ in 0..self.rng.usize(1..4) {
            lines.push(PlaceLine { sku: self.sku(true), quantity: self.quantity(), unit_price: None, pack: 1 });
        }
        let reference = if self.chance(10) { format!("again-{}", self.rng.u32(..3)) } else { format!("order-{}", self.number) };
        let has_holds = self.books.holds.values().any(|h| h.status == "held");
        let reservation = if has_holds && self.chance(3) { Some(self.hold()) } else { None };
        if let Some(hold) = reservation.and_then(|id| self.books.holds.get(&id))
            && !self.chance(4)
        {
            // Mostly what is held is also what is bought.
            lines.clear();
            for (item, _, quantity) in &hold.lines {
                lines.push(PlaceLine {
                    sku: self.books.world.items[*item].sku.into(),
                    quantity: (quantity + self.rng.i64(-1..3)).max(1),
                    unit_price: None,
                    pack: 1,
                });
            }
        }
        let channel = CHANNELS[[0, 0, 1, 2, 2][self.rng.usize(..5)]].into();
        let ship_to = ShipTo { country: "GB".into(), ..ShipTo::default() };
        Command::PlaceOrder(Box::new(PlaceOrder {
            channel,
            reference,
            ship_to,
            lines,
            reservation: reservation.map(|id| id.to_string()),
            customer: None,
            backorder: false,
        }))
    }

    fn ship(&mut self) -> Command {
        let all = |open: bool| -> Vec<(i64, Vec<usize>)> {
            let parts = self.books.orders.values().flat_map(|o| &o.parts);
            let parts = parts.filter(|p| !open || !matches!(p.status(), "fulfilled" | "canceled"));
            parts.filter_map(|p| Some((p.id?, p.lines.keys().copied().collect()))).collect()
        };
        let known = all(!self.books.orders.is_empty() && !self.number.is_multiple_of(8));
        let Some((fulfillment, items)) = (!known.is_empty()).then(|| known[self.rng.usize(..known.len())].clone()) else {
            return Command::Ship(Ship { fulfillment: 7, ..Ship::default() });
        };
        let skus: Vec<String> = items.iter().map(|item| self.books.world.items[*item].sku.to_owned()).collect();
        let lines = self.chance(2).then(|| self.lines_of(&skus));
        Command::Ship(Ship { fulfillment, carrier: None, tracking_number: None, lines })
    }

    fn settings(&mut self) -> Command {
        if self.chance(3) {
            let item = self.rng.usize(..2);
            let facts = &self.books.world.items[item];
            // Mostly back to selling, or soon nothing would be sold at all.
            let active = Some(!facts.active || !self.chance(2));
            let when_short = self.chance(2).then(|| if facts.when_short == WhenShort::Deny { WhenShort::Backorder } else { WhenShort::Deny });
            return Command::UpdateItem(UpdateItem { sku: facts.sku.into(), active, when_short, ..UpdateItem::default() });
        }
        let location = 1 + self.rng.usize(..3);
        let facts = &self.books.world.locations[location];
        let active = Some(!facts.active || self.rng.bool());
        let daily_capacity = (location == 2 && self.chance(3)).then(|| Some(self.rng.i64(1..8)));
        Command::UpdateLocation(UpdateLocation { code: facts.code.into(), active, daily_capacity, ..UpdateLocation::default() })
    }

    fn clock(&mut self) -> Ask {
        let seconds = match self.rng.u32(..10) {
            0 => self.rng.i64(3600..2 * 86_400),
            1..=2 => -self.rng.i64(1..1800),
            3 => -self.rng.i64(3600..90_000),
            _ => self.rng.i64(1..2400),
        };
        Ask::Clock(seconds * 1_000_000)
    }

    fn one_of(&mut self, ids: &[i64]) -> i64 {
        // 5 is nobody's id.
        if ids.is_empty() || self.chance(40) { 5 } else { ids[self.rng.usize(..ids.len())] }
    }

    fn hold(&mut self) -> i64 {
        let held: Vec<i64> = self.books.holds.iter().filter(|(_, h)| h.status == "held").map(|(id, _)| *id).collect();
        let any: Vec<i64> = self.books.holds.keys().copied().collect();
        if self.chance(8) { self.one_of(&any) } else { self.one_of(&held) }
    }

    /// An order, mostly with one of these statuses, and the SKUs in it.
    fn order(&mut self, fits: impl Fn(&str) -> bool) -> (i64, Vec<String>) {
        let any = self.chance(8);
        let ids: Vec<i64> = self.books.orders.iter().filter(|(_, o)| any || fits(o.status())).map(|(id, _)| *id).collect();
        let id = self.one_of(&ids);
        let items: Vec<usize> = self.books.orders.get(&id).map(|o| o.units.keys().chain(&o.kits).copied().collect()).unwrap_or_default();
        (id, items.into_iter().map(|item| self.books.world.items[item].sku.to_owned()).collect())
    }
}
