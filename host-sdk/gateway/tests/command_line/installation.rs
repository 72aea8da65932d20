//! What `make install` leaves, with a stand-in for the library.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::{finished, gateway};

/// Installs below `stage`, as a package is made.
fn install(stage: &Path, prefix: &str) -> Output {
    let bin = stage.join("bin");
    std::fs::create_dir_all(&bin).unwrap();
    std::fs::write(bin.join("libprovisioning_service.so"), "stand-in").unwrap();
    std::fs::copy(gateway().get_program(), bin.join("gateway")).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../packaging/install.sh");
    let mut install = Command::new(script);
    install
        .env("BIN", &bin)
        .env("PREFIX", prefix)
        .env("DESTDIR", stage.join("root"));
    finished(&mut install)
}

fn markdown(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            markdown(&path, found);
        } else if path.extension().is_some_and(|end| end == "md") {
            found.push(path);
        }
    }
}

#[test]
fn the_installed_documents_link_to_what_is_installed() {
    let stage = tempfile::tempdir().unwrap();
    let output = install(stage.path(), "/opt/gate way");
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let root = stage.path().join("root/opt/gate way");
    let mut documents = Vec::new();
    markdown(&root.join("share/doc/gwc"), &mut documents);
    for needed in [
        "README.md",
        "plugin/docs/errors.md",
        "host-sdk/gateway/README.md",
    ] {
        assert!(
            documents.contains(&root.join("share/doc/gwc").join(needed)),
            "{needed}"
        );
    }
    let mut links = 0;
    for document in documents {
        let text = std::fs::read_to_string(&document).unwrap();
        for rest in text.split("](").skip(1) {
            let link = rest.split([')', '#']).next().unwrap();
            if link.is_empty() || link.contains(':') {
                continue;
            }
            let target = document.parent().unwrap().join(link);
            assert!(target.exists(), "{}: {link} is dead", document.display());
            links += 1;
        }
    }
    assert!(links > 10, "only {links} links");

    // What it says to try can be pasted.
    let tried = said.lines().last().unwrap();
    assert!(
        tried.starts_with(r"try: /opt/gate\ way/bin/gateway run"),
        "{tried}"
    );
    assert!(
        tried.contains(r"--plugins /opt/gate\ way/lib/gwc/plugins "),
        "{tried}"
    );
    let version = finished(Command::new(root.join("bin/gateway")).arg("--version"));
    assert!(version.status.success());

    let unit = root.join("lib/systemd/system/gwc-gateway.service");
    let unit = std::fs::read_to_string(unit).unwrap();
    assert!(!unit.contains("@PREFIX@"), "{unit}");
    let start = unit
        .lines()
        .find_map(|line| line.strip_prefix("ExecStart="))
        .unwrap();
    let start = start
        .strip_prefix("\"/opt/gate way/bin/gateway\" ")
        .expect(start);
    // The command line of the unit is one: nothing but the folders is wrong with it here.
    let words = start.replace("\"/opt/gate way/lib/gwc/plugins\"", "/dev/null/plugins");
    let words = words.replace("/var/lib/gwc", "/dev/null/data");
    let run = finished(gateway().args(words.split(' ')));
    assert_eq!(
        run.status.code(),
        Some(1),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
}

#[test]
fn a_relative_prefix_is_refused_before_anything_is_copied() {
    let stage = tempfile::tempdir().unwrap();
    let output = install(stage.path(), "usr");
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("PREFIX=usr is relative"), "{said}");
    assert!(!stage.path().join("root").exists() && !stage.path().join("rootusr").exists());
}
