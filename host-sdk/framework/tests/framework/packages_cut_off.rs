//! Packages while the gateway is killed, or its disk fails, at each single operation on the disk.
//!
//! A change runs in a process of its own, below the layer that counts what a process does to a
//! folder (`tests/e2e/tests/kill/shim.c`), and ends there at operation 1, 2, 3, ...; then the next
//! start has to find the old files or the new ones, never a mixture.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use applications::Application;
use gateway_host_sdk::events::Hub;
use gateway_host_sdk::packages::{pack, PackageError, Packages};
use gateway_host_sdk::{Framework, Options};

use crate::packages::tree;

/// What the child is to do; see [`child`].
const STEP: &str = "GWC_TEST_PACKAGES_STEP";
const FOLDER: &str = "GWC_TEST_PACKAGES_FOLDER";
/// Exit code of a child whose change was refused.
const REFUSED: i32 = 3;

type Files = BTreeMap<String, String>;

/// The folders of a gateway, its packages in two versions beside them.
struct Bench {
    root: tempfile::TempDir,
    shim: PathBuf,
}

impl Bench {
    /// With version 1 of the package installed, which version 2 replaces in every way: one file
    /// changes, one goes, one comes.
    fn new() -> Bench {
        // Where there is one, a disk in memory: what is synced does not matter to a kill.
        let memory = Path::new("/dev/shm");
        let root = match memory.is_dir() {
            true => tempfile::tempdir_in(memory).unwrap(),
            false => tempfile::tempdir().unwrap(),
        };
        let shim = root.path().join("shim.so");
        let source =
            Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/e2e/tests/kill/shim.c");
        let status = Command::new("cc")
            .args(["-shared", "-fPIC", "-O1", "-o"])
            .args([&shim, &source])
            .arg("-ldl")
            .status()
            .unwrap();
        assert!(status.success());
        let library = Application::heater("1.0").library();
        let xml = |pid: &str| Application::named(pid, "1").metatype().into_bytes();
        let mut changed = library.clone();
        changed.push(0);
        let one = [
            ("liba.so".to_owned(), library.clone()),
            ("libgoes.so".to_owned(), library.clone()),
            ("metatype/goes.xml".to_owned(), xml("goes")),
        ];
        let two = [
            ("liba.so".to_owned(), changed),
            ("libcomes.so".to_owned(), library),
            ("metatype/comes.xml".to_owned(), xml("comes")),
        ];
        for (version, files) in [("1", &one), ("2", &two)] {
            let file = fs::File::create(root.path().join(version)).unwrap();
            pack("thing", version, files, file).unwrap();
        }
        let bench = Bench { root, shim };
        let start = bench.folder("start");
        for folder in [&start, &start.join("data"), &start.join("plugins")] {
            fs::create_dir(folder).unwrap();
        }
        fs::write(start.join("plugins/by-hand.so"), "somebody else's").unwrap();
        bench
    }

    fn folder(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    /// A copy of a gateway's folders.
    fn copy(&self, from: &str, to: &str) -> PathBuf {
        let target = self.folder(to);
        let _ = fs::remove_dir_all(&target);
        let status = Command::new("cp")
            .arg("-a")
            .args([&self.folder(from), &target])
            .status();
        assert!(status.unwrap().success());
        target
    }

    /// Does a step in a process of its own, which ends at operation `at` (0: not) in that mode.
    fn run(&self, step: &str, folder: &Path, at: u32, mode: &str) -> (Output, Vec<String>) {
        let log = self.folder("log");
        let _ = fs::remove_file(&log);
        let output = Command::new(std::env::current_exe().unwrap())
            .args([
                "packages_cut_off::child",
                "--exact",
                "--ignored",
                "--nocapture",
            ])
            .env(STEP, step)
            .env(FOLDER, folder)
            .env("LD_PRELOAD", &self.shim)
            .env("KILL_FOLDER", fs::canonicalize(folder).unwrap())
            .env("KILL_LOG", &log)
            .env("KILL_AT", at.to_string())
            .env("KILL_MODE", mode)
            .output()
            .unwrap();
        let log = fs::read_to_string(log).unwrap_or_default();
        (output, log.lines().map(str::to_owned).collect())
    }
}

fn open(folder: &Path) -> Packages {
    let data = folder.join("data");
    durable_file::sweep(&data).unwrap();
    Packages::open(&data, &folder.join("plugins"), Hub::default()).unwrap()
}

fn step(packages: &Packages, step: &str, archives: &Path) -> Result<(), PackageError> {
    let install =
        |version: &str| packages.install(version, "thing", version, &archives.join(version));
    match step {
        "install 1" => install("1"),
        "settle 1" => packages.settle("1"),
        "install 2" => install("2"),
        "revert 2" => packages.revert("2"),
        "settle 2" => packages.settle("2"),
        "remove" => packages.remove("thing"),
        other => panic!("no step {other}"),
    }
}

#[test]
#[ignore = "run by the tests of this module, in a process of its own"]
fn child() {
    let (Some(what), Some(folder)) = (std::env::var_os(STEP), std::env::var_os(FOLDER)) else {
        return;
    };
    let folder = PathBuf::from(folder);
    if what == "fatal" {
        let archive = folder.join("heater-2.0.0.tar.gz");
        let framework = Framework::start(options(&folder)).unwrap();
        let _ = framework.packages().install_now(&archive);
        panic!("the library did not end the process");
    }
    let packages = open(&folder);
    let result = step(&packages, what.to_str().unwrap(), folder.parent().unwrap());
    if let Err(e) = result {
        println!("{e}");
        std::process::exit(REFUSED);
    }
}

fn options(folder: &Path) -> Options {
    Options {
        data: folder.join("data"),
        plugins: folder.join("plugins"),
        // The folder for temporary files may be written by all.
        allow_insecure_plugins: true,
        ..Options::default()
    }
}

#[test]
fn a_library_that_kills_the_gateway_when_it_is_opened_is_gone_when_it_comes_up_again() {
    let root = tempfile::tempdir().unwrap();
    fs::create_dir(root.path().join("plugins")).unwrap();
    let framework = Framework::start(options(root.path())).unwrap();
    let good = Application::heater("1.0.0").write(root.path());
    framework.packages().install_now(&good).unwrap();
    framework.shutdown();
    let before = files(root.path());
    Application::heater("2.0.0")
        .with("HEATER_FATAL")
        .write(root.path());
    let output = Command::new(std::env::current_exe().unwrap())
        .args([
            "packages_cut_off::child",
            "--exact",
            "--ignored",
            "--nocapture",
        ])
        .env(STEP, "fatal")
        .env(FOLDER, root.path())
        .output()
        .unwrap();
    assert_eq!(output.status.code(), None, "{output:?}");
    let framework = Framework::start(options(root.path())).unwrap();
    assert_eq!(files(root.path()), before);
    assert_eq!(framework.packages().list()[0].version, "1.0.0");
    assert_eq!(framework.plugins()[0].version, "1.0.0");
}

/// The files in the plugin directory.
fn files(folder: &Path) -> Files {
    tree(&folder.join("plugins"))
        .into_iter()
        .map(|(name, (content, _))| (name, content))
        .collect()
}

fn version(packages: &Packages) -> Option<String> {
    packages.list().first().map(|info| info.version.clone())
}

/// One step, interrupted at each of its operations.
struct Case {
    step: &'static str,
    before: Option<&'static str>,
    after: Option<&'static str>,
    /// The key with which `after` can still be taken back.
    key: Option<&'static str>,
}

/// Files that are only there while a change can be taken back.
fn settled(files: &Files) -> Files {
    let visible = |(name, _): &(&String, &String)| !name.starts_with(".packages");
    files
        .iter()
        .filter(visible)
        .map(|(n, c)| (n.clone(), c.clone()))
        .collect()
}

const CASES: [Case; 6] = [
    Case {
        step: "install 1",
        before: None,
        after: Some("1"),
        key: Some("1"),
    },
    Case {
        step: "settle 1",
        before: Some("1"),
        after: Some("1"),
        key: None,
    },
    Case {
        step: "install 2",
        before: Some("1"),
        after: Some("2"),
        key: Some("2"),
    },
    Case {
        step: "revert 2",
        before: Some("2"),
        after: Some("1"),
        key: None,
    },
    Case {
        step: "settle 2",
        before: Some("2"),
        after: Some("2"),
        key: None,
    },
    Case {
        step: "remove",
        before: Some("2"),
        after: None,
        key: None,
    },
];

/// Runs every step from where the one before it led to, and `check`s it at each operation.
fn everywhere(mode: &str, check: impl Fn(&Bench, &Case, u32, &Path, &Files, &Files)) -> u32 {
    let bench = Bench::new();
    let (mut from, mut points) = ("start".to_owned(), 0);
    for case in &CASES {
        let name = case.step.replace(' ', "-");
        let whole = bench.copy(&from, &name);
        let before = files(&whole);
        let (output, log) = bench.run(case.step, &whole, 0, "none");
        assert!(output.status.success(), "{output:?}");
        assert!(
            log.len() >= 4,
            "{}: the operations are not seen: {log:?}",
            case.step
        );
        let after = files(&whole);
        for at in 1..=u32::try_from(log.len()).unwrap() {
            let cut = bench.copy(&from, "cut");
            let (output, _) = bench.run(case.step, &cut, at, mode);
            let ended = match mode {
                "before" | "after" => output.status.code().is_none(),
                _ => matches!(output.status.code(), Some(0 | REFUSED)),
            };
            assert!(ended, "{} at {at}: {output:?}", case.step);
            check(&bench, case, at, &cut, &before, &after);
            points += 1;
        }
        // After a revert the way leads on with version 2 again.
        if case.step != "revert 2" {
            from = name;
        }
    }
    points
}

/// What must be true at the next start, whatever happened.
fn whole(case: &Case, at: u32, cut: &Path, before: &Files, after: &Files) {
    let packages = open(cut);
    let now = files(cut);
    let what = format!("{} at operation {at}", case.step);
    let (old, new) = (
        settled(&now) == settled(before),
        settled(&now) == settled(after),
    );
    assert!(old || new, "{what}: a mixture: {:?}", now.keys());
    let found = version(&packages);
    let fits = |expected: bool, version: Option<&str>| expected && found.as_deref() == version;
    assert!(
        fits(old, case.before) || fits(new, case.after),
        "{what}: the ledger says {found:?}, old {old}, new {new}"
    );
    // The one who asked follows its own journal: back, or once more.
    if let Some(key) = case.key {
        packages.revert(key).unwrap();
        assert_eq!(settled(&files(cut)), settled(before), "{what}: reverted");
        assert_eq!(
            version(&packages).as_deref(),
            case.before,
            "{what}: reverted"
        );
    }
    match step(&packages, case.step, cut.parent().unwrap()) {
        Ok(()) => {}
        Err(PackageError::Unknown(_)) if case.step == "remove" => {}
        Err(e) => panic!("{what}: again: {e}"),
    }
    assert_eq!(settled(&files(cut)), settled(after), "{what}: again");
    // Nothing is left over once all is settled.
    for key in ["1", "2"] {
        packages.settle(key).unwrap();
    }
    let left = files(cut);
    assert_eq!(left, settled(&left), "{what}: litter");
    assert_eq!(left, settled(after), "{what}: litter");
}

#[test]
fn a_gateway_killed_before_any_operation_comes_up_with_the_old_package_or_the_new_one() {
    let points = everywhere("before", |_, case, at, cut, before, after| {
        whole(case, at, cut, before, after);
    });
    println!("{points} points");
}

#[test]
fn a_gateway_killed_after_any_operation_comes_up_with_the_old_package_or_the_new_one() {
    let points = everywhere("after", |_, case, at, cut, before, after| {
        whole(case, at, cut, before, after);
    });
    println!("{points} points");
}

#[test]
fn a_disk_that_fails_at_any_operation_costs_the_change_and_nothing_else() {
    // ENOSPC; it passes, so that the change itself may still succeed.
    everywhere("28", |_, case, at, cut, before, after| {
        whole(case, at, cut, before, after);
    });
}
