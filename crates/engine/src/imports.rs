//! Imports: files of any length, in chunks that each commit with how far they have come, so that the same file sent again
//! with the same key goes on where it stopped. A bad row is reported with its line and column, and harms no other row.

use crate::Stop;
use crate::access::By;
use crate::batch::{Batch, Because, postal_key};
use crate::catalog::items::NewItem;
use crate::catalog::locations::{self, NewLocation};
use crate::catalog::rows::{Item, POSTAL_CODES, micro};
use crate::command::{Answer, Command, Needs, Reply};
use crate::db::{Cell, Lookup, Row, Rows, Table, Type, Write};
use crate::orders::fill;
use crate::orders::place::PlaceOrder;
use crate::search::Imported;
use crate::views::{ImportView, RowError};
use domain::routing::Location;
use domain::stock::Account::{Available, Count};
use domain::{Noun, Refused, limits};
use effect::StockEffect;
use reader::Reader;
use std::io::Read;
use std::ops::ControlFlow;
use std::sync::Arc;

mod check;
pub mod effect;
pub mod list;
pub mod mend;
mod reader;
mod row;

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
        ("actor", Type::Text),
        ("file", Type::Text),
        ("head", Type::Text),
        ("began_at", Type::Int),
    ],
    key: "key",
};

/// Refused rows that are told one by one; the rest are counted.
const MAX_ERRORS: usize = 1_000;
/// The column beside refused rows that says what is wrong with them. It is not read.
pub const ERROR: &str = "error";
/// Letters of what is told of a refused row.
const MAX_TOLD: usize = 500;
/// Longest row that is kept with its refusal, in bytes.
const MAX_KEPT_ROW: usize = 4 << 10;

pub const IMPORTS_BY_KEY: Lookup = Lookup {
    columns: "key, kind, rows_done, accepted, rejected, digest, errors, finished, at, actor, file, head, began_at",
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
    pub fn required(self) -> &'static [&'static str] {
        match self {
            Kind::Items => &["sku", "name"],
            Kind::Locations => &["code", "name", "kind", "country"],
            Kind::Stock => &["sku", "location", "quantity"],
            Kind::Orders => &["channel", "reference", "country", "sku", "quantity"],
            Kind::PostalCodes => &["country", "postal_code", "latitude", "longitude"],
        }
    }

    /// Further columns that are read.
    pub fn optional(self) -> &'static [&'static str] {
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
    /// The file's name, and its columns as a line of CSV.
    pub file: Arc<str>,
    pub head: Arc<str>,
    /// Rows of the file before this chunk.
    pub start: u64,
    /// Rows of the file up to the end of this chunk.
    pub end: u64,
    /// The line each row begins on.
    pub rows: Vec<(u64, ImportRow)>,
    /// The same rows as CSV, to give them back if they are refused: an order's several lines below one another.
    pub texts: Vec<String>,
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
    /// Whose it is, the file's name and its columns as a line of CSV.
    pub actor: String,
    pub file: String,
    pub head: String,
    /// Of the first chunk, and of the last one so far: microseconds since 1970 UTC.
    pub began_at: i64,
    pub at: i64,
}

impl ImportState {
    pub fn read(row: &Row<'_>) -> (String, ImportState) {
        let view = ImportView {
            accepted: row.int(3) as u64,
            rejected: row.int(4) as u64,
            errors: serde_json::from_str(&row.text(6)).unwrap_or_default(),
            finished: row.flag(7),
            ..ImportView::default()
        };
        let state = ImportState {
            kind: row.text(1),
            rows_done: row.int(2) as u64,
            digest: row.hash(5),
            view,
            at: row.int(8),
            actor: row.text(9),
            file: row.text(10),
            head: row.text(11),
            began_at: row.int(12),
        };
        (row.text(0), state)
    }

    fn write(&self, key: &str) -> Rows {
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
            self.at.into(),
            self.actor.clone().into(),
            self.file.clone().into(),
            self.head.clone().into(),
            self.began_at.into(),
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
        for (n, (line, row)) in self.rows.iter().enumerate() {
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
                    state.view.tell(error, self.texts.get(n));
                }
            }
        }
        if state.began_at == 0 {
            (state.began_at, state.actor, state.file, state.head) =
                (batch.now, batch.actor.to_string(), self.file.to_string(), self.head.to_string());
        }
        state.at = batch.now;
        state.kind = self.kind.word().into();
        state.rows_done = self.end;
        state.digest = self.digest;
        state.view.finished = self.finished;
        batch.more.push(Write::changed(&crate::imports::IMPORTS, state.write(&self.key)));
        let mut told = serde_json::json!({ "key": self.key, "kind": self.kind.word(), "rows_done": state.rows_done, "accepted": state.view.accepted, "rejected": state.view.rejected, "finished": self.finished });
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
                None => {
                    new.is_new(batch)?;
                    Location { id: batch.id()?, ..read }
                }
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
                .ok_or_else(|| Refused::invalid("latitude", "must lie within -90..90, and the longitude within -180..180"))?;
            let row = Rows(vec![postal_key(country, postal_code).into(), micro(point.latitude).into(), micro(point.longitude).into()]);
            batch.more.push(Write::changed(&POSTAL_CODES, row));
            Ok(())
        }
    }
}

fn row_error(line: u64, refused: &Refused) -> RowError {
    let column = refused.field().map(|f| f.rsplit('.').next().unwrap_or(f).to_owned()).unwrap_or_default();
    RowError { line, column, code: refused.code().into(), detail: refused.to_string(), row: String::new() }
}

/// What is imported: under which key, what it holds, and the file's name for people.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    pub key: &'a str,
    pub kind: Kind,
    pub file: &'a str,
}

/// The import with this key, if it was begun.
pub fn find(tx: &mut crate::db::Tx<'_>, key: &str) -> Result<ImportState, Stop> {
    let lookup = Lookup { lock: false, ..IMPORTS_BY_KEY };
    let found = tx.by_names(&lookup, &[key], ImportState::read)?;
    found.into_iter().next().map(|(_, state)| state).ok_or_else(|| Refused::unknown(Noun::Import, key, "key").into())
}

/// Imports a file: reads, hands over chunk by chunk, goes on where an earlier attempt with this key stopped. A dry run only
/// reads, and tells the rows that cannot be read or name what is not there. `progress` hears the rows done.
pub fn run(
    engine: &crate::Engine,
    import: Import<'_>,
    file: impl Read + Send + 'static,
    by: &By,
    dry_run: bool,
    mut progress: impl FnMut(u64) -> ControlFlow<()>,
) -> Result<ImportView, Stop> {
    let mut reader = Reader::new(import, file)?;
    let mut resumed_after = 0;
    if !dry_run && let Ok(state) = engine.read_blocking(|tx| find(tx, import.key)) {
        reader.resume(&state)?;
        resumed_after = state.rows_done;
        if state.view.finished && reader.is_at_end() {
            return Ok(ImportView { resumed_after, ..state.view });
        }
    }
    // The next chunk is read while the one before it commits.
    let (chunks, ready) = std::sync::mpsc::sync_channel::<ImportRows>(2);
    let reading = std::thread::spawn(move || {
        loop {
            let chunk = reader.next_chunk();
            let finished = chunk.finished;
            if chunks.send(chunk).is_err() || finished {
                return;
            }
        }
    });
    let mut view = ImportView::default();
    let mut effect = StockEffect::default();
    for chunk in &ready {
        let end = chunk.end;
        if dry_run {
            view.count(engine.read_blocking(|tx| check::names(tx, chunk, &mut effect))?);
        } else if let Answer::Import(answer) = engine.submit_blocking(Command::Import(chunk), by.clone())?.answer {
            view = *answer;
        }
        // The reader stops by itself when nobody takes its chunks.
        if progress(end).is_break() {
            break;
        }
    }
    drop(ready);
    reading.join().map_err(|_| Stop::broken("the thread that read the file panicked"))?;
    view.resumed_after = resumed_after;
    view.effect = (dry_run && import.kind == Kind::Stock).then(|| Box::new(effect));
    Ok(view)
}

impl ImportView {
    /// Counts a chunk that is only read.
    fn count(&mut self, chunk: ImportRows) {
        for ((_, row), text) in chunk.rows.into_iter().zip(&chunk.texts) {
            match row {
                ImportRow::Bad(error) => {
                    self.rejected += 1;
                    self.tell(error, Some(text));
                }
                _ => self.accepted += 1,
            }
        }
        self.finished = chunk.finished;
    }

    /// Keeps a refusal, with the row as it came, unless there are many already.
    fn tell(&mut self, error: RowError, row: Option<&String>) {
        if self.errors.len() < MAX_ERRORS {
            let row = row.filter(|text| text.len() <= MAX_KEPT_ROW).cloned().unwrap_or_default();
            // A cell that is quoted may be as long as a row may be.
            let detail = match error.detail.char_indices().nth(MAX_TOLD) {
                Some((end, _)) => format!("{}…", &error.detail[..end]),
                None => error.detail,
            };
            self.errors.push(RowError { row, detail, ..error });
        }
    }
}
