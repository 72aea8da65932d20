//! What a host gives to a component instance (`include/gwc/host.h`).

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::types::GwcStr;

/// What a host gives to a component instance, one for each: its ctx tells the host which
/// instance is calling.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcHost {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Handed back as the first argument of every host function. Owned by the host, valid until
    /// destroy of the instance has returned.
    pub ctx: *mut c_void,
    /// Name of the framework. Owned by the host until destroy.
    pub name: GwcStr,
    /// Version of the framework. Owned by the host until destroy.
    pub version: GwcStr,
    /// The table of the extension named id (see ext/), or NULL where the host does not offer
    /// it. Owned by the host, valid and unchanged until destroy of the instance has returned.
    /// `[any-thread]`
    pub get_extension: Option<unsafe extern "C" fn(ctx: *mut c_void, id: GwcStr) -> *const c_void>,
}
