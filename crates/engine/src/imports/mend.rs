//! Rows that an import refused, taken apart to be mended, and put together again as a file.

use super::{ERROR, ImportState};
use connectors::csv;
use std::io::Cursor;

/// A refused row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RefusedRow {
    /// Where it began in the file.
    pub line: u64,
    /// Which column was at fault; empty if that is not known.
    pub column: String,
    pub detail: String,
    /// As many as the file has columns. Empty if the row was too long to be kept.
    pub cells: Vec<String>,
}

/// The columns of the file, and its refused rows as far as they were kept: the first thousand. An order's lines are a row each. What an
/// earlier import said beside them is left out.
pub fn refused(state: &ImportState) -> (Vec<String>, Vec<RefusedRow>) {
    let mut columns = cells(&state.head);
    let width = columns.len();
    let said = columns.iter().position(|c| c == ERROR);
    said.map(|n| columns.remove(n));
    let mut rows = Vec::new();
    for error in &state.view.errors {
        let row = |mut cells: Vec<String>| {
            said.filter(|n| *n < cells.len()).map(|n| cells.remove(n));
            RefusedRow { line: error.line, column: error.column.clone(), detail: error.detail.clone(), cells }
        };
        let kept = lines(&state.head, &error.row, width);
        if kept.is_empty() {
            rows.push(row(Vec::new()));
        }
        rows.extend(kept.into_iter().map(row));
    }
    (columns, rows)
}

/// A file of these rows below these columns.
pub fn file<'r>(columns: &[String], rows: impl Iterator<Item = &'r [String]>) -> String {
    let mut text = csv::line(columns.iter().map(String::as_str));
    for row in rows {
        text.push('\n');
        text.push_str(&csv::line(row.iter().map(String::as_str)));
    }
    text.push('\n');
    text
}

fn cells(head: &str) -> Vec<String> {
    csv::Csv::open(Cursor::new(head.to_owned())).map(|file| file.columns().to_vec()).unwrap_or_default()
}

/// The cells of some lines below a head; one that has too many or too few is filled up or cut.
fn lines(head: &str, text: &str, columns: usize) -> Vec<Vec<String>> {
    let Ok(mut file) = csv::Csv::open(Cursor::new(format!("{head}\n{text}\n"))) else { return Vec::new() };
    let mut lines = Vec::new();
    while let Some(row) = file.next() {
        let mut cells: Vec<String> = match row {
            Ok(record) => record.fields().map(str::to_owned).collect(),
            Err(bad) => bad.fields,
        };
        if !cells.is_empty() {
            cells.resize(columns, String::new());
            lines.push(cells);
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::{ImportView, RowError};

    #[test]
    fn rows_come_apart_and_together() {
        let error = |line, row: &str| RowError { line, column: "sku".into(), code: "c".into(), detail: "why".into(), row: row.into() };
        let errors = vec![error(3, "A,\"1,5\""), error(5, "B"), error(7, ""), error(9, "C,1\nC,2")];
        let state = ImportState { head: "sku,quantity".into(), view: ImportView { errors, ..ImportView::default() }, ..ImportState::default() };
        let (columns, rows) = refused(&state);
        let told: Vec<String> = rows.iter().map(|r| format!("{} {}", r.line, r.cells.join("|"))).collect();
        assert_eq!(
            (columns.join(" ").as_str(), told),
            ("sku quantity", vec!["3 A|1,5".into(), "5 B|".into(), "7 ".into(), "9 C|1".into(), "9 C|2".into()])
        );
        let again = ImportState {
            head: "sku,error,quantity".into(),
            view: ImportView { errors: vec![error(2, "A,why,7")], ..ImportView::default() },
            ..ImportState::default()
        };
        let (names, mended) = refused(&again);
        assert_eq!((names.join(" ").as_str(), mended[0].cells.join("|").as_str()), ("sku quantity", "A|7"));
        assert_eq!(file(&columns, rows.iter().take(2).map(|r| r.cells.as_slice())), "sku,quantity\nA,\"1,5\"\nB,\n");
    }
}
