//! What a gateway keeps other users of the machine from: their libraries in it, and its memory.

use std::fs::{self, Permissions};
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{chown, MetadataExt, PermissionsExt};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Stdio;

use serde_json::Value;

use crate::support::{plugin, Home, Running};

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// The one plugin there is, as REST tells it.
fn told(home: &Home, arguments: &[&str]) -> Value {
    let running = Running::start(home, arguments);
    let (code, mut plugins) = running.get("/plugins/v1/plugins");
    assert_eq!(code, 200, "{plugins}");
    plugins["plugins"][0].take()
}

#[test]
fn a_plugin_that_others_may_change_is_refused_unless_the_operator_says_otherwise() {
    let Some(home) = plugin::home() else {
        return;
    };
    let (folder, library) = (home.plugins(), home.plugins().join("libtest_plugin.so"));
    chmod(&folder, 0o755);
    chmod(&library, 0o755);
    assert_eq!(told(&home, &[])["state"], "active");
    for (place, open, private) in [(&library, 0o757, 0o755), (&folder, 0o775, 0o755)] {
        chmod(place, open);
        let refused = told(&home, &[]);
        assert_ne!(refused["state"], "active", "{refused}");
        let reason = refused.to_string();
        for part in [
            place.to_str().unwrap(),
            "may be written by others",
            &format!("{open:o}"),
        ] {
            assert!(reason.contains(part), "{part} is not in: {reason}");
        }
        let allowed = told(&home, &["--allow-insecure-plugins"]);
        assert_eq!(allowed["state"], "active", "{allowed}");
        chmod(place, private);
    }
}

/// To whom the kernel shows the memory and the environment of a gateway of another user than root:
/// to that user, or to root alone, as of a process that is not dumpable (proc(5), prctl(2)).
fn memory_is_shown_to(arguments: &[&str], user: u32) -> Option<u32> {
    let home = Home::new();
    for folder in [home.path(), &home.plugins()] {
        chown(folder, Some(user), Some(user)).unwrap();
    }
    let mut command = home.run();
    command
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .uid(user)
        .gid(user)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped());
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(e) => {
            println!("skipped: another user may not start the gateway: {e}");
            return None;
        }
    };
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let up = lines.any(|line| line.unwrap().starts_with("console: "));
    let shown = fs::metadata(format!("/proc/{}/environ", child.id()));
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(up, "the gateway does not start");
    Some(shown.unwrap().uid())
}

#[test]
fn its_own_user_reads_the_memory_of_a_gateway_only_where_that_was_asked_for() {
    const SOMEBODY: u32 = 65_534;
    if !rustix::process::geteuid().is_root() {
        println!("skipped: only root starts a gateway of another user");
        return;
    }
    let Some(open) = memory_is_shown_to(&["--allow-core-dumps"], SOMEBODY) else {
        return;
    };
    assert_eq!(open, SOMEBODY);
    assert_eq!(memory_is_shown_to(&[], SOMEBODY), Some(0));
}
