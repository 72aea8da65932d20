//! The same behind `wss`: an upgrade that is none, frames that no server may send.

use super::case::{at_deadline, at_once, harmless, run, Case};
use super::peer::{frame, publish, CONNACK, OWN};
use std::thread;
use std::time::Duration;

/// What comes instead of the answer to the upgrade.
fn instead(
    name: &'static str,
    code: &'static str,
    why: &'static str,
    answer: &'static str,
) -> Case {
    at_once(name, code, why, move |caller| {
        let (mut client, _) = caller.asked()?;
        client.send(answer.as_bytes())?;
        client.until_gone()
    })
}

/// What comes behind the upgrade.
fn behind(name: &'static str, code: &'static str, why: &'static str, bytes: Vec<u8>) -> Case {
    at_once(name, code, why, move |caller| {
        let mut client = caller.upgraded()?;
        client.send(&bytes)?;
        client.until_gone()
    })
}

#[test]
fn an_upgrade_or_a_frame_that_is_none_ends_the_attempt() {
    let cases = vec![
        instead(
            "an answer that is no upgrade, and forges a line",
            "protocol.unexpected",
            "only 101 is an upgrade (RFC 6455, 4.1)",
            "HTTP/1.1 200 OK\u{1b}[2J\nERROR forged\r\n\r\n",
        ),
        instead(
            "an upgrade without its proof",
            "protocol.malformed",
            "Sec-WebSocket-Accept is missing (RFC 6455, 4.1)",
            "HTTP/1.1 101 Yes\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
        ),
        at_once(
            "an answer whose head never ends",
            "protocol.too-large",
            "a head is 16 KiB at most",
            |caller| {
                let (mut client, _) = caller.asked()?;
                client.send(b"HTTP/1.1 101 Yes\r\n")?;
                client.send_for_ever(b"Set-Cookie: a=b\r\n")
            },
        ),
        behind(
            "a frame of text",
            "protocol.unexpected",
            "MQTT is binary (6.0)",
            frame(0x81, b"x"),
        ),
        behind(
            "a mask",
            "protocol.malformed",
            "a server masks nothing (5.1)",
            vec![0x82, 0x80, 1, 2, 3, 4],
        ),
        behind(
            "reserved bits",
            "protocol.malformed",
            "no extension was agreed (5.2)",
            frame(0xc2, b"x"),
        ),
        behind(
            "a ping in fragments",
            "protocol.malformed",
            "a control frame is whole (5.4)",
            frame(0x09, b"x"),
        ),
        behind(
            "a ping of 126 bytes",
            "protocol.malformed",
            "a control frame is short (5.5)",
            frame(0x89, &[0; 126]),
        ),
        behind(
            "a message within another",
            "protocol.malformed",
            "fragments belong together (5.4)",
            [frame(0x02, &[0x20]), frame(0x82, &[2])].concat(),
        ),
        behind(
            "the end of nothing",
            "protocol.malformed",
            "nothing was begun (5.4)",
            frame(0x80, b"x"),
        ),
        behind(
            "a close",
            "network.lost",
            "the broker ends the connection",
            frame(0x88, b"\x03\xe8bye\r\nERROR"),
        ),
        at_once(
            "a frame of 2^63 bytes and more, of MQTT without end",
            "protocol.malformed",
            "a frame is not collected: what is in it counts as it comes",
            |caller| {
                let mut client = caller.upgraded()?;
                client.send(&[0x82, 127, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])?;
                client.send(&CONNACK)?;
                client.send_for_ever(&[0; 64 << 10])
            },
        ),
        harmless(
            "everything in frames of one byte, with pings between",
            "frames are cut where the server likes (MQTT 3.1.1, 6.0)",
            |caller| {
                let mut client = caller.upgraded()?;
                client.hear()?;
                client.say(&CONNACK)?;
                client.acknowledge()?;
                for byte in publish(format!("{OWN}CONF-V1/GET/x").as_bytes(), b"x") {
                    client.send(&frame(0x82, &[byte]))?;
                    client.send(&frame(0x89, b"?"))?;
                }
                client.reject()
            },
        ),
    ]
    .into_iter()
    .map(Case::web_socket);
    run(
        "broker::web_socket::an_upgrade_or_a_frame_that_is_none_ends_the_attempt",
        2,
        cases.collect(),
    );
}

/// Runs beside others that wait for the deadline.
pub fn drip() -> Case {
    let drip = at_deadline(
        "an upgrade that drips",
        "network.timeout",
        "bytes that come do not move a deadline",
        |caller| {
            let (mut client, answer) = caller.asked()?;
            client.under_way();
            for byte in answer.into_bytes() {
                client.send(&[byte])?;
                // The pace of the drip is the case.
                thread::sleep(Duration::from_millis(200));
            }
            client.until_gone()
        },
    );
    drip.web_socket()
}

/// Run beside other floods.
pub fn floods() -> Vec<Case> {
    let cases = vec![
        at_deadline(
            "pings without end, whose answers are not read",
            "network.timeout",
            "they answer no CONNECT, and are not piled up",
            |caller| {
                let mut client = caller.upgraded()?;
                client.under_way();
                let ping = frame(0x89, &[b'?'; 125]);
                client.send_for_ever(&ping.repeat(500))
            },
        ),
        at_deadline(
            "empty fragments without end",
            "network.timeout",
            "they answer no CONNECT",
            |caller| {
                let mut client = caller.upgraded()?;
                client.send(&frame(0x02, b""))?;
                client.under_way();
                client.send_for_ever(&frame(0x00, b"").repeat(10_000))
            },
        ),
    ];
    cases.into_iter().map(Case::web_socket).collect()
}
