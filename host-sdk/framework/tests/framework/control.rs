//! Control messages of a cloud account, over a real broker, verified by a component in C that
//! believes what a message says of its own signature.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::sync::mpsc::{channel, Receiver};

use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::cloud::ControlReport;
use gateway_host_sdk::{ConnectionState, Framework};
use kura_formats::configurations;
use kura_formats::payload::{decode, encode, is_gzip, Limits, Payload};
use mqtt_session::{Anchor, Event, Options, Publish, Session};
use serde_json::{json, Value};

use crate::broker::{there, Broker};
use crate::cloud::{address, set, transport, wait_for, CLOUD, TRANSPORT};
use crate::support::{text, until, Place, DEADLINE};

const PROVISIONING: &str = "gwc.provisioning.ProvisioningService";

/// A gateway that is connected, and its account.
pub struct World {
    pub framework: Framework,
    pub cloud: Cloud,
    broker: Broker,
    place: Place,
}

/// The account's side: it asks, and hears the replies to its questions.
pub struct Cloud {
    session: Session,
    heard: Receiver<(String, Vec<u8>)>,
    /// Notifications that came before a reply that was waited for: both come as they like.
    notified: RefCell<VecDeque<(String, Vec<u8>)>>,
}

impl Cloud {
    fn at(broker: &Broker) -> Cloud {
        let (messages, heard) = channel();
        let (up, wait) = channel();
        let mut options = Options::new(broker.url().parse().unwrap(), "cloud");
        options
            .subscriptions
            .push(("$EDC/acme/cloud/#".to_owned(), 1));
        let session = Session::open(&Anchor::new().unwrap(), options, move |event| match event {
            Event::Subscribed => drop(up.send(())),
            Event::Message(message) => drop(messages.send((message.topic, message.payload))),
            _ => {}
        });
        wait.recv_timeout(DEADLINE).unwrap();
        Cloud {
            session,
            heard,
            notified: RefCell::default(),
        }
    }

    fn publish(&self, topic: &str, bytes: Vec<u8>, retained: bool) {
        let mut publish = Publish::new(topic, bytes, 1);
        publish.retained = retained;
        self.session.publish(publish).unwrap();
    }

    pub fn send(&self, what: &str, payload: &Payload) {
        self.send_to("gw", what, payload);
    }

    /// Over the connection with that client-id.
    pub fn send_to(&self, client_id: &str, what: &str, payload: &Payload) {
        let topic = format!("$EDC/acme/{client_id}/{what}");
        self.publish(&topic, encode(payload), false);
    }

    /// The next message, once it comes.
    pub fn hear(&self) -> (String, Vec<u8>) {
        let before = self.notified.borrow_mut().pop_front();
        before.unwrap_or_else(|| self.heard.recv_timeout(DEADLINE).unwrap())
    }

    /// Whether no message has come by now.
    pub fn is_silent(&self) -> bool {
        self.notified.borrow().is_empty() && self.heard.try_recv().is_err()
    }

    /// The next reply; it must be the one to that request. Notifications are kept for later.
    pub fn reply(&self, app: &str, id: &str) -> (Payload, Vec<u8>) {
        let (topic, bytes) = loop {
            let (topic, bytes) = self.heard.recv_timeout(DEADLINE).unwrap();
            if !topic.contains("/NOTIFY/") {
                break (topic, bytes);
            }
            self.notified.borrow_mut().push_back((topic, bytes));
        };
        assert_eq!(topic, format!("$EDC/acme/cloud/{app}/REPLY/{id}"));
        (decode(&bytes, &Limits::default()).unwrap(), bytes)
    }

    pub fn ask(&self, what: &str, payload: Payload) -> Payload {
        let id = payload.string("request.id").unwrap().to_owned();
        self.send(what, &payload);
        self.reply(what.split('/').next().unwrap(), &id).0
    }

    /// Asks, well signed, for something that has to be done.
    pub fn done(&self, what: &str, id: &str, body: impl Into<Vec<u8>>) -> Vec<u8> {
        let reply = self.ask(what, signed(id).with_body(body));
        assert_eq!(reply.int32("response.code"), Some(200), "{what}: {reply:?}");
        assert!(reply.timestamp.is_some());
        reply.body.unwrap_or_default()
    }
}

pub fn asking(id: &str) -> Payload {
    Payload::new()
        .with_metric("request.id", id)
        .with_metric("requester.client.id", "cloud")
}

pub fn signed(id: &str) -> Payload {
    asking(id).with_metric("signature", "signed well")
}

pub fn refused(reply: &Payload, response: i32, code: &str) -> String {
    assert_eq!(reply.int32("response.code"), Some(response), "{reply:?}");
    assert_eq!(reply.string("prov.error.code"), Some(code), "{reply:?}");
    let message = reply.string("response.exception.message").unwrap();
    message.to_owned()
}

pub fn world() -> Option<World> {
    world_with(&["OFFER_VERIFIER"])
}

fn world_with(defines: &[&str]) -> Option<World> {
    if !there() {
        return None;
    }
    // No message is lost at the broker, however many wait there.
    let broker = Broker::with("allow_anonymous true\nmax_queued_messages 0");
    let cloud = Cloud::at(&broker);
    let place = Place::new();
    let factory = text("FACTORY", PROVISIONING);
    let mut all = vec![factory.as_str()];
    all.extend(defines);
    place.drop_in("provisioning.so", &all);
    let framework = place.start();
    transport(&framework, &broker.url(), "gw");
    framework.connect(CLOUD).unwrap();
    wait_for(&framework, ConnectionState::Connected);
    Some(World {
        framework,
        cloud,
        broker,
        place,
    })
}

impl World {
    /// Connects a second time to the same account, with another client-id.
    pub fn second(&self, client_id: &str) {
        let framework = &self.framework;
        framework.create_connection(&format!("{CLOUD}-2")).unwrap();
        framework.settle();
        address(
            framework,
            &format!("{TRANSPORT}-2"),
            &self.broker.url(),
            client_id,
        );
        framework.connect(&format!("{CLOUD}-2")).unwrap();
        until("the second connection", || {
            let all = framework.connections();
            let up = |c: &&gateway_host_sdk::ConnectionInfo| {
                c.client_id == client_id && c.state == ConnectionState::Connected
            };
            all.iter().find(up).map(drop)
        });
        until("its component", || {
            let all = framework.components();
            let active = |c: &gateway_host_sdk::ComponentInfo| {
                c.pid == format!("{PROVISIONING}-2")
                    && c.state == gateway_host_sdk::ComponentState::Active
            };
            all.iter().any(active).then_some(())
        });
    }

    /// Another process, as it were.
    pub fn restart(self) -> World {
        self.framework.shutdown();
        let framework = self.place.start();
        framework.connect(CLOUD).unwrap();
        wait_for(&framework, ConnectionState::Connected);
        World { framework, ..self }
    }

    /// Where downloads are kept.
    pub fn downloads(&self) -> std::path::PathBuf {
        self.place.data().join("downloads")
    }

    fn report(&self) -> ControlReport {
        self.framework.connections().remove(0).control
    }

    fn property(&self, pid: &str, name: &str) -> Option<gateway_component_abi::value::Value> {
        self.framework.configuration().get(pid)?.get(name).cloned()
    }
}

/// A document with one property in each configuration.
fn document(properties: &[(&str, &str, &str, &str)]) -> String {
    let mut xml = String::from(r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0">"#);
    for (pid, name, kind, value) in properties {
        xml += &format!(
            r#"<esf:configuration pid="{pid}"><esf:properties><esf:property name="{name}" array="false" encrypted="false" type="{kind}"><esf:value>{value}</esf:value></esf:property></esf:properties></esf:configuration>"#
        );
    }
    xml + "</esf:configurations>"
}

fn read(xml: &[u8]) -> Vec<configurations::Configuration> {
    configurations::read(xml, &Default::default(), &mut configurations::remote_open).unwrap()
}

#[test]
fn conf_v1_shows_and_changes_configurations_and_gives_no_password_out() {
    let Some(world) = world() else { return };
    let secret = Properties::from([("secret".to_owned(), Secret::from("hush-hush").into())]);
    set(&world.framework, PROVISIONING, secret);
    let cloud = &world.cloud;
    let one = cloud.done(
        &format!("CONF-V1/GET/configurations/{PROVISIONING}"),
        "1",
        "",
    );
    let all = cloud.done("CONF-V1/GET/configurations", "2", "");
    for body in [&one, &all] {
        let text = String::from_utf8_lossy(body);
        assert!(!text.contains("hush-hush") && !text.contains("aHVzaC1odXNo"));
    }
    assert_eq!(read(&one)[0].properties["number"].as_integer(), Some(7));
    assert!(read(&all).iter().any(|c| c.pid == TRANSPORT));

    // What was read may be sent back, and changes nothing, the password included.
    let revision = world.framework.configuration().revision();
    cloud.done("CONF-V1/PUT/configurations", "3", all);
    assert_eq!(world.framework.configuration().revision(), revision);

    let change = document(&[
        (PROVISIONING, "number", "Integer", "8"),
        (TRANSPORT, "lwt.qos", "Integer", "1"),
    ]);
    cloud.done("CONF-V1/PUT/configurations", "4", change);
    assert_eq!(world.property(PROVISIONING, "number"), Some(8.into()));
    assert_eq!(world.property(TRANSPORT, "lwt.qos"), Some(1.into()));
    assert_eq!(
        world.property(PROVISIONING, "secret"),
        Some(Secret::from("hush-hush").into())
    );
    assert_eq!(world.report().accepted, 4);
}

#[test]
fn conf_v1_refuses_a_document_as_a_whole_and_names_what_does_not_hold() {
    let Some(world) = world() else { return };
    let revision = world.framework.configuration().revision();
    let put = |id: &str, what: &str, body: String| {
        let what = format!("CONF-V1/PUT/{what}");
        world.cloud.ask(&what, signed(id).with_body(body))
    };
    let bad = [
        (TRANSPORT, "lwt.qos", "Integer", "1"),
        (PROVISIONING, "number", "Integer", "-1"),
    ];
    let why = refused(
        &put("1", "configurations", document(&bad)),
        400,
        "configuration.invalid",
    );
    assert!(
        why.contains("number") && why.contains(PROVISIONING),
        "{why}"
    );
    let nobody = document(&[("nobody", "a", "String", "b")]);
    let reply = put("2", "configurations", nobody);
    assert!(refused(&reply, 400, "configuration.invalid").contains("nobody"));
    let other = document(&[(TRANSPORT, "lwt.qos", "Integer", "1")]);
    let reply = put("3", &format!("configurations/{CLOUD}"), other);
    refused(&reply, 400, "configuration.invalid");
    for (id, body) in [("4", ""), ("5", "{}"), ("6", "<!DOCTYPE a><a/>")] {
        let reply = put(id, "configurations", body.to_owned());
        refused(&reply, 400, "protocol.malformed");
    }
    let reply = world
        .cloud
        .ask("CONF-V1/GET/configurations/nobody", signed("7"));
    refused(&reply, 404, "protocol.unexpected");
    let reply = world.cloud.ask("CONF-V1/EXEC/restart", signed("8"));
    refused(&reply, 404, "protocol.unexpected");
    assert_eq!(world.framework.configuration().revision(), revision);
}

#[test]
fn conf_v1_leaves_no_more_than_a_gateway_keeps() {
    let Some(world) = world() else { return };
    let text = "x".repeat(1 << 20);
    let put = |id: &str, name: &str| {
        let body = document(&[(TRANSPORT, name, "String", &text)]);
        let what = "CONF-V1/PUT/configurations";
        world.cloud.ask(what, signed(id).with_body(body))
    };
    for id in ["1", "2"] {
        assert_eq!(put(id, id).int32("response.code"), Some(200));
    }
    let why = refused(&put("3", "3"), 413, "protocol.too-large");
    assert!(why.contains(TRANSPORT) && why.contains("remove"), "{why}");
    assert_eq!(world.property(TRANSPORT, "3"), None);
}

#[test]
fn nobody_from_outside_says_that_a_gateway_is_provisioned() {
    let Some(world) = world() else { return };
    let claim = document(&[(PROVISIONING, "provisioned", "Boolean", "true")]);
    let what = "CONF-V1/PUT/configurations";
    let reply = world.cloud.ask(what, signed("1").with_body(claim.clone()));
    assert!(refused(&reply, 400, "configuration.invalid").contains("provisioned"));
    assert_eq!(world.property(PROVISIONING, "provisioned"), None);

    // What is so already may be said, and taken back: that is how a fleet moves on.
    let is = Properties::from([("provisioned".to_owned(), true.into())]);
    set(&world.framework, PROVISIONING, is);
    world.cloud.done(what, "2", claim);
    let again = document(&[(PROVISIONING, "provisioned", "Boolean", "false")]);
    world.cloud.done(what, "3", again);
    assert_eq!(
        world.property(PROVISIONING, "provisioned"),
        Some(false.into())
    );

    // A rollback does not say it either.
    let ids = world.framework.configuration().snapshots().unwrap();
    let then = format!("CONF-V1/EXEC/rollback/{}", ids[ids.len() - 2]);
    world.cloud.done(&then, "4", "");
    assert_eq!(
        world.property(PROVISIONING, "provisioned"),
        Some(false.into())
    );
}

#[test]
fn conf_v1_lists_takes_and_goes_back_to_snapshots() {
    let Some(world) = world() else { return };
    let ids = || world.framework.configuration().snapshots().unwrap();
    let cloud = &world.cloud;
    let change = document(&[(TRANSPORT, "in-flight.persistence", "String", "file")]);
    cloud.done("CONF-V1/PUT/configurations", "1", change);
    let list = String::from_utf8(cloud.done("CONF-V1/GET/snapshots", "2", "")).unwrap();
    for id in ids() {
        let element = format!("<esf:snapshotIds>{id}</esf:snapshotIds>");
        assert!(list.contains(&element), "{list}");
    }
    let newest = ids().pop().unwrap();
    let shown = cloud.done(&format!("CONF-V1/GET/snapshots/{newest}"), "3", "");
    let transport = read(&shown).into_iter().find(|c| c.pid == TRANSPORT);
    let shown = transport.unwrap().properties["in-flight.persistence"].clone();
    assert_eq!(shown.as_str(), Some("file"));

    cloud.done("CONF-V1/EXEC/rollback", "4", "");
    assert_eq!(
        world.property(TRANSPORT, "in-flight.persistence"),
        Some("memory".into())
    );
    let before = ids().len();
    let taken = String::from_utf8(cloud.done("CONF-V1/EXEC/snapshot", "5", "")).unwrap();
    let newest = ids().pop().unwrap();
    assert!(taken.contains(&format!(">{newest}<")) && ids().len() == before + 1);
    for (id, what, response) in [
        ("6", "GET/snapshots/12345", 404),
        ("7", "EXEC/rollback/12345", 404),
        ("8", "GET/snapshots/-1", 400),
    ] {
        let reply = cloud.ask(&format!("CONF-V1/{what}"), signed(id));
        assert_eq!(reply.int32("response.code"), Some(response), "{what}");
    }
}

#[test]
fn keys_v1_manages_entries_and_never_gives_a_private_key_out() {
    let Some(world) = world() else { return };
    let mut next = 0;
    let mut ask = |what: &str, body: Value| {
        next += 1;
        let payload = signed(&next.to_string()).with_body(body.to_string());
        let reply = world.cloud.ask(&format!("KEYS-V1/{what}"), payload);
        let body = String::from_utf8(reply.body.clone().unwrap_or_default()).unwrap();
        assert!(!body.contains("PRIVATE KEY-----"), "{body}");
        (reply.int32("response.code").unwrap(), body)
    };
    let device = json!({"keystoreServicePid": "SSLKeystore", "alias": "device"});
    let mut csr = device.clone();
    csr["attributes"] = "CN=gw,O=Acme".into();
    let (code, pem) = ask("POST/keystores/entries/csr", csr);
    assert_eq!(code, 200);
    let parsed = openssl::x509::X509Req::from_pem(pem.as_bytes()).unwrap();
    assert!(parsed.verify(&parsed.public_key().unwrap()).unwrap());

    let (_, _, root) = crate::cloud::authority();
    let mut trusted = json!({"keystoreServicePid": "SSLKeystore", "alias": "root"});
    trusted["certificate"] = root.clone().into();
    assert_eq!(
        ask("POST/keystores/entries/certificate", trusted.clone()).0,
        200
    );
    let (code, list) = ask("GET/keystores", json!({}));
    assert_eq!(code, 200);
    let list: Value = serde_json::from_str(&list).unwrap();
    let ssl = json!({"keystoreServicePid": "SSLKeystore", "type": "pem", "size": 3});
    assert!(list.as_array().unwrap().contains(&ssl), "{list}");
    let (_, entries) = ask("GET/keystores/entries", json!({"alias": "root"}));
    let entries: Value = serde_json::from_str(&entries).unwrap();
    assert_eq!(entries[0]["type"], "TRUSTED_CERTIFICATE");
    assert_eq!(entries[0]["subjectDN"], "CN=Test CA");
    assert_eq!(entries.as_array().unwrap().len(), 1);
    let (_, entry) = ask("GET/keystores/entries/entry", trusted.clone());
    assert_eq!(
        serde_json::from_str::<Value>(&entry).unwrap()["certificate"],
        root
    );
    assert_eq!(ask("GET/keystores/entries/entry", device.clone()).0, 200);

    // A key is not replaced by a certificate, and nothing is said of what is not there.
    let mut over = device.clone();
    over["certificate"] = root.into();
    assert_eq!(ask("POST/keystores/entries/certificate", over).0, 409);
    assert_eq!(ask("DEL/keystores/entries", device.clone()).0, 200);
    assert_eq!(ask("DEL/keystores/entries", device.clone()).0, 404);
    assert_eq!(ask("GET/keystores/entries/entry", device.clone()).0, 404);
    let elsewhere = json!({"keystoreServicePid": "../x", "alias": "a"});
    assert_eq!(ask("GET/keystores/entries/entry", elsewhere).0, 404);
    for body in [json!([]), json!({"alias": 5}), json!(null)] {
        assert_eq!(ask("POST/keystores/entries/csr", body).0, 400);
    }
    let mut weak = device;
    weak["algorithm"] = "RSA".into();
    weak["size"] = 1024.into();
    assert_eq!(ask("POST/keystores/entries/keypair", weak).0, 400);
    assert_eq!(ask("POST/keystores/entries/privatekey", json!({})).0, 404);
}

#[test]
fn a_request_that_is_not_verified_is_refused_counted_and_changes_nothing() {
    let Some(world) = world() else { return };
    let revision = world.framework.configuration().revision();
    let change = document(&[(TRANSPORT, "lwt.qos", "Integer", "1")]);
    let cases = [
        ("", 403, "signature.missing"),
        ("signature.invalid", 403, "signature.invalid"),
        ("signature.untrusted", 403, "signature.untrusted"),
        ("signature.replayed", 403, "signature.replayed"),
        ("clock.implausible", 500, "clock.implausible"),
        ("novel.code", 403, "signature.untrusted"),
    ];
    for (signature, response, code) in cases {
        let id = format!("id-{signature}");
        let payload = asking(&id)
            .with_metric("signature", signature)
            .with_body(change.clone());
        for what in ["CONF-V1/PUT/configurations", "CMD-V1/EXEC/command"] {
            let reply = world.cloud.ask(what, payload.clone());
            refused(&reply, response, code);
        }
    }
    let report = world.report();
    assert_eq!(report.accepted, 0);
    let counted: Vec<_> = report.refused.iter().map(|(r, n)| (*r, *n)).collect();
    assert_eq!(
        counted,
        [
            ("clock.implausible", 2),
            ("signature.invalid", 2),
            ("signature.missing", 2),
            ("signature.replayed", 2),
            ("signature.untrusted", 2),
            ("verifier.unavailable", 2),
        ]
    );
    assert_eq!(
        report.last_refused.as_deref(),
        Some("verifier.unavailable: CMD-V1/EXEC/command")
    );
    assert_eq!(world.framework.configuration().revision(), revision);
    // A refusal is not recorded: the same ids, rightly signed, are served.
    let payload = signed("id-").with_body(change);
    let reply = world.cloud.ask("CONF-V1/PUT/configurations", payload);
    assert_eq!(reply.int32("response.code"), Some(200));
}

#[test]
fn where_no_component_verifies_nobody_is_believed() {
    let Some(world) = world_with(&[]) else {
        return;
    };
    let reply = world.cloud.ask("CONF-V1/GET/configurations", signed("1"));
    refused(&reply, 403, "signature.untrusted");
    world
        .framework
        .configuration()
        .delete(PROVISIONING)
        .unwrap();
    world.framework.settle();
    let reply = world.cloud.ask("CONF-V1/GET/configurations", signed("2"));
    let why = refused(&reply, 403, "signature.untrusted");
    assert!(why.contains("no component verifies"), "{why}");
    assert_eq!(world.report().refused["verifier.unavailable"], 2);
    assert_eq!(world.report().accepted, 0);
}

#[test]
fn commands_do_not_exist_whoever_signs() {
    let Some(world) = world() else { return };
    for (id, what) in [
        ("1", "CMD-V1/EXEC/command"),
        ("2", "CONF-V2/GET/snapshots"),
        ("3", "PROV-V1/EXEC/commit"),
        ("4", "KEYS-V1/GET/snapshots"),
    ] {
        let reply = world.cloud.ask(what, signed(id));
        refused(&reply, 404, "protocol.unexpected");
    }
}

#[test]
fn what_is_no_request_to_this_gateway_gets_no_answer() {
    let Some(world) = world() else { return };
    let cloud = &world.cloud;
    let get = "CONF-V1/GET/snapshots";
    let bytes = |id: &str| encode(&signed(id));
    cloud.publish(&format!("$EDC/acme/other/{get}"), bytes("1"), false);
    cloud.publish(&format!("$EDC/elsewhere/gw/{get}"), bytes("2"), false);
    cloud.publish("$EDC/acme/gw/CONF-V1/SUBMIT/x", bytes("3"), false);
    cloud.publish("$EDC/acme/gw/CONF-V1/REPLY/4", bytes("4"), false);
    cloud.send(get, &Payload::new().with_metric("request.id", "5"));
    cloud.publish(&format!("$EDC/acme/gw/{get}"), b"\xff\xff".to_vec(), false);
    let risky = Payload::new()
        .with_metric("request.id", "a/../b")
        .with_metric("requester.client.id", "cloud");
    cloud.send(get, &risky);
    // A retained one counts as fresh to who is connected, and is stale to who comes later.
    cloud.publish(&format!("$EDC/acme/gw/{get}"), bytes("6"), true);
    cloud.reply("CONF-V1", "6");
    world.framework.disconnect(CLOUD).unwrap();
    world.framework.connect(CLOUD).unwrap();
    wait_for(&world.framework, ConnectionState::Connected);
    cloud.done(get, "7", "");
    let report = world.report();
    assert_eq!(report.refused["protocol.malformed"], 3, "{report:?}");
    assert_eq!((report.accepted, report.refused_in_all()), (2, 3));
}

#[test]
fn a_repeated_request_has_its_reply_again_and_no_second_effect() {
    let Some(world) = world() else { return };
    let ids = || world.framework.configuration().snapshots().unwrap().len();
    let cloud = &world.cloud;
    let first = cloud.ask("CONF-V1/EXEC/snapshot", signed("1"));
    let taken = ids();
    // Also over another session.
    world.framework.disconnect(CLOUD).unwrap();
    world.framework.connect(CLOUD).unwrap();
    wait_for(&world.framework, ConnectionState::Connected);
    let second = cloud.ask("CONF-V1/EXEC/snapshot", signed("1"));
    assert_eq!(
        (&first.body, first.timestamp),
        (&second.body, second.timestamp)
    );
    assert_eq!(ids(), taken);
    let reply = cloud.ask("CONF-V1/EXEC/snapshot", signed("1").with_body("other"));
    refused(&reply, 409, "protocol.unexpected");
    assert_eq!(ids(), taken);
    let report = world.report();
    assert_eq!((report.accepted, report.repeated), (1, 1));
    assert_eq!(report.refused["protocol.unexpected"], 1);
}

#[test]
fn a_reply_is_gzip_for_those_who_read_it() {
    let Some(world) = world() else { return };
    let get = "CONF-V1/GET/configurations";
    world.cloud.send(get, &signed("1"));
    let (plain, bytes) = world.cloud.reply("CONF-V1", "1");
    assert!(!is_gzip(&bytes));
    let payload = signed("2").with_metric("accept_encoding", "gzip");
    world.cloud.send(get, &payload);
    let (packed, bytes) = world.cloud.reply("CONF-V1", "2");
    assert!(is_gzip(&bytes));
    assert_eq!(plain.body, packed.body);
}

#[test]
fn a_change_of_the_own_connection_is_answered_over_the_old_one() {
    let Some(world) = world() else { return };
    let change = document(&[(TRANSPORT, "client-id", "String", "moved")]);
    let what = format!("CONF-V1/PUT/configurations/{TRANSPORT}");
    world.cloud.done(&what, "1", change);
    until("the connection under its new name", || {
        let info = world.framework.connections().remove(0);
        (info.client_id == "moved" && info.state == ConnectionState::Connected).then_some(())
    });
    let topic = "$EDC/acme/moved/CONF-V1/GET/snapshots";
    world.cloud.publish(topic, encode(&signed("2")), false);
    world.cloud.reply("CONF-V1", "2");
}

#[test]
fn a_rollback_that_ends_the_own_connection_is_answered_first() {
    let Some(world) = world() else { return };
    // Snapshot 0 knows no connection at all.
    world.cloud.done("CONF-V1/EXEC/rollback/0", "1", "");
    until("the end of the connection", || {
        world.framework.connections().is_empty().then_some(())
    });
    assert!(world.cloud.is_silent());
}

#[test]
fn a_flood_is_survived_and_counted() {
    let Some(world) = world() else { return };
    const MANY: u64 = 5_000;
    for n in 0..MANY {
        let id = n.to_string();
        world.cloud.send("CONF-V1/GET/configurations", &asking(&id));
    }
    until("the count of all", || {
        let report = world.report();
        (report.refused_in_all() == MANY).then_some(())
    });
    let report = world.report();
    assert!(report.refused["signature.missing"] > 0, "{report:?}");
    world.framework.shutdown();
}
