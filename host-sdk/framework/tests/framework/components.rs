//! Instances: order and content of what they are told.

use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::configuration::Holder;
use gateway_host_sdk::{ComponentState, Event, StartError};

use crate::support::{calls, text, until, Place, DEADLINE};

fn properties(message: &str, number: i32) -> Properties {
    Properties::from([
        ("message".to_owned(), message.into()),
        ("number".to_owned(), number.into()),
        ("secret".to_owned(), Secret::from("s3cret").into()),
    ])
}

#[test]
fn an_instance_hears_everything_in_order_with_its_content() {
    let place = Place::new();
    place.drop_in("echo.so", &[]);
    let framework = place.start();
    let service = framework.configuration();
    service
        .create_factory("test.Echo", "echo-1", &properties("one", 1))
        .unwrap();
    framework.settle();
    assert_eq!(calls(&framework, "echo-1"), ["activate one 1 s3cret"]);
    let change = Properties::from([("message".to_owned(), "two".into())]);
    service.update("echo-1", &change).unwrap();
    framework.settle();
    service.update("echo-1", &properties("three", 3)).unwrap();
    framework.settle();
    assert_eq!(
        calls(&framework, "echo-1"),
        [
            "activate one 1 s3cret",
            "update two 1 s3cret",
            "update three 3 s3cret"
        ]
    );
    service.delete("echo-1").unwrap();
    framework.settle();
    assert_eq!(framework.status("echo-1"), None);
    assert!(framework.components().iter().all(|c| c.pid != "echo-1"));
}

#[test]
fn the_last_status_is_the_one_after_deactivate() {
    let place = Place::new();
    place.drop_in("echo.so", &[]);
    let framework = place.start();
    let events = framework.events();
    let service = framework.configuration();
    service
        .create_factory("test.Echo", "echo-1", &properties("one", 1))
        .unwrap();
    framework.settle();
    framework.shutdown();
    let mut last = String::new();
    while let Ok(event) = events.recv_timeout(DEADLINE) {
        if let Event::Status { pid, document } = event {
            assert_eq!(pid, "echo-1");
            last = document;
        }
    }
    assert!(last.contains("deactivate"), "{last}");
}

#[test]
fn configurations_survive_a_restart_and_activate_with_defaults() {
    let place = Place::new();
    place.drop_in("echo.so", &[]);
    let framework = place.start();
    framework
        .configuration()
        .create_factory("test.Echo", "echo-1", &Properties::new())
        .unwrap();
    framework.shutdown();
    let framework = place.start();
    assert_eq!(calls(&framework, "echo-1"), ["activate none 7 -"]);
}

#[test]
fn an_instance_waits_for_its_plugin() {
    let place = Place::new();
    let plugin = place.drop_in("echo.so", &[]);
    let framework = place.start();
    framework
        .configuration()
        .create_factory("test.Echo", "echo-1", &properties("one", 1))
        .unwrap();
    framework.shutdown();
    std::fs::remove_file(plugin).unwrap();
    let framework = place.start();
    let state = |name: &str| {
        let all = framework.components();
        all.into_iter().find(|c| c.pid == name).unwrap()
    };
    let waiting = state("echo-1");
    assert_eq!(waiting.state, ComponentState::Unresolved);
    assert!(waiting.error.unwrap().contains("test.Echo"));
    place.drop_in("echo.so", &[]);
    until("the plugin's arrival", || {
        (state("echo-1").state == ComponentState::Active).then_some(())
    });
    assert_eq!(calls(&framework, "echo-1"), ["activate one 1 s3cret"]);
}

#[test]
fn a_component_that_refuses_to_start_is_shown_with_its_reason() {
    let place = Place::new();
    place.drop_in("echo.so", &["NO_ACTIVATE"]);
    let framework = place.start();
    framework
        .configuration()
        .create_factory("test.Echo", "echo-1", &Properties::new())
        .unwrap();
    framework.settle();
    let all = framework.components();
    let refused = all.iter().find(|c| c.pid == "echo-1").unwrap();
    assert_eq!(refused.state, ComponentState::Failed);
    assert!(refused
        .error
        .as_ref()
        .unwrap()
        .contains("this one never starts"));
}

#[test]
fn two_gateways_never_share_a_folder() {
    let place = Place::new();
    let framework = place.start();
    let second = gateway_host_sdk::Framework::start(place.options());
    assert!(matches!(second, Err(StartError::Locked(_))));
    framework.shutdown();
    place.start().shutdown();
}

#[test]
fn an_instance_that_panicked_is_made_anew_with_its_next_configuration() {
    let place = Place::new();
    place.drop_in("echo.so", &["PANICKED"]);
    let framework = place.start();
    let service = framework.configuration();
    service
        .create_factory("test.Echo", "echo-1", &properties("one", 1))
        .unwrap();
    framework.settle();
    service.update("echo-1", &properties("two", 2)).unwrap();
    framework.settle();
    assert_eq!(calls(&framework, "echo-1"), ["activate two 2 s3cret"]);
    assert_eq!(framework.components()[0].state, ComponentState::Active);
}

/// It may have been about to change another configuration when it came to its end.
#[test]
fn what_an_instance_has_reserved_is_free_once_it_is_gone_even_if_it_cannot_be_destroyed() {
    let place = Place::new();
    place.drop_in("echo.so", &["NO_DESTROY"]);
    let framework = place.start();
    let service = framework.configuration();
    for pid in ["echo-1", "other"] {
        service
            .create_factory("test.Echo", pid, &properties("one", 1))
            .unwrap();
    }
    framework.settle();
    let holder = Holder {
        pid: "echo-1".to_owned(),
        instance: u64::MAX,
    };
    service.capture_for(&holder, &["other"]).unwrap();
    service.update("other", &properties("two", 2)).unwrap_err();
    service.delete("echo-1").unwrap();
    framework.settle();
    service.update("other", &properties("two", 2)).unwrap();
}

/// A provisioning that a restart has cut off is taken back by its component, which has to come first.
#[test]
fn what_a_component_has_reserved_waits_for_it_over_a_restart_and_for_nobody_who_does_not_come() {
    let place = Place::new();
    let plugin = place.drop_in("echo.so", &[]);
    let framework = place.start();
    let service = framework.configuration();
    for pid in ["echo-1", "other"] {
        service
            .create_factory("test.Echo", pid, &properties("one", 1))
            .unwrap();
    }
    framework.settle();
    let holder = Holder {
        pid: "echo-1".to_owned(),
        instance: u64::MAX,
    };
    service.capture_for(&holder, &["other"]).unwrap();
    framework.shutdown();

    let framework = place.start();
    let service = framework.configuration();
    service.update("other", &properties("two", 2)).unwrap_err();
    // Nor does it end because its plugin is replaced.
    place.drop_in("echo.so", &[&text("VERSION", "2")]);
    until("the new plugin", || {
        let all = framework.plugins();
        all.iter().any(|p| p.version == "2").then_some(())
    });
    framework.settle();
    service.update("other", &properties("two", 2)).unwrap_err();
    framework.shutdown();

    std::fs::remove_file(plugin).unwrap();
    let framework = place.start();
    let service = framework.configuration();
    service.update("other", &properties("two", 2)).unwrap();
    framework.shutdown();
}
