//! `gwc.configuration/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::configuration::{
    GwcConfiguration, GwcConfigurationList, GwcConfigurationSink, CONFIGURATION_SECRETS,
    EXT_CONFIGURATION,
};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::{properties, table};
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcProperties, GwcSink, GwcStr};

use crate::abi::context::{argument, bytes, misuse, offered, put, serve, Context};
use crate::abi::lists::{self, BorrowedList};
use crate::component::services::{ConfigurationAccess, ConfigurationItem};

pub(super) static TABLE: GwcConfiguration = GwcConfiguration {
    struct_size: table::size::<GwcConfiguration>(),
    reserved: 0,
    get: Some(get),
    update_own: Some(update_own),
    validate: Some(validate),
    capture: Some(capture),
    apply: Some(apply),
    restore: Some(restore),
};

fn service(context: &Context) -> Result<&dyn ConfigurationAccess, CallError> {
    offered(&context.services.configuration, EXT_CONFIGURATION)
}

/// Hands a list out.
///
/// # Safety
/// The sink's `ctx` is what its `put` expects.
unsafe fn put_list(out: GwcConfigurationSink, list: &[ConfigurationItem]) -> Result<(), CallError> {
    let put = out.put.ok_or_else(|| misuse("out.put is NULL"))?;
    let borrowed = BorrowedList::new(list);
    // SAFETY: the caller vouches for the sink; the list lives for the call.
    unsafe { put(out.ctx, borrowed.as_ptr()) };
    Ok(())
}

unsafe extern "C" fn get(
    ctx: *mut c_void,
    pid: GwcStr,
    flags: u32,
    out: GwcConfigurationSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.configuration/1 get", |context| {
            let pid = Some(argument(pid, "pid")?).filter(|pid| !pid.is_empty());
            if flags & !CONFIGURATION_SECRETS != 0 {
                return Err(misuse(format!("flags {flags:#x} are not known")));
            }
            let list = service(context)?.get(pid, flags & CONFIGURATION_SECRETS != 0)?;
            put_list(out, &list)
        })
    }
}

unsafe extern "C" fn update_own(
    ctx: *mut c_void,
    list: *const GwcProperties,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.configuration/1 update_own", |context| {
            let properties = properties::read(list).map_err(misuse)?;
            service(context)?.update_own(properties)
        })
    }
}

unsafe extern "C" fn validate(
    ctx: *mut c_void,
    list: *const GwcConfigurationList,
    metatypes: *const GwcBytes,
    count: u64,
    out: GwcConfigurationSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.configuration/1 validate", |context| {
            let items = lists::read(list).map_err(misuse)?;
            let metatypes = lists::runs(metatypes, count).map_err(misuse)?;
            let service = service(context)?;
            match out.put {
                Some(_) => put_list(out, &service.validate(items, &metatypes)?),
                None => service.check(items, &metatypes),
            }
        })
    }
}

unsafe extern "C" fn capture(
    ctx: *mut c_void,
    pids: *const GwcStr,
    count: u64,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.configuration/1 capture", |context| {
            let pids = lists::texts(pids, count).map_err(misuse)?;
            put(out, &service(context)?.capture(&pids)?)
        })
    }
}

unsafe extern "C" fn apply(
    ctx: *mut c_void,
    key: GwcStr,
    list: *const GwcConfigurationList,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.configuration/1 apply", |context| {
            let items = lists::read(list).map_err(misuse)?;
            service(context)?.apply(argument(key, "key")?, items)
        })
    }
}

unsafe extern "C" fn restore(
    ctx: *mut c_void,
    key: GwcStr,
    undo: GwcBytes,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.configuration/1 restore", |context| {
            service(context)?.restore(argument(key, "key")?, bytes(undo, "undo")?)
        })
    }
}
