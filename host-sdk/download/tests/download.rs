//! Whole downloads against scripted servers, all on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "../../mqtt/tests/session/certificates.rs"]
#[allow(dead_code)] // revocation lists and versions of TLS are that crate's
mod certificates;

#[path = "../../check/src/stopwatch.rs"]
mod stopwatch;

#[path = "download/server.rs"]
mod server;

#[path = "download/bounds.rs"]
mod bounds;
#[path = "download/cancel.rs"]
mod cancel;
#[path = "download/exchange.rs"]
mod exchange;
#[path = "download/redirect.rs"]
mod redirect;
#[path = "download/resume.rs"]
mod resume;
#[path = "download/secure.rs"]
mod secure;
