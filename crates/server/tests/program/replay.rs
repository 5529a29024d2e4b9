//! `holdfast replay` and `holdfast demo`, as a person runs them: the real program, a small file with every kind of dirt, the
//! whole real history, runs that are killed and begun again.
//!
//! Not here: the parts one by one; their tests stand beside them in src/replay/.

use connectors::online_retail::OnlineRetail;
use serde_json::{Value, json};
use sim::postgres::TempFolder;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

const HOLDFAST: &str = env!("CARGO_BIN_EXE_holdfast");
const HEADER: &str = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country\n";

fn real_file() -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/online-retail/online_retail_to_2011-10-31.csv.gz");
    assert!(path.exists(), "{} is missing: the tests need the Online Retail data set up to 2011-10-31 there", path.display());
    path
}

fn replay(file: &Path, database: &Path) -> Command {
    let mut command = Command::new(HOLDFAST);
    command.arg("replay").arg(file).arg("--json").arg("--database").arg(format!("sqlite:{}", database.display()));
    command
}

/// The report of a run that must succeed, without what differs between two runs that end alike.
fn report(file: &Path, database: &Path) -> Value {
    let output = replay(file, database).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{}\n{text}\n{}", output.status, String::from_utf8_lossy(&output.stderr));
    let mut report: Value = serde_json::from_str(&text).unwrap();
    for name in ["file", "seconds", "lines_per_second", "resumed_after"] {
        assert!(report.as_object_mut().unwrap().remove(name).is_some(), "{name}");
    }
    report
}

fn verify(database: &Path) -> String {
    let output = Command::new(HOLDFAST).arg("verify").arg("--database").arg(format!("sqlite:{}", database.display())).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

/// Invoice, code, description, quantity, date, price, customer, country.
fn dirt() -> String {
    let mut file = HEADER.to_owned();
    file += "\
1001,10001,HEART,6,2010-12-01 08:26:00,2.55,1,United Kingdom
1001,POST,POSTAGE,1,2010-12-01 08:26:00,18.00,1,United Kingdom
1001,10001,HEART,6,2010-12-01 08:26:00,2.55,1,United Kingdom
1002,10002a,SMALL LETTERS,2,2010-12-01 08:30:00,1.005,,Germany
1002,10003,FREE,1,2010-12-01 08:31:00,0.0,,Germany
C1003,10001,HEART,-2,2010-12-01 09:00:00,2.55,1,United Kingdom
C1004,10001,HEART,-3,2010-12-02 09:00:00,2.55,1,United Kingdom
C1005,10001,HEART,-50,2010-12-03 09:00:00,2.55,1,United Kingdom
C1006,10001,HEART,-1,2010-12-03 09:01:00,2.55,,United Kingdom
C1007,D,Discount,-1,2010-12-03 09:02:00,27.50,1,United Kingdom
C1008,10001,HEART,1,2010-12-03 09:03:00,2.55,1,United Kingdom
1009,10001,damaged,-5,2010-12-03 10:00:00,0.0,,United Kingdom
1010,10001,,-1000,2010-12-03 10:00:00,0.0,,United Kingdom
1011,10001,HEART,0,2010-12-03 11:00:00,2.55,1,United Kingdom
A1012,B,Adjust bad debt,1,2010-12-03 12:00:00,-11062.06,,United Kingdom
1013,10001,HEART,x,2010-12-03 12:01:00,2.55,1,United Kingdom
1013,10001
";
    let _ = writeln!(file, "1014,10001{},TOO LONG A CODE,4,2010-12-03 12:02:00,2.50,1,Unspecified", "X".repeat(130));
    file += "\
1014,10001\tTAB,NO SKU,-4,2010-12-03 12:03:00,0.00,1,EIRE
1015,10009,NEW AND WANTED,1000,2010-12-20 08:00:00,1.25,2,France
C1016,10009,NEW AND WANTED,-100,2010-12-20 08:30:00,1.25,2,France
1017,10009,NEW AND WANTED,1,2011-01-07 08:00:00,1.25,3,EIRE
";
    for n in 0..501 {
        let _ = writeln!(file, "1018,{},THING,1,2011-01-07 09:00:00,1.00,3,EIRE", 20_000 + n);
    }
    file
}

/// Class, lines, units, money.
const CLASSES: &str = "\
correction                  1     -5       0.00
correction_short            1  -1000       0.00
not_goods                   3      0  -11071.56
nothing                     1      0       0.00
refused                     2      0      10.00
return_matched              3   -105    -137.75
return_partly_matched       1    -50    -127.50
return_unmatched            1     -1      -2.55
sale                      508   1518    1787.41
unreadable                  2      0       0.00
";

fn sorted(table: &Value) -> BTreeMap<&String, &Value> {
    table.as_object().unwrap().iter().collect()
}

fn classes(report: &Value) -> String {
    let mut text = String::new();
    for (name, sum) in sorted(&report["classes"]) {
        let number = |name: &str| sum[name].as_i64().unwrap();
        let _ = writeln!(text, "{name:<24}{:>5}{:>7}{:>11}", number("lines"), number("units"), sum["money"].as_str().unwrap());
    }
    text
}

/// Flag, lines, the first of them in the file.
const FLAGS: &str = "\
cannot_be_booked                   1 [20]
code_in_small_letters              1 [5]
correction_beyond_stock            1 [14]
customer_unlike_its_invoice        1 [20]
dated_unlike_its_invoice           2 [6,20]
exact_duplicate                    1 [4]
in_a_further_part_of_its_invoice   1 [524]
negative_outside_a_return          3 [13,14,20]
negative_price                     1 [16]
no_customer                        6 [5,6,10,13,14]
no_description                     1 [14]
not_goods_bad_debt                 1 [16]
not_goods_discount                 1 [11]
not_goods_postage                  1 [3]
order_refused                      1 [19]
price_finer_than_a_penny           1 [5]
quantity_of_zero                   1 [15]
return_without_sale                2 [9,10]
sale_on_a_return                   1 [12]
sold_for_nothing                   1 [6]
unknown_country                    1 [19]
unreadable                         2 [17,18]
";

fn flags(report: &Value) -> String {
    let mut text = String::new();
    for (name, flag) in sorted(&report["flags"]) {
        let _ = writeln!(text, "{name:<34}{:>2} {}", flag["lines"].as_i64().unwrap(), flag["first"]);
    }
    text
}

#[test]
fn every_kind_of_dirt_is_told_and_every_line_is_in_one_class() {
    let folder = TempFolder::new("replay").unwrap();
    let (file, database) = (folder.path().join("dirt.csv"), folder.path().join("dirt.db"));
    std::fs::write(&file, dirt()).unwrap();
    let first = report(&file, &database);
    assert_eq!(classes(&first), CLASSES, "\n{}", classes(&first));
    assert_eq!(flags(&first), FLAGS, "\n{}", flags(&first));
    let mut rest = first.clone();
    for table in ["classes", "flags"] {
        rest.as_object_mut().unwrap().remove(table);
    }
    let unknown = format!("1014: unknown_item: There is no item “10001{}”.", "X".repeat(130));
    assert_eq!(
        rest,
        json!({
            "lines": { "read": 523, "accounted_for": 523, "accepted": 518 },
            "invoices": 17,
            "items": 507,
            // 30.60 + 18.00 + 2.01 - 142.80 - 27.50 + 2.55 - 11,062.06 + 10.00 + 1,250.00 - 125.00 + 1.25 + 501.00
            "money": { "currency": "GBP", "in_file": "-9541.95", "booked": "-9541.95", "equal": true },
            "orders": {
                "orders": 7,
                "units_ordered": 1518,
                "splits": 1,
                // 48 of the new item were there; 100 of the rest were canceled half an hour later.
                "backordered_orders": 1,
                "backordered_units": 952,
                "canceled_while_waiting_units": 100,
                "filled_later_units": 852,
                "still_waiting_orders": 0,
                "still_waiting_units": 0,
                "shipments": 10,
                "cancellations": 2,
                "returns": 2,
                "receipts": 14,
                "adjustments": 5,
            },
            "orders_refused": [unknown],
            "units_bought": 27625,
            "correction_units_not_there": 949,
            "trouble": [],
            "verify": { "entries": 2020, "levels": 987, "discrepancies": 0 },
        })
    );
    let entries = verify(&database);
    assert_eq!(report(&file, &database), first, "a second run tells the same");
    assert_eq!(verify(&database), entries, "a second run changes nothing");

    let other = folder.path().join("other.csv");
    std::fs::write(&other, format!("{HEADER}1,10001,HEART,1,2010-12-01 08:26:00,2.55,1,United Kingdom\n")).unwrap();
    let refused = replay(&other, &database).output().unwrap();
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused).contains("holds the replay of another file"), "{}", text(&refused));
    assert_eq!(verify(&database), entries);
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_file_that_is_something_else_is_refused_in_words() {
    let folder = TempFolder::new("replay").unwrap();
    let database = folder.path().join("none.db");
    for (content, words) in [
        ("sku,quantity\nA,1\n", "has no column “invoiceno”; its columns are: sku, quantity"),
        ("", "is empty: it has no header line"),
        ("\u{0}\u{1}\u{2}\u{3}binary", "has no column “invoiceno”"),
        (HEADER, "has no line that can be played"),
    ] {
        let file = folder.path().join("file");
        std::fs::write(&file, content).unwrap();
        let output = replay(&file, &database).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{content:?}");
        assert!(text(&output).contains(words), "{content:?}: {}", text(&output));
    }
    let output = replay(&folder.path().join("nowhere"), &database).output().unwrap();
    assert!(text(&output).contains("nowhere"), "{}", text(&output));
    assert!(!database.exists(), "nothing is created for a file that cannot be played");
}

/// The beginning of the real file, as a file of its own.
fn beginning(lines: usize, folder: &Path) -> PathBuf {
    let path = folder.join("beginning.csv");
    let mut text = HEADER.to_owned();
    for line in OnlineRetail::open(std::fs::File::open(real_file()).unwrap()).unwrap().take(lines) {
        let l = line.unwrap();
        let at = jiff::Timestamp::from_microsecond(l.at).unwrap().strftime("%F %T");
        let (whole, part) = (l.price / 10_000, l.price % 10_000);
        let customer = l.customer.unwrap_or_default();
        let description = l.description.replace('"', "\"\"");
        let _ = writeln!(text, "{},{},\"{description}\",{},{at},{whole}.{part:04},{customer},{}", l.invoice, l.code, l.quantity, l.country);
    }
    std::fs::write(&path, text).unwrap();
    path
}

#[test]
fn a_replay_that_is_killed_and_begun_again_ends_like_one_that_was_not() {
    let folder = TempFolder::new("replay").unwrap();
    let file = beginning(40_000, folder.path());
    let (whole, killed) = (folder.path().join("whole.db"), folder.path().join("killed.db"));
    let begun = Instant::now();
    let expected = report(&file, &whole);
    let took = begun.elapsed();
    for part in 1..=4 {
        let mut run = replay(&file, &killed).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        std::thread::sleep(took * part / 6);
        run.kill().unwrap();
        run.wait().unwrap();
    }
    assert_eq!(report(&file, &killed), expected);
    assert_eq!(verify(&killed), verify(&whole));
    assert_eq!(books(&killed), books(&whole), "every entry, but for ids");
}

/// All entries in the books, with names in place of ids.
fn books(database: &Path) -> Vec<(String, String, i64, i64, i64, i64, i64, String, Option<String>)> {
    let conn = rusqlite::Connection::open(database).unwrap();
    let sql = "SELECT i.sku, p.code, e.number, e.at, e.source, e.target, e.quantity, e.cause, e.reference
        FROM entries e JOIN items i ON i.id = e.item JOIN locations p ON p.id = e.location ORDER BY 1, 2, 3";
    let mut statement = conn.prepare(sql).unwrap();
    let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?, r.get(5)?, r.get(6)?, r.get(7)?, r.get(8)?)));
    rows.unwrap().map(Result::unwrap).collect()
}

/// The sums below are the file's own, counted without this program.
#[test]
fn the_real_history_is_played_to_the_penny() {
    let folder = TempFolder::new("replay").unwrap();
    let report = report(&real_file(), &folder.path().join("real.db"));
    assert_eq!(report["lines"]["read"], 431_673);
    assert_eq!(report["lines"]["accounted_for"], 431_673);
    assert_eq!(report["invoices"], 21_423);
    assert_eq!(report["money"]["in_file"], "7852323.674");
    assert_eq!(report["money"]["booked"], "7852323.674");
    assert_eq!(report["money"]["equal"], true);
    assert_eq!(report["flags"]["exact_duplicate"]["lines"], 3_621);
    assert_eq!(report["flags"]["no_customer"]["lines"], 108_103);
    assert_eq!(report["flags"]["price_finer_than_a_penny"]["lines"], 4);
    assert_eq!(report["orders_refused"], json!([]));
    assert_eq!(report["trouble"], json!([]));
    assert_eq!(report["verify"]["discrepancies"], 0);
    let orders = |name: &str| report["orders"][name].as_i64().unwrap();
    assert_eq!(Some(orders("units_ordered")), report["classes"]["sale"]["units"].as_i64());
    assert_eq!(
        orders("backordered_units"),
        orders("filled_later_units") + orders("canceled_while_waiting_units") + orders("still_waiting_units"),
        "whoever waits is served, leaves, or waits still"
    );
    assert!(orders("splits") > 0 && orders("backordered_orders") > 0);
}

/// A running demo, killed when dropped: so that a test that fails leaves none behind.
struct Demo(Child);

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn get(address: &str, key: &str, path: &str) -> Value {
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{path}: {answer}");
    let body = answer.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str(body).unwrap_or_else(|e| panic!("{e}: {body}"))
}

#[test]
fn the_demo_sells_ships_and_lets_holds_run_out_while_you_watch() {
    let started = Instant::now();
    let child = Command::new(HOLDFAST).args(["demo", "--listen", "127.0.0.1:0", "--speed", "20000"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut demo = Demo(child);
    let mut lines = BufReader::new(demo.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let first = lines.next().unwrap();
    let address = first.split("http://").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap().to_owned();
    let key = lines.find_map(|line| line.strip_prefix("Admin key for programs: ").map(str::to_owned)).unwrap();
    assert!(started.elapsed() < Duration::from_secs(10), "took {:?} to open", started.elapsed());

    let mut after = 0;
    let mut missing: Vec<&str> =
        vec!["stock.received", "order.placed", "order.shipped", "order.canceled", "reservation.held", "reservation.ordered", "reservation.expired"];
    let deadline = Instant::now() + Duration::from_secs(120);
    while !missing.is_empty() {
        assert!(Instant::now() < deadline, "never saw {missing:?}");
        let page = get(&address, &key, &format!("/api/v1/events?after={after}&limit=100"));
        let events = page["data"].as_array().unwrap();
        for event in events {
            missing.retain(|kind| event["type"] != *kind);
            after = event["id"].as_str().unwrap().parse().unwrap();
        }
        if events.is_empty() {
            std::thread::sleep(Duration::from_millis(50));
        }
    }
    let orders = get(&address, &key, "/api/v1/orders?limit=5");
    assert_eq!(orders["data"].as_array().unwrap().len(), 5);

    let pid = demo.0.id().to_string();
    let database = first.split("(sqlite:").nth(1).unwrap().trim_end_matches(')');
    assert!(Path::new(database).exists());
    assert!(Command::new("kill").arg(&pid).status().unwrap().success());
    assert!(demo.0.wait().unwrap().success(), "SIGTERM ends the demo");
    assert!(!Path::new(database).exists(), "{database} is left behind");
}
