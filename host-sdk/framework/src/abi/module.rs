//! The module table of a library: read once, checked whole, then only copies are used.

use std::collections::BTreeSet;

use gateway_component_abi::component::{GwcComponent, GwcComponentOps};
use gateway_component_abi::entry::{GwcComponentInfo, GwcModule};
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::sink::Collector;
use gateway_component_abi::safe::{error, table, text, Misuse};
use gateway_component_abi::status::{GwcError, GwcStatus, OK};
use gateway_component_abi::types::{GwcSink, GwcStr, ABI_MAJOR};

use super::object::Object;
use crate::loader::{ComponentError, ComponentKind, Module};

/// The most kinds of components in a library.
const MAX_COMPONENTS: u64 = 1_000;
/// The longest name, version, vendor, date, factory pid or description, in bytes.
const MAX_TEXT: usize = 1_024;

type MetatypeFn = unsafe extern "C" fn(GwcStr, GwcStr, GwcSink, *mut GwcError) -> GwcStatus;
type CreateFn = unsafe extern "C" fn(
    GwcStr,
    *const GwcHost,
    GwcStr,
    *mut *mut GwcComponent,
    *mut GwcError,
) -> GwcStatus;

/// What is used of a module, and the library that keeps it alive.
pub(crate) struct Table {
    module: Module,
    metatype: MetatypeFn,
    create: CreateFn,
    ops: GwcComponentOps,
    _object: Object,
}

impl Table {
    /// Reads the table that a door has handed out; it is owned by the library of `object`.
    pub(crate) fn read(object: Object, module: *const GwcModule) -> Result<Table, Misuse> {
        // SAFETY: what a door hands out is NULL or a gwc_module that lives as long as the library.
        let raw = unsafe { table::read(module) }?;
        if raw.abi_major != ABI_MAJOR {
            return Err(Misuse(format!(
                "gwc_entry answered for version {ABI_MAJOR} with a module of version {}",
                raw.abi_major
            )));
        }
        let metatype = raw.metatype.ok_or_else(|| missing("metatype"))?;
        let create = raw.create.ok_or_else(|| missing("create"))?;
        // SAFETY: ops is NULL or a table that the module owns.
        let ops = unsafe { table::read(raw.ops) }?;
        for (there, name) in [
            (ops.activate.is_some(), "ops.activate"),
            (ops.update.is_some(), "ops.update"),
            (ops.deactivate.is_some(), "ops.deactivate"),
            (ops.destroy.is_some(), "ops.destroy"),
        ] {
            if !there {
                return Err(missing(name));
            }
        }
        let module = Module {
            name: line(raw.name, "name")?,
            version: line(raw.version, "version")?,
            vendor: optional(raw.vendor, "vendor")?,
            build_date: optional(raw.build_date, "build_date")?,
            abi: (raw.abi_major, raw.abi_minor),
            components: components(&raw)?,
        };
        Ok(Table {
            module,
            metatype,
            create,
            ops,
            _object: object,
        })
    }

    pub(crate) fn module(&self) -> &Module {
        &self.module
    }

    pub(crate) fn ops(&self) -> &GwcComponentOps {
        &self.ops
    }

    pub(crate) fn metatype(
        &self,
        factory_pid: &str,
        locale: &str,
    ) -> Result<String, ComponentError> {
        let broken = |what: &str| ComponentError::Broken {
            component: factory_pid.to_owned(),
            function: "metatype",
            what: what.to_owned(),
        };
        let (mut out, mut err) = (Collector::new(), error::blank());
        // SAFETY: the function is the library's, which is open; everything handed over lives for
        // the call.
        let status = unsafe {
            (self.metatype)(
                GwcStr::borrow(factory_pid),
                GwcStr::borrow(locale),
                out.sink(),
                &mut err,
            )
        };
        refused(status, &err, factory_pid, "metatype")?;
        let xml = out.take().ok_or_else(|| broken("it put no descriptor"))?;
        String::from_utf8(xml).map_err(|_| broken("the descriptor is not UTF-8"))
    }

    /// Makes an instance.
    ///
    /// # Safety
    /// What `host` points to lives until the instance is destroyed.
    pub(crate) unsafe fn create(
        &self,
        factory_pid: &str,
        pid: &str,
        host: &GwcHost,
    ) -> Result<*mut GwcComponent, ComponentError> {
        let (mut made, mut err) = (std::ptr::null_mut(), error::blank());
        // SAFETY: as in metatype; the caller vouches for the life of what host points to.
        let status = unsafe {
            (self.create)(
                GwcStr::borrow(factory_pid),
                host,
                GwcStr::borrow(pid),
                &mut made,
                &mut err,
            )
        };
        refused(status, &err, pid, "create")?;
        if made.is_null() {
            return Err(ComponentError::Broken {
                component: pid.to_owned(),
                function: "create",
                what: "it succeeded without an instance".to_owned(),
            });
        }
        Ok(made)
    }
}

/// An error if `status` is one.
pub(crate) fn refused(
    status: GwcStatus,
    err: &GwcError,
    component: &str,
    function: &'static str,
) -> Result<(), ComponentError> {
    if status == OK {
        return Ok(());
    }
    let mut source = error::read(status, err);
    if source.message.is_empty() {
        source.message = format!("status {status} without a message");
    }
    Err(ComponentError::Refused {
        component: component.to_owned(),
        function,
        source,
    })
}

fn components(raw: &GwcModule) -> Result<Vec<ComponentKind>, Misuse> {
    if raw.component_count == 0 || raw.component_count > MAX_COMPONENTS {
        return Err(Misuse(format!(
            "{} components, must be 1 to {MAX_COMPONENTS}",
            raw.component_count
        )));
    }
    let stride = raw.component_size as usize;
    if raw.components.is_null()
        || !table::STRIDES.contains(&stride)
        || !stride.is_multiple_of(align_of::<GwcComponentInfo>())
    {
        return Err(Misuse("components or component_size is wrong".to_owned()));
    }
    let (mut kinds, mut seen) = (Vec::new(), BTreeSet::new());
    for index in 0..raw.component_count as usize {
        // SAFETY: the module placed component_count elements, stride bytes apart.
        let info = unsafe {
            table::read(
                raw.components
                    .cast::<u8>()
                    .add(index * stride)
                    .cast::<GwcComponentInfo>(),
            )
        }?;
        if info.struct_size as usize > stride {
            return Err(Misuse(
                "gwc_component_info: struct_size exceeds component_size".to_owned(),
            ));
        }
        let factory_pid = line(info.factory_pid, "factory_pid")?;
        if !factory_pid
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
        {
            return Err(Misuse(format!("{factory_pid:?} is no factory pid")));
        }
        if !seen.insert(factory_pid.clone()) {
            return Err(Misuse(format!("factory pid {factory_pid} occurs twice")));
        }
        kinds.push(ComponentKind {
            factory_pid,
            description: optional(info.description, "description")?,
        });
    }
    Ok(kinds)
}

fn missing(name: &str) -> Misuse {
    Misuse(format!("{name} is NULL"))
}

fn line(raw: GwcStr, name: &str) -> Result<String, Misuse> {
    let text = optional(raw, name)?;
    if text.is_empty() {
        return Err(Misuse(format!("{name} is empty")));
    }
    Ok(text)
}

fn optional(raw: GwcStr, name: &str) -> Result<String, Misuse> {
    if raw.len > MAX_TEXT as u64 {
        return Err(Misuse(format!(
            "{name}: {} bytes, at most {MAX_TEXT}",
            raw.len
        )));
    }
    // SAFETY: NULL or text of the module, as long as it says.
    let text = unsafe { text::text(raw) }.map_err(|e| Misuse(format!("{name}: {e}")))?;
    if text.chars().any(char::is_control) {
        return Err(Misuse(format!("{name} holds control characters")));
    }
    Ok(text.to_owned())
}
