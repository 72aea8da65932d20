//! A connection that ends, or goes wrong, at each of its stages.

use super::case::{at_once, run};
use super::peer::{head, Caller, OWN};
use std::io::{self, Read, Write};

#[test]
fn what_is_not_tls_or_is_no_good_tls_ends_the_attempt() {
    let raw = |name: &'static str, code, why, bytes: Vec<u8>| {
        at_once(name, code, why, move |mut caller| loop {
            caller.tcp.write_all(&bytes)?;
        })
    };
    let cases = vec![
        raw(
            "endless bytes that are not TLS",
            "tls.protocol",
            "the second byte says so, and the rest is never read",
            b"SSH-2.0-OpenSSH_9.2\r\n".repeat(1000),
        ),
        raw(
            "endless changes of cipher",
            "tls.protocol",
            "OpenSSL takes none before a ServerHello",
            [0x14, 3, 3, 0, 1, 1].repeat(1000),
        ),
        raw(
            "endless warnings",
            "tls.protocol",
            "OpenSSL counts them",
            [0x15, 3, 3, 0, 2, 1, 90].repeat(1000),
        ),
        raw(
            "endless empty records",
            "tls.protocol",
            "a handshake record holds something (RFC 8446, 5.1)",
            [0x16, 3, 3, 0, 0].repeat(1000),
        ),
        raw(
            "a ServerHello of 16 MiB",
            "tls.protocol",
            "OpenSSL bounds each kind of message by its header",
            [
                &[0x16, 3, 3, 0x40, 0, 2, 0xff, 0xff, 0xff][..],
                &[3; 0x3ffc],
            ]
            .concat(),
        ),
        at_once(
            "a damaged record behind the handshake",
            "tls.protocol",
            "its tag does not fit",
            |caller| {
                let mut client = caller.welcomed()?;
                let record = [&[0x17, 3, 3, 0, 64][..], &[7; 64]].concat();
                client.below().write_all(&record)?;
                client.until_gone()
            },
        ),
        at_once(
            "endless garbage within TLS",
            "protocol.unexpected",
            "its first byte is no CONNACK",
            |caller| caller.secured()?.send_for_ever(&[0xf5; 64 << 10]),
        ),
        at_once(
            "endless zeros within TLS",
            "protocol.unexpected",
            "the packet type 0 is no CONNACK",
            |caller| caller.secured()?.send_for_ever(&[0; 64 << 10]),
        ),
        at_once(
            "endless garbage behind SUBACK",
            "protocol.malformed",
            "PINGRESP has no body and no flags",
            |caller| caller.welcomed()?.send_for_ever(&[0xd7; 64 << 10]),
        ),
    ];
    run(
        "broker::stages::what_is_not_tls_or_is_no_good_tls_ends_the_attempt",
        2,
        cases,
    );
}

/// Waits for the ClientHello and reads it: until then the TCP connection may not be there for the
/// gateway, and what is not read makes a reset of a close.
fn hello(caller: &mut Caller) -> io::Result<()> {
    let mut head = [0; 5];
    caller.tcp.read_exact(&mut head)?;
    let length = u16::from_be_bytes([head[3], head[4]]);
    caller.tcp.read_exact(&mut vec![0; usize::from(length)])
}

#[test]
fn a_connection_that_ends_at_any_stage_ends_the_attempt() {
    const WHY: &str = "it is the network's fault until somebody says otherwise";
    /// A handshake record of 122 bytes, of which eleven come.
    const HALF_A_HELLO: [u8; 11] = [0x16, 3, 3, 0, 122, 2, 0, 0, 118, 3, 3];
    let silent = "nothing was said that is TLS: the port may be another's";
    let lost =
        |name, script: fn(Caller) -> io::Result<()>| at_once(name, "network.lost", WHY, script);
    let cases = vec![
        at_once("closed before TLS", "tls.protocol", silent, |mut caller| {
            hello(&mut caller)
        }),
        at_once("reset before TLS", "tls.protocol", silent, |mut caller| {
            hello(&mut caller)?;
            caller.reset()
        }),
        lost("closed within the handshake", |mut caller| {
            hello(&mut caller)?;
            caller.tcp.write_all(&HALF_A_HELLO)
        }),
        lost("reset within the handshake", |mut caller| {
            caller.tcp.write_all(&HALF_A_HELLO)?;
            hello(&mut caller)?;
            caller.reset()
        }),
        lost("closed behind the handshake", |caller| {
            caller.secured()?.close()
        }),
        lost("reset behind the handshake", |caller| {
            caller.secured()?.reset()
        }),
        lost("closed instead of CONNACK", |caller| {
            caller.heard()?.close()
        }),
        lost("reset instead of CONNACK", |caller| caller.heard()?.reset()),
        lost("closed within CONNACK", |caller| {
            let mut client = caller.heard()?;
            client.send(&[0x20, 2])?;
            client.close()
        }),
        lost("closed instead of SUBACK", |caller| {
            caller.accepted()?.close()
        }),
        lost("reset instead of SUBACK", |caller| {
            caller.accepted()?.reset()
        }),
        lost("closed behind SUBACK", |caller| caller.welcomed()?.close()),
        lost("reset behind SUBACK", |caller| caller.welcomed()?.reset()),
        lost("closed within a message", |caller| {
            let mut client = caller.welcomed()?;
            client.send(&head(0x30, 1000))?;
            client.send(&[0, 100])?;
            client.send(OWN.as_bytes())?;
            client.close()
        }),
    ];
    run(
        "broker::stages::a_connection_that_ends_at_any_stage_ends_the_attempt",
        2,
        cases,
    );
}
