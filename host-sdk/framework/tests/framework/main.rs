//! The framework against real libraries, real files and a real broker.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout,
    missing_docs
)]

mod broker;
mod cloud;
mod components;
mod control;
mod deploy;
mod host;
mod loader;
mod packages;
mod packages_cut_off;
mod packages_hostile;
mod plugins;
#[path = "../../../check/src/stopwatch.rs"]
mod stopwatch;
mod support;
