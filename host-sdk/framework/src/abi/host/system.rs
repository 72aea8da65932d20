//! `gwc.system/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::system::{GwcSystem, EXT_SYSTEM};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{self, GwcError, GwcStatus};
use gateway_component_abi::types::{GwcSink, GwcStr};

use crate::abi::context::{argument, offered, put, serve};

pub(super) static TABLE: GwcSystem = GwcSystem {
    struct_size: table::size::<GwcSystem>(),
    reserved: 0,
    get: Some(get),
};

unsafe extern "C" fn get(
    ctx: *mut c_void,
    name: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx, name, out and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.system/1 get", |context| {
            let name = argument(name, "name")?;
            let value = offered(&context.services.system, EXT_SYSTEM)?
                .get(name)
                .ok_or_else(|| {
                    CallError::new(
                        status::E_NOT_FOUND,
                        "system.unknown",
                        format!("the system property {name} is not known"),
                    )
                })?;
            put(out, value.as_bytes())
        })
    }
}
