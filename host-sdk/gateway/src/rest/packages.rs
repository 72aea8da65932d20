//! `/services/packages/v1`: application packages. Ours; Kura's deployment packages are of another
//! kind.
//!
//! `GET packages` lists them, `POST packages` with an archive (`Content-Type: application/gzip`)
//! installs one, `DELETE packages` with `{"name"}` removes one. Both changes are for good at once,
//! and are refused while a provisioning that is not finished holds the package.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::get;
use axum::Router;
use futures_util::StreamExt;
use gateway_host_sdk::packages::{Incoming, PackageError};
use serde::Deserialize;
use serde_json::json;

use super::answer::{blocking, done, ok, parse, Answer, Refusal};
use super::Shared;

/// The type of an archive.
pub const ARCHIVE: &str = "application/gzip";

/// The routes.
pub fn routes() -> Router<Shared> {
    Router::new().route("/packages", get(list).post(install).delete(remove))
}

async fn list(State(shared): State<Shared>) -> Answer {
    blocking(shared, |shared| {
        ok(&json!({"packages": shared.framework.packages().list()}))
    })
    .await
}

async fn install(State(shared): State<Shared>, headers: HeaderMap, body: Body) -> Answer {
    let kind = headers
        .get(CONTENT_TYPE)
        .and_then(|kind| kind.to_str().ok());
    if kind != Some(ARCHIVE) {
        return Err(Refusal::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("a package is sent as {ARCHIVE}"),
        ));
    }
    let packages = shared.framework.packages();
    let mut incoming = packages.incoming().map_err(refused)?;
    let mut parts = body.into_data_stream();
    while let Some(part) = parts.next().await {
        let part = part.map_err(|e| Refusal::bad(format!("the archive ended early: {e}")))?;
        incoming = stored(incoming, part).await?;
    }
    blocking(shared, move |shared| {
        let info = shared.framework.packages().install_now(incoming.path());
        ok(&info.map_err(|e| named(&e, &incoming))?)
    })
    .await
}

/// Writes a part off the thread of the server.
async fn stored(mut incoming: Incoming, part: axum::body::Bytes) -> Result<Incoming, Refusal> {
    let written = tokio::task::spawn_blocking(move || {
        incoming.add(&part).map(|()| incoming).map_err(refused)
    });
    written.await.map_err(|e| Refusal::failed(&e))?
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

async fn remove(State(shared): State<Shared>, body: axum::body::Bytes) -> Answer {
    let named: Named = parse(&body)?;
    blocking(shared, move |shared| {
        shared
            .framework
            .packages()
            .remove(&named.name)
            .map_err(refused)?;
        done()
    })
    .await
}

fn refused(error: PackageError) -> Refusal {
    Refusal::called(&error.to_call_error())
}

/// The name of the file here tells nobody anything.
fn named(error: &PackageError, incoming: &Incoming) -> Refusal {
    let mut call = error.to_call_error();
    let path = format!("the package {}", incoming.path().display());
    call.message = call.message.replace(&path, "the package");
    Refusal::called(&call)
}
