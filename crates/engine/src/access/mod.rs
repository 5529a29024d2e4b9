//! Access: who makes a change, whether it is within what they may reach, and the record of it.
//!
//! Here: [`By`], limits to locations and channels ([`scope`]), the audit log ([`audit`]). Not here: people, roles and sessions
//! (`people/`), keys (`keys.rs`), which route needs which permission (`web`).

pub mod audit;
pub mod reach;
pub mod scope;

use domain::{Grant, Noun, Refused};
use std::sync::Arc;

/// Who makes a change.
#[derive(Debug, Clone)]
pub struct By {
    /// As it stands in entries and events: `person:ada@example.com`, `key:shop`, `system`, `channel:shopify`.
    pub actor: Arc<str>,
    /// None for the program itself, which may do everything and whose work is not audited.
    pub visitor: Option<Arc<Visitor>>,
    /// What the visitor saw before deciding, by its [`audit::etag`]: another state now is refused.
    pub expect: Option<String>,
}

/// Somebody from outside.
#[derive(Debug, Clone)]
pub struct Visitor {
    pub grant: Arc<Grant>,
    /// The session or the key: `session 4f…`, `key 9a…`.
    pub means: Arc<str>,
    /// The network address.
    pub address: Arc<str>,
    pub is_person: bool,
}

impl By {
    /// Somebody from outside, with what they may do.
    pub fn visitor(actor: Arc<str>, visitor: Arc<Visitor>) -> By {
        By { actor, visitor: Some(visitor), expect: None }
    }

    /// Refused unless what is to be changed still is as it was seen.
    pub fn expecting(self, etag: Option<String>) -> By {
        By { expect: etag, ..self }
    }

    /// Refuses the change of what is not as it was seen. `etag` is of what it is now.
    pub(crate) fn check_seen(&self, etag: &str, noun: Noun, name: &str) -> Result<(), Refused> {
        match &self.expect {
            Some(seen) if seen != etag => Err(Refused::Changed { noun, name: name.into() }),
            _ => Ok(()),
        }
    }
}

/// The program itself.
impl From<Arc<str>> for By {
    fn from(actor: Arc<str>) -> By {
        By { actor, visitor: None, expect: None }
    }
}

/// The program itself.
impl From<&str> for By {
    fn from(actor: &str) -> By {
        By::from(Arc::<str>::from(actor))
    }
}
