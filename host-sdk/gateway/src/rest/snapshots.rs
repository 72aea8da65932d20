//! `/services/configuration/v2/snapshots`: Kura's interface to snapshots.
//!
//! Kura's `byId`, which shows a snapshot with its passwords in clear, is not offered.

use axum::body::Bytes;
use axum::extract::State;
use axum::routing::{get, post};
use axum::Router;
use serde::Deserialize;
use serde_json::json;

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::changes::refusal;
use super::Shared;

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new()
        .route("/", get(snapshots))
        .route("/_write", post(write))
        .route("/_rollback", post(roll_back_once))
        .route("/byId/_rollback", post(roll_back))
}

#[derive(Deserialize)]
struct Id {
    id: i64,
}

async fn snapshots(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let ids = service
            .snapshots()
            .map_err(|e| refusal(&e, service.revision()))?;
        ok(&json!({"ids": ids}))
    })
    .await
}

async fn write(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let id = service
            .take_snapshot()
            .map_err(|e| refusal(&e, service.revision()))?;
        ok(&json!({"id": id}))
    })
    .await
}

async fn roll_back(State(shared): State<Shared>, body: Bytes) -> Answer {
    let Id { id } = parse(&body)?;
    blocking(shared, move |shared| {
        let service = shared.framework.configuration();
        service
            .rollback(id)
            .map_err(|e| refusal(&e, service.revision()))?;
        done()
    })
    .await
}

/// Kura's `rollback()`: to the last but one.
async fn roll_back_once(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        let service = shared.framework.configuration();
        let ids = service
            .snapshots()
            .map_err(|e| refusal(&e, service.revision()))?;
        let id = *ids
            .iter()
            .rev()
            .nth(1)
            .ok_or_else(|| Refusal::conflict("there is no snapshot before the present one"))?;
        service
            .rollback(id)
            .map_err(|e| refusal(&e, service.revision()))?;
        ok(&json!({"id": id}))
    })
    .await
}
