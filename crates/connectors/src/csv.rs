//! CSV files as they are really met: gzip or not, with or without a byte-order mark, UTF-8, UTF-16 or Windows-1252,
//! separated by commas, semicolons or tabs. Read as a stream, so that the length of a file does not matter.

use encoding_rs::{Decoder, UTF_16BE, UTF_16LE, WINDOWS_1252};
use std::borrow::Cow;
use std::io::{self, BufRead, BufReader, Read};

/// Longest row in bytes; a file whose quote never closes must not fill the memory.
const MAX_ROW: u64 = 1 << 20;

/// A file that is being read.
pub struct Csv {
    reader: csv::Reader<Guard>,
    columns: Vec<String>,
    row: csv::ByteRecord,
    /// The reader has not read the \n of \r\n yet when it says on which line a row begins: 1 for such a file.
    behind: u64,
    ended: bool,
}

/// A row: its line in the file (the header is line 1) and its fields.
pub struct Record<'a> {
    pub line: u64,
    columns: &'a [String],
    fields: Vec<Cow<'a, str>>,
}

/// A row that could not be read, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadRow {
    pub line: u64,
    pub detail: String,
    /// Its fields, as far as they could be told apart.
    pub fields: Vec<String>,
}

impl Record<'_> {
    /// The field in this column without outer blanks; empty if the file has no such column.
    pub fn get(&self, column: &str) -> &str {
        let place = self.columns.iter().position(|c| c == column);
        place.and_then(|n| self.fields.get(n)).map_or("", |f| f.trim())
    }

    pub fn fields(&self) -> impl Iterator<Item = &str> {
        self.fields.iter().map(|f| &**f)
    }
}

impl Csv {
    /// Opens a file and reads its header. Column names are compared in lower case, blanks as underscores.
    pub fn open(file: impl Read + Send + 'static) -> io::Result<Csv> {
        let mut plain = decode(unpack(file)?)?;
        let head = plain.fill_buf()?;
        let first_line = head.split(|b| *b == b'\n').next().unwrap_or_default();
        let behind = u64::from(first_line.ends_with(b"\r"));
        let count = |mark: u8| first_line.iter().filter(|b| **b == mark).count();
        let delimiter = [b',', b';', b'\t'].into_iter().max_by_key(|mark| (count(*mark), *mark == b',')).unwrap_or(b',');
        let guard = Guard { inner: plain, since_row: 0 };
        let mut reader = csv::ReaderBuilder::new().delimiter(delimiter).flexible(true).from_reader(guard);
        let headers = reader.byte_headers().map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("is not a CSV file: {e}")))?;
        let columns: Vec<String> = headers.iter().map(|h| text(h).trim().to_lowercase().replace([' ', '-'], "_")).collect();
        if columns.iter().all(|c| c.is_empty()) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "is empty: it has no header line"));
        }
        if let Some(twice) = columns.iter().enumerate().find(|(n, c)| columns[..*n].contains(c)) {
            return Err(io::Error::new(io::ErrorKind::InvalidData, format!("has the column “{}” twice", twice.1)));
        }
        Ok(Csv { reader, columns, row: csv::ByteRecord::new(), behind, ended: false })
    }

    pub fn columns(&self) -> &[String] {
        &self.columns
    }

    pub fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|c| c == column)
    }

    /// The next row; None at the end. A row with too many or too few fields is bad, the next one may be good.
    #[allow(clippy::should_implement_trait)]
    pub fn next(&mut self) -> Option<Result<Record<'_>, BadRow>> {
        if self.ended {
            return None;
        }
        self.reader.get_mut().since_row = 0;
        let line = self.reader.position().line() + self.behind;
        match self.reader.read_byte_record(&mut self.row) {
            Ok(false) => None,
            Ok(true) => {
                let line = self.row.position().map_or(line, |p| p.line() + self.behind);
                if self.row.len() != self.columns.len() {
                    let detail = format!("has {} fields, the header has {}", self.row.len(), self.columns.len());
                    let fields = self.row.iter().map(|f| text(f).into_owned()).collect();
                    return Some(Err(BadRow { line, detail, fields }));
                }
                Some(Ok(Record { line, columns: &self.columns, fields: self.row.iter().map(text).collect() }))
            }
            Err(error) => {
                self.ended = true;
                Some(Err(BadRow { line, detail: format!("cannot be read, nor anything after it: {error}"), fields: Vec::new() }))
            }
        }
    }
}

/// Fields as a line of a CSV file (RFC 4180), without its end.
pub fn line<'f>(fields: impl IntoIterator<Item = &'f str>) -> String {
    let mut line = String::new();
    for (n, field) in fields.into_iter().enumerate() {
        if n > 0 {
            line.push(',');
        }
        if field.contains([',', '"', '\r', '\n']) || field.trim() != field {
            line.push('"');
            line.push_str(&field.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(field);
        }
    }
    line
}

/// A field as text. What is not UTF-8 is Windows-1252, which has a character for every byte.
fn text(field: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(field) {
        Ok(text) => Cow::Borrowed(text),
        Err(_) => WINDOWS_1252.decode_without_bom_handling(field).0,
    }
}

type Plain = BufReader<Box<dyn Read + Send>>;

/// Unpacks gzip, known by its first two bytes (RFC 1952, section 2.3.1).
fn unpack(file: impl Read + Send + 'static) -> io::Result<Plain> {
    let mut file = BufReader::with_capacity(64 << 10, Box::new(file) as Box<dyn Read + Send>);
    if file.fill_buf()?.starts_with(&[0x1f, 0x8b]) {
        return Ok(BufReader::with_capacity(64 << 10, Box::new(flate2::bufread::MultiGzDecoder::new(file))));
    }
    Ok(file)
}

/// Takes a byte-order mark off, and turns UTF-16 into UTF-8.
fn decode(mut file: Plain) -> io::Result<Plain> {
    let head = file.fill_buf()?;
    let utf16 = match head {
        [0xEF, 0xBB, 0xBF, ..] => {
            file.consume(3);
            return Ok(file);
        }
        [0xFF, 0xFE, ..] => UTF_16LE,
        [0xFE, 0xFF, ..] => UTF_16BE,
        _ => return Ok(file),
    };
    let transcoder = Transcoder { inner: file, decoder: utf16.new_decoder_with_bom_removal(), out: Vec::new(), given: 0, done: false };
    Ok(BufReader::with_capacity(64 << 10, Box::new(transcoder)))
}

struct Transcoder {
    inner: Plain,
    decoder: Decoder,
    out: Vec<u8>,
    given: usize,
    done: bool,
}

impl Read for Transcoder {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        while self.given == self.out.len() && !self.done {
            let bytes = self.inner.fill_buf()?;
            self.done = bytes.is_empty();
            let mut decoded = String::with_capacity(self.decoder.max_utf8_buffer_length(bytes.len()).unwrap_or(256 << 10));
            let (_, read, _) = self.decoder.decode_to_string(bytes, &mut decoded, self.done);
            self.inner.consume(read);
            self.out = decoded.into_bytes();
            self.given = 0;
        }
        let count = to.len().min(self.out.len() - self.given);
        to[..count].copy_from_slice(&self.out[self.given..self.given + count]);
        self.given += count;
        Ok(count)
    }
}

/// Stops a row that never ends.
struct Guard {
    inner: Plain,
    since_row: u64,
}

impl Read for Guard {
    fn read(&mut self, to: &mut [u8]) -> io::Result<usize> {
        if self.since_row > MAX_ROW {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "a row is longer than 1 MiB; perhaps a quote is never closed"));
        }
        let count = self.inner.read(to)?;
        self.since_row += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Write};

    fn read(bytes: &[u8]) -> Vec<String> {
        let mut csv = match Csv::open(Cursor::new(bytes.to_vec())) {
            Ok(csv) => csv,
            Err(e) => return vec![e.to_string()],
        };
        let mut rows = Vec::new();
        while let Some(row) = csv.next() {
            rows.push(match row {
                Ok(r) => format!("{}: {}={}", r.line, r.get("sku"), r.get("quantity")),
                Err(bad) => format!("{}: {}", bad.line, bad.detail),
            });
        }
        rows
    }

    #[test]
    fn a_line_reads_back_as_it_was() {
        let fields = ["plain", "a,b", "say \"hi\"", "two\nlines", " blank ", ""];
        assert_eq!(line(fields), "plain,\"a,b\",\"say \"\"hi\"\"\",\"two\nlines\",\" blank \",");
        let mut csv = Csv::open(Cursor::new(format!("a,b,c,d,e,f\n{}\n", line(fields)))).unwrap();
        let read: Vec<String> = csv.next().unwrap().unwrap().fields().map(str::to_owned).collect();
        assert_eq!(read, fields);
    }

    #[test]
    fn files_as_they_are_met() {
        let plain = "SKU,Quantity\r\nCafé,5\r\n\"a,b\",6\n";
        let expected = ["2: Café=5", "3: a,b=6"];
        assert_eq!(read(plain.as_bytes()), expected);
        assert_eq!(read(format!("\u{feff}{plain}").as_bytes()), expected, "byte-order mark");
        assert_eq!(read(&WINDOWS_1252.encode(plain).0), expected, "Windows-1252");
        let utf16 = |order: fn(u16) -> [u8; 2]| format!("\u{feff}{plain}").encode_utf16().flat_map(order).collect::<Vec<u8>>();
        assert_eq!(read(&utf16(u16::to_le_bytes)), expected, "UTF-16 little-endian");
        assert_eq!(read(&utf16(u16::to_be_bytes)), expected, "UTF-16 big-endian");
        let mut gzip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        gzip.write_all(plain.as_bytes()).unwrap();
        assert_eq!(read(&gzip.finish().unwrap()), expected, "gzip");
        assert_eq!(read(b"sku;quantity\nA;1\n"), ["2: A=1"], "semicolons");
        assert_eq!(read(b"sku\tquantity\nA\t1\n"), ["2: A=1"], "tabs");
    }

    #[test]
    fn bad_files_are_told_by_line() {
        assert_eq!(read(b"sku,quantity\nA\nB,2\n"), ["2: has 1 fields, the header has 2", "3: B=2"]);
        assert_eq!(read(b""), ["is empty: it has no header line"]);
        assert_eq!(read(b"sku,sku\n1,2\n"), ["has the column “sku” twice"]);
        let mut endless = b"sku,quantity\n\"".to_vec();
        endless.extend(std::iter::repeat_n(b'x', 3 << 20));
        assert!(read(&endless)[0].contains("longer than 1 MiB"), "{:?}", read(&endless));
    }
}
