//! A disk that runs full: refused clearly, nothing lost, and it recovers. The server alone sees a tiny disk, in a mount
//! namespace of its own.

use super::binary::{Client, HOLDFAST, Server};
use serde_json::{Value, json};
use sim::postgres::TempFolder;
use std::process::Command;

#[test]
fn a_full_disk_is_refused_loses_nothing_and_recovers() {
    let folder = TempFolder::new("disk").unwrap();
    let disk = folder.path().display().to_string();
    let script = "mount -t tmpfs -o size=12m tmpfs \"$1\" && head -c 8000000 /dev/zero > \"$1/ballast\" && exec \"$2\" serve --listen 127.0.0.1:0 --database \"sqlite:$1/holdfast.db\"";
    // Mapping to root of a namespace lets a user without rights do this too.
    let server = Server::spawn(Command::new("unshare").args(["--mount", "--map-root-user", "sh", "-c", script, "sh", &disk, HOLDFAST]));
    let seen = format!("/proc/{}/root{disk}", server.process.id());
    let database = format!("sqlite:{disk}/holdfast.db");
    // SQLite resolves links, so what looks at the database must stand in the same namespace.
    let inside = |args: &[&str]| {
        let id = server.process.id().to_string();
        let output = Command::new("nsenter")
            .args(["--target", &id, "--user", "--mount", HOLDFAST])
            .args(args)
            .args(["--database", &database])
            .output()
            .unwrap();
        assert!(output.status.success(), "{args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    };
    let key = inside(&["key", "create", "--name", "test", "--role", "admin"]);
    let mut client = Client::new(&server.address, &key);
    client.ok("POST /locations", json!({"code": "LON", "name": "London", "kind": "warehouse", "country": "GB"}));
    client.ok("POST /items", json!({"sku": "A", "name": "A"}));
    client.ok("POST /stock/receive", json!({"location": "LON", "lines": [{"sku": "A", "quantity": 1_000_000}]}));
    let body = json!({"lines": [{"sku": "A", "quantity": 1}], "expires_in_seconds": 3600});
    let mut held = 0;
    let refusal = loop {
        let (status, answer) = client.must("POST /reservations", body.clone());
        if status != 201 {
            break (status, answer);
        }
        held += 1;
        assert!(held < 200_000, "the disk never ran full");
    };
    assert_eq!((refusal.0, refusal.1["code"].as_str()), (507, Some("storage_full")), "{}", refusal.1);
    let (_, stock) = client.must("GET /stock/A", Value::Null);
    assert_eq!(stock["reserved"], held, "reading goes on, and nothing was half done");

    std::fs::remove_file(format!("{seen}/ballast")).unwrap();
    for _ in 0..100 {
        let (status, answer) = client.must("POST /reservations", body.clone());
        assert_eq!(status, 201, "{answer}");
        held += 1;
    }
    let (_, stock) = client.must("GET /stock/A", Value::Null);
    assert_eq!((&stock["reserved"], &stock["available"]), (&json!(held), &json!(1_000_000 - held)));
    let told = inside(&["verify"]);
    assert!(told.ends_with(" 0 discrepancies"), "{told}");
}
