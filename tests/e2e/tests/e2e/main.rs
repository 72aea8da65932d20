//! The whole system: a real broker, the real library in the real framework, real files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod broker;
mod control;
mod deactivate;
mod hostile;
mod keys;
mod packages;
mod platform;
mod revocation;
mod secrets;
mod success;
