//! The OpenAPI document is taken at its word: schemathesis makes up requests from it, right ones and wrong ones, sends them to the real
//! program and holds every answer against the document. `./test` fetches it.

use super::binary::{Client, Server, admin_key, verify};
use serde_json::json;
use sim::postgres::TempFolder;
use std::path::Path;
use std::process::Command;

/// Seconds that it may take; what is left undone then is done with another seed another time.
const SECONDS: &str = "90";

#[test]
fn every_answer_is_as_documented() {
    let tool = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/tools/schemathesis").canonicalize();
    let tool = tool.unwrap_or_else(|e| panic!("{e}; get it with: python3 -m pip install --target target/tools/schemathesis schemathesis==4.32.5"));
    let folder = TempFolder::new("documented").unwrap();
    let database = format!("sqlite:{}", folder.path().join("holdfast.db").display());
    let mut server = Server::start(&database);
    let key = admin_key(&database);
    let mut client = Client::new(&server.address, &key);
    client.ok("POST /locations", json!({"code": "LON", "name": "London", "kind": "warehouse", "country": "GB"}));
    client.ok("POST /items", json!({"sku": "A", "name": "A"}));
    client.ok("POST /stock/receive", json!({"location": "LON", "lines": [{"sku": "A", "quantity": 100}]}));
    client.ok("POST /orders", json!({"channel": "web", "reference": "1", "ship_to": {"country": "GB"}, "lines": [{"sku": "A", "quantity": 2}]}));
    let base = format!("http://{}", server.address);
    let ran = Command::new("python3")
        .env("PYTHONPATH", &tool)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .current_dir(folder.path())
        .arg(tool.join("bin/schemathesis"))
        .args(["run", &format!("{base}/openapi.json"), "--url", &format!("{base}/api/v1"), "--header", &format!("Authorization: Bearer {key}")])
        // A stream never ends.
        .args(["--exclude-path", "/events/stream"])
        .args(["--phases", "examples,coverage,fuzzing", "--max-examples", "10", "--max-time", SECONDS, "--seed", "1", "--request-timeout", "20"])
        .args([
            "--checks",
            "not_a_server_error,status_code_conformance,content_type_conformance,response_headers_conformance,response_schema_conformance",
        ])
        .args(["--generation-database", "none", "--continue-on-failure", "--warnings", "off", "--no-color"])
        .output()
        .unwrap_or_else(|e| panic!("python3: {e}"));
    let told = format!("{}{}", String::from_utf8_lossy(&ran.stdout), String::from_utf8_lossy(&ran.stderr));
    assert!(ran.status.success(), "{told}");
    let generated = told.split(" generated").next().and_then(|before| before.rsplit(' ').next()?.parse::<u32>().ok());
    assert!(generated.is_some_and(|n| n > 500), "too few requests: {told}");
    // Whatever was tried, the books balance.
    server.process.kill().unwrap();
    verify(&database);
}
