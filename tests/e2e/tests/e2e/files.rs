//! What lies on the disk: private from its creation, and never written through a link.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use applications::Application;
use e2e::site::{error_code, gateway_binary, state};
use e2e::Site;
use kura_formats::topic::Method;
use provision_platform::control::ControlRequest;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::Pki;
use provision_platform::store::{JobState, NewPackage, NewRequest};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::process::{kill_process, Pid, Signal};

/// No wait here is longer.
const PATIENCE: Duration = Duration::from_secs(40);

/// Where the ProvisioningService keeps what it needs.
const COMPONENT: &str = "components/gwc.provisioning.ProvisioningService";

/// The system calls that make something, as strace writes them: what, and with which mode.
fn made(line: &str) -> Option<(&str, &str)> {
    let makes = line.contains("O_CREAT") || line.contains("mkdir") || line.contains("mknod");
    if !makes || line.contains(" = -1 ") {
        return None;
    }
    let path = line.split('"').nth(1)?;
    let end = line.find(" <unfinished").or_else(|| line.rfind(')'))?;
    let arguments = line.get(..end)?;
    Some((path, arguments.rsplit_once(", ")?.1))
}

/// What a gateway does in its life: it is provisioned, with a package, and then does what its account
/// orders.
fn live(platform: &TestPlatform, request: i64) {
    platform
        .wait_for(request, JobState::Completed, PATIENCE)
        .unwrap();
    let born = platform.wait_until(PATIENCE, |store| {
        Ok(store.devices()?.into_iter().find(|d| d.client_id == "gw-1"))
    });
    assert!(born.unwrap().is_some(), "no BIRTH");
    let ask = |method, app, resource| ControlRequest::new("acme", "gw-1", method, app, resource);
    let snapshot = platform.control(&ask(Method::Exec, "CONF-V1", "snapshot"));
    assert_eq!(snapshot.unwrap().code, 200);
    let folder = tempfile::tempdir().unwrap();
    let mut order = ask(Method::Exec, "DEPLOY-V2", "download");
    order.package = Some(platform.store().take_in(&heater("2.0", &folder)).unwrap());
    order.until_notified = Some("install".to_owned());
    assert_eq!(platform.control(&order).unwrap().code, 200);
}

fn heater(version: &str, folder: &tempfile::TempDir) -> NewPackage {
    let application = Application::heater(version);
    NewPackage {
        file: application.write(folder.path()),
        name: application.name.clone(),
        version: application.version.clone(),
    }
}

/// A program under strace; both are gone when this is dropped.
struct Traced(Child);

impl Traced {
    /// Tells the program itself.
    fn tell(&self, signal: Signal) {
        let tracer = self.0.id();
        let children = format!("/proc/{tracer}/task/{tracer}/children");
        let children = fs::read_to_string(children).unwrap_or_default();
        let program = children.split_whitespace().next();
        let program = program.and_then(|id| Pid::from_raw(id.parse().ok()?));
        // Without a program there is nothing to tell.
        let _ = program.map(|program| kill_process(program, signal));
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        self.tell(Signal::KILL);
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn every_file_is_private_from_its_creation_whatever_the_umask() {
    if Command::new("strace").arg("-V").output().is_err() {
        println!("skipped: strace is not installed");
        return;
    }
    let platform = TestPlatform::start().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.packages = vec![heater("1.0", &folder)];
    let request = platform.create_request(&new).unwrap();
    let site = Site::new(&platform, "gw-1", "secret").unwrap();
    let trace = site.folder().join("trace");
    let calls = "trace=open,openat,openat2,creat,mkdir,mkdirat,mknod,mknodat,chmod,fchmod,fchmodat";
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000 && exec \"$@\"", "sh"])
        .args(["strace", "-f", "-qq", "-s", "4096", "-e", calls, "-o"])
        .arg(&trace)
        .arg(gateway_binary().unwrap())
        .args(["run", "--allow-insecure-plugins"])
        .args(["--listen", "127.0.0.1:0"])
        .arg("--data")
        .arg(site.data())
        .arg("--plugins")
        .arg(site.plugins())
        .arg("--config")
        .arg(site.write_seed().unwrap())
        .arg("--properties")
        .arg(site.system_properties())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    let mut traced = Traced(command.spawn().unwrap());
    live(&platform, request);
    traced.tell(Signal::TERM);
    traced.0.wait().unwrap();
    let trace = fs::read_to_string(trace).unwrap();
    let data = fs::canonicalize(site.data()).unwrap();
    let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for (path, mode) in trace.lines().filter_map(made) {
        let Ok(within) = Path::new(path).strip_prefix(&data) else {
            continue;
        };
        match mode {
            "0600" => files.insert(within),
            "0700" => folders.insert(within),
            _ => panic!("{path} is made with mode {mode}"),
        };
    }
    assert!(folders.len() > 4, "{folders:?}");
    // Of each of its lives something is among them.
    for part in [
        "snapshots/",
        "journal",
        "packages/",
        "accepted",
        "downloads/",
    ] {
        let mut names = files.iter().map(|path| path.to_str().unwrap());
        assert!(names.any(|name| name.contains(part)), "{part}: {files:#?}");
    }
    let opened = |line: &&str| line.contains("chmod") && line.contains(data.to_str().unwrap());
    assert_eq!(trace.lines().find(opened), None);
}

/// Every file and folder below a folder, relative to it.
fn paths(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut left = vec![folder.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let entry = entry.unwrap();
            found.push(entry.path().strip_prefix(folder).unwrap().to_owned());
            if entry.file_type().unwrap().is_dir() {
                left.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// What is at a path, and below it, whatever it is.
fn content(path: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut all = BTreeMap::new();
    match path.is_dir() {
        true => all.extend(paths(path).into_iter().map(|inner| {
            let content = fs::read(path.join(&inner)).unwrap_or_default();
            (inner, content)
        })),
        false => drop(all.insert(PathBuf::new(), fs::read(path).unwrap())),
    }
    all
}

/// For each path in the data folder of a provisioned gateway: somebody has put a link there that
/// leads to something of theirs which looks just the same.
#[test]
fn no_link_in_the_place_of_an_own_file_or_folder_is_written_through() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    site.stop();
    let planted = paths(&site.data());
    assert!(planted.len() > 15, "{planted:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Pki::create().unwrap();
    for (number, path) in planted.iter().enumerate() {
        let mut copy = site.copy_in(elsewhere.path()).unwrap();
        let place = copy.data().join(path);
        let victim = elsewhere.path().join(format!("victim-{number}"));
        fs::rename(&place, &victim).unwrap();
        symlink(&victim, &place).unwrap();
        let before = content(&victim);
        // It may refuse to start. If it does, it writes wherever it can.
        if copy.start().is_ok() {
            let _ = copy.set("retry-interval", 2);
            let _ = copy.set("enabled", true);
            let _ = copy.set("provisioned", false);
            let _ = copy.trust_tls(&other.tls_root);
            let _ = copy.trust_chain(&other.root);
            copy.framework().unwrap().settle();
        }
        copy.stop();
        assert_eq!(content(&victim), before, "through {}", path.display());
    }
}

/// What happens in a folder, and in all below it: told by the kernel, whoever does it.
struct Guard(OwnedFd);

impl Guard {
    fn over(folder: &Path) -> Guard {
        let guard = inotify::init(CreateFlags::NONBLOCK | CreateFlags::CLOEXEC).unwrap();
        let below = paths(folder).into_iter().map(|path| folder.join(path));
        for place in [folder.to_owned()].into_iter().chain(below) {
            inotify::add_watch(&guard, &place, WatchFlags::ALL_EVENTS).unwrap();
        }
        Guard(guard)
    }

    fn seen(&self) -> Vec<String> {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.0, &mut buffer);
        let mut seen = Vec::new();
        while let Ok(event) = events.next() {
            seen.push(format!("{:?} {:?}", event.events(), event.file_name()));
        }
        seen
    }
}

/// The gateway says which folder it is, and neither reads nor writes what the link leads to.
#[test]
fn a_link_in_the_place_of_an_own_folder_is_refused_by_its_name() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    site.stop();
    let mut folders = paths(&site.data());
    folders.retain(|path| site.data().join(path).is_dir());
    assert!(folders.len() > 7, "{folders:?}");
    let elsewhere = tempfile::tempdir().unwrap();
    for (number, path) in folders.iter().enumerate() {
        let mut copy = site.copy_in(elsewhere.path()).unwrap();
        let place = fs::canonicalize(copy.data()).unwrap().join(path);
        let victim = elsewhere.path().join(format!("victim-{number}"));
        fs::rename(&place, &victim).unwrap();
        symlink(&victim, &place).unwrap();
        let guard = Guard::over(&victim);
        let told = match copy.start() {
            Err(e) => e.to_string(),
            Ok(()) => copy
                .wait("its folder is refused", PATIENCE, |status| {
                    error_code(status) == "storage.unwritable"
                })
                .unwrap()
                .to_string(),
        };
        copy.stop();
        let seen = guard.seen();
        assert!(
            told.contains(place.to_str().unwrap()),
            "{}: {told}",
            place.display()
        );
        assert_eq!(seen, [""; 0], "{}", path.display());
    }
}

/// As before, but the link is put there while the gateway runs. What it is about to keep fails, or
/// goes nowhere else.
#[test]
fn a_link_put_in_the_place_of_an_own_folder_of_a_running_gateway_is_not_followed() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait_provisioned().unwrap();
    site.stop();
    let mut folders = paths(&site.data());
    folders.retain(|path| site.data().join(path).is_dir());
    let elsewhere = tempfile::tempdir().unwrap();
    let other = Pki::create().unwrap();
    for (number, path) in folders.iter().enumerate() {
        let mut copy = site.copy_in(elsewhere.path()).unwrap();
        copy.start().unwrap();
        copy.framework().unwrap().settle();
        // It looks once through what an earlier start may have left.
        copy.wait("the start", PATIENCE, |status| {
            state(status) == "provisioned"
        })
        .unwrap();
        let place = copy.data().join(path);
        // What the gateway holds open stays its own.
        let victim = elsewhere.path().join(format!("victim-{number}"));
        let copied = Command::new("cp")
            .arg("-a")
            .args([&place, &victim])
            .status();
        assert!(copied.unwrap().success());
        fs::rename(&place, elsewhere.path().join(format!("own-{number}"))).unwrap();
        symlink(&victim, &place).unwrap();
        let guard = Guard::over(&victim);
        let acts = [
            copy.set("retry-interval", 2),
            copy.trust_tls(&other.tls_root),
            copy.trust_chain(&other.root),
            copy.set("provisioned", false),
            copy.set("enabled", true),
        ];
        copy.framework().unwrap().settle();
        let mut told: String = acts
            .into_iter()
            .filter_map(Result::err)
            .map(|e| e.to_string())
            .collect();
        match path.to_str().unwrap() {
            "snapshots" | "keystores" | "keystores/SSLKeystore" | "keystores/DMKeystore" => {}
            "components" | COMPONENT => {
                let refused = copy.wait("its folder is refused", PATIENCE, |status| {
                    error_code(status) == "storage.unwritable"
                });
                told = refused.unwrap().to_string();
            }
            // Nobody has asked for what is in it so far.
            _ => told = place.display().to_string(),
        }
        copy.stop();
        let seen = guard.seen();
        assert!(
            told.contains(place.to_str().unwrap()),
            "{}: {told}",
            place.display()
        );
        assert_eq!(seen, [""; 0], "{}", path.display());
    }
}
