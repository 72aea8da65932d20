//! What the component offers beyond its lifecycle: five tables, the same for every instance.

use std::os::raw::c_void;
use std::ptr;

use gateway_component_abi::component::GwcComponent;
use gateway_component_abi::ext::action::{GwcAction, EXT_ACTION};
use gateway_component_abi::ext::control_verifier::{GwcControlVerifier, EXT_CONTROL_VERIFIER};
use gateway_component_abi::ext::identity::{GwcIdentity, EXT_IDENTITY};
use gateway_component_abi::ext::preflight::{GwcPreflight, EXT_PREFLIGHT};
use gateway_component_abi::ext::status::{GwcComponentStatus, EXT_STATUS};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::{sink, table, text, Misuse};
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcSink, GwcStr};

use super::guard::{self, misuse};
use crate::provisioner::Action;

static STATUS: GwcComponentStatus = GwcComponentStatus {
    struct_size: table::size::<GwcComponentStatus>(),
    reserved: 0,
    get: Some(status_get),
    watch: Some(status_watch),
};
static IDENTITY: GwcIdentity = GwcIdentity {
    struct_size: table::size::<GwcIdentity>(),
    reserved: 0,
    get: Some(identity_get),
};
static PREFLIGHT: GwcPreflight = GwcPreflight {
    struct_size: table::size::<GwcPreflight>(),
    reserved: 0,
    run: Some(preflight_run),
};
static ACTION: GwcAction = GwcAction {
    struct_size: table::size::<GwcAction>(),
    reserved: 0,
    retry_now: Some(retry_now),
    cancel: Some(cancel),
    reprovision: Some(reprovision),
    system_changed: Some(system_changed),
};
static CONTROL_VERIFIER: GwcControlVerifier = GwcControlVerifier {
    struct_size: table::size::<GwcControlVerifier>(),
    reserved: 0,
    verify: Some(verify),
};

/// The table of that id, or null.
pub fn table(id: &str) -> *const c_void {
    match id {
        EXT_STATUS => ptr::from_ref(&STATUS).cast(),
        EXT_IDENTITY => ptr::from_ref(&IDENTITY).cast(),
        EXT_PREFLIGHT => ptr::from_ref(&PREFLIGHT).cast(),
        EXT_ACTION => ptr::from_ref(&ACTION).cast(),
        EXT_CONTROL_VERIFIER => ptr::from_ref(&CONTROL_VERIFIER).cast(),
        _ => ptr::null(),
    }
}

/// # Safety
/// The sink is the caller's, valid for the call.
unsafe fn put(out: GwcSink, text: &str) -> Result<(), CallError> {
    // SAFETY: as the caller promises.
    if unsafe { sink::put_into(out, text.as_bytes()) } {
        Ok(())
    } else {
        Err(misuse(&Misuse("out has no put".into())))
    }
}

unsafe extern "C" fn status_get(
    this: *mut GwcComponent,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: the host's pointers, valid for the call.
    unsafe { guard::any_thread(this, err, |component| put(out, &component.status())) }
}

/// A host's sink that is called from the worker.
struct Watcher(GwcSink);

// SAFETY: the host promises that put may be called from the component's thread and that ctx
// lives until the watch ends (ext/status.h).
unsafe impl Send for Watcher {}

impl Watcher {
    fn call(&self, document: &str) {
        if let Some(put) = self.0.put {
            // SAFETY: as above; the document lives for the call.
            unsafe { put(self.0.ctx, GwcBytes::borrow(document.as_bytes())) };
        }
    }
}

unsafe extern "C" fn status_watch(
    this: *mut GwcComponent,
    changed: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: the host's pointers; the sink lives until the watch ends.
    unsafe {
        guard::control(this, err, |component| {
            let watcher = Watcher(changed);
            component.watch(if changed.put.is_some() {
                Some(Box::new(move |document: &str| watcher.call(document)))
            } else {
                None
            })
        })
    }
}

unsafe extern "C" fn identity_get(
    this: *mut GwcComponent,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: the host's pointers, valid for the call.
    unsafe { guard::any_thread(this, err, |component| put(out, &component.identity()?)) }
}

unsafe extern "C" fn preflight_run(
    this: *mut GwcComponent,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: the host's pointers, valid for the call.
    unsafe { guard::any_thread(this, err, |component| put(out, &component.preflight()?)) }
}

unsafe extern "C" fn retry_now(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: the host's pointers, valid for the call.
    unsafe { guard::any_thread(this, err, |component| component.act(Action::RetryNow)) }
}

unsafe extern "C" fn cancel(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: as above.
    unsafe { guard::any_thread(this, err, |component| component.act(Action::Cancel)) }
}

unsafe extern "C" fn reprovision(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: as above.
    unsafe { guard::any_thread(this, err, |component| component.act(Action::Reprovision)) }
}

unsafe extern "C" fn system_changed(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: as above.
    unsafe {
        guard::any_thread(this, err, |component| {
            component.system_changed();
            Ok(())
        })
    }
}

unsafe extern "C" fn verify(
    this: *mut GwcComponent,
    account: GwcStr,
    client_id: GwcStr,
    application_topic: GwcStr,
    payload: GwcBytes,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: the host's texts and bytes, valid for the call.
    unsafe {
        guard::any_thread(this, err, |component| {
            component.verify(
                text::text(account).map_err(|e| misuse(&e))?,
                text::text(client_id).map_err(|e| misuse(&e))?,
                text::text(application_topic).map_err(|e| misuse(&e))?,
                text::bytes(payload).map_err(|e| misuse(&e))?,
            )
        })
    }
}
