//! Lists as files: CSV (RFC 4180) that is sent while it is read, one page of rows at a time, so that a million rows take no more
//! memory than a page. Not here: which rows; each list gives its own.

use crate::App;
use axum::body::Body;
use axum::http::{HeaderValue, Response, header};
use engine::db::Tx;
use engine::{Config, Stop};
use futures_util::stream;
use std::io;
use std::sync::Arc;

/// Rows that a list had better give at once: a step of a few milliseconds, and half a megabyte or so.
pub const STEP: usize = 1_000;

/// A file of rows below a head. `step` reads the rows at a cursor, and where the next ones follow if there are any; each step is a
/// read of its own, so that rows which change meanwhile are as they are when their turn comes. A read that fails breaks the
/// connection off, so that nobody takes half a file for the whole.
pub fn csv<C, S>(app: App, name: &str, head: &[&str], first: C, step: S) -> Response<Body>
where
    C: Send + 'static,
    S: Fn(&mut Tx<'_>, &Config, C) -> Result<(Vec<Vec<String>>, Option<C>), Stop> + Send + Sync + 'static,
{
    let mut text = String::new();
    line(&mut text, head);
    let step = Arc::new(step);
    let chunks = stream::unfold(Some((text, first)), move |state| {
        let (app, step) = (app.clone(), step.clone());
        async move {
            let (mut text, cursor) = state?;
            match app.read(move |tx, config| step(tx, config, cursor)).await {
                Ok((rows, next)) => {
                    rows.iter().for_each(|row| line(&mut text, row));
                    Some((Ok(text), next.map(|cursor| (String::new(), cursor))))
                }
                Err(stop) => {
                    tracing::error!("an export broke off: {stop}");
                    Some((Err(io::Error::other("the export broke off")), None))
                }
            }
        }
    });
    file(name, Body::from_stream(chunks))
}

/// A file of rows that are at hand.
pub fn rows(name: &str, head: &[&str], rows: &[Vec<String>]) -> Response<Body> {
    let mut text = String::new();
    line(&mut text, head);
    rows.iter().for_each(|row| line(&mut text, row));
    file(name, Body::from(text))
}

fn file(name: &str, body: Body) -> Response<Body> {
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/csv; charset=utf-8; header=present"));
    let name: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect();
    if let Ok(value) = HeaderValue::from_str(&format!("attachment; filename=\"{name}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

fn line(text: &mut String, cells: &[impl AsRef<str>]) {
    for (n, cell) in cells.iter().enumerate() {
        if n > 0 {
            text.push(',');
        }
        put(text, cell.as_ref());
    }
    text.push_str("\r\n");
}

/// Spreadsheets run what begins like a formula, and names come from outside: an apostrophe makes it a text. Numbers stay numbers.
fn put(text: &mut String, cell: &str) {
    let guard = if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) && !is_number(cell) { "'" } else { "" };
    if cell.contains([',', '"', '\r', '\n']) || cell.starts_with(' ') || cell.ends_with(' ') {
        text.push('"');
        text.push_str(guard);
        text.push_str(&cell.replace('"', "\"\""));
        text.push('"');
    } else {
        text.push_str(guard);
        text.push_str(cell);
    }
}

fn is_number(cell: &str) -> bool {
    let digits = cell.strip_prefix('-').unwrap_or(cell);
    let (whole, rest) = digits.split_once('.').unwrap_or((digits, "0"));
    [whole, rest].iter().all(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::line;

    #[test]
    fn cells_are_quoted_and_formulas_are_texts() {
        for (cells, expected) in [
            (&["SKU", "Name"][..], "SKU,Name\r\n"),
            (&["A,B", "say \"hi\"", "two\nlines"], "\"A,B\",\"say \"\"hi\"\"\",\"two\nlines\"\r\n"),
            (&["-12", "-0.5", "0", ""], "-12,-0.5,0,\r\n"),
            (&["=1+1", "+44 20", "-2+3", "@SUM(A1)", "\tx", "-", "-1."], "'=1+1,'+44 20,'-2+3,'@SUM(A1),'\tx,'-,'-1.\r\n"),
            (&["=HYPERLINK(\"a\",\"b\")", " x"], "\"'=HYPERLINK(\"\"a\"\",\"\"b\"\")\",\" x\"\r\n"),
            (&["ä£", "−3"], "ä£,−3\r\n"),
        ] {
            let mut text = String::new();
            line(&mut text, cells);
            assert_eq!(text, expected);
        }
    }
}
