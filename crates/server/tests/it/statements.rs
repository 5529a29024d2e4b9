//! Every statement of the program, prepared on both databases.

use crate::support::on_both;
use engine::db::{Ahead, Conn, Faults, Lookup, Row, Sql, Value};
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

/// Reads that were told ahead answer what they answer otherwise, whatever is asked for, in whatever order and however often; a writer
/// reads what it wrote.
#[test]
fn what_is_read_ahead_is_what_is_read() {
    const SOME: Sql = Sql("SELECT name, value FROM counters WHERE name = $1");
    const FEW: Sql = Sql("SELECT name, value FROM counters WHERE value > $1 AND value < $2 ORDER BY name LIMIT $3");
    const SET: Sql = Sql("UPDATE counters SET value = $1 WHERE name = $2");
    const BY_VALUE: Lookup =
        Lookup { columns: "value, name", from: "counters", key: "value", and: "AND name > $2", order: "value, name", lock: true };
    on_both(|url| {
        Engine::open(Options::new(url.clone())).unwrap().shut_down();
        let mut conn = Conn::open(&url).unwrap();
        for n in 0..40 {
            conn.batch(&format!("INSERT INTO counters (name, value) VALUES ('ahead-{n:02}', {})", 1_000 + n / 2)).unwrap();
        }
        let mut random = fastrand::Rng::with_seed(9);
        let mut trips = [0, 0];
        for round in 0..200 {
            let name = format!("ahead-{:02}", random.u8(0..45));
            let (least, most) = (random.i64(990..1_020), random.i64(1_000..1_030));
            let ids: Vec<i64> = (0..random.usize(0..4)).map(|n| 1_000 + 5 * n as i64).collect();
            let (one, few) = ([Value::Text(&name)], [Value::Int(least), Value::Int(most), Value::Int(3)]);
            let after = [Value::Text("ahead-03")];
            let told = [Ahead::Rows(SOME, &one), Ahead::Rows(FEW, &few), Ahead::Ids(&BY_VALUE, &ids, &after)];
            let asked: Vec<u8> = (0..6).map(|_| random.u8(0..4)).collect();
            let mut read = |ahead: bool| {
                let before = conn.trips();
                let mut seen = Vec::new();
                let mut tx = conn.begin_read().unwrap();
                for (n, what) in asked.iter().enumerate() {
                    if ahead && (n == 0 || round % 3 == n % 3) {
                        tx.ahead(&told[round % 3..]);
                    }
                    let row = |r: &Row<'_>| (r.text(0), r.int(1));
                    seen.push(match what {
                        0 => tx.rows(SOME, &one, row).unwrap(),
                        1 => tx.rows(FEW, &few, row).unwrap(),
                        2 => tx.by_ids(&BY_VALUE, &ids, &after, |r| (r.text(1), r.int(0))).unwrap(),
                        _ => {
                            let mut found = Vec::new();
                            let sets = [few, [few[0], few[1], Value::Int(1)], few];
                            tx.rows_of_each(FEW, &sets, &mut |n, r| found.push((r.text(0), n as i64))).unwrap();
                            found
                        }
                    });
                }
                drop(tx);
                trips[usize::from(ahead)] += conn.trips() - before;
                seen
            };
            assert_eq!(read(true), read(false), "{round}: {asked:?}");
        }
        // It is for fewer round trips, where there are any.
        assert!(if conn.is_postgres() { 0 < trips[1] && trips[1] < trips[0] } else { trips == [0, 0] }, "{trips:?}");
        let faults = Faults::default();
        let mut tx = conn.begin(&faults).unwrap();
        let one = [Value::Text("ahead-00")];
        tx.ahead(&[Ahead::Rows(SOME, &one)]);
        assert_eq!(tx.one(SOME, &one, |r| r.int(1)).unwrap(), Some(1_000));
        tx.ahead(&[Ahead::Rows(SOME, &one)]);
        tx.execute(SET, &[Value::Int(7), one[0]]).unwrap();
        assert_eq!(tx.one(SOME, &one, |r| r.int(1)).unwrap(), Some(7));
    });
}
