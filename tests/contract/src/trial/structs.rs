//! Records of the wrong size, services that are not there, arguments that are none.

use std::ptr;

use contract::host::{parameters, Host, Watcher, PID, REQUIRED};
use contract::plugin::{Called, Plugin, FACTORY_PID};
use gateway_component_abi::ext::configuration::EXT_CONFIGURATION;
use gateway_component_abi::ext::keystore::EXT_KEYSTORE;
use gateway_component_abi::ext::log::EXT_LOG;
use gateway_component_abi::ext::storage::EXT_STORAGE;
use gateway_component_abi::ext::system::EXT_SYSTEM;
use gateway_component_abi::host::GwcHost;
use gateway_component_abi::safe::error::{self, CallError};
use gateway_component_abi::status::{GwcError, E_INVALID_ARGUMENT, E_NOT_FOUND, E_STATE, OK};
use gateway_component_abi::types::{GwcSink, GwcStr};

use crate::memory::{bytes_of, Edge};

/// The refusal that a caller gets who does not keep to the contract.
pub fn misused(result: Called) -> CallError {
    let error = result.expect_err("a refusal");
    assert_eq!(error.status, E_INVALID_ARGUMENT, "{error}");
    assert!(!error.message.is_empty());
    error
}

pub fn error_buffers_of_every_size_are_respected(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    let whole = size_of::<GwcError>();
    for size in [8, 16, 64, 72, 80, 576, whole - 8, whole] {
        let err = Edge::cut(&error::blank(), size.next_multiple_of(8));
        assert_eq!(instance.raw_deactivate(err.ptr()), E_STATE, "{size}");
    }
    // Sizes that are no sizes: nothing is written at all.
    for size in [0u32, 4, 7] {
        let mut err = error::blank();
        err.struct_size = size;
        assert_eq!(instance.raw_deactivate(&mut err), E_STATE);
        assert_eq!(
            (err.status, err.code[0], err.message[0]),
            (0, 0, 0),
            "{size}"
        );
    }
    // A larger one: only what this version knows is written.
    let mut bytes = bytes_of(&error::blank());
    bytes.resize(whole + 64, 0xAA);
    bytes[..4].copy_from_slice(&((whole + 64) as u32).to_ne_bytes());
    let mut words: Vec<u64> = bytes
        .chunks(8)
        .map(|chunk| {
            chunk
                .iter()
                .rev()
                .fold(0, |word, byte| word << 8 | u64::from(*byte))
        })
        .collect();
    assert_eq!(instance.raw_deactivate(words.as_mut_ptr().cast()), E_STATE);
    assert!(words[words.len() - 8..]
        .iter()
        .all(|word| *word == 0xAAAA_AAAA_AAAA_AAAA));
    // A text that does not fit whole still ends.
    let err = Edge::cut(&error::blank(), 80);
    assert_eq!(instance.raw_deactivate(err.ptr()), E_STATE);
    // SAFETY: 80 bytes of our own.
    let last = unsafe { *err.ptr::<u8>().add(79) };
    assert_eq!(last, 0, "the text has no end");
    // A buffer at an odd address is left alone.
    assert_eq!(
        instance.raw_deactivate(words.as_mut_ptr().cast::<u8>().wrapping_add(1).cast()),
        E_STATE
    );
    instance.destroy().unwrap();
}

pub fn a_null_error_buffer_is_allowed(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let (mut this, name, null) = (ptr::null_mut(), GwcStr::borrow(PID), ptr::null_mut());
    let pid = GwcStr::borrow(FACTORY_PID);
    assert_eq!(
        plugin.raw_create(pid, ptr::null(), name, &mut this, null),
        E_INVALID_ARGUMENT
    );
    assert!(this.is_null(), "an output was written without success");
    assert_eq!(plugin.raw_create(pid, &table, name, &mut this, null), OK);
    let instance = contract::plugin::Instance::of(plugin, this);
    assert_eq!(instance.raw_activate(ptr::null(), null), E_INVALID_ARGUMENT);
    assert_eq!(instance.raw_deactivate(null), E_STATE);
    instance.destroy().unwrap();
}

pub fn hosts_of_every_size_are_read_within_it(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let create = |size: usize| {
        let edge = Edge::cut(&table, size);
        // Without an instance there is nothing that could outlive the edge.
        plugin
            .create(edge.ptr::<GwcHost>(), PID)
            .map(|instance| instance.destroy().unwrap())
    };
    for size in (0..size_of::<GwcHost>()).step_by(8) {
        // Four bytes more, where the edge must be reached with an odd number of words.
        let error = misused(create(size.max(4)));
        assert!(error.message.contains("gwc_host"), "{size}: {error}");
    }
    create(size_of::<GwcHost>()).expect("the size of today");
    create(size_of::<GwcHost>() + 64).expect("the size of a later version");
}

pub fn a_host_that_is_null_or_misaligned_is_refused(plugin: &Plugin) {
    misused(plugin.create(ptr::null(), PID).map(drop));
    let host = Host::new();
    let mut bytes = vec![0; 1];
    bytes.extend(bytes_of(&host.table()));
    let words: Vec<u64> = vec![0; bytes.len() / 8 + 2];
    for shift in 1..4 {
        misused(
            plugin
                .create(words.as_ptr().cast::<u8>().wrapping_add(shift).cast(), PID)
                .map(drop),
        );
    }
    let mut table = host.table();
    table.get_extension = None;
    let error = misused(plugin.create(&table, PID).map(drop));
    assert!(error.message.contains("get_extension"), "{error}");
}

pub fn tables_too_short_to_be_tables_are_refused_by_name(plugin: &Plugin) {
    for (id, name) in [
        (EXT_LOG, "gwc_log"),
        (EXT_STORAGE, "gwc_storage"),
        (EXT_CONFIGURATION, "gwc_configuration"),
        (EXT_KEYSTORE, "gwc_keystore"),
        (EXT_SYSTEM, "gwc_system"),
    ] {
        for size in [0u32, 4, 7] {
            let short = [size, 0];
            let mut host = Host::new();
            host.state()
                .offers
                .insert(id.to_owned(), short.as_ptr().cast());
            let error = misused(plugin.create(&host.table(), PID).map(drop));
            assert!(error.message.contains(name), "{id}, {size}: {error}");
        }
    }
}

pub fn tables_without_functions_are_named_in_the_status(plugin: &Plugin) {
    for id in REQUIRED {
        // As short as a table can be: it ends where its first function would be.
        let edge = Edge::new(&[8, 0, 0, 0, 0, 0, 0, 0]);
        let mut host = Host::new();
        host.state().offers.insert(id.to_owned(), edge.ptr());
        let (table, watcher) = (host.table(), Watcher::new());
        let instance = plugin.create(&table, PID).unwrap();
        instance.watch(watcher.sink()).unwrap();
        instance
            .activate(&parameters(true, "mqtts://127.0.0.1:1"))
            .unwrap();
        let document = watcher.wait_for_code("host.unsupported");
        let message = document["error"]["message"].as_str().unwrap();
        assert!(message.contains(id), "{id}: {message}");
        instance.destroy().unwrap();
    }
}

pub fn tables_longer_than_known_work(plugin: &Plugin) {
    let mut host = Host::new();
    let state = host.state();
    let longer = [
        (EXT_LOG, Edge::cut(&state.log, size_of_val(&state.log) + 32)),
        (
            EXT_STORAGE,
            Edge::cut(&state.storage, size_of_val(&state.storage) + 32),
        ),
        (
            EXT_KEYSTORE,
            Edge::cut(&state.keystore, size_of_val(&state.keystore) + 32),
        ),
        (
            EXT_SYSTEM,
            Edge::cut(&state.system, size_of_val(&state.system) + 32),
        ),
    ];
    for (id, edge) in &longer {
        state.offers.insert((*id).to_owned(), edge.ptr());
    }
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance
        .activate(&parameters(false, "mqtts://127.0.0.1:1"))
        .unwrap();
    let sheet = crate::answered(|| instance.identity()).unwrap();
    assert!(sheet.to_string().contains("SN-0001"), "{sheet}");
    instance.destroy().unwrap();
}

pub fn missing_services_are_named_in_the_status(plugin: &Plugin) {
    let mut host = Host::new();
    host.state().offers.clear();
    let (table, watcher) = (host.table(), Watcher::new());
    let instance = plugin.create(&table, PID).unwrap();
    instance.watch(watcher.sink()).unwrap();
    instance
        .activate(&parameters(true, "mqtts://127.0.0.1:1"))
        .unwrap();
    let document = watcher.wait_for_code("host.unsupported");
    let message = document["error"]["message"].as_str().unwrap();
    for id in REQUIRED {
        assert!(host.asked().contains(id), "{id} was not asked for");
        assert!(message.contains(id), "{id}: {message}");
    }
    let checks = crate::answered(|| instance.preflight()).unwrap();
    let failed = checks
        .as_array()
        .unwrap()
        .iter()
        .filter(|check| check["passed"] == false);
    assert!(failed.count() > 0, "{checks}");
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
}

pub fn unknown_pids_and_bad_names_are_refused(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let create = |pid: GwcStr, name: GwcStr| {
        let mut this = ptr::null_mut();
        let result =
            contract::plugin::called(|err| plugin.raw_create(pid, &table, name, &mut this, err));
        assert!(this.is_null(), "an output was written without success");
        result.expect_err("a refusal")
    };
    let (good, name) = (GwcStr::borrow(FACTORY_PID), GwcStr::borrow(PID));
    let bytes = |bytes: &'static [u8]| GwcStr {
        ptr: bytes.as_ptr().cast(),
        len: bytes.len() as u64,
    };
    for pid in [
        "",
        "gwc.provisioning",
        "gwc.provisioning.ProvisioningServicE",
    ] {
        let error = create(GwcStr::borrow(pid), name);
        assert_eq!(error.status, E_NOT_FOUND);
        assert!(
            error.message.contains(FACTORY_PID),
            "it does not say what there is: {error}"
        );
        assert_eq!(
            plugin.metatype(pid, "").expect_err("a refusal").status,
            E_NOT_FOUND
        );
    }
    let long = "x".repeat(256);
    let nowhere = GwcStr {
        ptr: ptr::null(),
        len: 5,
    };
    let huge = GwcStr {
        ptr: FACTORY_PID.as_ptr().cast(),
        len: u64::MAX,
    };
    for (pid, name) in [
        (good, GwcStr::EMPTY),
        (good, GwcStr::borrow(&long)),
        (good, bytes(b"\xff\xfe")),
        (good, nowhere),
        (good, huge),
        (bytes(b"\xc3\x28"), name),
        (nowhere, name),
        (huge, name),
    ] {
        assert_eq!(create(pid, name).status, E_INVALID_ARGUMENT);
    }
    let error =
        contract::plugin::called(|err| plugin.raw_create(good, &table, name, ptr::null_mut(), err));
    misused(error);
}

pub fn sinks_without_a_function_are_refused(plugin: &Plugin) {
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    instance
        .activate(&parameters(false, "mqtts://127.0.0.1:1"))
        .unwrap();
    let none = Watcher::none();
    let this = instance.this;
    let (status, identity, preflight) = (
        instance.status_table().get.unwrap(),
        instance.identity_table().get.unwrap(),
        instance.preflight_table().run.unwrap(),
    );
    let (pid, locale) = (GwcStr::borrow(FACTORY_PID), GwcStr::EMPTY);
    type Call<'a> = Box<dyn Fn(GwcSink, *mut GwcError) -> i32 + 'a>;
    let calls: [Call<'_>; 4] = [
        // SAFETY: a function of the instance, with a sink that has no function.
        Box::new(|sink, err| unsafe { status(this, sink, err) }),
        // SAFETY: a function of the instance, with a sink that has no function.
        Box::new(|sink, err| unsafe { identity(this, sink, err) }),
        // SAFETY: a function of the instance, with a sink that has no function.
        Box::new(|sink, err| unsafe { preflight(this, sink, err) }),
        Box::new(|sink, err| plugin.raw_metatype(pid, locale, sink, err)),
    ];
    for call in calls {
        misused(contract::plugin::called(|err| call(none, err)));
    }
    instance.destroy().unwrap();
}
