//! Lists of properties that are broken in every field.

use std::ffi::c_void;
use std::ptr;

use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::{called, Instance, Plugin};
use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::safe::table;
use gateway_component_abi::types::{
    GwcProperties, GwcProperty, GwcStr, TYPE_BOOLEAN, TYPE_CHAR, TYPE_DOUBLE, TYPE_INTEGER,
    TYPE_LONG, TYPE_PASSWORD, TYPE_SHORT, TYPE_STRING,
};

use crate::memory::Edge;
use crate::structs::misused;

const QUIET: &str = "mqtts://127.0.0.1:1";
/// The most properties in a list, and elements in an array (`types.h` has no bound; ours is this).
const MOST: usize = 10_000;

const TEXT: GwcStr = GwcStr {
    ptr: c"text".as_ptr(),
    len: 4,
};

fn list(items: &[GwcProperty]) -> GwcProperties {
    GwcProperties {
        struct_size: table::size::<GwcProperties>(),
        property_size: table::size::<GwcProperty>(),
        count: items.len() as u64,
        items: items.as_ptr(),
    }
}

fn scalar(name: &'static str, kind: u32, value: *const c_void) -> GwcProperty {
    GwcProperty {
        struct_size: table::size::<GwcProperty>(),
        kind,
        is_array: 0,
        count: 1,
        name: GwcStr::borrow(name),
        values: value,
    }
}

fn text() -> &'static GwcStr {
    // Constant text: the address of a constant of the program.
    &TEXT
}

fn at<T>(value: &T) -> *const c_void {
    ptr::from_ref(value).cast()
}

/// Runs `trial` with an active instance.
fn with_instance(plugin: &Plugin, trial: impl FnOnce(&Instance<'_>)) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.activate(&parameters(false, QUIET)).unwrap();
    trial(&instance);
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
}

fn refused(instance: &Instance<'_>, what: &str, properties: *const GwcProperties) -> CallError {
    let result = called(|err| instance.raw_update(properties, err));
    assert!(result.is_err(), "{what} was taken");
    misused(result)
}

fn taken(instance: &Instance<'_>, what: &str, properties: &GwcProperties) {
    called(|err| instance.raw_update(properties, err)).unwrap_or_else(|e| panic!("{what}: {e}"));
}

pub fn broken_lists_are_refused_whole(plugin: &Plugin) {
    with_instance(plugin, |instance| {
        let good = scalar("p", TYPE_STRING, at(text()));
        let whole = list(std::slice::from_ref(&good));
        taken(instance, "a good list", &whole);

        refused(instance, "NULL", ptr::null());
        refused(
            instance,
            "an odd address",
            ptr::from_ref(&whole).cast::<u8>().wrapping_add(1).cast(),
        );
        for size in [0, 4, 7] {
            refused(
                instance,
                "a short list",
                &GwcProperties {
                    struct_size: size,
                    ..whole
                },
            );
        }
        for stride in [0, 4, 8, 12, 32, 39] {
            refused(
                instance,
                &format!("a stride of {stride}"),
                &GwcProperties {
                    property_size: stride,
                    ..whole
                },
            );
        }
        refused(
            instance,
            "items at an odd address",
            &GwcProperties {
                items: whole.items.cast::<u8>().wrapping_add(1).cast(),
                ..whole
            },
        );
        refused(
            instance,
            "no items",
            &GwcProperties {
                items: ptr::null(),
                ..whole
            },
        );
        for count in [MOST as u64 + 1, u64::MAX, u64::MAX / 40 + 2] {
            refused(instance, "too many", &GwcProperties { count, ..whole });
        }

        let name = |ptr: &'static [u8], len: u64| GwcStr {
            ptr: ptr.as_ptr().cast(),
            len,
        };
        let nowhere = GwcStr {
            ptr: ptr::null(),
            len: 9,
        };
        let not_text = name(b"\xff\xfe\xfd", 3);
        let huge = name(b"p", u64::MAX);
        let (two, surrogate, beyond) = (2u8, 0xD800u32, 0x0011_0000u32);
        let numbers = [1i64, 2];
        let odd = ptr::from_ref(&numbers)
            .cast::<u8>()
            .wrapping_add(1)
            .cast::<c_void>();
        let broken: Vec<(&str, GwcProperty)> = vec![
            ("type 0", GwcProperty { kind: 0, ..good }),
            ("type 11", GwcProperty { kind: 11, ..good }),
            ("type 77", GwcProperty { kind: 77, ..good }),
            (
                "type max",
                GwcProperty {
                    kind: u32::MAX,
                    ..good
                },
            ),
            (
                "is_array 2",
                GwcProperty {
                    is_array: 2,
                    ..good
                },
            ),
            ("no scalar", GwcProperty { count: 0, ..good }),
            ("two scalars", GwcProperty { count: 2, ..good }),
            (
                "NULL values",
                GwcProperty {
                    values: ptr::null(),
                    ..good
                },
            ),
            (
                "NULL array",
                GwcProperty {
                    values: ptr::null(),
                    is_array: 1,
                    ..good
                },
            ),
            (
                "a long array",
                GwcProperty {
                    is_array: 1,
                    count: MOST as u32 + 1,
                    ..good
                },
            ),
            (
                "a huge array",
                GwcProperty {
                    is_array: 1,
                    count: u32::MAX,
                    ..good
                },
            ),
            (
                "struct_size 0",
                GwcProperty {
                    struct_size: 0,
                    ..good
                },
            ),
            (
                "struct_size 4",
                GwcProperty {
                    struct_size: 4,
                    ..good
                },
            ),
            (
                "struct_size over stride",
                GwcProperty {
                    struct_size: 56,
                    ..good
                },
            ),
            (
                "name nowhere",
                GwcProperty {
                    name: nowhere,
                    ..good
                },
            ),
            (
                "name no text",
                GwcProperty {
                    name: not_text,
                    ..good
                },
            ),
            ("name huge", GwcProperty { name: huge, ..good }),
            ("String nowhere", scalar("p", TYPE_STRING, at(&nowhere))),
            ("String no text", scalar("p", TYPE_STRING, at(&not_text))),
            ("String huge", scalar("p", TYPE_STRING, at(&huge))),
            (
                "Password no text",
                scalar("p", TYPE_PASSWORD, at(&not_text)),
            ),
            ("Boolean 2", scalar("p", TYPE_BOOLEAN, at(&two))),
            ("Char surrogate", scalar("p", TYPE_CHAR, at(&surrogate))),
            ("Char beyond", scalar("p", TYPE_CHAR, at(&beyond))),
            ("Long at an odd address", scalar("p", TYPE_LONG, odd)),
            ("Double at an odd address", scalar("p", TYPE_DOUBLE, odd)),
            ("Integer at an odd address", scalar("p", TYPE_INTEGER, odd)),
            ("Short at an odd address", scalar("p", TYPE_SHORT, odd)),
        ];
        for (what, item) in broken {
            let error = refused(instance, what, &list(&[item]));
            if !what.starts_with("name") && !what.starts_with("struct_size") {
                assert!(
                    error.message.contains("\"p\""),
                    "{what}: {error} names no property"
                );
            }
            // One broken property spoils the list, wherever it stands.
            let other = scalar("q", TYPE_STRING, at(text()));
            refused(instance, what, &list(&[other, item]));
        }
        let error = refused(instance, "a name twice", &list(&[good, good]));
        assert!(error.message.contains("\"p\""), "{error}");
    });
}

pub fn every_bound_of_a_list_is_checked_from_both_sides(plugin: &Plugin) {
    with_instance(plugin, |instance| {
        let names: Vec<String> = (0..=MOST).map(|n| format!("p{n}")).collect();
        let items: Vec<GwcProperty> = names
            .iter()
            .map(|name| GwcProperty {
                name: GwcStr::borrow(name),
                ..scalar("", TYPE_STRING, at(text()))
            })
            .collect();
        taken(instance, "as many as may be", &list(&items[..MOST]));
        refused(instance, "one more", &list(&items));

        let numbers = vec![7i64; MOST + 1];
        let array = |count: usize| GwcProperty {
            is_array: 1,
            count: count as u32,
            ..scalar("p", TYPE_LONG, numbers.as_ptr().cast())
        };
        taken(instance, "the longest array", &list(&[array(MOST)]));
        refused(instance, "one element more", &list(&[array(MOST + 1)]));
        taken(
            instance,
            "an empty array",
            &list(&[GwcProperty {
                values: ptr::null(),
                ..array(0)
            }]),
        );
        taken(instance, "an empty list", &list(&[]));
        taken(
            instance,
            "an empty list of nothing",
            &GwcProperties {
                items: ptr::null(),
                property_size: 0,
                ..list(&[])
            },
        );
        let last = 0x0010_FFFFu32;
        taken(
            instance,
            "the last character",
            &list(&[scalar("p", TYPE_CHAR, at(&last))]),
        );
        taken(
            instance,
            "an empty String",
            &list(&[scalar("p", TYPE_STRING, at(&GwcStr::EMPTY))]),
        );
        // Lists and elements that end where their memory ends.
        let value = Edge::new(&7i64.to_ne_bytes());
        let item = Edge::cut(
            &scalar("p", TYPE_LONG, value.ptr::<c_void>()),
            size_of::<GwcProperty>(),
        );
        let edge = GwcProperties {
            items: item.ptr(),
            count: 1,
            ..list(&[])
        };
        let edge = Edge::cut(&edge, size_of::<GwcProperties>());
        called(|err| instance.raw_update(edge.ptr(), err)).expect("a list at the edge");
    });
}

pub fn a_refused_list_leaves_the_instance_as_it_was(plugin: &Plugin) {
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    let broken = scalar("enabled", 77, at(text()));
    // At activate: the instance is not active.
    misused(called(|err| instance.raw_activate(&list(&[broken]), err)));
    assert!(
        instance.update(&parameters(false, QUIET)).is_err(),
        "it became active"
    );
    instance.watch(watcher.sink()).unwrap();
    instance.activate(&parameters(false, QUIET)).unwrap();
    watcher.wait(|document| document["broker"] == QUIET);
    misused(called(|err| instance.raw_update(&list(&[broken]), err)));
    // The worker answers after all that it was told before.
    crate::answered(|| instance.identity()).unwrap();
    assert_eq!(instance.status().unwrap()["broker"], QUIET);
    instance
        .update(&parameters(false, "mqtts://127.0.0.1:2"))
        .unwrap();
    watcher.wait(|document| document["broker"] == "mqtts://127.0.0.1:2");
    instance.destroy().unwrap();
}

pub fn a_list_of_longer_records_is_read_by_its_own_stride(plugin: &Plugin) {
    /// A property of a later version.
    #[repr(C)]
    #[derive(Clone, Copy)]
    struct Longer {
        known: GwcProperty,
        more: [u64; 2],
    }
    let (host, watcher) = (Host::new(), Watcher::new());
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    let url = GwcStr::borrow("mqtts://127.0.0.1:7");
    let items = [
        ("first", text()),
        ("broker-url", &url),
        ("account-name", text()),
    ]
    .map(|(name, value)| Longer {
        known: GwcProperty {
            struct_size: size_of::<Longer>() as u32,
            ..scalar(name, TYPE_STRING, at(value))
        },
        more: [u64::MAX; 2],
    });
    let properties = GwcProperties {
        struct_size: table::size::<GwcProperties>(),
        property_size: size_of::<Longer>() as u32,
        count: items.len() as u64,
        items: items.as_ptr().cast(),
    };
    called(|err| instance.raw_activate(&properties, err)).expect("longer records");
    watcher.wait(|document| document["broker"] == "mqtts://127.0.0.1:7");
    instance.destroy().unwrap();
}
