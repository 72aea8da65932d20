//! A provisioned gateway whose account's broker sends the largest messages there may be, with
//! signatures that are not theirs: each is refused, and the process stays small.

use std::sync::mpsc::channel;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::Site;
use kura_formats::payload::{decode, encode, gzip, Payload};
use provision_platform::harness::TestPlatform;
use provision_platform::link::{Link, Notice};
use provision_platform::pki::Identity;
use provisioning_service::trust::{sign, SignedView};

use crate::gateway::Gateway;

const CLIENT: &str = "gw-1";
const WHAT: &str = "CONF-V1/PUT/configurations";
/// Bytes of the largest message, decoded.
const LARGEST: usize = 16 << 20;
const WAIT: Duration = Duration::from_secs(30);

/// A request of the largest size, signed; but not as it is.
fn forged(id: &str, body: &[u8], signer: &Identity) -> Vec<u8> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let mut payload = Payload::new()
        .with_metric("request.id", id)
        .with_metric("requester.client.id", "operator")
        .with_metric("sig.id", id)
        .with_metric("sig.timestamp", now)
        .with_body("small");
    let view = SignedView {
        account: "acme",
        client_id: CLIENT,
        application_topic: WHAT,
        payload: &payload,
    };
    let content = view.canonical().unwrap();
    let signature = sign(&content, signer.certificate(), signer.key()).unwrap();
    payload = payload.with_metric("signature", signature);
    payload.body = Some(body[..LARGEST - 4096].to_vec());
    encode(&payload)
}

#[test]
fn the_largest_messages_that_nobody_signed_so_are_refused_and_cost_little() {
    let platform = TestPlatform::start().unwrap();
    platform.request(CLIENT, "secret").unwrap();
    let gateway = Gateway::idle(Site::new(&platform, CLIENT, "secret").unwrap());
    gateway.enable();
    gateway.provisioned();

    let (heard, replies) = channel();
    let topics = ["$EDC/acme/operator/#".to_owned()];
    let broker = platform.target_broker();
    let link = Link::open(broker, "operator", &topics, move |notice| {
        if let Notice::Message(message) = notice {
            let _ = heard.send(message.payload);
        }
    })
    .unwrap();
    let ask = |bytes: Vec<u8>, patience: Duration| {
        let topic = format!("$EDC/acme/{CLIENT}/{WHAT}");
        link.publish(&topic, bytes).unwrap();
        let reply = replies.recv_timeout(patience).ok()?;
        decode(&reply, &Default::default())
            .unwrap()
            .int32("response.code")
    };
    // It may not be connected to its account yet: asked until it answers.
    let unsigned = |id: usize| {
        encode(
            &Payload::new()
                .with_metric("request.id", format!("first-{id}"))
                .with_metric("requester.client.id", "operator"),
        )
    };
    let first = (0..60).find_map(|id| ask(unsigned(id), Duration::from_millis(500)));
    assert_eq!(first, Some(403));

    let mut noise = vec![0; LARGEST];
    openssl::rand::rand_bytes(&mut noise).unwrap();
    let signer = platform.pki().signer.clone();
    for (id, body, packed) in [
        ("plain", &noise, false),
        ("packed", &noise, true),
        ("bomb", &vec![0; LARGEST], true),
        ("packed-again", &noise, true),
        ("plain-again", &noise, false),
    ] {
        let bytes = forged(id, body, &signer);
        let bytes = if packed { gzip(&bytes) } else { bytes };
        assert_eq!(ask(bytes, WAIT), Some(403), "{id}");
    }
    // Looks at its memory, too.
    gateway.provisioned();
}
