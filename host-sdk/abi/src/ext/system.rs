//! gwc.system/1, offered by the host: facts about the gateway, by their Kura names.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcSink, GwcStr};

/// The id of the extension.
pub const EXT_SYSTEM: &str = "gwc.system/1";
/// Serial number of the gateway.
pub const SYSTEM_SERIAL_NUMBER: &str = "kura.serialNumber";
/// Name of the primary network interface, e.g. `eth0`.
pub const SYSTEM_PRIMARY_INTERFACE: &str = "kura.primary.network.interface";
/// MAC address of the primary interface; Kura offers it by method only.
pub const SYSTEM_PRIMARY_MAC: &str = "kura.primary.mac";
/// IP address of the primary interface; Kura offers it by method only.
pub const SYSTEM_PRIMARY_IP: &str = "kura.primary.ip";

/// The facts. Owned by the host.
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
