//! Whole sessions against scripted peers and a real broker, all on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

#[path = "session/support.rs"]
mod support;

#[path = "session/broker.rs"]
mod broker;
