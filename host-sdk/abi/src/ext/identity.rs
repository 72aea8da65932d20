//! gwc.identity/1, offered by the component: the identity sheet, before any network.

use abi_stable::StableAbi;

use crate::component::GwcComponent;
use crate::status::{GwcError, GwcStatus};
use crate::types::GwcSink;

/// The id of the extension.
pub const EXT_IDENTITY: &str = "gwc.identity/1";

/// The identity sheet. Owned by the module of the component.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcIdentity {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// JSON: client_id, username, serial_number, mac_address, model, and where each comes from.
    /// Only while active. `[any-thread]`
    pub get: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
