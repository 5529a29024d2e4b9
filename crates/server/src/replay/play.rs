//! Plays a history: what each invoice, morning and evening means in commands, and in which class every line ends.
//!
//! `holdfast replay` plays it with the file's own clock, `holdfast demo` by the clock on the wall. Not here: pace and
//! order of days (replay.rs, demo.rs), and how commands are sent (player.rs).

use super::buyer::Buyer;
use super::history::{Flags, Goods, History, Invoice, InvoiceLine};
use super::matching::Sales;
use super::places::{MAIN, locations, share_out};
use super::player::{Placed, Player, TakenBack};
use super::report::{Books, Class};
use crate::Failed;
use connectors::online_retail::{Kind, country};
use domain::limits;
use engine::WhenShort;
use engine::catalog::items::NewItem;
use engine::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use engine::orders::read::Filter;
use engine::reservations::reserve::{Reserve, ReserveLine};
use engine::stock::SkuLine;
use engine::stock::adjust::{Adjust, AdjustLine};
use engine::views::Amount;
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// Days whose sales stand in for what was sold before the file begins.
const FORTNIGHT: i64 = 14;

pub struct Play {
    pub history: Arc<History>,
    pub player: Player,
    pub buyer: Buyer,
    pub books: Books,
    pub flags: Flags,
    /// Added to every reference, for a history that is played again.
    pub suffix: String,
    /// The last instant that an earlier run booked: what lies before is in the books, what lies there may be.
    pub seam: Option<i64>,
    now: i64,
    sales: Sales,
    orders: Vec<Order>,
    wave: Wave,
}

/// What was sent and is not settled yet. Whoever must know its outcome settles first; all others need not wait, so that
/// much is committed at once.
#[derive(Default)]
struct Wave {
    /// Customers with orders or returns in it.
    customers: HashSet<String>,
    /// Items that were written off in it.
    corrected: HashSet<usize>,
    /// Whether anything else in it may change what is available.
    moves_stock: bool,
}

struct Order {
    /// Indexes of its invoice and of its part.
    invoice: usize,
    part: usize,
    id: Option<i64>,
}

/// 2010-12-01 of days since 1970.
pub fn date(day: i64) -> String {
    jiff::Timestamp::from_second(day.saturating_mul(86_400)).map_or_else(|_| day.to_string(), |t| t.strftime("%F").to_string())
}

/// A price in ten-thousandths of a pound in whole pennies; half a penny goes to the even one.
pub fn pennies(price: i64) -> i64 {
    let (whole, rest) = (price.div_euclid(100), price.rem_euclid(100));
    whole + i64::from(rest > 50 || (rest == 50 && whole % 2 != 0))
}

fn pounds(price: i64) -> Option<Amount> {
    Amount::from_minor(pennies(price), Some("GBP"))
}

impl Play {
    pub fn new(history: Arc<History>, player: Player, buyer: Buyer) -> Play {
        Play {
            history,
            player,
            buyer,
            books: Books::default(),
            flags: Flags::default(),
            suffix: String::new(),
            seam: None,
            now: i64::MIN,
            sales: Sales::default(),
            orders: Vec::new(),
            wave: Wave::default(),
        }
    }

    /// What comes next happened then, or as late as what came before.
    pub fn set_time(&mut self, at: i64) {
        self.now = self.now.max(at);
        self.player.at = Some(self.now);
    }

    /// Whether an earlier run booked everything of this instant.
    fn is_booked(&self) -> bool {
        self.seam.is_some_and(|seam| self.now < seam)
    }

    /// Whether an earlier run stopped in the middle of this instant.
    fn is_seam(&self) -> bool {
        self.seam == Some(self.now)
    }

    /// Locations, the items that are known, and the stock to begin with.
    pub fn open(&mut self, first_day: i64) -> Result<(), Failed> {
        for location in locations() {
            self.player.create_location(location)?;
        }
        self.settle()?;
        let history = self.history.clone();
        let mut fortnight = vec![0i64; history.items.len()];
        for invoice in history.invoices.iter().filter(|i| super::history::day(i.at) < first_day + FORTNIGHT) {
            for line in invoice.of(Kind::Sale) {
                let sold = &mut fortnight[line.item.unwrap_or(0)];
                *sold = (*sold + line.quantity).min(limits::MAX_LINE_QUANTITY);
            }
        }
        let is_new = |goods: &Goods| goods.can_be && goods.first_day < first_day + FORTNIGHT;
        let mut stock = Vec::new();
        for (item, sold) in fortnight.iter().enumerate().filter(|(item, _)| is_new(&history.items[*item])) {
            self.create(item)?;
            stock.push((item, self.buyer.open(item, *sold)));
        }
        // A history that is played again goes on with the stock that there is.
        if self.suffix.is_empty() {
            self.receive("OPENING", &stock)?;
        }
        self.settle()
    }

    fn create(&mut self, item: usize) -> Result<(), Failed> {
        let goods = &self.history.items[item];
        let name: String = goods.name.chars().filter(|c| !c.is_control()).take(100).collect();
        let new = NewItem { sku: goods.sku.clone(), name, price: pounds(goods.price), when_short: WhenShort::Backorder, ..NewItem::default() };
        self.player.create_item(new)
    }

    /// What is new in the catalog, what arrives, what the buyer decides.
    pub fn morning(&mut self, day: i64, first_day: i64) -> Result<(), Failed> {
        let mut lots = Vec::new();
        if day >= first_day + FORTNIGHT {
            let history = self.history.clone();
            for (item, goods) in history.items.iter().enumerate().filter(|(_, goods)| goods.can_be && goods.first_day == day) {
                self.create(item)?;
                lots.push((item, self.buyer.introduce(item, goods.price)));
            }
        }
        self.receive(&format!("NEW-{}", date(day)), &lots)?;
        let arrivals = self.buyer.arrivals(day);
        self.receive(&format!("PO-{}", date(day)), &arrivals)?;
        self.buyer.morning(day);
        Ok(())
    }

    /// Units from suppliers, shared out among the locations.
    fn receive(&mut self, document: &str, units: &[(usize, i64)]) -> Result<(), Failed> {
        let mut by_place: BTreeMap<&'static str, Vec<SkuLine>> = BTreeMap::new();
        for (item, units) in units.iter().filter(|(_, units)| *units > 0) {
            self.books.bought += units;
            let sku = &self.history.items[*item].sku;
            for (place, quantity) in share_out(sku, *units) {
                by_place.entry(place).or_default().push(SkuLine { sku: sku.clone(), quantity });
            }
        }
        self.wave.moves_stock |= !by_place.is_empty();
        for (place, lines) in by_place {
            for (n, lines) in lines.chunks(limits::MAX_LINES).enumerate() {
                let reference = format!("{document}{}/{place}/{}", self.suffix, n + 1);
                if self.is_booked() || (self.is_seam() && self.player.booked(&lines[0].sku, "stock.received", &reference)? > 0) {
                    continue;
                }
                self.player.receive(reference, place, lines.to_vec())?;
            }
        }
        Ok(())
    }

    /// Plays an invoice: its sales as orders, its other lines as what they are.
    pub fn invoice(&mut self, number: usize) -> Result<(), Failed> {
        let history = self.history.clone();
        let invoice = &history.invoices[number];
        for part in 0..invoice.orders().len() {
            let place = self.order(number, part, None);
            self.place(number, part, place)?;
        }
        for line in &invoice.lines {
            match line.kind {
                Kind::Sale => {}
                Kind::Return | Kind::Correction if !self.can_be(line) => {
                    self.flags.add("cannot_be_booked", line.number);
                    self.books.add(Class::Refused, line.quantity, line.amount());
                }
                Kind::Return => {}
                Kind::Correction => self.correct(invoice, line)?,
                Kind::NotGoods => self.books.add(Class::NotGoods, 0, line.amount()),
                Kind::Nothing => self.books.add(Class::Nothing, 0, line.amount()),
            }
        }
        if invoice.of(Kind::Return).next().is_some() {
            self.give_back(invoice)?;
        }
        Ok(())
    }

    /// Whether the engine could book such a line at all.
    fn can_be(&self, line: &InvoiceLine) -> bool {
        line.item.is_some_and(|item| self.history.items[item].can_be) && line.quantity.unsigned_abs() <= limits::MAX_LINE_QUANTITY as u64
    }

    /// The order that a part of an invoice makes.
    pub fn order(&self, number: usize, part: usize, reservation: Option<String>) -> PlaceOrder {
        let invoice = &self.history.invoices[number];
        let parts = invoice.orders();
        let country = country(&invoice.country);
        let lines = parts[part].iter().map(|line| PlaceLine {
            sku: line.item.map_or_else(String::new, |item| self.history.items[item].sku.clone()),
            quantity: line.quantity,
            unit_price: pounds(line.price),
            pack: 1,
        });
        PlaceOrder {
            channel: self.player.channel.into(),
            reference: format!("{}{}{}", invoice.number, if parts.len() > 1 { format!("-{}", part + 1) } else { String::new() }, self.suffix),
            ship_to: ShipTo {
                country: country.map_or("GB", |c| c.code).into(),
                latitude: country.map(|c| c.latitude),
                longitude: country.map(|c| c.longitude),
                ..ShipTo::default()
            },
            lines: lines.collect(),
            reservation,
            customer: invoice.customer.clone(),
            backorder: false,
        }
    }

    /// Sets the goods of an order aside for some seconds; none if they are not all there.
    pub fn hold(&mut self, number: usize, part: usize, expires_in_seconds: i64) -> Result<Option<String>, Failed> {
        let order = self.order(number, part, None);
        let lines = order.lines.into_iter().map(|l| ReserveLine { sku: l.sku, quantity: l.quantity, location: None });
        self.settle()?;
        self.player.hold(Reserve { lines: lines.collect(), expires_in_seconds, channel: Some(order.channel), replaces: None })
    }

    /// Whether the first order of this history is in the books, under the names that orders have now.
    pub fn is_played(&mut self) -> Result<bool, Failed> {
        let first = self.history.invoices.iter().position(|i| i.of(Kind::Sale).next().is_some());
        let Some(order) = first.map(|number| self.order(number, 0, None)) else { return Ok(false) };
        let filter = Filter { channel: order.channel, reference: order.reference, status: String::new() };
        self.player.read(|tx, config| Ok(!engine::orders::read::list(tx, config, &filter, i64::MAX, 1)?.is_empty()))
    }

    pub fn place(&mut self, invoice: usize, part: usize, place: PlaceOrder) -> Result<(), Failed> {
        self.wave.customers.extend(place.customer.clone());
        self.wave.moves_stock = true;
        self.orders.push(Order { invoice, part, id: None });
        self.player.place(self.orders.len() - 1, place)
    }

    /// Waits until everything that was sent is durable, and books it in our own books.
    pub fn settle(&mut self) -> Result<(), Failed> {
        self.wave = Wave::default();
        for placed in self.player.settle()? {
            self.placed(placed);
        }
        Ok(())
    }

    fn placed(&mut self, placed: Placed) {
        let history = self.history.clone();
        let order = &mut self.orders[placed.order];
        let invoice = &history.invoices[order.invoice];
        let parts = invoice.orders();
        let lines = &parts[order.part];
        match placed.outcome {
            Ok(view) => {
                order.id = Some(view.id.0);
                for line in lines {
                    let Some(item) = line.item else { continue };
                    self.buyer.sold(item, line.quantity);
                    if let Some(customer) = &invoice.customer {
                        self.sales.sold(customer, item, placed.order, line.quantity);
                    }
                }
                let total = view.total.as_ref().and_then(|t| domain::money::decimal(&t.amount, 2)).unwrap_or(0);
                let finer: i128 = lines.iter().map(|l| i128::from(l.price - 100 * pennies(l.price)) * i128::from(l.quantity)).sum();
                let units = view.lines.iter().map(|l| l.quantity).sum();
                self.books.add_order(lines.len() as u64, units, i128::from(total) * 100 + finer);
            }
            Err(why) => {
                self.books.refused.push(format!("{}: {why}", invoice.number));
                for line in lines {
                    self.flags.add("order_refused", line.number);
                    self.books.add(Class::Refused, line.quantity, line.amount());
                }
            }
        }
    }

    /// Goods come back: those of known sales to their orders, the others as an adjustment.
    fn give_back(&mut self, invoice: &Invoice) -> Result<(), Failed> {
        if invoice.customer.as_ref().is_some_and(|c| self.wave.customers.contains(c)) {
            self.settle()?;
        }
        self.wave.customers.extend(invoice.customer.clone());
        self.wave.moves_stock = true;
        let mut taken: BTreeMap<(usize, usize), i64> = BTreeMap::new();
        for line in invoice.of(Kind::Return).filter(|line| self.can_be(line)).collect::<Vec<_>>() {
            let (Some(item), units) = (line.item, -line.quantity) else { continue };
            let matched = invoice.customer.as_ref().map(|c| self.sales.take(c, item, units)).unwrap_or_default();
            let found: i64 = matched.iter().map(|t| t.units).sum();
            taken.extend(matched.iter().map(|t| ((t.order, item), t.in_all)));
            self.buyer.came_back(item, units);
            let class = match found {
                0 => Class::ReturnUnmatched,
                n if n == units => Class::ReturnMatched,
                _ => Class::ReturnPartlyMatched,
            };
            self.books.add(class, line.quantity, line.amount());
            if found < units {
                self.flags.add("return_without_sale", line.number);
                self.adjust(invoice, line, MAIN, "return", units - found)?;
            }
        }
        if self.is_booked() {
            return Ok(());
        }
        let back = taken.into_iter().filter_map(|((order, item), in_all)| {
            let order = self.orders[order].id?;
            Some(TakenBack { order, sku: self.history.items[item].sku.clone(), in_all })
        });
        let back: Vec<TakenBack> = back.collect();
        self.player.take_back(&back, &format!("return {}", invoice.number))
    }

    /// Takes units away, as far as they are there.
    fn correct(&mut self, invoice: &Invoice, line: &InvoiceLine) -> Result<(), Failed> {
        let (Some(item), asked) = (line.item, -line.quantity) else { return Ok(()) };
        if self.wave.moves_stock || self.wave.corrected.contains(&item) {
            self.settle()?;
        }
        self.wave.corrected.insert(item);
        let sku = self.history.items[item].sku.clone();
        let mut taken = 0;
        if self.is_booked() || self.is_seam() {
            taken = self.player.booked(&sku, "stock.adjusted", &reference(invoice, line))?;
        }
        if !self.is_booked() {
            for (place, available) in self.player.available(&sku)? {
                let units = available.min(asked - taken);
                if units > 0 {
                    taken += units;
                    self.adjust(invoice, line, &place, if line.damaged { "damaged" } else { "correction" }, -units)?;
                }
            }
        }
        self.buyer.written_off(item, asked);
        if taken < asked {
            self.flags.add("correction_beyond_stock", line.number);
        }
        self.books.short += asked - taken;
        self.books.add(if taken < asked { Class::CorrectionShort } else { Class::Correction }, line.quantity, line.amount());
        Ok(())
    }

    fn adjust(&mut self, invoice: &Invoice, line: &InvoiceLine, location: &str, reason: &str, delta: i64) -> Result<(), Failed> {
        let Some(item) = line.item else { return Ok(()) };
        let sku = self.history.items[item].sku.clone();
        let reference = reference(invoice, line);
        let may_be_booked = delta > 0 && self.is_seam();
        if self.is_booked() || (may_be_booked && self.player.booked(&sku, "stock.adjusted", &reference)? > 0) {
            return Ok(());
        }
        let name = format!("{reference}:{location}{}", self.suffix);
        let lines = vec![AdjustLine { sku, delta, state: None }];
        self.player.adjust(&name, Adjust { location: location.into(), reason: reason.into(), lines, reference: Some(reference) })
    }
}

/// What the ledger shows for a line: its invoice and its place in the file.
fn reference(invoice: &Invoice, line: &InvoiceLine) -> String {
    let number: String = invoice.number.chars().take(80).collect();
    format!("{number} line {}", line.number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prices_round_to_pennies_half_to_even() {
        for (price, pence) in [(25_500, 255), (10, 0), (50, 0), (150, 2), (151, 2), (250, 2), (-150, -2), (-50, 0), (-51, -1), (0, 0)] {
            assert_eq!(pennies(price), pence, "{price}");
        }
        assert_eq!((date(0), date(14_944)), ("1970-01-01".into(), "2010-12-01".into()));
    }
}
