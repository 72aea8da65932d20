//! Who may read what a provisioning leaves behind: its owner, whatever mask the process was started
//! with; and that the owner can, at the next start.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use e2e::Site;
use provision_platform::harness::TestPlatform;
use provision_platform::pki::DeviceKey;
use provision_platform::store::NewRequest;

use super::{again, sees, succeeds};

/// Set in the process that lets everybody read what it makes, unless it takes care.
const INSIDE: &str = "GWC_TEST_OPEN_MASK";

/// What others may do with the files and folders in `folder`, and how many there are.
fn open_to_others(folder: &Path, found: &mut Vec<String>) -> usize {
    let mut number = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        number += 1;
        let mode = metadata.permissions().mode() & 0o777;
        if !metadata.is_symlink() && mode & 0o077 != 0 {
            found.push(format!("{} {mode:o}", path.display()));
        }
        if metadata.is_dir() {
            number += open_to_others(&path, found);
        }
    }
    number
}

fn is_private(site: &Site) {
    let mut found = Vec::new();
    let number = open_to_others(&site.data(), &mut found);
    assert!(number > 15, "only {number} files and folders");
    assert_eq!(found, Vec::<String>::new(), "others may use these");
}

#[test]
fn keys_journal_and_configuration_are_their_owners_alone_under_any_mask_and_serve_the_next_start() {
    if std::env::var_os(INSIDE).is_some() {
        return under_an_open_mask();
    }
    let mut command = Command::new("sh");
    command
        .args(["-c", "umask 000; exec \"$@\"", "sh"])
        .arg(std::env::current_exe().unwrap())
        .env(INSIDE, "1");
    again::run(
        command,
        "permissions::keys_journal_and_configuration_are_their_owners_alone_under_any_mask_and_serve_the_next_start",
    );
}

fn under_an_open_mask() {
    // The mask is in force, or the rest says nothing.
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("open"), "").unwrap();
    let mut open = Vec::new();
    open_to_others(folder.path(), &mut open);
    assert_eq!(open.len(), 1, "{open:?}");

    let platform = TestPlatform::start().unwrap();
    let mut site = Site::new(&platform, "gw-1", "secret").unwrap();
    fs::set_permissions(site.data(), fs::Permissions::from_mode(0o700)).unwrap();
    site.start().unwrap();
    // An attempt that is refused leaves its journal and its record.
    sees(&mut site, "broker.not-authorized");
    is_private(&site);
    // One with a key of its own and a certificate for it.
    let mut new = NewRequest::new("gw-1", "user-gw-1", "secret", "acme");
    new.device_key = Some(DeviceKey::EcP256);
    platform.create_request(&new).unwrap();
    succeeds(&mut site);
    is_private(&site);
    site.stop();
    site.start().unwrap();
    succeeds(&mut site);
    is_private(&site);
}
