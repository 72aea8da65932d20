//! Which points there are, and trying them, several at a time.

use std::fmt::{self, Display};
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::Mutex;

use e2e::Site;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::store::NewRequest;
use tempfile::TempDir;

use crate::gateway::{run, Ended, Interference, Shim};
use crate::trace::{self, Operation};

/// So many gateways run at a time.
pub const WORKERS: usize = 4;
/// So many points are tried, about, without `KILL_ALL=1`.
pub const SAMPLE: usize = 40;
/// The claim secret of every gateway.
pub const PASSWORD: &str = "claim-secret";

/// One way in which a run is interfered with.
#[derive(Clone, Debug)]
pub struct Point {
    /// Number of the operation, 1 for the first.
    pub at: usize,
    /// What happens there.
    pub what: Interference,
    /// What it was when it was recorded.
    pub name: String,
}

impl Display for Point {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Point { at, what, name } = self;
        write!(f, "{what:?} at operation {at}, {name}")
    }
}

/// All of them with `KILL_ALL=1`, else every k-th, so that there are about so many.
pub fn sample<T>(all: Vec<T>, about: usize) -> Vec<T> {
    let every = match std::env::var("KILL_ALL").is_ok_and(|all| all == "1") {
        true => 1,
        // Odd, so that both ways of an operation have their turn.
        false => all.len().div_ceil(about) | 1,
    };
    println!("{} points, every {every}. is tried", all.len());
    all.into_iter().step_by(every).collect()
}

/// What all runs of a test share.
pub struct Bench {
    folder: TempDir,
    shim: Shim,
    /// The same at all platforms, so that all gateways trust the same.
    pki: Pki,
}

/// A gateway, and the number of its provision request.
pub struct Gateway {
    /// It.
    pub site: Site,
    /// At the platform of its place.
    pub request: i64,
    client_id: String,
}

/// Where one gateway after the other is provisioned.
pub struct Place<'a> {
    bench: &'a Bench,
    platform: TestPlatform,
    serial: AtomicU32,
    kept: Mutex<Vec<(String, Site)>>,
}

impl Bench {
    /// In memory where there is such a file system: the order of operations is what counts here.
    pub fn new() -> Bench {
        let memory = Path::new("/dev/shm");
        let folder = match memory.is_dir() {
            true => tempfile::tempdir_in(memory),
            false => tempfile::tempdir(),
        };
        let folder = folder.unwrap();
        let shim = Shim::build(folder.path());
        Bench {
            folder,
            shim,
            pki: Pki::create().unwrap(),
        }
    }

    /// Where gateways are.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A platform and no gateway yet.
    pub fn place(&self) -> Place<'_> {
        Place {
            bench: self,
            platform: TestPlatform::start_with(self.pki.clone(), |settings| settings).unwrap(),
            serial: AtomicU32::new(0),
            kept: Mutex::default(),
        }
    }

    /// The operations of a provisioning that nothing interferes with.
    pub fn record(&self) -> Vec<String> {
        let place = self.place();
        let gateway = place.gateway();
        let ended = place.run(&gateway, None);
        assert_eq!(ended.code(), Some(0), "{}", ended.said);
        crate::expect::exactly_once(&place, &gateway, &ended).unwrap();
        ended.operations
    }

    /// Tries the points. Gives the gateways that were kept; by then, the platforms are gone.
    pub fn for_each(
        &self,
        points: &[Point],
        attempt: impl Fn(&Place<'_>, &Point) + Sync,
    ) -> Vec<(String, Site)> {
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
                        place.kept()
                    })
                })
                .collect();
            for worker in workers {
                kept.extend(worker.join().unwrap());
            }
        });
        kept
    }
}

impl Place<'_> {
    /// A new gateway, for which there is a provision request.
    pub fn gateway(&self) -> Gateway {
        let client_id = format!("gw-{}", self.serial.fetch_add(1, Ordering::Relaxed));
        let request = self.platform.request(&client_id, PASSWORD).unwrap();
        let site = Site::new_in(self.bench.folder(), &self.platform, &client_id, PASSWORD).unwrap();
        Gateway {
            site,
            request,
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

    /// Another request in the place of that of the gateway, as if there had been none.
    pub fn request_anew(&self, gateway: &mut Gateway) {
        let mut new = NewRequest::new(
            &gateway.client_id,
            &format!("user-{}", gateway.client_id),
            PASSWORD,
            "acme",
        );
        new.overwrite = true;
        gateway.request = self.platform.create_request(&new).unwrap();
    }

    /// Its platform.
    pub fn platform(&self) -> &TestPlatform {
        &self.platform
    }

    /// What was kept; the platform is gone then.
    pub fn kept(self) -> Vec<(String, Site)> {
        self.kept.into_inner().unwrap()
    }

    /// Keeps a gateway for later.
    pub fn keep(&self, point: &impl Display, site: Site) {
        self.kept.lock().unwrap().push((point.to_string(), site));
    }
}

/// Does something with each, several at a time.
pub fn in_parallel<T: Send>(all: Vec<T>, each: impl Fn(T) + Sync) {
    let queue = Mutex::new(all.into_iter());
    std::thread::scope(|scope| {
        for _ in 0..WORKERS {
            scope.spawn(|| loop {
                let next = queue.lock().unwrap().next();
                let Some(one) = next else { break };
                each(one);
            });
        }
    });
}
