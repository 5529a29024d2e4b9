//! UCI Online Retail (Daqing Chen, 2012; CC BY 4.0): the invoice lines of a UK gift retailer, with all their dirt.
//!
//! Columns: InvoiceNo, StockCode, Description, Quantity, InvoiceDate, UnitPrice, CustomerID, Country. An invoice that
//! begins with C takes goods back; a negative quantity without C is a correction; codes such as POST or M are no goods.

use crate::csv::{BadRow, Csv, Record};
use std::io::{self, Read};

/// A line as it stands in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Line {
    /// Counting from 1, the header being line 1.
    pub line: u64,
    pub invoice: String,
    pub code: String,
    pub description: String,
    pub quantity: i64,
    /// Microseconds since 1970, the file's local time read as UTC.
    pub at: i64,
    /// Price of a unit in ten-thousandths of a pound: the file holds prices down to a tenth of a penny.
    pub price: i64,
    pub customer: Option<String>,
    pub country: String,
    /// blake3 of all fields, to find exact duplicates.
    pub digest: [u8; 16],
}

/// What a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Sale,
    /// Of an invoice that begins with C.
    Return,
    /// A negative quantity outside of such an invoice.
    Correction,
    /// Postage, fees, discounts, manual bookings: money, not goods.
    NotGoods,
    /// Goods, but none of them: a quantity of 0.
    Nothing,
}

impl Line {
    pub fn kind(&self) -> Kind {
        if !is_goods(&self.code) || self.invoice.starts_with('A') {
            Kind::NotGoods
        } else if self.quantity == 0 {
            Kind::Nothing
        } else if self.quantity > 0 {
            // Also in an invoice that begins with C: there it takes a return back, which sells the goods again.
            Kind::Sale
        } else if self.invoice.starts_with('C') {
            Kind::Return
        } else {
            Kind::Correction
        }
    }

    /// Money of the line in ten-thousandths of a pound.
    pub fn amount(&self) -> i128 {
        i128::from(self.quantity) * i128::from(self.price)
    }

    /// What a line that is no goods charges for, in a word.
    pub fn charge(&self) -> &'static str {
        const CHARGES: [(&str, &str); 11] = [
            ("POST", "postage"),
            ("DOT", "dotcom_postage"),
            ("C2", "carriage"),
            ("M", "manual"),
            ("D", "discount"),
            ("S", "samples"),
            ("BANK CHARGES", "bank_charges"),
            ("AMAZONFEE", "amazon_fee"),
            ("CRUK", "charity_commission"),
            ("PADS", "cushion_pads"),
            ("B", "bad_debt"),
        ];
        let sku = self.sku();
        if sku.starts_with("GIFT_") {
            return "gift_voucher";
        }
        CHARGES.iter().find(|(code, _)| *code == sku).map_or("other", |(_, word)| word)
    }

    /// The stock code in one spelling: the file writes some both as 85123a and 85123A.
    pub fn sku(&self) -> String {
        self.code.to_uppercase()
    }
}

/// Goods have codes that begin with five digits, or with DCGS; all others are charges.
fn is_goods(code: &str) -> bool {
    let upper = code.to_uppercase();
    upper.starts_with("DCGS") || (code.len() >= 5 && code.bytes().take(5).all(|b| b.is_ascii_digit()))
}

/// Reads a file, gzip or not.
pub struct OnlineRetail {
    file: Csv,
}

const COLUMNS: [&str; 8] = ["invoiceno", "stockcode", "description", "quantity", "invoicedate", "unitprice", "customerid", "country"];

impl OnlineRetail {
    pub fn open(file: impl Read + Send + 'static) -> io::Result<OnlineRetail> {
        let file = Csv::open(file)?;
        if let Some(missing) = COLUMNS.iter().find(|c| !file.has(c)) {
            // A file that is no text at all must not empty itself onto a terminal.
            let have: String = file.columns().join(", ").chars().filter(|c| !c.is_control()).take(200).collect();
            let detail = format!("is not the Online Retail data set: it has no column “{missing}”; its columns are: {have}");
            return Err(io::Error::new(io::ErrorKind::InvalidData, detail));
        }
        Ok(OnlineRetail { file })
    }
}

impl Iterator for OnlineRetail {
    type Item = Result<Line, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        Some(self.file.next()?.and_then(|record| read(&record)))
    }
}

fn read(record: &Record<'_>) -> Result<Line, BadRow> {
    let bad = |column: &str| BadRow { line: record.line, detail: format!("{column}: cannot read “{}”", record.get(column)), fields: Vec::new() };
    let fixed = |column: &str, decimals: usize| domain::money::decimal(record.get(column), decimals).ok_or_else(|| bad(column));
    let mut digest = blake3_of(record);
    digest.truncate(16);
    let at: jiff::civil::DateTime = record.get("invoicedate").parse().map_err(|_| bad("invoicedate"))?;
    let at = at.to_zoned(jiff::tz::TimeZone::UTC).map_err(|_| bad("invoicedate"))?.timestamp().as_microsecond();
    let customer = record.get("customerid").trim_end_matches(".0");
    Ok(Line {
        line: record.line,
        invoice: record.get("invoiceno").to_owned(),
        code: record.get("stockcode").to_owned(),
        description: record.get("description").to_owned(),
        quantity: fixed("quantity", 0)?,
        at,
        price: fixed("unitprice", 4)?,
        customer: (!customer.is_empty()).then(|| customer.to_owned()),
        country: record.get("country").to_owned(),
        digest: digest.try_into().unwrap_or_default(),
    })
}

fn blake3_of(record: &Record<'_>) -> Vec<u8> {
    let mut hasher = blake3::Hasher::new();
    for field in record.fields() {
        hasher.update(field.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize().as_bytes().to_vec()
}

/// A country as the file names it: its ISO 3166-1 code and, in degrees, about the middle of its land.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Country {
    pub name: &'static str,
    pub code: &'static str,
    pub latitude: f64,
    pub longitude: f64,
}

/// The country that the file names so; `None` for “Unspecified” and the like.
pub fn country(name: &str) -> Option<Country> {
    const COUNTRIES: [(&str, &str, f64, f64); 37] = [
        ("United Kingdom", "GB", 54.0, -2.5),
        ("Germany", "DE", 51.2, 10.4),
        ("EIRE", "IE", 53.2, -8.1),
        ("France", "FR", 46.6, 2.4),
        ("Spain", "ES", 40.2, -3.6),
        ("Netherlands", "NL", 52.2, 5.6),
        ("Switzerland", "CH", 46.8, 8.2),
        ("Belgium", "BE", 50.6, 4.6),
        ("Portugal", "PT", 39.6, -8.5),
        ("Australia", "AU", -25.7, 134.5),
        ("Norway", "NO", 64.6, 12.7),
        ("Channel Islands", "JE", 49.2, -2.1),
        ("Italy", "IT", 42.8, 12.1),
        ("Finland", "FI", 64.5, 26.3),
        ("Cyprus", "CY", 35.0, 33.2),
        ("Sweden", "SE", 62.8, 16.7),
        ("Austria", "AT", 47.6, 14.1),
        ("Denmark", "DK", 56.0, 10.0),
        ("Poland", "PL", 52.1, 19.4),
        ("Japan", "JP", 37.6, 138.0),
        ("Israel", "IL", 31.4, 35.0),
        ("Hong Kong", "HK", 22.4, 114.1),
        ("Singapore", "SG", 1.4, 103.8),
        ("Iceland", "IS", 65.0, -18.6),
        ("USA", "US", 39.8, -98.6),
        ("Canada", "CA", 61.4, -98.3),
        ("Greece", "GR", 39.1, 22.9),
        ("Malta", "MT", 35.9, 14.4),
        ("United Arab Emirates", "AE", 23.9, 54.3),
        ("RSA", "ZA", -29.0, 25.1),
        ("Lebanon", "LB", 33.9, 35.9),
        ("Lithuania", "LT", 55.3, 23.9),
        ("Brazil", "BR", -10.8, -53.1),
        ("Czech Republic", "CZ", 49.7, 15.3),
        ("Bahrain", "BH", 26.0, 50.5),
        ("Saudi Arabia", "SA", 24.1, 44.5),
        ("European Community", "BE", 50.6, 4.6),
    ];
    let (name, code, latitude, longitude) = *COUNTRIES.iter().find(|(known, ..)| *known == name)?;
    Some(Country { name, code, latitude, longitude })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_told_apart() {
        let file = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n\
            536365,85123a,HEART,6.0,2010-12-01 08:26:00,2.55,17850.0,United Kingdom\n\
            C536379,85123A,HEART,-1.0,2010-12-01 09:41:00,2.55,14527.0,United Kingdom\n\
            536589,21777,,-10.0,2010-12-01 16:50:00,0.0,,United Kingdom\n\
            536370,POST,POSTAGE,3.0,2010-12-01 08:45:00,18.0,12583.0,France\n\
            536371,22086,CHAIN,x,2010-12-01 09:00:00,2.55,13748.0,United Kingdom\n\
            536372,22086,CHAIN,0,2010-12-01 09:00:00,2.55,13748.0,United Kingdom\n\
            C536373,22086,CHAIN,1,2010-12-01 09:00:00,2.55,13748.0,United Kingdom\n";
        let rows: Vec<_> = OnlineRetail::open(std::io::Cursor::new(file)).unwrap().collect();
        let kinds: Vec<Kind> = rows.iter().flatten().map(Line::kind).collect();
        assert_eq!(kinds, [Kind::Sale, Kind::Return, Kind::Correction, Kind::NotGoods, Kind::Nothing, Kind::Sale]);
        let first = rows[0].as_ref().unwrap();
        assert_eq!((first.amount(), first.sku().as_str(), first.customer.as_deref()), (153_000, "85123A", Some("17850")));
        assert_eq!(rows[3].as_ref().unwrap().charge(), "postage");
        assert_eq!(rows[4], Err(BadRow { line: 6, detail: "quantity: cannot read “x”".into(), fields: Vec::new() }));
    }

    #[test]
    fn countries_are_known_by_their_names_in_the_file() {
        assert_eq!(country("EIRE").map(|c| c.code), Some("IE"));
        assert_eq!(country("Unspecified"), None);
    }
}
