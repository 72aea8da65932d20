//! Every error code, provoked through the real library in the real framework, and the status
//! document held against its schema.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

mod again;
mod cable;
mod checker;
mod clock;
mod codes;
mod defects;
mod identity;
mod instances;
mod local;
mod network;
mod packages;
mod permissions;
mod persistence;
mod platform;
mod provisioned;
mod readme;
mod rest;
mod schema;
mod silence;
mod storage;
mod told;

use std::time::Duration;

use e2e::site::error_code;
use e2e::Site;
use serde_json::Value;

/// Waits for `code`, in whatever state, and holds everything that was seen against the schema.
fn sees(site: &mut Site, code: &str) -> Value {
    let status = site
        .wait(code, Duration::from_secs(40), |status| {
            error_code(status) == code
        })
        .unwrap();
    assert_ne!(status["error"]["message"], "");
    assert_ne!(status["error"]["remedy"], "");
    schema::hold(&site.documents);
    status
}

/// Waits for the success, and holds everything that was seen against the schema.
fn succeeds(site: &mut Site) {
    site.wait_provisioned().unwrap();
    schema::hold(&site.documents);
}
