//! The Rust mirror is the headers: the same records, fields, types, sizes, alignments, offsets
//! and constants.
//!
//! Names and types are compared as written in both sources; sizes and offsets as both compilers
//! see them.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::collections::BTreeMap;
use std::fmt::Write;
use std::process::Command;
use std::time::Duration;

use contract::declarations::{headers, mirror, rust_name, Struct};
use contract::{compiler, process};

/// Name to (size, alignment, field to offset).
type Layouts = BTreeMap<String, (usize, usize, BTreeMap<String, usize>)>;

/// As rustc lays the mirror out. The pattern, which has no `..`, fails to compile while a field
/// of the struct is not listed here.
fn layouts() -> Layouts {
    use gateway_component_abi::ext::{
        action::*, cloud_connection::*, configuration::*, control_verifier::*, crypto::*,
        events::*, identity::*, keystore::*, log::*, packages::*, preflight::*, status::*,
        storage::*, system::*,
    };
    use gateway_component_abi::{component::*, entry::*, host::*, status::*, types::*};
    let mut layouts = Layouts::new();
    macro_rules! layout {
        ($($name:ident { $($field:ident),* $(,)? })*) => {$(
            #[allow(clippy::no_effect_underscore_binding)]
            let _complete = |value: $name| { let $name { $($field: _),* } = value; };
            let fields = [$((stringify!($field).to_owned(), std::mem::offset_of!($name, $field))),*];
            layouts.insert(
                stringify!($name).to_owned(),
                (size_of::<$name>(), align_of::<$name>(), fields.into_iter().collect()),
            );
        )*};
    }
    layout! {
        GwcStr { ptr, len }
        GwcBytes { ptr, len }
        GwcSink { ctx, put }
        GwcProperty { struct_size, kind, is_array, count, name, values }
        GwcProperties { struct_size, property_size, count, items }
        GwcError { struct_size, status, code, message }
        GwcHost { struct_size, reserved, ctx, name, version, get_extension }
        GwcComponentOps {
            struct_size, reserved, activate, update, deactivate, destroy, get_extension,
        }
        GwcComponentInfo { struct_size, reserved, factory_pid, description }
        GwcModule {
            struct_size, abi_major, abi_minor, component_size, component_count, components,
            name, version, vendor, build_date, metatype, create, ops,
        }
        GwcAction { struct_size, reserved, retry_now, cancel, reprovision, system_changed }
        GwcConnectionState { struct_size, state, pid, data_pid, transport_pid, last_error }
        GwcConnectionSink { ctx, put }
        GwcCloudConnection { struct_size, reserved, describe, disconnect, connect, probe, release }
        GwcConfigurationItem { struct_size, reserved, pid, factory_pid, properties }
        GwcConfigurationList { struct_size, item_size, count, items }
        GwcConfigurationSink { ctx, put }
        GwcConfiguration {
            struct_size, reserved, get, update_own, validate, capture, apply, restore,
        }
        GwcControlVerifier { struct_size, reserved, verify }
        GwcCrypto { struct_size, reserved, encrypt, decrypt }
        GwcEvents { struct_size, reserved, post }
        GwcIdentity { struct_size, reserved, get }
        GwcKeystoreEntry { struct_size, kind, alias, pem }
        GwcKeystoreSink { ctx, put }
        GwcKeystore {
            struct_size, reserved, list, put_certificate, remove, create_key, csr, put_chain,
            private_key,
        }
        GwcLog { struct_size, reserved, max_level, write }
        GwcPackage { struct_size, reserved, name, version }
        GwcPackageSink { ctx, put }
        GwcPackages { struct_size, reserved, list, inspect, install, revert, settle }
        GwcPreflight { struct_size, reserved, run }
        GwcComponentStatus { struct_size, reserved, get, watch }
        GwcStorage { struct_size, reserved, folder }
        GwcSystem { struct_size, reserved, get }
    }
    layouts
}

/// The records of the headers, named and typed as in Rust, by name.
fn declared() -> BTreeMap<String, Struct> {
    headers()
        .into_iter()
        .flat_map(|header| header.structs)
        .map(|mut record| {
            record
                .fields
                .iter_mut()
                .for_each(|field| field.comment.clear());
            record.name = rust_name(&record.name);
            (record.name.clone(), record)
        })
        .collect()
}

#[test]
fn records_fields_and_types_are_the_same_in_both_sources() {
    let c = declared();
    let rust: BTreeMap<String, Struct> = mirror()
        .into_iter()
        .flat_map(|file| file.structs)
        .map(|record| (record.name.clone(), record))
        .collect();
    let names = |of: &BTreeMap<String, Struct>| of.keys().cloned().collect::<Vec<_>>();
    assert_eq!(
        names(&c),
        names(&rust),
        "left the headers, right the mirror"
    );
    assert!(c.len() > 30, "the readers found {} records only", c.len());
    for (name, record) in &c {
        assert_eq!(record, &rust[name], "left the headers, right the mirror");
    }
}

#[test]
fn sizes_alignments_and_offsets_are_the_same_for_both_compilers() {
    let mut program = String::from("#include <stdio.h>\n#include <stdalign.h>\n");
    for header in headers() {
        let _ = writeln!(program, "#include <{}>", header.name);
    }
    program.push_str("int main(void) {\n");
    for record in headers().iter().flat_map(|header| &header.structs) {
        let (c, rust) = (&record.name, rust_name(&record.name));
        let _ = writeln!(
            program,
            "printf(\"{rust} - %zu %zu\\n\", sizeof({c}), alignof({c}));"
        );
        for field in &record.fields {
            let rust_field = &field.name;
            let c_field = match (c.as_str(), rust_field.as_str()) {
                ("gwc_property", "kind") => "type",
                (_, same) => same,
            };
            let _ = writeln!(
                program,
                "printf(\"{rust} {rust_field} %zu 0\\n\", offsetof({c}, {c_field}));"
            );
        }
    }
    program.push_str("return 0; }\n");

    let mut c = Layouts::new();
    for line in run(&program).lines() {
        let words: Vec<&str> = line.split(' ').collect();
        let number = |at: usize| words[at].parse::<usize>().unwrap();
        let layout = c.entry(words[0].to_owned()).or_default();
        if words[1] == "-" {
            (layout.0, layout.1) = (number(2), number(3));
        } else {
            layout.2.insert(words[1].to_owned(), number(2));
        }
    }
    assert_eq!(c, layouts(), "left the headers, right the mirror");
}

#[test]
fn constants_are_the_same() {
    let names: Vec<String> = headers()
        .into_iter()
        .flat_map(|header| header.constants)
        .map(|(name, _)| name)
        .collect();
    let mut program = String::from("#include <stdio.h>\n");
    for header in headers() {
        let _ = writeln!(program, "#include <{}>", header.name);
    }
    program.push_str(
        "#define show(name) _Generic((name), char *: text, int: number, unsigned: positive)(#name, name)\n\
         static void text(const char *name, const char *value) { printf(\"%s \\\"%s\\\"\\n\", name, value); }\n\
         static void number(const char *name, int value) { printf(\"%s %d\\n\", name, value); }\n\
         static void positive(const char *name, unsigned value) { printf(\"%s %u\\n\", name, value); }\n\
         int main(void) {\n",
    );
    for name in &names {
        // The name itself, not what it stands for.
        let _ = writeln!(program, "printf(\"{name} \"); show({name});");
    }
    program.push_str("return 0; }\n");
    let c: BTreeMap<String, String> = run(&program)
        .lines()
        .map(|line| {
            let (name, rest) = line.split_once(' ').unwrap();
            let (_, value) = rest.split_once(' ').unwrap();
            (
                name.strip_prefix("GWC_").unwrap().to_owned(),
                value.to_owned(),
            )
        })
        .collect();
    let rust: BTreeMap<String, String> = mirror()
        .into_iter()
        .flat_map(|file| file.constants)
        .collect();
    assert!(c.len() > 50, "the reader found {} constants only", c.len());
    assert_eq!(c, rust, "left the headers, right the mirror");
}

fn run(program: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("layout.c");
    std::fs::write(&source, program).unwrap();
    let program = compiler::build(&source, folder.path());
    process::run(&mut Command::new(program), Duration::from_secs(10)).expect_success("the program")
}
