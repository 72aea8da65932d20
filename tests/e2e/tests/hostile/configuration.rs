//! The largest configurations that a trusted signer may send, in the shapes that cost the most: they
//! are applied with the gateway small, and a little more is refused before it costs anything.

use std::fmt::Write as _;

use applications::Application;
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret, Value};
use gateway_host_sdk::packages::pack;
use kura_formats::configurations::{
    read, remote_open, remote_seal, weight, write, Configuration, XmlLimits, MAX_WEIGHT,
};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::store::{JobState, NewPackage, NewRequest};

use crate::gateway::{Gateway, PATIENCE};

const TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";
const DATA: &str = "org.eclipse.kura.data.DataService";
const SERVICE: &str = "gwc.provisioning.ProvisioningService";
const CLOUD: &str = "org.eclipse.kura.cloud.CloudService";
/// For the certificates, and for the connection to the account.
const BESIDES: usize = 48 << 10;
/// Properties that cross to the host at once.
const PROPERTIES: usize = 9_000;

/// How the weight is made up.
#[derive(Clone, Copy)]
pub enum Shape {
    /// One text, of this character.
    Text(char),
    /// Properties as short as they may be.
    Properties,
    /// Arrays of empty texts.
    Values,
    /// Instances of the factory with the most defaults.
    Instances,
    /// ProvisioningServices, each of which has a thread.
    Services,
    /// Passwords as short as they may be.
    Passwords,
    /// One long password.
    Password,
}

/// A document that has the namespace without a prefix, as nothing is shorter. `mark` is the beginning
/// of what is named in it.
fn document(shape: Shape, count: usize, mark: &str) -> Vec<u8> {
    let mut xml = r#"<configurations xmlns="http://eurotech.com/esf/2.0">"#.to_owned();
    let mut configuration = |pid: &str, properties: &str| {
        let _ = write!(
            xml,
            r#"<configuration pid="{pid}"><properties>{properties}</properties></configuration>"#
        );
    };
    // Over the three components that are there, where one cannot take all.
    let mut spread = |most: usize, one: &dyn Fn(usize) -> String| {
        for (n, pid) in [CLOUD, DATA, TRANSPORT].into_iter().enumerate() {
            let properties: String = (n * most..count.min((n + 1) * most)).map(one).collect();
            configuration(pid, &properties);
        }
    };
    match shape {
        Shape::Text(character) => {
            let escaped = match character {
                '>' => "&gt;".to_owned(),
                other => other.to_string(),
            };
            let text = escaped.repeat(count);
            let property = format!(r#"<property name="{mark}x" type="String"><value>"#);
            configuration(DATA, &format!("{property}{text}</value></property>"));
        }
        Shape::Properties => spread(PROPERTIES, &|n| {
            format!(r#"<property name="{mark}{n}" type="Byte"><value>1</value></property>"#)
        }),
        Shape::Values => spread(1, &|n| match n {
            0..3 => {
                let values = "<value/>".repeat(count / 3);
                format!(r#"<property name="{mark}x" array="true" type="String">{values}</property>"#)
            }
            _ => String::new(),
        }),
        Shape::Instances => (0..count).for_each(|n| {
            let factory = format!(
                r#"<property name="service.factoryPid" type="String"><value>{TRANSPORT}</value></property>"#
            );
            configuration(&format!("{mark}t{n}"), &factory);
        }),
        Shape::Services => (0..count).for_each(|n| {
            let factory = format!(
                r#"<property name="service.factoryPid" type="String"><value>{SERVICE}</value></property>"#
            );
            configuration(&format!("{mark}s{n}"), &factory);
        }),
        Shape::Passwords => spread(PROPERTIES, &|n| {
            format!(
                r#"<property name="{mark}{n}" encrypted="true" type="Password"><value>eA==</value></property>"#
            )
        }),
        Shape::Password => {
            let text = "eHh4".repeat(count);
            let property =
                format!(r#"<property name="{mark}x" encrypted="true" type="Password"><value>"#);
            configuration(DATA, &format!("{property}{text}</value></property>"));
        }
    }
    xml.push_str("</configurations>");
    xml.into_bytes()
}

fn weight_of(document: &[u8]) -> usize {
    let limits = XmlLimits {
        configurations: usize::MAX,
        properties: usize::MAX,
        values: usize::MAX,
        ..XmlLimits::default()
    };
    let list = read(document, &limits, &mut remote_open).unwrap();
    weight(document.len(), &list)
}

/// The largest document of the shape that weighs no more than `room`, filled up to the byte.
pub fn largest(shape: Shape, room: usize) -> Vec<u8> {
    largest_of(shape, room, "")
}

/// The same, of what has another name.
pub fn largest_of(shape: Shape, room: usize, mark: &str) -> Vec<u8> {
    let (mut fits, mut beyond) = (1, room);
    while beyond - fits > 1 {
        let middle = fits + (beyond - fits) / 2;
        // Reading one that is far too large takes its time.
        let document = document(shape, middle, mark);
        match document.len() <= room && weight_of(&document) <= room {
            true => fits = middle,
            false => beyond = middle,
        }
    }
    let mut document = document(shape, fits, mark);
    let missing = room - weight_of(&document);
    document.resize(document.len() + missing, b' ');
    assert_eq!(weight_of(&document), room);
    document
}

/// The connection to the account.
fn honest(platform: &TestPlatform, request: i64) -> Vec<u8> {
    let target = platform.store().request(request).unwrap().unwrap().target;
    connecting(platform, request, target.password.expose())
}

/// The connection to the account, with this password.
fn connecting(platform: &TestPlatform, request: i64, password: &str) -> Vec<u8> {
    let target = platform.store().request(request).unwrap().unwrap().target;
    let text = |text: &str| Value::from(text);
    let transport = Properties::from([
        ("broker-url".into(), platform.target_broker().url().into()),
        ("topic.context.account-name".into(), text(&target.account)),
        ("username".into(), text(&target.username)),
        ("password".into(), Secret::from(password).into()),
        ("client-id".into(), text(&target.client_id)),
    ]);
    let data = Properties::from([("connect.auto-on-startup".into(), true.into())]);
    let all = [(TRANSPORT, transport), (DATA, data)].map(|(pid, properties)| Configuration {
        pid: pid.to_owned(),
        properties,
    });
    write(&all, &mut remote_seal).unwrap()
}

fn sending(documents: Vec<Vec<u8>>) -> Behaviour {
    Behaviour {
        configuration: ConfigurationFault::Documents(documents),
        ..Behaviour::default()
    }
}

/// As large as the shape allows it is applied. What weighs as much as all that is kept in an attempt is
/// refused, as something is kept already; where exactly that begins is a test of the component.
fn held(shape: Shape) -> (TestPlatform, Gateway) {
    let platform = TestPlatform::start().unwrap();
    let request = platform.request("gw-1", "secret").unwrap();
    let honest = honest(&platform, request);
    let [large, larger] = [MAX_WEIGHT - BESIDES, MAX_WEIGHT].map(|room| largest(shape, room));
    println!("{} bytes of document", large.len());
    let first = sending(vec![honest.clone(), larger]);
    let then = sending(vec![honest, large]);
    platform.behave(Script::each([first, then])).unwrap();
    let gateway = Gateway::patient(Site::new(&platform, "gw-1", "secret").unwrap());
    gateway.enable();
    let status = gateway.fails("protocol.too-large");
    let told = status.to_string();
    assert!(
        told.contains("more than 1536 KiB") || told.contains("1572864 bytes"),
        "{status:#}"
    );
    gateway.retry();
    let status = gateway.provisioned();
    assert_eq!(status["attempt"], 2);
    (platform, gateway)
}

/// The next provisioning has to keep what it replaces, too.
fn held_again(shape: Shape, other: Shape) {
    let (platform, gateway) = held(shape);
    let gateway = gateway.restarted();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "other-secret", "acme");
    new.overwrite = true;
    let request = platform.create_request(&new).unwrap();
    let documents = vec![
        honest(&platform, request),
        largest(other, MAX_WEIGHT - BESIDES),
    ];
    platform.behave(Script::always(sending(documents))).unwrap();
    gateway.claim_again("other-secret");
    platform
        .wait_for(request, JobState::Completed, PATIENCE)
        .unwrap();
    gateway.provisioned();
}

#[test]
fn the_longest_text() {
    held(Shape::Text('x'));
}

#[test]
fn the_longest_text_of_what_is_written_otherwise() {
    held(Shape::Text('>'));
}

#[test]
fn the_longest_text_of_line_feeds() {
    held(Shape::Text('\n'));
}

#[test]
fn as_many_properties_as_there_may_be() {
    held(Shape::Properties);
}

#[test]
fn as_many_values_as_there_may_be() {
    held(Shape::Values);
}

#[test]
fn as_many_components_as_there_may_be() {
    held(Shape::Instances);
}

#[test]
fn as_many_passwords_as_there_may_be() {
    held(Shape::Passwords);
}

#[test]
fn the_longest_password() {
    held(Shape::Password);
}

#[test]
fn the_longest_text_in_place_of_another_one() {
    held_again(Shape::Text('x'), Shape::Text('y'));
}

#[test]
fn the_longest_password_in_place_of_the_longest_text() {
    held_again(Shape::Text('x'), Shape::Password);
}

#[test]
fn the_longest_text_in_place_of_the_longest_password() {
    held_again(Shape::Password, Shape::Text('x'));
}

/// Applied, refused by the account, and restored; and that again.
#[test]
fn the_longest_text_in_place_of_another_one_that_is_taken_back() {
    let (platform, gateway) = held(Shape::Text('x'));
    let gateway = gateway.restarted();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "other-secret", "acme");
    new.overwrite = true;
    let request = platform.create_request(&new).unwrap();
    let wrong = || {
        sending(vec![
            connecting(&platform, request, "wrong"),
            largest(Shape::Text('y'), MAX_WEIGHT - BESIDES),
        ])
    };
    platform.behave(Script::each([wrong(), wrong()])).unwrap();
    gateway.claim_again("other-secret");
    gateway.fails("proof.failed");
    gateway.retry();
    gateway.fails_at(2, "proof.failed");
}

/// Two descriptors as large as they may be, beside a library that describes something else; and a
/// configuration that is checked against them.
#[test]
fn as_many_descriptors_as_there_may_be() {
    let descriptor = |factory: &str, bytes: usize| {
        let mut xml = format!(
            r#"<MetaData xmlns="http://www.osgi.org/xmlns/metatype/v1.2.0"><Designate pid="{factory}" factoryPid="{factory}"><Object ocdref="{factory}"/></Designate><OCD id="{factory}" name="x">"#
        );
        let end = "</OCD></MetaData>";
        for n in 0.. {
            let ad = format!(r#"<AD id="{n}" type="Byte" default="1"/>"#);
            if xml.len() + ad.len() + end.len() > bytes {
                break;
            }
            xml.push_str(&ad);
        }
        xml.push_str(&" ".repeat(bytes - xml.len() - end.len()));
        xml + end
    };
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = Application::heater("1.0");
    let mut files = app.files();
    let own = files[1].1.len();
    for (name, bytes) in [("a", 256 << 10), ("b", (256 << 10) - own)] {
        let xml = descriptor(&format!("com.example.{name}"), bytes);
        files.push((format!("metatype/com.example.{name}.xml"), xml.into_bytes()));
    }
    let file = folder.path().join("app.tar.gz");
    let mut archive = Vec::new();
    pack(&app.name, &app.version, &files, &mut archive).unwrap();
    std::fs::write(&file, archive).unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = vec![NewPackage {
        file,
        name: app.name.clone(),
        version: app.version.clone(),
    }];
    let request = platform.create_request(&new).unwrap();
    let documents = vec![
        honest(&platform, request),
        largest(Shape::Text('x'), MAX_WEIGHT - BESIDES),
    ];
    platform.behave(Script::always(sending(documents))).unwrap();
    let gateway = Gateway::patient(Site::new(&platform, "gw-1", "secret").unwrap());
    gateway.enable();
    assert_eq!(gateway.provisioned()["attempt"], 1);
    assert_eq!(gateway.packages(), [format!("{} 1.0", app.name)]);
}
