//! A provisioned gateway whose account's broker sends the largest messages there may be: with
//! signatures that are not theirs each is refused, signed they are taken up to the bound of what a
//! configuration may weigh, and the process stays small.

use std::sync::mpsc::{channel, Receiver};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use e2e::Site;
use kura_formats::configurations::MAX_WEIGHT;
use kura_formats::payload::{decode, encode, gzip, Payload};
use openssl::asn1::Asn1Time;
use openssl::ec::{EcGroup, EcKey};
use openssl::hash::MessageDigest;
use openssl::nid::Nid;
use openssl::pkey::PKey;
use openssl::x509::{X509Builder, X509NameBuilder};
use provision_platform::harness::TestPlatform;
use provision_platform::link::{Link, Notice};
use provision_platform::pki::Identity;
use provisioning_service::trust::{sign, SignedView};

use crate::configuration::{largest, largest_of, Shape};
use crate::gateway::Gateway;

const CLIENT: &str = "gw-1";
const WHAT: &str = "CONF-V1/PUT/configurations";
const ALL: &str = "CONF-V1/GET/configurations";
/// Bytes of the largest message, decoded.
const LARGEST: usize = 16 << 20;
const WAIT: Duration = Duration::from_secs(30);

/// A request of the largest size, signed; but not as it is.
fn forged(id: &str, body: &[u8], signer: &Identity) -> Vec<u8> {
    let mut payload = signed(id, b"small".to_vec(), signer);
    payload.body = Some(body[..LARGEST - 4096].to_vec());
    encode(&payload)
}

/// A request as it should be.
fn signed(id: &str, body: Vec<u8>, signer: &Identity) -> Payload {
    signed_for(WHAT, id, body, signer)
}

/// The same, for that topic.
fn signed_for(what: &str, id: &str, body: Vec<u8>, signer: &Identity) -> Payload {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    let now = i64::try_from(now.as_millis()).unwrap();
    let payload = Payload::new()
        .with_metric("request.id", id)
        .with_metric("requester.client.id", "operator")
        .with_metric("sig.id", id)
        .with_metric("sig.timestamp", now)
        .with_body(body);
    let view = SignedView {
        account: "acme",
        client_id: CLIENT,
        application_topic: what,
        payload: &payload,
    };
    let content = view.canonical().unwrap();
    let signature = sign(&content, signer.certificate(), signer.key()).unwrap();
    payload.with_metric("signature", signature)
}

/// A gateway in its account, and an operator there.
struct Account {
    platform: TestPlatform,
    gateway: Gateway,
    link: Link,
    replies: Receiver<Vec<u8>>,
}

impl Account {
    fn new() -> Account {
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
        let account = Account {
            platform,
            gateway,
            link,
            replies,
        };
        // It may not be connected to its account yet: asked until it answers.
        let unsigned = |id: usize| {
            encode(
                &Payload::new()
                    .with_metric("request.id", format!("first-{id}"))
                    .with_metric("requester.client.id", "operator"),
            )
        };
        let first = (0..60).find_map(|id| account.ask(unsigned(id), Duration::from_millis(500)));
        assert_eq!(first, Some(403));
        account
    }

    /// The code of the reply.
    fn ask(&self, bytes: Vec<u8>, patience: Duration) -> Option<i32> {
        self.ask_of(WHAT, bytes, patience)
    }

    /// The same of what that topic says.
    fn ask_of(&self, what: &str, bytes: Vec<u8>, patience: Duration) -> Option<i32> {
        let topic = format!("$EDC/acme/{CLIENT}/{what}");
        self.link.publish(&topic, bytes).unwrap();
        let reply = self.replies.recv_timeout(patience).ok()?;
        decode(&reply, &Default::default())
            .unwrap()
            .int32("response.code")
    }
}

#[test]
fn the_largest_messages_that_nobody_signed_so_are_refused_and_cost_little() {
    let account = Account::new();
    let mut noise = vec![0; LARGEST];
    openssl::rand::rand_bytes(&mut noise).unwrap();
    let signer = account.platform.pki().signer.clone();
    for (id, body, packed) in [
        ("plain", &noise, false),
        ("packed", &noise, true),
        ("bomb", &vec![0; LARGEST], true),
        ("packed-again", &noise, true),
        ("plain-again", &noise, false),
    ] {
        let bytes = forged(id, body, &signer);
        let bytes = if packed { gzip(&bytes) } else { bytes };
        assert_eq!(account.ask(bytes, WAIT), Some(403), "{id}");
    }
    // Looks at its memory, too.
    account.gateway.provisioned();
}

/// What weighs as much as may be is taken from an operator, and one byte more is not.
fn taken(shape: Shape) {
    let account = Account::new();
    let signer = account.platform.pki().signer.clone();
    let mut body = largest(shape, MAX_WEIGHT);
    let good = encode(&signed("largest", body.clone(), &signer));
    assert_eq!(account.ask(good, WAIT), Some(200));
    body.push(b' ');
    let larger = encode(&signed("larger", body, &signer));
    assert_eq!(account.ask(larger, WAIT), Some(413));
    // This one would be malformed, if it were read.
    let not_read = vec![b'<'; LARGEST - 8192];
    let not_read = encode(&signed("not-read", not_read, &signer));
    assert_eq!(account.ask(not_read, WAIT), Some(413));
    account.gateway.provisioned();
}

#[test]
fn the_longest_text_of_an_operator() {
    taken(Shape::Text('x'));
}

#[test]
fn as_many_properties_of_an_operator_as_there_may_be() {
    taken(Shape::Properties);
}

#[test]
fn as_many_components_of_an_operator_as_there_may_be() {
    taken(Shape::Instances);
}

#[test]
fn the_longest_password_of_an_operator() {
    taken(Shape::Password);
}

/// Many requests leave together what a gateway keeps, and no more; it is read, shown, and there again
/// at the next start, with the gateway as small as ever.
fn kept(shape: Shape) {
    let account = Account::new();
    let signer = account.platform.pki().signer.clone();
    let mut part = MAX_WEIGHT;
    let mut taken = 0;
    for n in 0..100 {
        let id = format!("m{n}");
        let body = largest_of(shape, part, &id);
        match account.ask(encode(&signed(&id, body, &signer)), WAIT) {
            Some(200) => taken += 1,
            answer => {
                assert_eq!(answer, Some(413));
                part /= 2;
                if part < 64 << 10 {
                    break;
                }
            }
        }
    }
    assert!(taken > 1, "{taken}");
    println!("{taken} requests were taken");
    account.gateway.provisioned();
    let all = encode(&signed_for(ALL, "all", Vec::new(), &signer));
    assert_eq!(account.ask_of(ALL, all, WAIT), Some(200));
    account.gateway.provisioned();
    let seen = account.gateway.configured();
    account.gateway.provisioned();
    let gateway = account.gateway.started_again();
    assert_eq!(gateway.configured(), seen);
    gateway.provisioned();
}

#[test]
fn as_many_long_texts_of_an_operator_as_are_kept() {
    kept(Shape::Text('x'));
}

#[test]
fn as_many_properties_of_an_operator_as_are_kept() {
    kept(Shape::Properties);
}

#[test]
fn as_many_components_of_an_operator_as_are_kept() {
    kept(Shape::Instances);
}

#[test]
fn as_many_passwords_of_an_operator_as_are_kept() {
    kept(Shape::Passwords);
}

#[test]
fn as_many_long_passwords_of_an_operator_as_are_kept() {
    kept(Shape::Password);
}

#[test]
fn as_many_provisioning_services_of_an_operator_as_are_kept() {
    kept(Shape::Services);
}

/// A certificate of about so many bytes.
fn long_certificate(bytes: usize) -> String {
    let key = PKey::from_ec_key(
        EcKey::generate(&EcGroup::from_curve_name(Nid::X9_62_PRIME256V1).unwrap()).unwrap(),
    )
    .unwrap();
    let mut name = X509NameBuilder::new().unwrap();
    for _ in 0..bytes / 76 {
        name.append_entry_by_text("OU", &"x".repeat(64)).unwrap();
    }
    let mut builder = X509Builder::new().unwrap();
    builder.set_issuer_name(&name.build()).unwrap();
    builder.set_pubkey(&key).unwrap();
    builder
        .set_not_before(&Asn1Time::days_from_now(0).unwrap())
        .unwrap();
    builder
        .set_not_after(&Asn1Time::days_from_now(1).unwrap())
        .unwrap();
    builder.sign(&key, MessageDigest::sha256()).unwrap();
    String::from_utf8(builder.build().to_pem().unwrap()).unwrap()
}

/// The keystore that anchors the connection itself, filled with few large ones and then many small.
#[test]
fn as_many_certificates_of_an_operator_as_are_kept() {
    const PUT: &str = "KEYS-V1/POST/keystores/entries/certificate";
    const LIST: &str = "KEYS-V1/GET/keystores/entries";
    let account = Account::new();
    let signer = account.platform.pki().signer.clone();
    let ask = |account: &Account, what: &str, id: &str, body: Vec<u8>| {
        let request = signed_for(what, id, body, &signer);
        account.ask_of(what, encode(&request), WAIT)
    };
    let mut taken = 0;
    for bytes in [40 << 10, 1 << 10] {
        let certificate = long_certificate(bytes);
        for n in 0.. {
            let alias = format!("{bytes}-{n}");
            let body = serde_json::json!({"keystoreServicePid": "SSLKeystore", "alias": alias,
                "certificate": certificate});
            match ask(&account, PUT, &alias, body.to_string().into_bytes()) {
                Some(200) => taken += 1,
                answer => {
                    assert_eq!(answer, Some(413));
                    break;
                }
            }
        }
    }
    println!("{taken} certificates were taken");
    assert!(taken > 40, "{taken}");
    account.gateway.provisioned();
    assert_eq!(ask(&account, LIST, "list", Vec::new()), Some(200));
    account.gateway.provisioned();
    account.gateway.started_again().provisioned();
}
