//! How an answer looks: JSON, and on refusal `{"message": …}` with what the form needs
//! beside it. Handlers return [`Answer`]; calls into the framework go through [`blocking`].

use axum::body::Bytes;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::Json;
use gateway_component_abi::status;
use gateway_host_sdk::CallError;
use serde::de::DeserializeOwned;
use serde::Serialize;
use serde_json::{json, Value};

use super::Shared;

/// What a handler gives.
pub type Answer = Result<Response, Refusal>;

/// A request that was not done.
#[derive(Debug)]
pub struct Refusal {
    status: StatusCode,
    body: Value,
}

impl Refusal {
    /// A refusal with a message of one line.
    #[must_use]
    pub fn new(status: StatusCode, message: impl std::fmt::Display) -> Refusal {
        Refusal {
            status,
            body: json!({"message": message.to_string()}),
        }
    }

    /// The request itself is wrong.
    #[must_use]
    pub fn bad(message: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::BAD_REQUEST, message)
    }

    /// There is no such thing.
    #[must_use]
    pub fn absent(message: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::NOT_FOUND, message)
    }

    /// It does not fit the state that things are in.
    #[must_use]
    pub fn conflict(message: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::CONFLICT, message)
    }

    /// The gateway could not do it.
    #[must_use]
    pub fn failed(error: &dyn std::error::Error) -> Refusal {
        Refusal::new(
            StatusCode::INTERNAL_SERVER_ERROR,
            crate::cli::error::chain(error),
        )
    }

    /// What the framework or a component answered, its `GWC_E_...` as a status. The body has
    /// its `code`, too.
    #[must_use]
    pub fn called(error: &CallError) -> Refusal {
        let status = match error.status {
            status::E_NOT_FOUND => StatusCode::NOT_FOUND,
            status::E_STATE | status::E_CONFLICT | status::E_BUSY => StatusCode::CONFLICT,
            status::E_INVALID | status::E_INVALID_ARGUMENT => StatusCode::BAD_REQUEST,
            status::E_UNSUPPORTED => StatusCode::NOT_IMPLEMENTED,
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Refusal::new(status, &error.message).with("code", &error.code)
    }

    /// Adds a field to the body.
    #[must_use]
    pub fn with(mut self, key: &str, value: impl Serialize) -> Refusal {
        if let (Some(body), Ok(value)) = (self.body.as_object_mut(), serde_json::to_value(value)) {
            body.insert(key.to_owned(), value);
        }
        self
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        (self.status, Json(self.body)).into_response()
    }
}

/// 200 with a JSON body.
///
/// # Errors
/// None; the type is that of a handler.
pub fn ok(body: &impl Serialize) -> Answer {
    Ok(Json(body).into_response())
}

/// 200 without a body, as Kura answers a change.
///
/// # Errors
/// None; the type is that of a handler.
pub fn done() -> Answer {
    Ok(StatusCode::OK.into_response())
}

/// The body of a request.
///
/// # Errors
/// 400 with what is wrong, and where.
pub fn parse<T: DeserializeOwned>(body: &Bytes) -> Result<T, Refusal> {
    serde_json::from_slice(body).map_err(|e| Refusal::bad(format!("the body of the request: {e}")))
}

/// Runs a call of the framework, which may block, off the thread of the server.
///
/// # Errors
/// What `call` refuses; 500 if it broke.
pub async fn blocking<F>(shared: Shared, call: F) -> Answer
where
    F: FnOnce(&Shared) -> Answer + Send + 'static,
{
    match tokio::task::spawn_blocking(move || call(&shared)).await {
        Ok(answer) => answer,
        Err(e) => Err(Refusal::failed(&e)),
    }
}
