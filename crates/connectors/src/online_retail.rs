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
}

impl Line {
    pub fn kind(&self) -> Kind {
        if !is_goods(&self.code) || self.invoice.starts_with('A') {
            Kind::NotGoods
        } else if self.invoice.starts_with('C') {
            Kind::Return
        } else if self.quantity < 0 {
            Kind::Correction
        } else {
            Kind::Sale
        }
    }

    /// Money of the line in ten-thousandths of a pound.
    pub fn amount(&self) -> i64 {
        self.quantity * self.price
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
            let have = file.columns().join(", ");
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("has no column “{missing}”; its columns are: {have}")));
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
    let bad = |column: &str| BadRow { line: record.line, detail: format!("{column}: cannot read “{}”", record.get(column)) };
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

/// ISO 3166-1 code of a country as the file names it; `None` for “Unspecified” and the like.
pub fn country_code(name: &str) -> Option<&'static str> {
    const CODES: [(&str, &str); 37] = [
        ("United Kingdom", "GB"),
        ("Germany", "DE"),
        ("EIRE", "IE"),
        ("France", "FR"),
        ("Spain", "ES"),
        ("Netherlands", "NL"),
        ("Switzerland", "CH"),
        ("Belgium", "BE"),
        ("Portugal", "PT"),
        ("Australia", "AU"),
        ("Norway", "NO"),
        ("Channel Islands", "JE"),
        ("Italy", "IT"),
        ("Finland", "FI"),
        ("Cyprus", "CY"),
        ("Sweden", "SE"),
        ("Austria", "AT"),
        ("Denmark", "DK"),
        ("Poland", "PL"),
        ("Japan", "JP"),
        ("Israel", "IL"),
        ("Hong Kong", "HK"),
        ("Singapore", "SG"),
        ("Iceland", "IS"),
        ("USA", "US"),
        ("Canada", "CA"),
        ("Greece", "GR"),
        ("Malta", "MT"),
        ("United Arab Emirates", "AE"),
        ("RSA", "ZA"),
        ("Lebanon", "LB"),
        ("Lithuania", "LT"),
        ("Brazil", "BR"),
        ("Czech Republic", "CZ"),
        ("Bahrain", "BH"),
        ("Saudi Arabia", "SA"),
        ("European Community", "BE"),
    ];
    CODES.iter().find(|(known, _)| *known == name).map(|(_, code)| *code)
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
            536371,22086,CHAIN,x,2010-12-01 09:00:00,2.55,13748.0,United Kingdom\n";
        let rows: Vec<_> = OnlineRetail::open(std::io::Cursor::new(file)).unwrap().collect();
        let kinds: Vec<Kind> = rows.iter().flatten().map(Line::kind).collect();
        assert_eq!(kinds, [Kind::Sale, Kind::Return, Kind::Correction, Kind::NotGoods]);
        let first = rows[0].as_ref().unwrap();
        assert_eq!((first.amount(), first.sku().as_str(), first.customer.as_deref()), (153_000, "85123A", Some("17850")));
        assert_eq!(rows[4], Err(BadRow { line: 6, detail: "quantity: cannot read “x”".into() }));
    }
}
