//! How an answer looks: JSON, and on refusal `{"message": …}` with what the form needs
//! beside it. Handlers return [`Answer`]; calls into the framework go through [`blocking`].

use axum::body::Bytes;
use axum::http::header::CONTENT_TYPE;
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

/// The code of what is more than there may be.
const TOO_LARGE: &str = "protocol.too-large";

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

    /// It is more than the gateway keeps; with the `code` of the contract.
    #[must_use]
    pub fn too_large(message: impl std::fmt::Display) -> Refusal {
        Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, message).with("code", TOO_LARGE)
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
            _ if error.code == TOO_LARGE => StatusCode::PAYLOAD_TOO_LARGE,
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

/// 200 with `{"NAME": [...]}`. Each item is written before the next is made: all of them may be large,
/// and as JSON values they take many times their text.
///
/// # Errors
/// 500, for what is no JSON.
pub fn list<T: Serialize>(name: &str, items: impl Iterator<Item = T>) -> Answer {
    let mut body = format!("{{{}:[", json!(name)).into_bytes();
    for (n, item) in items.enumerate() {
        if n > 0 {
            body.push(b',');
        }
        serde_json::to_writer(&mut body, &item).map_err(|e| Refusal::failed(&e))?;
    }
    body.extend_from_slice(b"]}");
    Ok(([(CONTENT_TYPE, "application/json")], body).into_response())
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
