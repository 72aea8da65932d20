//! The account's broker, when the proof calls on it: a gateway that is not let in, whatever the
//! broker does instead, is exactly as before, says why, and is provisioned by the next attempt.

use super::peer::{tls, Broker, Caller};
use crate::gateway::{took, Gateway, TIMEOUT};
use e2e::Site;
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use std::io;
use std::thread;
use std::time::Duration;

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
