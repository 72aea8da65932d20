//! How a library presents itself (`include/gwc/entry.h`).

use abi_stable::StableAbi;

use crate::component::{GwcComponent, GwcComponentOps};
use crate::host::GwcHost;
use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcSink, GwcStr};

/// `GWC_ENTRY_SYMBOL`: the name of the one C symbol of a library.
pub const ENTRY_SYMBOL: &str = "gwc_entry";

/// One kind of component that the library can make.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcComponentInfo {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The factory pid, e.g. `gwc.provisioning.ProvisioningService`. Owned by the module.
    pub factory_pid: GwcStr,
    /// What such a component is for, in one line. Owned by the module.
    pub description: GwcStr,
}

/// The library. Immutable; valid until the library is unloaded.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcModule {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// [`ABI_MAJOR`](crate::types::ABI_MAJOR) of the library.
    pub abi_major: u32,
    /// [`ABI_MINOR`](crate::types::ABI_MINOR) of the library.
    pub abi_minor: u32,
    /// Distance of the elements of `components`, in bytes.
    pub component_size: u32,
    /// How many elements `components` has.
    pub component_count: u64,
    /// The kinds of components, `component_size` bytes apart. Owned by the module until unload.
    pub components: *const GwcComponentInfo,
    /// Name of the library. Owned by the module until unload, as are the next three.
    pub name: GwcStr,
    /// Version of the library, e.g. `1.4.0`.
    pub version: GwcStr,
    /// Who made the library.
    pub vendor: GwcStr,
    /// When the library was built: RFC 3339, UTC.
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
