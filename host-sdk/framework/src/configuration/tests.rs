#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]
//! The service on real files.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use gateway_component_abi::value::{Kind, Properties, Scalar, Secret, Value};

use crate::crypto::Crypto;
use crate::metatype;

use super::*;

const CANARY: &str = "canary-7f3a9c";
const FACTORY: &str = "org.example.Thing";

const METATYPE: &str = r#"<MetaData xmlns="http://www.osgi.org/xmlns/metatype/v1.2.0">
  <OCD id="org.example.Thing" name="Thing">
    <AD id="host" type="String" default="localhost" required="true"/>
    <AD id="port" type="Integer" default="1883" min="1" max="65535"/>
    <AD id="password" type="Password" default="password" required="false"/>
    <AD id="qos" type="Integer" required="false"><Option label="zero" value="0"/></AD>
    <AD id="names" type="String" cardinality="3" required="false"/>
  </OCD>
  <Designate factoryPid="org.example.Thing"><Object ocdref="org.example.Thing"/></Designate>
</MetaData>"#;

struct Gateway {
    dir: tempfile::TempDir,
    crypto: Arc<Crypto>,
}

impl Gateway {
    fn new() -> Gateway {
        let dir = tempfile::tempdir().unwrap();
        let crypto = Arc::new(Crypto::open(dir.path()).unwrap());
        Gateway { dir, crypto }
    }

    fn folder(&self) -> PathBuf {
        self.dir.path().join("snapshots")
    }

    fn try_open(&self, seed: Option<&[u8]>) -> Result<ConfigurationService, ConfigurationError> {
        let service = ConfigurationService::open(&self.folder(), self.crypto.clone(), seed)?;
        service.register_metatype(FACTORY, ocd());
        Ok(service)
    }

    fn open(&self) -> ConfigurationService {
        self.try_open(None).unwrap()
    }

    /// A service with the components `a` and `b`.
    fn with_two(&self) -> ConfigurationService {
        let service = self.open();
        for pid in ["a", "b"] {
            let secret = format!("{CANARY}-{pid}");
            let properties = properties([("password", Secret::from(secret.as_str()).into())]);
            service.create_factory(FACTORY, pid, &properties).unwrap();
        }
        service
    }

    fn files(&self) -> Vec<PathBuf> {
        let entries = fs::read_dir(self.folder()).unwrap();
        entries.map(|e| e.unwrap().path()).collect()
    }
}

fn ocd() -> metatype::Ocd {
    metatype::read(METATYPE.as_bytes()).unwrap().ocds.remove(0)
}

fn properties<const N: usize>(list: [(&str, Value); N]) -> Properties {
    list.map(|(name, value)| (name.to_owned(), value)).into()
}

fn item<const N: usize>(pid: &str, list: [(&str, Value); N]) -> Configuration {
    Configuration {
        pid: pid.to_owned(),
        factory_pid: None,
        properties: properties(list),
    }
}

fn secret_of(service: &ConfigurationService, pid: &str) -> String {
    let properties = service.get(pid).unwrap();
    properties["password"]
        .as_secret()
        .unwrap()
        .expose()
        .to_owned()
}

#[test]
fn supplied_over_running_over_defaults() {
    let gateway = Gateway::new();
    let service = gateway.open();
    let first = properties([("port", Value::from(8883)), ("own", "x".into())]);
    service.create_factory(FACTORY, "a", &first).unwrap();
    let second = properties([
        ("host", Value::from("")),
        ("service.factoryPid", "forged".into()),
    ]);
    service.update("a", &second).unwrap();
    let expected = properties([
        ("host", "".into()),
        ("kura.service.pid", "a".into()),
        ("own", "x".into()),
        ("password", Secret::from("password").into()),
        ("port", 8883.into()),
        ("service.factoryPid", FACTORY.into()),
    ]);
    assert_eq!(service.get("a").unwrap(), expected);
    let again = gateway.open();
    assert_eq!(again.get("a").unwrap(), expected);
    assert_eq!(again.factory_pid("a").unwrap(), FACTORY);
    assert_eq!(again.metatype("a").unwrap().id, FACTORY);
}

#[test]
fn what_is_removed_falls_back_to_its_default() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let update = Update {
        pid: "a".into(),
        properties: properties([("own", "x".into())]),
        remove: vec!["password".into(), "service.factoryPid".into()],
    };
    service.update_many(&[update]).unwrap();
    assert_eq!(secret_of(&service, "a"), "password");
    assert_eq!(service.factory_pid("a").unwrap(), FACTORY);
    let update = Update {
        pid: "a".into(),
        remove: vec!["own".into()],
        ..Update::default()
    };
    service.update_many(&[update]).unwrap();
    assert!(!service.get("a").unwrap().contains_key("own"));
}

#[test]
fn a_value_of_the_wrong_type_is_named_and_changes_nothing() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let before = service.current_xml().unwrap();
    let names = Value::array(Kind::String, vec![Scalar::String("x".into()); 4]).unwrap();
    for (name, value) in [
        ("port", Value::from("1883")),
        ("port", Value::Scalar(Scalar::Long(1))),
        ("host", Value::from(true)),
        ("names", Value::from("one")),
        ("names", names),
        ("host", Value::Array(Kind::String, vec![])),
    ] {
        let good = Update::new("a", properties([("host", "new".into())]));
        let bad = Update::new("b", properties([(name, value)]));
        match service.update_many(&[good, bad]) {
            Err(ConfigurationError::Invalid { pid, problem }) => {
                assert_eq!((pid.as_str(), problem.id.as_str()), ("b", name));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(service.current_xml().unwrap(), before);
    // Out of bounds, but of its type: for the component to judge.
    service
        .update("a", &properties([("port", 0.into())]))
        .unwrap();
}

#[test]
fn passwords_are_in_no_file_and_no_debug_output() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    service
        .update("a", &properties([("password", CANARY.into())]))
        .unwrap();
    let undo = service.capture(&["a"]).unwrap();
    assert!(!String::from_utf8_lossy(&undo).contains(CANARY));
    assert_eq!(secret_of(&service, "a"), CANARY);
    let encoded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, CANARY);
    for path in gateway.files() {
        let text = String::from_utf8_lossy(&fs::read(&path).unwrap()).into_owned();
        assert!(
            !text.contains(CANARY) && !text.contains(&encoded),
            "{path:?}"
        );
        let mode = fs::metadata(&path).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{path:?}");
    }
    let masked = service.get_masked("a").unwrap();
    assert_eq!(masked["password"], Secret::default().into());
    let shown = format!("{service:?} {:?}", service.get("a"));
    assert!(!shown.contains(CANARY));
}

#[test]
fn apply_and_restore_leave_the_same_bytes() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let before = service.current_xml().unwrap();
    let undo = service.capture(&["a", "new", "c"]).unwrap();
    let mut new = item("new", [("host", "n".into())]);
    new.factory_pid = Some(FACTORY.into());
    let by_property = item("c", [("service.factoryPid", FACTORY.into())]);
    let changed = item("a", [("password", CANARY.into()), ("port", 1.into())]);
    let list = [changed, new, by_property];
    let count = service.snapshots().unwrap().len();
    service.apply("t/1", &list).unwrap();
    assert_eq!(service.snapshots().unwrap().len(), count + 1);
    assert_eq!(service.pids(), ["a", "b", "c", "new"]);
    assert_eq!(secret_of(&service, "a"), CANARY);
    assert_ne!(service.current_xml().unwrap(), before);
    service.restore("t/1/undo", &undo).unwrap();
    assert_eq!(service.current_xml().unwrap(), before);
    assert_eq!(service.pids(), ["a", "b"]);
    // And over a restart.
    drop(service);
    assert_eq!(gateway.open().current_xml().unwrap(), before);
}

#[test]
fn the_same_key_has_no_second_effect_even_after_a_restart() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let undo = service.capture(&["a"]).unwrap();
    let port = |n: i32| [item("a", [("port", n.into())])];
    let read = |service: &ConfigurationService| service.get("a").unwrap()["port"].as_integer();
    service.apply("t/1", port(1)).unwrap();
    service
        .update("a", &properties([("port", 2.into())]))
        .unwrap();
    service.apply("t/1", port(1)).unwrap();
    assert_eq!(read(&service), Some(2));
    drop(service);
    let service = gateway.open();
    service.apply("t/1", port(1)).unwrap();
    assert_eq!(read(&service), Some(2));
    service.restore("t/1", &undo).unwrap();
    assert_eq!(read(&service), Some(1883));
    service.apply("t/1", port(1)).unwrap();
    assert_eq!(read(&service), Some(1));
}

#[test]
fn apply_is_all_or_nothing() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let before = (service.current_xml().unwrap(), service.snapshots().unwrap());
    let good = || item("a", [("port", 1.into())]);
    let mut foreign = item("b", []);
    foreign.factory_pid = Some("org.example.Other".into());
    for bad in [
        item("unknown", [("port", 1.into())]),
        item("b", [("port", "x".into())]),
        item("b", [("service.factoryPid", "org.example.Other".into())]),
        item("", [("service.factoryPid", FACTORY.into())]),
        foreign,
        good(),
    ] {
        assert!(service.apply("t/1", &[good(), bad]).is_err());
    }
    assert_eq!(
        (service.current_xml().unwrap(), service.snapshots().unwrap()),
        before
    );
    service.apply("t/1", &[good()]).unwrap();
    assert_eq!(service.get("a").unwrap()["port"].as_integer(), Some(1));
}

#[test]
fn undo_data_that_was_changed_is_refused() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let mut undo = service.capture(&["a"]).unwrap();
    *undo.last_mut().unwrap() ^= 1;
    let result = service.restore("t/1", &undo);
    assert!(matches!(result, Err(ConfigurationError::Undo(_))));
}

#[test]
fn validate_says_what_would_be_and_changes_nothing() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let before = service.current_xml().unwrap();
    let mut new = item("new", [("host", "n".into())]);
    new.factory_pid = Some(FACTORY.into());
    let list = [item("a", [("port", 8883.into())]), new];
    let preview = service.validate(&list, &[]).unwrap();
    assert_eq!(preview[0].properties["port"].as_integer(), Some(8883));
    let secret = preview[0].properties["password"].as_secret().unwrap();
    assert_eq!(secret.expose(), format!("{CANARY}-a"));
    assert_eq!(preview[1].properties["port"].as_integer(), Some(1883));
    assert_eq!(preview[1].properties["kura.service.pid"], "new".into());
    assert_eq!(preview[1].factory_pid.as_deref(), Some(FACTORY));
    for (name, value) in [
        ("port", Value::from(0)),
        ("port", "1".into()),
        ("host", "".into()),
        ("qos", 2.into()),
    ] {
        match service.validate(&[item("a", [(name, value)])], &[]) {
            Err(ConfigurationError::Invalid { pid, problem }) => {
                assert_eq!((pid.as_str(), problem.id.as_str()), ("a", name));
            }
            other => panic!("{name}: {other:?}"),
        }
    }
    assert_eq!(service.current_xml().unwrap(), before);
}

#[test]
fn validate_knows_the_metatypes_of_staged_packages() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let staged = METATYPE.replace(FACTORY, "org.example.Staged");
    let staged = [metatype::read(staged.as_bytes()).unwrap()];
    let mut new = item("new", [("port", 0.into())]);
    new.factory_pid = Some("org.example.Staged".into());
    let unknown = service.validate(std::slice::from_ref(&new), &[]);
    assert!(matches!(
        unknown,
        Err(ConfigurationError::UnknownFactory { .. })
    ));
    let invalid = service.validate(std::slice::from_ref(&new), &staged);
    assert!(matches!(invalid, Err(ConfigurationError::Invalid { .. })));
    new.properties.insert("port".into(), 1.into());
    assert_eq!(service.validate(&[new], &staged).unwrap().len(), 1);
}

#[test]
fn a_stale_form_is_refused_and_a_fresh_one_is_not() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let form = service.revision();
    let after = service
        .update("a", &properties([("port", 1.into())]))
        .unwrap();
    assert!(after > form);
    let stale = |pid: &str| [Update::new(pid, properties([("port", 2.into())]))];
    let refused = service.update_if(form, &stale("a"));
    assert!(matches!(refused, Err(ConfigurationError::Conflict { .. })));
    service.update_if(form, &stale("b")).unwrap();
    service.update_if(after, &stale("a")).unwrap();
    let revision = service.revision();
    drop(service);
    assert_eq!(gateway.open().revision(), revision);
}

#[test]
fn a_change_that_changes_nothing_writes_nothing() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let before = service.snapshots().unwrap();
    let values = service.get("a").unwrap();
    let revision = service.update("a", &values).unwrap();
    assert_eq!(revision, service.revision());
    assert_eq!(service.snapshots().unwrap(), before);
}

#[test]
fn ten_snapshots_are_kept_and_the_seed_always() {
    let gateway = Gateway::new();
    let service = gateway.open();
    service
        .create_factory(FACTORY, "a", &Properties::new())
        .unwrap();
    let mut ids = Vec::new();
    for n in 1..=15 {
        service
            .update("a", &properties([("port", n.into())]))
            .unwrap();
        ids.push(i64::try_from(service.revision()).unwrap());
    }
    let kept = service.snapshots().unwrap();
    assert_eq!(kept.len(), KEPT);
    assert_eq!(kept[0], 0);
    assert_eq!(kept[1..], ids[ids.len() - 9..]);
}

#[test]
fn ids_grow_though_the_clock_is_behind() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let last = service.revision();
    let from = gateway.folder().join(format!("snapshot_{last}.xml"));
    let future = 4_000_000_000_000u64;
    fs::copy(
        from,
        gateway.folder().join(format!("snapshot_{future}.xml")),
    )
    .unwrap();
    drop(service);
    let service = gateway.open();
    assert_eq!(service.revision(), future);
    service
        .update("a", &properties([("port", 1.into())]))
        .unwrap();
    assert_eq!(service.revision(), future + 1);
    assert_eq!(service.take_snapshot().unwrap(), 4_000_000_000_002);
}

#[test]
fn a_damaged_latest_snapshot_is_passed_over_and_reported() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let good = service.current_xml().unwrap();
    service
        .update("a", &properties([("port", 1.into())]))
        .unwrap();
    let latest = service.revision();
    drop(service);
    let path = gateway.folder().join(format!("snapshot_{latest}.xml"));
    let whole = fs::read(&path).unwrap();
    for damaged in [&whole[..whole.len() / 2], b"", b"\xff\xfe", b"<a/>"] {
        fs::write(&path, damaged).unwrap();
        let service = gateway.open();
        assert_eq!(service.current_xml().unwrap(), good);
        let findings = service.findings();
        assert_eq!(findings.len(), 1);
        assert_eq!(findings[0].path, path);
        assert_eq!(fs::read(&path).unwrap(), *damaged);
    }
    let service = gateway.open();
    service
        .update("a", &properties([("port", 2.into())]))
        .unwrap();
    assert!(service.revision() > latest);
    assert!(gateway.open().findings().is_empty());
}

#[test]
fn a_lost_key_is_an_error_and_never_an_empty_configuration() {
    let gateway = Gateway::new();
    gateway.with_two();
    fs::remove_file(gateway.folder().join("snapshot_0.xml")).unwrap();
    fs::remove_file(gateway.dir.path().join(crate::crypto::KEY_FILE)).unwrap();
    let other = Arc::new(Crypto::open(gateway.dir.path()).unwrap());
    let result = ConfigurationService::open(&gateway.folder(), other, None);
    assert!(matches!(result, Err(ConfigurationError::NoReadable { .. })));
}

#[test]
fn what_a_killed_writer_left_is_swept_up() {
    let gateway = Gateway::new();
    drop(gateway.open());
    let litter = gateway.folder().join(".snapshot_5.xml.1-0.tmp");
    fs::write(&litter, "x").unwrap();
    let service = gateway.open();
    assert!(!litter.exists());
    assert_eq!(service.snapshots().unwrap(), [0]);
}

#[test]
fn a_write_that_fails_changes_nothing() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let before = service.current_xml().unwrap();
    let folder = gateway.folder();
    fs::rename(&folder, gateway.dir.path().join("away")).unwrap();
    let result = service.update("a", &properties([("port", 1.into())]));
    assert!(matches!(result, Err(ConfigurationError::Storage { .. })));
    assert_eq!(service.current_xml().unwrap(), before);
    // XML cannot hold it.
    fs::rename(gateway.dir.path().join("away"), &folder).unwrap();
    let result = service.update("a", &properties([("host", "\u{1}".into())]));
    assert!(matches!(result, Err(ConfigurationError::Unwritable(_))));
    assert_eq!(service.current_xml().unwrap(), before);
}

#[test]
fn rollback_brings_back_what_was_as_a_new_snapshot() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let old = i64::try_from(service.revision()).unwrap();
    let xml = service.current_xml().unwrap();
    service
        .update("a", &properties([("port", 1.into())]))
        .unwrap();
    service.delete("b").unwrap();
    service
        .create_factory(FACTORY, "c", &Properties::new())
        .unwrap();
    let seen = Arc::new(Mutex::new(Vec::new()));
    let sink = seen.clone();
    service.listen(Box::new(move |change| {
        sink.lock().unwrap().push((change.pid.clone(), change.kind));
    }));
    let revision = service.rollback(old).unwrap();
    assert_eq!(service.current_xml().unwrap(), xml);
    assert_eq!(
        service.snapshots().unwrap().last(),
        Some(&revision.try_into().unwrap())
    );
    let expected = [
        ("c", ChangeKind::Deleted),
        ("a", ChangeKind::Updated),
        ("b", ChangeKind::Created),
    ];
    let expected = expected.map(|(pid, kind)| (pid.to_owned(), kind));
    assert_eq!(*seen.lock().unwrap(), expected);
    assert_eq!(service.snapshot_xml(old).unwrap(), xml);
    let missing = service.rollback(12);
    assert!(matches!(
        missing,
        Err(ConfigurationError::NoSnapshot { id: 12 })
    ));
}

#[test]
fn listeners_hear_of_durable_changes_and_may_change_more() {
    let gateway = Gateway::new();
    let service = Arc::new(gateway.open());
    let seen = Arc::new(Mutex::new(Vec::new()));
    let (sink, weak, folder) = (seen.clone(), Arc::downgrade(&service), gateway.folder());
    service.listen(Box::new(move |change: &Change| {
        let service = weak.upgrade().unwrap();
        let path = folder.join(format!("snapshot_{}.xml", service.revision()));
        let durable = fs::read_to_string(path).unwrap();
        sink.lock()
            .unwrap()
            .push((change.kind, durable.contains("1234")));
        if change.kind == ChangeKind::Created {
            service
                .update("a", &properties([("port", 1234.into())]))
                .unwrap();
        }
    }));
    service
        .create_factory(FACTORY, "a", &Properties::new())
        .unwrap();
    service.delete("a").unwrap();
    let expected = [
        (ChangeKind::Created, false),
        (ChangeKind::Updated, true),
        (ChangeKind::Deleted, false),
    ];
    assert_eq!(*seen.lock().unwrap(), expected);
}

#[test]
fn a_singleton_has_its_defaults_and_cannot_be_deleted() {
    let gateway = Gateway::new();
    let service = gateway.open();
    service.register_singleton("single", ocd());
    assert_eq!(service.pids(), ["single"]);
    let read = || service.get("single").unwrap()["port"].as_integer();
    assert_eq!(read(), Some(1883));
    service
        .update("single", &properties([("port", 1.into())]))
        .unwrap();
    assert_eq!(read(), Some(1));
    let refused = service.delete("single");
    assert!(matches!(refused, Err(ConfigurationError::Singleton { .. })));
    service.rollback(0).unwrap();
    assert_eq!(read(), Some(1883));
}

#[test]
fn what_does_not_exist_is_said() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    assert_eq!(service.get("none"), None);
    assert!(matches!(
        service.update("none", &Properties::new()),
        Err(ConfigurationError::Unknown { .. })
    ));
    assert!(matches!(
        service.create_factory(FACTORY, "a", &Properties::new()),
        Err(ConfigurationError::Exists { .. })
    ));
    assert!(matches!(
        service.create_factory("org.example.None", "x", &Properties::new()),
        Err(ConfigurationError::UnknownFactory { .. })
    ));
    let bad = gateway.dir.path().join("x").join("y");
    assert!(ConfigurationService::open(&bad, gateway.crypto.clone(), None).is_err());
}

#[test]
fn a_seed_counts_at_the_first_start_only_and_must_be_good() {
    let gateway = Gateway::new();
    assert!(matches!(
        gateway.try_open(Some(b"<configurations/>")),
        Err(ConfigurationError::Seed(_))
    ));
    assert_eq!(gateway.files(), Vec::<PathBuf>::new());
    let seed = r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0">
      <esf:configuration pid="org.eclipse.kura.data.DataService"><esf:properties>
        <esf:property name="p" array="false" encrypted="false" type="Password">
          <esf:value>canary-7f3a9c</esf:value></esf:property>
        <esf:property name="q" array="false" encrypted="true" type="Password">
          <esf:value>Y2FuYXJ5LTdmM2E5Yw==</esf:value></esf:property>
      </esf:properties></esf:configuration></esf:configurations>"#;
    let service = gateway.try_open(Some(seed.as_bytes())).unwrap();
    let pid = "org.eclipse.kura.data.DataService";
    let values = service.get(pid).unwrap();
    for name in ["p", "q"] {
        assert_eq!(values[name].as_secret().unwrap().expose(), CANARY);
    }
    assert_eq!(service.factory_pid(pid).unwrap(), pid);
    let stored = fs::read_to_string(gateway.folder().join("snapshot_0.xml")).unwrap();
    assert!(!stored.contains(CANARY) && !stored.contains("Y2FuYXJ5LTdmM2E5Yw=="));
    drop(service);
    let again = gateway.try_open(Some(b"not even XML")).unwrap();
    assert_eq!(again.get(pid).unwrap(), values);
}

#[test]
fn a_snapshot_encrypted_as_a_whole_is_read() {
    let gateway = Gateway::new();
    let service = gateway.with_two();
    let id = service.revision();
    let xml = service.current_xml().unwrap();
    drop(service);
    let path = gateway.folder().join(format!("snapshot_{id}.xml"));
    let text = String::from_utf8(xml.clone()).unwrap();
    fs::write(&path, gateway.crypto.encrypt_text(&text).unwrap()).unwrap();
    assert_eq!(gateway.open().current_xml().unwrap(), xml);
}

#[test]
fn snapshots_of_kura_are_good_seeds() {
    let Some(folder) = samples("snapshots") else {
        return;
    };
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let gateway = Gateway::new();
        let service = gateway
            .try_open(Some(&fs::read(&path).unwrap()))
            .unwrap_or_else(|e| panic!("{path:?}: {e:?}"));
        let xml = service.current_xml().unwrap();
        assert!(!service.pids().is_empty(), "{path:?}");
        let values: Vec<_> = service.pids().iter().map(|p| service.get(p)).collect();
        drop(service);
        let again = gateway.open();
        assert_eq!(again.current_xml().unwrap(), xml, "{path:?}");
        let same: Vec<_> = again.pids().iter().map(|p| again.get(p)).collect();
        assert_eq!(same, values, "{path:?}");
        count += 1;
    }
    assert!(count > 0);
}

/// A folder of the sample data beside the repository, if it is there.
pub(crate) fn samples(folder: &str) -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("GWC_SHARED_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from)
        .join(folder);
    if data.is_dir() {
        return Some(data);
    }
    eprintln!("skipped: {} does not exist", data.display());
    None
}
