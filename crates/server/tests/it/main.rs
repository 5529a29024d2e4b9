//! Drives the public surface: the engine and the API on SQLite and on a real PostgreSQL, the binary, the page in a browser.

mod engine;
mod support;
