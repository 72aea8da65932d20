//! Gateways and platforms to be tried: a first provisioning, or one of a gateway that is in another
//! account; each with a key that stays on the gateway, a package, and a configuration.

use std::fmt::Display;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use applications::Application;
use e2e::Site;
use gateway_component_abi::value::{Properties, Secret};
use provision_platform::harness::TestPlatform;
use provision_platform::pki::{DeviceKey, Pki};
use provision_platform::platform::{Platform, Settings};
use provision_platform::store::{NewPackage, NewRequest};
use provisioning_service::transaction::record;
use tempfile::TempDir;

use crate::gateway::{run, Ended, Interference, Shim};
use crate::points::{Point, WORKERS};
use crate::trace::{self, Operation};

/// The claim secret of every gateway.
pub const PASSWORD: &str = "claim-secret";

/// What all runs of a test share.
pub struct Bench {
    folder: TempDir,
    shim: Shim,
    /// The same at all platforms, so that all gateways trust the same.
    pki: Pki,
    package: NewPackage,
    /// Of the account that the gateways are in already.
    old: Option<TestPlatform>,
    serial: AtomicU32,
}

/// Which provisioning is interfered with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scenario {
    /// The first of a gateway as it comes from the factory.
    First,
    /// That of a gateway which is in an account already, into another one.
    Again,
}

/// A gateway, and the number of its provision request.
pub struct Gateway {
    /// It.
    pub site: Site,
    /// At the platform of its place.
    pub request: i64,
    /// How often it was provisioned before.
    pub before: usize,
    /// In both accounts of its platform.
    pub client_id: String,
}

/// Gateways that were kept, all alike but for what was done to them, and one to which nothing was.
pub struct Kept {
    /// Nothing was done to it.
    pub fresh: Site,
    /// What was done to each.
    pub all: Vec<(String, Site)>,
}

/// Where one gateway after the other is provisioned.
pub struct Place<'a> {
    bench: &'a Bench,
    platform: TestPlatform,
    /// In the old account, and about to leave it.
    member: Option<Site>,
    serial: AtomicU32,
    kept: Mutex<Vec<(String, Site)>>,
}

impl Bench {
    /// In memory where there is such a file system: the order of operations is what counts here.
    pub fn new(scenario: Scenario) -> Bench {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let shim = Shim::build(folder.path());
        let application = Application::heater("1.0");
        let package = NewPackage {
            file: application.write(folder.path()),
            name: application.name.clone(),
            version: application.version.clone(),
        };
        let pki = Pki::create().unwrap();
        let start = || TestPlatform::start_with(pki.clone(), |settings| settings).unwrap();
        let old = (scenario == Scenario::Again).then(start);
        Bench {
            folder,
            shim,
            pki,
            package,
            old,
            serial: AtomicU32::new(0),
        }
    }

    /// Where gateways are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A platform and no gateway yet.
    pub fn place(&self) -> Place<'_> {
        let platform = TestPlatform::start_with(self.pki.clone(), |settings| settings).unwrap();
        Place {
            bench: self,
            member: self.old.as_ref().map(|old| self.member(old, &platform)),
            platform,
            serial: AtomicU32::new(0),
            kept: Mutex::default(),
        }
    }

    /// A gateway in the old account, with the order to go to another platform.
    fn member(&self, old: &TestPlatform, new: &TestPlatform) -> Site {
        let client_id = format!("old-{}", self.serial.fetch_add(1, Ordering::Relaxed));
        old.request(&client_id, PASSWORD).unwrap();
        let site = Site::new_in(self.folder.path(), old, &client_id, PASSWORD).unwrap();
        let ended = run(&site, &self.shim, None, None);
        assert_eq!(ended.code(), Some(0), "{}", ended.said);
        fill_record(&site);
        let order = Properties::from([
            ("enabled".into(), true.into()),
            ("provisioned".into(), false.into()),
            (
                "broker-url".into(),
                new.provision_broker().url().to_string().into(),
            ),
            ("password".into(), Secret::from(PASSWORD).into()),
            ("timeout".into(), 10.into()),
        ]);
        site.reconfigure(&order).unwrap();
        site
    }

    /// For a platform of one's own.
    pub fn settings(&self, folder: &Path) -> Settings {
        Settings::new(folder, self.pki.clone())
    }

    /// A gateway for a platform of one's own, with or without a key.
    pub fn gateway_at(&self, platform: &Platform, key: bool) -> Gateway {
        let client_id = "gw-1".to_owned();
        let site = Site::new_in(self.folder(), platform, &client_id, PASSWORD).unwrap();
        Gateway {
            site: site.with("timeout", 10),
            request: self.request(platform, &client_id, key),
            before: 0,
            client_id,
        }
    }

    /// With all that a provisioning can bring, a key only where it is wanted; in the place of an
    /// earlier one, as if that had not been.
    fn request(&self, platform: &Platform, client_id: &str, key: bool) -> i64 {
        let mut new = NewRequest::new(client_id, &format!("user-{client_id}"), PASSWORD, "acme");
        new.overwrite = true;
        new.device_key = key.then_some(DeviceKey::EcP256);
        new.packages = vec![self.package.clone()];
        platform.create_request(&new).unwrap()
    }

    /// Runs a gateway undisturbed.
    pub fn run(&self, site: &Site) -> Ended {
        run(site, &self.shim, None, None)
    }

    /// The operations of a provisioning that nothing interferes with.
    pub fn record(&self) -> Vec<String> {
        let place = self.place();
        let gateway = place.gateway();
        let ended = place.run(&gateway, None);
        assert_eq!(ended.code(), Some(0), "{}", ended.said);
        crate::expect::exactly_once(&place.platform, &gateway, &ended).unwrap();
        ended.operations
    }

    /// Tries the points. Gives the gateways that were kept; by then, the platforms are gone.
    pub fn for_each(
        &self,
        points: &[Point],
        attempt: impl Fn(&Place<'_>, &Point) + Sync,
    ) -> Vec<Kept> {
        let queue = Mutex::new(points.iter());
        let mut kept = Vec::new();
        std::thread::scope(|scope| {
            let workers: Vec<_> = (0..WORKERS)
                .map(|_| {
                    scope.spawn(|| {
                        let place = self.place();
                        loop {
                            let next = queue.lock().unwrap().next();
                            let Some(point) = next else { break };
                            attempt(&place, point);
                        }
                        let fresh = place.gateway().site;
                        place.kept(fresh)
                    })
                })
                .collect();
            for worker in workers {
                kept.push(worker.join().unwrap());
            }
        });
        kept
    }
}

impl Place<'_> {
    /// A new gateway, for which there is a provision request.
    pub fn gateway(&self) -> Gateway {
        let client_id = format!("gw-{}", self.serial.fetch_add(1, Ordering::Relaxed));
        let folder = self.bench.folder();
        let site = match &self.member {
            None => Site::new_in(folder, &self.platform, &client_id, PASSWORD)
                .unwrap()
                .with("timeout", 10),
            Some(member) => {
                let site = member.copy_in(folder).unwrap();
                let name = Properties::from([
                    ("client-id".into(), client_id.clone().into()),
                    ("username".into(), format!("user-{client_id}").into()),
                ]);
                site.reconfigure(&name).unwrap();
                site
            }
        };
        Gateway {
            site,
            request: self.bench.request(&self.platform, &client_id, true),
            before: usize::from(self.member.is_some()),
            client_id,
        }
    }

    /// Runs the gateway.
    pub fn run(&self, gateway: &Gateway, at: Option<(usize, Interference)>) -> Ended {
        run(&gateway.site, &self.bench.shim, at, None)
    }

    /// Runs the gateway undisturbed, and gives what it does to its disk.
    pub fn trace(&self, gateway: &Gateway) -> (Ended, Vec<Operation>) {
        let file = gateway.site.folder().with_extension("trace");
        let ended = run(&gateway.site, &self.bench.shim, None, Some(&file));
        let operations = trace::read(&file);
        std::fs::remove_file(file).unwrap();
        (ended, operations)
    }

    /// Another request in the place of that of the gateway.
    pub fn request_anew(&self, gateway: &mut Gateway) {
        gateway.request = self.bench.request(&self.platform, &gateway.client_id, true);
    }

    /// Its platform.
    pub fn platform(&self) -> &TestPlatform {
        &self.platform
    }

    /// What was kept; the platform is gone then.
    pub fn kept(self, fresh: Site) -> Kept {
        Kept {
            fresh,
            all: self.kept.into_inner().unwrap(),
        }
    }

    /// Keeps a gateway for later.
    pub fn keep(&self, point: &impl Display, site: Site) {
        self.kept.lock().unwrap().push((point.to_string(), site));
    }
}

/// Fills the provisioning record to its last byte, so that the next entry begins a new file.
fn fill_record(site: &Site) {
    let folder = crate::expect::component_folder(site).unwrap();
    let size = || std::fs::metadata(folder.join(record::FILE)).unwrap().len();
    let append = |bytes: u64| {
        let entry = record::Entry {
            outcome: "network.refused".into(),
            username: "x".repeat(usize::try_from(bytes).unwrap()),
            ..record::Entry::default()
        };
        record::append(&folder, entry).unwrap();
    };
    let before = size();
    append(0);
    let line = size() - before;
    while size() < record::MAX_SIZE {
        let room = record::MAX_SIZE - size() - line;
        append(match room > 9000 {
            true => 8000,
            false => room,
        });
    }
    assert!(!folder.join(record::OLDER).exists());
}
