//! gwc.log/1, offered by the host: where a component's log lines go.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::types::GwcStr;

/// The id of the extension.
pub const EXT_LOG: &str = "gwc.log/1";
/// Something failed.
pub const LOG_ERROR: u32 = 1;
/// Something is odd, or failed and is tried again.
pub const LOG_WARN: u32 = 2;
/// What a person wants to know.
pub const LOG_INFO: u32 = 3;
/// What a developer wants to know.
pub const LOG_DEBUG: u32 = 4;
/// Everything.
pub const LOG_TRACE: u32 = 5;

/// The log. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcLog {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The most detailed level that the host wants; 0 for none. `[any-thread]`
    pub max_level: Option<unsafe extern "C" fn(ctx: *mut c_void) -> u32>,
    /// One line, without its line feed. The only host function that may be called from inside
    /// activate, update and deactivate; it does not block. `[any-thread]`
    pub write:
        Option<unsafe extern "C" fn(ctx: *mut c_void, level: u32, target: GwcStr, message: GwcStr)>,
}
