//! Brokers that never come to the point: the deadline does.

use super::case::{at_deadline, run};
use super::peer::{head, publish, OWN};
use super::{connack, web_socket};
use std::io::{self, Read, Write};
use std::thread;
use std::time::Duration;

/// The pace of a drip.
fn pause() {
    thread::sleep(Duration::from_millis(50));
}

#[test]
fn whoever_is_silent_half_way_or_drips_is_left_at_the_deadline() {
    let mut cases = vec![
        at_deadline(
            "TCP and nothing else",
            "network.timeout",
            "no byte came",
            |mut caller| {
                caller.under_way();
                until_gone(&mut caller.tcp)
            },
        ),
        at_deadline(
            "a handshake that stops in its midst",
            "network.timeout",
            "what came is TLS, so far",
            |mut caller| {
                caller.tcp.write_all(&[0x16, 3, 3, 0, 122, 2, 0, 0])?;
                caller.under_way();
                until_gone(&mut caller.tcp)
            },
        ),
        at_deadline(
            "a handshake that drips",
            "network.timeout",
            "bytes that come do not move a deadline",
            |mut caller| {
                caller.under_way();
                caller.tcp.write_all(&[0x16, 3, 3, 0x20, 0, 2, 0, 0x1f])?;
                loop {
                    caller.tcp.write_all(&[3])?;
                    pause();
                }
            },
        ),
        at_deadline(
            "CONNACK without SUBACK",
            "network.timeout",
            "without its subscription the device hears nothing: no session yet",
            |caller| {
                let mut client = caller.accepted()?;
                client.under_way();
                client.until_gone()
            },
        ),
        at_deadline(
            "half a message",
            "platform.silent",
            "the session is there, and nobody answers the trigger",
            |caller| {
                let mut client = caller.welcomed()?;
                client.send(&head(0x30, 10 << 20))?;
                client.send(&[&[0, 40], OWN.as_bytes(), &[b'x'; 5 << 20]].concat())?;
                client.under_way();
                client.until_gone()
            },
        ),
        at_deadline(
            "a message that drips",
            "platform.silent",
            "bytes that come do not move a deadline",
            |caller| {
                let mut client = caller.welcomed()?;
                client.send(&head(0x30, 10 << 20))?;
                client.send(&[0, 1, b'a'])?;
                client.under_way();
                loop {
                    client.send(&[0; 1000])?;
                    pause();
                }
            },
        ),
        at_deadline(
            "life without an answer",
            "platform.silent",
            "messages that are none of ours answer nothing",
            |caller| {
                let mut client = caller.welcomed()?;
                client.under_way();
                let other = publish(b"$EDC/provisioning/other/PROV-V1/EXEC/commit", b"x");
                let reply = publish(format!("{OWN}PROV-V1/REPLY/7").as_bytes(), b"x");
                loop {
                    client.send(&other)?;
                    client.send(&reply)?;
                    client.send(&[0x62, 2, 0, 7])?;
                    pause();
                }
            },
        ),
    ];
    cases.extend(connack::slow());
    cases.push(web_socket::drip());
    let at_a_time = cases.len();
    run(
        "broker::silence::whoever_is_silent_half_way_or_drips_is_left_at_the_deadline",
        at_a_time,
        cases,
    );
}

/// Half a minute without a message, so that there is something to answer.
#[test]
fn a_broker_that_answers_pings_and_nothing_else_is_left_at_the_deadline() {
    let case = at_deadline(
        "PINGRESP for every PINGREQ",
        "platform.silent",
        "the broker lives, and the platform does not answer",
        |caller| {
            let mut client = caller.welcomed()?;
            client.under_way();
            let (kind, _) = client.packet()?;
            assert_eq!(kind, 0xc0, "PINGREQ");
            client.send(&[0xd0, 0])?;
            client.until_gone()
        },
    );
    run(
        "broker::silence::a_broker_that_answers_pings_and_nothing_else_is_left_at_the_deadline",
        1,
        vec![case.timeout(31)],
    );
}

fn until_gone(tcp: &mut std::net::TcpStream) -> io::Result<()> {
    while tcp.read(&mut [0; 4096])? > 0 {}
    Ok(())
}
