//! gwc.events/1, offered by the host: its event bus (OSGi EventAdmin).

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::GwcStr;

/// The id of the extension.
pub const EXT_EVENTS: &str = "gwc.events/1";

/// The event bus. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcEvents {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Posts an event; json is an object of its properties. `[worker]`
    pub post: Option<
        unsafe extern "C" fn(
            ctx: *mut c_void,
            topic: GwcStr,
            json: GwcStr,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
