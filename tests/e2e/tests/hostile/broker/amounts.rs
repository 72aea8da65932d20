//! Too much: the largest messages there may be, bombs, and floods without end.

use super::case::{at_deadline, at_once, harmless, run};
use super::peer::{publish, publish_with_id, request, OWN};
use super::{child, web_socket};
use kura_formats::payload::{self, Payload};

/// A message of ours that fills the wire's largest packet: 17 MiB, its fixed header of five bytes
/// included.
const LARGEST: usize = 17 << 20;
/// The largest payload that is decoded.
const DECODED: usize = 16 << 20;

fn own(topic: &str) -> Vec<u8> {
    format!("{OWN}{topic}").into_bytes()
}

/// The largest packet on this topic, of these bytes.
fn largest(topic: &[u8], fill: u8) -> Vec<u8> {
    let packet = publish(topic, &vec![fill; LARGEST - 5 - 2 - topic.len()]);
    assert_eq!(packet.len(), LARGEST);
    packet
}

/// A request whose payload has just the size that is still decoded.
fn largest_request(id: &str) -> Vec<u8> {
    let of = |body| payload::encode(&request(id).with_body(vec![b'x'; body]));
    let around = of(DECODED - 1000).len() - (DECODED - 1000);
    let payload = of(DECODED - around);
    assert_eq!(payload.len(), DECODED);
    payload
}

/// As many metrics as are decoded, and no ids.
fn thousand_metrics() -> Payload {
    (0..1000).fold(Payload::new(), |payload, n| {
        payload.with_metric(format!("metric-{n}"), "x")
    })
}

/// Bytes that nothing makes smaller.
fn noise(length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    openssl::rand::rand_bytes(&mut bytes).unwrap();
    bytes
}

#[test]
fn the_largest_messages_are_read_and_a_byte_more_is_refused() {
    let cases = vec![
        at_once(
            "a byte more than the largest packet",
            "protocol.too-large",
            "a packet is 17 MiB at most",
            |caller| {
                let mut client = caller.welcomed()?;
                let mut packet = largest(&own("CONF-V1/PUT/configurations"), 0);
                packet.push(0);
                packet[1] += 1;
                client.send(&packet)?;
                client.until_gone()
            },
        ),
        harmless(
            "the largest packet, on a topic of another",
            "it was not asked for, and is not for this device",
            |caller| {
                let mut client = caller.welcomed()?;
                for _ in 0..3 {
                    client.send(&largest(b"$EDC/provisioning/other/A/PUT/b", b'x'))?;
                }
                client.reject()
            },
        ),
        harmless(
            "the largest packet, of nonsense",
            "it cannot be decoded, and so not be answered",
            |caller| {
                let mut client = caller.welcomed()?;
                for _ in 0..3 {
                    client.send(&largest(&own("CONF-V1/PUT/configurations"), 0xff))?;
                }
                client.reject()
            },
        ),
        harmless(
            "the largest request",
            "it comes before the certificates, and is refused",
            |caller| {
                let mut client = caller.welcomed()?;
                for id in ["1", "2", "3"] {
                    let topic = own("CONF-V1/PUT/configurations");
                    client.send(&publish(&topic, &largest_request(id)))?;
                }
                client.reject()
            },
        ),
    ];
    run(
        "broker::amounts::the_largest_messages_are_read_and_a_byte_more_is_refused",
        1,
        cases,
    );
}

#[test]
fn what_inflates_beyond_the_limit_is_let_go() {
    // Packing takes time and memory, of neither of which a child has any to give away.
    if child::is_one() {
        return child::run();
    }
    let bomb = |name, body: Vec<u8>, why| {
        let packed = payload::gzip(&payload::encode(&request("bomb").with_body(body)));
        assert!(packed.len() < LARGEST - 1000, "it is no packet");
        let packets = [
            publish(b"$EDC/provisioning/other/A/PUT/b", &packed),
            publish(&own("CONF-V1/PUT/c"), &packed),
        ];
        harmless(name, why, move |caller| {
            let mut client = caller.welcomed()?;
            for packet in &packets {
                client.send(packet)?;
            }
            client.reject()
        })
        .timeout(60)
    };
    let cases = vec![
        bomb(
            "256 MiB of zeros",
            vec![0; 256 << 20],
            "inflating stops at 16 MiB, and a foreign one is not inflated",
        ),
        bomb(
            "what is hardly smaller packed",
            noise(DECODED - 1000),
            "it has the largest size both packed and unpacked, and is refused before certificates",
        ),
    ];
    run(
        "broker::amounts::what_inflates_beyond_the_limit_is_let_go",
        1,
        cases,
    );
}

#[test]
fn a_hundred_thousand_messages_are_let_go() {
    let flood = |name, topic: Vec<u8>, payload: fn(usize) -> Vec<u8>, why| {
        harmless(name, why, move |caller| {
            let mut client = caller.welcomed()?;
            for thousand in 0..100 {
                let packets = (0..1000).map(|n| publish(&topic, &payload(1000 * thousand + n)));
                client.send(&packets.collect::<Vec<_>>().concat())?;
            }
            client.reject()
        })
        .timeout(120)
    };
    let cases = vec![
        flood(
            "on a topic of another",
            b"$EDC/provisioning/other/A/PUT/b".to_vec(),
            |_| b"0123456789".to_vec(),
            "none of them is for this device",
        ),
        flood(
            "on a topic of ours, of nonsense",
            own("CONF-V1/PUT/configurations"),
            |_| b"0123456789".to_vec(),
            "none can be answered",
        ),
    ];
    run(
        "broker::amounts::a_hundred_thousand_messages_are_let_go",
        2,
        cases,
    );
}

#[test]
fn a_flood_without_end_ends_at_the_deadline() {
    let flood = |name, code, why, bytes: Vec<u8>| {
        at_deadline(name, code, why, move |caller| {
            let mut client = caller.welcomed()?;
            client.send(&bytes)?;
            client.under_way();
            client.send_for_ever(&bytes)
        })
    };
    const SILENT: &str = "platform.silent";
    let many = |packet: Vec<u8>| packet.repeat((64 << 10) / packet.len());
    let request_payload = payload::encode(&request("the-same"));
    let mut cases = vec![
        flood(
            "QoS 0, on a topic of another and on one of ours",
            SILENT,
            "the deadline is not starved by messages",
            many([publish(b"other", b"x"), publish(&own("A/PUT/b"), b"x")].concat()),
        ),
        flood(
            "QoS 1, whose acknowledgements are not read",
            SILENT,
            "what cannot be acknowledged is not read",
            many(publish_with_id(0x32, &own("A/PUT/b"), 7, b"x")),
        ),
        at_deadline(
            "QoS 1 and 2, whose acknowledgements are read",
            SILENT,
            "all in order, and none of it an answer",
            |caller| {
                let mut client = caller.welcomed()?;
                client.under_way();
                let packets = (1..500).flat_map(|id: u16| {
                    let once = publish_with_id(0x32, &own("A/PUT/b"), id, b"x");
                    let twice = publish_with_id(0x34, &own("A/PUT/b"), id, b"x");
                    let [high, low] = id.to_be_bytes();
                    [once, twice, vec![0x62, 2, high, low]].concat()
                });
                client.send_for_ever_and_listen(&packets.collect::<Vec<_>>())
            },
        ),
        flood(
            "one request again and again, whose replies are not read",
            "protocol.unexpected",
            "each gets the recorded reply; the last refusal is the code (404)",
            many(publish(&own("A/PUT/b"), &request_payload)),
        ),
        at_deadline(
            "requests without end, each with an id of its own",
            "protocol.unexpected",
            "what is remembered of them is bounded; the last refusal is the code (404)",
            |caller| {
                let mut client = caller.welcomed()?;
                client.under_way();
                for n in 0_u64.. {
                    let payload = payload::encode(&request(&n.to_string()));
                    client.send(&publish(&own("A/PUT/b"), &payload))?;
                }
                Ok(())
            },
        ),
        flood(
            "messages that take long to read",
            SILENT,
            "one is read after the other, but the deadline comes before the next",
            publish(&own("A/PUT/b"), &payload::encode(&thousand_metrics())),
        ),
        flood(
            "QoS 2, one packet id, never released",
            SILENT,
            "one is held, the rest is the same again",
            many(publish_with_id(0x34, &own("A/PUT/b"), 7, b"x")),
        ),
        at_once(
            "QoS 2, every packet id, never released",
            "protocol.too-large",
            "what waits for its release is held, and bounded",
            |caller| {
                let mut client = caller.welcomed()?;
                for id in 1..=u16::MAX {
                    let packet = publish_with_id(0x34, &own("A/PUT/b"), id, &[b'x'; 1000]);
                    client.send(&packet)?;
                }
                client.until_gone()
            },
        ),
        at_deadline(
            "a million session tickets",
            "network.timeout",
            "tickets are no CONNACK, however many there are",
            |caller| {
                caller.under_way();
                caller.secured()?.until_gone()
            },
        )
        .tickets(1_000_000),
        flood(
            "releases of nothing, whose answers are not read",
            SILENT,
            "what cannot be answered is not read",
            many(vec![0x62, 2, 0, 7]),
        ),
    ];
    cases.extend(web_socket::floods());
    run(
        "broker::amounts::a_flood_without_end_ends_at_the_deadline",
        3,
        cases,
    );
}
