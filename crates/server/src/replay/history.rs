//! The history in a file: its invoices in the order of time, its items, and what is odd about its lines.
//!
//! Here: reading and telling apart, nothing else; the same file always makes the same history. Not here: what is booked
//! (player.rs), and how the figures are told (report.rs).

use connectors::csv::BadRow;
use connectors::online_retail::{Kind, Line, OnlineRetail};
use domain::limits;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::io::{self, Read};

/// Days since 1970 of an instant.
pub fn day(at: i64) -> i64 {
    engine::day_of(at)
}

pub struct History {
    /// Lines below the header, those that cannot be read included.
    pub lines: u64,
    /// The sum of quantity × price over all lines, in ten-thousandths of a pound.
    pub money: i128,
    pub items: Vec<Goods>,
    /// In the order of time, those of the same minute in the order of the file.
    pub invoices: Vec<Invoice>,
    pub flags: Flags,
    pub bad: Vec<BadRow>,
    /// Of all lines, whatever the file is called and however it is packed.
    pub digest: [u8; 32],
}

/// A code that is goods.
pub struct Goods {
    pub sku: String,
    pub name: String,
    /// Of its first sale, in ten-thousandths of a pound.
    pub price: i64,
    pub first_day: i64,
    /// Whether its code can be a SKU. If not, its orders are refused, and nothing of it is bought.
    pub can_be: bool,
}

pub struct Invoice {
    pub number: String,
    /// Of its first line.
    pub at: i64,
    pub customer: Option<String>,
    pub country: String,
    pub lines: Vec<InvoiceLine>,
}

pub struct InvoiceLine {
    /// In the file, the header being line 1.
    pub number: u64,
    pub kind: Kind,
    /// An index into the items; none for what is no goods.
    pub item: Option<usize>,
    pub quantity: i64,
    /// Ten-thousandths of a pound.
    pub price: i64,
    /// Units are written off as damaged, says the description.
    pub damaged: bool,
}

impl InvoiceLine {
    pub fn amount(&self) -> i128 {
        i128::from(self.quantity) * i128::from(self.price)
    }
}

impl Invoice {
    pub fn of(&self, kind: Kind) -> impl Iterator<Item = &InvoiceLine> {
        self.lines.iter().filter(move |l| l.kind == kind)
    }

    /// The orders that it makes: one, or several where it has more lines than a request may hold.
    pub fn orders(&self) -> Vec<Vec<&InvoiceLine>> {
        let sales: Vec<&InvoiceLine> = self.of(Kind::Sale).collect();
        sales.chunks(limits::MAX_LINES).map(<[&InvoiceLine]>::to_vec).collect()
    }
}

/// What is odd about lines: how many, and where the first of them are.
#[derive(Debug, Default)]
pub struct Flags(pub BTreeMap<String, Flag>);

#[derive(Debug, Default, serde::Serialize)]
pub struct Flag {
    pub lines: u64,
    pub first: Vec<u64>,
}

impl Flags {
    const TOLD: usize = 5;

    pub fn add(&mut self, flag: impl Into<String>, line: u64) {
        let flag = self.0.entry(flag.into()).or_default();
        flag.lines += 1;
        if flag.first.len() < Self::TOLD {
            flag.first.push(line);
        }
    }
}

/// What is seen while reading.
#[derive(Default)]
struct Reading {
    seen: HashSet<[u8; 16]>,
    codes: HashMap<String, usize>,
    numbers: HashMap<String, usize>,
    /// Whether an item's name and price are final: those of a line with a price.
    settled: Vec<bool>,
}

impl History {
    /// Reads a whole file. Only a file that is not this data set at all is an error; a line that cannot be read is told.
    pub fn read(file: impl Read + Send + 'static) -> io::Result<History> {
        let mut history =
            History { lines: 0, money: 0, items: Vec::new(), invoices: Vec::new(), flags: Flags::default(), bad: Vec::new(), digest: [0; 32] };
        let mut reading = Reading::default();
        let mut hasher = blake3::Hasher::new();
        for line in OnlineRetail::open(file)? {
            history.lines += 1;
            match line {
                Ok(line) => {
                    hasher.update(&line.digest);
                    history.take(&mut reading, line);
                }
                Err(bad) => {
                    hasher.update(bad.detail.as_bytes());
                    history.flags.add("unreadable", bad.line);
                    history.bad.push(bad);
                }
            }
        }
        history.digest = *hasher.finalize().as_bytes();
        for invoice in &history.invoices {
            for line in invoice.orders().iter().skip(1).flatten() {
                history.flags.add("in_a_further_part_of_its_invoice", line.number);
            }
        }
        history.invoices.sort_by_key(|invoice| invoice.at);
        Ok(history)
    }

    fn take(&mut self, reading: &mut Reading, line: Line) {
        self.money += line.amount();
        let kind = line.kind();
        self.flag(reading, &line, kind);
        let item = match kind {
            Kind::NotGoods => None,
            _ => Some(self.item(reading, &line)),
        };
        let place = *reading.numbers.entry(line.invoice.clone()).or_insert_with(|| {
            self.invoices.push(Invoice {
                number: line.invoice.clone(),
                at: line.at,
                customer: line.customer.clone(),
                country: line.country.clone(),
                lines: Vec::new(),
            });
            self.invoices.len() - 1
        });
        let invoice = &mut self.invoices[place];
        if invoice.at != line.at {
            self.flags.add("dated_unlike_its_invoice", line.line);
        }
        if (&invoice.customer, &invoice.country) != (&line.customer, &line.country) {
            self.flags.add("customer_unlike_its_invoice", line.line);
        }
        let damaged = kind == Kind::Correction && is_damage(&line.description);
        invoice.lines.push(InvoiceLine { number: line.line, kind, item, quantity: line.quantity, price: line.price, damaged });
    }

    fn item(&mut self, reading: &mut Reading, line: &Line) -> usize {
        let sku = line.sku();
        let priced = line.kind() == Kind::Sale && line.price > 0 && !line.description.is_empty();
        let day = day(line.at);
        match reading.codes.get(&sku) {
            Some(place) => {
                let item = &mut self.items[*place];
                item.first_day = item.first_day.min(day);
                if priced && !reading.settled[*place] {
                    reading.settled[*place] = true;
                    (item.name, item.price) = (line.description.clone(), line.price);
                }
                *place
            }
            None => {
                let name = if line.description.is_empty() { sku.clone() } else { line.description.clone() };
                let can_be = limits::name("sku", &sku).is_ok();
                self.items.push(Goods { sku: sku.clone(), name, price: line.price, first_day: day, can_be });
                reading.settled.push(priced);
                reading.codes.insert(sku, self.items.len() - 1);
                self.items.len() - 1
            }
        }
    }

    fn flag(&mut self, reading: &mut Reading, line: &Line, kind: Kind) {
        let goods = kind != Kind::NotGoods;
        let is_new = reading.seen.insert(line.digest);
        let odd = [
            (!is_new, "exact_duplicate"),
            (line.customer.is_none(), "no_customer"),
            (connectors::online_retail::country(&line.country).is_none(), "unknown_country"),
            (line.description.is_empty(), "no_description"),
            (goods && line.code != line.sku(), "code_in_small_letters"),
            (goods && line.price == 0 && kind == Kind::Sale, "sold_for_nothing"),
            (line.price < 0, "negative_price"),
            (line.price % 100 != 0, "price_finer_than_a_penny"),
            (kind == Kind::Correction, "negative_outside_a_return"),
            (kind == Kind::Nothing, "quantity_of_zero"),
            (kind == Kind::Sale && line.invoice.starts_with('C'), "sale_on_a_return"),
        ];
        for (_, flag) in odd.iter().filter(|(is, _)| *is) {
            self.flags.add(*flag, line.line);
        }
        if !goods {
            self.flags.add(format!("not_goods_{}", line.charge()), line.line);
        }
    }
}

/// Descriptions of corrections that speak of units that cannot be sold any more.
fn is_damage(description: &str) -> bool {
    const WORDS: [&str; 12] = ["damage", "broken", "crush", "crack", "wet", "mould", "rust", "faulty", "smash", "thrown", "unsaleable", "throw"];
    let description = description.to_lowercase();
    WORDS.iter().any(|word| description.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn invoices_stand_in_the_order_of_time_with_what_is_odd_about_them() {
        let file = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
            2,85123a,,1,2010-12-01 09:00:00,0.001,1,EIRE\n\
            2,POST,POSTAGE,1,2010-12-01 09:01:00,18,1,EIRE\n\
            1,85123A,HEART,6,2010-12-01 08:00:00,2.55,,Nowhere\n\
            1,85123A,HEART,6,2010-12-01 08:00:00,2.55,,Nowhere\n\
            3,85123A,wet,-2,2010-12-02 08:00:00,0,,EIRE\n\
            3,x\n";
        let history = History::read(io::Cursor::new(file)).unwrap();
        assert_eq!(history.invoices.iter().map(|i| i.number.as_str()).collect::<Vec<_>>(), ["1", "2", "3"]);
        assert_eq!((history.lines, history.money, history.items.len()), (6, 486_010, 1));
        assert_eq!((history.items[0].name.as_str(), history.items[0].price), ("HEART", 25_500));
        assert!(history.invoices[2].lines[0].damaged);
        let flags: Vec<String> = history.flags.0.iter().map(|(name, flag)| format!("{name} {:?}", flag.first)).collect();
        assert_eq!(
            flags,
            [
                "code_in_small_letters [2]",
                "dated_unlike_its_invoice [3]",
                "exact_duplicate [5]",
                "negative_outside_a_return [6]",
                "no_customer [4, 5, 6]",
                "no_description [2]",
                "not_goods_postage [3]",
                "price_finer_than_a_penny [2]",
                "unknown_country [4, 5]",
                "unreadable [7]",
            ]
        );
    }
}
