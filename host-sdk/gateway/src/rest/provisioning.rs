//! `/services/provisioning/v1`: what Kura has no interface for.
//!
//! - `GET /instances`: `{"pids": [...]}`
//! - `GET /{pid}/status`, `/{pid}/identity`, `/{pid}/preflight`: the component's own documents
//! - `POST /{pid}/actions` `{"action": "retry-now" | "cancel" | "reprovision"}`: 409 with the
//!   component's reason where it makes no sense
//!
//! The documents are passed on as they are; this host does not know what is in them.

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::Router;
use gateway_host_sdk::Action;
use serde::Deserialize;
use serde_json::json;

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/instances", get(instances))
        .route("/{pid}/status", get(status))
        .route("/{pid}/identity", get(identity))
        .route("/{pid}/preflight", get(preflight))
        .route("/{pid}/actions", post(act))
}

#[derive(Deserialize)]
struct Wanted {
    action: Word,
}

/// The actions by their names here.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
enum Word {
    RetryNow,
    Cancel,
    Reprovision,
}

async fn instances(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        ok(&json!({"pids": shared.framework.provisioning_pids()}))
    })
    .await
}

async fn status(State(shared): State<Shared>, Path(pid): Path<String>) -> Answer {
    blocking(shared, move |shared| match shared.framework.status(&pid) {
        Some(text) => document(text),
        None => Err(absent(&pid)),
    })
    .await
}

async fn identity(State(shared): State<Shared>, Path(pid): Path<String>) -> Answer {
    blocking(shared, move |shared| {
        document(
            shared
                .framework
                .identity(&pid)
                .map_err(|e| Refusal::called(&e))?,
        )
    })
    .await
}

async fn preflight(State(shared): State<Shared>, Path(pid): Path<String>) -> Answer {
    blocking(shared, move |shared| {
        document(
            shared
                .framework
                .preflight(&pid)
                .map_err(|e| Refusal::called(&e))?,
        )
    })
    .await
}

async fn act(State(shared): State<Shared>, Path(pid): Path<String>, body: Bytes) -> Answer {
    let Wanted { action } = parse(&body)?;
    let action = match action {
        Word::RetryNow => Action::RetryNow,
        Word::Cancel => Action::Cancel,
        Word::Reprovision => Action::Reprovision,
    };
    blocking(shared, move |shared| {
        shared
            .framework
            .act(&pid, action)
            .map_err(|e| Refusal::called(&e))?;
        done()
    })
    .await
}

fn document(text: String) -> Answer {
    Ok(([(CONTENT_TYPE, "application/json")], text).into_response())
}

fn absent(pid: &str) -> Refusal {
    Refusal::absent(format!(
        "there is no provisioning {pid:?}, or its plugin is not loaded"
    ))
}
