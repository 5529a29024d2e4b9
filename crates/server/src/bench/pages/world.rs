//! A year of a merchant made up: which orders there were, of what, where each unit of them moved. Nothing is written here; the same sizes
//! make the same year.

use domain::steps::Status;
use domain::stock::Account::{self, *};

const DAY: i64 = 86_400_000_000;
/// Days of history.
const DAYS: i64 = 365;
/// Orders go out a day after they are placed, and are canceled within the hour.
pub const SHIPPED_AFTER: i64 = DAY;
pub const CANCELED_AFTER: i64 = DAY / 24;
pub const LOCATIONS: usize = 4;
pub const CHANNELS: [&str; 5] = ["web", "shopify", "amazon", "ebay", "b2b"];

/// A thing that happened to units of an item at a location.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Move {
    pub item: u32,
    pub location: u8,
    pub at: i64,
    pub kind: Kind,
    pub quantity: u32,
    pub document: i64,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    Received,
    Queued,
    Placed,
    Canceled,
    Shipped,
    Held,
    Expired,
    SentFrom,
    SentTo,
    Arrived,
    Scrapped,
    Damaged,
}

impl Kind {
    /// From where, to where, why.
    pub fn entry(self) -> (Account, Account, &'static str) {
        match self {
            Kind::Received => (Supplier, Available, "stock.received"),
            Kind::Queued => (Available, Reserved, "order.queued"),
            Kind::Placed => (Available, Committed, "order.placed"),
            Kind::Canceled => (Committed, Available, "order.canceled"),
            Kind::Shipped => (Committed, Customer, "order.shipped"),
            Kind::Held => (Available, Reserved, "reservation.held"),
            Kind::Expired => (Reserved, Available, "reservation.expired"),
            Kind::SentFrom => (Available, InTransit, "transfer.sent"),
            Kind::SentTo => (InTransit, Incoming, "transfer.sent"),
            Kind::Arrived => (Incoming, Available, "transfer.received"),
            Kind::Scrapped => (Available, Scrap, "stock.adjusted"),
            Kind::Damaged => (Available, Account::Damaged, "stock.moved"),
        }
    }
}

/// What became of a line.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    Queued,
    Open,
    Waiting,
    Shipped,
    Canceled,
}

#[derive(Clone, Copy)]
pub struct Line {
    pub item: u32,
    pub location: u8,
    pub quantity: u8,
    pub fate: Fate,
}

pub struct Order {
    pub at: i64,
    pub status: Status,
    pub channel: u8,
    first: u32,
    lines: u8,
}

pub struct Hold {
    pub at: i64,
    pub held: bool,
}

pub struct Transfer {
    pub at: i64,
    pub item: u32,
    pub from: u8,
    pub to: u8,
    pub arrived: bool,
}

pub struct World {
    pub now: i64,
    pub items: usize,
    pub orders: Vec<Order>,
    lines: Vec<Line>,
    /// All of the first item at the first place: it has more entries than anybody will read.
    pub holds: Vec<Hold>,
    pub transfers: Vec<Transfer>,
}

/// Units of a transfer.
pub const SENT: u32 = 5;
/// Holds that are still held.
const STILL_HELD: usize = 2_000;

impl World {
    /// A year that ends at `now` (microseconds since 1970 UTC).
    pub fn new(items: usize, orders: usize, now: i64) -> World {
        let mut random = fastrand::Rng::with_seed(7);
        let mut world = World { now, items, orders: Vec::with_capacity(orders), lines: Vec::new(), holds: Vec::new(), transfers: Vec::new() };
        let step = DAYS * DAY / orders.max(1) as i64;
        for n in 0..orders {
            let at = now - step * (orders - n) as i64;
            let status = status(&mut random, now - at);
            let first = world.lines.len() as u32;
            world.add_lines(&mut random, status);
            let lines = (world.lines.len() as u32 - first) as u8;
            // Half of all at our own shop.
            let channel = [0, 0, 0, 0, 1, 1, 2, 2, 3, 4][random.usize(0..10)];
            world.orders.push(Order { at, status, channel, first, lines });
        }
        let holds = orders / 2;
        let step = DAYS * DAY / holds.max(1) as i64;
        world.holds = (0..holds).map(|n| Hold { at: now - step * (holds - n) as i64, held: n + STILL_HELD >= holds }).collect();
        let transfers = items / 200;
        let step = DAYS * DAY / transfers.max(1) as i64;
        for n in 0..transfers {
            let from = random.u8(0..LOCATIONS as u8);
            let to = (from + random.u8(1..LOCATIONS as u8)) % LOCATIONS as u8;
            let transfer = Transfer {
                at: now - step * (transfers - n) as i64,
                item: random.u32(0..items as u32),
                from,
                to,
                arrived: n + transfers / 10 < transfers,
            };
            world.transfers.push(transfer);
        }
        world
    }

    pub fn lines(&self, order: &Order) -> &[Line] {
        &self.lines[order.first as usize..order.first as usize + usize::from(order.lines)]
    }

    fn add_lines(&mut self, random: &mut fastrand::Rng, status: Status) {
        let count = match status {
            Status::PartiallyFulfilled | Status::Backordered => 2 + random.usize(0..2),
            _ => [1, 1, 2, 2, 3, 4][random.usize(0..6)],
        };
        let location = random.u8(0..LOCATIONS as u8);
        let mut items: Vec<u32> = Vec::with_capacity(count);
        for n in 0..count {
            // The cube makes the first item one in a hundred lines of a million items, and a tail that hardly sells.
            let choose = |random: &mut fastrand::Rng| ((random.f64().powi(3) * self.items as f64) as u32).min(self.items as u32 - 1);
            let mut item = choose(random);
            while items.contains(&item) {
                item = choose(random);
            }
            items.push(item);
            let fate = match status {
                Status::Queued => Fate::Queued,
                Status::Canceled => Fate::Canceled,
                Status::Fulfilled => Fate::Shipped,
                Status::PartiallyFulfilled if n == 0 => Fate::Shipped,
                Status::Backordered if n == 0 => Fate::Waiting,
                _ => Fate::Open,
            };
            // One line in twenty comes from elsewhere.
            let location = if random.u8(0..20) == 0 { random.u8(0..LOCATIONS as u8) } else { location };
            self.lines.push(Line { item, location, quantity: random.u8(1..4), fate });
        }
    }
}

/// What became of an order of this age.
fn status(random: &mut fastrand::Rng, age: i64) -> Status {
    let share = random.f64();
    let steps: &[(f64, Status)] = if age > 2 * DAY {
        &[(0.001, Status::Open), (0.002, Status::PartiallyFulfilled), (0.005, Status::Backordered), (0.035, Status::Canceled)]
    } else {
        &[(0.01, Status::Queued), (0.02, Status::PartiallyFulfilled), (0.04, Status::Backordered), (0.06, Status::Canceled), (0.75, Status::Open)]
    };
    // What goes out has been packed for a day.
    let else_ = if age > SHIPPED_AFTER { Status::Fulfilled } else { Status::Open };
    let found = steps.iter().find(|(below, _)| share < *below).map_or(else_, |(_, status)| *status);
    if found == Status::PartiallyFulfilled && age <= SHIPPED_AFTER || found == Status::Canceled && age <= CANCELED_AFTER {
        Status::Open
    } else {
        found
    }
}

/// A merchant's own words.
const FIRST: [&str; 20] = [
    "White",
    "Red",
    "Regency",
    "Vintage",
    "Hanging",
    "Jumbo",
    "Antique",
    "Wooden",
    "Glass",
    "Natural",
    "Small",
    "Large",
    "Pink",
    "Blue",
    "Ivory",
    "Set of 3",
    "Set of 6",
    "Alarm clock",
    "Retro",
    "Folding",
];
const SECOND: [&str; 20] = [
    "heart",
    "polkadot",
    "rose",
    "bird",
    "slate",
    "retrospot",
    "star",
    "butterfly",
    "pantry",
    "garden",
    "Union flag",
    "bakelike",
    "rabbit",
    "bunting",
    "spotty",
    "feather",
    "lace",
    "ceramic",
    "tin",
    "enamel",
];
const THIRD: [&str; 20] = [
    "T-light holder",
    "cakestand",
    "lunch bag",
    "night light",
    "baking set",
    "chalkboard",
    "doormat",
    "jam jar",
    "tea towel",
    "mug",
    "storage box",
    "wall clock",
    "photo frame",
    "candle",
    "apron",
    "ornament",
    "teacup and saucer",
    "cushion",
    "lantern",
    "shopping bag",
];
pub const PEOPLE: [&str; 16] = [
    "Helen Marsh",
    "Priya Shah",
    "Tomasz Nowak",
    "Mary Okafor",
    "James Pryce",
    "Sana Iqbal",
    "Lucy Brown",
    "Owen Davies",
    "Ines Costa",
    "Karl Weber",
    "Aoife Byrne",
    "Noah Smith",
    "Elena Rossi",
    "Hugo Martin",
    "Grace Kim",
    "Adam Clarke",
];
pub const PLACES: [(&str, &str); 10] = [
    ("Cheltenham", "GL50 1AA"),
    ("London", "W1U 6TY"),
    ("Leeds", "LS1 4AP"),
    ("Bristol", "BS1 5TR"),
    ("York", "YO1 9RJ"),
    ("Edinburgh", "EH1 1YZ"),
    ("Wigan", "WN1 1BH"),
    ("Daventry", "NN11 8RD"),
    ("Cardiff", "CF10 3AT"),
    ("Belfast", "BT1 5GS"),
];

/// What item number `n` is called.
pub fn name(n: usize) -> String {
    // A step that shares no factor with the number of names visits them in no apparent order.
    let n = n.wrapping_mul(7_919);
    format!("{} {} {} {}", FIRST[n % 20], SECOND[n / 20 % 20], THIRD[n / 400 % 20], n / 8_000 % 997)
}
