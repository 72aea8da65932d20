//! Records of the wrong size, arguments that are none, lists that lie.

use std::mem::size_of;
use std::path::Path;
use std::ptr;

use gateway_component_abi::component::GwcComponent;
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::status::{GwcError, OK};
use gateway_component_abi::types::{GwcProperties, GwcProperty, GwcSink, GwcStr};

use super::lifecycle::create;
use super::{each, holds, must, refused};
use crate::abi::{blank, called, Conduct, Edge};

/// A fault of a property, and how to make it.
type Change = (&'static str, fn(&mut GwcProperty));

pub(super) fn a_host_struct_of_any_size_is_read_within_it(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, _, host| {
        let table = host.table();
        let whole = size_of::<GwcHost>();
        let with = |size: usize| {
            let edge = Edge::cut(&table, size).ok_or("no memory")?;
            let made = library.create(pid, edge.ptr());
            // Without an instance there is nothing that could outlive the edge.
            if let Ok(instance) = &made {
                must("destroy", instance.destroy())?;
            }
            Ok::<_, String>(made.map(drop))
        };
        for size in (8..whole).step_by(8) {
            refused(&format!("a host of {size} bytes"), with(size)?, None)?;
        }
        must("create with a host of today's size", with(whole)?)?;
        must("create with a host of a later version", with(whole + 64)?)
    })
}

pub(super) fn unknown_extensions_are_null(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, _, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        let text = b"\xff\xfe";
        let lies = [
            ("an empty id", GwcStr::EMPTY),
            ("an unknown id", GwcStr::borrow("gwc.no-such-thing/1")),
            ("a later version", GwcStr::borrow("gwc.status/4000000000")),
            ("a name without version", GwcStr::borrow("gwc.status")),
            (
                "an id that is no text",
                GwcStr {
                    ptr: text.as_ptr().cast(),
                    len: 2,
                },
            ),
            (
                "NULL with a length",
                GwcStr {
                    ptr: ptr::null(),
                    len: 3,
                },
            ),
        ];
        for (what, id) in lies {
            holds(!instance.has_extension(id), || {
                format!("get_extension of {what} is not NULL")
            })?;
        }
        must("destroy", instance.destroy())
    })
}

pub(super) fn broken_property_lists_are_refused(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, defaults, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        let yes = 1u8;
        let two = 2u8;
        let good = GwcProperty {
            struct_size: size_of::<GwcProperty>() as u32,
            kind: 8,
            is_array: 0,
            count: 1,
            name: GwcStr::borrow("a-boolean"),
            values: (&raw const yes).cast(),
        };
        let text = b"\xc3\x28";
        let mut items = vec![("a type that does not exist", good); 8];
        let changes: [Change; 6] = [
            ("a type that does not exist", |p| p.kind = 77),
            ("a value that is NULL", |p| p.values = ptr::null()),
            ("a scalar of no element", |p| p.count = 0),
            ("a scalar of several elements", |p| p.count = 2),
            ("is_array that is neither", |p| p.is_array = 7),
            ("a name that is NULL with a length", |p| {
                p.name = GwcStr {
                    ptr: ptr::null(),
                    len: 4,
                };
            }),
        ];
        for (slot, (what, change)) in items.iter_mut().zip(changes) {
            slot.0 = what;
            change(&mut slot.1);
        }
        if let [.., boolean, name] = items.as_mut_slice() {
            boolean.0 = "a Boolean of 2";
            boolean.1.values = (&raw const two).cast();
            name.0 = "a name that is no text";
            name.1.name = GwcStr {
                ptr: text.as_ptr().cast(),
                len: 2,
            };
        }
        let list = |items: &[GwcProperty]| GwcProperties {
            struct_size: size_of::<GwcProperties>() as u32,
            property_size: size_of::<GwcProperty>() as u32,
            count: items.len() as u64,
            items: items.as_ptr(),
        };
        let try_list = |what: &str, list: *const GwcProperties| {
            let activated = called(|err| instance.raw_activate(list, err));
            refused(&format!("activate with {what}"), activated, None)
        };
        try_list("no list", ptr::null())?;
        for (what, item) in &items {
            try_list(what, &list(std::slice::from_ref(item)))?;
        }
        try_list("a name that occurs twice", &list(&[good, good]))?;
        let mut lie = list(&[]);
        lie.count = u64::MAX;
        try_list("more properties than memory holds", &raw const lie)?;
        lie = list(&[]);
        lie.count = 3;
        lie.items = ptr::null();
        try_list("items that are NULL", &raw const lie)?;
        lie = list(std::slice::from_ref(&good));
        lie.struct_size = 4;
        try_list("a list too short to be one", &raw const lie)?;
        must("activate after refused lists", instance.activate(defaults))?;
        let updated = called(|err| instance.raw_update(ptr::null(), err));
        refused("update with no list", updated, None)?;
        must("update after refused lists", instance.update(defaults))?;
        must("destroy", instance.destroy())
    })
}

pub(super) fn error_buffers_are_written_within_their_size(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, _, host| {
        let table = host.table();
        let instance = create(library, pid, &table)?;
        let whole = size_of::<GwcError>();
        for size in [8, 16, 64, 72, 80, 576, whole - 8, whole] {
            let edge = Edge::cut(&blank(), size.next_multiple_of(8)).ok_or("no memory")?;
            let status = instance.raw_deactivate(edge.ptr());
            holds(status != OK, || {
                "deactivate before activate was not refused".to_owned()
            })?;
        }
        let status = instance.raw_deactivate(ptr::null_mut());
        holds(status != OK, || {
            "deactivate before activate was not refused".to_owned()
        })?;
        // The status in the buffer is the one that was returned, and both texts end.
        let mut err = blank();
        err.code.fill(1);
        err.message.fill(1);
        let status = instance.raw_deactivate(&raw mut err);
        holds(err.status == status, || {
            format!(
                "it returned {status}, and wrote {} into the error",
                err.status
            )
        })?;
        holds(err.code.contains(&0) && err.message.contains(&0), || {
            "a text in the error has no end".to_owned()
        })?;
        must("destroy", instance.destroy())
    })
}

pub(super) fn outputs_are_written_on_success_only(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, _, host| {
        let table = host.table();
        let untouched = ptr::dangling_mut::<GwcComponent>();
        let mut out = untouched;
        let name = GwcStr::borrow("check");
        for (what, pid, host) in [
            (
                "an unknown factory pid",
                GwcStr::borrow("no.such.Pid"),
                &raw const table,
            ),
            ("no host", GwcStr::borrow(pid), ptr::null()),
        ] {
            let made = called(|err| library.raw_create(pid, host, name, &raw mut out, err));
            refused(&format!("create with {what}"), made, None)?;
            holds(out == untouched, || {
                format!("create with {what} failed, and wrote its output")
            })?;
        }
        holds(library.metatype("no.such.Pid", "").is_err(), || {
            "metatype of an unknown pid was not refused".to_owned()
        })
    })
}

pub(super) fn arguments_that_are_none_are_refused(path: &Path) -> Result<(), String> {
    each(path, Conduct::Honest, |library, pid, _, host| {
        let table = host.table();
        let (good, name) = (GwcStr::borrow(pid), GwcStr::borrow("check"));
        let nowhere = GwcStr {
            ptr: ptr::null(),
            len: 5,
        };
        let mut out = ptr::null_mut();
        let mut try_create = |what: &str, pid, host, name| {
            let made = called(|err| library.raw_create(pid, host, name, &raw mut out, err));
            refused(&format!("create with {what}"), made, None)
        };
        try_create("no host", good, ptr::null(), name)?;
        try_create("an empty name", good, &raw const table, GwcStr::EMPTY)?;
        try_create("a name that is NULL", good, &raw const table, nowhere)?;
        try_create("a pid that is NULL", nowhere, &raw const table, name)?;
        let mut deaf = table;
        deaf.get_extension = None;
        try_create("a host without get_extension", good, &raw const deaf, name)?;
        let made =
            called(|err| library.raw_create(good, &raw const table, name, ptr::null_mut(), err));
        refused("create without an output", made, None)?;
        let none = GwcSink {
            ctx: ptr::null_mut(),
            put: None,
        };
        let read = called(|err| library.raw_metatype(good, GwcStr::EMPTY, none, err));
        refused("metatype into a sink without a function", read, None)
    })
}
