//! Folders and files on the command line that are not what the user meant.

use std::process::Stdio;

use crate::support::{finished, gateway, Home};

fn said(command: &mut std::process::Command) -> (Option<i32>, String) {
    let output = finished(command.stdin(Stdio::null()));
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    (output.status.code(), errors)
}

#[test]
fn a_mistyped_data_folder_is_named_and_not_made() {
    let home = Home::new();
    let (missing, empty) = (home.path().join("nodir"), home.path().join("empty"));
    std::fs::create_dir(&empty).unwrap();
    for (data, words) in [(&missing, "there is no data folder"), (&empty, "")] {
        for arguments in [
            &["keystore", "list"][..],
            &[
                "keystore",
                "remove",
                "--keystore",
                "SSLKeystore",
                "--alias",
                "a",
            ],
            &["record", "show"],
            &["record", "verify"],
        ] {
            let (code, errors) = said(gateway().args(arguments).arg("--data").arg(data));
            assert_eq!(code, Some(1), "{arguments:?}: {errors}");
            assert!(errors.contains(words), "{errors}");
            assert!(errors.contains(data.to_str().unwrap()), "{errors}");
        }
    }
    assert!(!missing.exists() && std::fs::read_dir(&empty).unwrap().next().is_none());
}

#[test]
fn a_plugin_folder_without_plugins_is_named() {
    let home = Home::new();
    let mut run = home.run();
    let (code, errors) = said(run.args(["--until", "provisioned", "--deadline", "1"]));
    assert_eq!(code, Some(4), "{errors}");
    let plugins = home.plugins();
    let line = format!("belongs into the plugin folder {}", plugins.display());
    assert!(errors.contains(&line), "{errors}");
}
