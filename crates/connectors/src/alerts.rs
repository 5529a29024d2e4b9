//! How alerts leave: a webhook posted to whoever asked for it, a mail handed to a mail server. What they say, and when they
//! are tried again, is the engine's.

pub mod addresses;
pub mod mail;
pub mod transport;

/// Most bytes that are kept of an answer.
pub const KEPT: usize = 1_024;

/// What came of one try. Never holds a secret of ours.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Told {
    /// The HTTP status or the SMTP reply's code; None if there was no answer.
    pub status: Option<u16>,
    /// How the answer begins, at most [`KEPT`] bytes.
    pub answer: String,
    /// How long the receiver asks to be left alone, milliseconds.
    pub retry_after_ms: Option<u64>,
    /// Why there was no answer.
    pub fault: Option<String>,
}

impl Told {
    pub fn fault(why: impl Into<String>) -> Told {
        Told { fault: Some(clean(&why.into())), ..Told::default() }
    }

    /// Whether it has arrived: both protocols say so with a code of the 200s.
    pub fn arrived(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}

/// The beginning of what somebody else wrote, without control characters.
pub fn clean(text: &str) -> String {
    let mut kept = String::new();
    for c in text.chars().map(|c| if c.is_control() && c != '\n' { ' ' } else { c }) {
        if kept.len() + c.len_utf8() > KEPT {
            break;
        }
        kept.push(c);
    }
    kept
}
