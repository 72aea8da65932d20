//! Whole sessions against scripted peers and a real broker, all on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

#[path = "../../check/src/stopwatch.rs"]
mod stopwatch;
#[path = "session/support.rs"]
mod support;

#[path = "session/certificates.rs"]
mod certificates;

#[path = "session/broker.rs"]
mod broker;
#[path = "session/cancel.rs"]
mod cancel;
#[path = "session/exchange.rs"]
mod exchange;
#[path = "session/hostile.rs"]
mod hostile;
#[path = "session/memory.rs"]
mod memory;
#[path = "session/network.rs"]
mod network;
#[path = "session/staple.rs"]
mod staple;
#[path = "session/storm.rs"]
mod storm;
#[path = "session/tls.rs"]
mod tls;
#[path = "session/web_socket.rs"]
mod web_socket;
