//! The broker lets in exactly whom it should, for exactly what it should.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod client;

use client::{Client, Login, PATIENCE};
use mqtt_session::Failure;
use provision_platform::broker::dynsec::{self, Access};
use provision_platform::broker::{Broker, BrokerError, BrokerSettings, TlsStrength};
use provision_platform::link::{Link, Notice};
use provision_platform::pki::{Identity, KeyKind, Pki, Profile};
use provision_platform::secret::Secret;
use std::sync::mpsc::{channel, Receiver};
use tempfile::TempDir;

struct Fixture {
    broker: Broker,
    pki: Pki,
    link: Link,
    notices: Receiver<Notice>,
    _folder: TempDir,
}

fn settings(folder: &TempDir, certificate: &Identity) -> BrokerSettings {
    BrokerSettings {
        name: "test".to_owned(),
        folder: folder.path().join("broker"),
        certificate: certificate.clone(),
        device_root: certificate.root().clone(),
        port: None,
        wish: None,
        strength: TlsStrength::Usual,
    }
}

fn open(broker: &Broker) -> (Link, Receiver<Notice>) {
    let (sender, notices) = channel();
    let topics = ["$EDC/acc/#".to_owned(), "$EDC/other/#".to_owned()];
    let link = Link::open(broker, "platform", &topics, move |n| drop(sender.send(n))).unwrap();
    (link, notices)
}

fn start() -> Fixture {
    client::log();
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::create().unwrap();
    let broker = Broker::start(settings(&folder, &pki.broker)).unwrap();
    let (link, notices) = open(&broker);
    Fixture {
        broker,
        pki,
        link,
        notices,
        _folder: folder,
    }
}

fn device(id: &str) -> dynsec::Client {
    dynsec::Client {
        client_id: id.to_owned(),
        username: format!("user-{id}"),
        password: Secret::new("right"),
        access: Access::Provisioning {
            account: "acc".to_owned(),
        },
    }
}

const RIGHT: Login<'_> = Login {
    client_id: "dev",
    username: "user-dev",
    password: "right",
};

impl Fixture {
    fn connect(&self, login: Login<'_>, topics: &[&str]) -> Result<Client, Failure> {
        Client::connect(
            &self.broker.url(),
            self.pki.tls_root.certificate(),
            login,
            topics,
        )
    }

    fn admit(&self, id: &str) {
        self.link.command(&device(id).admit()).unwrap();
    }
}

#[test]
fn only_the_right_client_id_user_and_password_together_get_in() {
    let f = start();
    assert!(matches!(f.connect(RIGHT, &[]), Err(Failure::NotAuthorized)));
    f.admit("dev");
    f.admit("dev2");
    f.connect(RIGHT, &[]).unwrap();
    let wrong = [
        Login {
            client_id: "dev2",
            ..RIGHT
        },
        Login {
            client_id: "nobody",
            ..RIGHT
        },
        Login {
            username: "user-dev2",
            ..RIGHT
        },
        Login {
            username: "",
            ..RIGHT
        },
        Login {
            password: "wrong",
            ..RIGHT
        },
        Login {
            password: "",
            ..RIGHT
        },
    ];
    for login in wrong {
        let failure = f.connect(login, &[]).err();
        assert!(
            matches!(
                failure,
                Some(Failure::NotAuthorized | Failure::BadCredentials)
            ),
            "{} {} {}: {failure:?}",
            login.client_id,
            login.username,
            login.password
        );
    }
}

#[test]
fn a_dismissed_device_is_thrown_out_and_refused_at_once() {
    let f = start();
    f.admit("dev");
    let client = f.connect(RIGHT, &["$EDC/acc/dev/#"]).unwrap();
    f.link.command(&device("dev").dismiss()).unwrap();
    let failure = client.end();
    assert!(matches!(failure, Failure::Lost { .. }), "{failure:?}");
    assert!(matches!(f.connect(RIGHT, &[]), Err(Failure::NotAuthorized)));
    f.admit("dev");
    f.connect(RIGHT, &[]).unwrap();
}

#[test]
fn a_provisioning_user_publishes_where_the_access_table_says_and_nowhere_else() {
    let f = start();
    f.admit("dev");
    let refused = [
        "$EDC/acc/other/MQTT/PROV",
        "$EDC/acc/dev/CONF-V1/PUT/configurations",
        "$EDC/acc/dev/PROV-V1/EXEC/commit",
        "$EDC/acc/other/CONF-V1/PUT/configurations",
        "$EDC/acc/requester/DEPLOY-V2/NOTIFY/other/download",
        "$EDC/acc/requester/x/DEPLOY-V2/REPLY/1",
        "$EDC/other/dev/MQTT/PROV",
        "$EDC/other/requester/PROV-V1/REPLY/1",
        "$EDC/other/requester/DEPLOY-V2/NOTIFY/dev/download",
    ];
    let allowed = [
        "$EDC/acc/dev/MQTT/PROV",
        "$EDC/acc/dev/MQTT/BIRTH",
        "$EDC/acc/requester/PROV-V1/REPLY/1",
        "$EDC/acc/requester/CONF-V1/REPLY/1/2",
        "$EDC/acc/requester/DEPLOY-V2/NOTIFY/dev/download",
    ];
    for topic in refused {
        let client = f.connect(RIGHT, &[]).unwrap();
        client.publish(topic, "x");
        // mosquitto 2.0 also throws out who tries.
        assert!(matches!(client.end(), Failure::Lost { .. }), "{topic}");
    }
    let client = f.connect(RIGHT, &[]).unwrap();
    for topic in allowed {
        client.publish(topic, "x");
    }
    // In order: had a refused one passed, it would have come before the first allowed one.
    for topic in allowed {
        match f.notices.recv_timeout(PATIENCE).unwrap() {
            Notice::Message(message) => assert_eq!(message.topic, topic),
            Notice::Lost(failure) => panic!("{failure}"),
        }
    }
}

#[test]
fn a_provisioning_user_subscribes_to_its_own_topics_and_no_others() {
    let f = start();
    f.admit("dev");
    f.admit("other");
    for own in [
        "$EDC/acc/dev/#",
        "$EDC/acc/dev/PROV-V1/#",
        "$EDC/acc/dev/+/PUT/#",
    ] {
        f.connect(RIGHT, &[own]).unwrap();
    }
    for foreign in [
        "$EDC/acc/#",
        "$EDC/acc/+/#",
        "$EDC/acc/other/#",
        "$EDC/acc/+/MQTT/PROV",
        "$EDC/other/dev/#",
        "$EDC/#",
        "#",
        "$CONTROL/dynamic-security/v1/response",
        "$SYS/#",
    ] {
        let failure = f.connect(RIGHT, &[foreign]).err();
        assert!(
            matches!(failure, Some(Failure::SubscriptionRefused { .. })),
            "{foreign}: {failure:?}"
        );
    }
    let dev = f.connect(RIGHT, &["$EDC/acc/dev/#"]).unwrap();
    f.link
        .publish("$EDC/acc/other/PROV-V1/PUT/certificates", b"no".to_vec())
        .unwrap();
    f.link
        .publish("$EDC/acc/dev/PROV-V1/PUT/certificates", b"yes".to_vec())
        .unwrap();
    assert_eq!(dev.message().payload, b"yes");
}

/// While it is dead nobody is given its ports: not for any free port, and not for this very one,
/// unless it is shared, as mosquitto does. A port that is free would be.
#[test]
fn a_killed_broker_keeps_its_ports() {
    use rustix::net::{bind, socket, AddressFamily, SocketType};
    let folder = tempfile::tempdir().unwrap();
    let pki = Pki::create().unwrap();
    let broker = Broker::start(settings(&folder, &pki.broker)).unwrap();
    broker.kill();
    let ports = broker.device_ports();
    for port in [ports.tls, ports.mutual, broker.platform_port()] {
        let thief = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        let taken = bind(&thief, &address);
        assert_eq!(taken, Err(rustix::io::Errno::ADDRINUSE), "{port}");
    }
    broker.restart().unwrap();
    assert_eq!(broker.device_ports(), ports);
    assert!(broker.is_running());
}

#[test]
fn a_killed_broker_comes_back_on_its_ports_and_knows_nobody() {
    let f = start();
    f.admit("dev");
    let client = f.connect(RIGHT, &[]).unwrap();
    let port = f.broker.port();
    f.broker.kill();
    assert!(!f.broker.is_running());
    assert!(matches!(client.end(), Failure::Lost { .. }));
    assert!(matches!(
        f.notices.recv_timeout(PATIENCE).unwrap(),
        Notice::Lost(_)
    ));
    f.broker.restart().unwrap();
    assert_eq!(f.broker.port(), port);
    let (link, _notices) = open(&f.broker);
    assert!(matches!(f.connect(RIGHT, &[]), Err(Failure::NotAuthorized)));
    link.command(&device("dev").admit()).unwrap();
    f.connect(RIGHT, &[]).unwrap();
}

#[test]
fn a_taken_port_is_named_and_dropping_ends_the_process() {
    let f = start();
    let folder = tempfile::tempdir().unwrap();
    let second = BrokerSettings {
        port: Some(f.broker.port()),
        ..settings(&folder, &f.pki.broker)
    };
    assert!(matches!(
        Broker::start(second),
        Err(BrokerError::PortInUse { .. })
    ));
    let process = format!("/proc/{}", f.broker.pid().unwrap());
    assert!(std::path::Path::new(&process).exists());
    drop(f);
    assert!(!std::path::Path::new(&process).exists());
}

#[test]
fn several_brokers_start_side_by_side() {
    let pki = Pki::create().unwrap();
    let folders: Vec<TempDir> = (0..4).map(|_| tempfile::tempdir().unwrap()).collect();
    let brokers: Vec<Broker> = std::thread::scope(|scope| {
        let starts: Vec<_> = folders
            .iter()
            .map(|folder| scope.spawn(|| Broker::start(settings(folder, &pki.broker)).unwrap()))
            .collect();
        starts.into_iter().map(|s| s.join().unwrap()).collect()
    });
    // The threads that started them are gone: the brokers are not.
    for broker in &brokers {
        let (link, _notices) = open(broker);
        link.command(&device("dev").admit()).unwrap();
    }
}

#[test]
fn bad_server_certificates_are_shown_and_the_client_says_why_not() {
    let pki = Pki::create().unwrap();
    let names = ["localhost", "127.0.0.1"];
    let other = Identity::self_signed(&Profile::authority("other")).unwrap();
    let issue = |profile: Profile| pki.tls_root.issue(&profile).unwrap();
    let good = Profile::server("broker", &names);
    let cases = [
        ("tls.expired", issue(good.clone().expired())),
        ("tls.not-yet-valid", issue(good.clone().not_yet_valid())),
        (
            "tls.hostname",
            issue(Profile::server("broker", &["example.org"])),
        ),
        ("tls.untrusted", other.issue(&good).unwrap()),
        ("tls.untrusted", issue(good.clone().key(KeyKind::Rsa(1024)))),
    ];
    for (code, certificate) in cases {
        let folder = tempfile::tempdir().unwrap();
        let strength = TlsStrength::AnyKey;
        let settings = BrokerSettings {
            strength,
            ..settings(&folder, &certificate)
        };
        let broker = Broker::start(settings).unwrap();
        let root = pki.tls_root.certificate();
        let failure = Client::connect(&broker.url(), root, RIGHT, &[])
            .err()
            .unwrap();
        assert_eq!(failure.code(), code, "{failure}");
    }
}
