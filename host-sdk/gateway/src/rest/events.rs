//! `GET /services/events`: what happens, as server-sent events.
//!
//! `status` `{"pid","document"}`, `configuration` `{"pid"}`, `connection` `{"pid"}`,
//! `plugin` `{"path"}`, `package` `{"name"}`, `posted` `{"topic",…}`. A listener that lags is cut off: it
//! connects again and asks for the present state.

use std::convert::Infallible;
use std::time::Duration;

use axum::extract::State;
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::routing::get;
use axum::Router;
use futures_util::stream::{unfold, Stream};

use super::Shared;

/// The route.
pub fn routes() -> Router<Shared> {
    Router::new().route("/events", get(events))
}

async fn events(
    State(shared): State<Shared>,
) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let stream = unfold(shared.feed.listen(), |mut feed| async move {
        let told = feed.recv().await.ok()?;
        Some((Ok(Event::default().event(told.name).data(&told.data)), feed))
    });
    Sse::new(stream).keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
}
