//! Imports: files of any length, in chunks that each commit with how far they have come, so that the same file sent again
//! with the same key goes on where it stopped. A bad row is reported with its line and column, and harms no other row.

use crate::Stop;
use crate::access::By;
use crate::batch::{Batch, Because, postal_key};
use crate::catalog::items::NewItem;
use crate::catalog::locations::{self, NewLocation};
use crate::catalog::rows::{Item, POSTAL_CODES, WhenShort, micro};
use crate::command::{Answer, Command, Needs, Reply};
use crate::db::{Cell, Lookup, Row, Rows, Table, Type, Write};
use crate::orders::fill;
use crate::orders::place::{PlaceLine, PlaceOrder, ShipTo};
use crate::search::Imported;
use crate::stock::SkuLine;
use crate::views::{Amount, ImportView, RowError};
use connectors::csv::{self, Record};
use domain::routing::Location;
use domain::stock::Account::{Available, Count};
use domain::{Noun, Refused, limits};
use std::io::Read;

pub const IMPORTS: Table = Table {
    name: "imports",
    columns: &[
        ("key", Type::Text),
        ("kind", Type::Text),
        ("rows_done", Type::Int),
        ("accepted", Type::Int),
        ("rejected", Type::Int),
        ("digest", Type::Hash),
        ("errors", Type::Text),
        ("finished", Type::Int),
        ("at", Type::Int),
    ],
    key: "key",
};

/// Rows that commit together.
const CHUNK: usize = 2_000;
/// Refused rows that are told one by one; the rest are counted.
const MAX_ERRORS: usize = 1_000;

pub const IMPORTS_BY_KEY: Lookup = Lookup {
    columns: "key, kind, rows_done, accepted, rejected, digest, errors, finished",
    from: "imports",
    key: "key",
    and: "",
    order: "key",
    lock: true,
};

/// What a file holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Items,
    Locations,
    Stock,
    Orders,
    PostalCodes,
}

impl Kind {
    pub const ALL: [Kind; 5] = [Kind::Items, Kind::Locations, Kind::Stock, Kind::Orders, Kind::PostalCodes];

    pub fn word(self) -> &'static str {
        match self {
            Kind::Items => "items",
            Kind::Locations => "locations",
            Kind::Stock => "stock",
            Kind::Orders => "orders",
            Kind::PostalCodes => "postal_codes",
        }
    }

    pub fn parse(word: &str) -> Option<Kind> {
        Kind::ALL.into_iter().find(|k| k.word() == word)
    }

    /// The columns that a file must have.
    fn required(self) -> &'static [&'static str] {
        match self {
            Kind::Items => &["sku", "name"],
            Kind::Locations => &["code", "name", "kind", "country"],
            Kind::Stock => &["sku", "location", "quantity"],
            Kind::Orders => &["channel", "reference", "country", "sku", "quantity"],
            Kind::PostalCodes => &["country", "postal_code", "latitude", "longitude"],
        }
    }

    /// Further columns that are read.
    fn optional(self) -> &'static [&'static str] {
        match self {
            Kind::Items => {
                &["barcode", "price", "currency", "weight_grams", "length_mm", "width_mm", "height_mm", "when_short", "available_from", "components"]
            }
            Kind::Locations => &["postal_code", "latitude", "longitude", "daily_capacity", "cost_per_unit"],
            Kind::Stock => &["reason"],
            Kind::Orders => &["customer", "postal_code", "latitude", "longitude", "unit_price", "currency"],
            Kind::PostalCodes => &[],
        }
    }
}

/// A row as it was read.
#[derive(Debug, Clone)]
pub enum ImportRow {
    Item(NewItem),
    Location(NewLocation),
    /// What is available at a location after the import.
    Stock {
        sku: String,
        location: String,
        quantity: i64,
    },
    Order(Box<PlaceOrder>),
    PostalCode {
        country: String,
        postal_code: String,
        latitude: f64,
        longitude: f64,
    },
    /// Could not be read.
    Bad(RowError),
}

/// A chunk of an import.
#[derive(Debug, Clone)]
pub struct ImportRows {
    pub key: String,
    pub kind: Kind,
    /// Rows of the file before this chunk.
    pub start: u64,
    /// Rows of the file up to the end of this chunk.
    pub end: u64,
    /// The line each row begins on.
    pub rows: Vec<(u64, ImportRow)>,
    /// blake3 of the file's rows up to the end of this chunk.
    pub digest: [u8; 32],
    pub finished: bool,
}

/// How far an import has come.
#[derive(Debug, Clone, Default)]
pub struct ImportState {
    pub kind: String,
    pub rows_done: u64,
    pub digest: [u8; 32],
    pub view: ImportView,
}

impl ImportState {
    pub fn read(row: &Row<'_>) -> (String, ImportState) {
        let view = ImportView {
            accepted: row.int(3) as u64,
            rejected: row.int(4) as u64,
            errors: serde_json::from_str(&row.text(6)).unwrap_or_default(),
            finished: row.flag(7),
            resumed_after: 0,
        };
        (row.text(0), ImportState { kind: row.text(1), rows_done: row.int(2) as u64, digest: row.hash(5), view })
    }

    fn write(&self, key: &str, at: i64) -> Rows {
        let errors = serde_json::to_string(&self.view.errors).unwrap_or_else(|_| "[]".into());
        Rows(vec![
            key.to_owned().into(),
            self.kind.clone().into(),
            Cell::Int(self.rows_done as i64),
            Cell::Int(self.view.accepted as i64),
            Cell::Int(self.view.rejected as i64),
            Cell::Hash(self.digest),
            errors.into(),
            self.view.finished.into(),
            at.into(),
        ])
    }
}

impl ImportRows {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.imports.push(&self.key);
        for (_, row) in &self.rows {
            match row {
                ImportRow::Item(item) => item.needs(needs),
                ImportRow::Stock { sku, .. } => needs.skus.push(sku),
                ImportRow::Order(order) => order.needs(needs),
                _ => {}
            }
        }
        if self.kind == Kind::Stock {
            needs.supplies();
        }
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut state = batch.imports.get(&self.key).cloned().unwrap_or_default();
        if state.rows_done >= self.end && (state.view.finished || !self.finished) {
            return Ok(Reply::done(Answer::Import(Box::new(state.view))));
        }
        if state.rows_done != self.start {
            return Err(Refused::invalid("file", format!("is being imported by another call with this key, now at row {}", state.rows_done)).into());
        }
        let document = batch.id()?;
        let mut items = Imported::default();
        for (line, row) in &self.rows {
            let outcome = match row {
                ImportRow::Bad(error) => Err(error.clone()),
                row => match apply(batch, row, document, &mut items) {
                    Ok(()) => Ok(()),
                    Err(Stop::Refused(refused)) => Err(row_error(*line, &refused)),
                    Err(broken) => return Err(broken),
                },
            };
            match outcome {
                Ok(()) => state.view.accepted += 1,
                Err(error) => {
                    state.view.rejected += 1;
                    if state.view.errors.len() < MAX_ERRORS {
                        state.view.errors.push(error);
                    }
                }
            }
        }
        state.kind = self.kind.word().into();
        state.rows_done = self.end;
        state.digest = self.digest;
        state.view.finished = self.finished;
        batch.more.push(Write::changed(&crate::imports::IMPORTS, state.write(&self.key, batch.now)));
        let mut told = serde_json::json!({ "kind": self.kind.word(), "rows_done": state.rows_done, "accepted": state.view.accepted, "rejected": state.view.rejected, "finished": self.finished });
        if self.kind == Kind::Items {
            told["items"] = serde_json::to_value(&items).unwrap_or_default();
        }
        batch.event("import.progressed", document, &told);
        let view = state.view.clone();
        batch.imports.insert(self.key.clone(), state);
        Ok(Reply::done(Answer::Import(Box::new(view))))
    }
}

/// Applies one row, or refuses it without any effect. Takes down which items it wrote.
fn apply(batch: &mut Batch<'_>, row: &ImportRow, document: i64, items: &mut Imported) -> Result<(), Stop> {
    match row {
        ImportRow::Bad(_) => Ok(()),
        ImportRow::Item(new) => {
            let read = new.read(batch)?;
            let known = batch.any_item(&new.sku);
            let is_new = known.is_none();
            let item = match known {
                Some(known) if known.is_kit != read.is_kit => {
                    return Err(Refused::invalid("components", "cannot turn a plain item into a kit or back").into());
                }
                Some(known) => {
                    batch.config_changed = true;
                    Item { id: known.id, created_at: known.created_at, active: known.active, ..read }
                }
                None => Item { id: batch.id()?, ..read },
            };
            items.add(item.id, is_new);
            batch.put_item(item);
            Ok(())
        }
        ImportRow::Location(new) => {
            let read = new.read()?;
            let known = batch.config.by_code(&new.code).map(|l| (l.id, l.active));
            let location = match known {
                Some((id, active)) => Location { id, active, ..read },
                None => Location { id: batch.id()?, ..read },
            };
            locations::put(batch, location, if known.is_some() { "location.updated" } else { "location.created" });
            Ok(())
        }
        ImportRow::Stock { sku, location, quantity } => {
            let item = batch.plain_item(sku, "sku")?;
            let place = batch.location(location, "location")?;
            if *quantity != 0 {
                limits::quantity("quantity", *quantity)?;
            }
            let has = batch.level(item.id, place.id).get(Available);
            let because = Because { reason: "import", ..Because::of("stock.imported", document) };
            match quantity - has {
                0 => {}
                more if more > 0 => {
                    batch.post(item.id, place.id, Count, Available, more, because)?;
                    fill::from_level(batch, item.id, place.id)?;
                }
                fewer => batch.post(item.id, place.id, Available, Count, -fewer, because)?,
            }
            Ok(())
        }
        ImportRow::Order(order) => order.decide(batch).map(drop),
        ImportRow::PostalCode { country, postal_code, latitude, longitude } => {
            let point = domain::geo::Point::new(*latitude, *longitude)
                .ok_or_else(|| Refused::invalid("latitude", "and longitude must lie within -90..90 and -180..180"))?;
            let row = Rows(vec![postal_key(country, postal_code).into(), micro(point.latitude).into(), micro(point.longitude).into()]);
            batch.more.push(Write::changed(&POSTAL_CODES, row));
            Ok(())
        }
    }
}

fn row_error(line: u64, refused: &Refused) -> RowError {
    let column = refused.field().map(|f| f.rsplit('.').next().unwrap_or(f).to_owned()).unwrap_or_default();
    RowError { line, column, code: refused.code().into(), detail: refused.to_string() }
}

/// Reads a file and hands it over in chunks.
pub struct Importer {
    pub key: String,
    pub kind: Kind,
    file: csv::Csv,
    digest: blake3::Hasher,
    rows: u64,
    pending: Option<(u64, ImportRow)>,
}

impl Importer {
    /// Reads the header, and refuses a file that lacks a column or is no CSV at all.
    pub fn new(key: String, kind: Kind, file: impl Read + Send + 'static) -> Result<Importer, Refused> {
        let file = csv::Csv::open(file).map_err(|e| Refused::invalid("file", e.to_string()))?;
        let known: Vec<&str> = kind.required().iter().chain(kind.optional()).copied().collect();
        for column in kind.required() {
            if !file.has(column) {
                return Err(Refused::invalid("file", format!("has no column “{column}”; its columns are: {}", file.columns().join(", "))));
            }
        }
        if let Some(extra) = file.columns().iter().find(|c| !known.contains(&c.as_str())) {
            return Err(Refused::invalid("file", format!("has a column “{extra}” that is not known; the known ones are: {}", known.join(", "))));
        }
        Ok(Importer { key, kind, file, digest: blake3::Hasher::new(), rows: 0, pending: None })
    }

    /// Rows read so far.
    pub fn rows(&self) -> u64 {
        self.rows
    }

    /// Skips what an earlier attempt has done; refuses if that was another file.
    pub fn resume(&mut self, done: &ImportState) -> Result<(), Refused> {
        if done.kind != self.kind.word() {
            return Err(Refused::IdempotencyKeyReused);
        }
        while self.rows < done.rows_done {
            if self.next_row().is_none() {
                return Err(Refused::IdempotencyKeyReused);
            }
        }
        if *self.digest.finalize().as_bytes() != done.digest {
            return Err(Refused::IdempotencyKeyReused);
        }
        Ok(())
    }

    /// The next chunk; the last one says `finished`.
    pub fn next_chunk(&mut self) -> ImportRows {
        let start = self.rows;
        let mut rows: Vec<(u64, ImportRow)> = Vec::with_capacity(CHUNK);
        let mut finished = false;
        while rows.len() < CHUNK {
            match self.next_row() {
                Some(row) => rows.push(row),
                None => {
                    finished = true;
                    break;
                }
            }
        }
        let digest = *self.digest.finalize().as_bytes();
        ImportRows { key: self.key.clone(), kind: self.kind, start, end: self.rows, rows, digest, finished }
    }

    /// The next row. For orders, following rows with the same channel and reference are lines of the same order.
    fn next_row(&mut self) -> Option<(u64, ImportRow)> {
        let first = match self.pending.take() {
            Some(row) => row,
            None => self.read_row()?,
        };
        let (line, ImportRow::Order(mut order)) = first else {
            self.rows += 1;
            return Some(first);
        };
        loop {
            match self.read_row() {
                Some((_, ImportRow::Order(more))) if (&more.channel, &more.reference) == (&order.channel, &order.reference) => {
                    order.lines.extend(more.lines);
                }
                other => {
                    self.pending = other;
                    break;
                }
            }
        }
        self.rows += 1;
        Some((line, ImportRow::Order(order)))
    }

    fn read_row(&mut self) -> Option<(u64, ImportRow)> {
        match self.file.next()? {
            Ok(record) => {
                for field in record.fields() {
                    self.digest.update(field.as_bytes());
                    self.digest.update(&[0]);
                }
                let line = record.line;
                Some((
                    line,
                    parse(self.kind, &record).unwrap_or_else(|(column, refused)| {
                        let column = if column.is_empty() { refused.field().unwrap_or_default().to_owned() } else { column };
                        ImportRow::Bad(RowError { line, column, code: refused.code().into(), detail: refused.to_string() })
                    }),
                ))
            }
            Err(error) => {
                let row = RowError { line: error.line, column: String::new(), code: "malformed_row".into(), detail: error.detail };
                Some((error.line, ImportRow::Bad(row)))
            }
        }
    }
}

type Fault = (String, Refused);

fn whole(record: &Record<'_>, column: &str) -> Result<Option<i64>, Fault> {
    match record.get(column) {
        "" => Ok(None),
        // Spreadsheets write whole numbers as 6.0.
        text => domain::money::decimal(text, 0)
            .map(Some)
            .ok_or_else(|| (column.to_owned(), Refused::invalid(column, format!("must be a whole number, is “{text}”")))),
    }
}

fn number(record: &Record<'_>, column: &str) -> Result<Option<f64>, Fault> {
    match record.get(column) {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|_| (column.to_owned(), Refused::invalid(column, format!("must be a number, is “{text}”")))),
    }
}

fn text(record: &Record<'_>, column: &str) -> Option<String> {
    Some(record.get(column)).filter(|t| !t.is_empty()).map(str::to_owned)
}

fn must(record: &Record<'_>, column: &str) -> Result<String, Fault> {
    text(record, column).ok_or_else(|| (column.to_owned(), Refused::invalid(column, "must not be empty")))
}

fn price(record: &Record<'_>, column: &str) -> Option<Amount> {
    Some(Amount { amount: text(record, column)?, currency: record.get("currency").to_owned() })
}

fn parse(kind: Kind, record: &Record<'_>) -> Result<ImportRow, Fault> {
    Ok(match kind {
        Kind::Items => ImportRow::Item(NewItem {
            sku: must(record, "sku")?,
            name: must(record, "name")?,
            barcode: text(record, "barcode"),
            price: price(record, "price"),
            weight_grams: whole(record, "weight_grams")?,
            length_mm: whole(record, "length_mm")?,
            width_mm: whole(record, "width_mm")?,
            height_mm: whole(record, "height_mm")?,
            when_short: match record.get("when_short") {
                "" => WhenShort::Deny,
                word => WhenShort::parse(word)
                    .ok_or_else(|| ("when_short".to_owned(), Refused::invalid("when_short", "must be deny, partial, backorder or preorder")))?,
            },
            available_from: text(record, "available_from"),
            components: components(record.get("components"))?,
        }),
        Kind::Locations => ImportRow::Location(NewLocation {
            code: must(record, "code")?,
            name: must(record, "name")?,
            kind: must(record, "kind")?,
            country: must(record, "country")?,
            postal_code: text(record, "postal_code"),
            latitude: number(record, "latitude")?,
            longitude: number(record, "longitude")?,
            daily_capacity: whole(record, "daily_capacity")?,
            cost_per_unit: whole(record, "cost_per_unit")?,
        }),
        Kind::Stock => ImportRow::Stock {
            sku: must(record, "sku")?,
            location: must(record, "location")?,
            quantity: whole(record, "quantity")?.ok_or_else(|| ("quantity".to_owned(), Refused::invalid("quantity", "must not be empty")))?,
        },
        Kind::Orders => ImportRow::Order(Box::new(PlaceOrder {
            channel: must(record, "channel")?,
            reference: must(record, "reference")?,
            customer: text(record, "customer"),
            ship_to: ShipTo {
                country: must(record, "country")?,
                postal_code: text(record, "postal_code"),
                latitude: number(record, "latitude")?,
                longitude: number(record, "longitude")?,
                ..ShipTo::default()
            },
            lines: vec![PlaceLine {
                sku: must(record, "sku")?,
                quantity: whole(record, "quantity")?.unwrap_or(0),
                unit_price: price(record, "unit_price"),
                pack: 1,
            }],
            reservation: None,
            backorder: false,
        })),
        Kind::PostalCodes => ImportRow::PostalCode {
            country: must(record, "country")?,
            postal_code: must(record, "postal_code")?,
            latitude: number(record, "latitude")?.unwrap_or(f64::NAN),
            longitude: number(record, "longitude")?.unwrap_or(f64::NAN),
        },
    })
}

/// Reads `SKU*2;OTHER` as components of a kit.
fn components(text: &str) -> Result<Vec<SkuLine>, Fault> {
    text.split(';')
        .map(str::trim)
        .filter(|part| !part.is_empty())
        .map(|part| {
            let (sku, quantity) = part.rsplit_once('*').unwrap_or((part, "1"));
            let quantity = quantity.trim().parse();
            let quantity = quantity.map_err(|_| ("components".to_owned(), Refused::invalid("components", "must read like SKU*2;OTHER")))?;
            Ok(SkuLine { sku: sku.trim().to_owned(), quantity })
        })
        .collect()
}

/// The import with this key, if it was begun.
pub fn find(tx: &mut crate::db::Tx<'_>, key: &str) -> Result<ImportState, Stop> {
    let lookup = Lookup { lock: false, ..IMPORTS_BY_KEY };
    let found = tx.by_names(&lookup, &[key], ImportState::read)?;
    found.into_iter().next().map(|(_, state)| state).ok_or_else(|| Refused::unknown(Noun::Import, key, "key").into())
}

/// Imports a file: reads, hands over chunk by chunk, goes on where an earlier attempt with this key stopped. A dry run only
/// reads, and tells the rows that cannot be read. `progress` hears the rows done.
pub fn run(
    engine: &crate::Engine,
    key: &str,
    kind: Kind,
    file: impl Read + Send + 'static,
    by: &By,
    dry_run: bool,
    mut progress: impl FnMut(u64),
) -> Result<ImportView, Stop> {
    let mut importer = Importer::new(key.to_owned(), kind, file)?;
    let mut resumed_after = 0;
    if !dry_run && let Ok(state) = engine.read_blocking(|tx| find(tx, key)) {
        importer.resume(&state)?;
        resumed_after = state.rows_done;
        if state.view.finished && importer.next_row().is_none() {
            return Ok(ImportView { resumed_after, ..state.view });
        }
    }
    // The next chunk is read while the one before it commits.
    let (chunks, ready) = std::sync::mpsc::sync_channel::<ImportRows>(2);
    let reader = std::thread::spawn(move || {
        loop {
            let chunk = importer.next_chunk();
            let finished = chunk.finished;
            if chunks.send(chunk).is_err() || finished {
                return;
            }
        }
    });
    let mut view = ImportView::default();
    for chunk in ready {
        let end = chunk.end;
        if dry_run {
            view.check(chunk);
        } else if let Answer::Import(answer) = engine.submit_blocking(Command::Import(chunk), by.clone())?.answer {
            view = *answer;
        }
        progress(end);
    }
    reader.join().map_err(|_| Stop::broken("the thread that read the file panicked"))?;
    view.resumed_after = resumed_after;
    Ok(view)
}

impl ImportView {
    /// Counts a chunk that is only read.
    fn check(&mut self, chunk: ImportRows) {
        for (_, row) in chunk.rows {
            match row {
                ImportRow::Bad(error) => {
                    self.rejected += 1;
                    if self.errors.len() < MAX_ERRORS {
                        self.errors.push(error);
                    }
                }
                _ => self.accepted += 1,
            }
        }
        self.finished = chunk.finished;
    }
}
