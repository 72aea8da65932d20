//! A test that runs itself again, as a process of its own in another world: under libfaketime, with
//! a library preloaded, in name spaces of its own.

use std::process::{Command, Output};

/// This test program again, for `test` alone, begun by what `command` is.
pub fn run(mut command: Command, test: &str) {
    let output = command
        .args(["--exact", "--nocapture", test])
        .output()
        .unwrap_or_else(|e| panic!("{command:?}: {e}"));
    expect_success(&output);
}

/// This test program.
pub fn program() -> Command {
    Command::new(std::env::current_exe().unwrap())
}

/// This test program, begun by `script` in name spaces of its own: a root there who may mount and
/// who has a network without anything in it. `None`, with a word, where the system forbids them.
pub fn in_name_spaces(script: &str) -> Option<Command> {
    let spaces = |script: &str| {
        let mut command = Command::new("unshare");
        command.args(["--user", "--map-root-user", "--mount", "--net"]);
        command.args(["sh", "-euc", script, "sh"]);
        command
    };
    let tried = spaces("ip link set lo up && ip link add to type veth peer name from").output();
    if !tried.is_ok_and(|output| output.status.success()) {
        println!("skipped: no name spaces with a network of their own");
        return None;
    }
    let mut command = spaces(&format!("{script}; exec \"$@\""));
    command.arg(std::env::current_exe().unwrap());
    Some(command)
}

fn expect_success(output: &Output) {
    assert!(
        output.status.success(),
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
}
