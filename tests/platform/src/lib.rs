//! The cloud side of a provisioning, for demonstrations, tests and rehearsals.
//!
//! Everything about it is real: a mosquitto with TLS, passwords and per-client rules, an SQLite
//! database with provision requests and their jobs, certificates, signed requests. It refuses what
//! a real platform refuses, and does wrong what a [`behaviour::Script`] says. Its wire profile is
//! this project's own (`PROV-V1`, profile 1), not that of any vendor's cloud.
//!
//! | module | what |
//! |---|---|
//! | [`harness`] | a platform for one test |
//! | [`platform`] | a running platform |
//! | `engine` | its thread: triggers, steps, replies, admission |
//! | `flow` | the wire flow, without sockets and database |
//! | [`control`] | signed requests to gateways after their provisioning |
//! | [`behaviour`] | what goes wrong on purpose |
//! | [`store`] | the database |
//! | [`broker`], [`link`] | the mosquitto process, and the platform's session there |
//! | [`packages`] | the server that packages are fetched from |
//! | [`pki`] | certificates, good and bad |
//!
//! Nothing of the gateway is in here. The binary `provision-platform` is the command line of it.

pub mod behaviour;
pub mod broker;
mod changes;
pub mod clock;
pub mod configuration;
pub mod control;
mod engine;
mod flow;
pub mod harness;
pub mod link;
pub mod packages;
pub mod pki;
pub mod platform;
mod ports;
pub mod secret;
mod settings;
pub mod store;

pub use engine::EngineError;
pub use flow::message::MessageError;

/// Lower hexadecimal without separators.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing into a String does not fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
