//! A hostile world: a broker, a platform and a package server that do what no honest one would.
//! The gateway says the right code in time, stays small, stops at once, and is as before.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod broker;
mod configuration;
mod deactivate;
mod deadline;
mod gateway;
mod member;
mod package_server;
mod platform;
