//! Cloud connections against a real broker.

use std::sync::Arc;
use std::time::Duration;

use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::cloud::{stack, Connections, Member, Memory, Surroundings};
use gateway_host_sdk::component::services::CloudConnectionService;
use gateway_host_sdk::events::Hub;
use gateway_host_sdk::{ConnectionInfo, ConnectionState, Event, Framework};
use mqtt_session::{Anchor, Options, Session};
use openssl::asn1::{Asn1Object, Asn1OctetString, Asn1Time};
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::{PKey, Private};
use openssl::x509::extension::{
    AuthorityKeyIdentifier, BasicConstraints, KeyUsage, SubjectAlternativeName,
    SubjectKeyIdentifier,
};
use openssl::x509::{X509CrlBuilder, X509Extension, X509Name, X509};

use crate::broker::{there, Broker, Listener, Port};
use crate::stopwatch::Stopwatch;
use crate::support::{chmod, until, Place, DEADLINE};

pub const CLOUD: &str = "org.eclipse.kura.cloud.CloudService";
const DATA: &str = "org.eclipse.kura.data.DataService";
pub const TRANSPORT: &str = "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport";

pub fn set(framework: &Framework, pid: &str, values: Properties) {
    framework.configuration().update(pid, &values).unwrap();
    framework.settle();
}

pub fn transport(framework: &Framework, url: &str, client_id: &str) {
    address(framework, TRANSPORT, url, client_id);
}

/// The same, of the transport of another connection.
pub fn address(framework: &Framework, pid: &str, url: &str, client_id: &str) {
    let values = [
        ("broker-url", url),
        ("topic.context.account-name", "acme"),
        ("client-id", client_id),
        ("username", ""),
    ];
    let mut values: Properties = values
        .into_iter()
        .map(|(name, value)| (name.to_owned(), value.into()))
        .collect();
    values.insert("password".to_owned(), Secret::from("").into());
    set(framework, pid, values);
}

fn automatic(framework: &Framework) {
    let values = Properties::from([
        ("connect.auto-on-startup".to_owned(), true.into()),
        ("connect.retry-interval".to_owned(), 1.into()),
    ]);
    set(framework, DATA, values);
}

pub fn wait_for(framework: &Framework, state: ConnectionState) -> ConnectionInfo {
    let end = std::time::Instant::now() + DEADLINE;
    loop {
        let info = framework.connections().remove(0);
        if info.state == state {
            return info;
        }
        assert!(std::time::Instant::now() < end, "not {state}: {info:?}");
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
}

#[test]
fn a_gateway_as_delivered_does_not_connect_anywhere() {
    let place = Place::new();
    let framework = place.start();
    automatic(&framework);
    let info = until("the verdict", || {
        let info = framework.connections().remove(0);
        info.last_error.is_some().then_some(info)
    });
    assert_eq!(info.state, ConnectionState::Disconnected);
    assert_eq!(
        info.last_error.as_deref(),
        Some("no cloud account is configured")
    );
    assert_eq!((info.pid.as_str(), info.broker.as_str()), (CLOUD, ""));
}

#[test]
fn a_connection_announces_the_gateway_and_says_goodbye() {
    if !there() {
        return;
    }
    let broker = Broker::open();
    let listener = Listener::at(&broker);
    let place = Place::new();
    let framework = place.start();
    let events = framework.events();
    transport(&framework, &broker.url(), "");
    automatic(&framework);
    let info = wait_for(&framework, ConnectionState::Connected);
    assert_eq!(
        (info.account.as_str(), info.client_id.as_str()),
        ("acme", "AABBCC001122")
    );
    assert_eq!((info.broker, info.last_error), (broker.url(), None));

    let birth = listener.next("$EDC/acme/AABBCC001122/MQTT/BIRTH");
    assert_eq!(birth.string("serial_number"), Some("SN-42"));
    assert_eq!(birth.string("model_id"), Some("m1"));
    assert_eq!(birth.string("application_framework_version"), Some("9.9"));
    assert_eq!(birth.string("accept_encoding"), Some("gzip"));
    assert_eq!(birth.string("payload_encoding"), Some("kura-protobuf"));
    assert_eq!(
        birth.string("application_ids"),
        Some("CONF-V1,DEPLOY-V2,KEYS-V1")
    );
    assert!(birth.string("uptime").unwrap().parse::<u64>().unwrap() > 0);
    assert!(
        birth
            .string("total_memory")
            .unwrap()
            .parse::<u64>()
            .unwrap()
            > 0
    );
    assert!(birth.timestamp.unwrap() > 1_600_000_000_000);
    assert_eq!(birth.get("prov.transaction.id"), None);
    let connected = events.iter().any(|event| {
        matches!(event, Event::Connection(info) if info.state == ConnectionState::Connected)
    });
    assert!(connected);

    framework.shutdown();
    let farewell = listener.next("$EDC/acme/AABBCC001122/MQTT/DC");
    assert!(farewell.string("uptime").is_some() && farewell.string("display_name").is_some());
}

/// The connections of another process over the same data folder, as it were, and what the
/// ProvisioningService sees of them.
fn connections(framework: &Framework, place: &Place) -> (Arc<Connections>, Member) {
    let connections = Arc::new(Connections::new(Surroundings::new(
        framework.configuration().clone(),
        framework.keystores().clone(),
        framework.system().clone(),
        Hub::default(),
        "9.9".to_owned(),
        Memory::open(&place.data()).unwrap(),
    )));
    connections.changed(CLOUD);
    let member = Member::new(connections.clone(), stack::PROVISIONING_SERVICE);
    (connections, member)
}

#[test]
fn a_held_connection_stays_held_over_a_restart_until_it_is_released() {
    if !there() {
        return;
    }
    let broker = Broker::open();
    let listener = Listener::at(&broker);
    let place = Place::new();
    let framework = place.start();
    // The framework's own one keeps out of it.
    framework.disconnect(CLOUD).unwrap();
    let (first, member) = connections(&framework, &place);
    member.disconnect().unwrap();
    transport(&framework, &broker.url(), "gw");
    automatic(&framework);
    first.stop();
    let (second, member) = connections(&framework, &place);
    let held = |connections: &Connections| {
        let info = connections.info(CLOUD).unwrap();
        assert_eq!(info.state, ConnectionState::Disconnected, "{info:?}");
        info.last_error.filter(|reason| reason.starts_with("held"))
    };
    until("the hold", || held(&second));
    // Nor does a change of its configuration connect it.
    second.changed(DATA);
    until("the hold", || held(&second));
    member.release().unwrap();
    let birth = listener.next("$EDC/acme/gw/MQTT/BIRTH");
    assert_eq!(birth.get("prov.transaction.id"), None);
    second.stop();
}

#[test]
fn a_component_that_is_deactivated_does_not_wait_for_a_broker_that_is_silent() {
    if !there() {
        return;
    }
    let broker = Broker::open();
    let place = Place::new();
    let framework = place.start();
    framework.disconnect(CLOUD).unwrap();
    transport(&framework, &broker.url(), "gw");
    let (connections, member) = connections(&framework, &place);
    connections.connect(CLOUD).unwrap();
    let state = || connections.info(CLOUD).unwrap().state;
    until("the connection", || {
        (state() == ConnectionState::Connected).then_some(())
    });
    // A BIRTH that nobody acknowledges, so that there is something to wait for.
    broker.freeze();
    member.connect("tx-1").unwrap();
    let memory = || std::fs::read_to_string(place.data().join("connections.jsonl"));
    let held = || memory().is_ok_and(|text| text.contains(r#""held":true"#));
    let took = std::thread::scope(|scope| {
        let call = scope.spawn(|| member.disconnect());
        until("the hold", || held().then_some(()));
        assert_eq!(state(), ConnectionState::Connected, "it waits");
        let watch = Stopwatch::start();
        member.may_wait(false);
        call.join().unwrap().unwrap();
        // Nor does another call.
        member.disconnect().unwrap();
        watch.stop()
    });
    assert!(took < Duration::from_millis(250), "{took:?}");
    until("the end of the session all the same", || {
        (state() == ConnectionState::Disconnected).then_some(())
    });
    // Once it is active again it waits again.
    member.may_wait(true);
    member.connect("").unwrap();
    member.disconnect().unwrap();
    assert_eq!(state(), ConnectionState::Disconnected);
    connections.stop();
}

#[test]
fn a_transaction_that_no_birth_has_carried_is_carried_after_a_restart() {
    if !there() {
        return;
    }
    let port = Port::new();
    let place = Place::new();
    let framework = place.start();
    let (first, member) = connections(&framework, &place);
    // Nobody is there to hear of it.
    transport(
        &framework,
        &format!("mqtt://127.0.0.1:{}", port.number),
        "gw",
    );
    member.disconnect().unwrap();
    member.connect("tx-1").unwrap();
    first.stop();
    let broker = Broker::start(&port, "allow_anonymous true");
    let listener = Listener::at(&broker);
    let (second, _) = connections(&framework, &place);
    second.connect(CLOUD).unwrap();
    let birth = listener.next("$EDC/acme/gw/MQTT/BIRTH");
    assert_eq!(birth.string("prov.transaction.id"), Some("tx-1"));
    second.stop();
}

#[test]
fn the_birth_after_a_provisioning_carries_its_transaction_once() {
    if !there() {
        return;
    }
    let broker = Broker::open();
    let listener = Listener::at(&broker);
    let place = Place::new();
    let framework = place.start();
    transport(&framework, &broker.url(), "gw");
    let (connections, member) = connections(&framework, &place);
    let topic = "$EDC/acme/gw/MQTT/BIRTH";
    let transaction = || {
        let birth = listener.next(topic);
        birth.string("prov.transaction.id").map(str::to_owned)
    };
    member.connect("tx-1").unwrap();
    assert_eq!(transaction().as_deref(), Some("tx-1"));
    until("the connection", || {
        (connections.info(CLOUD).unwrap().state == ConnectionState::Connected).then_some(())
    });
    // Already connected: the account hears of it all the same.
    member.connect("tx-2").unwrap();
    assert_eq!(transaction().as_deref(), Some("tx-2"));
    // Disconnected when the call returns, and gone by itself stays gone.
    connections.disconnect(CLOUD).unwrap();
    assert_eq!(
        connections.info(CLOUD).unwrap().state,
        ConnectionState::Disconnected
    );
    listener.next("$EDC/acme/gw/MQTT/DC");
    connections.changed(DATA);
    member.connect("").unwrap();
    assert_eq!(transaction(), None);
}

#[test]
fn a_changed_transport_reconnects_and_an_equal_one_does_not() {
    if !there() {
        return;
    }
    let broker = Broker::open();
    let listener = Listener::at(&broker);
    let place = Place::new();
    let framework = place.start();
    transport(&framework, &broker.url(), "one");
    framework.connect(CLOUD).unwrap();
    listener.next("$EDC/acme/one/MQTT/BIRTH");
    wait_for(&framework, ConnectionState::Connected);
    let same = Properties::from([("in-flight.persistence".to_owned(), "file".into())]);
    set(&framework, TRANSPORT, same);
    transport(&framework, &broker.url(), "two");
    // Had the first change reconnected, there would be a BIRTH of "one" in between.
    listener.next("$EDC/acme/one/MQTT/DC");
    listener.next("$EDC/acme/two/MQTT/BIRTH");
    let name = Properties::from([
        ("device.display-name".to_owned(), "custom".into()),
        ("device.custom-name".to_owned(), "pump house".into()),
    ]);
    wait_for(&framework, ConnectionState::Connected);
    set(&framework, CLOUD, name);
    let birth = listener.next("$EDC/acme/two/MQTT/BIRTH");
    assert_eq!(birth.string("display_name"), Some("pump house"));
}

#[test]
fn a_broker_that_comes_late_or_goes_is_tried_again_and_the_reason_shows() {
    if !there() {
        return;
    }
    let port = Port::new();
    let place = Place::new();
    let framework = place.start();
    transport(
        &framework,
        &format!("mqtt://127.0.0.1:{}", port.number),
        "gw",
    );
    automatic(&framework);
    let reason = |code: &str| {
        until(code, || {
            let error = framework.connections().remove(0).last_error?;
            error.starts_with(code).then_some(())
        });
    };
    reason("network.refused: ");
    let broker = Broker::start(&port, "allow_anonymous true");
    let info = wait_for(&framework, ConnectionState::Connected);
    assert_eq!(info.last_error, None);
    drop(broker);
    reason("network.");
    assert_ne!(framework.connections()[0].state, ConnectionState::Connected);
    let strict = Broker::start(&port, "allow_anonymous false");
    reason("broker.");
    drop(strict);
}

#[test]
fn the_last_will_is_the_brokers_when_a_session_breaks() {
    if !there() {
        return;
    }
    let broker = Broker::open();
    let listener = Listener::at(&broker);
    let place = Place::new();
    let framework = place.start();
    transport(&framework, &broker.url(), "gw");
    framework.connect(CLOUD).unwrap();
    listener.next("$EDC/acme/gw/MQTT/BIRTH");
    // Somebody else of the same name: the broker breaks the first session.
    let other = Options::new(broker.url().parse().unwrap(), "gw");
    let other = Session::open(&Anchor::new().unwrap(), other, |_| {});
    let will = listener.next("$EDC/acme/gw/MQTT/LWT");
    assert_eq!(will.metrics, []);
    drop(other);
}

/// A key and a certificate, signed by `issuer` or by itself.
fn certificate(name: &str, issuer: Option<(&PKey<Private>, &X509)>) -> (PKey<Private>, X509) {
    let group = EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap();
    let key = PKey::from_ec_key(EcKey::generate(&group).unwrap()).unwrap();
    let mut subject = X509Name::builder().unwrap();
    subject.append_entry_by_nid(Nid::COMMONNAME, name).unwrap();
    let subject = subject.build();
    let mut builder = X509::builder().unwrap();
    builder.set_version(2).unwrap();
    builder.set_subject_name(&subject).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    let mut constraints = BasicConstraints::new();
    let mut usage = KeyUsage::new();
    usage.critical();
    if issuer.is_none() {
        constraints.critical().ca();
        usage.key_cert_sign().crl_sign();
    } else {
        usage.digital_signature();
    }
    builder
        .append_extension(constraints.build().unwrap())
        .unwrap();
    builder.append_extension(usage.build().unwrap()).unwrap();
    let context = builder.x509v3_context(issuer.map(|(_, cert)| &**cert), None);
    let own_id = SubjectKeyIdentifier::new().build(&context).unwrap();
    builder.append_extension(own_id).unwrap();
    if issuer.is_some() {
        let context = builder.x509v3_context(issuer.map(|(_, cert)| &**cert), None);
        let issuer_id = AuthorityKeyIdentifier::new()
            .keyid(true)
            .build(&context)
            .unwrap();
        let names = SubjectAlternativeName::new()
            .ip("127.0.0.1")
            .build(&context)
            .unwrap();
        builder.append_extension(issuer_id).unwrap();
        builder.append_extension(names).unwrap();
    }
    let (signer, by) = issuer.map_or((&key, &*subject), |(key, cert)| (key, cert.subject_name()));
    builder.set_issuer_name(by).unwrap();
    builder.sign(signer, MessageDigest::sha256()).unwrap();
    (key, builder.build())
}

/// A new authority: its key, its certificate, and that as PEM.
pub fn authority() -> (PKey<Private>, X509, String) {
    let (key, certificate) = certificate("Test CA", None);
    let pem = String::from_utf8(certificate.to_pem().unwrap()).unwrap();
    (key, certificate, pem)
}

#[test]
fn trust_and_client_key_come_from_the_keystore() {
    if !there() {
        return;
    }
    let (ca_key, ca, _) = authority();
    let (server_key, server) = certificate("broker", Some((&ca_key, &ca)));
    let (client_key, client) = certificate("gateway", Some((&ca_key, &ca)));
    let pem = |cert: &X509| String::from_utf8(cert.to_pem().unwrap()).unwrap();
    let key =
        |key: &PKey<Private>| String::from_utf8(key.private_key_to_pem_pkcs8().unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    chmod(folder.path(), 0o755);
    let file = |name: &str, content: String| {
        let path = folder.path().join(name);
        std::fs::write(&path, content).unwrap();
        // mosquitto gives up its rights, if it has any, before it reads them.
        chmod(&path, 0o644);
        path.display().to_string()
    };
    let lines = format!(
        "allow_anonymous true\nrequire_certificate true\ncafile {}\ncertfile {}\nkeyfile {}",
        file("ca.pem", pem(&ca)),
        file("server.pem", pem(&server)),
        file("server.key", key(&server_key)),
    );
    let broker = Broker::with(&lines);
    let place = Place::new();
    let framework = place.start();
    transport(
        &framework,
        &format!("mqtts://127.0.0.1:{}", broker.port),
        "gw",
    );
    automatic(&framework);
    until("the refusal", || {
        let error = framework.connections().remove(0).last_error?;
        error.starts_with("tls.untrusted: ").then_some(())
    });
    let keystores = framework.keystores();
    let own = key(&client_key) + &pem(&client);
    keystores
        .import_pem("SSLKeystore", "gateway", &own)
        .unwrap();
    keystores
        .put_certificate("SSLKeystore", "ca", &pem(&ca))
        .unwrap();
    wait_for(&framework, ConnectionState::Connected);
}

/// A list of what has changed since another one, which nobody could obey: OpenSSL passes over it.
fn delta(key: &PKey<Private>, authority: &X509) -> Vec<u8> {
    let mut list = X509CrlBuilder::new().unwrap();
    list.set_issuer_name(authority.subject_name()).unwrap();
    let [from, to] = [0, 1].map(|days| Asn1Time::days_from_now(days).unwrap());
    list.set_last_update(&from).unwrap();
    list.set_next_update(&to).unwrap();
    // authorityKeyIdentifier, cRLNumber, deltaCRLIndicator
    let extensions: [(&str, bool, &[u8]); 3] = [
        ("2.5.29.35", false, &[0x30, 3, 0x80, 1, 1]),
        ("2.5.29.20", false, &[2, 1, 2]),
        ("2.5.29.27", true, &[2, 1, 1]),
    ];
    for (name, critical, value) in extensions {
        let name = Asn1Object::from_str(name).unwrap();
        let value = Asn1OctetString::new_from_bytes(value).unwrap();
        let extension = X509Extension::new_from_der(&name, critical, &value).unwrap();
        list.append_extension(extension).unwrap();
    }
    list.sign(key, MessageDigest::sha256()).unwrap();
    list.build().unwrap().to_pem().unwrap()
}

/// Such a list is not imported, but may have come with a backup, or by hand.
#[test]
fn a_list_that_nobody_can_obey_keeps_the_connection_down_and_is_named() {
    let (key, ca, _) = authority();
    let place = Place::new();
    let framework = place.start();
    let folder = place.data().join("keystores/SSLKeystore");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("by-hand.pem"), delta(&key, &ca)).unwrap();
    let port = Port::new();
    let url = format!("mqtts://127.0.0.1:{}", port.number);
    transport(&framework, &url, "gw");
    automatic(&framework);
    until("the refusal", || {
        let error = framework.connections().remove(0).last_error?;
        let named = error.contains("by-hand") && error.contains("deltaCRLIndicator");
        named.then_some(())
    });
    let keystores = framework.keystores();
    keystores.remove("SSLKeystore", "by-hand").unwrap();
    until("another reason", || {
        let error = framework.connections().remove(0).last_error?;
        (!error.contains("by-hand")).then_some(())
    });
}
