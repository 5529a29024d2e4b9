//! What a replay did: every line in one class, money, and what the events in the books say of orders.

use super::history::Flag;
use crate::Failed;
use crate::progress::thousands;
use engine::Engine;
use serde::Serialize;
use std::collections::{BTreeMap, HashMap};

/// What a line became. Each line is in one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// Part of an order.
    Sale,
    /// All of its units were taken back from earlier orders.
    ReturnMatched,
    /// Some of them, the others by an adjustment.
    ReturnPartlyMatched,
    /// All by an adjustment.
    ReturnUnmatched,
    /// Written off.
    Correction,
    /// Written off as far as there were units.
    CorrectionShort,
    /// Postage, fees and so on: money alone.
    NotGoods,
    /// Goods, but none of them.
    Nothing,
    /// Part of an order that was refused.
    Refused,
    /// Could not be read.
    Unreadable,
}

impl Class {
    const ALL: [Class; 10] = [
        Class::Sale,
        Class::ReturnMatched,
        Class::ReturnPartlyMatched,
        Class::ReturnUnmatched,
        Class::Correction,
        Class::CorrectionShort,
        Class::NotGoods,
        Class::Nothing,
        Class::Refused,
        Class::Unreadable,
    ];

    fn is_accepted(self) -> bool {
        ![Class::CorrectionShort, Class::Refused, Class::Unreadable].contains(&self)
    }

    fn words(self) -> &'static str {
        match self {
            Class::Sale => "sold",
            Class::ReturnMatched => "returned to their orders",
            Class::ReturnPartlyMatched => "returned, in part to their orders",
            Class::ReturnUnmatched => "returned without a known sale",
            Class::Correction => "written off",
            Class::CorrectionShort => "written off as far as there was stock",
            Class::NotGoods => "no goods, money alone",
            Class::Nothing => "quantity of zero",
            Class::Refused => "of refused orders",
            Class::Unreadable => "unreadable",
        }
    }
}

#[derive(Debug, Default, Clone, Copy)]
struct Sum {
    lines: u64,
    units: i64,
    money: i128,
}

/// Our own books of a run, line by line.
#[derive(Debug, Default)]
pub struct Books {
    classes: BTreeMap<Class, Sum>,
    /// Units of corrections that were not there to be taken.
    pub short: i64,
    /// Units bought, opening stock included.
    pub bought: i64,
    /// Refused orders, and why.
    pub refused: Vec<String>,
}

impl Books {
    pub fn add(&mut self, class: Class, units: i64, money: i128) {
        let sum = self.classes.entry(class).or_default();
        sum.lines += 1;
        sum.units += units;
        sum.money += money;
    }

    /// An order with the units and the money that the engine booked for it.
    pub fn add_order(&mut self, lines: u64, units: i64, money: i128) {
        let sum = self.classes.entry(Class::Sale).or_default();
        sum.lines += lines;
        sum.units += units;
        sum.money += money;
    }

    fn get(&self, class: Class) -> Sum {
        self.classes.get(&class).copied().unwrap_or_default()
    }

    pub fn lines(&self) -> u64 {
        self.classes.values().map(|s| s.lines).sum()
    }

    pub fn money(&self) -> i128 {
        self.classes.values().map(|s| s.money).sum()
    }
}

/// Ten-thousandths of a pound as a decimal with at least two places.
pub fn money(amount: i128) -> String {
    let sign = if amount < 0 { "-" } else { "" };
    let (whole, part) = (amount.unsigned_abs() / 10_000, amount.unsigned_abs() % 10_000);
    let part = format!("{part:04}");
    let kept = part.trim_end_matches('0').len().max(2);
    format!("{sign}{whole}.{}", &part[..kept])
}

/// What the events of the books say. It is read from there and not counted while playing, so that a run that only finished
/// an earlier one tells the same.
#[derive(Debug, Default, Serialize, PartialEq, Eq)]
pub struct Told {
    pub orders: u64,
    pub units_ordered: i64,
    /// Orders that were sent from more than one place at once.
    pub splits: u64,
    /// Orders that were short of something when they were placed, and by how many units.
    pub backordered_orders: u64,
    pub backordered_units: i64,
    pub filled_later_units: i64,
    pub canceled_while_waiting_units: i64,
    /// At the end of the file.
    pub still_waiting_orders: u64,
    pub still_waiting_units: i64,
    pub shipments: u64,
    pub cancellations: u64,
    pub returns: u64,
    pub receipts: u64,
    pub adjustments: u64,
}

/// Which replay a database holds, as its events tell.
#[derive(Debug, Default)]
pub struct Before {
    pub told: Told,
    /// The last instant that this actor booked.
    pub last: Option<i64>,
    /// Another replay's actor.
    pub other: Option<String>,
}

#[derive(serde::Deserialize)]
struct Summary {
    units: i64,
    backordered: i64,
    locations: Vec<String>,
}

/// Reads all events of an actor, whose name begins with `prefix` as those of all replays do.
pub fn events(engine: &Engine, actor: &str, prefix: &str) -> Result<Before, Failed> {
    let mut before = Before::default();
    let told = &mut before.told;
    let mut waiting: HashMap<i64, i64> = HashMap::new();
    let mut after = 0;
    loop {
        let page = engine.read_blocking(|tx| engine::events::after(tx, after, 2_000))?;
        let Some(last) = page.last() else { break };
        after = last.id.0;
        for event in &page {
            if event.actor != actor {
                if event.actor.starts_with(prefix) {
                    before.other = Some(event.actor.clone());
                }
                continue;
            }
            before.last = before.last.max(Some(event.time.0));
            match event.kind.as_str() {
                "stock.received" => told.receipts += 1,
                "stock.adjusted" => told.adjustments += 1,
                "order.shipped" => told.shipments += 1,
                "order.returned" => told.returns += 1,
                "order.placed" | "order.filled" | "order.canceled" => {
                    let order: Summary = serde_json::from_str(event.data.get())?;
                    let left = waiting.entry(event.subject.0).or_default();
                    match event.kind.as_str() {
                        "order.placed" => {
                            told.orders += 1;
                            told.units_ordered += order.units;
                            told.splits += u64::from(order.locations.len() > 1);
                            told.backordered_orders += u64::from(order.backordered > 0);
                            told.backordered_units += order.backordered;
                        }
                        "order.filled" => told.filled_later_units += *left - order.backordered,
                        _ => {
                            told.cancellations += 1;
                            told.canceled_while_waiting_units += *left - order.backordered;
                        }
                    }
                    *left = order.backordered;
                }
                _ => {}
            }
        }
    }
    told.still_waiting_orders = waiting.values().filter(|n| **n > 0).count() as u64;
    told.still_waiting_units = waiting.values().sum();
    Ok(before)
}

/// Everything that is told at the end.
pub struct Report {
    pub file: String,
    pub lines: u64,
    pub invoices: usize,
    pub items: usize,
    pub file_money: i128,
    pub books: Books,
    pub flags: BTreeMap<String, Flag>,
    pub told: Told,
    pub trouble: Vec<String>,
    /// An earlier run had come up to here.
    pub resumed_after: Option<i64>,
    pub seconds: f64,
    pub verify: engine::Report,
}

impl Report {
    /// Whether every line and every penny is accounted for, and the books hold.
    pub fn holds(&self) -> bool {
        self.books.lines() == self.lines && self.books.money() == self.file_money && self.trouble.is_empty() && self.verify.discrepancies == 0
    }

    fn accepted(&self) -> u64 {
        Class::ALL.iter().filter(|c| c.is_accepted()).map(|c| self.books.get(*c).lines).sum()
    }

    pub fn json(&self) -> serde_json::Value {
        let class = |class: &Class| {
            let sum = self.books.get(*class);
            let name = serde_json::to_value(class).ok().and_then(|v| v.as_str().map(str::to_owned)).unwrap_or_default();
            (name, serde_json::json!({ "lines": sum.lines, "units": sum.units, "money": money(sum.money) }))
        };
        serde_json::json!({
            "file": self.file,
            "lines": { "read": self.lines, "accounted_for": self.books.lines(), "accepted": self.accepted() },
            "invoices": self.invoices,
            "items": self.items,
            "classes": Class::ALL.iter().map(class).collect::<serde_json::Map<_, _>>(),
            "flags": self.flags,
            "money": {
                "currency": "GBP",
                "in_file": money(self.file_money),
                "booked": money(self.books.money()),
                "equal": self.file_money == self.books.money(),
            },
            "orders": self.told,
            "orders_refused": self.books.refused,
            "units_bought": self.books.bought,
            "correction_units_not_there": self.books.short,
            "trouble": self.trouble,
            "resumed_after": self.resumed_after.map(|at| engine::views::Time(at).to_string()),
            "seconds": (self.seconds * 100.0).round() / 100.0,
            "lines_per_second": (self.lines as f64 / self.seconds.max(0.001)).round(),
            "verify": { "entries": self.verify.entries, "levels": self.verify.levels, "discrepancies": self.verify.discrepancies },
        })
    }

    pub fn print(&self) {
        let told = &self.told;
        if let Some(at) = self.resumed_after {
            println!("Went on where an earlier run had stopped, after {}.", engine::views::Time(at));
        }
        println!(
            "{}: {} lines read, {} accepted, {} invoices, {} items",
            self.file,
            thousands(self.lines),
            thousands(self.accepted()),
            thousands(self.invoices as u64),
            thousands(self.items as u64)
        );
        println!("\n  {:>10}  {:>11}  {:>16}  each line in one class", "lines", "units", "GBP");
        for class in Class::ALL {
            let sum = self.books.get(class);
            if sum.lines > 0 {
                println!("  {:>10}  {:>11}  {:>16}  {}", thousands(sum.lines), thousands(sum.units), money(sum.money), class.words());
            }
        }
        let equal = if self.books.lines() == self.lines && self.books.money() == self.file_money { "equal" } else { "NOT EQUAL" };
        println!("  {:>10}  {:>11}  {:>16}  booked in all", thousands(self.books.lines()), "", money(self.books.money()));
        println!("  {:>10}  {:>11}  {:>16}  in the file: {equal}", thousands(self.lines), "", money(self.file_money));
        println!("\nFlagged lines (a line may have several flags), and the first of them in the file:");
        for (name, flag) in &self.flags {
            let first: Vec<String> = flag.first.iter().map(u64::to_string).collect();
            println!("  {:>10}  {:<34} line {}", thousands(flag.lines), name.replace('_', " "), first.join(", "));
        }
        println!(
            "\nOrders   {} placed with {} units, {} refused, {} split at once",
            thousands(told.orders),
            thousands(told.units_ordered),
            self.books.refused.len(),
            thousands(told.splits)
        );
        println!(
            "Waiting  {} orders short of {} units; of these {} filled later, {} canceled, {} units of {} orders wait at the end",
            thousands(told.backordered_orders),
            thousands(told.backordered_units),
            thousands(told.filled_later_units),
            thousands(told.canceled_while_waiting_units),
            thousands(told.still_waiting_units),
            thousands(told.still_waiting_orders)
        );
        println!(
            "Moved    {} shipments, {} cancellations, {} returns, {} adjustments ({} units not there to be taken), {} receipts of {} units",
            thousands(told.shipments),
            thousands(told.cancellations),
            thousands(told.returns),
            thousands(told.adjustments),
            thousands(self.books.short),
            thousands(told.receipts),
            thousands(self.books.bought)
        );
        for why in self.books.refused.iter().take(10) {
            println!("Refused  {why}");
        }
        for why in self.trouble.iter().take(10) {
            println!("TROUBLE  {why}");
        }
        println!("Speed    {} lines a second, {:.1} s", thousands((self.lines as f64 / self.seconds.max(0.001)) as u64), self.seconds);
        for text in &self.verify.told {
            eprintln!("{text}");
        }
        println!("Verify   {} entries, {} levels, {} discrepancies", self.verify.entries, self.verify.levels, self.verify.discrepancies);
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn money_keeps_what_is_finer_than_a_penny() {
        for (amount, text) in [(78_523_236_740, "7852323.674"), (0, "0.00"), (-110_620_600, "-11062.06"), (10, "0.001"), (10_000, "1.00")] {
            assert_eq!(super::money(amount), text);
        }
    }
}
