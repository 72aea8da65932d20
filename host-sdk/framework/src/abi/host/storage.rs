//! `gwc.storage/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::storage::{GwcStorage, EXT_STORAGE};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{self, GwcError, GwcStatus};
use gateway_component_abi::types::GwcSink;

use crate::abi::context::{offered, put, serve};

pub(super) static TABLE: GwcStorage = GwcStorage {
    struct_size: table::size::<GwcStorage>(),
    reserved: 0,
    folder: Some(folder),
};

unsafe extern "C" fn folder(ctx: *mut c_void, out: GwcSink, err: *mut GwcError) -> GwcStatus {
    // SAFETY: ctx, out and err as the contract says.
    unsafe {
        serve(ctx, err, "gwc.storage/1 folder", |context| {
            let folder = offered(&context.services.storage, EXT_STORAGE)?.folder()?;
            let path = folder.to_str().ok_or_else(|| {
                CallError::new(
                    status::E_INVALID,
                    "storage.unwritable",
                    format!("{} is not UTF-8", folder.display()),
                )
            })?;
            put(out, path.as_bytes())
        })
    }
}
