//! gwc.preflight/1, offered by the component: the local checks, on demand.

use abi_stable::StableAbi;

use crate::component::GwcComponent;
use crate::status::{GwcError, GwcStatus};
use crate::types::GwcSink;

/// The id of the extension.
pub const EXT_PREFLIGHT: &str = "gwc.preflight/1";

/// The local checks. Owned by the module of the component.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcPreflight {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Runs every check now and waits for the results, at most 5 s. JSON: a list of name,
    /// passed, detail, code. Touches nothing outside the gateway. Only while active.
    /// `[any-thread]`
    pub run: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            out: GwcSink,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
}
