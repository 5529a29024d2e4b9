//! A fault in a sentence, for logs, pages and exceptions. Not here: what to do about it, which whoever shows it knows better.

use super::Fault;
use std::fmt;

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Throttled { retry_after_ms: Some(ms) } => write!(f, "too many calls; it asks to wait {} s", ms.div_ceil(1_000)),
            Fault::Throttled { retry_after_ms: None } => f.write_str("too many calls"),
            Fault::Unauthorized { detail } => write!(f, "the credentials are not accepted: {detail}"),
            Fault::Unavailable { detail } => write!(f, "it cannot be reached: {detail}"),
            Fault::Lost { detail } => write!(f, "no answer came, and whether it was done is not known: {detail}"),
            Fault::Refused { status: 0, detail, .. } => f.write_str(detail),
            Fault::Refused { code, detail, .. } if code.is_empty() || detail.contains(code.as_str()) => write!(f, "it refuses: {detail}"),
            Fault::Refused { code, detail, .. } => write!(f, "it refuses: {detail} ({code})"),
            Fault::NotUnderstood { detail } => write!(f, "its answer makes no sense: {detail}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn faults_read_well() {
        let refused = |status, code: &str| Fault::Refused { status, code: code.into(), detail: "status 404".into() };
        for (fault, text) in [
            (Fault::Throttled { retry_after_ms: Some(1_200) }, "too many calls; it asks to wait 2 s"),
            (Fault::Unauthorized { detail: "status 401".into() }, "the credentials are not accepted: status 401"),
            (refused(404, "404"), "it refuses: status 404"),
            (refused(404, "NOT_FOUND"), "it refuses: status 404 (NOT_FOUND)"),
            (refused(0, "address"), "status 404"),
        ] {
            assert_eq!(fault.to_string(), text);
        }
    }
}
