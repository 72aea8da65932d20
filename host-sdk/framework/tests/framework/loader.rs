//! Libraries that are good, broken, hostile or none.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gateway_component_abi::safe::error::CallError;
use gateway_component_abi::status;
use gateway_host_sdk::component::services::{CloudConnectionService, ConnectionView, Services};
use gateway_host_sdk::loader::{ComponentError, Door, Library, LoadError, OpenOptions};

use crate::support::{chmod, compile};

struct Made {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn made(defines: &[&str]) -> Made {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("plugin.so");
    compile(&path, defines);
    Made {
        _folder: folder,
        path,
    }
}

fn open(path: &Path) -> Result<Library, LoadError> {
    Library::open(path, &OpenOptions::default())
}

fn error(defines: &[&str]) -> LoadError {
    open(&made(defines).path).unwrap_err()
}

#[test]
fn a_good_library_says_who_it_is() {
    let made = made(&[]);
    let library = open(&made.path).unwrap();
    assert_eq!(library.door(), Door::C);
    let module = library.module();
    assert_eq!(
        (module.name.as_str(), module.version.as_str()),
        ("echo", "1.0.0")
    );
    assert_eq!((module.vendor.as_str(), module.abi), ("tests", (1, 0)));
    assert_eq!(module.components.len(), 1);
    assert!(library.offers("test.Echo"));
    assert!(library.metatype("test.Echo", "").unwrap().contains("<OCD"));
    let unknown = library.metatype("test.Other", "").unwrap_err();
    assert!(
        matches!(unknown, ComponentError::Refused { .. }),
        "{unknown}"
    );
}

#[test]
fn a_file_that_is_no_library_is_named_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str, content: &[u8]| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        chmod(&path, 0o644);
        path
    };
    assert!(matches!(
        open(Path::new("x.so")),
        Err(LoadError::NotAbsolute(_))
    ));
    let missing = folder.path().join("missing.so");
    assert!(matches!(open(&missing), Err(LoadError::NotFound(_))));
    let reason = |path: &Path| match open(path).unwrap_err() {
        LoadError::NoLibrary { reason, .. } => reason,
        other => panic!("{other}"),
    };
    assert!(reason(&file("script.so", b"#!/bin/sh\n")).contains("not an ELF file"));
    assert!(reason(&file("empty.so", b"")).contains("empty"));
    assert!(reason(folder.path()).contains("not a file"));
    let whole = std::fs::read(&made(&[]).path).unwrap();
    for part in [20, 63, 200, whole.len() / 2, whole.len() - 1] {
        let reason = reason(&file("part.so", whole.get(..part).unwrap()));
        assert!(reason.contains("truncated"), "{part}: {reason}");
    }
    let mut foreign = whole.clone();
    foreign[18] ^= 0x40;
    assert!(reason(&file("foreign.so", &foreign)).contains("another architecture"));
}

#[test]
fn a_missing_symbol_is_said_in_the_linkers_words() {
    let error = error(&["MISSING_SYMBOL"]);
    assert!(matches!(error, LoadError::Dependency { .. }), "{error}");
    assert!(error.to_string().contains("nowhere_to_be_found"), "{error}");
}

#[test]
fn a_library_without_a_door_is_no_plugin() {
    assert!(matches!(error(&["NO_ENTRY"]), LoadError::NoPlugin { .. }));
    let made = made(&[]);
    let rust_only = OpenOptions {
        door: Door::Rust,
        ..OpenOptions::default()
    };
    let error = Library::open(&made.path, &rust_only).unwrap_err();
    assert!(matches!(error, LoadError::NoPlugin { .. }), "{error}");
}

#[test]
fn another_major_version_is_refused_with_both_versions() {
    let error = error(&["OTHER_MAJOR"]);
    assert!(matches!(&error, LoadError::WrongMajor { theirs, .. } if *theirs == [2, 3]));
    let text = error.to_string();
    assert!(
        text.contains("2, 3") && text.contains("this host speaks 1"),
        "{text}"
    );
}

#[test]
fn a_malformed_module_table_is_refused_and_says_where() {
    for (define, place) in [
        ("NULL_CREATE", "create is NULL"),
        ("NULL_OPS", "gwc_component_ops is NULL"),
        ("NULL_DESTROY", "ops.destroy is NULL"),
        ("SHORT_MODULE", "NULL"),
        ("BAD_TEXT", "name: text is not UTF-8"),
        ("MANY_COMPONENTS", "1000000 components"),
        ("LYING_MAJOR", "version 9"),
    ] {
        let error = error(&[define]);
        assert!(
            matches!(error, LoadError::Malformed { .. }),
            "{define}: {error}"
        );
        assert!(error.to_string().contains(place), "{define}: {error}");
    }
}

#[test]
fn a_library_that_others_may_write_is_refused_unless_allowed() {
    let made = made(&[]);
    let folder = made.path.parent().unwrap().to_owned();
    let refused = |what: &Path| match open(&made.path).unwrap_err() {
        LoadError::Insecure { path, .. } => assert_eq!(path, what.canonicalize().unwrap()),
        other => panic!("{other}"),
    };
    chmod(&made.path, 0o775);
    refused(&made.path);
    let allowed = OpenOptions {
        allow_insecure: true,
        ..OpenOptions::default()
    };
    assert!(Library::open(&made.path, &allowed).is_ok());
    chmod(&made.path, 0o755);
    chmod(&folder, 0o757);
    refused(&folder);
    chmod(&folder, 0o755);
    assert!(open(&made.path).is_ok());
}

#[test]
fn a_component_that_misbehaves_is_an_error_that_names_it() {
    let instance = |defines: &[&str]| {
        let made = made(defines);
        let library = open(&made.path).unwrap();
        library.create("test.Echo", "echo-1", Services::default())
    };
    let broken = |error: ComponentError, what: &str| {
        assert!(matches!(error, ComponentError::Broken { .. }), "{error}");
        let text = error.to_string();
        assert!(text.contains("echo-1") && text.contains(what), "{text}");
    };
    broken(
        instance(&["NO_INSTANCE"]).unwrap_err(),
        "without an instance",
    );
    broken(
        instance(&["BAD_STATUS"]).unwrap().status().unwrap_err(),
        "not JSON",
    );
    broken(
        instance(&["SILENT_STATUS"]).unwrap().status().unwrap_err(),
        "no document",
    );
    let silent = made(&["SILENT_METATYPE"]);
    let error = open(&silent.path)
        .unwrap()
        .metatype("test.Echo", "")
        .unwrap_err();
    assert!(error.to_string().contains("no descriptor"), "{error}");

    let echo = instance(&[]).unwrap();
    let refused = echo.act(gateway_host_sdk::Action::RetryNow).unwrap_err();
    assert_eq!(refused.to_call_error().code, "test.idle");
    for unsupported in [
        echo.act(gateway_host_sdk::Action::Cancel).unwrap_err(),
        echo.identity().unwrap_err(),
        echo.preflight().unwrap_err(),
        echo.verify_control("a", "c", "X/GET", b"").unwrap_err(),
    ] {
        assert!(
            matches!(unsupported, ComponentError::Unsupported { .. }),
            "{unsupported}"
        );
    }
}

#[test]
fn a_host_that_offers_nothing_is_no_harm() {
    let made = made(&[]);
    let library = open(&made.path).unwrap();
    let echo = library
        .create("test.Echo", "bare", Services::default())
        .unwrap();
    echo.activate(&Default::default()).unwrap();
    echo.deactivate().unwrap();
    assert!(echo.status().unwrap().contains("\"packages\":[0,\"\"]"));
    echo.destroy().unwrap();
}

/// The component of this project, where it has been built beside these tests.
fn provisioning_service() -> Option<PathBuf> {
    let program = std::env::current_exe().unwrap();
    let path = program
        .parent()?
        .parent()?
        .join("libprovisioning_service.so");
    if !path.exists() {
        println!("skipped: {} has not been built", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn both_doors_lead_to_the_same_module() {
    let Some(path) = provisioning_service() else {
        return;
    };
    let through = |door| {
        let options = OpenOptions {
            door,
            allow_insecure: true,
        };
        Library::open(&path, &options).unwrap()
    };
    let (c, rust, any) = (through(Door::C), through(Door::Rust), through(Door::Auto));
    assert_eq!(
        (c.door(), rust.door(), any.door()),
        (Door::C, Door::Rust, Door::Rust)
    );
    assert_eq!(c.module(), rust.module());
    let pid = &c.module().components[0].factory_pid;
    assert_eq!(
        c.metatype(pid, "").unwrap(),
        rust.metatype(pid, "").unwrap()
    );
}

/// Notes whether it may wait.
#[derive(Default)]
struct Waits(Mutex<Vec<bool>>);

impl CloudConnectionService for Waits {
    fn describe(&self) -> Result<ConnectionView, CallError> {
        Err(CallError::new(status::E_STATE, "host.misuse", "not here"))
    }

    fn disconnect(&self) -> Result<(), CallError> {
        Ok(())
    }

    fn connect(&self, _: &str) -> Result<(), CallError> {
        Ok(())
    }

    fn release(&self) -> Result<(), CallError> {
        Ok(())
    }

    fn may_wait(&self, may: bool) {
        self.0.lock().unwrap().push(may);
    }
}

#[test]
fn nothing_keeps_a_component_waiting_once_it_is_to_be_deactivated() {
    let made = made(&[]);
    let waits = Arc::new(Waits::default());
    let create = || {
        let services = Services {
            cloud_connection: Some(waits.clone()),
            ..Services::default()
        };
        let library = open(&made.path).unwrap();
        let echo = library.create("test.Echo", "echo", services).unwrap();
        echo.activate(&Default::default()).unwrap();
        echo
    };
    let told = || std::mem::take(&mut *waits.0.lock().unwrap());
    let echo = create();
    assert_eq!(told(), [true]);
    echo.deactivate().unwrap();
    assert_eq!(told(), [false]);
    echo.destroy().unwrap();
    drop(told());
    drop(create());
    assert_eq!(told(), [true, false]);
}
