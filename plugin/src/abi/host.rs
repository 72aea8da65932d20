//! The host's tables as [`Host`]: copied once at create, called from the worker.

use std::os::raw::c_void;
use std::path::PathBuf;

use gateway_component_abi::ext::cloud_connection::{GwcCloudConnection, EXT_CLOUD_CONNECTION};
use gateway_component_abi::ext::configuration::{
    GwcConfiguration, GwcConfigurationSink, CONFIGURATION_SECRETS, EXT_CONFIGURATION,
};
use gateway_component_abi::ext::crypto::{GwcCrypto, EXT_CRYPTO};
use gateway_component_abi::ext::events::{GwcEvents, EXT_EVENTS};
use gateway_component_abi::ext::keystore::{GwcKeystore, EXT_KEYSTORE};
use gateway_component_abi::ext::log::{GwcLog, EXT_LOG};
use gateway_component_abi::ext::packages::{GwcPackages, EXT_PACKAGES};
use gateway_component_abi::ext::storage::{GwcStorage, EXT_STORAGE};
use gateway_component_abi::ext::system::{GwcSystem, EXT_SYSTEM};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::properties::Borrowed;
use gateway_component_abi::safe::sink::Collector;
use gateway_component_abi::safe::table::{self, Table};
use gateway_component_abi::safe::Misuse;
use gateway_component_abi::status::{self, GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcSink, GwcStr};
use gateway_component_abi::value::{Properties, Secret};

use super::host_lists::{
    BorrowedList, ConfigurationCollector, ConnectionCollector, KeystoreCollector, ListCollector,
    Passage,
};
use crate::host::{Configuration, Connection, Host, HostResult, KeystoreEntry};

/// Copies of the tables that a host offers.
pub struct HostTables {
    ctx: *mut c_void,
    log: Option<GwcLog>,
    storage: Option<GwcStorage>,
    configuration: Option<GwcConfiguration>,
    keystore: Option<GwcKeystore>,
    system: Option<GwcSystem>,
    packages: Option<GwcPackages>,
    cloud_connection: Option<GwcCloudConnection>,
    crypto: Option<GwcCrypto>,
    events: Option<GwcEvents>,
}

// SAFETY: the host promises that ctx and its functions may be used from any thread ([any-thread])
// or from the component's worker, one at a time ([worker]); host.h.
unsafe impl Send for HostTables {}
// SAFETY: as above; the copies are never changed.
unsafe impl Sync for HostTables {}

impl HostTables {
    /// Copies what `host` offers.
    ///
    /// # Safety
    /// `host` is null or a `gwc_host`, valid for the call; its tables live until destroy.
    pub unsafe fn read(host: *const GwcHost) -> Result<Self, Misuse> {
        // SAFETY: as the caller promises.
        let host = unsafe { table::read(host) }?;
        let Some(get) = host.get_extension else {
            return Err(Misuse("gwc_host: get_extension is NULL".into()));
        };
        // SAFETY: as the caller promises.
        unsafe {
            Ok(HostTables {
                ctx: host.ctx,
                log: extension(host.ctx, get, EXT_LOG)?,
                storage: extension(host.ctx, get, EXT_STORAGE)?,
                configuration: extension(host.ctx, get, EXT_CONFIGURATION)?,
                keystore: extension(host.ctx, get, EXT_KEYSTORE)?,
                system: extension(host.ctx, get, EXT_SYSTEM)?,
                packages: extension(host.ctx, get, EXT_PACKAGES)?,
                cloud_connection: extension(host.ctx, get, EXT_CLOUD_CONNECTION)?,
                crypto: extension(host.ctx, get, EXT_CRYPTO)?,
                events: extension(host.ctx, get, EXT_EVENTS)?,
            })
        }
    }

    /// The most detailed level that the host wants; 0 for none.
    pub fn max_level(&self) -> u32 {
        match self.log.and_then(|log| log.max_level) {
            // SAFETY: the host's function with its own ctx.
            Some(max_level) => unsafe { max_level(self.ctx) },
            None => 0,
        }
    }

    /// The error that a table is not there. A host that lacks one required service often lacks
    /// more: all of them are named.
    fn without(&self, field: &str) -> CallError {
        let (id, missing) = (id(field), self.missing());
        if missing.contains(&id.as_str()) {
            return lacking(&missing.join(", "));
        }
        lacking(&id)
    }

    /// One line into the host's log.
    pub fn write_log(&self, level: u32, target: &str, line: &str) {
        if let Some(write) = self.log.and_then(|log| log.write) {
            // SAFETY: as above; the texts live for the call.
            unsafe {
                write(
                    self.ctx,
                    level,
                    GwcStr::borrow(target),
                    GwcStr::borrow(line),
                )
            };
        }
    }
}

type GetExtension = unsafe extern "C" fn(*mut c_void, GwcStr) -> *const c_void;

/// # Safety
/// As [`HostTables::read`].
unsafe fn extension<T: Table>(
    ctx: *mut c_void,
    get: GetExtension,
    id: &'static str,
) -> Result<Option<T>, Misuse> {
    // SAFETY: the host's function with its own ctx; the table is null or as it says.
    unsafe {
        let pointer = get(ctx, GwcStr::borrow(id));
        if pointer.is_null() {
            return Ok(None);
        }
        table::read(pointer.cast::<T>()).map(Some)
    }
}

fn lacking(what: &str) -> CallError {
    CallError::new(
        status::E_UNSUPPORTED,
        "host.unsupported",
        format!("the host offers no {what}"),
    )
}

fn garbage(what: &str) -> CallError {
    CallError::new(
        status::E_INTERNAL,
        "",
        format!("the host's {what} said success without a readable result"),
    )
}

fn checked(call: impl FnOnce(*mut GwcError) -> GwcStatus) -> HostResult<()> {
    let mut err = error::blank();
    match call(&mut err) {
        status::OK => Ok(()),
        other => Err(error::read(other, &err)),
    }
}

fn collected(
    what: &str,
    call: impl FnOnce(GwcSink, *mut GwcError) -> GwcStatus,
) -> HostResult<Vec<u8>> {
    let mut collector = Collector::new();
    let sink = collector.sink();
    checked(|err| call(sink, err))?;
    collector.take().ok_or_else(|| garbage(what))
}

fn as_text(what: &str, bytes: Vec<u8>) -> HostResult<String> {
    String::from_utf8(bytes).map_err(|_| garbage(what))
}

/// The function `$function` of the table `$field`, or the error that it is not offered.
macro_rules! function {
    ($self:ident, $field:ident, $function:ident) => {
        $self
            .$field
            .as_ref()
            .ok_or_else(|| $self.without(stringify!($field)))?
            .$function
            .ok_or_else(|| {
                lacking(&format!(
                    "{} {}",
                    id(stringify!($field)),
                    stringify!($function)
                ))
            })?
    };
}

/// The id of the extension whose table is the field `field`.
fn id(field: &str) -> String {
    format!("gwc.{}/1", field.replace('_', "-"))
}

// SAFETY of every unsafe block below: a function of the host's own table is called with the
// host's own ctx; all pointers are borrowed for the call or null where the header allows it.
#[allow(clippy::undocumented_unsafe_blocks)]
impl Host for HostTables {
    fn missing(&self) -> Vec<&'static str> {
        let mut missing = Vec::new();
        if self.storage.is_none() {
            missing.push(EXT_STORAGE);
        }
        if self.configuration.is_none() {
            missing.push(EXT_CONFIGURATION);
        }
        if self.keystore.is_none() {
            missing.push(EXT_KEYSTORE);
        }
        if self.system.is_none() {
            missing.push(EXT_SYSTEM);
        }
        missing
    }

    fn storage_folder(&self) -> HostResult<PathBuf> {
        let folder = function!(self, storage, folder);
        let path = collected("folder", |out, err| unsafe { folder(self.ctx, out, err) })?;
        let path = PathBuf::from(as_text("folder", path)?);
        if path.is_absolute() {
            // Links above are the host's own; nobody may put one below. If the path cannot be
            // looked at, its use says so.
            Ok(durable_file::resolve(&path).unwrap_or(path))
        } else {
            Err(garbage("folder"))
        }
    }

    fn configurations(&self, pid: &str, secrets: bool) -> HostResult<Vec<Configuration>> {
        let get = function!(self, configuration, get);
        let flags = if secrets { CONFIGURATION_SECRETS } else { 0 };
        let mut collector = ConfigurationCollector::new();
        let out = collector.sink();
        checked(|err| unsafe { get(self.ctx, GwcStr::borrow(pid), flags, out, err) })?;
        collector.take().ok_or_else(|| garbage("configuration"))
    }

    fn update_own(&self, properties: &Properties) -> HostResult<()> {
        let update = function!(self, configuration, update_own);
        let list = Borrowed::new(properties);
        checked(|err| unsafe { update(self.ctx, list.as_ptr(), err) })
    }

    fn validate(&self, list: &[Configuration], metatypes: &[&[u8]]) -> HostResult<()> {
        let validate = function!(self, configuration, validate);
        let list = BorrowedList::new(list);
        let metatypes: Vec<GwcBytes> = metatypes.iter().map(|m| GwcBytes::borrow(m)).collect();
        // Only the verdict is wanted: the result would be held twice more, here and by the host.
        let out = GwcConfigurationSink {
            ctx: std::ptr::null_mut(),
            put: None,
        };
        checked(|err| unsafe {
            validate(
                self.ctx,
                list.as_ptr(),
                metatypes.as_ptr(),
                metatypes.len() as u64,
                out,
                err,
            )
        })
    }

    fn capture(&self, pids: &[&str]) -> HostResult<Vec<u8>> {
        let capture = function!(self, configuration, capture);
        let pids: Vec<GwcStr> = pids.iter().map(|pid| GwcStr::borrow(pid)).collect();
        collected("capture", |out, err| unsafe {
            capture(self.ctx, pids.as_ptr(), pids.len() as u64, out, err)
        })
    }

    fn apply(&self, key: &str, list: &[Configuration]) -> HostResult<()> {
        let apply = function!(self, configuration, apply);
        let list = BorrowedList::new(list);
        checked(|err| unsafe { apply(self.ctx, GwcStr::borrow(key), list.as_ptr(), err) })
    }

    fn restore(&self, key: &str, undo: &[u8]) -> HostResult<()> {
        let restore = function!(self, configuration, restore);
        checked(|err| unsafe {
            restore(self.ctx, GwcStr::borrow(key), GwcBytes::borrow(undo), err)
        })
    }

    fn keystore(&self, keystore: &str) -> HostResult<Vec<KeystoreEntry>> {
        let list = function!(self, keystore, list);
        let mut collector: KeystoreCollector = ListCollector::new();
        let out = collector.keystore_sink();
        checked(|err| unsafe { list(self.ctx, GwcStr::borrow(keystore), out, err) })?;
        collector.take().ok_or_else(|| garbage("keystore"))
    }

    fn put_certificate(&self, key: &str, keystore: &str, alias: &str, pem: &str) -> HostResult<()> {
        let put = function!(self, keystore, put_certificate);
        checked(|err| unsafe {
            put(
                self.ctx,
                GwcStr::borrow(key),
                GwcStr::borrow(keystore),
                GwcStr::borrow(alias),
                GwcStr::borrow(pem),
                err,
            )
        })
    }

    fn remove_entry(&self, key: &str, keystore: &str, alias: &str) -> HostResult<()> {
        let remove = function!(self, keystore, remove);
        checked(|err| unsafe {
            remove(
                self.ctx,
                GwcStr::borrow(key),
                GwcStr::borrow(keystore),
                GwcStr::borrow(alias),
                err,
            )
        })
    }

    fn create_key(
        &self,
        key: &str,
        keystore: &str,
        alias: &str,
        algorithm: &str,
        size: u32,
    ) -> HostResult<()> {
        let create = function!(self, keystore, create_key);
        checked(|err| unsafe {
            create(
                self.ctx,
                GwcStr::borrow(key),
                GwcStr::borrow(keystore),
                GwcStr::borrow(alias),
                GwcStr::borrow(algorithm),
                size,
                err,
            )
        })
    }

    fn csr(
        &self,
        keystore: &str,
        alias: &str,
        subject: &str,
        signature_algorithm: &str,
    ) -> HostResult<String> {
        let csr = function!(self, keystore, csr);
        let pem = collected("csr", |out, err| unsafe {
            csr(
                self.ctx,
                GwcStr::borrow(keystore),
                GwcStr::borrow(alias),
                GwcStr::borrow(subject),
                GwcStr::borrow(signature_algorithm),
                out,
                err,
            )
        })?;
        as_text("csr", pem)
    }

    fn put_chain(&self, key: &str, keystore: &str, alias: &str, pem: &str) -> HostResult<()> {
        let put = function!(self, keystore, put_chain);
        checked(|err| unsafe {
            put(
                self.ctx,
                GwcStr::borrow(key),
                GwcStr::borrow(keystore),
                GwcStr::borrow(alias),
                GwcStr::borrow(pem),
                err,
            )
        })
    }

    fn private_key(&self, keystore: &str, alias: &str) -> HostResult<Secret> {
        let private_key = function!(self, keystore, private_key);
        let pem = collected("private_key", |out, err| unsafe {
            private_key(
                self.ctx,
                GwcStr::borrow(keystore),
                GwcStr::borrow(alias),
                out,
                err,
            )
        })?;
        as_text("private_key", pem).map(Secret::new)
    }

    fn system(&self, name: &str) -> HostResult<Option<String>> {
        let get = function!(self, system, get);
        let result = collected("system property", |out, err| unsafe {
            get(self.ctx, GwcStr::borrow(name), out, err)
        });
        match result {
            Ok(value) => as_text("system property", value).map(Some),
            Err(error) if error.status == status::E_NOT_FOUND => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn connection(&self) -> HostResult<Option<Connection>> {
        if self.cloud_connection.is_none() {
            return Ok(None);
        }
        let describe = function!(self, cloud_connection, describe);
        let mut collector: ConnectionCollector = ListCollector::new();
        let out = collector.connection_sink();
        checked(|err| unsafe { describe(self.ctx, out, err) })?;
        let connections = collector
            .take()
            .ok_or_else(|| garbage("cloud connection"))?;
        connections
            .into_iter()
            .next()
            .map(Some)
            .ok_or_else(|| garbage("cloud connection"))
    }

    fn disconnect(&self) -> HostResult<()> {
        let disconnect = function!(self, cloud_connection, disconnect);
        checked(|err| unsafe { disconnect(self.ctx, err) })
    }

    fn connect(&self, transaction: &str) -> HostResult<()> {
        if self.cloud_connection.is_none() {
            return Ok(());
        }
        let connect = function!(self, cloud_connection, connect);
        checked(|err| unsafe { connect(self.ctx, GwcStr::borrow(transaction), err) })
    }

    fn release(&self) -> HostResult<()> {
        // A host from before this function had no hold that outlives it.
        match self.cloud_connection.as_ref().and_then(|c| c.release) {
            Some(release) => checked(|err| unsafe { release(self.ctx, err) }),
            None => Ok(()),
        }
    }

    fn encrypt(&self, clear: &[u8], take: &mut dyn FnMut(&[u8])) -> HostResult<bool> {
        if self.crypto.is_none() {
            return Ok(false);
        }
        let encrypt = function!(self, crypto, encrypt);
        let mut passage = Passage::new(take);
        let out = passage.sink();
        checked(|err| unsafe { encrypt(self.ctx, GwcBytes::borrow(clear), out, err) })?;
        match passage.was_taken() {
            true => Ok(true),
            false => Err(garbage("encrypt")),
        }
    }

    fn decrypt(&self, sealed: &[u8]) -> HostResult<Vec<u8>> {
        let decrypt = function!(self, crypto, decrypt);
        collected("decrypt", |out, err| unsafe {
            decrypt(self.ctx, GwcBytes::borrow(sealed), out, err)
        })
    }

    fn installs_packages(&self) -> bool {
        self.packages.is_some()
    }

    fn install_package(&self, key: &str, name: &str, version: &str, path: &str) -> HostResult<()> {
        let install = function!(self, packages, install);
        checked(|err| unsafe {
            install(
                self.ctx,
                GwcStr::borrow(key),
                GwcStr::borrow(name),
                GwcStr::borrow(version),
                GwcStr::borrow(path),
                err,
            )
        })
    }

    fn inspect_package(&self, name: &str, version: &str, path: &str) -> HostResult<Vec<Vec<u8>>> {
        let inspect = function!(self, packages, inspect);
        let mut collector: ListCollector<Vec<u8>> = ListCollector::new();
        let out = collector.bytes_sink();
        checked(|err| unsafe {
            inspect(
                self.ctx,
                GwcStr::borrow(name),
                GwcStr::borrow(version),
                GwcStr::borrow(path),
                out,
                err,
            )
        })?;
        collector.take().ok_or_else(|| garbage("inspect"))
    }

    fn revert_package(&self, key: &str) -> HostResult<()> {
        let revert = function!(self, packages, revert);
        checked(|err| unsafe { revert(self.ctx, GwcStr::borrow(key), err) })
    }

    fn settle_package(&self, key: &str) -> HostResult<()> {
        let settle = function!(self, packages, settle);
        checked(|err| unsafe { settle(self.ctx, GwcStr::borrow(key), err) })
    }

    fn post(&self, topic: &str, json: &str) -> HostResult<()> {
        if self.events.is_none() {
            return Ok(());
        }
        let post = function!(self, events, post);
        checked(|err| unsafe { post(self.ctx, GwcStr::borrow(topic), GwcStr::borrow(json), err) })
    }
}
