//! gwc.storage/1, offered by the host: a private folder per instance.

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::GwcSink;

/// The id of the extension.
pub const EXT_STORAGE: &str = "gwc.storage/1";

/// The private folder. Owned by the host.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcStorage {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The absolute path of the instance's own folder, which exists, has mode 0700, and
    /// survives restarts and upgrades. `[worker]`
    pub folder: Option<
        unsafe extern "C" fn(ctx: *mut c_void, out: GwcSink, err: *mut GwcError) -> GwcStatus,
    >,
}
