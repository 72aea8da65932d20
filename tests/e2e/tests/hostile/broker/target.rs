//! The account's broker. When the proof calls on it, a gateway that is not let in, whatever the
//! broker does instead, is exactly as before, says why, and is provisioned by the next attempt. When
//! the cloud connection does, it floods: the gateway stays small, answers at its console, and its
//! log short.

use super::peer::{publish, request, tls, Broker, Caller, Client, CONNACK};
use crate::gateway::{took, Gateway, TIMEOUT};
use e2e::Site;
use kura_formats::payload;
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use std::io;
use std::thread;
use std::time::{Duration, Instant};

/// What the broker does, the code beneath `proof.failed`, and whether it is the deadline that ends
/// it.
type Case = (
    &'static str,
    &'static str,
    bool,
    fn(Caller) -> io::Result<()>,
);

const CASES: [Case; 6] = [
    ("closed at once", "tls.protocol", false, |_| Ok(())),
    (
        "a reserved CONNACK",
        "protocol.malformed",
        false,
        |caller| {
            let mut client = caller.secured()?;
            client.packet()?;
            client.send(&[0x20, 2, 0, 6])?;
            client.until_gone()
        },
    ),
    (
        "no MQTT without end",
        "protocol.unexpected",
        false,
        |caller| caller.secured()?.send_for_ever(&[0xf5; 64 << 10]),
    ),
    (
        "a message before CONNACK",
        "protocol.unexpected",
        false,
        |caller| {
            let mut client = caller.secured()?;
            client.packet()?;
            client.send(&[0x30, 4, 0, 1, b'a', b'x'])?;
            client.until_gone()
        },
    ),
    ("no CONNACK", "network.timeout", true, |caller| {
        caller.secured()?.until_gone()
    }),
    ("CONNACK too slowly", "network.timeout", true, |caller| {
        let mut client = caller.secured()?;
        client.packet()?;
        for byte in [0x20, 2, 0] {
            client.send(&[byte])?;
            client.rest(Duration::from_secs(4))?;
        }
        client.until_gone()
    }),
];

fn not_proved((name, code, at_the_deadline, script): Case) {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let marks = tempfile::tempdir().unwrap();
    let tls = tls(platform.pki(), 2);
    let broker = Broker::start(tls, marks.path().to_owned(), Box::new(script));
    let behaviour = Behaviour {
        configuration: ConfigurationFault::Broker(broker.url("mqtts")),
        ..Behaviour::default()
    };
    platform.behave(Script::once(behaviour)).unwrap();
    let gateway = Gateway::idle(Site::new(&platform, "gw-1", "secret").unwrap());
    gateway.enable();
    let status = gateway.fails("proof.failed");
    let cause = status["error"]["causes"][0].as_str().unwrap_or_default();
    assert!(cause.starts_with(code), "{name}: {status:#}");
    assert_eq!(took(&status) >= TIMEOUT, at_the_deadline, "{name}");
    gateway.retry();
    assert_eq!(gateway.provisioned()["attempt"], 2, "{name}");
    assert_eq!(broker.end(), [""; 0], "{name}");
}

#[test]
fn whatever_the_account_s_broker_does_instead_of_letting_it_in_the_gateway_is_as_before() {
    thread::scope(|scope| {
        for case in CASES {
            scope.spawn(move || not_proved(case));
        }
    });
}

/// So often each kind of message is sent.
const FLOOD: usize = 20_000;

fn flood(client: &mut Client) -> io::Result<()> {
    let own = "$EDC/acme/gw-1/CONF-V1/GET";
    let topics = [format!("{own}/x"), format!("{own}/{}", "y".repeat(60_000))];
    for n in 0..FLOOD {
        let payload = payload::encode(&request(&n.to_string()));
        let long = usize::from(n % 1000 == 0);
        client.send(&publish(topics[long].as_bytes(), &payload))?;
        client.send(&publish(topics[0].as_bytes(), b"not a payload"))?;
        client.send(&publish(b"$EDC/acme/other/CONF-V1/GET/x", &payload))?;
    }
    Ok(())
}

/// Lets everybody in; the second one, which is the cloud connection, hears from it more than it
/// wants to.
fn flooding(caller: Caller) -> io::Result<()> {
    let second = caller.number() == 2;
    let mut client = caller.secured()?;
    client.packet()?;
    client.send(&CONNACK)?;
    if second {
        let subscribe = loop {
            let (kind, body) = client.packet()?;
            if kind == 0x82 {
                break body;
            }
        };
        client.send(&[0x90, 3, subscribe[0], subscribe[1], 1])?;
        flood(&mut client)?;
        client.under_way();
    }
    client.until_gone()
}

#[test]
fn an_account_s_broker_that_floods_costs_neither_memory_nor_log() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let marks = tempfile::tempdir().unwrap();
    let tls = tls(platform.pki(), 2);
    let broker = Broker::start(tls, marks.path().to_owned(), Box::new(flooding));
    let behaviour = Behaviour {
        configuration: ConfigurationFault::Broker(broker.url("mqtts")),
        ..Behaviour::default()
    };
    platform.behave(Script::once(behaviour)).unwrap();
    let gateway = Gateway::idle(Site::new(&platform, "gw-1", "secret").unwrap());
    gateway.enable();
    gateway.provisioned();
    let until = Instant::now() + Duration::from_secs(120);
    while !marks.path().join("2").exists() {
        assert!(Instant::now() < until, "the flood is not over");
        // Meanwhile it answers, and is small.
        gateway.provisioned();
        thread::sleep(Duration::from_millis(100));
    }
    let status = gateway.provisioned();
    assert_eq!(status["attempt"], 1, "{status:#}");
    let (lines, longest) = gateway.said();
    assert!(lines < 200, "{lines} lines");
    assert!(
        longest.len() < 4096,
        "a line of {} bytes: {longest:.200}",
        longest.len()
    );
    drop(gateway);
    assert_eq!(broker.end(), [""; 0]);
}
