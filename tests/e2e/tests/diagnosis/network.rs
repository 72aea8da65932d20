//! What is wrong on the way to the broker, and what a broker may answer.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

use e2e::Site;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{Pki, Profile};
use serde_json::Value;

use super::sees;

/// A gateway that is sent to `url`, seen with `code`.
fn at(url: &str, code: &str) -> Value {
    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret")
        .unwrap()
        .with("broker-url", url);
    let before = site.first_start().unwrap();
    let status = sees(&mut site, code);
    assert_eq!(site.world().unwrap(), before);
    status
}

/// A server that does `answer` with each connection, for as long as the process lives.
fn server(answer: impl Fn(&mut TcpStream) + Send + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            answer(&mut stream);
        }
    });
    port
}

/// A broker that answers every CONNECT with this return code (MQTT 3.1.1, table 3.1).
fn broker(code: u8) -> String {
    let port = server(move |stream| {
        let mut connect = [0; 1024];
        if stream.read(&mut connect).is_ok() {
            let _ = stream.write_all(&[0x20, 2, 0, code]);
        }
    });
    format!("mqtt://127.0.0.1:{port}")
}

#[test]
fn a_name_that_does_not_resolve_costs_no_attempt() {
    // RFC 6761, section 6.4: never resolves.
    let status = at("mqtts://broker.invalid:8883", "network.dns");
    assert_eq!(status["attempt"], 0);
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("broker.invalid"), "{message}");
}

#[test]
fn an_address_without_a_route() {
    // Linux refuses a TCP connection to the broadcast address like one without a route.
    at("mqtts://255.255.255.255:8883", "network.unreachable");
}

#[test]
fn a_server_that_does_not_speak_tls() {
    let port = server(|stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.6\r\n");
        let _ = stream.read(&mut [0; 1024]);
    });
    at(&format!("mqtts://127.0.0.1:{port}"), "tls.protocol");
}

#[test]
fn a_broker_certificate_of_tomorrow() {
    let pki = Pki::create().unwrap();
    let profile = Profile::server("Early Broker", &["localhost", "127.0.0.1"]).not_yet_valid();
    let certificate = pki.tls_root.issue(&profile).unwrap();
    let platform = TestPlatform::start_with(pki, |mut settings| {
        settings.broker_certificate = certificate;
        settings
    })
    .unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    let status = sees(&mut site, "tls.not-yet-valid");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("Early Broker"), "{message}");
}

#[test]
fn a_broker_that_dislikes_the_identifier() {
    let status = at(&broker(2), "broker.identifier");
    let message = status["error"]["message"].as_str().unwrap();
    assert!(message.contains("gw-1"), "{message}");
    // In clear, and said so.
    assert!(!status["warnings"].as_array().unwrap().is_empty());
}

#[test]
fn a_broker_that_is_not_available() {
    at(&broker(3), "broker.unavailable");
}

#[test]
fn a_broker_that_dislikes_the_password() {
    let status = at(&broker(4), "broker.bad-credentials");
    assert!(!status.to_string().contains("secret"), "{status}");
}
