//! What comes where CONNACK is due.

use super::case::{at_deadline, at_once, harmless, run};
use super::peer::{publish, CONNACK};
use std::time::Duration;

#[test]
fn every_kind_of_connack_has_its_code() {
    let mut cases: Vec<_> = [
        (1, "protocol.unexpected"),
        (2, "broker.identifier"),
        (3, "broker.unavailable"),
        (4, "broker.bad-credentials"),
        (5, "broker.not-authorized"),
        (6, "protocol.malformed"),
        (0x80, "protocol.malformed"),
        (0xff, "protocol.malformed"),
    ]
    .into_iter()
    .map(|(code, expected)| {
        let why = "MQTT 3.1.1, 3.2.2.3 has words for 1 to 5, and reserves the rest";
        at_once(format!("CONNACK {code}"), expected, why, move |caller| {
            let mut client = caller.heard()?;
            client.send(&[0x20, 2, 0, code])?;
            client.until_gone()
        })
    })
    .collect();
    cases.extend([
        harmless(
            "a session that is said to be there",
            "nothing of a clean session is remembered, so nothing rests on the flag",
            |caller| {
                let mut client = caller.heard()?;
                client.send(&[0x20, 2, 1, 0])?;
                client.acknowledge()?;
                client.reject()
            },
        ),
        at_once(
            "CONNACK with a reserved flag",
            "protocol.malformed",
            "bits 7 to 1 must be 0 (3.2.2.1)",
            |caller| {
                let mut client = caller.heard()?;
                client.send(&[0x20, 2, 2, 0])?;
                client.until_gone()
            },
        ),
        at_once(
            "a CONNACK of three bytes",
            "protocol.malformed",
            "its length is always 2 (3.2.1)",
            |caller| {
                let mut client = caller.heard()?;
                client.send(&[0x20, 3, 0, 0, 0])?;
                client.until_gone()
            },
        ),
        at_once(
            "SUBACK before CONNACK",
            "protocol.unexpected",
            "CONNACK is the first packet of a broker (3.2)",
            |caller| {
                let mut client = caller.heard()?;
                client.acknowledge()?;
                client.until_gone()
            },
        ),
        at_once(
            "PUBLISH before CONNACK",
            "protocol.unexpected",
            "CONNACK is the first packet of a broker (3.2)",
            |caller| {
                let mut client = caller.heard()?;
                client.send(&publish(b"$EDC/provisioning/trial/A/GET/b", b"x"))?;
                client.until_gone()
            },
        ),
        at_once(
            "a second CONNACK",
            "protocol.unexpected",
            "a connection is accepted once",
            |caller| {
                let mut client = caller.welcomed()?;
                client.send(&CONNACK)?;
                client.until_gone()
            },
        ),
    ]);
    run(
        "broker::connack::every_kind_of_connack_has_its_code",
        2,
        cases,
    );
}

/// Cases of another module, which run beside others that wait.
pub fn slow() -> Vec<super::case::Case> {
    vec![
        at_deadline(
            "no CONNACK",
            "network.timeout",
            "nothing says that a broker is there, so it is the network",
            |caller| {
                let mut client = caller.heard()?;
                client.under_way();
                client.until_gone()
            },
        ),
        at_deadline(
            "CONNACK byte by byte, too slowly",
            "network.timeout",
            "bytes that come do not move a deadline",
            |caller| {
                let mut client = caller.heard()?;
                client.under_way();
                for byte in CONNACK {
                    client.send(&[byte])?;
                    client.rest(Duration::from_millis(3400))?;
                }
                client.until_gone()
            },
        ),
    ]
}
