//! The REST interface and the web page, on one listener, in one thread of its own.
//!
//! Kura's interface where Kura has one (`configuration/v2`, `cloudconnection/v1`,
//! `keystores/v1`), ours beside it (`provisioning/v1`, `plugins/v1`, `packages/v1`, `events`). Each module
//! holds one of them; `guard` stands before all. Nothing here decides what a gateway does:
//! every request ends in a call of the framework. `cli::run` starts it.

pub mod answer;
pub mod changes;
pub mod cloud;
pub mod configuration;
pub mod console;
pub mod definition;
pub mod events;
pub mod guard;
pub mod keystores;
pub mod packages;
pub mod plugins;
pub mod provisioning;
pub mod server;
pub mod snapshots;
pub mod values;

pub use server::{Server, ServerError};

use std::sync::Arc;

use axum::Router;
use gateway_host_sdk::Framework;

use crate::feed::Feed;

/// What every handler has.
#[derive(Clone)]
pub struct Shared {
    /// The gateway.
    pub framework: Arc<Framework>,
    /// What happens in it.
    pub feed: Feed,
}

/// Everything below `/services`.
fn services() -> Router<Shared> {
    Router::new()
        .nest("/configuration/v2", configuration::routes())
        .nest("/cloudconnection/v1", cloud::routes())
        .nest("/keystores/v1", keystores::routes())
        .nest("/provisioning/v1", provisioning::routes())
        .nest("/plugins/v1", plugins::routes())
        .nest("/packages/v1", packages::routes())
        .merge(events::routes())
}
