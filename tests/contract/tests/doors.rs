//! Both doors lead to the same table; another major version is refused at both.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(unsafe_code)]

use abi_stable::library::lib_header_from_path;
use contract::host::{parameters, Host};
use contract::plugin::{Plugin, FACTORY_PID};
use contract::plugin_library;
use gateway_component_abi::entry::{GwcComponentInfo, GwcModule};
use gateway_component_abi::root::GwcRoot_Ref;
use gateway_component_abi::safe::{table, text};
use gateway_component_abi::status;
use gateway_component_abi::types::{GwcBytes, GwcStr, ABI_MAJOR, ABI_MINOR};

fn read(raw: GwcStr) -> String {
    // SAFETY: texts of the module, which is not unloaded.
    unsafe { text::text(raw) }.unwrap().to_owned()
}

#[test]
fn the_rust_door_checks_the_layout_and_leads_to_the_same_table_as_the_c_door() {
    let path = plugin_library();
    let plugin = Plugin::open(&path);
    let header = lib_header_from_path(&path).expect("a root module");
    let root = header
        .check_layout::<GwcRoot_Ref>()
        .expect("the layout fits");
    let module: *const GwcModule = root.entry()(ABI_MAJOR);
    assert!(!module.is_null());
    assert_eq!(module, plugin.module);
}

#[test]
fn another_major_version_is_refused_at_both_doors() {
    let path = plugin_library();
    let plugin = Plugin::open(&path);
    let header = lib_header_from_path(&path).expect("a root module");
    let root = header
        .check_layout::<GwcRoot_Ref>()
        .expect("the layout fits");
    for major in [0, ABI_MAJOR + 1, u32::MAX] {
        assert!(plugin.entry(major).is_null(), "C door, {major}");
        assert!(root.entry()(major).is_null(), "Rust door, {major}");
    }
}

#[test]
fn the_verifier_behind_either_door_fails_closed_in_every_state() {
    let path = plugin_library();
    let by_c = Plugin::open(&path);
    let mut by_rust = Plugin::open(&path);
    let header = lib_header_from_path(&path).expect("a root module");
    let root = header
        .check_layout::<GwcRoot_Ref>()
        .expect("the layout fits");
    by_rust.module = root.entry()(ABI_MAJOR);
    // SAFETY: the module of the library, which is not unloaded.
    by_rust.table = unsafe { table::read(by_rust.module) }.unwrap();
    // SAFETY: as above.
    by_rust.ops = unsafe { table::read(by_rust.table.ops) }.unwrap();
    for plugin in [&by_c, &by_rust] {
        let host = Host::new();
        let table = host.table();
        let instance = plugin.create(&table, FACTORY_PID).unwrap();
        let refused = |payload: GwcBytes| {
            let called = instance.verify("acme", "gw", "CONF-V1/EXEC/snapshot", payload);
            let error = called.unwrap_err();
            (error.status, error.code)
        };
        let idle = (status::E_STATE, String::new());
        assert_eq!(refused(GwcBytes::borrow(b"")), idle);
        instance
            .activate(&parameters(false, "mqtts://127.0.0.1:1"))
            .unwrap();
        // Nobody has provisioned it: nobody may sign, whatever the message is.
        let nobody = (status::E_DENIED, "signature.untrusted".to_owned());
        assert_eq!(refused(GwcBytes::borrow(b"")), nobody);
        assert_eq!(refused(GwcBytes::borrow(b"\xff\xff")), nobody);
        let nowhere = GwcBytes {
            ptr: std::ptr::null(),
            len: 7,
        };
        assert_eq!(refused(nowhere).0, status::E_INVALID_ARGUMENT);
        instance.deactivate().unwrap();
        assert_eq!(refused(GwcBytes::borrow(b"")), idle);
        instance.destroy().unwrap();
    }
}

#[test]
fn the_module_says_who_it_is_and_what_it_makes() {
    let plugin = Plugin::open(&plugin_library());
    let module = &plugin.table;
    assert_eq!(module.struct_size as usize, size_of::<GwcModule>());
    assert_eq!((module.abi_major, module.abi_minor), (ABI_MAJOR, ABI_MINOR));
    assert_eq!(read(module.name), "provisioning-service");
    assert_eq!(read(module.version), env!("CARGO_PKG_VERSION"));
    assert!(!read(module.vendor).is_empty());
    let date = read(module.build_date);
    assert!(
        date.len() == 20 && date.ends_with('Z') && date.starts_with("20"),
        "{date}"
    );
    assert_eq!(module.component_count, 1);
    assert_eq!(
        module.component_size as usize,
        size_of::<GwcComponentInfo>()
    );
    // SAFETY: the one element of the module's list.
    let info = unsafe { table::read(module.components) }.unwrap();
    assert_eq!(read(info.factory_pid), FACTORY_PID);
    assert!(!read(info.description).contains('\n'));
}

#[test]
fn the_metatype_has_the_texts_of_the_locale() {
    let plugin = Plugin::open(&plugin_library());
    let default = plugin.metatype(FACTORY_PID, "").unwrap();
    assert!(default.contains("id=\"broker-url\""), "{default}");
    // A locale that nobody translated is the default one.
    assert_eq!(plugin.metatype(FACTORY_PID, "tlh").unwrap(), default);
}
