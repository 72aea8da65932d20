//! Packets that no broker may send, after everything went well.

use super::case::{at_once, harmless, run, Case};
use super::peer::{head, packet, publish, publish_with_id, OWN};

/// Everything is well, then come these bytes.
fn behind(name: &'static str, code: &'static str, why: &'static str, bytes: Vec<u8>) -> Case {
    at_once(name, code, why, move |caller| {
        let mut client = caller.welcomed()?;
        client.send(&bytes)?;
        client.until_gone()
    })
}

/// A topic of ours, of which these bytes are a part.
fn own(end: &[u8]) -> Vec<u8> {
    [OWN.as_bytes(), b"PROV-V1/EXEC/", end].concat()
}

fn malformed(name: &'static str, why: &'static str, bytes: Vec<u8>) -> Case {
    behind(name, "protocol.malformed", why, bytes)
}

fn unexpected(name: &'static str, why: &'static str, bytes: Vec<u8>) -> Case {
    behind(name, "protocol.unexpected", why, bytes)
}

#[test]
fn a_topic_that_is_none_ends_the_attempt_and_is_told_in_one_line() {
    let long = [b"a/".repeat(32_766), b"#".to_vec()].concat();
    // What paho would end the process over (NUL, UTF-8), and what no topic name holds (4.7).
    let cases = vec![
        malformed(
            "NUL in a topic",
            "[MQTT-1.5.3-2]",
            publish(&own(b"\0"), b""),
        ),
        malformed(
            "a topic that is not UTF-8",
            "[MQTT-1.5.3-1]",
            publish(&own(b"\xff\xfe"), b""),
        ),
        malformed(
            "a surrogate in a topic",
            "[MQTT-1.5.3-1]",
            publish(&own(b"\xed\xa0\x80"), b""),
        ),
        malformed(
            "a wildcard in a topic",
            "[MQTT-3.3.2-2]",
            publish(&own(b"#"), b""),
        ),
        malformed(
            "a wildcard in a topic of 64 KiB",
            "[MQTT-3.3.2-2]",
            publish(&long, b""),
        ),
        malformed("an empty topic", "[MQTT-4.7.3-1]", publish(b"", b"x")),
        malformed(
            "a topic longer than its packet",
            "3.3.2.1",
            vec![0x30, 4, 0, 200, b'a', b'b'],
        ),
        malformed("PUBLISH without a topic", "3.3.2.1", vec![0x30, 1, 0]),
        harmless(
            "a topic of ours of 64 KiB, and one with line feeds",
            "it is well-formed, and of no request that we know; the log stays one line each",
            |caller| {
                let mut client = caller.welcomed()?;
                let room = 65_535 - own(b"").len();
                client.send(&publish(&own(&b"a".repeat(room)), b"not a payload"))?;
                client.send(&publish(
                    &own(b"x\r\nERROR forged\x1b[2J"),
                    b"not a payload",
                ))?;
                client.reject()
            },
        ),
    ];
    run(
        "broker::packets::a_topic_that_is_none_ends_the_attempt_and_is_told_in_one_line",
        2,
        cases,
    );
}

#[test]
fn a_packet_that_is_none_ends_the_attempt() {
    let cases = vec![
        malformed("the packet type 0", "2.2.1 reserves it", vec![0x00, 0]),
        malformed("the packet type 15", "2.2.1 reserves it", vec![0xf0, 0]),
        malformed(
            "a length of five bytes",
            "2.2.3: at most four",
            vec![0x30, 0x80, 0x80, 0x80, 0x80, 1],
        ),
        malformed(
            "QoS 3",
            "[MQTT-3.3.1-4]",
            packet(0x36, &[&[0, 1, b'a', 0, 1]]),
        ),
        malformed(
            "the packet id 0",
            "[MQTT-2.3.1-1]",
            publish_with_id(0x32, b"a", 0, b""),
        ),
        malformed(
            "PUBLISH that ends before its id",
            "3.3.2.2",
            vec![0x32, 4, 0, 1, b'a', 0],
        ),
        malformed("PUBACK of one byte", "3.4: two", vec![0x40, 1, 1]),
        malformed(
            "PUBACK with reserved bits",
            "[MQTT-2.2.2-2]",
            vec![0x41, 2, 0, 1],
        ),
        malformed(
            "PUBREL without its bits",
            "[MQTT-3.6.1-1]",
            vec![0x60, 2, 0, 1],
        ),
        malformed("PINGRESP with a body", "3.13: none", vec![0xd0, 1, 0]),
        unexpected(
            "a PUBACK that nobody asked for",
            "it would be freed twice",
            vec![0x40, 2, 0x7f, 0xff],
        ),
        unexpected(
            "a PUBREC that nobody asked for",
            "it would be freed twice",
            vec![0x50, 2, 0x7f, 0xff],
        ),
        unexpected(
            "a SUBACK that nobody asked for",
            "every subscription is answered",
            vec![0x90, 3, 0x7f, 0xff, 1],
        ),
        unexpected(
            "an UNSUBACK",
            "nothing is unsubscribed",
            vec![0xb0, 2, 0, 1],
        ),
        unexpected(
            "a PINGRESP that nobody asked for",
            "a minute has not passed",
            vec![0xd0, 0],
        ),
        unexpected(
            "CONNECT from the broker",
            "it is the client's",
            vec![0x10, 0],
        ),
        unexpected(
            "DISCONNECT from the broker",
            "it is the client's in 3.1.1",
            vec![0xe0, 0],
        ),
        harmless(
            "a PUBREL for nothing",
            "it is answered with PUBCOMP, as after a lost one (4.3.3)",
            |caller| {
                let mut client = caller.welcomed()?;
                client.send(&[0x62, 2, 0, 7])?;
                client.reject()
            },
        ),
        harmless(
            "packets byte by byte",
            "TCP cuts where it likes",
            |caller| {
                let mut client = caller.welcomed()?;
                let packet = publish(format!("{OWN}CONF-V1/GET/x").as_bytes(), b"");
                for byte in packet {
                    client.send(&[byte])?;
                }
                client.reject()
            },
        ),
    ];
    run(
        "broker::packets::a_packet_that_is_none_ends_the_attempt",
        2,
        cases,
    );
}

#[test]
fn an_answer_that_does_not_fit_the_question_ends_the_attempt() {
    let answer = |name, code, why, answer: fn([u8; 2], [u8; 2]) -> Vec<u8>| {
        at_once(name, code, why, move |caller| {
            let mut client = caller.accepted()?;
            let bytes = answer(client.subscribe, client.trigger);
            client.send(&bytes)?;
            client.until_gone()
        })
    };
    let cases = vec![
        answer(
            "a refused subscription",
            "broker.not-authorized",
            "the access rules do not let this device hear",
            |s, _| vec![0x90, 3, s[0], s[1], 0x80],
        ),
        answer(
            "SUBACK with a reserved code",
            "protocol.malformed",
            "[MQTT-3.9.3-2]",
            |s, _| vec![0x90, 3, s[0], s[1], 3],
        ),
        answer(
            "SUBACK for another packet id",
            "protocol.unexpected",
            "nobody asked",
            |s, _| vec![0x90, 3, s[0] ^ 0x40, s[1], 1],
        ),
        answer(
            "SUBACK without codes",
            "protocol.malformed",
            "one a filter; paho would read beyond its end",
            |s, _| vec![0x90, 2, s[0], s[1]],
        ),
        answer(
            "SUBACK with more codes than filters",
            "protocol.malformed",
            "one a filter",
            |s, _| vec![0x90, 4, s[0], s[1], 1, 1],
        ),
        answer(
            "SUBACK for the trigger",
            "protocol.unexpected",
            "the id is that of another type; paho would free it twice",
            |_, t| vec![0x90, 3, t[0], t[1], 1],
        ),
        answer(
            "PUBACK for the subscription",
            "protocol.unexpected",
            "the id is that of another type",
            |s, _| vec![0x40, 2, s[0], s[1]],
        ),
        answer(
            "PUBREC for the trigger",
            "protocol.unexpected",
            "it was sent with QoS 1",
            |_, t| vec![0x50, 2, t[0], t[1]],
        ),
        answer(
            "a second PUBACK",
            "protocol.unexpected",
            "the first one was the answer",
            |_, t| vec![0x40, 2, t[0], t[1], 0x40, 2, t[0], t[1]],
        ),
        harmless(
            "PUBACK before SUBACK, and before it a message",
            "the order of answers to different packets is the broker's (4.6)",
            |caller| {
                let mut client = caller.accepted()?;
                let (s, t) = (client.subscribe, client.trigger);
                client.send(&publish(format!("{OWN}CONF-V1/GET/x").as_bytes(), b""))?;
                client.send(&[0x40, 2, t[0], t[1]])?;
                client.send(&[0x90, 3, s[0], s[1], 0])?;
                client.reject()
            },
        ),
    ];
    run(
        "broker::packets::an_answer_that_does_not_fit_the_question_ends_the_attempt",
        2,
        cases,
    );
}

#[test]
fn a_packet_without_end_is_refused_before_it_is_kept() {
    let cases = vec![at_once(
        "256 MiB, announced and sent",
        "protocol.too-large",
        "what is beyond the limit is refused by its header",
        |caller| {
            let mut client = caller.welcomed()?;
            client.send(&head(0x30, 0x0fff_ffff))?;
            client.send_for_ever(&[b'a'; 64 << 10])
        },
    )];
    run(
        "broker::packets::a_packet_without_end_is_refused_before_it_is_kept",
        1,
        cases,
    );
}
