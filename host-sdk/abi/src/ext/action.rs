//! gwc.action/1, offered by the component: what a person or host may ask of it. An action that
//! makes no sense now is GWC_E_STATE, and err says why.

use abi_stable::StableAbi;

use crate::component::GwcComponent;
use crate::status::{GwcError, GwcStatus};

/// The id of the extension.
pub const EXT_ACTION: &str = "gwc.action/1";

/// What may be asked of a component. Owned by its module.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcAction {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Ends the pause and starts the next attempt. `[any-thread]`
    pub retry_now:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus>,
    /// Aborts the provisioning, rolls back, and sets enabled=false. `[any-thread]`
    pub cancel:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus>,
    /// Sets enabled=true and provisioned=false. `[any-thread]`
    pub reprovision:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus>,
    /// The clock stepped, the network came up, a MAC appeared: check again now. Never refused.
    /// `[any-thread]`
    pub system_changed:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus>,
}
