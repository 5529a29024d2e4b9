//! Rules of the house that a compiler does not know. Each failure names its cure.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// Every file of the project that git knows or would add, with these endings.
fn files(endings: &[&str]) -> Vec<(String, String)> {
    let listed = Command::new("git")
        .args(["ls-files", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .expect("git, to list the files");
    let names = String::from_utf8(listed.stdout).unwrap();
    let mut found = Vec::new();
    for name in names.lines().filter(|n| endings.iter().any(|e| n.ends_with(e))) {
        if let Ok(text) = std::fs::read_to_string(root().join(name)) {
            found.push((name.to_owned(), text));
        }
    }
    assert!(!found.is_empty(), "no files end with {endings:?}");
    found
}

fn none(faults: Vec<String>, cure: &str) {
    assert!(faults.is_empty(), "\n{}\nCure: {cure}\n", faults.join("\n"));
}

/// The part of a file before its unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]").next().unwrap_or(text)
}

/// Who may know whom. Everything else is a wrong arrow.
const ARROWS: [(&str, &[&str]); 8] = [
    ("domain", &[]),
    ("connectors", &["domain"]),
    ("identity", &[]),
    ("engine", &["domain", "connectors"]),
    ("search", &["domain", "engine"]),
    ("web", &["domain", "engine", "identity", "search"]),
    ("sim", &["domain", "engine"]),
    ("server", &["domain", "connectors", "engine", "identity", "search", "web", "sim"]),
];

#[test]
fn the_arrows_go_one_way() {
    let mut faults = Vec::new();
    for (name, text) in files(&["Cargo.toml"]) {
        let Some(crate_name) = name.strip_prefix("crates/").and_then(|n| n.strip_suffix("/Cargo.toml")) else { continue };
        let allowed = ARROWS.iter().find(|(c, _)| *c == crate_name).map(|(_, allowed)| *allowed);
        let Some(allowed) = allowed else {
            faults.push(format!("{name}: this crate is not in the list of arrows"));
            continue;
        };
        let dependencies = text.split("[dependencies]").nth(1).unwrap_or("").split("\n[").next().unwrap_or("");
        for (other, _) in ARROWS {
            let depends = dependencies.lines().any(|l| l.starts_with(&format!("{other}.")) || l.starts_with(&format!("{other} ")));
            if depends && !allowed.contains(&other) {
                faults.push(format!("{name}: {crate_name} must not know {other}"));
            }
        }
    }
    none(
        faults,
        "move the code to the crate that may know both (ARCHITECTURE.md has the map), or argue for a new arrow in docs/decisions and in ARROWS",
    );
}

#[test]
fn each_crate_keeps_to_its_room() {
    let mut faults = Vec::new();
    for (name, text) in files(&[".rs"]) {
        let code = without_tests(&text);
        let is_in = |room: &str| name.starts_with(&format!("crates/{room}/src/"));
        let mut ban = |rooms: &[&str], words: &[&str], why: &str| {
            for word in words {
                if rooms.iter().any(|r| is_in(r)) && code.lines().any(|l| !l.trim_start().starts_with("//") && l.contains(word)) {
                    faults.push(format!("{name}: “{word}” {why}"));
                }
            }
        };
        ban(
            &["domain"],
            &["std::time", "SystemTime", "std::fs", "tokio", "async fn", "fastrand", "getrandom", "serde_json", "rusqlite"],
            "does not belong into pure rules",
        );
        ban(
            &["domain", "connectors", "identity", "search", "web", "sim"],
            &["rusqlite", "tokio_postgres", "SELECT ", "INSERT INTO", "UPDATE levels"],
            "is SQL outside of the engine",
        );
        if !name.ends_with("transport.rs") {
            ban(&["connectors", "identity"], &["TcpStream", "reqwest", "tokio::net"], "opens a socket outside of transport.rs");
        }
    }
    none(faults, "keep rules in domain, SQL in engine, sockets in connectors/transport.rs and web/serve.rs");
}

/// Lines of code that a connector takes, without tests, comments and blank lines. When this was written: ShipBob 255, Amazon's
/// warehouses 210, Amazon 660, eBay 773, Shopify 926, of which 200 are the text of its queries.
const CONNECTOR_LINES: std::ops::RangeInclusive<usize> = 200..=1000;

#[test]
fn a_connector_is_a_folder_of_its_own_and_a_line_in_a_list() {
    let mut faults = Vec::new();
    let sources = files(&[".rs"]);
    let code = |text: &str| without_tests(text).lines().filter(|l| !l.trim().is_empty() && !l.trim_start().starts_with("//")).count();
    let folder = |name: &str| Some(name.strip_prefix("crates/connectors/src/")?.strip_suffix("/mod.rs")?.to_owned());
    let connectors: Vec<String> = sources.iter().filter_map(|(name, _)| folder(name)).collect();
    assert!(connectors.len() >= 4, "{connectors:?}");
    // Amazon's own warehouses are a connector in one file of Amazon's folder.
    for connector in connectors.iter().map(String::as_str).chain(["amazon/fba.rs"]) {
        let begins = format!("crates/connectors/src/{connector}");
        let own = |name: &str| name.starts_with(&begins) && (connector.contains('.') || !name.ends_with("/fba.rs"));
        let lines: usize = sources.iter().filter(|(name, _)| own(name)).map(|(_, text)| code(text)).sum();
        eprintln!("{connector}: {lines} lines of code");
        if !CONNECTOR_LINES.contains(&lines) {
            faults.push(format!("{begins}: {lines} lines of code"));
        }
    }
    for (name, text) in &sources {
        let elsewhere = !connectors.iter().any(|c| name.starts_with(&format!("crates/connectors/src/{c}/")));
        // Tests, simulated marketplaces and the demo and the benchmark that run them are about them; a public data set has words of its own.
        let about = [
            "crates/sim/",
            "crates/server/src/demo/",
            "crates/server/src/markets.rs",
            "crates/server/src/bench/",
            // What the connectors' settings say of themselves, in another language.
            "crates/web/src/console/language/de/",
            "crates/connectors/src/online_retail.rs",
        ];
        let product = name.contains("/src/") && !about.iter().any(|place| name.starts_with(place));
        for (n, line) in without_tests(text).lines().enumerate().filter(|_| elsewhere && product) {
            let lower = line.to_lowercase();
            // The lists, the modules, and examples that people read.
            let allowed = ["pub const all:", "pub mod ", "example = ", "curl "].iter().any(|place| lower.contains(place));
            if !allowed && !lower.trim_start().starts_with("//") && connectors.iter().any(|c| lower.contains(c.as_str())) {
                faults.push(format!("{name}:{}: {}", n + 1, line.trim()));
            }
        }
    }
    none(faults, "put what is particular about a marketplace or a warehouse into its connector, behind a method of the trait that says what it is");
}

#[test]
fn files_say_what_they_are() {
    let mut faults = Vec::new();
    for (name, text) in files(&[".rs"]) {
        if !text.starts_with("//!") {
            faults.push(format!("{name}: does not begin with //!"));
        }
        let lines = without_tests(&text).lines().count();
        if lines > 620 {
            faults.push(format!("{name}: {lines} lines"));
        }
    }
    none(faults, "open the file with what lives there and what does not; when it grows past comfort, find the missing idea");
}

#[test]
fn nothing_is_left_unfinished_or_may_panic() {
    let mut faults = Vec::new();
    // Spelled apart, so that this file does not find itself.
    let unfinished = [["to", "do!("], ["unimpl", "emented!("], ["d", "bg!("], ["FIX", "ME"], ["#[ig", "nore"]].map(|p| p.concat());
    for (name, text) in files(&[".rs", ".js", ".css", ".sql"]) {
        for word in unfinished.iter().filter(|w| text.contains(w.as_str())) {
            faults.push(format!("{name}: {word}"));
        }
        let product =
            ["domain", "engine", "connectors", "identity", "search", "web", "server"].iter().any(|c| name.starts_with(&format!("crates/{c}/src/")));
        if product {
            for (n, line) in without_tests(&text).lines().enumerate() {
                if line.contains(".unwrap()") || line.contains(".expect(") {
                    faults.push(format!("{name}:{}: {}", n + 1, line.trim()));
                }
            }
        }
    }
    none(faults, "finish it, or return a named refusal (domain::Refused) or a fault (engine::Stop::broken) instead of panicking");
}

#[test]
fn words_are_the_fields_own() {
    let wrong = [("colo", "ur"), ("cancel", "led"), ("catalog", "ue"), ("fulfil", "ment"), ("organis", "e"), ("behavio", "ur"), ("quaran", "tined")];
    let mut faults = Vec::new();
    for (name, text) in files(&[".rs", ".md", ".js", ".sql"]) {
        for (a, b) in wrong {
            let word = format!("{a}{b}");
            for (n, line) in text.lines().enumerate() {
                let lower = line.to_lowercase();
                let found = lower.match_indices(&word).any(|(at, _)| !lower[at + word.len()..].starts_with(|c: char| c.is_ascii_alphabetic()));
                if found {
                    faults.push(format!("{name}:{}: {word}", n + 1));
                }
            }
        }
    }
    none(faults, "American spelling, and the words of DESIGN section 2 (canceled as Shopify writes it)");
}

#[test]
fn documents_point_at_what_exists() {
    let mut faults = Vec::new();
    for (name, text) in files(&[".md"]) {
        let folder = root().join(&name).parent().unwrap().to_owned();
        for part in text.split("](").skip(1) {
            let target = part.split(')').next().unwrap_or("").split('#').next().unwrap_or("");
            if !target.is_empty() && !target.contains("://") && !folder.join(target).exists() {
                faults.push(format!("{name}: {target}"));
            }
        }
    }
    none(faults, "mend the link, or write the document");
}

/// Licenses that Apache-2.0 software may be built from and shipped with. MPL-2.0: docs/decisions/0010-mozilla-license.md.
const LICENSES: [&str; 13] = [
    "MIT",
    "Apache-2.0",
    "BSD-2-Clause",
    "BSD-3-Clause",
    "ISC",
    "Zlib",
    "Unicode-3.0",
    "Unlicense",
    "CC0-1.0",
    "0BSD",
    "BSL-1.0",
    "Apache-2.0 WITH LLVM-exception",
    "MPL-2.0",
];
/// A second TLS stack, a second SQLite, build tools that a fresh machine does not have.
const BANNED: [&str; 8] = ["openssl", "openssl-sys", "native-tls", "aws-lc-sys", "cmake", "bindgen", "sqlx", "libsqlite3-hotbundle"];

#[test]
fn dependencies_are_lean_and_free() {
    let cargo = std::env::var("CARGO").unwrap_or_else(|_| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version", "1", "--locked", "--offline", "--filter-platform", "x86_64-unknown-linux-gnu"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let mut faults = Vec::new();
    let mut names = BTreeSet::new();
    let notice = std::fs::read_to_string(root().join("NOTICE")).unwrap();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        names.insert(name);
        if BANNED.contains(&name) {
            faults.push(format!("{name} is banned"));
        }
        let license = package["license"].as_str().unwrap_or("none");
        // An expression is good if one of its alternatives is; every part of a conjunction must be.
        let good =
            license.replace('/', " OR ").replace(['(', ')'], "").split(" OR ").any(|one| one.split(" AND ").all(|l| LICENSES.contains(&l.trim())));
        if !good {
            faults.push(format!("{name}: {license}"));
        }
        if license.contains("MPL-2.0") && !license.contains(" OR ") && !license.contains('/') && !notice.lines().any(|line| line.trim() == name) {
            faults.push(format!("{name}: {license}, and NOTICE does not say where its source is"));
        }
    }
    eprintln!("{} packages", names.len());
    none(faults, "take another library, or argue for the license in docs/decisions and add it to LICENSES");
}

/// The string literals of a source as Rust reads them, each with where it begins. Comments and characters hold none.
fn literals(source: &str) -> Vec<(usize, String)> {
    let bytes = source.as_bytes();
    let (mut found, mut at) = (Vec::new(), 0);
    while at < bytes.len() {
        let rest = &source[at..];
        if rest.starts_with("//") {
            at += rest.find('\n').unwrap_or(rest.len());
        } else if let Some(raw) = rest.strip_prefix("r#\"") {
            at += 3 + raw.find("\"#").map_or(raw.len(), |end| end + 2);
        } else if rest.starts_with("'\\") || rest.starts_with("'\"'") {
            at += if rest.starts_with("'\"'") { 3 } else { 2 + rest[2..].find('\'').map_or(0, |end| end + 1) };
        } else if let Some(body) = rest.strip_prefix('"') {
            let (mut text, mut chars) = (String::new(), body.char_indices().peekable());
            let mut end = body.len();
            while let Some((n, c)) = chars.next() {
                match c {
                    '"' => {
                        end = n + 1;
                        break;
                    }
                    '\\' => match chars.next() {
                        Some((_, '\n')) => while chars.next_if(|(_, c)| c.is_whitespace()).is_some() {},
                        Some((_, 'n')) => text.push('\n'),
                        Some((_, other)) => text.push(other),
                        None => {}
                    },
                    c => text.push(c),
                }
            }
            found.push((at, text));
            at += 1 + end;
        } else {
            at += rest.chars().next().map_or(1, char::len_utf8);
        }
    }
    found
}

/// English text, German text: all that stands in the tables.
fn german() -> Vec<(String, String)> {
    files(&[".rs"])
        .into_iter()
        .filter(|(name, _)| name.starts_with("crates/web/src/console/language/de/") && !name.ends_with("/mod.rs"))
        .flat_map(|(_, text)| literals(&text).chunks_exact(2).map(|pair| (pair[0].1.clone(), pair[1].1.clone())).collect::<Vec<_>>())
        .collect()
}

#[test]
fn pages_speak_german() {
    let german = german();
    assert!(german.len() > 1_500, "{}", german.len());
    let mut faults = Vec::new();
    let mut keys: BTreeSet<&str> = BTreeSet::new();
    for (english, german) in &german {
        if !keys.insert(english) {
            faults.push(format!("“{english}” stands there twice"));
        }
        if english.matches("{}").count() != german.matches("{}").count() {
            faults.push(format!("“{english}” and “{german}” have room for different numbers of things"));
        }
    }
    // What goes through the reader's language: directly, or as the label of a field.
    let doors = [".t(", ".say(", "phrase(v, ", "help(v, ", "search_box(v, "];
    for (name, text) in files(&[".rs"]).iter().filter(|(name, _)| name.starts_with("crates/web/src/console/") && !name.contains("/language/")) {
        let code = without_tests(text);
        for (at, english) in literals(code) {
            let before = code[..at].trim_end();
            let is_label = before.ends_with(',')
                && before.rsplit_once("Field::new(").is_some_and(|(_, name)| !name.contains([')', '(']) && name.matches('"').count() == 2);
            let is_text = doors.iter().any(|door| before.ends_with(door.trim_end())) || is_label;
            if is_text && !keys.contains(english.as_str()) {
                faults.push(format!("{name}:{}: “{english}” is not there", code[..at].matches('\n').count() + 1));
            }
        }
    }
    for (kind, about) in engine::alerts::edit::tellable().filter(|(_, about)| !keys.contains(about)) {
        faults.push(format!("what {kind} tells: “{about}” is not there"));
    }
    none(faults, "mend the tables in crates/web/src/console/language/de");
}

/// A text with `{}` for whatever is put into it.
fn pattern(text: &str) -> String {
    let mut pieces = text.split('{');
    let first = pieces.next().unwrap_or("").to_owned();
    pieces.fold(first, |known, piece| known + "{}" + piece.split_once('}').map_or("", |(_, rest)| rest))
}

/// How far a parenthesis reaches that opens just before this code.
fn inside(code: &str) -> usize {
    let mut depth = 1;
    let closes = |c: char| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth == 0
    };
    code.find(closes).unwrap_or(code.len())
}

#[test]
fn the_engine_speaks_german() {
    let german = german();
    let keys: BTreeSet<&str> = german.iter().map(|(english, _)| english.as_str()).collect();
    // What people are told: texts in the parentheses of these, and what these are set to.
    let calls = ["invalid(", "trouble(", "raise(", "settle(", "close(", "solved(", "Problem::new("];
    let doors = ["title:", "title =", "detail:", "detail ="];
    let rooms = ["crates/domain/src/", "crates/engine/src/", "crates/connectors/src/", "crates/web/src/"];
    let (mut faults, mut told) = (Vec::new(), 0);
    for (name, source) in files(&[".rs"]).iter().filter(|(name, _)| rooms.iter().any(|room| name.starts_with(room)) && !name.contains("/language/")) {
        let code = without_tests(source);
        let opened = calls.iter().flat_map(|call| code.match_indices(*call).map(move |(at, _)| at + call.len()));
        let insides: Vec<std::ops::Range<usize>> = opened.map(|from| from..from + inside(&code[from..])).collect();
        let (verdicts, words) = (name.ends_with("domain/src/routing.rs"), name.ends_with("domain/src/steps.rs"));
        let refusals = if name.ends_with("domain/src/refused.rs") { code.find("impl fmt::Display").unwrap_or(0) } else { code.len() };
        for (at, text) in literals(code) {
            let english = pattern(&text);
            let before = code[..at].trim_end();
            let before = before.strip_suffix("format!(").map_or(before, str::trim_end);
            let is_told = verdicts || at > refusals || insides.iter().any(|i| i.contains(&at)) || doors.iter().any(|door| before.ends_with(*door));
            let is_text = is_told && english.contains(' ') && english.contains(char::is_alphabetic);
            if !is_text && (!words || text.is_empty()) {
                continue;
            }
            told += 1;
            // A refusal is written in pieces where it names several things.
            let piece = english.trim_matches([' ', ';']);
            let piece = piece.strip_prefix("{} ").unwrap_or(piece);
            let is_piece = at > refusals && !english.ends_with('.') && keys.iter().any(|key| key.contains(piece));
            if !keys.contains(english.as_str()) && !is_piece {
                faults.push(format!("{name}:{}: “{english}” is not there", code[..at].matches('\n').count() + 1));
            }
        }
    }
    assert!(told > 300, "{told}");
    none(faults, "add them to crates/web/src/console/language/de/engine.rs, or to faults.rs beside it");
}
