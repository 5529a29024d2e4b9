//! Every statement of the program, prepared on both databases.

use crate::support::on_both;
use engine::db::Conn;
use engine::{Engine, Options};

/// Every statement in the program can be prepared on both databases, with parameters in the order that SQLite numbers them.
#[test]
fn all_statements_prepare() {
    let mut statements = Vec::new();
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../engine/src");
    let mut folders = vec![std::path::PathBuf::from(source)];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let text = std::fs::read_to_string(&path).unwrap();
                for part in text.split("Sql(").skip(1) {
                    let Some(rest) = part.trim_start().strip_prefix('"') else { continue };
                    let statement = rest.split('"').next().unwrap();
                    if statement.contains(' ') {
                        statements.push(statement.to_owned());
                    }
                }
            }
        }
    }
    assert!(statements.len() > 20, "the search found only {}", statements.len());
    on_both(|url| {
        Engine::open(Options::new(url.clone())).unwrap().shut_down();
        let mut conn = Conn::open(&url).unwrap();
        let mut texts = statements.clone();
        let lookups: Vec<_> = engine::LOOKUPS.iter().flat_map(|l| l.iter().copied()).collect();
        texts.extend(engine::db::texts(&lookups, engine::TABLES, conn.is_postgres()));
        for text in &texts {
            let mut first = 0;
            for number in text.split('$').skip(1).filter_map(|t| t.split(|c: char| !c.is_ascii_digit()).next()?.parse::<usize>().ok()) {
                assert!(number <= first + 1, "parameters must first appear in order: {text}");
                first = first.max(number);
            }
            conn.check(text).unwrap_or_else(|e| panic!("{e}: {text}"));
        }
    });
}

/// The databases refuse a negative balance by themselves, whatever writes it.
#[test]
fn a_negative_balance_cannot_be_written() {
    let columns = ["available", "reserved", "committed", "damaged", "quality_control", "safety_stock", "incoming"];
    on_both(|url| {
        Engine::open(Options::new(url.clone())).unwrap().shut_down();
        let mut conn = Conn::open(&url).unwrap();
        let names = columns.join(", ");
        let level = |figures: [i64; 7]| {
            let figures = figures.map(|f| f.to_string()).join(", ");
            format!("INSERT INTO levels (item, location, {names}, entries, head) VALUES (1, 1, {figures}, 0, '')")
        };
        for n in 0..7 {
            let mut figures = [0; 7];
            figures[n] = -1;
            let error = conn.batch(&level(figures)).expect_err(columns[n]);
            assert_eq!(error.why, engine::db::Why::Check, "{}: {error}", columns[n]);
        }
        conn.batch(&level([5; 7])).unwrap();
        for column in columns {
            let error = conn.batch(&format!("UPDATE levels SET {column} = {column} - 6")).expect_err(column);
            assert_eq!(error.why, engine::db::Why::Check, "{column}: {error}");
        }
        for wrong in [
            "INSERT INTO capacity (location, day, used, most) VALUES (1, 1, 3, 2)",
            "INSERT INTO order_lines VALUES (1, 1, 1, NULL, 1, 5, NULL, 2, 2, 2, 0)",
            "INSERT INTO fulfillment_lines VALUES (1, 1, 1, 5, 3, 3)",
            "INSERT INTO transfer_lines VALUES (1, 1, 5, 3, 3, 0)",
            "INSERT INTO transfer_lines VALUES (1, 1, 5, 2, 2, 2)",
        ] {
            let error = conn.batch(wrong).expect_err(wrong);
            assert_eq!(error.why, engine::db::Why::Check, "{wrong}: {error}");
        }
    });
}
