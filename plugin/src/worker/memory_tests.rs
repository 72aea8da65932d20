//! What a message may cost on its whole way: from a broker through the link, inflated, decoded, its
//! signature judged, answered. Peaks above the idle process, measured in a process that does nothing
//! else.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stdout
)]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use kura_formats::payload::{encode, gzip, MetricValue, Payload};
use mqtt_session::{Anchor, Event, Options, Session};
use openssl::x509::X509;

use crate::diagnosis::{Code, Fault};
use crate::provisioner::conversation::{ChainSummary, Conversation, Decision};
use crate::provisioner::Output;
use crate::trust::fixtures::{Ca, Leaf, NOW};
use crate::trust::{validate_received, Clock, Freshness, RootCheck, SignedView, Verifier};

const MIB: usize = 1 << 20;
const LARGEST: usize = 16 * MIB;
/// What the component promises.
const BOUND: u64 = 32 << 20;
const PATIENCE: Duration = Duration::from_secs(30);
const NONCE: [u8; 32] = [7; 32];
const CONFIGURATIONS: &str = "CONF-V1/PUT/configurations";
const CERTIFICATES: &str = "PROV-V1/PUT/certificates";

/// One figure of the kernel about this process, in bytes.
fn figure(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with(name)).unwrap();
    let kib: u64 = line.split_whitespace().nth(1).unwrap().parse().unwrap();
    kib << 10
}

/// Bytes that do not get smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    openssl::rand::rand_bytes(&mut bytes).unwrap();
    bytes
}

fn asking(id: &str) -> Payload {
    Payload::new()
        .with_metric("request.id", id)
        .with_metric("requester.client.id", "platform")
}

/// So much that the whole message has 16 MiB.
fn filled(message: Payload, body: impl Fn(usize) -> Vec<u8>) -> Payload {
    let with = |size: usize| message.clone().with_body(body(size));
    let over = encode(&with(LARGEST)).len() - LARGEST;
    let filled = with(LARGEST - over);
    assert_eq!(encode(&filled).len(), LARGEST);
    filled
}

struct World {
    verifier: Verifier,
    conversation: Conversation,
}

/// Who signs.
struct Platform {
    root: Ca,
    signer: Ca,
}

impl Platform {
    fn new() -> Platform {
        let root = Ca::root("Root");
        let signer = root.issue("Signer", Leaf::default());
        Platform { root, signer }
    }

    /// As the signer would sign it, and then changed behind its back.
    fn forged(&self, topic: &str, message: Payload) -> Payload {
        let mut message = self.signed(topic, message);
        message.body.as_mut().unwrap()[0] ^= 1;
        message
    }

    fn signed(&self, topic: &str, message: Payload) -> Payload {
        let id = format!("sig-{}", message.string("request.id").unwrap());
        let mut message = message
            .with_metric("prov.nonce", &NONCE[..])
            .with_metric("sig.id", id)
            .with_metric("sig.timestamp", NOW * 1000);
        // The signature takes room of its own.
        let body = message.body.as_mut().unwrap();
        body.truncate(body.len() - 4096);
        let view = SignedView {
            account: "acme",
            client_id: "gw",
            application_topic: topic,
            payload: &message,
        };
        let der = crate::trust::sign(
            &view.canonical().unwrap(),
            &self.signer.certificate,
            &self.signer.key,
        )
        .unwrap();
        message.with_metric("signature", MetricValue::Bytes(der))
    }
}

impl World {
    fn new(signer: &X509, reprovisioning: bool) -> World {
        let mut verifier = Verifier::new();
        verifier.trust(std::slice::from_ref(signer), &[]);
        let conversation =
            Conversation::new("acme", "gw", "transaction", NONCE, reprovisioning, false);
        World {
            verifier,
            conversation,
        }
    }

    /// What the worker does with a message; gives what was decided in words.
    fn handle(&mut self, topic: &str, payload: Vec<u8>) -> Vec<&'static str> {
        let mut said = Vec::new();
        let mut next = self.conversation.message(topic, payload, false, NOW * 1000);
        while !next.is_empty() {
            let decisions = std::mem::take(&mut next);
            for decision in decisions {
                match decision {
                    Decision::Do(Output::Verify(request)) => {
                        let verdict = self.verifier.verify(
                            &request.signed_view(),
                            Clock::Plausible(NOW * 1000),
                            Freshness::Session { nonce: &NONCE },
                        );
                        said.push(if verdict.is_ok() {
                            "verified"
                        } else {
                            "unverified"
                        });
                        let verdict = verdict
                            .map(drop)
                            .map_err(|error| super::trusted::of_signature(&error));
                        next = self.conversation.verified(verdict);
                    }
                    Decision::Do(Output::CheckChain { request }) => {
                        let mode = RootCheck::ChainOnly;
                        let chain = validate_received(request.body(), &[], &[], mode, NOW);
                        said.push(if chain.is_ok() { "chain" } else { "no chain" });
                        let chain = chain
                            .map(|chain| ChainSummary {
                                leaf: chain.leaf_fingerprint().to_owned(),
                                root_verified: false,
                            })
                            .map_err(|e| Fault::new(Code::TrustMalformed, e.to_string()));
                        next = self.conversation.chain_checked(chain);
                    }
                    Decision::Do(Output::Publish(_)) => said.push("answered"),
                    Decision::Do(Output::Stage(_)) => said.push("staged"),
                    _ => {}
                }
            }
        }
        said
    }
}

fn packet(stream: &mut TcpStream) -> Option<(u8, Vec<u8>)> {
    let mut byte = [0u8; 1];
    stream.read_exact(&mut byte).ok()?;
    let first = byte[0];
    let (mut length, mut shift) = (0usize, 0);
    loop {
        stream.read_exact(&mut byte).ok()?;
        length |= usize::from(byte[0] & 0x7f) << shift;
        shift += 7;
        if byte[0] & 0x80 == 0 {
            break;
        }
    }
    let mut body = vec![0u8; length];
    stream.read_exact(&mut body).ok()?;
    Some((first, body))
}

/// Accepts one client, and sends it everything.
fn broker(listener: &TcpListener, messages: &[(String, Vec<u8>)]) {
    let (mut stream, _) = listener.accept().unwrap();
    packet(&mut stream).unwrap();
    stream.write_all(&[0x20, 2, 0, 0]).unwrap();
    let (_, subscribe) = packet(&mut stream).unwrap();
    let suback = [0x90, 3, subscribe[0], subscribe[1], 1];
    stream.write_all(&suback).unwrap();
    for (topic, payload) in messages {
        let mut length = 2 + topic.len() + payload.len();
        let mut head = vec![0x30];
        loop {
            let low = (length & 0x7f) as u8;
            length >>= 7;
            head.push(if length > 0 { low | 0x80 } else { low });
            if length == 0 {
                break;
            }
        }
        head.extend((topic.len() as u16).to_be_bytes());
        head.extend(topic.as_bytes());
        stream.write_all(&head).unwrap();
        stream.write_all(payload).unwrap();
    }
    while packet(&mut stream).is_some() {}
}

/// The name of the test below, and what it is told.
const MEASURED: &str = "worker::memory_tests::the_process_that_is_measured";
const TOLD: &str = "GWC_TEST_MEASURED";

/// No test by itself: what the others start as a process of its own, and measure.
#[test]
fn the_process_that_is_measured() {
    let Ok(told) = std::env::var(TOLD) else {
        return;
    };
    let mut told = told.split('|');
    let mut next = || told.next().unwrap();
    let (address, reprovisioning, count) = (next(), next() == "true", next().parse().unwrap());
    let signer = X509::from_pem(next().as_bytes()).unwrap();
    let mut world = World::new(&signer, reprovisioning);
    let mut options = Options::new(format!("mqtt://{address}").parse().unwrap(), "gw");
    options.deadline = Some(Instant::now() + PATIENCE);
    options.subscriptions = vec![("$EDC/acme/gw/#".into(), 1)];
    let (send, events) = channel();
    let anchor = Anchor::new().unwrap();
    // proc(5): 5 sets the peak to what is resident now.
    std::fs::write("/proc/self/clear_refs", "5").unwrap();
    let idle = figure("VmRSS:");
    let session = Session::open(&anchor, options, move |event| drop(send.send(event)));
    let mut seen = 0;
    while seen < count {
        match events.recv_timeout(PATIENCE).expect("the next message") {
            Event::Message(message) => {
                let hold = message.hold;
                let said = world.handle(&message.topic, message.payload);
                drop(hold);
                seen += 1;
                let peak = figure("VmHWM:").saturating_sub(idle);
                println!("\nMEASURED {peak} {}", said.join(" "));
            }
            Event::Failed(failure) => panic!("{failure}"),
            _ => {}
        }
    }
    drop(session);
}

/// Has the messages sent to such a process; gives what became of each there, and the peak.
fn measured(
    signer: &Ca,
    reprovisioning: bool,
    messages: Vec<(&str, Payload, bool)>,
) -> (Vec<String>, u64) {
    let messages: Vec<(String, Vec<u8>)> = messages
        .into_iter()
        .map(|(topic, message, packed)| {
            let bytes = encode(&message);
            let bytes = if packed { gzip(&bytes) } else { bytes };
            (format!("$EDC/acme/gw/{topic}"), bytes)
        })
        .collect();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let told = [
        address.to_string(),
        reprovisioning.to_string(),
        messages.len().to_string(),
        signer.pem(),
    ];
    let process = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", MEASURED, "--nocapture"])
        .env(TOLD, told.join("|"))
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // Ends with this process, should the other one never come.
    thread::spawn(move || broker(&listener, &messages));
    let output = process.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout);
    println!("{text}");
    assert!(output.status.success());
    let mut peak = 0;
    let results = text
        .lines()
        .filter_map(|line| line.strip_prefix("MEASURED "))
        .map(|line| {
            let (bytes, said) = line.split_once(' ').unwrap();
            peak = bytes.parse().unwrap();
            said.to_owned()
        })
        .collect();
    (results, peak)
}

#[test]
fn whatever_a_broker_sends_costs_less_than_32_mib() {
    let platform = Platform::new();
    let body = noise(LARGEST);
    let of_noise = |size: usize| body[..size].to_vec();
    let of_zeros = |size: usize| vec![0; size];
    let forged = |id: &str, body: &dyn Fn(usize) -> Vec<u8>| {
        platform.forged(CONFIGURATIONS, filled(asking(id), body))
    };
    let texts = (0..60).fold(asking("7"), |message, n| {
        message.with_metric(format!("m{n}"), "x".repeat(64 << 10))
    });
    let many = (0..200).fold(asking("8"), |message, n| {
        message.with_metric(format!("m{n}"), "x".repeat(64 << 10))
    });
    let messages = vec![
        (CONFIGURATIONS, forged("1", &of_noise), false),
        (CONFIGURATIONS, forged("2", &of_noise), true),
        (CONFIGURATIONS, forged("3", &of_zeros), true),
        (CONFIGURATIONS, filled(asking("4"), of_zeros), false),
        (
            CONFIGURATIONS,
            asking("5").with_metric("m", MetricValue::Bytes(body[..15 * MIB].to_vec())),
            false,
        ),
        (
            CONFIGURATIONS,
            asking("6")
                .with_metric("m", MetricValue::Bytes(body[..8 * MIB].to_vec()))
                .with_body(&body[..7 * MIB]),
            false,
        ),
        (CONFIGURATIONS, filled(texts, of_noise), true),
        (CONFIGURATIONS, many.clone(), false),
        (CONFIGURATIONS, many, true),
        (CONFIGURATIONS, forged("9", &of_noise), true),
        (CONFIGURATIONS, forged("10", &of_noise), false),
    ];
    let (results, peak) = measured(&platform.signer, true, messages);
    for at in [0, 1, 2, 3, 4, 6, 9, 10] {
        assert_eq!(results[at], "unverified answered", "{at}");
    }
    for at in [5, 7, 8] {
        assert!(results[at].is_empty(), "{at}: beyond the limits");
    }
    assert!(peak < BOUND, "{peak} bytes above idle");
}

#[test]
fn whatever_a_broker_sends_before_anything_is_signed_costs_less_than_32_mib() {
    let platform = Platform::new();
    let body = noise(LARGEST);
    let of_noise = |size: usize| body[..size].to_vec();
    let of_pids = |size: usize| {
        let mut xml = br#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0">"#.to_vec();
        while xml.len() < size {
            xml.extend(br#"<esf:configuration pid="a"><esf:properties/></esf:configuration>"#);
        }
        xml.truncate(size);
        xml
    };
    let messages = vec![
        (CONFIGURATIONS, filled(asking("1"), of_pids), true),
        (CONFIGURATIONS, filled(asking("2"), of_noise), true),
        ("PROV-V1/EXEC/reject", filled(asking("3"), of_noise), true),
        (
            "KEYS-V1/POST/keystores/entries/csr",
            filled(asking("4"), of_noise),
            false,
        ),
        (CERTIFICATES, filled(asking("5"), of_noise), true),
    ];
    let (results, peak) = measured(&platform.signer, false, messages);
    assert!(
        results[..4].iter().all(|said| said == "answered"),
        "{results:?}"
    );
    assert_eq!(results[4], "no chain answered");
    assert!(peak < BOUND, "{peak} bytes above idle");
}

#[test]
fn the_largest_configuration_that_is_signed_is_taken_and_a_larger_one_is_not_read() {
    use kura_formats::configurations::MAX_WEIGHT;
    let platform = Platform::new();
    let of_values = |size: usize| {
        let mut xml = br#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0"><esf:configuration pid="a"><esf:properties><esf:property name="p" array="false" encrypted="false" type="String"><esf:value>"#.to_vec();
        let end = br#"</esf:value></esf:property></esf:properties></esf:configuration></esf:configurations>"#;
        xml.resize(size - end.len(), b'v');
        xml.extend(end);
        // The signature is taken off the end.
        xml.resize(size + 4096, b' ');
        xml
    };
    let chain = platform.signer.pem() + &platform.root.pem() + &"\n".repeat(4096);
    let with = |id: &str, size: usize| {
        let message = asking(id).with_body(of_values(size));
        platform.signed(CONFIGURATIONS, message)
    };
    let messages = vec![
        (
            CERTIFICATES,
            platform.signed(CERTIFICATES, asking("0").with_body(chain)),
            false,
        ),
        (CONFIGURATIONS, with("1", LARGEST - 8192), true),
        (CONFIGURATIONS, with("2", MAX_WEIGHT), true),
        (CONFIGURATIONS, with("3", MAX_WEIGHT - (24 << 10)), true),
    ];
    let (results, peak) = measured(&platform.signer, true, messages);
    assert_eq!(results[0], "verified chain answered");
    assert_eq!(results[1], "verified answered");
    assert_eq!(results[2], "verified answered");
    assert_eq!(results[3], "verified staged");
    assert!(peak < BOUND, "{peak} bytes above idle");
}
