//! The host's side of one instance: what its functions find in `ctx`, and the guard that each of
//! them goes through.

use std::cell::Cell;
use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;

use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::{table, text};
use gateway_component_abi::status::{self, GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcSink, GwcStr};

use super::host;
use crate::component::services::Services;

/// Marks a living context, so that a component that hands back something else is told so.
const MARK: u64 = 0x6777_6320_686f_7374;

/// What the `ctx` of an instance points to. Lives in a box from before `create` until after
/// `destroy`.
pub(crate) struct Context {
    mark: u64,
    pub(crate) pid: String,
    pub(crate) services: Services,
}

thread_local! {
    /// Whether this thread is inside activate, update, deactivate, create or destroy.
    static IN_CONTROL: Cell<bool> = const { Cell::new(false) };
}

/// Runs a control call of a component, during which it may not call back (log excepted).
pub(crate) fn in_control<R>(call: impl FnOnce() -> R) -> R {
    let before = IN_CONTROL.replace(true);
    let result = call();
    IN_CONTROL.set(before);
    result
}

impl Context {
    pub(crate) fn new(pid: &str, services: Services) -> Box<Context> {
        Box::new(Context {
            mark: MARK,
            pid: pid.to_owned(),
            services,
        })
    }

    /// The host as the component sees it. Points into `self`.
    pub(crate) fn host(&self) -> GwcHost {
        GwcHost {
            struct_size: table::size::<GwcHost>(),
            reserved: 0,
            ctx: ptr::from_ref(self).cast_mut().cast(),
            name: GwcStr::borrow(&self.services.name),
            version: GwcStr::borrow(&self.services.version),
            get_extension: Some(get_extension),
        }
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        self.mark = 0;
    }
}

unsafe extern "C" fn get_extension(ctx: *mut c_void, id: GwcStr) -> *const c_void {
    // SAFETY: ctx and id as the contract says; find checks what can be checked.
    let found = panic::catch_unwind(|| unsafe {
        let context = find(ctx).ok()?;
        let id = text::text(id).ok()?;
        host::table(&context.services, id)
    });
    found.ok().flatten().unwrap_or(ptr::null())
}

/// The context behind a `ctx`.
///
/// # Safety
/// `ctx` is NULL or was given to an instance that is not yet destroyed.
pub(crate) unsafe fn find<'a>(ctx: *mut c_void) -> Result<&'a Context, CallError> {
    let context = ctx.cast::<Context>();
    if context.is_null() || !context.is_aligned() {
        return Err(misuse("ctx is not the host's"));
    }
    // SAFETY: the caller vouches for the life of it; it is never changed while it is shared.
    let context = unsafe { &*context };
    if context.mark != MARK {
        return Err(misuse("ctx is not the host's"));
    }
    Ok(context)
}

/// The guard of every host function that a component may call from its worker only: finds the
/// context, refuses a call from inside a control call, catches panics, fills `err`.
///
/// # Safety
/// `ctx` as in [`find`]; `err` is NULL or a `gwc_error` of the caller.
pub(crate) unsafe fn serve(
    ctx: *mut c_void,
    err: *mut GwcError,
    function: &'static str,
    call: impl FnOnce(&Context) -> Result<(), CallError>,
) -> GwcStatus {
    let result = panic::catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: passed on.
        let context = unsafe { find(ctx) }?;
        if IN_CONTROL.get() {
            log::warn!(target: &context.pid, "{function} called from inside a control call");
            return Err(CallError::new(
                status::E_STATE,
                "host.misuse",
                format!("{function} is not called from inside a control call"),
            ));
        }
        call(context)
    }));
    let failure = match result {
        Ok(Ok(())) => return status::OK,
        Ok(Err(failure)) => failure,
        Err(_) => CallError::new(
            status::E_INTERNAL,
            "internal.panic",
            format!("the host failed in {function}"),
        ),
    };
    // SAFETY: err as the caller vouches.
    unsafe { error::write(err, &failure) };
    failure.status
}

/// The error for a component that called wrongly.
pub(crate) fn misuse(what: impl std::fmt::Display) -> CallError {
    CallError::new(status::E_INVALID_ARGUMENT, "host.misuse", what.to_string())
}

/// Text of the component, named for the error.
///
/// # Safety
/// As [`text::text`].
pub(crate) unsafe fn argument<'a>(raw: GwcStr, name: &str) -> Result<&'a str, CallError> {
    // SAFETY: passed on.
    unsafe { text::text(raw) }.map_err(|e| misuse(format!("{name}: {e}")))
}

/// Bytes of the component, named for the error.
///
/// # Safety
/// As [`text::bytes`].
pub(crate) unsafe fn bytes<'a>(raw: GwcBytes, name: &str) -> Result<&'a [u8], CallError> {
    // SAFETY: passed on.
    unsafe { text::bytes(raw) }.map_err(|e| misuse(format!("{name}: {e}")))
}

/// Puts a result into the component's sink.
///
/// # Safety
/// The sink's `ctx` is what its `put` expects.
pub(crate) unsafe fn put(out: GwcSink, data: &[u8]) -> Result<(), CallError> {
    // SAFETY: passed on.
    if unsafe { gateway_component_abi::safe::sink::put_into(out, data) } {
        Ok(())
    } else {
        Err(misuse("out.put is NULL"))
    }
}

/// A service that the instance was not offered; only reachable by keeping a table of another one.
pub(crate) fn offered<'a, S: ?Sized>(
    service: &'a Option<std::sync::Arc<S>>,
    extension: &str,
) -> Result<&'a S, CallError> {
    service.as_deref().ok_or_else(|| {
        CallError::new(
            status::E_UNSUPPORTED,
            "host.unsupported",
            format!("{extension} is not offered"),
        )
    })
}
