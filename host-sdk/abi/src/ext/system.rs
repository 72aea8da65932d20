//! gwc.system/1, offered by the host: facts about the gateway, by their Kura names.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcSink, GwcStr};

/// `GWC_EXT_SYSTEM`.
pub const EXT_SYSTEM: &str = "gwc.system/1";
/// `GWC_SYSTEM_SERIAL_NUMBER`.
pub const SYSTEM_SERIAL_NUMBER: &str = "kura.serialNumber";
/// `GWC_SYSTEM_PRIMARY_INTERFACE`.
pub const SYSTEM_PRIMARY_INTERFACE: &str = "kura.primary.network.interface";
/// `GWC_SYSTEM_PRIMARY_MAC`.
pub const SYSTEM_PRIMARY_MAC: &str = "kura.primary.mac";
/// `GWC_SYSTEM_PRIMARY_IP`.
pub const SYSTEM_PRIMARY_IP: &str = "kura.primary.ip";

/// `gwc_system`.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcSystem {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The value of a property. GWC_E_NOT_FOUND while it is not known; a MAC may come late at
    /// boot. `[worker]`
    pub get: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            name: GwcStr,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
