//! A folder that cannot be written, and a file system that is full.

use std::fs;
use std::process::Command;
use std::time::Duration;

use e2e::site::{state, PID};
use e2e::Site;
use provision_platform::behaviour::Behaviour;
use provision_platform::harness::TestPlatform;

use super::{sees, succeeds};

/// Where the child finds the folder of its gateway's temporary files.
const SMALL: &str = "GWC_TEST_SMALL_DISK";

const DEADLINE: Duration = Duration::from_secs(30);

#[test]
fn a_damaged_folder_is_named_and_mended() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    // Permissions do not stop root; a file where the folder belongs stops anybody.
    let folder = site.data().join("components").join(PID);
    fs::create_dir_all(folder.parent().unwrap()).unwrap();
    fs::write(&folder, "").unwrap();
    site.start().unwrap();
    sees(&mut site, "storage.unwritable");
    fs::remove_file(&folder).unwrap();
    succeeds(&mut site);
}

/// Runs itself again, in a name space of its own where the temporary folder is a disk of 512 KiB.
#[test]
fn a_full_disk_is_told_before_anything_is_sent_and_mended() {
    if std::env::var_os(SMALL).is_some() {
        return on_a_small_disk();
    }
    let test = std::env::current_exe().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let inside = |script: &str| {
        let mut command = Command::new("unshare");
        command
            .args(["--user", "--map-root-user", "--mount", "sh", "-c", script])
            .arg("sh")
            .arg(folder.path())
            .arg(&test);
        command.env(SMALL, folder.path());
        command.output()
    };
    let mount = "mount -t tmpfs -o size=512k tmpfs \"$1\"";
    if !inside(mount).is_ok_and(|output| output.status.success()) {
        println!("skipped: no name spaces for an own disk");
        return;
    }
    let output = inside(
        "exec \"$2\" --exact --nocapture \
         storage::a_full_disk_is_told_before_anything_is_sent_and_mended",
    )
    .unwrap();
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}

fn on_a_small_disk() {
    let platform = TestPlatform::start().unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    let disk = site.data().join("components").join(PID);
    fs::create_dir_all(&disk).unwrap();
    let mounted = |arguments: &[&str]| {
        let mut command = Command::new("mount");
        let status = command.args(arguments).arg(&disk).status().unwrap();
        assert!(status.success());
    };
    mounted(&["-t", "tmpfs", "-o", "size=512k,mode=0700", "tmpfs"]);
    site.start().unwrap();
    let status = sees(&mut site, "storage.full");
    assert_eq!(status["attempt"], 0);
    mounted(&["-o", "remount,size=16m"]);
    succeeds(&mut site);
}

/// What the host cannot write while it applies is undone, told, and made good by saving again.
#[test]
fn a_host_that_cannot_write_its_configuration_applies_nothing() {
    let platform = TestPlatform::start().unwrap();
    platform
        .behave(Behaviour {
            delay: Duration::from_millis(500),
            ..Behaviour::default()
        })
        .unwrap();
    platform.request("gw-1", "secret").unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    site.start().unwrap();
    site.wait("the platform's first words", DEADLINE, |status| {
        state(status) == "receiving"
    })
    .unwrap();
    let before = site.world().unwrap();
    let (folder, away) = (site.data().join("snapshots"), site.data().join("away"));
    fs::rename(&folder, &away).unwrap();
    fs::write(&folder, "").unwrap();
    // Neither applied nor, as yet, taken back: the host cannot write. It says so and goes on trying.
    let unwritable = |status: &serde_json::Value| {
        e2e::site::error_code(status) == "storage.unwritable" && state(status) == "rolling-back"
    };
    site.wait("the refusal of the host", DEADLINE, unwritable)
        .unwrap();
    fs::remove_file(&folder).unwrap();
    fs::rename(&away, &folder).unwrap();
    site.wait("the end of the undoing", DEADLINE, |status| {
        state(status) == "waiting"
    })
    .unwrap();
    assert_eq!(site.world().unwrap(), before);
    succeeds(&mut site);
}
