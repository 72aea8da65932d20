//! The whole system: a real broker, the real library in the real framework, real files.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod account;
mod broker;
mod client_certificate;
mod client_ids;
mod control;
mod crash_loop;
mod deactivate;
mod files;
mod freed;
mod keys;
mod memory;
mod operator;
mod packages;
mod platform;
mod restart;
mod revocation;
mod secrets;
mod signers;
mod success;
mod way_back;
