//! A host that offers what a component requires, with every table open to sabotage.
//!
//! It keeps to the contract until a test changes one of its tables; then it breaks it in exactly
//! that place. It stores nothing but what a test asks about afterwards.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::c_void;
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use gateway_component_abi::ext::configuration::{
    GwcConfiguration, GwcConfigurationItem, GwcConfigurationList, GwcConfigurationSink,
    EXT_CONFIGURATION,
};
use gateway_component_abi::ext::keystore::{
    GwcKeystore, GwcKeystoreEntry, GwcKeystoreSink, ENTRY_TRUSTED_CERTIFICATE, EXT_KEYSTORE,
};
use gateway_component_abi::ext::log::{GwcLog, EXT_LOG, LOG_TRACE};
use gateway_component_abi::ext::storage::{GwcStorage, EXT_STORAGE};
use gateway_component_abi::ext::system::{
    GwcSystem, EXT_SYSTEM, SYSTEM_PRIMARY_INTERFACE, SYSTEM_PRIMARY_MAC, SYSTEM_SERIAL_NUMBER,
};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::properties::{self, Borrowed};
use gateway_component_abi::safe::{sink, table, text};
use gateway_component_abi::status::{self, GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcProperties, GwcSink, GwcStr};
use gateway_component_abi::value::{Properties, Secret};
use tempfile::TempDir;

use crate::plugin::FACTORY_PID;

/// The extensions without which a component does not work.
pub const REQUIRED: [&str; 4] = [EXT_STORAGE, EXT_CONFIGURATION, EXT_KEYSTORE, EXT_SYSTEM];

/// The instance whose host this is.
pub const PID: &str = "gwc.provisioning.ProvisioningService-2";

/// What a host does from inside `update_own`, with the merged configuration.
pub type OnUpdate = Box<dyn Fn(&Properties) + Send>;

/// The host. Outlives its instances.
pub struct Host {
    state: Box<State>,
    folder: TempDir,
}

/// What the functions of the tables see, through ctx.
pub struct State {
    folder: PathBuf,
    /// What is handed out, by id: the address of a table, of any shape.
    pub offers: BTreeMap<String, *const c_void>,
    /// Extensions that the component asked for.
    asked: Mutex<BTreeSet<String>>,
    /// Log lines.
    lines: Mutex<Vec<String>>,
    /// What `gwc.system/1` knows.
    pub facts: BTreeMap<&'static str, String>,
    /// What `gwc.keystore/1` holds in SSLKeystore, PEM by alias.
    pub anchors: BTreeMap<String, String>,
    /// The least important lines that it wants, `LOG_TRACE` until a test says otherwise.
    pub max_level: u32,
    /// The own configuration.
    own: Mutex<Properties>,
    /// Called from inside `update_own`, as a host does that cannot wait.
    pub on_update: Mutex<Option<OnUpdate>>,
    /// `gwc.log/1`.
    pub log: GwcLog,
    /// `gwc.storage/1`.
    pub storage: GwcStorage,
    /// `gwc.configuration/1`.
    pub configuration: GwcConfiguration,
    /// `gwc.keystore/1`.
    pub keystore: GwcKeystore,
    /// `gwc.system/1`.
    pub system: GwcSystem,
}

impl Host {
    /// A host that keeps to the contract.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Host {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut state = Box::new(State {
            folder: folder.path().to_owned(),
            offers: BTreeMap::new(),
            asked: Mutex::default(),
            lines: Mutex::default(),
            facts: BTreeMap::from([
                (SYSTEM_SERIAL_NUMBER, "SN-0001".to_owned()),
                (SYSTEM_PRIMARY_INTERFACE, "eth0".to_owned()),
                (SYSTEM_PRIMARY_MAC, "02:00:00:00:00:01".to_owned()),
                ("kura.model.id", "bench".to_owned()),
            ]),
            anchors: BTreeMap::new(),
            max_level: LOG_TRACE,
            own: Mutex::default(),
            on_update: Mutex::default(),
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
        });
        for (id, table) in [
            (EXT_LOG, ptr::from_ref(&state.log).cast::<c_void>()),
            (EXT_STORAGE, ptr::from_ref(&state.storage).cast()),
            (
                EXT_CONFIGURATION,
                ptr::from_ref(&state.configuration).cast(),
            ),
            (EXT_KEYSTORE, ptr::from_ref(&state.keystore).cast()),
            (EXT_SYSTEM, ptr::from_ref(&state.system).cast()),
        ] {
            state.offers.insert(id.to_owned(), table);
        }
        Host { state, folder }
    }

    /// What to break before an instance is created.
    pub fn state(&mut self) -> &mut State {
        &mut self.state
    }

    /// The private folder of the instance.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// `gwc_host`, valid as long as `self`.
    pub fn table(&self) -> GwcHost {
        GwcHost {
            struct_size: table::size::<GwcHost>(),
            reserved: 0,
            ctx: ptr::from_ref(&*self.state).cast_mut().cast(),
            name: GwcStr::borrow("trial"),
            version: GwcStr::borrow("1"),
            get_extension: Some(get_extension),
        }
    }

    /// The log lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.state.lines.lock().unwrap().clone()
    }

    /// Forgets the log lines so far.
    pub fn forget_lines(&self) {
        self.state.lines.lock().unwrap().clear();
    }

    /// The extensions that were asked for.
    pub fn asked(&self) -> BTreeSet<String> {
        self.state.asked.lock().unwrap().clone()
    }

    /// The own configuration as the component left it.
    pub fn own(&self) -> Properties {
        self.state.own.lock().unwrap().clone()
    }

    /// Sets the own configuration.
    pub fn set_own(&self, properties: &Properties) {
        *self.state.own.lock().unwrap() = properties.clone();
    }

    /// Called from inside `update_own`.
    pub fn on_update(&self, call: Option<OnUpdate>) {
        *self.state.on_update.lock().unwrap() = call;
    }
}

/// Parameters that hold, for the broker at `url`.
pub fn parameters(enabled: bool, url: &str) -> Properties {
    Properties::from([
        ("enabled".to_owned(), enabled.into()),
        ("broker-url".to_owned(), url.into()),
        ("account-name".to_owned(), "provisioning".into()),
        ("client-id".to_owned(), "trial".into()),
        ("username".to_owned(), "trial".into()),
        ("password".to_owned(), Secret::from("not-in-any-log").into()),
    ])
}

/// Documents of a watch, in the order in which they came.
pub struct Watcher {
    sender: Box<Sender<serde_json::Value>>,
    receiver: Receiver<serde_json::Value>,
}

impl Watcher {
    /// A watcher; outlives the watch.
    #[allow(clippy::new_without_default)]
    pub fn new() -> Watcher {
        let (sender, receiver) = mpsc::channel();
        Watcher {
            sender: Box::new(sender),
            receiver,
        }
    }

    /// For `watch`.
    pub fn sink(&self) -> GwcSink {
        GwcSink {
            ctx: ptr::from_ref(&*self.sender).cast_mut().cast(),
            put: Some(changed),
        }
    }

    /// For the end of a watch.
    pub fn none() -> GwcSink {
        GwcSink {
            ctx: ptr::null_mut(),
            put: None,
        }
    }

    /// The next document for which `wanted` says so.
    ///
    /// # Panics
    /// If there is none within 30 s.
    pub fn wait(&self, wanted: impl Fn(&serde_json::Value) -> bool) -> serde_json::Value {
        self.wait_within(Duration::from_secs(30), wanted)
    }

    /// The same, for what takes longer.
    ///
    /// # Panics
    /// If there is none in that time.
    pub fn wait_within(
        &self,
        time: Duration,
        wanted: impl Fn(&serde_json::Value) -> bool,
    ) -> serde_json::Value {
        let until = Instant::now() + time;
        let mut last = serde_json::Value::Null;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            match self.receiver.recv_timeout(left) {
                Ok(document) if wanted(&document) => return document,
                Ok(document) => last = document,
                Err(_) => panic!("no such status within {time:?}; the last one: {last:#}"),
            }
        }
    }

    /// The next document whose error has that code.
    pub fn wait_for_code(&self, code: &str) -> serde_json::Value {
        self.wait(|document| document["error"]["code"] == code)
    }

    /// The next document in that state.
    pub fn wait_for_state(&self, state: &str) -> serde_json::Value {
        self.wait(|document| document["state"] == state)
    }

    /// Forgets what came so far; how many that were.
    pub fn clear(&self) -> usize {
        self.receiver.try_iter().count()
    }
}

unsafe extern "C" fn changed(ctx: *mut c_void, data: GwcBytes) {
    // SAFETY: ctx is the sender of the Watcher, data the component's for this call.
    let (sender, data) = unsafe { (&*ctx.cast::<Sender<serde_json::Value>>(), text::bytes(data)) };
    let document = serde_json::from_slice(data.expect("bytes")).expect("the status is JSON");
    let _ = sender.send(document);
}

unsafe extern "C" fn get_extension(ctx: *mut c_void, id: GwcStr) -> *const c_void {
    // SAFETY: ctx is the state of the host, id the component's for this call.
    let (state, id) = unsafe { (&*ctx.cast::<State>(), text::text(id).expect("an id")) };
    state.asked.lock().unwrap().insert(id.to_owned());
    state.offers.get(id).copied().unwrap_or(ptr::null())
}

unsafe extern "C" fn max_level(ctx: *mut c_void) -> u32 {
    // SAFETY: ctx is the state of the host.
    unsafe { (*ctx.cast::<State>()).max_level }
}

unsafe extern "C" fn write(ctx: *mut c_void, level: u32, target: GwcStr, message: GwcStr) {
    // SAFETY: as in get_extension.
    let (state, target, message) = unsafe {
        (
            &*ctx.cast::<State>(),
            text::text(target).expect("a target"),
            text::text(message).expect("a message"),
        )
    };
    let line = format!("{level} {target}: {message}");
    state.lines.lock().unwrap().push(line);
}

unsafe extern "C" fn storage_folder(
    ctx: *mut c_void,
    out: GwcSink,
    _err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in get_extension.
    unsafe {
        let state = &*ctx.cast::<State>();
        sink::put_into(out, state.folder.to_str().expect("UTF-8").as_bytes());
    }
    status::OK
}

unsafe extern "C" fn configuration_get(
    ctx: *mut c_void,
    pid: GwcStr,
    _flags: u32,
    out: GwcConfigurationSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in get_extension; err is the component's.
    unsafe {
        let state = &*ctx.cast::<State>();
        let pid = text::text(pid).expect("a pid");
        if !pid.is_empty() && pid != PID {
            let none = CallError::new(status::E_NOT_FOUND, "", format!("no component {pid}"));
            error::write(err, &none);
            return none.status;
        }
        let own = state.own.lock().unwrap().clone();
        let own = Borrowed::new(&own);
        let item = GwcConfigurationItem {
            struct_size: table::size::<GwcConfigurationItem>(),
            reserved: 0,
            pid: GwcStr::borrow(PID),
            factory_pid: GwcStr::borrow(FACTORY_PID),
            properties: own.as_ptr(),
        };
        let list = GwcConfigurationList {
            struct_size: table::size::<GwcConfigurationList>(),
            item_size: table::size::<GwcConfigurationItem>(),
            count: 1,
            items: &item,
        };
        out.put.expect("put")(out.ctx, &list);
    }
    status::OK
}

unsafe extern "C" fn update_own(
    ctx: *mut c_void,
    list: *const GwcProperties,
    _err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in get_extension; list is the component's for this call.
    let (state, changes) = unsafe {
        (
            &*ctx.cast::<State>(),
            properties::read(list).expect("properties"),
        )
    };
    let merged = {
        let mut own = state.own.lock().unwrap();
        own.extend(changes);
        own.clone()
    };
    if let Some(call) = &*state.on_update.lock().unwrap() {
        call(&merged);
    }
    status::OK
}

unsafe extern "C" fn keystore_list(
    ctx: *mut c_void,
    keystore: GwcStr,
    out: GwcKeystoreSink,
    _err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in get_extension.
    unsafe {
        let state = &*ctx.cast::<State>();
        if text::text(keystore).expect("a name") == "SSLKeystore" {
            for (alias, pem) in &state.anchors {
                let entry = GwcKeystoreEntry {
                    struct_size: table::size::<GwcKeystoreEntry>(),
                    kind: ENTRY_TRUSTED_CERTIFICATE,
                    alias: GwcStr::borrow(alias),
                    pem: GwcStr::borrow(pem),
                };
                out.put.expect("put")(out.ctx, &entry);
            }
        }
    }
    status::OK
}

unsafe extern "C" fn system_get(
    ctx: *mut c_void,
    name: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: as in get_extension.
    unsafe {
        let state = &*ctx.cast::<State>();
        let name = text::text(name).expect("a name");
        match state.facts.get(name) {
            Some(value) => {
                sink::put_into(out, value.as_bytes());
                status::OK
            }
            None => {
                let none = CallError::new(status::E_NOT_FOUND, "", name);
                error::write(err, &none);
                none.status
            }
        }
    }
}
