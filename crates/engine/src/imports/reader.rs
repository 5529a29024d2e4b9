//! Reads a file of an import row by row, and hands it over in chunks that know how far they go.

use super::{ERROR, Import, ImportRow, ImportRows, ImportState, Kind, row};
use crate::views::RowError;
use connectors::csv;
use domain::Refused;
use std::io::Read;
use std::sync::Arc;

/// Rows that commit together.
const CHUNK: usize = 2_000;

/// A row of the file: the line it begins on, what it says, and how it stands there.
struct Line {
    line: u64,
    row: ImportRow,
    text: String,
}

/// Reads a file and hands it over in chunks.
pub struct Reader {
    key: String,
    kind: Kind,
    name: Arc<str>,
    head: Arc<str>,
    file: csv::Csv,
    digest: blake3::Hasher,
    rows: u64,
    pending: Option<Line>,
}

impl Reader {
    /// Reads the header, and refuses a file that lacks a column or is no CSV at all.
    pub fn new(import: Import<'_>, file: impl Read + Send + 'static) -> Result<Reader, Refused> {
        let (key, kind, name) = (import.key.to_owned(), import.kind, import.file.into());
        let file = csv::Csv::open(file).map_err(|e| Refused::invalid("file", e.to_string()))?;
        if file.columns().iter().any(|c| c.chars().any(|c| c.is_control() || c == char::REPLACEMENT_CHARACTER)) {
            return Err(Refused::invalid("file", "is no text with columns; save it as CSV first"));
        }
        let known: Vec<&str> = kind.required().iter().chain(kind.optional()).copied().collect();
        for column in kind.required() {
            if !file.has(column) {
                return Err(Refused::invalid("file", format!("has no column “{column}”; its columns are: {}", file.columns().join(", "))));
            }
        }
        if let Some(extra) = file.columns().iter().find(|c| !known.contains(&c.as_str()) && c.as_str() != ERROR) {
            return Err(Refused::invalid("file", format!("has a column “{extra}” that is not known; the known ones are: {}", known.join(", "))));
        }
        let head = csv::line(file.columns().iter().map(String::as_str)).into();
        Ok(Reader { key, kind, name, head, file, digest: blake3::Hasher::new(), rows: 0, pending: None })
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

    /// Whether nothing is left to be read.
    pub fn is_at_end(&mut self) -> bool {
        self.next_row().is_none()
    }

    /// The next chunk; the last one says `finished`.
    pub fn next_chunk(&mut self) -> ImportRows {
        let start = self.rows;
        let (mut rows, mut texts) = (Vec::with_capacity(CHUNK), Vec::with_capacity(CHUNK));
        let mut finished = false;
        while rows.len() < CHUNK {
            match self.next_row() {
                Some(Line { line, row, text }) => {
                    rows.push((line, row));
                    texts.push(text);
                }
                None => {
                    finished = true;
                    break;
                }
            }
        }
        let digest = *self.digest.finalize().as_bytes();
        let (file, head) = (self.name.clone(), self.head.clone());
        ImportRows { key: self.key.clone(), kind: self.kind, file, head, start, end: self.rows, rows, texts, digest, finished }
    }

    /// The next row. For orders, following rows with the same channel and reference are lines of the same order.
    fn next_row(&mut self) -> Option<Line> {
        let mut first = match self.pending.take() {
            Some(row) => row,
            None => self.read_row()?,
        };
        self.rows += 1;
        while let ImportRow::Order(order) = &mut first.row {
            match self.read_row() {
                Some(Line { row: ImportRow::Order(more), text, .. }) if (&more.channel, &more.reference) == (&order.channel, &order.reference) => {
                    order.lines.extend(more.lines);
                    first.text.push('\n');
                    first.text.push_str(&text);
                }
                other => {
                    self.pending = other;
                    break;
                }
            }
        }
        Some(first)
    }

    fn read_row(&mut self) -> Option<Line> {
        match self.file.next()? {
            Ok(record) => {
                for field in record.fields() {
                    self.digest.update(field.as_bytes());
                    self.digest.update(&[0]);
                }
                let line = record.line;
                let read = row::parse(self.kind, &record).unwrap_or_else(|(column, refused)| {
                    let column = if column.is_empty() { refused.field().unwrap_or_default().to_owned() } else { column };
                    ImportRow::Bad(RowError { line, column, code: refused.code().into(), detail: refused.to_string(), row: String::new() })
                });
                Some(Line { line, row: read, text: csv::line(record.fields()) })
            }
            Err(error) => {
                let text = csv::line(error.fields.iter().map(String::as_str));
                let bad =
                    RowError { line: error.line, column: String::new(), code: "malformed_row".into(), detail: error.detail, row: String::new() };
                Some(Line { line: error.line, row: ImportRow::Bad(bad), text })
            }
        }
    }
}
