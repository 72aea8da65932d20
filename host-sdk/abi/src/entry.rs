//! How a library presents itself (`include/gwc/entry.h`).

use abi_stable::StableAbi;

use crate::component::{GwcComponent, GwcComponentOps};
use crate::host::GwcHost;
use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcSink, GwcStr};

/// `GWC_ENTRY_SYMBOL`.
pub const ENTRY_SYMBOL: &str = "gwc_entry";

/// One kind of component that the library can make.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcComponentInfo {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0
    pub reserved: u32,
    /// e.g. gwc.provisioning.ProvisioningService
    pub factory_pid: GwcStr,
    /// one line
    pub description: GwcStr,
}

/// The library. Immutable; valid until the library is unloaded.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcModule {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// GWC_ABI_MAJOR of the library
    pub abi_major: u32,
    /// `abi_minor`.
    pub abi_minor: u32,
    /// distance of the elements of components, in bytes
    pub component_size: u32,
    /// `component_count`.
    pub component_count: u64,
    /// `components`.
    pub components: *const GwcComponentInfo,
    /// `name`.
    pub name: GwcStr,
    /// `version`.
    pub version: GwcStr,
    /// `vendor`.
    pub vendor: GwcStr,
    /// RFC 3339, UTC
    pub build_date: GwcStr,
    /// The OSGi metatype descriptor of a factory pid, its texts in locale ("it", "en_US", empty
    /// for the default). The XML goes to out. `[any-thread]`
    pub metatype: Option<
        unsafe extern "C" fn(
            factory_pid: GwcStr,
            locale: GwcStr,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Makes an instance named instance_name (its kura.service.pid) and writes it to *out. host
    /// is borrowed for the call; what it points to must live until destroy has returned. The
    /// instance is freed with destroy. `[control]`
    pub create: Option<
        unsafe extern "C" fn(
            factory_pid: GwcStr,
            host: *const GwcHost,
            instance_name: GwcStr,
            out: *mut *mut GwcComponent,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// The functions of the instances.
    pub ops: *const GwcComponentOps,
}

/// The type of `gwc_entry`.
pub type GwcEntryFn = unsafe extern "C" fn(host_abi_major: u32) -> *const GwcModule;
