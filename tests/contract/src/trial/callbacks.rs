//! Host functions that return what they should not.

use std::ffi::c_void;
use std::ptr;
use std::sync::Mutex;

use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::Plugin;
use gateway_component_abi::ext::configuration::{
    GwcConfigurationItem, GwcConfigurationList, GwcConfigurationSink,
};
use gateway_component_abi::ext::keystore::{GwcKeystoreEntry, GwcKeystoreSink};
use gateway_component_abi::safe::table;
use gateway_component_abi::status::{GwcError, GwcStatus, OK};
use gateway_component_abi::types::{GwcBytes, GwcProperties, GwcProperty, GwcSink, GwcStr};

const QUIET: &str = "mqtts://127.0.0.1:1";

/// What the functions below do; they get no argument of ours. One instance at a time.
static DO: Mutex<Option<Misdeed>> = Mutex::new(None);

#[derive(Clone, Copy, Debug)]
enum Misdeed {
    /// Return this, with an error of 0xFF bytes.
    Status(GwcStatus),
    /// Return this, with no error.
    Silent(GwcStatus),
    /// Succeed without a put.
    Nothing,
    /// Put these bytes.
    Text(&'static str),
    NotText,
    /// Put NULL with a length.
    Nowhere,
    /// Put a real address with a length beyond all memory.
    Huge,
    /// Keystore entries and configurations: put the n-th of the broken ones.
    Broken(usize),
}

fn misdeed() -> Misdeed {
    DO.lock().unwrap().expect("a misdeed is set")
}

unsafe fn answer(err: *mut GwcError) -> Option<GwcStatus> {
    match misdeed() {
        Misdeed::Status(status) => {
            // SAFETY: the component's buffer, a whole one; only struct_size is left as it is.
            unsafe { ptr::write_bytes(err.cast::<u8>().add(4), 0xFF, size_of::<GwcError>() - 4) };
            Some(status)
        }
        Misdeed::Silent(status) => Some(status),
        _ => None,
    }
}

unsafe fn bytes(out: GwcSink, err: *mut GwcError) -> GwcStatus {
    // SAFETY: the component's sink and buffer, valid for the call.
    unsafe {
        if let Some(status) = answer(err) {
            return status;
        }
        let put = |ptr: *const u8, len: u64| out.put.unwrap()(out.ctx, GwcBytes { ptr, len });
        match misdeed() {
            Misdeed::Text(text) => put(text.as_ptr(), text.len() as u64),
            Misdeed::NotText => put(b"/\xff\xfe".as_ptr(), 3),
            Misdeed::Nowhere => put(ptr::null(), 17),
            Misdeed::Huge => put(b"/tmp".as_ptr(), u64::MAX),
            _ => {}
        }
    }
    OK
}

unsafe extern "C" fn folder(_ctx: *mut c_void, out: GwcSink, err: *mut GwcError) -> GwcStatus {
    // SAFETY: passed on.
    unsafe { bytes(out, err) }
}

unsafe extern "C" fn fact(
    _ctx: *mut c_void,
    _name: GwcStr,
    out: GwcSink,
    err: *mut GwcError,
) -> GwcStatus {
    // SAFETY: passed on.
    unsafe { bytes(out, err) }
}

unsafe extern "C" fn entries(
    _ctx: *mut c_void,
    _keystore: GwcStr,
    out: GwcKeystoreSink,
    err: *mut GwcError,
) -> GwcStatus {
    let text = GwcStr::borrow("text");
    let not_text = GwcStr {
        ptr: b"\xff\xfe".as_ptr().cast(),
        len: 2,
    };
    let entry = GwcKeystoreEntry {
        struct_size: table::size::<GwcKeystoreEntry>(),
        kind: 1,
        alias: text,
        pem: text,
    };
    let broken = [
        GwcKeystoreEntry {
            struct_size: 0,
            ..entry
        },
        GwcKeystoreEntry {
            struct_size: 4,
            ..entry
        },
        GwcKeystoreEntry { kind: 99, ..entry },
        GwcKeystoreEntry {
            alias: GwcStr {
                len: u64::MAX,
                ..text
            },
            ..entry
        },
        GwcKeystoreEntry {
            alias: not_text,
            ..entry
        },
        GwcKeystoreEntry {
            pem: GwcStr {
                ptr: ptr::null(),
                len: 1,
            },
            ..entry
        },
        GwcKeystoreEntry {
            pem: not_text,
            ..entry
        },
    ];
    // SAFETY: the component's sink and buffer; what is put lives for the call.
    unsafe {
        if let Some(status) = answer(err) {
            return status;
        }
        let put = out.put.unwrap();
        match misdeed() {
            Misdeed::Broken(n) if n < broken.len() => put(out.ctx, &broken[n]),
            Misdeed::Broken(n) if n == broken.len() => put(out.ctx, ptr::null()),
            // More than any keystore holds.
            Misdeed::Broken(_) => (0..=10_000).for_each(|_| put(out.ctx, &entry)),
            _ => {}
        }
    }
    OK
}
/// How many broken answers `entries` knows.
const BROKEN_ENTRIES: usize = 9;

unsafe extern "C" fn configurations(
    _ctx: *mut c_void,
    _pid: GwcStr,
    _flags: u32,
    out: GwcConfigurationSink,
    err: *mut GwcError,
) -> GwcStatus {
    let empty = GwcProperties {
        struct_size: table::size::<GwcProperties>(),
        property_size: table::size::<GwcProperty>(),
        count: 0,
        items: ptr::null(),
    };
    let item = GwcConfigurationItem {
        struct_size: table::size::<GwcConfigurationItem>(),
        reserved: 0,
        pid: GwcStr::borrow("pid"),
        factory_pid: GwcStr::EMPTY,
        properties: &empty,
    };
    let not_text = GwcStr {
        ptr: b"\xff\xfe".as_ptr().cast(),
        len: 2,
    };
    let items = [
        GwcConfigurationItem {
            struct_size: 0,
            ..item
        },
        GwcConfigurationItem {
            struct_size: 4096,
            ..item
        },
        GwcConfigurationItem {
            pid: not_text,
            ..item
        },
        GwcConfigurationItem {
            factory_pid: GwcStr {
                len: u64::MAX,
                ..item.pid
            },
            ..item
        },
        GwcConfigurationItem {
            properties: ptr::null(),
            ..item
        },
    ];
    let list = GwcConfigurationList {
        struct_size: table::size::<GwcConfigurationList>(),
        item_size: table::size::<GwcConfigurationItem>(),
        count: 1,
        items: &item,
    };
    let lists = [
        GwcConfigurationList {
            struct_size: 0,
            ..list
        },
        GwcConfigurationList {
            count: u64::MAX,
            ..list
        },
        GwcConfigurationList {
            count: 10_001,
            ..list
        },
        GwcConfigurationList {
            items: ptr::null(),
            ..list
        },
        GwcConfigurationList {
            item_size: 0,
            ..list
        },
        GwcConfigurationList {
            item_size: 12,
            ..list
        },
    ];
    // SAFETY: as in entries.
    unsafe {
        if let Some(status) = answer(err) {
            return status;
        }
        let put = out.put.unwrap();
        match misdeed() {
            Misdeed::Broken(n) if n < items.len() => put(
                out.ctx,
                &GwcConfigurationList {
                    items: &items[n],
                    ..list
                },
            ),
            Misdeed::Broken(n) if n < items.len() + lists.len() => {
                put(out.ctx, &lists[n - items.len()])
            }
            Misdeed::Broken(_) => put(out.ctx, ptr::null()),
            _ => {}
        }
    }
    OK
}
/// How many broken answers `configurations` knows.
const BROKEN_CONFIGURATIONS: usize = 12;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Function {
    Folder,
    Fact,
    Entries,
    Configurations,
}
use Function::{Configurations, Entries, Fact, Folder};

/// An instance whose host does `misdeed` in `function`: it says so, answers, and ends.
fn says_so(plugin: &Plugin, function: Function, misdeed: Misdeed) {
    *DO.lock().unwrap() = Some(misdeed);
    let (mut host, watcher) = (Host::new(), Watcher::new());
    let state = host.state();
    match function {
        Folder => state.storage.folder = Some(folder),
        Fact => state.system.get = Some(fact),
        Entries => state.keystore.list = Some(entries),
        Configurations => state.configuration.get = Some(configurations),
    }
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    instance.activate(&parameters(true, QUIET)).unwrap();
    let what = format!("{function:?} {misdeed:?}");
    let document = watcher.wait(|document| !document["error"].is_null());
    let error = &document["error"];
    for member in ["code", "message", "remedy"] {
        let text = error[member].as_str().unwrap_or_default();
        assert!(
            !text.is_empty() && !text.contains(char::is_control),
            "{what}: {error}"
        );
    }
    let checks = crate::answered(|| instance.preflight()).expect("the checks");
    let failed = |check: &serde_json::Value| check["passed"] == false && check["code"].is_string();
    assert!(
        checks.as_array().unwrap().iter().any(failed),
        "{what}: {checks}"
    );
    crate::answered(|| instance.identity()).expect("the sheet");
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
}

pub fn statuses_from_nowhere_are_errors(plugin: &Plugin) {
    for function in [Folder, Fact, Entries, Configurations] {
        for status in [i32::MIN, -1, 1, 2, 14, i32::MAX] {
            says_so(plugin, function, Misdeed::Status(status));
        }
    }
}

pub fn an_error_without_text_is_still_an_error(plugin: &Plugin) {
    for function in [Folder, Fact, Entries, Configurations] {
        for status in [-7, 5, 7, 12] {
            says_so(plugin, function, Misdeed::Silent(status));
        }
    }
}

pub fn results_that_are_no_results_are_errors(plugin: &Plugin) {
    for function in [Folder, Fact] {
        for misdeed in [
            Misdeed::Nothing,
            Misdeed::NotText,
            Misdeed::Nowhere,
            Misdeed::Huge,
        ] {
            says_so(plugin, function, misdeed);
        }
    }
    for path in ["", "relative/folder", "/nowhere/at/all", "/dev/null"] {
        says_so(plugin, Folder, Misdeed::Text(path));
    }
    says_so(plugin, Configurations, Misdeed::Nothing);
}

pub fn keystore_entries_that_are_no_entries_are_errors(plugin: &Plugin) {
    for n in 0..BROKEN_ENTRIES {
        says_so(plugin, Entries, Misdeed::Broken(n));
    }
}

pub fn configurations_that_are_no_configurations_are_errors(plugin: &Plugin) {
    for n in 0..BROKEN_CONFIGURATIONS {
        says_so(plugin, Configurations, Misdeed::Broken(n));
    }
}

pub fn facts_of_any_text_are_taken_as_text(plugin: &Plugin) {
    static LONG: [u8; 1 << 20] = [b'x'; 1 << 20];
    // A memory checker is thirty times slower, and the component answers within 5 s or not at all.
    let length = if crate::untimed() {
        16 << 10
    } else {
        LONG.len()
    };
    let long = std::str::from_utf8(&LONG[..length]).unwrap();
    for text in ["\"}\\", "a\nb", "\u{0}", "💥", " ", long] {
        *DO.lock().unwrap() = Some(Misdeed::Text(text));
        let mut host = Host::new();
        host.state().system.get = Some(fact);
        let table = host.table();
        let instance = plugin.create(&table, PID).unwrap();
        instance.activate(&parameters(true, QUIET)).unwrap();
        // Both parse as JSON, or this panics.
        crate::answered(|| instance.identity()).expect("the sheet");
        crate::answered(|| instance.preflight()).expect("the checks");
        instance.deactivate().unwrap();
        instance.status().expect("the status");
        instance.destroy().unwrap();
    }
}
