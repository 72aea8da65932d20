//! The library through its C door, as a host in another language sees it.
//!
//! Nothing is checked on the way in: these are the tests that hand over what they should not.
//! Where a pointer is said to be anything, the process is its own sandbox (see `trial`).

// The point of this module is to hand any pointer to the library and see what comes back.
#![allow(clippy::not_unsafe_ptr_arg_deref)]

use std::ffi::c_void;
use std::path::Path;
use std::ptr;

use gateway_component_abi::component::{GwcComponent, GwcComponentOps};
use gateway_component_abi::entry::{GwcEntryFn, GwcModule, ENTRY_SYMBOL};
use gateway_component_abi::ext::action::{GwcAction, EXT_ACTION};
use gateway_component_abi::ext::control_verifier::{GwcControlVerifier, EXT_CONTROL_VERIFIER};
use gateway_component_abi::ext::identity::{GwcIdentity, EXT_IDENTITY};
use gateway_component_abi::ext::preflight::{GwcPreflight, EXT_PREFLIGHT};
use gateway_component_abi::ext::status::{GwcComponentStatus, EXT_STATUS};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::properties::Borrowed;
use gateway_component_abi::safe::sink::Collector;
use gateway_component_abi::safe::table::{self, Table};
use gateway_component_abi::status::{GwcError, GwcStatus, OK};
use gateway_component_abi::types::{GwcBytes, GwcProperties, GwcSink, GwcStr, ABI_MAJOR};
use gateway_component_abi::value::Properties;
use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};

/// The factory pid of the component under test.
pub const FACTORY_PID: &str = "gwc.provisioning.ProvisioningService";

/// What a call returned and, where it failed, said.
pub type Called = Result<(), CallError>;

/// The library, open.
pub struct Plugin {
    library: Library,
    entry: GwcEntryFn,
    /// The module as the door handed it out.
    pub module: *const GwcModule,
    /// Its copy.
    pub table: GwcModule,
    /// A copy of the functions of the instances.
    pub ops: GwcComponentOps,
}

// SAFETY: a module is immutable, and its functions may be called from any thread.
unsafe impl Send for Plugin {}
// SAFETY: as above.
unsafe impl Sync for Plugin {}

impl Plugin {
    /// Opens the library at `path`.
    ///
    /// # Panics
    /// If it cannot be opened, or does not speak this version.
    pub fn open(path: &Path) -> Plugin {
        // SAFETY: the library under test; its module lives as long as the library, which is kept.
        unsafe {
            let library = Library::open(Some(path), RTLD_NOW | RTLD_LOCAL)
                .unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            let entry: GwcEntryFn = *library
                .get(ENTRY_SYMBOL.as_bytes())
                .expect("the library has a C door");
            let module = entry(ABI_MAJOR);
            let table = table::read(module).expect("a module");
            let ops = table::read(table.ops).expect("functions of the instances");
            Plugin {
                library,
                entry,
                module,
                table,
                ops,
            }
        }
    }

    /// What the door answers to a host of that major version.
    pub fn entry(&self, major: u32) -> *const GwcModule {
        // SAFETY: any number may be asked for.
        unsafe { (self.entry)(major) }
    }

    /// Unloads the library, as far as the system does.
    ///
    /// # Panics
    /// If the system refuses.
    pub fn close(self) {
        self.library.close().expect("dlclose");
    }

    /// The descriptor of `factory_pid`.
    pub fn metatype(&self, factory_pid: &str, locale: &str) -> Result<String, CallError> {
        let mut out = Collector::new();
        let sink = out.sink();
        called(|err| {
            self.raw_metatype(
                GwcStr::borrow(factory_pid),
                GwcStr::borrow(locale),
                sink,
                err,
            )
        })?;
        Ok(String::from_utf8(out.take().expect("it put a descriptor")).expect("UTF-8"))
    }

    /// `metatype` with any arguments.
    pub fn raw_metatype(
        &self,
        factory_pid: GwcStr,
        locale: GwcStr,
        out: GwcSink,
        err: *mut GwcError,
    ) -> GwcStatus {
        // SAFETY: see the module documentation.
        unsafe { self.table.metatype.expect("metatype")(factory_pid, locale, out, err) }
    }

    /// An instance that sees `host`, which must outlive it.
    pub fn create(&self, host: *const GwcHost, name: &str) -> Result<Instance<'_>, CallError> {
        let mut this = ptr::null_mut();
        called(|err| {
            self.raw_create(
                GwcStr::borrow(FACTORY_PID),
                host,
                GwcStr::borrow(name),
                &mut this,
                err,
            )
        })?;
        assert!(!this.is_null(), "create succeeded without an instance");
        Ok(Instance { plugin: self, this })
    }

    /// `create` with any arguments.
    pub fn raw_create(
        &self,
        factory_pid: GwcStr,
        host: *const GwcHost,
        name: GwcStr,
        out: *mut *mut GwcComponent,
        err: *mut GwcError,
    ) -> GwcStatus {
        // SAFETY: see the module documentation.
        unsafe { self.table.create.expect("create")(factory_pid, host, name, out, err) }
    }
}

/// An instance. Not destroyed when dropped: how it ends is what is tested.
#[derive(Clone, Copy)]
pub struct Instance<'a> {
    plugin: &'a Plugin,
    /// The instance itself.
    pub this: *mut GwcComponent,
}

// SAFETY: the functions of an instance may be called from any thread.
unsafe impl Send for Instance<'_> {}
// SAFETY: as above; two control calls at a time are what some of the tests are about.
unsafe impl Sync for Instance<'_> {}

impl<'a> Instance<'a> {
    /// Calls the functions of `plugin` with any instance, or none.
    pub fn of(plugin: &'a Plugin, this: *mut GwcComponent) -> Self {
        Instance { plugin, this }
    }

    /// `activate`.
    pub fn activate(&self, properties: &Properties) -> Called {
        let list = Borrowed::new(properties);
        called(|err| self.raw_activate(list.as_ptr(), err))
    }

    /// `activate` with any arguments.
    pub fn raw_activate(&self, list: *const GwcProperties, err: *mut GwcError) -> GwcStatus {
        // SAFETY: see the module documentation.
        unsafe { self.plugin.ops.activate.expect("activate")(self.this, list, err) }
    }

    /// `update`.
    pub fn update(&self, properties: &Properties) -> Called {
        let list = Borrowed::new(properties);
        called(|err| self.raw_update(list.as_ptr(), err))
    }

    /// `update` with any arguments.
    pub fn raw_update(&self, list: *const GwcProperties, err: *mut GwcError) -> GwcStatus {
        // SAFETY: see the module documentation.
        unsafe { self.plugin.ops.update.expect("update")(self.this, list, err) }
    }

    /// `deactivate`.
    pub fn deactivate(&self) -> Called {
        called(|err| self.raw_deactivate(err))
    }

    /// `deactivate` with any error buffer.
    pub fn raw_deactivate(&self, err: *mut GwcError) -> GwcStatus {
        // SAFETY: see the module documentation.
        unsafe { self.plugin.ops.deactivate.expect("deactivate")(self.this, err) }
    }

    /// `destroy`; after success the instance is gone.
    pub fn destroy(&self) -> Called {
        // SAFETY: see the module documentation.
        called(|err| unsafe { self.plugin.ops.destroy.expect("destroy")(self.this, err) })
    }

    /// `get_extension`.
    pub fn extension(&self, id: &str) -> *const c_void {
        self.raw_extension(GwcStr::borrow(id))
    }

    /// `get_extension` with any id.
    pub fn raw_extension(&self, id: GwcStr) -> *const c_void {
        // SAFETY: see the module documentation.
        unsafe { self.plugin.ops.get_extension.expect("get_extension")(self.this, id) }
    }

    fn table<T: Table>(&self, id: &str) -> T {
        // SAFETY: what get_extension returns for this id is this table.
        unsafe { table::read(self.extension(id).cast::<T>()) }.expect(id)
    }

    /// The table of `gwc.status/1`.
    pub fn status_table(&self) -> GwcComponentStatus {
        self.table(EXT_STATUS)
    }

    /// The table of `gwc.identity/1`.
    pub fn identity_table(&self) -> GwcIdentity {
        self.table(EXT_IDENTITY)
    }

    /// The table of `gwc.preflight/1`.
    pub fn preflight_table(&self) -> GwcPreflight {
        self.table(EXT_PREFLIGHT)
    }

    /// The table of `gwc.action/1`.
    pub fn action_table(&self) -> GwcAction {
        self.table(EXT_ACTION)
    }

    /// The status document.
    pub fn status(&self) -> Result<serde_json::Value, CallError> {
        let get = self.status_table().get.expect("get");
        // SAFETY: a function of the instance.
        json(|out, err| unsafe { get(self.this, out, err) })
    }

    /// `gwc.status/1 watch`: `put` is called from the component's thread.
    pub fn watch(&self, changed: GwcSink) -> Called {
        let watch = self.status_table().watch.expect("watch");
        // SAFETY: a function of the instance; the sink is the caller's.
        called(|err| unsafe { watch(self.this, changed, err) })
    }

    /// The identity sheet.
    pub fn identity(&self) -> Result<serde_json::Value, CallError> {
        let get = self.identity_table().get.expect("get");
        // SAFETY: a function of the instance.
        json(|out, err| unsafe { get(self.this, out, err) })
    }

    /// The local checks.
    pub fn preflight(&self) -> Result<serde_json::Value, CallError> {
        let run = self.preflight_table().run.expect("run");
        // SAFETY: a function of the instance.
        json(|out, err| unsafe { run(self.this, out, err) })
    }

    /// `gwc.control-verifier/1 verify`.
    pub fn verify(
        &self,
        account: &str,
        client_id: &str,
        application_topic: &str,
        payload: GwcBytes,
    ) -> Called {
        let verifier: GwcControlVerifier = self.table(EXT_CONTROL_VERIFIER);
        let verify = verifier.verify.expect("verify");
        let [account, client_id, topic] =
            [account, client_id, application_topic].map(GwcStr::borrow);
        // SAFETY: a function of the instance; what is handed over is the caller's.
        called(|err| unsafe { verify(self.this, account, client_id, topic, payload, err) })
    }

    /// `gwc.action/1 cancel`.
    pub fn cancel(&self) -> Called {
        let cancel = self.action_table().cancel.expect("cancel");
        // SAFETY: a function of the instance.
        called(|err| unsafe { cancel(self.this, err) })
    }

    /// `gwc.action/1 system_changed`.
    pub fn system_changed(&self) -> Called {
        let changed = self.action_table().system_changed.expect("system_changed");
        // SAFETY: a function of the instance.
        called(|err| unsafe { changed(self.this, err) })
    }
}

/// The result of a call with an error buffer as it should be.
pub fn called(call: impl FnOnce(*mut GwcError) -> GwcStatus) -> Called {
    let mut err = error::blank();
    match call(&mut err) {
        OK => Ok(()),
        status => {
            assert_eq!(
                err.status, status,
                "the status in the error is the status returned"
            );
            Err(error::read(status, &err))
        }
    }
}

fn json(
    call: impl FnOnce(GwcSink, *mut GwcError) -> GwcStatus,
) -> Result<serde_json::Value, CallError> {
    let mut out = Collector::new();
    let sink = out.sink();
    called(|err| call(sink, err))?;
    let bytes = out.take().expect("it put a document");
    Ok(serde_json::from_slice(&bytes).expect("the document is JSON"))
}
