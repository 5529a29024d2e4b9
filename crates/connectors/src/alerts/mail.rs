//! A mail as mail servers take it: headers that a hostile text cannot break, an id that stays the same, plain text.

use lettre::Message;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, MessageBuilder};
use std::time::{Duration, SystemTime};

/// A mail to be sent.
#[derive(Debug, Clone)]
pub struct Mail {
    pub to: Vec<String>,
    pub subject: String,
    pub text: String,
    /// Letters and digits by which it is known when it comes twice.
    pub id: String,
    /// Microseconds since 1970 UTC.
    pub at: i64,
}

/// Longest address (RFC 5321, section 4.5.3.1.3, less the brackets).
const MAX_ADDRESS: usize = 254;

/// Refuses what is no mail address, in words that go on after the field's name.
pub fn check(address: &str) -> Result<(), String> {
    if address.len() > MAX_ADDRESS || address.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("must be a mail address of at most {MAX_ADDRESS} bytes, without blanks"));
    }
    address.parse::<lettre::Address>().map(drop).map_err(|_| "must be a mail address, such as ops@example.com".into())
}

/// The words of a mail, in one line each: a text from elsewhere must not look like a header or a line of ours.
pub fn one_line(text: &str) -> String {
    let breaks = |c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    text.split(|c: char| breaks(c) || c == ' ').filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ")
}

/// Puts a mail together. It says that a program wrote it, so that no program answers (RFC 3834).
pub(super) fn build(from: &Mailbox, mail: &Mail) -> Result<Message, String> {
    let at = SystemTime::UNIX_EPOCH + Duration::from_micros(u64::try_from(mail.at).unwrap_or(0));
    let auto = HeaderValue::new(HeaderName::new_from_ascii_str("Auto-Submitted"), "auto-generated".into());
    let mut builder: MessageBuilder = Message::builder()
        .from(from.clone())
        .subject(one_line(&mail.subject))
        .date(at)
        .message_id(Some(format!("<{}@{}>", mail.id, from.email.domain())))
        .raw_header(auto);
    for address in &mail.to {
        builder = builder.to(Mailbox::new(None, address.parse().map_err(|_| format!("{address} is no mail address"))?));
    }
    builder.header(ContentType::TEXT_PLAIN).body(mail.text.clone()).map_err(|e| e.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_text_stays_where_it_is_put() {
        let subject = "Lamp\r\nBcc: thief@example.com\r\n\r\nPay here \u{202e}now";
        let mail = Mail { to: vec!["ops@example.com".into()], subject: subject.into(), text: "x\n.\ny".into(), id: "m1".into(), at: 1 };
        let built = build(&"Holdfast <alerts@example.com>".parse().unwrap(), &mail).unwrap();
        let text = String::from_utf8(built.formatted()).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("Subject: Lamp Bcc: thief@example.com Pay here now"), "{head}");
        assert!(head.lines().all(|line| !line.starts_with("Bcc")) && head.contains("Message-ID: <m1@example.com>"), "{head}");
        assert_eq!(body, "x\r\n.\r\ny");
        assert_eq!(built.envelope().to().len(), 1);
    }

    #[test]
    fn addresses_are_checked() {
        for good in ["ops@example.com", "o'brien+alerts@mail.example.co.uk", "ops@[192.0.2.1]"] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let long = format!("{}@example.com", "a".repeat(250));
        for bad in ["", "ops", "ops@", "@example.com", "a@b@c", "Ops <ops@example.com>", "ops@example.com\r\nRCPT TO:<x@y>", "a b@c.de", &long] {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
