//! Every call from the host goes through here: nothing unwinds across, nothing is trusted.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::atomic::{AtomicBool, Ordering};

use gateway_component_abi::component::GwcComponent;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::Misuse;
use gateway_component_abi::status::{self, GwcError, GwcStatus};

use crate::component::Component;

/// Marks memory that holds one of our instances.
const MAGIC: u64 = 0x6777_635f_7072_6f76;

/// What a `gwc_component *` of ours points to.
pub struct Handle {
    magic: u64,
    /// A control call is running.
    busy: AtomicBool,
    /// A call panicked: only destroy is left.
    poisoned: AtomicBool,
    /// The process that made it. Its threads do not exist in a forked child.
    process: u32,
    /// The instance.
    pub component: Component,
}

impl Handle {
    /// Gives the instance an address that the host may keep until destroy.
    pub fn into_raw(component: Component) -> *mut GwcComponent {
        Box::into_raw(Box::new(Handle {
            magic: MAGIC,
            busy: AtomicBool::new(false),
            poisoned: AtomicBool::new(false),
            process: std::process::id(),
            component,
        }))
        .cast()
    }
}

/// Runs `call`; a panic becomes `internal.panic`, an error goes to `err`.
///
/// # Safety
/// `err` is null or a writable `gwc_error` of the size that it says.
pub unsafe fn run(err: *mut GwcError, call: impl FnOnce() -> Result<(), CallError>) -> GwcStatus {
    let result = catch_unwind(AssertUnwindSafe(call)).unwrap_or_else(|_| Err(panicked()));
    match result {
        Ok(()) => status::OK,
        Err(error) => {
            // SAFETY: as the caller promises.
            unsafe { error::write(err, &error) };
            error.status
        }
    }
}

/// A control call: one at a time per instance.
///
/// # Safety
/// As [`run`]; `this` is null or an instance that is not destroyed.
pub unsafe fn control(
    this: *mut GwcComponent,
    err: *mut GwcError,
    call: impl FnOnce(&Component) -> Result<(), CallError>,
) -> GwcStatus {
    // SAFETY: as the caller promises.
    unsafe {
        run(err, || {
            let handle = handle(this)?;
            if handle.busy.swap(true, Ordering::Acquire) {
                return Err(CallError::new(
                    status::E_BUSY,
                    "",
                    "another call of this instance is running",
                ));
            }
            let result = guarded(handle, call);
            handle.busy.store(false, Ordering::Release);
            result
        })
    }
}

/// A call that may come at any time from any thread.
///
/// # Safety
/// As [`control`].
pub unsafe fn any_thread(
    this: *mut GwcComponent,
    err: *mut GwcError,
    call: impl FnOnce(&Component) -> Result<(), CallError>,
) -> GwcStatus {
    // SAFETY: as the caller promises.
    unsafe { run(err, || guarded(handle(this)?, call)) }
}

/// Ends an instance and frees it.
///
/// # Safety
/// As [`control`]; on success `this` is not used again.
pub unsafe fn destroy(this: *mut GwcComponent, err: *mut GwcError) -> GwcStatus {
    // SAFETY: as the caller promises; busy is taken for good, so that the box is freed once.
    unsafe {
        run(err, || {
            let handle = handle(this)?;
            handle.component.not_inside("destroy")?;
            if handle.busy.swap(true, Ordering::Acquire) {
                return Err(CallError::new(
                    status::E_BUSY,
                    "",
                    "another call of this instance is running",
                ));
            }
            // A host call in flight may still ask for the status: the instance lives until its
            // thread has ended. One that is not active refuses, which is as good.
            let _ = handle.component.deactivate();
            let mut handle = Box::from_raw(this.cast::<Handle>());
            handle.magic = 0;
            // A panic while it ends leaks what is left of it; the caller has lost it anyway.
            drop(handle);
            Ok(())
        })
    }
}

fn guarded(
    handle: &Handle,
    call: impl FnOnce(&Component) -> Result<(), CallError>,
) -> Result<(), CallError> {
    if handle.poisoned.load(Ordering::Acquire) {
        return Err(panicked());
    }
    match catch_unwind(AssertUnwindSafe(|| call(&handle.component))) {
        Ok(result) => result,
        Err(_) => {
            handle.poisoned.store(true, Ordering::Release);
            handle.component.poison();
            Err(panicked())
        }
    }
}

/// # Safety
/// `this` is null or an instance that is not destroyed.
unsafe fn handle<'a>(this: *mut GwcComponent) -> Result<&'a Handle, CallError> {
    let pointer = this.cast::<Handle>();
    if pointer.is_null() || !pointer.is_aligned() {
        return Err(misuse(&Misuse("self is no instance".into())));
    }
    // SAFETY: not null and aligned; the caller promises an instance of ours. The mark catches
    // the instance of another library.
    let handle = unsafe { &*pointer };
    if handle.magic != MAGIC {
        return Err(misuse(&Misuse(
            "self is no instance of this library".into(),
        )));
    }
    if handle.process != std::process::id() {
        return Err(CallError::new(
            status::E_STATE,
            "",
            "the instance belongs to another process, which forked this one",
        ));
    }
    Ok(handle)
}

/// A caller that did not keep to the contract.
pub fn misuse(misuse: &Misuse) -> CallError {
    CallError::new(status::E_INVALID_ARGUMENT, "", misuse.0.clone())
}

fn panicked() -> CallError {
    CallError::new(
        status::E_PANIC,
        "internal.panic",
        "a bug in the component; the instance is poisoned, destroy it and create a new one",
    )
}
