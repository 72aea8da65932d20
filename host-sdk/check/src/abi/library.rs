//! A library through its C door, with the raw functions in reach.

use std::collections::BTreeSet;
use std::ffi::c_void;
use std::path::Path;
use std::ptr;

use gateway_component_abi::component::{GwcComponent, GwcComponentOps};
use gateway_component_abi::entry::{GwcComponentInfo, GwcEntryFn, GwcModule, ENTRY_SYMBOL};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::safe::properties::Borrowed;
use gateway_component_abi::safe::sink::Collector;
use gateway_component_abi::safe::{table, text};
use gateway_component_abi::status::{GwcError, GwcStatus, E_INTERNAL, OK};
use gateway_component_abi::types::{GwcProperties, GwcSink, GwcStr, ABI_MAJOR};
use gateway_component_abi::value::Properties;
use libloading::os::unix::{Library as Object, RTLD_LOCAL, RTLD_NOW};

/// What a call returned and, where it failed, said.
pub(crate) type Called = Result<(), CallError>;

type MetatypeFn = unsafe extern "C" fn(GwcStr, GwcStr, GwcSink, *mut GwcError) -> GwcStatus;
type CreateFn = unsafe extern "C" fn(
    GwcStr,
    *const GwcHost,
    GwcStr,
    *mut *mut GwcComponent,
    *mut GwcError,
) -> GwcStatus;
type ConfigureFn =
    unsafe extern "C" fn(*mut GwcComponent, *const GwcProperties, *mut GwcError) -> GwcStatus;
type EndFn = unsafe extern "C" fn(*mut GwcComponent, *mut GwcError) -> GwcStatus;
type ExtensionFn = unsafe extern "C" fn(*mut GwcComponent, GwcStr) -> *const c_void;

/// The library, open.
pub(crate) struct Library {
    object: Object,
    entry: GwcEntryFn,
    /// What it says of itself.
    pub(crate) module: GwcModule,
    /// The factory pids.
    pub(crate) pids: Vec<String>,
    metatype: MetatypeFn,
    create: CreateFn,
    activate: ConfigureFn,
    update: ConfigureFn,
    deactivate: EndFn,
    destroy: EndFn,
    extension: ExtensionFn,
}

impl Library {
    /// Opens the library at `path`.
    ///
    /// # Errors
    /// One line: it cannot be opened, or its module is not one.
    pub(crate) fn open(path: &Path) -> Result<Library, String> {
        // SAFETY: the library on trial; its module lives as long as the library, which is kept.
        unsafe {
            let object = Object::open(Some(path), RTLD_NOW | RTLD_LOCAL)
                .map_err(|e| format!("it cannot be opened: {e}"))?;
            let entry: GwcEntryFn = *object
                .get(ENTRY_SYMBOL.as_bytes())
                .map_err(|_| format!("it exports no {ENTRY_SYMBOL}"))?;
            let module = entry(ABI_MAJOR);
            if module.is_null() {
                return Err(format!("{ENTRY_SYMBOL}({ABI_MAJOR}) returns NULL"));
            }
            let module = table::read(module).map_err(|e| e.to_string())?;
            let ops: GwcComponentOps =
                table::read(module.ops).map_err(|e| format!("ops of the module: {e}"))?;
            let pids = pids(&module)?;
            let lacks = |name: &'static str| format!("it has no function {name}");
            Ok(Library {
                object,
                entry,
                metatype: module.metatype.ok_or_else(|| lacks("metatype"))?,
                create: module.create.ok_or_else(|| lacks("create"))?,
                activate: ops.activate.ok_or_else(|| lacks("activate"))?,
                update: ops.update.ok_or_else(|| lacks("update"))?,
                deactivate: ops.deactivate.ok_or_else(|| lacks("deactivate"))?,
                destroy: ops.destroy.ok_or_else(|| lacks("destroy"))?,
                extension: ops.get_extension.ok_or_else(|| lacks("get_extension"))?,
                module,
                pids,
            })
        }
    }

    /// What the door answers to a host of that major version: whether there is a module.
    pub(crate) fn accepts(&self, major: u32) -> bool {
        // SAFETY: any number may be asked for.
        !unsafe { (self.entry)(major) }.is_null()
    }

    /// The texts of the module: name, version, vendor, build date.
    pub(crate) fn texts(&self) -> Result<[String; 4], String> {
        let read = |name: &str, value: GwcStr| {
            // SAFETY: owned by the module, which is open.
            unsafe { text::text(value) }
                .map(str::to_owned)
                .map_err(|e| format!("{name} of the module: {e}"))
        };
        Ok([
            read("name", self.module.name)?,
            read("version", self.module.version)?,
            read("vendor", self.module.vendor)?,
            read("build_date", self.module.build_date)?,
        ])
    }

    /// Unloads the library, as far as the system does.
    pub(crate) fn close(self) -> Result<(), String> {
        self.object.close().map_err(|e| format!("dlclose: {e}"))
    }

    /// The descriptor of a factory pid.
    pub(crate) fn metatype(&self, pid: &str, locale: &str) -> Result<String, CallError> {
        let mut out = Collector::new();
        let sink = out.sink();
        let (pid, locale) = (GwcStr::borrow(pid), GwcStr::borrow(locale));
        called(|err| self.raw_metatype(pid, locale, sink, err))?;
        let nothing = || CallError::new(E_INTERNAL, "", "it succeeded without a readable result");
        String::from_utf8(out.take().ok_or_else(nothing)?).map_err(|_| nothing())
    }

    /// `metatype` with any arguments.
    pub(crate) fn raw_metatype(
        &self,
        pid: GwcStr,
        locale: GwcStr,
        out: GwcSink,
        err: *mut GwcError,
    ) -> GwcStatus {
        // SAFETY: see the module.
        unsafe { (self.metatype)(pid, locale, out, err) }
    }

    /// An instance that sees `host`, which must outlive it.
    pub(crate) fn create(
        &self,
        pid: &str,
        host: *const GwcHost,
    ) -> Result<Instance<'_>, CallError> {
        self.create_named(pid, host, &format!("{pid}-check"))
    }

    /// As [`create`](Self::create), of that name.
    pub(crate) fn create_named(
        &self,
        pid: &str,
        host: *const GwcHost,
        name: &str,
    ) -> Result<Instance<'_>, CallError> {
        let mut this = ptr::null_mut();
        let (pid, name) = (GwcStr::borrow(pid), GwcStr::borrow(name));
        called(|err| self.raw_create(pid, host, name, &raw mut this, err))?;
        if this.is_null() {
            return Err(CallError::new(
                E_INTERNAL,
                "",
                "it succeeded without an instance",
            ));
        }
        Ok(Instance {
            library: self,
            this,
        })
    }

    /// `create` with any arguments.
    pub(crate) fn raw_create(
        &self,
        pid: GwcStr,
        host: *const GwcHost,
        name: GwcStr,
        out: *mut *mut GwcComponent,
        err: *mut GwcError,
    ) -> GwcStatus {
        // SAFETY: see the module.
        unsafe { (self.create)(pid, host, name, out, err) }
    }

    /// No instance, to call the functions with.
    pub(crate) fn nobody(&self) -> Instance<'_> {
        Instance {
            library: self,
            this: ptr::null_mut(),
        }
    }
}

fn pids(module: &GwcModule) -> Result<Vec<String>, String> {
    let stride = usize::try_from(module.component_size).unwrap_or(0);
    let count = usize::try_from(module.component_count).unwrap_or(usize::MAX);
    if count == 0 {
        return Err("it makes no component".to_owned());
    }
    if module.components.is_null()
        || !table::STRIDES.contains(&stride)
        || stride % 8 != 0
        || count > 1000
    {
        return Err(
            "components, component_size or component_count of the module is wrong".to_owned(),
        );
    }
    let mut pids = BTreeSet::new();
    for index in 0..count {
        // SAFETY: the module placed `count` of them `stride` bytes apart; it is open.
        let pid = unsafe {
            let info = module.components.cast::<u8>().add(index * stride);
            let info = table::read(info.cast::<GwcComponentInfo>()).map_err(|e| e.to_string())?;
            text::text(info.factory_pid)
                .map_err(|e| format!("factory_pid: {e}"))?
                .to_owned()
        };
        if pid.is_empty() || !pids.insert(pid.clone()) {
            return Err(format!("factory pid {pid:?} is empty or occurs twice"));
        }
    }
    Ok(pids.into_iter().collect())
}

/// An instance. Not destroyed when dropped: how it ends is what is tried.
#[derive(Clone, Copy)]
pub(crate) struct Instance<'a> {
    library: &'a Library,
    /// The instance itself.
    pub(crate) this: *mut GwcComponent,
}

// SAFETY: the functions of an instance may be called from any thread.
unsafe impl Send for Instance<'_> {}
// SAFETY: as above; two control calls at a time are what some of the trials are about.
unsafe impl Sync for Instance<'_> {}
// SAFETY: a module is immutable, and its functions may be called from any thread.
unsafe impl Sync for Library {}

impl Instance<'_> {
    /// `activate`.
    pub(crate) fn activate(&self, properties: &Properties) -> Called {
        let list = Borrowed::new(properties);
        called(|err| self.raw_activate(list.as_ptr(), err))
    }

    /// `activate` with any list.
    pub(crate) fn raw_activate(&self, list: *const GwcProperties, err: *mut GwcError) -> GwcStatus {
        // SAFETY: see the module.
        unsafe { (self.library.activate)(self.this, list, err) }
    }

    /// `update`.
    pub(crate) fn update(&self, properties: &Properties) -> Called {
        let list = Borrowed::new(properties);
        called(|err| self.raw_update(list.as_ptr(), err))
    }

    /// `update` with any list.
    pub(crate) fn raw_update(&self, list: *const GwcProperties, err: *mut GwcError) -> GwcStatus {
        // SAFETY: see the module.
        unsafe { (self.library.update)(self.this, list, err) }
    }

    /// `deactivate`.
    pub(crate) fn deactivate(&self) -> Called {
        called(|err| self.raw_deactivate(err))
    }

    /// `deactivate` with any error buffer.
    pub(crate) fn raw_deactivate(&self, err: *mut GwcError) -> GwcStatus {
        // SAFETY: see the module.
        unsafe { (self.library.deactivate)(self.this, err) }
    }

    /// `destroy`; after success the instance is gone.
    pub(crate) fn destroy(&self) -> Called {
        // SAFETY: see the module.
        called(|err| unsafe { (self.library.destroy)(self.this, err) })
    }

    /// Whether there is an extension of that id, which may be any.
    pub(crate) fn has_extension(&self, id: GwcStr) -> bool {
        // SAFETY: see the module.
        !unsafe { (self.library.extension)(self.this, id) }.is_null()
    }
}

/// An error buffer as it should be.
pub(crate) fn blank() -> GwcError {
    error::blank()
}

/// A call with an error buffer as it should be.
pub(crate) fn called(call: impl FnOnce(*mut GwcError) -> GwcStatus) -> Called {
    let mut err = error::blank();
    match call(&raw mut err) {
        OK => Ok(()),
        status => Err(error::read(status, &err)),
    }
}
