//! gwc.packages/1, offered by the host: installing applications. Changes are durable when the
//! call returns, and idempotent by their key.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcSink, GwcStr};

/// The id of the extension.
pub const EXT_PACKAGES: &str = "gwc.packages/1";

/// An installed application.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcPackage {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Its name.
    pub name: GwcStr,
    /// Its version.
    pub version: GwcStr,
}

/// As [`GwcSink`], for packages: put is called once per package.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcPackageSink {
    /// The receiver's own pointer, handed back as the first argument.
    pub ctx: *mut c_void,
    /// Receives one package, which is borrowed for the call.
    pub put: Option<unsafe extern "C" fn(ctx: *mut c_void, package: *const GwcPackage)>,
}

/// Installing applications. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcPackages {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The installed packages. `[worker]`
    pub list: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            out: GwcPackageSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Reads the archive at path without installing it, and hands its metatype descriptors to
    /// out, one put each. GWC_E_INVALID where it is no package of this name and version.
    /// `[worker]`
    pub inspect: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            name: GwcStr,
            version: GwcStr,
            path: GwcStr,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Installs the archive at path, replacing another version. `[worker]`
    pub install: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            key: GwcStr,
            name: GwcStr,
            version: GwcStr,
            path: GwcStr,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Brings back what was there before the install of that key. `[worker]`
    pub revert: Option<
        unsafe extern "C" fn(ctx: *mut c_void, key: GwcStr, err: *mut GwcError) -> GwcStatus,
    >,
    /// Forgets what revert needs for that key. `[worker]`
    pub settle: Option<
        unsafe extern "C" fn(ctx: *mut c_void, key: GwcStr, err: *mut GwcError) -> GwcStatus,
    >,
}
