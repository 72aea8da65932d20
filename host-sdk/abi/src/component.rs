//! A component instance and its lifecycle (`include/gwc/component.h`).

use std::os::raw::c_void;

use abi_stable::StableAbi;

use crate::status::{GwcError, GwcStatus};
use crate::types::{GwcProperties, GwcStr};

/// An instance. Opaque; made by `create`, ended by `destroy`.
#[repr(C)]
#[derive(StableAbi)]
pub struct GwcComponent {
    _private: [u8; 0],
}

/// The functions of every instance of a module. Owned by the module until unload.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct GwcComponentOps {
    /// Size of this struct as its writer compiled it, in bytes.
    pub struct_size: u32,
    /// 0.
    pub reserved: u32,
    /// Starts the instance with its configuration. Returns at once. Properties that do not hold
    /// are no error here: the instance stays up, idle, and its status names them. properties is
    /// borrowed for the call. `[control]`
    pub activate: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            properties: *const GwcProperties,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// The whole new configuration, absent properties being at their default. Returns at once.
    /// properties is borrowed for the call. `[control]`
    pub update: Option<
        unsafe extern "C" fn(
            this: *mut GwcComponent,
            properties: *const GwcProperties,
            err: *mut GwcError,
        ) -> GwcStatus,
    >,
    /// Stops the instance. On return none of its threads runs and none of its host calls is in
    /// flight; at most 250 ms later than the host's own calls return, whatever the network
    /// does. Threads that a library keeps for all instances of the process may idle until
    /// destroy, which may take a second to end them; they call nobody. `[control]`
    pub deactivate:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus>,
    /// Ends the instance, deactivating it first where necessary, and frees self, which must not
    /// be used again. `[control]`
    pub destroy:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus>,
    /// The table of the component's extension named id, or NULL. Owned by the module until
    /// unload; its functions take self. `[any-thread]`
    pub get_extension:
        Option<unsafe extern "C" fn(this: *mut GwcComponent, id: GwcStr) -> *const c_void>,
}
