//! Standard output that cannot be written, or that nobody reads any more.

use std::fs::File;
use std::process::{Output, Stdio};

use crate::support::{gateway, wait, Home};

fn list(home: &Home, arguments: &[&str], stdout: Stdio) -> Output {
    let mut command = gateway();
    command
        .args(["keystore", "list", "--data"])
        .arg(home.data());
    command
        .args(arguments)
        .stdout(stdout)
        .stderr(Stdio::piped());
    wait(command.spawn().unwrap())
}

#[test]
fn an_output_that_is_lost_is_a_failure_unless_the_reader_went_away() {
    let home = Home::new();
    std::fs::create_dir_all(home.data().join("keystores")).unwrap();
    for arguments in [&[][..], &["--json"]] {
        let full = File::options().write(true).open("/dev/full").unwrap();
        let output = list(&home, arguments, full.into());
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(
            said.contains("standard output cannot be written: No space"),
            "{said}"
        );

        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let output = list(&home, arguments, writer.into());
        assert_eq!(output.status.code(), Some(0), "{:?}", output.stderr);
        assert!(output.stderr.is_empty());
    }
}
