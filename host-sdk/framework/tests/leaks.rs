//! Nothing is left behind: threads and file descriptors before and after. A process of its own, as
//! other tests would be counted, too.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs
)]

#[path = "framework/support.rs"]
#[allow(dead_code)]
mod support;

use std::time::Duration;

use gateway_component_abi::value::Properties;
use gateway_host_sdk::component::services::Services;
use gateway_host_sdk::loader::{Library, OpenOptions};
use support::{compile, text, until, Place};

fn count(what: &str) -> usize {
    std::fs::read_dir(format!("/proc/self/{what}"))
        .unwrap()
        .count()
}

/// Waits until threads that have ended are gone from the kernel's list, too.
fn back_to(threads: usize, descriptors: usize) {
    until("the end of all threads and descriptors", || {
        (count("task") <= threads && count("fd") <= descriptors).then_some(())
    });
}

#[test]
fn instances_and_whole_gateways_come_and_go_without_a_trace() {
    let place = Place::new();
    let file = place.root.path().join("echo.so");
    compile(&file, &[]);
    let library = Library::open(&file, &OpenOptions::default()).unwrap();
    let before = (count("task"), count("fd"));
    for n in 0..100 {
        let echo = library
            .create("test.Echo", &format!("echo-{n}"), Services::default())
            .unwrap();
        echo.watch(|_| {}).unwrap();
        echo.activate(&Properties::new()).unwrap();
        echo.update(&Properties::new()).unwrap();
        echo.deactivate().unwrap();
        echo.destroy().unwrap();
    }
    back_to(before.0, before.1);
    drop(library);

    let factory = text("FACTORY", "gwc.provisioning.ProvisioningService");
    place.drop_in("provisioning.so", &[&factory]);
    let cycle = |wait: bool| {
        let framework = place.start();
        let events = framework.events();
        let pid = "gwc.provisioning.ProvisioningService";
        assert!(framework.status(pid).is_some());
        framework
            .create_connection("org.eclipse.kura.cloud.CloudService-2")
            .unwrap();
        framework
            .delete_connection("org.eclipse.kura.cloud.CloudService-2")
            .unwrap();
        if wait {
            events.recv_timeout(Duration::from_secs(10)).unwrap();
        }
        framework.shutdown();
    };
    // Once for what the C library keeps for good.
    cycle(true);
    let before = (count("task"), count("fd"));
    for n in 0..20 {
        cycle(n % 2 == 0);
    }
    back_to(before.0, before.1);
}
