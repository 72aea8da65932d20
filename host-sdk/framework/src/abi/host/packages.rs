//! `gwc.packages/1`.

use std::ffi::c_void;

use gateway_component_abi::ext::packages::{GwcPackage, GwcPackageSink, GwcPackages, EXT_PACKAGES};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcSink, GwcStr};

use crate::abi::context::{argument, misuse, offered, put, serve, Context};
use crate::component::services::PackageService;

pub(super) static TABLE: GwcPackages = GwcPackages {
    struct_size: table::size::<GwcPackages>(),
    reserved: 0,
    list: Some(list),
    inspect: Some(inspect),
    install: Some(install),
    revert: Some(revert),
    settle: Some(settle),
};

fn service(context: &Context) -> Result<&dyn PackageService, CallError> {
    offered(&context.services.packages, EXT_PACKAGES)
}

unsafe extern "C" fn list(ctx: *mut c_void, out: GwcPackageSink, err: *mut GwcError) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.packages/1 list", |context| {
            let put = out.put.ok_or_else(|| misuse("out.put is NULL"))?;
            for (name, version) in service(context)?.list()? {
                let package = GwcPackage {
                    struct_size: table::size::<GwcPackage>(),
                    reserved: 0,
                    name: GwcStr::borrow(&name),
                    version: GwcStr::borrow(&version),
                };
                put(out.ctx, &package);
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn inspect(
    ctx: *mut c_void,
    name: GwcStr,
    version: GwcStr,
    path: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.packages/1 inspect", |context| {
            let descriptors = service(context)?.inspect(
                argument(name, "name")?,
                argument(version, "version")?,
                argument(path, "path")?,
            )?;
            for descriptor in descriptors {
                put(out, &descriptor)?;
            }
            Ok(())
        })
    }
}

unsafe extern "C" fn install(
    ctx: *mut c_void,
    key: GwcStr,
    name: GwcStr,
    version: GwcStr,
    path: GwcStr,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.packages/1 install", |context| {
            service(context)?.install(
                argument(key, "key")?,
                argument(name, "name")?,
                argument(version, "version")?,
                argument(path, "path")?,
            )
        })
    }
}

unsafe extern "C" fn revert(ctx: *mut c_void, key: GwcStr, err: *mut GwcError) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.packages/1 revert", |context| {
            service(context)?.revert(argument(key, "key")?)
        })
    }
}

unsafe extern "C" fn settle(ctx: *mut c_void, key: GwcStr, err: *mut GwcError) -> GwcStatus {
    // SAFETY: all arguments as the contract says.
    unsafe {
        serve(ctx, err, "gwc.packages/1 settle", |context| {
            service(context)?.settle(argument(key, "key")?)
        })
    }
}
