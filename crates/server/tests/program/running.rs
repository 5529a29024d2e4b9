//! The program beside itself: keys, verify and backup while a server runs, one server a file, an orderly end, plain errors.

use super::binary::{Client, HOLDFAST, Server, admin_key, holdfast, line, verify};
use serde_json::{Value, json};
use sim::postgres::TempFolder;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::Command;
use std::time::{Duration, Instant};

#[test]
fn beside_a_running_server() {
    let folder = TempFolder::new("running").unwrap();
    let database = format!("sqlite:{}", folder.path().join("holdfast.db").display());
    let began = Instant::now();
    let server = Server::start(&database);
    assert!(began.elapsed() < Duration::from_secs(5), "starting took {:?}", began.elapsed());
    let key = admin_key(&database);
    assert!(key.starts_with("hf_"));
    let mut client = Client::new(&server.address, &key);
    client.ok("POST /locations", json!({"code": "LON", "name": "London", "kind": "warehouse", "country": "GB"}));
    client.ok("POST /items", json!({"sku": "A", "name": "A"}));
    client.ok("POST /stock/receive", json!({"location": "LON", "lines": [{"sku": "A", "quantity": 10}]}));
    assert_eq!(verify(&database).trim(), "1 entries, 1 levels, 0 discrepancies");

    let second = holdfast(&["serve", "--listen", "127.0.0.1:0", "--database", &database]);
    let told = String::from_utf8(second.stderr).unwrap();
    assert!(!second.status.success() && told.contains("another holdfast works on this file"), "{told}");
    let taken = holdfast(&["serve", "--listen", &server.address, "--database", &format!("{database}.other")]);
    assert!(String::from_utf8(taken.stderr).unwrap().contains("Choose another address with --listen"));

    let backup = folder.path().join("backup.db");
    let told = line(&["backup", &backup.display().to_string(), "--database", &database]);
    assert!(told.ends_with("1 entries, 1 levels, 0 discrepancies"), "{told}");
    let restored = format!("sqlite:{}", folder.path().join("restored.db").display());
    line(&["restore", &backup.display().to_string(), "--database", &restored]);
    verify(&restored);

    let reader = line(&["key", "create", "--name", "reader", "--role", "read", "--days", "1", "--database", &database]);
    let id = reader[3..15].to_owned();
    let (status, _) = Client::new(&server.address, &reader).must("GET /stock/A", Value::Null);
    assert_eq!(status, 200);
    line(&["key", "revoke", &id, "--database", &database]);
    std::thread::sleep(Duration::from_millis(1_100));
    let (status, _) = Client::new(&server.address, &reader).must("GET /stock/A", Value::Null);
    assert_eq!(status, 401, "a revoked key ends within a second");
    let listed = String::from_utf8(holdfast(&["key", "list", "--database", &database]).stdout).unwrap();
    assert!(listed.contains("revoked") && !listed.contains(&reader[16..]), "{listed}");
}

#[test]
fn on_sigterm_what_was_accepted_is_finished() {
    let folder = TempFolder::new("sigterm").unwrap();
    let database = format!("sqlite:{}", folder.path().join("holdfast.db").display());
    let mut server = Server::start(&database);
    let key = admin_key(&database);
    let mut client = Client::new(&server.address, &key);
    client.ok("POST /locations", json!({"code": "LON", "name": "London", "kind": "warehouse", "country": "GB"}));
    client.ok("POST /items", json!({"sku": "A", "name": "A"}));
    client.ok("POST /stock/receive", json!({"location": "LON", "lines": [{"sku": "A", "quantity": 100_000}]}));
    let address = server.address.clone();
    let loads: Vec<_> = (0..8)
        .map(|_| {
            let (address, key) = (address.clone(), key.clone());
            std::thread::spawn(move || {
                let mut client = Client::new(&address, &key);
                let mut held = 0;
                while let Some((status, _)) =
                    client.call("POST /reservations", &json!({"lines": [{"sku": "A", "quantity": 1}], "expires_in_seconds": 3600}), None)
                {
                    if status != 201 {
                        break;
                    }
                    held += 1;
                }
                held
            })
        })
        .collect();
    std::thread::sleep(Duration::from_millis(300));
    server.signal("TERM");
    let ended = server.process.wait().unwrap();
    assert!(ended.success(), "{ended}");
    let told: i64 = loads.into_iter().map(|l| l.join().unwrap()).sum();
    let mut again = Server::start(&database);
    let (_, stock) = Client::new(&again.address, &key).must("GET /stock/A", Value::Null);
    assert_eq!(stock["reserved"], told, "acknowledged is there, and nothing was done without an answer");
    again.process.kill().unwrap();
    verify(&database);
}

#[test]
fn errors_say_what_to_do() {
    let folder = TempFolder::new("errors").unwrap();
    let missing = format!("sqlite:{}", folder.path().join("none.db").display());
    for (args, told) in [
        (vec!["verify", "--database", &missing], "none.db"),
        (vec!["verify", "--database", "mysql://x"], "a database URL begins with sqlite: or postgres://"),
        (vec!["import", "dreams", "x.csv", "--database", &missing], "there are: items, locations, stock, orders, postal_codes"),
        (vec!["import", "items", "nothing.csv", "--database", &missing], "nothing.csv: No such file"),
        (
            vec!["key", "create", "--name", "x", "--role", "king", "--database", &missing],
            "there are: owner, operations, warehouse, channels, finance, support, auditor, read, operate, admin",
        ),
        (vec!["restore", "nothing.db", "--database", &missing], "nothing.db: No such file"),
        (vec!["replay", "nothing.csv", "--database", &missing], "nothing.csv"),
    ] {
        let output = holdfast(&args);
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(told), "{args:?}: {text}");
        assert!(!text.contains("panicked"), "{text}");
    }
    let wrong = Command::new(HOLDFAST).arg("fly").output().unwrap();
    assert_eq!(wrong.status.code(), Some(2));
    let help = String::from_utf8(holdfast(&["--help"]).stdout).unwrap();
    for command in ["serve", "demo", "replay", "import", "verify", "bench", "backup", "restore", "key", "route"] {
        assert!(help.contains(&format!("  {command}")), "{command} is not in the help");
    }
}

#[test]
fn imports_on_the_command_line() {
    let folder = TempFolder::new("import").unwrap();
    let database = format!("sqlite:{}", folder.path().join("holdfast.db").display());
    let file = folder.path().join("items.csv");
    std::fs::write(&file, "sku,name\nA,Cup\n,Nameless\nB,Pot\n").unwrap();
    let output = holdfast(&["import", "items", &file.display().to_string(), "--database", &database]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(1), "refused rows are an error to scripts");
    assert_eq!(text, "line 3, sku: “sku” must not be empty. [invalid_field]\n2 rows accepted, 1 refused.\n");
}

#[test]
fn who_is_turned_away_stands_in_the_log() {
    let folder = TempFolder::new("turned-away").unwrap();
    let database = format!("sqlite:{}", folder.path().join("holdfast.db").display());
    let log = folder.path().join("log");
    let mut command = Command::new(HOLDFAST);
    command.args(["serve", "--listen", "127.0.0.1:0", "--database", &database]).env_remove("HOLDFAST_LOG");
    let server = Server::spawn(command.stderr(std::fs::File::create(&log).unwrap()));
    let reader = line(&["key", "create", "--name", "reader", "--role", "read", "--database", &database]);
    let denied = Client::new(&server.address, &reader).must("POST /locations", json!({"code": "LON", "name": "x", "kind": "store", "country": "GB"}));
    assert_eq!(denied.0, 403);
    let wrong = format!("{}{}", &reader[..16], "A".repeat(reader.len() - 16));
    assert_eq!(Client::new(&server.address, &wrong).must("GET /items?q=secret-question", Value::Null).0, 401);
    let form = "login=owner%40holdfast.example&password=correct-horse-typed-wrong";
    let head = format!("POST /sign-in HTTP/1.1\r\nHost: {0}\r\nOrigin: http://{0}\r\nConnection: close\r\n", server.address);
    let body = format!("Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {}\r\n\r\n{form}", form.len());
    let mut stream = TcpStream::connect(&server.address).unwrap();
    stream.write_all(format!("{head}{body}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");

    let told = std::fs::read_to_string(&log).unwrap();
    for line in [
        "turned away status=403 actor=\"key:reader\" address=127.0.0.1 method=POST path=\"/api/v1/locations\"",
        "turned away status=401 actor=\"nobody known\" address=127.0.0.1 method=GET path=\"/api/v1/items\"",
        "turned away status=401 actor=\"nobody known\" address=127.0.0.1 method=POST path=\"/sign-in\"",
        "wrong password person=\"nobody known\" address=127.0.0.1",
    ] {
        assert!(plain(&told).contains(line), "“{line}” is not in {told}");
    }
    for secret in ["secret-question", "correct-horse", "owner@", "owner%40", &reader[16..], &"A".repeat(20)] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
}

/// Without the marks that color it.
fn plain(text: &str) -> String {
    text.split('\u{1b}').enumerate().map(|(n, part)| if n == 0 { part } else { part.split_once('m').map_or("", |(_, rest)| rest) }).collect()
}
