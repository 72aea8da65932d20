//! Requests and replies of Kura's request/reply applications, as payloads. Their topics are in
//! [`crate::topic`]; what a request asks for is not known here.

use crate::payload::{MetricValue, Payload};
use crate::topic::{check_id, TopicError};

/// String: which request; chosen by the requester.
pub const REQUEST_ID: &str = "request.id";
/// String: who wants the reply.
pub const REQUESTER_CLIENT_ID: &str = "requester.client.id";
/// INT32: how it went; see [`ResponseCode`].
pub const RESPONSE_CODE: &str = "response.code";
/// String: one line for a person.
pub const RESPONSE_EXCEPTION_MESSAGE: &str = "response.exception.message";
/// String: the stable code of an error, e.g. `trust.invalid`. Ours; Kura has none.
pub const PROV_ERROR_CODE: &str = "prov.error.code";

/// The values of [`RESPONSE_CODE`] in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ResponseCode {
    /// 200: done.
    Ok,
    /// 400: the request makes no sense.
    BadRequest,
    /// 403: not trusted.
    Forbidden,
    /// 404: no such resource.
    NotFound,
    /// 409: not now.
    Conflict,
    /// 413: too much.
    TooLarge,
    /// 500: it failed here.
    Internal,
}

impl ResponseCode {
    /// All of them.
    pub const ALL: [ResponseCode; 7] = [
        ResponseCode::Ok,
        ResponseCode::BadRequest,
        ResponseCode::Forbidden,
        ResponseCode::NotFound,
        ResponseCode::Conflict,
        ResponseCode::TooLarge,
        ResponseCode::Internal,
    ];

    /// The number on the wire.
    pub fn code(self) -> i32 {
        match self {
            ResponseCode::Ok => 200,
            ResponseCode::BadRequest => 400,
            ResponseCode::Forbidden => 403,
            ResponseCode::NotFound => 404,
            ResponseCode::Conflict => 409,
            ResponseCode::TooLarge => 413,
            ResponseCode::Internal => 500,
        }
    }

    /// The one of that number.
    pub fn from_code(code: i32) -> Option<Self> {
        Self::ALL.into_iter().find(|known| known.code() == code)
    }
}

/// Where a reply goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ids {
    /// [`REQUEST_ID`].
    pub request_id: String,
    /// [`REQUESTER_CLIENT_ID`].
    pub requester: String,
}

/// Why a request cannot be answered.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdsError {
    /// Kura requires both.
    #[error("metric {name} is missing")]
    Missing {
        /// Which.
        name: &'static str,
    },
    /// Kura requires Strings.
    #[error("metric {name} is not a String")]
    NotString {
        /// Which.
        name: &'static str,
    },
    /// It would break out of its level of the reply's topic.
    #[error("metric {name} cannot be part of a reply topic")]
    Unsafe {
        /// Which.
        name: &'static str,
        /// Why.
        source: TopicError,
    },
}

/// The ids of a request, checked so that they may enter a topic. Without them there is no reply.
///
/// # Errors
/// [`IdsError`] for the first that is missing or not usable.
pub fn ids(payload: &Payload) -> Result<Ids, IdsError> {
    Ok(Ids {
        request_id: id(payload, REQUEST_ID)?,
        requester: id(payload, REQUESTER_CLIENT_ID)?,
    })
}

fn id(payload: &Payload, name: &'static str) -> Result<String, IdsError> {
    match payload.get(name) {
        None => Err(IdsError::Missing { name }),
        Some(MetricValue::String(value)) => {
            check_id(value).map_err(|source| IdsError::Unsafe { name, source })?;
            Ok(value.clone())
        }
        Some(_) => Err(IdsError::NotString { name }),
    }
}

/// The payload of a request; metrics and body are the caller's to add. `timestamp` in
/// milliseconds since 1970 UTC.
pub fn request(ids: &Ids, timestamp: i64) -> Payload {
    Payload::new()
        .with_timestamp(timestamp)
        .with_metric(REQUEST_ID, ids.request_id.as_str())
        .with_metric(REQUESTER_CLIENT_ID, ids.requester.as_str())
}

/// The payload of a reply of that code, without more. `timestamp` in milliseconds since 1970 UTC.
pub fn reply(code: ResponseCode, timestamp: i64) -> Payload {
    Payload::new()
        .with_timestamp(timestamp)
        .with_metric(RESPONSE_CODE, code.code())
}

/// The payload of a reply that refuses. `error_code` is one of the stable codes, `message` one
/// line without secrets; `timestamp` in milliseconds since 1970 UTC.
pub fn refusal(code: ResponseCode, error_code: &str, message: &str, timestamp: i64) -> Payload {
    reply(code, timestamp)
        .with_metric(RESPONSE_EXCEPTION_MESSAGE, message)
        .with_metric(PROV_ERROR_CODE, error_code)
}
