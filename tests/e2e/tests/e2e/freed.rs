//! Memory that the process `gateway run` gives back: no secret is left in it, whoever gets it next.
//! A look into the memory from outside sees only what nobody has used since ([`super::memory`]).

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use applications::Application;
use e2e::operator::{code, Operator, Request};
use e2e::preload;
use e2e::process::Process;
use e2e::site::PID;
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use gateway_host_sdk::keystore::SSL_KEYSTORE;
use kura_formats::configurations::{remote_seal, write, Configuration};
use kura_formats::payload::{encode, gzip};
use provision_platform::behaviour::{Behaviour, ConfigurationFault, Script};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::DeviceKey;
use provision_platform::secret::Secret as PlatformSecret;
use provision_platform::store::{JobState, NewPackage, NewRequest};
use tempfile::TempDir;

const WAIT: Duration = Duration::from_secs(30);
const PASSWORD: &str = "freed-password-0c81be52";
const KEY: &str = "freed-activation-key-6d2a94f7";
/// What the account sets later.
const LATER: &str = "freed-later-password-b7e4";

/// A gateway whose allocator looks for secrets.
struct Watched {
    gateway: Process,
    folder: TempDir,
}

impl Watched {
    /// `None`, with a word, where it cannot be.
    fn start(site: &Site, secrets: &[&str]) -> Option<Watched> {
        let folder = tempfile::tempdir().unwrap();
        let library = preload::library(include_str!("freed.c"), folder.path()).unwrap()?;
        let forms = secrets.iter().flat_map(|secret| {
            let base64 = remote_seal(&Secret::from(*secret)).1;
            [(*secret).to_owned(), base64]
        });
        let file = folder.path().join("secrets");
        fs::write(&file, forms.collect::<Vec<_>>().join("\n")).unwrap();
        let found = found(&folder);
        let environment = [
            ("LD_PRELOAD", library.as_os_str()),
            ("GWC_TEST_SECRETS", file.as_os_str()),
            ("GWC_TEST_FOUND", found.as_os_str()),
        ];
        let gateway = Process::start_in(site, &[], &environment).unwrap();
        Some(Watched { gateway, folder })
    }

    /// Has it end; nothing may have been found until then.
    fn end(self) {
        let status = self.gateway.terminated(WAIT).unwrap();
        assert_eq!(status.code(), Some(143));
        let found = fs::read_to_string(found(&self.folder)).unwrap();
        assert!(found.is_empty(), "{found}");
    }
}

/// The library is loaded if this is there.
fn found(folder: &TempDir) -> PathBuf {
    folder.path().join("found")
}

/// It is refused by its new account at first, and takes back what it has done. It gets a package
/// from a server that wants a password, and keeps a password of the account.
#[test]
fn nothing_is_left_of_the_credentials_by_a_gateway_that_becomes_a_member_after_a_refusal() {
    let platform = TestPlatform::start().unwrap();
    let packed = tempfile::tempdir().unwrap();
    let heater = Application::heater("1.0");
    let mut new = NewRequest::new("gw-1", "user-gw-1", PASSWORD, "acme");
    new.activation_key = Some(PlatformSecret::new(KEY));
    new.package_credentials = true;
    new.packages.push(NewPackage {
        file: heater.write(packed.path()),
        name: heater.name.clone(),
        version: heater.version.clone(),
    });
    let request = platform.create_request(&new).unwrap();
    platform
        .behave(Script::once(Behaviour {
            configuration: ConfigurationFault::RefusedCredentials,
            ..Behaviour::default()
        }))
        .unwrap();
    let received = platform.store().request(request).unwrap().unwrap().target;
    let access = platform.store().package_access(request).unwrap().unwrap();
    let (_, access) = access.credentials.unwrap();
    let site = Site::new(&platform, "gw-1", PASSWORD)
        .unwrap()
        .with("activation-key", Secret::from(KEY));
    let secrets = [PASSWORD, KEY, received.password.expose(), access.expose()];
    let Some(gateway) = Watched::start(&site, &secrets) else {
        return;
    };
    let job = platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    let attempts = platform.store().attempts(job.id).unwrap().len();
    assert_eq!(attempts, 2, "it was not refused once");
    gateway.end();
}

/// Passwords that its account sends to a member: in clear and in base64, packed and not.
#[test]
fn nothing_is_left_of_passwords_that_an_account_sets_by_a_member() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", PASSWORD).unwrap();
    let site = Site::new(&platform, "gw-1", PASSWORD).unwrap();
    let Some(gateway) = Watched::start(&site, &[PASSWORD, LATER, KEY]) else {
        return;
    };
    let born = platform.wait_until(WAIT, |store| {
        Ok(store.devices()?.into_iter().find(|d| d.client_id == "gw-1"))
    });
    assert!(born.unwrap().is_some(), "no BIRTH");
    let operator = Operator::new(&platform, "gw-1").unwrap();
    let signer = platform.pki().signer.clone();
    let configuration = Configuration {
        pid: PID.to_owned(),
        properties: Properties::from([
            ("password".into(), Secret::from(LATER).into()),
            ("activation-key".into(), Secret::from(KEY).into()),
        ]),
    };
    let mut clear = |secret: &Secret| (false, secret.expose().to_owned());
    let documents = [
        write(std::slice::from_ref(&configuration), &mut remote_seal),
        write(std::slice::from_ref(&configuration), &mut clear),
    ];
    for (n, document) in documents.into_iter().enumerate() {
        for packed in [false, true] {
            let id = format!("put-{n}-{packed}");
            let request = Request {
                body: document.as_ref().unwrap().clone(),
                ..Request::new(&signer, "CONF-V1/PUT/configurations", &id)
            };
            let bytes = encode(&request.signed("gw-1").unwrap());
            let bytes = if packed { gzip(&bytes) } else { bytes };
            let reply = operator.send_bytes(request.what, bytes, &id).unwrap();
            assert_eq!(code(&reply), (Some(200), None));
        }
    }
    for what in ["GET/configurations", "EXEC/snapshot", "GET/snapshots"] {
        let what = format!("CONF-V1/{what}");
        let reply = operator.ask(&Request::new(&signer, &what, &what.replace('/', "-")));
        assert_eq!(code(&reply.unwrap()), (Some(200), None), "{what}");
    }
    gateway.end();
}

/// A key that the gateway makes for its account and keeps. In PEM every key of that curve begins so.
#[test]
fn nothing_is_left_of_a_key_that_a_gateway_makes_and_connects_with() {
    let platform = TestPlatform::start().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", PASSWORD, "acme");
    new.device_key = Some(DeviceKey::EcP256);
    let request = platform.create_request(&new).unwrap();
    let site = Site::new(&platform, "gw-1", PASSWORD).unwrap();
    let begin = ["MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg"];
    let Some(gateway) = Watched::start(&site, &begin) else {
        return;
    };
    platform
        .wait_for(request, JobState::Completed, WAIT)
        .unwrap();
    gateway.end();
    let key = site.keystores().unwrap();
    let key = key.private_key(SSL_KEYSTORE, "mqtt-client").unwrap();
    assert!(key.expose().contains(begin[0]), "it begins otherwise");
    let Some(again) = Watched::start(&site, &begin) else {
        return;
    };
    let born = platform.wait_until(WAIT, |store| {
        let devices = store.devices()?.into_iter();
        Ok(devices
            .filter(|d| d.client_id == "gw-1")
            .find(|d| d.births > 1))
    });
    assert!(born.unwrap().is_some(), "no second BIRTH");
    again.end();
}
