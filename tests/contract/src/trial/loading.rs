//! The library as such: what loading changes, and several copies of it.

use std::path::{Path, PathBuf};

use contract::host::{parameters, Host, Watcher, PID};
use contract::plugin::Plugin;
use contract::process;

const QUIET: &str = "mqtts://127.0.0.1:1";

/// What a library must not change by being loaded.
#[derive(Debug, PartialEq)]
struct Surroundings {
    threads: usize,
    descriptors: Vec<PathBuf>,
    environment: Vec<(std::ffi::OsString, std::ffi::OsString)>,
    directory: PathBuf,
    mask: u32,
    locale: String,
    signals: Vec<usize>,
}

fn surroundings() -> Surroundings {
    // The listing's own descriptor is closed by the time its target is read.
    let entries: Vec<PathBuf> = std::fs::read_dir("/proc/self/fd")
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let mut descriptors: Vec<PathBuf> = entries
        .iter()
        .filter_map(|path| std::fs::read_link(path).ok())
        .collect();
    descriptors.sort();
    let mut environment: Vec<_> = std::env::vars_os().collect();
    environment.sort();
    // SAFETY: questions only; the mask is put back at once, and nobody makes files meanwhile.
    unsafe {
        let mask = libc::umask(0o077);
        libc::umask(mask);
        let locale = std::ffi::CStr::from_ptr(libc::setlocale(libc::LC_ALL, std::ptr::null()));
        Surroundings {
            threads: process::holdings().threads,
            descriptors,
            environment,
            directory: std::env::current_dir().unwrap(),
            mask,
            locale: locale.to_string_lossy().into_owned(),
            signals: (1..=31)
                .map(|signal| {
                    let mut action: libc::sigaction = std::mem::zeroed();
                    libc::sigaction(signal, std::ptr::null(), &mut action);
                    action.sa_sigaction
                })
                .collect(),
        }
    }
}

pub fn loading_changes_nothing_in_the_process(path: &Path) {
    let before = surroundings();
    let plugin = Plugin::open(path);
    assert_eq!(surroundings(), before, "opening");
    let descriptor = plugin.metatype(contract::plugin::FACTORY_PID, "").unwrap();
    assert!(!descriptor.is_empty());
    assert_eq!(surroundings(), before, "reading the metatype");
    let host = Host::new();
    let table = host.table();
    let instance = plugin.create(&table, PID).unwrap();
    assert_eq!(surroundings(), before, "creating an instance");
    instance.activate(&parameters(false, QUIET)).unwrap();
    instance.deactivate().unwrap();
    instance.destroy().unwrap();
    assert_eq!(surroundings(), before, "a whole life, disabled");
}

fn copy(path: &Path, folder: &Path, name: &str) -> PathBuf {
    let to = folder.join(name);
    std::fs::copy(path, &to).unwrap();
    to
}

pub fn two_copies_of_the_library_run_side_by_side(path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let plugins = ["one.so", "two.so"].map(|name| Plugin::open(&copy(path, folder.path(), name)));
    assert_ne!(plugins[0].module, plugins[1].module, "one library, not two");
    let hosts = [Host::new(), Host::new()];
    let tables = hosts.each_ref().map(Host::table);
    let watchers = [Watcher::new(), Watcher::new()];
    let instances = [0, 1].map(|n| plugins[n].create(&tables[n], PID).unwrap());
    for n in 0..2 {
        instances[n].watch(watchers[n].sink()).unwrap();
        instances[n].activate(&parameters(true, QUIET)).unwrap();
    }
    for watcher in &watchers {
        watcher.wait(|document| !document["error"].is_null());
    }
    for instance in &instances {
        instance.deactivate().unwrap();
    }
    // The instance of one library is none of the other.
    for (n, instance) in instances.iter().enumerate() {
        instance.destroy().unwrap();
        assert!(
            !hosts[n].lines().is_empty(),
            "copy {n} wrote no log of its own"
        );
    }
}

pub fn a_newer_copy_takes_over_from_a_running_one(path: &Path) {
    let folder = tempfile::tempdir().unwrap();
    let host = Host::new();
    let table = host.table();
    let mut threads = None;
    // Three generations, each from a path of its own, on the same folder and configuration.
    for generation in 0..3 {
        let plugin = Plugin::open(&copy(path, folder.path(), &format!("{generation}.so")));
        let watcher = Watcher::new();
        let instance = plugin.create(&table, PID).unwrap();
        instance.watch(watcher.sink()).unwrap();
        instance.activate(&parameters(true, QUIET)).unwrap();
        watcher.wait(|document| !document["error"].is_null());
        instance.deactivate().unwrap();
        instance.destroy().unwrap();
        plugin.close();
        let now = process::holdings().threads;
        assert_eq!(
            *threads.get_or_insert(now),
            now,
            "{:?}",
            process::thread_names()
        );
    }
}

pub fn an_unused_library_can_be_unloaded(path: &Path) {
    let mapped = || {
        std::fs::read_to_string("/proc/self/maps")
            .unwrap()
            .contains("provisioning_service.so")
    };
    for _ in 0..3 {
        let plugin = Plugin::open(path);
        assert!(mapped());
        plugin.metatype(contract::plugin::FACTORY_PID, "").unwrap();
        plugin.close();
        assert!(!mapped(), "it is still mapped");
    }
}
