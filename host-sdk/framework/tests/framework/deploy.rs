//! Packages that a cloud account orders: a real archive of a real application, over HTTP.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{channel, Sender};
use std::sync::{Arc, Mutex};
use std::thread;

use applications::Application;
use gateway_host_sdk::ComponentState;
use kura_formats::payload::{decode, Limits, Payload};
use openssl::sha::sha256;

use crate::control::{asking, refused, signed, world, World};
use crate::support::{until, DEADLINE};

/// A connection, and what is still to be sent over it.
type Half = (TcpStream, Vec<u8>);

/// Serves one file at `/package`, half of it at `/half` until it is told to go on, nothing at
/// `/hang`, and 404 elsewhere. Lives as long as the test.
struct Server {
    address: SocketAddr,
    asked: Arc<AtomicUsize>,
    /// Connections that wait for nothing.
    _hanging: Arc<Mutex<Vec<TcpStream>>>,
    /// Connections that wait for the other half.
    halves: Arc<Mutex<Vec<Half>>>,
}

impl Server {
    fn of(file: Vec<u8>) -> Server {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let asked = Arc::new(AtomicUsize::new(0));
        let hanging = Arc::new(Mutex::new(Vec::new()));
        let (count, held) = (Arc::clone(&asked), Arc::clone(&hanging));
        let halves: Arc<Mutex<Vec<_>>> = Arc::default();
        let half = Arc::clone(&halves);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                count.fetch_add(1, Ordering::SeqCst);
                let path = path(&mut stream);
                let head = |status: &str, length: usize| {
                    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n\r\n")
                };
                match path.as_str() {
                    "/package" => {
                        let _ = stream.write_all(head("200 OK", file.len()).as_bytes());
                        let _ = stream.write_all(&file);
                    }
                    "/half" => {
                        let (first, rest) = file.split_at(file.len() / 2);
                        let _ = stream.write_all(head("200 OK", file.len()).as_bytes());
                        let _ = stream.write_all(first);
                        half.lock().unwrap().push((stream, rest.to_vec()));
                    }
                    "/hang" => {
                        let _ = stream.write_all(head("200 OK", 1 << 20).as_bytes());
                        held.lock().unwrap().push(stream);
                    }
                    _ => drop(stream.write_all(head("404 Not Found", 0).as_bytes())),
                }
            }
        });
        Server {
            address,
            asked,
            _hanging: hanging,
            halves,
        }
    }

    /// Sends the other halves.
    fn go_on(&self) {
        for (mut stream, rest) in self.halves.lock().unwrap().drain(..) {
            stream.write_all(&rest).unwrap();
        }
    }

    fn is_asked(&self, times: usize) {
        until("the question to the server", || {
            (self.asked.load(Ordering::SeqCst) == times).then_some(())
        });
    }
}

fn path(stream: &mut TcpStream) -> String {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    head.split(' ').nth(1).unwrap_or_default().to_owned()
}

/// A heater, packed, and who serves it.
struct Shop {
    application: Application,
    archive: Vec<u8>,
    server: Server,
}

impl Shop {
    fn new() -> Shop {
        Shop::of(Application::heater("1.2.0"))
    }

    fn of(application: Application) -> Shop {
        let archive = application.archive();
        let server = Server::of(archive.clone());
        Shop {
            application,
            archive,
            server,
        }
    }

    fn order(&self, payload: Payload, path: &str) -> Payload {
        let digest: String = sha256(&self.archive)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        payload
            .with_metric("dp.uri", format!("http://{}{path}", self.server.address))
            .with_metric("dp.name", self.application.name.as_str())
            .with_metric("dp.version", self.application.version.as_str())
            .with_metric("dp.download.protocol", "HTTP")
            .with_metric("dp.download.hash", format!("SHA-256:{digest}"))
            .with_metric("dp.install.system.update", false)
            .with_metric("job.id", 42i64)
    }
}

fn is_progress(notice: &Payload) -> bool {
    ["dp.download.status", "dp.install.status"]
        .iter()
        .any(|name| notice.string(name) == Some("IN_PROGRESS"))
}

impl World {
    fn accepted(&self, what: &str, payload: Payload) -> Payload {
        let reply = self.cloud.ask(&format!("DEPLOY-V2/{what}"), payload);
        assert_eq!(reply.int32("response.code"), Some(200), "{what}: {reply:?}");
        reply
    }

    /// The end of a step, as it is notified over the connection with that client-id.
    fn end_at(&self, client_id: &str, step: &str) -> Payload {
        loop {
            let (topic, bytes) = self.cloud.hear();
            let notice = decode(&bytes, &Limits::default()).unwrap();
            if notice.string("client.id") != Some(client_id) && is_progress(&notice) {
                continue;
            }
            let expected = format!("$EDC/acme/cloud/DEPLOY-V2/NOTIFY/{client_id}/{step}");
            assert_eq!(topic, expected);
            assert_eq!(notice.int64("job.id"), Some(42));
            assert_eq!(notice.string("client.id"), Some(client_id));
            assert_eq!(notice.string("dp.name"), Some("heater"));
            match notice.string(&format!("dp.{step}.status")) {
                Some("IN_PROGRESS") => {
                    let progress = notice.int32(&format!("dp.{step}.progress")).unwrap();
                    assert!((0..100).contains(&progress));
                }
                Some(_) => return notice,
                None => panic!("no status: {notice:?}"),
            }
        }
    }

    /// The answer of the connection with that client-id.
    fn answer_at(&self, client_id: &str, what: &str, payload: &Payload) -> Payload {
        let what = format!("DEPLOY-V2/{what}");
        self.cloud.send_to(client_id, &what, payload);
        let id = payload.string("request.id").unwrap();
        self.cloud.reply("DEPLOY-V2", id).0
    }

    fn ends(&self, step: &str, status: &str) -> Payload {
        self.ends_at("gw", step, status)
    }

    fn ends_at(&self, client_id: &str, step: &str, status: &str) -> Payload {
        let end = self.end_at(client_id, step);
        assert_eq!(
            end.string(&format!("dp.{step}.status")),
            Some(status),
            "{end:?}"
        );
        end
    }
}

#[test]
fn an_ordered_application_is_downloaded_installed_configured_and_removed() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    let empty = world.cloud.done("DEPLOY-V2/GET/packages", "0", "");
    assert!(!String::from_utf8(empty).unwrap().contains("<package>"));
    world.accepted("EXEC/download", shop.order(signed("1"), "/package"));
    let end = world.ends("download", "COMPLETED");
    let size = i32::try_from(shop.archive.len()).unwrap();
    assert_eq!(end.int32("dp.download.size"), Some(size));
    assert_eq!(end.int32("dp.download.progress"), Some(100));
    world.ends("install", "COMPLETED");

    let packages = world.cloud.done("DEPLOY-V2/GET/packages", "2", "");
    let packages = String::from_utf8(packages).unwrap();
    assert!(
        packages.contains("<package><name>heater</name><version>1.2.0</version>"),
        "{packages}"
    );
    let bundles = world.cloud.done("DEPLOY-V2/GET/bundles", "3", "");
    let bundles = String::from_utf8(bundles).unwrap();
    assert!(bundles.contains("<state>ACTIVE</state>"), "{bundles}");
    for (id, what, status) in [
        ("4", "GET/download", "dp.download.status"),
        ("5", "GET/install", "dp.install.status"),
    ] {
        let reply = world.accepted(what, signed(id));
        assert_eq!(reply.string(status), Some("COMPLETED"));
    }

    // Its metatype is known, so that an instance can be made and configured at once.
    let factory = &shop.application.factory_pid;
    let instance = format!(
        r#"<esf:configurations xmlns:esf="http://eurotech.com/esf/2.0"><esf:configuration pid="heater-1"><esf:properties><esf:property name="service.factoryPid" array="false" encrypted="false" type="String"><esf:value>{factory}</esf:value></esf:property></esf:properties></esf:configuration></esf:configurations>"#
    );
    world
        .cloud
        .done("CONF-V1/PUT/configurations/heater-1", "6", instance);
    until("the heater", || {
        let all = world.framework.components();
        let active = |c: &gateway_host_sdk::ComponentInfo| {
            c.pid == "heater-1" && c.state == ComponentState::Active
        };
        all.iter().any(active).then_some(())
    });

    let order = || {
        signed("7")
            .with_metric("dp.name", "heater")
            .with_metric("job.id", 42i64)
    };
    world.accepted("EXEC/uninstall", order());
    world.ends("uninstall", "COMPLETED");
    assert!(world.framework.packages().list().is_empty());
    let mut again = order();
    again.push("request.id", "8");
    let reply = world.cloud.ask("DEPLOY-V2/EXEC/uninstall", again);
    refused(&reply, 404, "protocol.unexpected");
}

#[test]
fn a_download_may_wait_for_its_installation_which_has_to_be_of_that_package() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    let install = |id: &str| shop.order(signed(id), "/package");
    let reply = world.cloud.ask("DEPLOY-V2/EXEC/install", install("0"));
    refused(&reply, 404, "protocol.unexpected");
    let kept = |id: &str| install(id).with_metric("dp.install", false);
    world.accepted("EXEC/download", kept("1"));
    world.ends("download", "COMPLETED");
    assert!(world.framework.packages().list().is_empty());
    let other = install("2").with_metric("dp.version", "9.9.9");
    world.accepted("EXEC/install", other);
    let end = world.ends("install", "FAILED");
    assert_eq!(end.string("prov.error.code"), Some("package.failed"));
    assert!(end.string("dp.install.error.message").is_some());

    world.accepted("EXEC/download", kept("3"));
    world.ends("download", "COMPLETED");
    world.accepted("EXEC/install", install("4"));
    world.ends("install", "COMPLETED");
    assert_eq!(world.framework.packages().list().len(), 1);
}

#[test]
fn what_is_not_the_announced_file_is_not_installed() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    let wrong = format!("SHA-256:{}", "00".repeat(32));
    let cases = [
        ("1", "/package", Some(wrong), "package.corrupt"),
        ("2", "/elsewhere", None, "package.unavailable"),
    ];
    for (id, path, hash, code) in cases {
        let mut order = shop.order(signed(id), path);
        if let Some(hash) = hash {
            order.push("dp.download.hash", hash);
        }
        world.accepted("EXEC/download", order);
        let end = world.ends("download", "FAILED");
        assert_eq!(end.string("prov.error.code"), Some(code));
        // Nothing is there that could be installed after all.
        let install = shop.order(signed(&format!("{id} install")), path);
        let reply = world.cloud.ask("DEPLOY-V2/EXEC/install", install);
        refused(&reply, 404, "protocol.unexpected");
    }
    assert!(world.framework.packages().list().is_empty());
}

#[test]
fn one_order_at_a_time_and_a_download_can_be_ended() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    let reply = world.accepted("GET/download", signed("0"));
    assert_eq!(reply.string("dp.download.status"), Some("IDLE"));
    world.accepted("EXEC/download", shop.order(signed("1"), "/hang"));
    shop.server.is_asked(1);
    let second = shop.order(signed("2"), "/package");
    world.cloud.send("DEPLOY-V2/EXEC/download", &second);
    let (conflict, _) = world.cloud.reply("DEPLOY-V2", "2");
    let why = refused(&conflict, 409, "protocol.unexpected");
    assert!(why.contains("heater 1.2.0"), "{why}");
    world.accepted("DEL/download", signed("3"));
    world.ends("download", "CANCELLED");
    let over = world.cloud.ask("DEPLOY-V2/DEL/download", signed("over"));
    refused(&over, 404, "protocol.unexpected");
    world.accepted("EXEC/download", shop.order(signed("4"), "/package"));
    world.ends("download", "COMPLETED");
    world.ends("install", "COMPLETED");
}

#[test]
fn an_order_that_is_not_verified_reaches_no_server() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    let order = shop.order(asking("1"), "/package");
    let reply = world.cloud.ask("DEPLOY-V2/EXEC/download", order);
    refused(&reply, 403, "signature.missing");
    let bad = shop.order(signed("2"), "/package");
    let bad = bad.with_metric("dp.uri", "file:///etc/passwd");
    let reply = world.cloud.ask("DEPLOY-V2/EXEC/download", bad);
    assert!(refused(&reply, 400, "protocol.malformed").contains("dp.uri"));
    let start = world.cloud.ask("DEPLOY-V2/EXEC/start/3", signed("3"));
    refused(&start, 404, "protocol.unexpected");
    assert_eq!(shop.server.asked.load(Ordering::SeqCst), 0);
}

#[test]
fn a_gateway_that_is_stopped_while_it_downloads_stops() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    world.accepted("EXEC/download", shop.order(signed("1"), "/hang"));
    shop.server.is_asked(1);
    let (done, ended): (Sender<()>, _) = channel();
    thread::spawn(move || {
        world.framework.shutdown();
        done.send(()).unwrap();
    });
    ended.recv_timeout(DEADLINE).unwrap();
}

#[test]
fn two_connections_do_not_touch_what_the_other_downloads() {
    let Some(world) = world() else { return };
    world.second("gw2");
    let shop = Shop::new();
    let other = Shop::of(Application::heater("1.2.0").with("HEATER_DYING"));
    let kept = |shop: &Shop, id: &str, path| {
        shop.order(signed(id), path)
            .with_metric("dp.install", false)
    };
    world.accepted("EXEC/download", kept(&shop, "1", "/half"));
    shop.server.is_asked(1);
    let hanging = kept(&other, "2", "/hang");
    let reply = world.answer_at("gw2", "EXEC/download", &hanging);
    assert_eq!(reply.int32("response.code"), Some(200), "{reply:?}");
    other.server.is_asked(1);
    shop.server.go_on();
    world.ends("download", "COMPLETED");
    let reply = world.answer_at("gw2", "EXEC/install", &kept(&other, "3", ""));
    refused(&reply, 409, "protocol.unexpected");
    world.accepted("EXEC/install", shop.order(signed("4"), ""));
    world.ends("install", "COMPLETED");
    let reply = world.answer_at("gw2", "DEL/download", &signed("5"));
    assert_eq!(reply.int32("response.code"), Some(200), "{reply:?}");
    world.ends_at("gw2", "download", "CANCELLED");

    // What one has kept, the other neither installs nor removes.
    world.accepted("EXEC/download", kept(&shop, "6", "/package"));
    world.ends("download", "COMPLETED");
    let reply = world.answer_at("gw2", "EXEC/install", &shop.order(signed("7"), ""));
    refused(&reply, 404, "protocol.unexpected");
    world.accepted("EXEC/install", shop.order(signed("8"), ""));
    world.ends("install", "COMPLETED");
}

#[test]
fn what_was_downloaded_is_recognised_again_before_it_is_installed() {
    let Some(mut world) = world() else { return };
    let shop = Shop::new();
    // It is that package, whole, of another hand.
    let swapped = Application::heater("1.2.0").with("HEATER_DYING").archive();
    assert_ne!(swapped, shop.archive);
    let kept = |id: &str| {
        shop.order(signed(id), "/package")
            .with_metric("dp.install", false)
    };
    for (turn, restarts) in [("a", false), ("b", true)] {
        let id = |n: &str| format!("{turn} {n}");
        world.accepted("EXEC/download", kept(&id("download")));
        world.ends("download", "COMPLETED");
        if restarts {
            world = world.restart();
        }
        std::fs::write(world.downloads().join("package.tar.gz"), &swapped).unwrap();
        world.accepted("EXEC/install", shop.order(signed(&id("install")), ""));
        let end = world.ends("install", "FAILED");
        assert_eq!(end.string("prov.error.code"), Some("package.corrupt"));
        assert!(world.framework.packages().list().is_empty());
        let gone = shop.order(signed(&id("again")), "");
        let reply = world.cloud.ask("DEPLOY-V2/EXEC/install", gone);
        refused(&reply, 404, "protocol.unexpected");
    }

    world.accepted("EXEC/download", kept("kept"));
    world.ends("download", "COMPLETED");
    let world = world.restart();
    world.accepted("EXEC/install", shop.order(signed("at last"), ""));
    world.ends("install", "COMPLETED");
    let left = std::fs::read_dir(world.downloads()).unwrap();
    assert_eq!(left.count(), 0);
}

#[test]
fn a_link_in_the_place_of_what_was_downloaded_is_not_followed() {
    let Some(world) = world() else { return };
    let shop = Shop::new();
    // The very file that was ordered, and its hash, but elsewhere.
    let elsewhere = tempfile::tempdir().unwrap();
    for name in ["package.tar.gz", "package.tar.hash"] {
        let kept = shop.order(signed(name), "/package");
        world.accepted("EXEC/download", kept.with_metric("dp.install", false));
        world.ends("download", "COMPLETED");
        let (file, moved) = (world.downloads().join(name), elsewhere.path().join(name));
        std::fs::rename(&file, &moved).unwrap();
        std::os::unix::fs::symlink(&moved, &file).unwrap();
        let install = shop.order(signed(&format!("{name} install")), "");
        world.accepted("EXEC/install", install);
        let end = world.ends("install", "FAILED");
        let why = end.string("dp.install.error.message").unwrap();
        assert!(why.contains(name), "{why}");
        assert!(moved.exists() && file.symlink_metadata().is_err());
    }
    assert!(world.framework.packages().list().is_empty());
}
