//! The functions of an instance.

use std::os::raw::c_void;
use std::ptr;

use gateway_component_abi::component::{GwcComponent, GwcComponentOps};
use gateway_component_abi::safe::{properties, table, text};
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcProperties, GwcStr};

use super::extensions;
use super::guard::{self, misuse};

/// The table of every instance.
pub const OPS: GwcComponentOps = GwcComponentOps {
    struct_size: table::size::<GwcComponentOps>(),
    reserved: 0,
    activate: Some(activate),
    update: Some(update),
    deactivate: Some(deactivate),
    destroy: Some(destroy),
    get_extension: Some(get_extension),
};

unsafe extern "C" fn activate(
    this: *mut GwcComponent,
    list: *const GwcProperties,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: the host's pointers, valid for the call (component.h).
    unsafe {
        guard::control(this, err, |component| {
            let properties = properties::read(list).map_err(|e| misuse(&e))?;
            component.activate(&properties)
        })
    }
}

unsafe extern "C" fn update(
    this: *mut GwcComponent,
    list: *const GwcProperties,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in activate.
    unsafe {
        guard::control(this, err, |component| {
            let properties = properties::read(list).map_err(|e| misuse(&e))?;
            component.update(&properties)
        })
    }
}

unsafe extern "C" fn deactivate(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: as in activate.
    unsafe { guard::control(this, err, |component| component.deactivate()) }
}

unsafe extern "C" fn destroy(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: as in activate; the host does not use `this` again.
    unsafe { guard::destroy(this, err) }
}

unsafe extern "C" fn get_extension(_this: *mut GwcComponent, id: GwcStr) -> *const c_void {
    // SAFETY: the host's text, valid for the call.
    match unsafe { text::text(id) } {
        Ok(id) => extensions::table(id),
        Err(_) => ptr::null(),
    }
}
