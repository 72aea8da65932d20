//! `gwc.log/1`.

use std::ffi::c_void;
use std::panic;

use ::log::Level;
use gateway_component_abi::ext::log::{
    GwcLog, LOG_DEBUG, LOG_ERROR, LOG_INFO, LOG_TRACE, LOG_WARN,
};
use gateway_component_abi::safe::table;
use gateway_component_abi::types::GwcStr;

use crate::abi::context::{argument, find};

pub(super) static TABLE: GwcLog = GwcLog {
    struct_size: table::size::<GwcLog>(),
    reserved: 0,
    max_level: Some(max_level),
    write: Some(write),
};

unsafe extern "C" fn max_level(ctx: *mut c_void) -> u32 {
    panic::catch_unwind(|| {
        // SAFETY: ctx as the contract says.
        let context = unsafe { find(ctx) }.ok()?;
        Some(context.services.log.as_ref()?.max_level() as u32)
    })
    .ok()
    .flatten()
    .unwrap_or(0)
}

unsafe extern "C" fn write(ctx: *mut c_void, level: u32, target: GwcStr, message: GwcStr) {
    // A log line that cannot be read is dropped: there is nobody to tell.
    // SAFETY: ctx, target and message as the contract says.
    let _ = panic::catch_unwind(|| unsafe {
        let service = find(ctx).ok()?.services.log.as_ref()?;
        let level = match level {
            LOG_ERROR => Level::Error,
            LOG_WARN => Level::Warn,
            LOG_INFO => Level::Info,
            LOG_DEBUG => Level::Debug,
            LOG_TRACE => Level::Trace,
            _ => return None,
        };
        let (target, message) = (
            argument(target, "target").ok()?,
            argument(message, "message").ok()?,
        );
        service.write(level, target, message);
        Some(())
    });
}
