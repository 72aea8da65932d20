//! `gwc.events/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::events::{GwcEvents, EXT_EVENTS};
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::GwcStr;

use crate::abi::context::{argument, offered, serve};

pub(super) static TABLE: GwcEvents = GwcEvents {
    struct_size: table::size::<GwcEvents>(),
    reserved: 0,
    post: Some(post),
};

unsafe extern "C" fn post(
    ctx: *mut c_void,
    topic: GwcStr,
    json: GwcStr,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx, topic, json and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.events/1 post", |context| {
            let events = offered(&context.services.events, EXT_EVENTS)?;
            events.post(argument(topic, "topic")?, argument(json, "json")?)
        })
    }
}
