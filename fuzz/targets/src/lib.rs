//! Every reader of foreign bytes, as a function that a fuzzer can call.
//!
//! A target takes any bytes, hands them to one reader, and asserts what must hold whatever they
//! are: what is read is within the bounds, what is written is read again as it was, nothing forged
//! is accepted. A panic is a finding. The same functions run in three places: under libFuzzer with
//! AddressSanitizer (`fuzz/libfuzzer`), over the committed corpus as an ordinary test
//! (`tests/corpus.rs`), and over a single file by whoever looks into a finding.
//!
//! It opens no socket, and files in temporary folders only. How to run it: `fuzz/README.md`.
// A target that fails must fail loudly.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod broker_url;
mod certificates;
mod configurations;
#[doc(hidden)]
pub mod fixtures;
mod gzip;
mod journal;
mod metatype;
mod mqtt;
mod package;
mod payload;
#[allow(unsafe_code)]
mod properties;
mod record;
mod request;
mod response;
mod revocation;
mod signed;
mod snapshot;
mod topic;
mod web_socket;

use std::path::PathBuf;

/// A file of the corpus: its name, and its bytes.
pub type Seed = (&'static str, Vec<u8>);

/// One reader of foreign bytes.
#[derive(Clone, Copy)]
pub struct Target {
    /// As in `make fuzz TARGET=name`, and the name of the folder of its corpus.
    pub name: &'static str,
    /// The longest input that is worth trying, in bytes.
    pub max_len: usize,
    /// Feeds the bytes; panics if something does not hold.
    pub run: fn(&[u8]),
    /// Inputs to begin with, made by our own encoders.
    pub seeds: fn() -> Vec<Seed>,
}

macro_rules! targets {
    ($($module:ident $name:literal $max_len:literal),* $(,)?) => {
        /// All of them.
        pub const TARGETS: &[Target] = &[$(Target {
            name: $name,
            max_len: $max_len,
            run: $module::run,
            seeds: $module::seeds,
        }),*];
    };
}

targets! {
    payload "payload" 4096,
    gzip "gzip" 4096,
    topic "topic" 1024,
    request "request" 4096,
    configurations "configurations" 8192,
    snapshot "snapshot" 8192,
    metatype "metatype" 8192,
    journal "journal" 8192,
    record "record" 4096,
    certificates "certificates" 8192,
    signed "signed" 4096,
    mqtt "mqtt" 2048,
    web_socket "web-socket" 2048,
    broker_url "broker-url" 512,
    properties "properties" 2048,
    package "package" 8192,
    response "response" 4096,
    revocation "revocation" 4096,
}

/// The target of that name.
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// The folder with the corpora, in the sources.
pub fn corpus() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../corpus")
}
