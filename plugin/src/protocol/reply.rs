//! Payloads of replies.

use kura_formats::payload;
use kura_formats::request::{self, ResponseCode};

use crate::diagnosis::Fault;

/// 200, with a body where the request asked for one.
pub fn reply_ok(body: Option<&[u8]>, wall_ms: i64) -> Vec<u8> {
    let mut reply = request::reply(ResponseCode::Ok, wall_ms);
    reply.body = body.map(<[u8]>::to_vec);
    payload::encode(&reply)
}

/// The fault's response code, its code and its message.
pub fn reply_error(fault: &Fault, wall_ms: i64) -> Vec<u8> {
    let code = ResponseCode::from_code(fault.response_code()).unwrap_or(ResponseCode::Internal);
    payload::encode(&request::refusal(
        code,
        fault.code.as_str(),
        &fault.message,
        wall_ms,
    ))
}
