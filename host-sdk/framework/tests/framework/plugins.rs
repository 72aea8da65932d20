//! The plugin directory while a gateway runs.

use std::fs;
use std::io::Write;

use gateway_component_abi::value::Properties;
use gateway_host_sdk::{ComponentState, Framework, PluginInfo, PluginState};

use crate::support::{calls, chmod, compile, text, until, Place};

fn info(framework: &Framework, name: &str) -> Option<PluginInfo> {
    let mut all = framework.plugins().into_iter();
    all.find(|plugin| plugin.path.ends_with(name))
}

fn version(framework: &Framework, pid: &str) -> Option<String> {
    let status: serde_json::Value = serde_json::from_str(&framework.status(pid)?).unwrap();
    Some(status["plugin"].as_str()?.to_owned())
}

/// A gateway with one instance of the test plugin in version 1.0.0.
fn running(place: &Place) -> Framework {
    place.drop_in("echo.so", &[]);
    let framework = place.start();
    framework
        .configuration()
        .create_factory("test.Echo", "echo-1", &Properties::new())
        .unwrap();
    framework.settle();
    assert_eq!(version(&framework, "echo-1").as_deref(), Some("1.0.0"));
    framework
}

#[test]
fn a_library_that_is_still_being_copied_is_not_loaded_before_it_is_whole() {
    let place = Place::new();
    let framework = place.start();
    let aside = place.root.path().join("whole");
    compile(&aside, &[]);
    let whole = fs::read(&aside).unwrap();
    let (first, second) = whole.split_at(whole.len() / 2);
    let path = place.plugins().join("slow.so");
    let mut file = fs::File::create(&path).unwrap();
    file.write_all(first).unwrap();
    file.sync_all().unwrap();
    chmod(&path, 0o755);
    // The copy stalls for longer than files take to settle: it is seen, and seen to be a part.
    let part = until("the look at the part", || info(&framework, "slow.so"));
    assert_eq!(part.state, PluginState::Failed);
    assert!(part.error.unwrap().contains("truncated"));
    file.write_all(second).unwrap();
    drop(file);
    let whole = until("the whole file", || {
        info(&framework, "slow.so").filter(|plugin| plugin.state == PluginState::Active)
    });
    assert_eq!(whole.components, ["test.Echo"]);
}

#[test]
fn a_removed_library_takes_its_instances_down_and_a_new_one_brings_them_back() {
    let place = Place::new();
    let framework = running(&place);
    fs::remove_file(place.plugins().join("echo.so")).unwrap();
    let state = || framework.components()[0].state;
    until("the removal", || {
        (state() == ComponentState::Unresolved).then_some(())
    });
    assert!(framework.plugins().is_empty());
    place.drop_in("other.so", &[]);
    until("the return", || {
        (state() == ComponentState::Active).then_some(())
    });
}

#[test]
fn a_newer_version_beside_the_old_one_takes_over_and_gives_back() {
    let place = Place::new();
    let framework = running(&place);
    let newer = place.drop_in("echo-2.so", &[&text("VERSION", "2.0.0")]);
    let runs = |wanted: &str| {
        until(wanted, || {
            (version(&framework, "echo-1").as_deref() == Some(wanted)).then_some(())
        });
    };
    runs("2.0.0");
    assert_eq!(calls(&framework, "echo-1"), ["activate none 7 -"]);
    let state = |name: &str| info(&framework, name).unwrap().state;
    assert_eq!(state("echo.so"), PluginState::Superseded);
    assert_eq!(state("echo-2.so"), PluginState::Active);
    fs::remove_file(newer).unwrap();
    runs("1.0.0");
    assert_eq!(state("echo.so"), PluginState::Active);
}

#[test]
fn an_older_version_beside_the_new_one_changes_nothing() {
    let place = Place::new();
    let framework = running(&place);
    place.drop_in("old.so", &[&text("VERSION", "0.9.0")]);
    let old = until("the old one's arrival", || info(&framework, "old.so"));
    assert_eq!(old.state, PluginState::Superseded);
    assert_eq!(version(&framework, "echo-1").as_deref(), Some("1.0.0"));
}

#[test]
fn a_library_replaced_at_its_path_is_really_the_new_one() {
    let place = Place::new();
    let framework = running(&place);
    for next in ["1.1.0", "1.0.1"] {
        place.drop_in("echo.so", &[&text("VERSION", next)]);
        until(next, || {
            (version(&framework, "echo-1").as_deref() == Some(next)).then_some(())
        });
    }
    let links = fs::read_dir(place.data().join("links")).unwrap();
    assert_eq!(links.count(), 0);
}

#[test]
fn what_is_no_plugin_is_listed_with_its_reason_and_does_no_harm() {
    let place = Place::new();
    let framework = running(&place);
    place.drop_in("hostile.so", &["NULL_OPS"]);
    let hostile = until("the hostile one", || info(&framework, "hostile.so"));
    assert_eq!(hostile.state, PluginState::Failed);
    assert!(hostile.error.unwrap().contains("malformed module table"));
    assert_eq!(framework.components()[0].state, ComponentState::Active);
}

#[test]
fn a_descriptor_of_another_version_beside_the_library_is_noticed() {
    let place = Place::new();
    let descriptor = place.plugins().join("test.Echo.xml");
    fs::write(
        &descriptor,
        "<MetaData xmlns='http://www.osgi.org/xmlns/metatype/v1.2.0'><OCD id='test.Echo' name='E'>\
         <AD id='message' type='String' cardinality='0' required='true' default='none'/></OCD>\
         <Designate factoryPid='test.Echo'><Object ocdref='test.Echo'/></Designate></MetaData>",
    )
    .unwrap();
    place.drop_in("echo.so", &[]);
    let framework = place.start();
    let plugin = info(&framework, "echo.so").unwrap();
    assert_eq!(plugin.state, PluginState::Active);
    assert!(plugin
        .error
        .unwrap()
        .contains("does not describe this version"));
}
