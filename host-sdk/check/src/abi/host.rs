//! A host for the instances of a library on trial: one that keeps to the contract and offers little,
//! one that offers nothing, or one whose every answer is garbage.

use std::ffi::c_void;
use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Mutex;

use gateway_component_abi::ext::configuration::{
    GwcConfiguration, GwcConfigurationItem, GwcConfigurationList, GwcConfigurationSink,
    EXT_CONFIGURATION,
};
use gateway_component_abi::ext::keystore::{
    GwcKeystore, GwcKeystoreEntry, GwcKeystoreSink, EXT_KEYSTORE,
};
use gateway_component_abi::ext::log::{GwcLog, EXT_LOG, LOG_TRACE};
use gateway_component_abi::ext::storage::{GwcStorage, EXT_STORAGE};
use gateway_component_abi::ext::system::{GwcSystem, EXT_SYSTEM};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::properties::{self, Borrowed};
use gateway_component_abi::safe::{sink, table, text};
use gateway_component_abi::status::{GwcError, GwcStatus, E_INVALID_ARGUMENT, E_NOT_FOUND, OK};
use gateway_component_abi::types::{GwcBytes, GwcProperties, GwcSink, GwcStr};
use gateway_component_abi::value::Properties;
use tempfile::TempDir;

/// How the host behaves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Conduct {
    /// It offers log, storage, configuration, an empty keystore and a system without facts.
    Honest,
    /// It has no extension at all.
    Empty,
    /// As `Honest`, but statuses from nowhere, text that is none, records of the wrong size, and
    /// results put twice or not at all.
    Garbage,
}

/// The host. Outlives its instances.
pub(crate) struct Host {
    state: Box<State>,
}

struct State {
    conduct: Conduct,
    pid: String,
    folder: TempDir,
    calls: AtomicUsize,
    own: Mutex<Properties>,
    log: GwcLog,
    storage: GwcStorage,
    configuration: GwcConfiguration,
    keystore: GwcKeystore,
    system: GwcSystem,
}

impl Host {
    /// A host for one instance of `pid` that is configured as `own`.
    ///
    /// # Errors
    /// One line: there is no temporary folder.
    pub(crate) fn new(conduct: Conduct, pid: &str, own: &Properties) -> Result<Host, String> {
        let folder = tempfile::tempdir().map_err(|e| format!("no temporary folder: {e}"))?;
        Ok(Host {
            state: Box::new(State {
                conduct,
                pid: format!("{pid}-check"),
                folder,
                calls: AtomicUsize::new(0),
                own: Mutex::new(own.clone()),
                log: GwcLog {
                    struct_size: table::size::<GwcLog>(),
                    reserved: 0,
                    max_level: Some(max_level),
                    write: Some(write),
                },
                storage: GwcStorage {
                    struct_size: table::size::<GwcStorage>(),
                    reserved: 0,
                    folder: Some(storage_folder),
                },
                configuration: GwcConfiguration {
                    struct_size: table::size::<GwcConfiguration>(),
                    reserved: 0,
                    get: Some(configuration_get),
                    update_own: Some(update_own),
                    validate: None,
                    capture: None,
                    apply: None,
                    restore: None,
                },
                keystore: GwcKeystore {
                    struct_size: table::size::<GwcKeystore>(),
                    reserved: 0,
                    list: Some(keystore_list),
                    put_certificate: None,
                    remove: None,
                    create_key: None,
                    csr: None,
                    put_chain: None,
                    private_key: None,
                },
                system: GwcSystem {
                    struct_size: table::size::<GwcSystem>(),
                    reserved: 0,
                    get: Some(system_get),
                },
            }),
        })
    }

    /// `gwc_host`, valid as long as `self`.
    pub(crate) fn table(&self) -> GwcHost {
        GwcHost {
            struct_size: table::size::<GwcHost>(),
            reserved: 0,
            ctx: ptr::from_ref(&*self.state).cast_mut().cast(),
            name: GwcStr::borrow("component-check"),
            version: GwcStr::borrow(env!("CARGO_PKG_VERSION")),
            get_extension: Some(get_extension),
        }
    }

    /// How often a function of the host was called so far.
    pub(crate) fn calls(&self) -> usize {
        self.state.calls.load(Ordering::SeqCst)
    }
}

/// Text that is none.
const BROKEN: &[u8] = b"\xff\xfe\xc0\x00broken";

fn broken() -> GwcStr {
    GwcStr {
        ptr: BROKEN.as_ptr().cast(),
        len: BROKEN.len() as u64,
    }
}

/// # Safety
/// `ctx` is that of a host of ours, which lives.
unsafe fn state<'a>(ctx: *mut c_void) -> &'a State {
    // SAFETY: as the caller promises.
    let state = unsafe { &*ctx.cast::<State>() };
    state.calls.fetch_add(1, Ordering::SeqCst);
    state
}

impl State {
    fn lies(&self) -> bool {
        self.conduct == Conduct::Garbage
    }
}

unsafe extern "C" fn get_extension(ctx: *mut c_void, id: GwcStr) -> *const c_void {
    // SAFETY: ctx is ours; id is the component's for this call.
    let (state, id) = unsafe { (state(ctx), text::text(id)) };
    match id {
        _ if state.conduct == Conduct::Empty => ptr::null(),
        Ok(EXT_LOG) => ptr::from_ref(&state.log).cast(),
        Ok(EXT_STORAGE) => ptr::from_ref(&state.storage).cast(),
        Ok(EXT_CONFIGURATION) => ptr::from_ref(&state.configuration).cast(),
        Ok(EXT_KEYSTORE) => ptr::from_ref(&state.keystore).cast(),
        Ok(EXT_SYSTEM) => ptr::from_ref(&state.system).cast(),
        _ => ptr::null(),
    }
}

unsafe extern "C" fn max_level(ctx: *mut c_void) -> u32 {
    // SAFETY: ctx is ours.
    if unsafe { state(ctx) }.lies() {
        return u32::MAX;
    }
    LOG_TRACE
}

unsafe extern "C" fn write(ctx: *mut c_void, _level: u32, _target: GwcStr, _message: GwcStr) {
    // SAFETY: ctx is ours.
    unsafe { state(ctx) };
}

unsafe extern "C" fn storage_folder(
    ctx: *mut c_void,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx is ours, out and err are the component's for this call.
    unsafe {
        let state = state(ctx);
        if state.lies() {
            return nonsense(out, err);
        }
        sink::put_into(out, state.folder.path().as_os_str().as_encoded_bytes());
    }
    OK
}

/// Success and no result, or an unknown failure with two of them.
///
/// # Safety
/// `out` and `err` are the component's.
unsafe fn nonsense(out: GwcSink, err: *mut GwcError) -> GwcStatus {
    let put = out.put;
    let lies = [
        GwcBytes::borrow(BROKEN),
        GwcBytes {
            ptr: ptr::null(),
            len: 77,
        },
        GwcBytes {
            ptr: BROKEN.as_ptr(),
            len: u64::MAX,
        },
    ];
    if let Some(put) = put {
        for lie in lies {
            // SAFETY: the sink is the component's; a length beyond all bounds is to be refused.
            unsafe { put(out.ctx, lie) };
        }
    }
    if !err.is_null() {
        // SAFETY: the component's own buffer; its texts are left without an end.
        unsafe {
            (*err).message.fill(-1);
            (*err).status = -77;
        }
    }
    OK
}

unsafe extern "C" fn configuration_get(
    ctx: *mut c_void,
    pid: GwcStr,
    _flags: u32,
    out: GwcConfigurationSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx is ours; the rest is the component's for this call.
    unsafe {
        let state = state(ctx);
        let Some(put) = out.put else {
            return refuse(err, E_INVALID_ARGUMENT, "a sink without a function");
        };
        if state.lies() {
            let list = GwcConfigurationList {
                struct_size: table::size::<GwcConfigurationList>(),
                item_size: 3,
                count: u64::MAX,
                items: ptr::dangling(),
            };
            put(out.ctx, &raw const list);
            put(out.ctx, ptr::null());
            return OK;
        }
        let pid = text::text(pid).unwrap_or("?");
        if !pid.is_empty() && pid != state.pid {
            return refuse(err, E_NOT_FOUND, "no such component");
        }
        let own = state.own.lock().map(|own| own.clone()).unwrap_or_default();
        let own = Borrowed::new(&own);
        let item = GwcConfigurationItem {
            struct_size: table::size::<GwcConfigurationItem>(),
            reserved: 0,
            pid: GwcStr::borrow(&state.pid),
            factory_pid: GwcStr::EMPTY,
            properties: own.as_ptr(),
        };
        let list = GwcConfigurationList {
            struct_size: table::size::<GwcConfigurationList>(),
            item_size: table::size::<GwcConfigurationItem>(),
            count: 1,
            items: &raw const item,
        };
        put(out.ctx, &raw const list);
    }
    OK
}

unsafe extern "C" fn update_own(
    ctx: *mut c_void,
    list: *const GwcProperties,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx is ours; the rest is the component's for this call.
    unsafe {
        let state = state(ctx);
        if state.lies() {
            return 4711;
        }
        match (properties::read(list), state.own.lock()) {
            (Ok(changes), Ok(mut own)) => own.extend(changes),
            (Err(e), _) => return refuse(err, E_INVALID_ARGUMENT, &e.0),
            _ => {}
        }
    }
    OK
}

unsafe extern "C" fn keystore_list(
    ctx: *mut c_void,
    _keystore: GwcStr,
    out: GwcKeystoreSink,
    _err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx is ours; the sink is the component's for this call.
    unsafe {
        if let (true, Some(put)) = (state(ctx).lies(), out.put) {
            let entry = GwcKeystoreEntry {
                struct_size: size_of::<GwcKeystoreEntry>() as u32,
                kind: 77,
                alias: broken(),
                pem: broken(),
            };
            put(out.ctx, &raw const entry);
            put(out.ctx, ptr::null());
        }
    }
    OK
}

unsafe extern "C" fn system_get(
    ctx: *mut c_void,
    _name: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: ctx is ours, out and err are the component's for this call.
    unsafe {
        if state(ctx).lies() {
            return nonsense(out, err);
        }
        refuse(err, E_NOT_FOUND, "no such property")
    }
}

/// # Safety
/// `err` is the component's.
unsafe fn refuse(err: *mut GwcError, status: GwcStatus, message: &str) -> GwcStatus {
    // SAFETY: as the caller promises.
    unsafe { error::write(err, &CallError::new(status, "", message)) };
    status
}
