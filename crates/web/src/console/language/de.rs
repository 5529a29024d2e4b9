//! German.

/// English text, German text.
pub const TEXTS: &[(&str, &str)] = &[("Today", "Heute")];
