//! MQTT within WebSocket.

use crate::broker::Mosquitto;
use crate::support::*;
use mqtt_session::{Failure, Publish, Session};
use std::io::{Read, Write};
use std::net::TcpStream;

/// Reads the request; gives its head.
pub fn request(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0u8; 1];
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    String::from_utf8(head).unwrap()
}

pub fn answer(head: &str) -> String {
    let key = head
        .lines()
        .find_map(|line| line.strip_prefix("Sec-WebSocket-Key: "))
        .unwrap();
    let proof = openssl::sha::sha1(format!("{key}258EAFA5-E914-47DA-95CA-C5AB0DC85B11").as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: WebSocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: {}\r\nSec-WebSocket-Protocol: mqtt\r\n\r\n",
        openssl::base64::encode_block(&proof)
    )
}

/// One masked frame of the client.
fn frame(stream: &mut TcpStream) -> (u8, Vec<u8>) {
    let mut head = [0u8; 6];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[1] & 0x80, 0x80, "frames of a client are masked");
    let length = usize::from(head[1] & 0x7f);
    assert!(length < 126);
    let mut body = vec![0u8; length];
    stream.read_exact(&mut body).unwrap();
    body.iter_mut()
        .zip(head[2..].iter().cycle())
        .for_each(|(byte, key)| *byte ^= key);
    (head[0], body)
}

#[test]
fn mqtt_travels_in_frames_however_they_are_cut() {
    let peer = Peer::new(|mut stream| {
        let head = request(&mut stream);
        assert!(head.starts_with("GET /mqtt HTTP/1.1\r\n"), "{head}");
        // CONNACK comes with the answer, split over two fragments.
        let mut bytes = answer(&head).into_bytes();
        bytes.extend([0x02, 1, 0x20, 0x80, 3, 2, 0, 0]);
        stream.write_all(&bytes).unwrap();
        assert_eq!(frame(&mut stream).1[0], 0x10);
        let (opcode, subscribe) = frame(&mut stream);
        assert_eq!((opcode, subscribe[0]), (0x82, 0x82));
        stream.write_all(&[0x89, 2, b'h', b'i']).unwrap();
        assert_eq!(frame(&mut stream), (0x8a, b"hi".to_vec()));
        let mut both = vec![0x90, 3, subscribe[2], subscribe[3], 1];
        both.extend(publish(b"t", b"x"));
        stream.write_all(&[0x82, both.len() as u8]).unwrap();
        stream.write_all(&both).unwrap();
        stream.write_all(&[0x88, 2, 3, 0xe9]).unwrap();
        until_closed(&mut stream);
    });
    let mut options = options("ws", peer.address);
    options.subscriptions = vec![("t".into(), 1)];
    let mut watched = open(options);
    assert_eq!(watched.message().payload, b"x");
    let failure = watched.failure();
    assert!(
        matches!(&failure, Failure::Lost { reason, .. } if reason.contains("1001")),
        "{failure:?}"
    );
    peer.result();
}

#[test]
fn an_answer_that_is_no_upgrade_is_named() {
    for (text, expected) in [
        ("HTTP/1.1 404 Not Found\r\n\r\n", "404"),
        ("SSH-2.0-OpenSSH\r\n", "does not speak WebSocket"),
        (
            "HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: AAAA\r\n\r\n",
            "proof",
        ),
    ] {
        let peer = Peer::new(move |mut stream| {
            request(&mut stream);
            stream.write_all(text.as_bytes()).unwrap();
            until_closed(&mut stream);
        });
        let failure = open(options("ws", peer.address)).failure();
        assert!(failure.to_string().contains(expected), "{failure:?}");
    }
}

#[test]
fn a_real_broker_speaks_web_socket() {
    let Some(broker) = Mosquitto::start("protocol websockets\nallow_anonymous true") else {
        return;
    };
    let mut options = options("ws", broker.address);
    options.subscriptions = vec![("t".into(), 1)];
    options.first = Some(Publish::new("t", vec![1; 70_000], 1));
    let mut watched = open(options);
    watched.published(Session::FIRST);
    assert_eq!(watched.message().payload.len(), 70_000);
}
