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
mod keys;
mod platform;
mod secrets;
mod success;
mod way_back;
