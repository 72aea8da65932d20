//! Packages on a running gateway: real archives of a real application.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::sync::Arc;

use applications::Application;
use gateway_component_abi::status;
use gateway_component_abi::value::{Properties, Scalar, Value};
use gateway_host_sdk::component::applications::Applications;
use gateway_host_sdk::component::offer::OwnConfiguration;
use gateway_host_sdk::component::services::{
    ConfigurationAccess, ConfigurationItem, PackageService,
};
use gateway_host_sdk::{CallError, ComponentState, Framework};

use crate::support::{until, Place};

const HEATER: &str = "com.example.Heater";

/// The services of the framework as a component has them.
struct Component<'a>(&'a Framework);

impl Component<'_> {
    fn packages(&self) -> Applications {
        Applications {
            packages: Arc::clone(self.0.packages()),
        }
    }

    fn configuration(&self) -> OwnConfiguration {
        OwnConfiguration::new(Arc::clone(self.0.configuration()), "test")
    }

    fn install(&self, place: &Place, key: &str, app: &Application) -> Result<(), CallError> {
        let archive = app.write(place.root.path());
        let path = archive.to_str().unwrap();
        self.packages().install(key, &app.name, &app.version, path)
    }
}

fn item(pid: &str, properties: &[(&str, Value)]) -> ConfigurationItem {
    ConfigurationItem {
        pid: pid.to_owned(),
        factory_pid: HEATER.to_owned(),
        properties: properties
            .iter()
            .map(|(name, value)| ((*name).to_owned(), value.clone()))
            .collect::<Properties>(),
    }
}

fn degrees(value: f64) -> Value {
    Value::Scalar(Scalar::Double(value))
}

/// Everything below a folder: SHA-256 of the content, and the time of the last change.
pub fn tree(folder: &Path) -> BTreeMap<String, (String, i64)> {
    let mut all = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let name = path.strip_prefix(folder).unwrap().display().to_string();
            if path.is_dir() {
                all.insert(name, ("folder".to_owned(), 0));
                open.push(path);
            } else {
                let time = fs::metadata(&path).unwrap().mtime_nsec();
                let digest = openssl::sha::sha256(&fs::read(&path).unwrap());
                let digest = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                all.insert(name, (digest, time));
            }
        }
    }
    all
}

fn release(framework: &Framework, pid: &str) -> Option<String> {
    let status: serde_json::Value = serde_json::from_str(&framework.status(pid)?).unwrap();
    Some(status["release"].as_str()?.to_owned())
}

fn state(framework: &Framework, pid: &str) -> Option<ComponentState> {
    let all = framework.components();
    all.iter().find(|c| c.pid == pid).map(|c| c.state)
}

#[test]
fn an_installed_package_is_configured_at_once_comes_alive_and_goes_without_a_trace() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let heater = Application::heater("1.0.0");
    let before = tree(&place.plugins());

    // As in a provisioning: looked into, validated with what is in it, installed, configured.
    let archive = heater.write(place.root.path());
    let metatypes = component
        .packages()
        .inspect("heater", "1.0.0", archive.to_str().unwrap())
        .unwrap();
    let metatypes: Vec<&[u8]> = metatypes.iter().map(Vec::as_slice).collect();
    let configuration = component.configuration();
    let wanted = || {
        vec![item(
            "heater-1",
            &[
                ("enabled", true.into()),
                ("room", "cellar".into()),
                ("target-temperature", degrees(19.5)),
            ],
        )]
    };
    assert!(configuration.validate(wanted(), &[]).is_err());
    configuration.validate(wanted(), &metatypes).unwrap();
    let hot = vec![item("h", &[("target-temperature", degrees(99.0))])];
    assert!(configuration.validate(hot, &metatypes).is_err());
    let undo = configuration.capture(&["heater-1"]).unwrap();

    component.install(&place, "t/1.0", &heater).unwrap();
    // Known in the very moment in which install returns.
    assert!(framework.configuration().metatype(HEATER).is_some());
    configuration.validate(wanted(), &[]).unwrap();
    configuration.apply("t/1.1", wanted()).unwrap();
    let properties = framework.configuration().get("heater-1").unwrap();
    assert_eq!(
        properties.get("mode").and_then(Value::as_str),
        Some("comfort")
    );
    framework.settle();
    let status: serde_json::Value =
        serde_json::from_str(&framework.status("heater-1").unwrap()).unwrap();
    assert_eq!(status["state"], "heating");
    assert_eq!(status["room"], "cellar");
    assert_eq!(status["heats_to"], 19.5);

    // The way back, in reverse.
    configuration.restore("t/1.1/undo", &undo).unwrap();
    component.packages().revert("t/1.0").unwrap();
    assert!(framework.configuration().metatype(HEATER).is_none());
    framework.settle();
    assert_eq!(state(&framework, "heater-1"), None);
    assert!(framework.plugins().is_empty());
    assert!(framework.packages().list().is_empty());
    assert_eq!(tree(&place.plugins()), before);
}

#[test]
fn a_new_version_replaces_a_running_one_and_revert_brings_the_old_one_back_byte_for_byte() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    component
        .install(&place, "a/1.0", &Application::heater("1.0.0"))
        .unwrap();
    component.packages().settle("a/1.0").unwrap();
    let configuration = component.configuration();
    configuration
        .apply("a/1.1", vec![item("heater-1", &[("enabled", true.into())])])
        .unwrap();
    framework.settle();
    assert_eq!(release(&framework, "heater-1").as_deref(), Some("1.0.0"));
    let before = tree(&place.plugins());

    component
        .install(&place, "b/1.0", &Application::heater("1.10.0"))
        .unwrap();
    framework.settle();
    assert_eq!(release(&framework, "heater-1").as_deref(), Some("1.10.0"));
    assert_eq!(framework.packages().list()[0].version, "1.10.0");

    component.packages().revert("b/1.0").unwrap();
    framework.settle();
    assert_eq!(release(&framework, "heater-1").as_deref(), Some("1.0.0"));
    assert_eq!(framework.packages().list()[0].version, "1.0.0");
    assert_eq!(tree(&place.plugins()), before);

    // And the new one for good.
    component
        .install(&place, "c/1.0", &Application::heater("1.10.0"))
        .unwrap();
    component.packages().settle("c/1.0").unwrap();
    component.packages().revert("c/1.0").unwrap();
    framework.settle();
    assert_eq!(release(&framework, "heater-1").as_deref(), Some("1.10.0"));
    let names: Vec<String> = tree(&place.plugins()).into_keys().collect();
    assert_eq!(
        names,
        [
            "libheater.so",
            "metatype",
            "metatype/com.example.Heater.xml"
        ]
    );
}

#[test]
fn nine_packages_live_side_by_side_and_survive_a_restart() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let applications = Application::several(9, "2.0");
    for (n, application) in applications.iter().enumerate() {
        component
            .install(&place, &format!("t/1.{n}"), application)
            .unwrap();
    }
    for n in 0..9 {
        component.packages().settle(&format!("t/1.{n}")).unwrap();
    }
    framework.shutdown();
    let framework = place.start();
    assert_eq!(framework.packages().list().len(), 9);
    assert_eq!(framework.plugins().len(), 9);
    for application in &applications {
        assert!(framework
            .configuration()
            .metatype(&application.factory_pid)
            .is_some());
    }
}

#[test]
fn a_library_that_cannot_be_loaded_is_refused_with_the_loaders_reason_and_disturbs_nobody() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    component
        .install(&place, "a", &Application::heater("1.0.0"))
        .unwrap();
    component.packages().settle("a").unwrap();
    let before = tree(&place.plugins());
    let heater = || Application::heater("2.0.0");
    for (broken, reason) in [
        (heater().with("HEATER_MUTE"), "no plugin"),
        (heater().with("HEATER_UNLINKED"), "heater_that_nobody_made"),
        (
            heater().describing("com.example.Cooler"),
            "does not define it",
        ),
    ] {
        let error = component.install(&place, "b", &broken).unwrap_err();
        assert_eq!(error.status, status::E_INVALID, "{error:?}");
        assert_eq!(error.code, "package.failed");
        assert!(error.message.contains(reason), "{error:?}");
        assert!(error.message.contains("libheater.so"), "{error:?}");
        assert!(!error.message.contains(".packages"), "{error:?}");
        assert_eq!(tree(&place.plugins()), before, "{reason}");
    }
    assert_eq!(framework.packages().list()[0].version, "1.0.0");
}

#[test]
fn what_others_own_is_not_overwritten() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let refused = |app: &Application, key: &str, what: &str| {
        let before = tree(&place.plugins());
        let error = component.install(&place, key, app).unwrap_err();
        assert_eq!(error.status, status::E_CONFLICT, "{error:?}");
        assert!(error.message.contains(what), "{error:?}");
        assert_eq!(tree(&place.plugins()), before);
    };
    let heater = Application::heater("1.0.0");
    // Dropped in by hand.
    let by_hand = place.plugins().join("libheater.so");
    fs::write(&by_hand, heater.library()).unwrap();
    refused(&heater, "a", "belongs to no package");
    until("the plugin that was dropped in", || {
        framework.configuration().metatype(HEATER)
    });
    // The same kind of component from elsewhere.
    let mut other = heater.clone();
    other.name = "boiler".to_owned();
    refused(&other, "b", "libheater.so makes already");
    fs::remove_file(&by_hand).unwrap();
    until("its end", || {
        framework
            .configuration()
            .metatype(HEATER)
            .is_none()
            .then_some(())
    });
    // Of another package.
    component.install(&place, "c", &heater).unwrap();
    refused(&other, "d", "belongs to the package heater");
}

#[test]
fn a_removed_package_takes_its_instances_down_and_leaves_their_configuration() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let before = tree(&place.plugins());
    let archive = Application::heater("1.0.0").write(place.root.path());
    let info = framework.packages().install_now(&archive).unwrap();
    assert_eq!((info.name.as_str(), info.pending), ("heater", false));
    let list = vec![item("heater-1", &[("enabled", true.into())])];
    component.configuration().apply("k", list).unwrap();
    framework.settle();
    assert_eq!(state(&framework, "heater-1"), Some(ComponentState::Active));
    framework.packages().remove("heater").unwrap();
    framework.settle();
    assert_eq!(
        state(&framework, "heater-1"),
        Some(ComponentState::Unresolved)
    );
    assert_eq!(tree(&place.plugins()), before);
    assert!(framework.packages().remove("heater").is_err());
}

#[test]
fn a_key_has_one_effect_and_is_undone_once() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let packages = component.packages();
    let empty = tree(&place.plugins());
    let heater = Application::heater("1.0.0");
    component.install(&place, "a", &heater).unwrap();
    let first = tree(&place.plugins());
    component.install(&place, "a", &heater).unwrap();
    // Repeated after a restart, too, and when the archive is gone.
    framework.shutdown();
    let framework = place.start();
    let component = Component(&framework);
    let nowhere = "/nonexistent/heater.tar.gz";
    component
        .packages()
        .install("a", "heater", "1.0.0", nowhere)
        .unwrap();
    assert_eq!(tree(&place.plugins()), first);
    assert!(framework.packages().list()[0].pending);
    // A key stands for one change.
    let other = component.install(&place, "a", &Application::heater("2.0.0"));
    assert_eq!(other.unwrap_err().status, status::E_CONFLICT);
    // Undone once, twice, and done again.
    drop(packages);
    let packages = component.packages();
    for _ in 0..2 {
        packages.revert("a").unwrap();
        assert_eq!(tree(&place.plugins()), empty);
    }
    packages.revert("never heard of").unwrap();
    packages.settle("never heard of").unwrap();
    component.install(&place, "a", &heater).unwrap();
    packages.settle("a").unwrap();
    packages.settle("a").unwrap();
    // What is settled cannot be undone.
    packages.revert("a").unwrap();
    assert_eq!(framework.packages().list()[0].version, "1.0.0");
}

#[test]
fn what_is_installed_exactly_so_is_left_alone_and_what_was_lost_of_it_comes_back() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let heater = Application::heater("1.0.0");
    component.install(&place, "a", &heater).unwrap();
    component.packages().settle("a").unwrap();
    let installed = tree(&place.plugins());
    component.install(&place, "b", &heater).unwrap();
    assert_eq!(tree(&place.plugins()), installed);
    // There was no change, so none is taken back.
    component.packages().revert("b").unwrap();
    assert_eq!(tree(&place.plugins()), installed);
    let xml = place.plugins().join(heater.metatype_path());
    fs::remove_dir_all(place.plugins().join("metatype")).unwrap();
    let lacking = tree(&place.plugins());
    component.install(&place, "c", &heater).unwrap();
    assert!(xml.is_file());
    component.packages().revert("c").unwrap();
    assert_eq!(tree(&place.plugins()), lacking);
}

#[test]
fn changes_of_one_package_are_undone_in_reverse_and_others_keep_off_meanwhile() {
    let place = Place::new();
    let framework = place.start();
    let component = Component(&framework);
    let packages = component.packages();
    let empty = tree(&place.plugins());
    component
        .install(&place, "a", &Application::heater("1.0.0"))
        .unwrap();
    let first = tree(&place.plugins().join("metatype"));
    component
        .install(&place, "b", &Application::heater("2.0.0"))
        .unwrap();
    assert_eq!(packages.revert("a").unwrap_err().status, status::E_CONFLICT);
    let archive = Application::heater("3.0.0").write(place.root.path());
    let by_hand = framework.packages().install_now(&archive).unwrap_err();
    assert!(by_hand.to_string().contains("not finished"), "{by_hand}");
    assert!(framework.packages().remove("heater").is_err());
    packages.revert("b").unwrap();
    assert_eq!(framework.packages().list()[0].version, "1.0.0");
    assert_eq!(tree(&place.plugins().join("metatype")), first);
    packages.revert("a").unwrap();
    assert_eq!(tree(&place.plugins()), empty);
    framework.packages().install_now(&archive).unwrap();
}

#[test]
fn a_link_in_the_plugin_directory_leads_no_package_elsewhere() {
    let place = Place::new();
    let elsewhere = place.root.path().join("elsewhere");
    fs::create_dir(&elsewhere).unwrap();
    let link = |name: &str| {
        std::os::unix::fs::symlink(&elsewhere, place.plugins().join(name)).unwrap();
    };
    let framework = place.start();
    let component = Component(&framework);
    for name in ["metatype", ".packages", "libheater.so"] {
        link(name);
        let error = component
            .install(&place, name, &Application::heater("1.0.0"))
            .unwrap_err();
        assert_eq!(error.status, status::E_CONFLICT, "{name}: {error:?}");
        assert!(error.message.contains(name), "{error:?}");
        assert!(fs::read_dir(&elsewhere).unwrap().next().is_none());
        fs::remove_file(place.plugins().join(name)).unwrap();
    }
}

#[test]
fn a_damaged_ledger_stops_the_start_and_says_what_to_do() {
    let place = Place::new();
    place.start().shutdown();
    let path = place.data().join("packages/packages.json");
    for text in [
        "{",
        r#"{"format":9,"next":0,"made_metatype":false,"installed":{},"changes":{}}"#,
        r#"{"format":1,"next":0,"made_metatype":false,"changes":{},"installed":{"x":{"version":"1","files":
        [{"path":"../../evil.so","size":1,"sha256":""}]}}}"#,
    ] {
        fs::write(&path, text).unwrap();
        let error = Framework::start(place.options()).unwrap_err().to_string();
        assert!(
            error.contains("packages.json") && error.contains("move it aside"),
            "{error}"
        );
    }
}

#[test]
fn there_are_no_more_packages_than_a_start_should_open() {
    let place = Place::new();
    let framework = place.start();
    let heater = Application::named("heater", "1.0");
    let install = |framework: &Framework, app: &Application| {
        let key = format!("{} {}", app.name, app.version);
        Component(framework).install(&place, &key, app)?;
        Component(framework).packages().settle(&key)
    };
    install(&framework, &heater).unwrap();
    framework.shutdown();
    // As many others, of which nothing is left but the record.
    let path = place.data().join("packages/packages.json");
    let mut record: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    for n in 1..64 {
        record["installed"][format!("p{n}")] = serde_json::json!({"version": "1", "files": []});
    }
    fs::write(&path, record.to_string()).unwrap();
    let framework = place.start();
    install(&framework, &Application::named("heater", "2.0")).unwrap();
    let pump = Application::named("pump", "1.0");
    let error = install(&framework, &pump).unwrap_err();
    assert_eq!(error.status, status::E_INVALID);
    assert_eq!(error.code, "protocol.too-large");
    assert!(error.message.contains("remove"), "{error}");
    framework.packages().remove("p1").unwrap();
    install(&framework, &pump).unwrap();
}
