//! gwc.status/1, offered by the component: what it is doing, and why not.

use abi_stable::StableAbi;

use crate::component::GwcComponent;
use crate::status::{GwcError, GwcStatus};
use crate::types::GwcSink;

/// The id of the extension.
pub const EXT_STATUS: &str = "gwc.status/1";

/// The status document. Owned by the module of the component.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcComponentStatus {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// The status document: JSON with a "version", never a secret. Works in every state.
    /// `[any-thread]`
    pub get: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Calls changed.put with the document after every change, at most ten times a second, the
    /// last change never lost; from the worker, so it must not block and must not call back into
    /// self. put NULL ends it; once that call has returned, the earlier one is not called again.
    /// changed.ctx must live until then, or until destroy has returned. `[control]`
    pub watch: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            changed: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
