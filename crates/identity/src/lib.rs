//! Knows who somebody is: passwords, one-time codes, recovery codes, passkeys, and sign-in at a company's own provider.
//!
//! Here is the cryptography of it, made of plain values: no SQL, no HTTP server, no sockets, no clock, nothing of the stock. Who may try
//! how often, what a session is, and what somebody may do is decided elsewhere.

mod fault;
pub mod oidc;
pub mod passkey;
pub mod password;
pub mod recovery;
pub mod totp;

pub use fault::Fault;
