//! `timeout` is the end of an attempt, whoever stalls and however: all of them at once, since each
//! takes its time.

use applications::Application;
use e2e::Site;
use provision_platform::behaviour::{
    Behaviour, ConfigurationFault, Flood, PackageFault, Script, Step,
};
use provision_platform::harness::TestPlatform;
use provision_platform::store::{NewPackage, NewRequest};
use std::net::TcpListener;
use std::thread;

use crate::gateway::{took, Gateway, TIMEOUT};

fn silent_from(step: Step) -> Behaviour {
    Behaviour {
        silent_from: Some(step),
        ..Behaviour::default()
    }
}

fn package(fault: PackageFault) -> Behaviour {
    Behaviour {
        package: Some((0, fault)),
        ..Behaviour::default()
    }
}

/// An attempt that is held up like this lasts as long as it may, no longer, and fails for that
/// reason; the next one succeeds.
fn lasts(behaviour: Behaviour, code: &str) {
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let app = Application::named("app", "1.0");
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = vec![NewPackage {
        file: app.write(folder.path()),
        name: app.name,
        version: app.version,
    }];
    platform.create_request(&new).unwrap();
    let floods = behaviour.flood.is_some();
    platform.behave(Script::once(behaviour)).unwrap();
    let gateway = Gateway::idle(Site::new(&platform, "gw-1", "secret").unwrap());
    gateway.enable();
    let status = gateway.fails(code);
    let took = took(&status);
    println!("{took:?}: {}", status["error"]["message"]);
    assert!(took >= TIMEOUT, "{took:?}: {status:#}");
    if floods {
        // What is left of a flood is in the way of the next attempt, on a slow machine for longer
        // than this one may take.
        gateway.begin_with_patience();
        gateway.provisioned();
    } else {
        gateway.retry();
        assert_eq!(gateway.provisioned()["attempt"], 2);
    }
}

#[test]
fn the_attempt_ends_with_its_time_whoever_stalls() {
    let some = 1000;
    // The account's broker, so the configuration says, takes connections and says nothing.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let mute_url = format!("mqtts://localhost:{}", mute.local_addr().unwrap().port());
    let mute_account = Behaviour {
        configuration: ConfigurationFault::Broker(mute_url),
        ..Behaviour::default()
    };
    let stalls = [
        (silent_from(Step::Certificates), "platform.silent"),
        (silent_from(Step::Configuration(0)), "platform.silent"),
        (silent_from(Step::Commit), "platform.silent"),
        (mute_account, "proof.failed"),
        (
            package(PackageFault::Stall { after: some }),
            "package.unavailable",
        ),
        (package(PackageFault::Drip), "package.unavailable"),
        (
            package(PackageFault::CutEach { at: 1 }),
            "package.unavailable",
        ),
        (
            package(PackageFault::LengthTooLong { by: 10 }),
            "package.unavailable",
        ),
    ];
    thread::scope(|scope| {
        for (behaviour, code) in stalls {
            scope.spawn(move || lasts(behaviour, code));
        }
    });
}

#[test]
fn the_attempt_ends_with_its_time_however_much_is_left_to_do() {
    let flood = Flood {
        copies: 8000,
        ..Flood::bomb(1 << 20)
    };
    let behaviour = Behaviour {
        flood: Some(flood),
        ..Behaviour::default()
    };
    lasts(behaviour, "protocol.unexpected");
}
