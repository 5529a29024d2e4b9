//! What a mail says: what happened, what to do, where to look. Everything that came from a marketplace stands in one line of its own,
//! so that it cannot pass for anything else.

use super::rows::Endpoint;
use super::{OPENED, SOLVED};
use connectors::alerts::mail::one_line;
use serde_json::Value;

/// Exceptions told at length in one mail; the others are counted.
const TOLD: usize = 40;
/// Longest title in a subject, and longest detail, in characters.
const MAX_TITLE: usize = 120;
const MAX_DETAIL: usize = 1_000;
/// The gravest first.
const SEVERITIES: [&str; 3] = ["critical", "warning", "info"];

/// The subject and the text of one mail that holds these messages, as they were written, the oldest first; the gravest is told
/// first and names the mail.
pub fn compose(endpoint: &Endpoint, bodies: &[String], public_url: Option<&str>) -> (String, String) {
    let messages: Vec<Value> = bodies.iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
    let of = |kind: &str| -> Vec<&Value> { messages.iter().filter(|m| m["type"] == kind).collect() };
    let (mut opened, solved) = (of(OPENED), of(SOLVED));
    opened.sort_by_key(|m| SEVERITIES.iter().position(|word| m["data"]["severity"] == *word));
    let subject = match (opened.as_slice(), solved.as_slice()) {
        ([first, rest @ ..], _) => subject(&field(first, "severity", MAX_TITLE), first, rest.len()),
        ([], [first, rest @ ..]) => subject("solved", first, rest.len()),
        ([], []) => format!("[Holdfast] test: {}", endpoint.name),
    };
    let mut text = String::new();
    for message in opened.iter().take(TOLD) {
        text.push_str(&told(message, public_url));
    }
    if opened.len() > TOLD {
        text.push_str(&format!("And {} more, on the exceptions desk.\n\n", opened.len() - TOLD));
    }
    if !solved.is_empty() {
        text.push_str("Solved:\n");
        for message in solved.iter().take(TOLD) {
            text.push_str(&format!("- {}\n", field(message, "title", MAX_TITLE)));
        }
        if solved.len() > TOLD {
            text.push_str(&format!("- and {} more\n", solved.len() - TOLD));
        }
        text.push('\n');
    }
    if opened.is_empty() && solved.is_empty() {
        text.push_str("This is a test. Nothing has happened; alerts reach you.\n\n");
    }
    text.push_str(&format!("-- \nYou are told as “{}”, of exceptions from {} on.\n", one_line(&endpoint.name), endpoint.severity.word()));
    if let Some(url) = public_url {
        text.push_str(&format!("{url}/webhooks/{}\n", endpoint.id));
    }
    (subject, text)
}

fn subject(word: &str, first: &Value, more: usize) -> String {
    let title = field(first, "title", MAX_TITLE);
    if more == 0 { format!("[Holdfast] {word}: {title}") } else { format!("[Holdfast] {word}: {title} (and {more} more)") }
}

/// A field of the exception in one line.
fn field(message: &Value, name: &str, most: usize) -> String {
    let text = one_line(message["data"][name].as_str().unwrap_or(""));
    if text.chars().count() > most { text.chars().take(most).chain(['…']).collect() } else { text }
}

/// One exception.
fn told(message: &Value, public_url: Option<&str>) -> String {
    let field = |name: &str| field(message, name, MAX_DETAIL);
    let kind = field("kind");
    let mut text = format!("{}\n{}\n\n", field("title"), field("detail"));
    text.push_str(&format!("Severity: {}\nKind: {}\n", field("severity"), kind.replace('_', " ")));
    if message["data"]["channel"].is_string() {
        text.push_str(&format!("Channel: {}\n", field("channel")));
    }
    text.push_str(&format!("About: {}\nOpened: {}\nTo be solved by: {}\n", field("about"), field("created_at"), field("due_at")));
    text.push_str(&format!("What to do: {}\n", remedy(&kind)));
    if let (Some(url), Some(id)) = (public_url, message["data"]["id"].as_str()) {
        text.push_str(&format!("{url}/exceptions/{id}\n"));
    }
    text.push('\n');
    text
}

/// What to do about a kind of exception.
fn remedy(kind: &str) -> &'static str {
    match kind {
        "unmapped" => "say which item the listing is, then retry the order.",
        "unfillable" => "find stock and retry, let it wait for stock (backorder), or cancel it on the marketplace.",
        "oversold_elsewhere" => "look whether somebody raised the quantity on the marketplace; fill or cancel the orders that are too many.",
        "push_refused" => "look at the listing on the marketplace; mend it there, then try the listing again.",
        "authorization_expired" => "enter new credentials for the channel; until then nothing is sent and no orders come.",
        "not_understood" => "look at the order on the marketplace; retry it, or deal with it there and dismiss it here.",
        "not_told" => "tell the marketplace by hand, then dismiss it here.",
        "third_party_silence" => "ask the warehouse whether it works.",
        "stuck_queue" => "look at the channel: it does not take quantities.",
        _ => "look at it on the exceptions desk.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::rows::Way;
    use crate::exceptions::Severity;

    fn message(kind: &str, severity: &str, title: &str) -> String {
        serde_json::json!({ "type": kind, "data": { "id": "7", "severity": severity, "kind": "unfillable", "title": title, "detail": "Not enough.\nBcc: x",
            "channel": "shop", "about": "order:shop:1", "created_at": "2026-03-02T09:00:00Z", "due_at": "2026-03-02T10:00:00Z" } })
        .to_string()
    }

    fn mail(bodies: &[String]) -> (String, String) {
        let endpoint = Endpoint {
            id: 3,
            name: "Ops".into(),
            way: Way::Mail(Vec::new()),
            severity: Severity::Warning,
            kinds: Vec::new(),
            channels: Vec::new(),
            solved: true,
            exceptions: true,
            events: Vec::new(),
            active: true,
            reason: None,
            secrets: Vec::new(),
            created_at: 0,
        };
        compose(&endpoint, bodies, Some("https://stock.example.com"))
    }

    #[test]
    fn one_exception_is_told_with_what_to_do() {
        let (subject, text) = mail(&[message(OPENED, "critical", "Order #1\r\nBcc: thief@example.com cannot be taken on")]);
        assert_eq!(subject, "[Holdfast] critical: Order #1 Bcc: thief@example.com cannot be taken on");
        for line in ["Not enough. Bcc: x", "Kind: unfillable", "To be solved by: 2026-03-02T10:00:00Z", "https://stock.example.com/exceptions/7"] {
            assert!(text.lines().any(|l| l == line), "{line} is not in\n{text}");
        }
        assert!(text.contains("What to do: find stock") && text.contains("https://stock.example.com/webhooks/3"), "{text}");
    }

    #[test]
    fn many_are_one_mail_and_the_gravest_names_it() {
        let mut bodies: Vec<String> = (0..60).map(|n| message(OPENED, "warning", &format!("Order {n}"))).collect();
        bodies.push(message(OPENED, "critical", "The last"));
        bodies.push(message(SOLVED, "warning", "Order 0"));
        let (subject, text) = mail(&bodies);
        assert_eq!(subject, "[Holdfast] critical: The last (and 60 more)");
        assert!(text.contains("And 21 more, on the exceptions desk.") && text.contains("Solved:\n- Order 0\n"), "{text}");
        assert_eq!(mail(&[message(SOLVED, "critical", "Order 1")]).0, "[Holdfast] solved: Order 1");
        assert_eq!(mail(&["{}".into(), "nonsense".into()]).0, "[Holdfast] test: Ops");
        let long = mail(&[message(OPENED, "info", &"x".repeat(500))]).0;
        assert_eq!(long.chars().count(), "[Holdfast] info: …".chars().count() + MAX_TITLE);
    }
}
