//! A PostgreSQL that takes encrypted connections only. The certificates beside this file were made for it, valid for a hundred years, for 127.0.0.1.

use super::binary::HOLDFAST;
use engine::Url;
use sim::postgres::TempPostgres;
use std::path::PathBuf;
use std::process::{Command, Output};

fn certificate(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "tests/program/certificates", name].iter().collect()
}

/// Creates a key with the program, which trusts who is named in this file.
fn create_key(database: &str, trusted: Option<&str>) -> Output {
    let mut command = Command::new(HOLDFAST);
    command.args(["key", "create", "--name", "test", "--role", "admin", "--database", database]);
    command.env_remove("SSL_CERT_FILE").env_remove("SSL_CERT_DIR").env_remove("HOLDFAST_DATABASE_CA");
    if let Some(trusted) = trusted {
        command.env("HOLDFAST_DATABASE_CA", certificate(trusted));
    }
    command.output().unwrap()
}

#[test]
fn a_database_is_reached_encrypted_or_not_at_all() {
    let server = TempPostgres::start().unwrap();
    let plain = server.database().unwrap();
    // Whoever asks for encryption gets none of the plain way.
    let required = format!("{plain}?sslmode=require");
    let told = |output: &Output| String::from_utf8_lossy(&output.stderr).into_owned();
    let output = create_key(&required, Some("authority.pem"));
    assert!(!output.status.success() && told(&output).contains("TLS"), "{}", told(&output));
    assert!(create_key(&plain, None).status.success());

    server.encrypt(&certificate("server.pem"), &certificate("server.key")).unwrap();
    let output = create_key(&plain, Some("authority.pem"));
    assert!(!output.status.success(), "the server takes encrypted connections only");
    // Nobody vouches for this server.
    let output = create_key(&required, None);
    assert!(!output.status.success() && told(&output).to_lowercase().contains("certificate"), "{}", told(&output));
    for (file, why) in [("none.pem", "none.pem"), ("server.key", "no certificate in it")] {
        let output = create_key(&required, Some(file));
        assert!(!output.status.success() && told(&output).contains("HOLDFAST_DATABASE_CA") && told(&output).contains(why), "{}", told(&output));
    }
    let output = create_key(&required, Some("authority.pem"));
    assert!(output.status.success(), "{}", told(&output));
    // It stands for 127.0.0.1 and for no other name of the same machine.
    let output = create_key(&required.replace("127.0.0.1", "localhost"), Some("authority.pem"));
    assert!(!output.status.success() && told(&output).contains("not valid for name"), "{}", told(&output));
}

#[test]
fn what_crosses_a_network_unencrypted_is_known() {
    for (url, clear) in [
        ("postgres://db.example/holdfast", true),
        ("postgres://holdfast:secret@10.0.0.7:5433/holdfast?sslmode=prefer", true),
        ("postgres://10.0.0.7,127.0.0.1/holdfast", true),
        ("postgres://localhost/holdfast?hostaddr=10.0.0.7", true),
        ("postgres://db.example/holdfast?sslmode=require", false),
        ("postgres://localhost/holdfast", false),
        ("postgres://127.0.0.1:5433/holdfast", false),
        ("postgres:///holdfast?host=/var/run/postgresql", false),
        ("sqlite:holdfast.db", false),
    ] {
        assert_eq!(Url::parse(url).unwrap().is_in_the_clear(), clear, "{url}");
    }
}
