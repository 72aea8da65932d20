//! The two doors and the table behind both.

use std::ptr;
use std::sync::Arc;

use abi_stable::export_root_module;
use abi_stable::prefix_type::PrefixTypeTrait;
use gateway_component_abi::component::{GwcComponent, GwcComponentOps};
use gateway_component_abi::entry::{GwcComponentInfo, GwcModule};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::root::{GwcRoot, GwcRoot_Ref};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::{sink, table, text, Misuse};
use gateway_component_abi::status::{self, GwcError, GwcStatus};
use gateway_component_abi::types::{GwcSink, GwcStr, ABI_MAJOR, ABI_MINOR};

use super::guard::{self, misuse, Handle};
use super::host::HostTables;
use super::{instance, logger};
use crate::component::Component;
use crate::metatype;

/// Lets a table of the contract be a static. Statics need no heap, and so leave nothing behind
/// when the library is unloaded.
struct Fixed<T>(T);

// SAFETY: nothing in a static of this is ever changed, and all its pointers are to immutable
// memory of this library.
unsafe impl<T> Sync for Fixed<T> {}

static OPS: Fixed<GwcComponentOps> = Fixed(instance::OPS);

static COMPONENTS: Fixed<[GwcComponentInfo; 1]> = Fixed([GwcComponentInfo {
    struct_size: table::size::<GwcComponentInfo>(),
    reserved: 0,
    factory_pid: GwcStr::borrow(metatype::FACTORY_PID),
    description: GwcStr::borrow(
        "Makes the gateway a configured, trusted member of a cloud account",
    ),
}]);

static MODULE: Fixed<GwcModule> = Fixed(GwcModule {
    struct_size: table::size::<GwcModule>(),
    abi_major: ABI_MAJOR,
    abi_minor: ABI_MINOR,
    component_size: table::size::<GwcComponentInfo>(),
    component_count: COMPONENTS.0.len() as u64,
    components: COMPONENTS.0.as_ptr(),
    name: GwcStr::borrow(env!("CARGO_PKG_NAME")),
    version: GwcStr::borrow(env!("CARGO_PKG_VERSION")),
    vendor: GwcStr::borrow("Gateway provisioning contributors"),
    build_date: GwcStr::borrow(crate::build::DATE),
    metatype: Some(metatype_of),
    create: Some(create),
    ops: ptr::from_ref(&OPS.0),
});

/// The C door; see `include/gwc/entry.h`.
#[no_mangle]
pub extern "C" fn gwc_entry(host_abi_major: u32) -> *const GwcModule {
    if host_abi_major == ABI_MAJOR {
        ptr::from_ref(&MODULE.0)
    } else {
        ptr::null()
    }
}

/// The door of abi_stable, to the same table.
#[export_root_module]
fn root_module() -> GwcRoot_Ref {
    GwcRoot { entry: gwc_entry }.leak_into_prefix()
}

unsafe extern "C" fn metatype_of(
    factory_pid: GwcStr,
    locale: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: texts, sink and err are the caller's, valid for the call.
    unsafe {
        guard::run(err, || {
            known(factory_pid)?;
            let locale = text::text(locale).map_err(|e| misuse(&e))?;
            let xml = metatype::descriptor(locale);
            if sink::put_into(out, xml.as_bytes()) {
                Ok(())
            } else {
                Err(misuse(&Misuse("out has no put".into())))
            }
        })
    }
}

unsafe extern "C" fn create(
    factory_pid: GwcStr,
    host: *const GwcHost,
    instance_name: GwcStr,
    out: *mut *mut GwcComponent,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: texts, host, out and err are the caller's, valid for the call; what host points
    // to lives until destroy.
    unsafe {
        guard::run(err, || {
            known(factory_pid)?;
            let name = text::text(instance_name).map_err(|e| misuse(&e))?;
            if out.is_null() {
                return Err(misuse(&Misuse("out is NULL".into())));
            }
            if name.is_empty() || name.len() > 255 {
                return Err(misuse(&Misuse("instance_name: 1 to 255 bytes".into())));
            }
            let host = Arc::new(HostTables::read(host).map_err(|e| misuse(&e))?);
            let for_log = host.clone();
            let component =
                Component::new(host, name, Box::new(move || logger::enter(for_log.clone())));
            *out = Handle::into_raw(component);
            Ok(())
        })
    }
}

/// # Safety
/// The text is the caller's, valid for the call.
unsafe fn known(factory_pid: GwcStr) -> Result<(), CallError> {
    // SAFETY: as the caller promises.
    let pid = unsafe { text::text(factory_pid) }.map_err(|e| misuse(&e))?;
    if pid == metatype::FACTORY_PID {
        return Ok(());
    }
    Err(CallError::new(
        status::E_NOT_FOUND,
        "",
        format!(
            "no component {pid:?}; this library has {}",
            metatype::FACTORY_PID
        ),
    ))
}
