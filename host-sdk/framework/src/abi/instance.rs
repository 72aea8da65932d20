//! One instance of a component, with safe functions.

use std::ffi::c_void;
use std::panic::{self, AssertUnwindSafe};
use std::ptr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use gateway_component_abi::component::GwcComponent;
use gateway_component_abi::safe::{error, properties, table, text};
use gateway_component_abi::status::{GwcError, GwcStatus};
use gateway_component_abi::types::{GwcBytes, GwcProperties, GwcSink, GwcStr};
use gateway_component_abi::value::Properties;

use super::context::{in_control, Context};
use super::module::{refused, Table};
use crate::component::services::Services;
use crate::loader::ComponentError;

type LifecycleFn =
    unsafe extern "C" fn(*mut GwcComponent, *const GwcProperties, *mut GwcError) -> GwcStatus;
type PlainFn = unsafe extern "C" fn(*mut GwcComponent, *mut GwcError) -> GwcStatus;

/// Who hears of changes of the status document.
type Listener = Box<dyn Fn(&str) + Send + Sync>;

/// An instance of a component. Destroyed when dropped, which deactivates it first where necessary;
/// whoever shares it in an `Arc` decides who is the last.
///
/// [`activate`](Self::activate), [`update`](Self::update), [`deactivate`](Self::deactivate) and
/// [`watch`](Self::watch) wait for each other; the others may be called at any time from any thread.
pub struct Instance {
    this: *mut GwcComponent,
    pid: String,
    table: Arc<Table>,
    control: Mutex<()>,
    /// What the component was told to call; kept until destroy has returned.
    listener: Mutex<Option<Box<Listener>>>,
    /// What its `ctx` points to; `None` once it is destroyed.
    context: Option<Box<Context>>,
}

// SAFETY: the contract makes the component's functions callable from any OS thread, those tagged
// [control] one at a time, which `control` sees to. Context and tables are immutable and Sync.
unsafe impl Send for Instance {}
// SAFETY: as above.
unsafe impl Sync for Instance {}

impl std::fmt::Debug for Instance {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Instance").field("pid", &self.pid).finish()
    }
}

impl Instance {
    pub(crate) fn create(
        table: &Arc<Table>,
        factory_pid: &str,
        pid: &str,
        services: Services,
    ) -> Result<Instance, ComponentError> {
        let context = Context::new(pid, services);
        let host = context.host();
        // SAFETY: host points into context, which is dropped after destroy only. If create fails,
        // there is no instance that could use it.
        let this = in_control(|| unsafe { table.create(factory_pid, pid, &host) })?;
        Ok(Instance {
            this,
            pid: pid.to_owned(),
            table: Arc::clone(table),
            control: Mutex::new(()),
            listener: Mutex::new(None),
            context: Some(context),
        })
    }

    /// Its `kura.service.pid`.
    pub fn pid(&self) -> &str {
        &self.pid
    }

    /// Starts it with its configuration.
    pub fn activate(&self, properties: &Properties) -> Result<(), ComponentError> {
        Self::may_wait(self.context.as_deref(), true);
        self.lifecycle("activate", self.table.ops().activate, properties)
    }

    /// Hands over the whole new configuration.
    pub fn update(&self, properties: &Properties) -> Result<(), ComponentError> {
        self.lifecycle("update", self.table.ops().update, properties)
    }

    /// Stops it. On return none of its threads runs.
    pub fn deactivate(&self) -> Result<(), ComponentError> {
        let _one_at_a_time = self.lock();
        Self::may_wait(self.context.as_deref(), false);
        self.plain("deactivate", self.table.ops().deactivate)
    }

    /// Ends it now and says how that went, which dropping it can only log.
    pub fn destroy(mut self) -> Result<(), ComponentError> {
        self.end()
    }

    /// Has `changed` called with the status document (JSON) after every change, from a thread of
    /// the component: it must not block, and must not call the instance. The earlier one, if any, is
    /// not called any more once this returns.
    pub fn watch(
        &self,
        changed: impl Fn(&str) + Send + Sync + 'static,
    ) -> Result<(), ComponentError> {
        let _one_at_a_time = self.lock();
        let table = self.status_table()?;
        let watch = table.watch.ok_or(ComponentError::Unsupported {
            component: self.pid.clone(),
            extension: "gwc.status/1 watch",
        })?;
        let listener: Box<Listener> = Box::new(Box::new(changed));
        let sink = GwcSink {
            ctx: ptr::from_ref::<Listener>(&listener).cast_mut().cast(),
            put: Some(status_changed),
        };
        let mut err = error::blank();
        // SAFETY: self.this is alive; the listener lives in self until destroy has returned, or
        // until the component has promised not to call it any more.
        let status = in_control(|| unsafe { watch(self.this, sink, &mut err) });
        let mut kept = self.listener.lock().unwrap_or_else(PoisonError::into_inner);
        match refused(status, &err, &self.pid, "gwc.status/1 watch") {
            Ok(()) => {
                *kept = Some(listener);
                Ok(())
            }
            Err(e) => {
                // It failed, and may have kept the sink all the same.
                std::mem::forget(listener);
                Err(e)
            }
        }
    }

    pub(crate) fn this(&self) -> *mut GwcComponent {
        self.this
    }

    /// The component's table of the extension `id`, or `None`.
    pub(crate) fn extension(&self, id: &str) -> Option<*const c_void> {
        let get = self.table.ops().get_extension?;
        // SAFETY: self.this is alive, id lives for the call.
        let table = unsafe { get(self.this, GwcStr::borrow(id)) };
        (!table.is_null()).then_some(table)
    }

    fn lock(&self) -> MutexGuard<'_, ()> {
        self.control.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn lifecycle(
        &self,
        name: &'static str,
        function: Option<LifecycleFn>,
        values: &Properties,
    ) -> Result<(), ComponentError> {
        let function = function.ok_or_else(|| self.without(name))?;
        let list = properties::Borrowed::new(values);
        let mut err = error::blank();
        let _one_at_a_time = self.lock();
        // SAFETY: self.this is alive, list and err live for the call.
        let status = in_control(|| unsafe { function(self.this, list.as_ptr(), &mut err) });
        refused(status, &err, &self.pid, name)
    }

    fn plain(&self, name: &'static str, function: Option<PlainFn>) -> Result<(), ComponentError> {
        let function = function.ok_or_else(|| self.without(name))?;
        let mut err = error::blank();
        // SAFETY: self.this is alive, err lives for the call.
        let status = in_control(|| unsafe { function(self.this, &mut err) });
        refused(status, &err, &self.pid, name)
    }

    /// A component that is being deactivated has no host call in flight that waits for the network:
    /// `deactivate` is over soon whatever that does.
    fn may_wait(context: Option<&Context>, may: bool) {
        if let Some(service) = context.and_then(|c| c.services.cloud_connection.as_deref()) {
            service.may_wait(may);
        }
    }

    fn without(&self, name: &'static str) -> ComponentError {
        ComponentError::Broken {
            component: self.pid.clone(),
            function: name,
            what: "the function is NULL".to_owned(),
        }
    }

    fn end(&mut self) -> Result<(), ComponentError> {
        // Whoever takes the context ends the instance; so it is destroyed once.
        let Some(context) = self.context.take() else {
            return Ok(());
        };
        Self::may_wait(Some(&*context), false);
        let result = self.plain("destroy", self.table.ops().destroy);
        if result.is_err() {
            // It may still use what it was given: that, and the library, stay in place.
            std::mem::forget(context);
            std::mem::forget(self.listener.get_mut().ok().and_then(Option::take));
            std::mem::forget(Arc::clone(&self.table));
        }
        result
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        if let Err(e) = self.end() {
            log::error!("{e}");
        }
    }
}

unsafe extern "C" fn status_changed(ctx: *mut c_void, data: GwcBytes) {
    if ctx.is_null() {
        return;
    }
    // SAFETY: ctx is the listener given to watch, alive until destroy has returned; data lives for
    // the call.
    let (listener, data) = unsafe { (&*ctx.cast::<Listener>(), text::bytes(data)) };
    let Ok(Ok(document)) = data.map(std::str::from_utf8) else {
        log::warn!("a component reported a status that is no text");
        return;
    };
    if panic::catch_unwind(AssertUnwindSafe(|| listener(document))).is_err() {
        log::error!("the host failed on a status change");
    }
}

/// Used by offers: the size check of a table of the component.
pub(crate) fn read_table<T: table::Table>(
    instance: &Instance,
    id: &'static str,
) -> Result<T, ComponentError> {
    let pointer = instance
        .extension(id)
        .ok_or_else(|| ComponentError::Unsupported {
            component: instance.pid().to_owned(),
            extension: id,
        })?;
    // SAFETY: what get_extension returns for this id is NULL or this table, owned by the module.
    unsafe { table::read(pointer.cast::<T>()) }.map_err(|e| ComponentError::Broken {
        component: instance.pid().to_owned(),
        function: id,
        what: e.to_string(),
    })
}
