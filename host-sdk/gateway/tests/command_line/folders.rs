//! Folders and files on the command line that are not what the user meant.

use std::process::Stdio;

use crate::support::{certificate, finished, gateway, Home};

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

#[test]
fn a_trust_anchor_is_replaced_only_if_that_is_said() {
    let home = Home::new();
    let file = home.path().join("ca.pem");
    let (first, second) = (certificate("First"), certificate("Second"));
    let import = |content: &[u8], more: &[&str]| {
        std::fs::write(&file, content).unwrap();
        let mut command = gateway();
        command.args([
            "keystore",
            "import",
            "--keystore",
            "SSLKeystore",
            "--alias",
            "ca",
        ]);
        said(command.args(more).arg("--data").arg(home.data()).arg(&file))
    };
    let listed = || {
        let mut command = gateway();
        let output = finished(
            command
                .args(["keystore", "list", "--data"])
                .arg(home.data()),
        );
        String::from_utf8(output.stdout).unwrap()
    };
    assert_eq!(import(first.as_bytes(), &[]).0, Some(0));
    assert_eq!(import(first.as_bytes(), &[]), (Some(0), String::new()));
    // Nothing of a file comes in if one of its names is taken.
    for content in [second.clone(), format!("{second}{second}")] {
        let (code, errors) = import(content.as_bytes(), &[]);
        assert_eq!(code, Some(1), "{errors}");
        assert!(
            errors.contains("SSLKeystore:ca") && errors.contains("--replace"),
            "{errors}"
        );
        assert!(listed().contains("CN=First") && !listed().contains("CN=Second"));
    }
    assert_eq!(import(second.as_bytes(), &["--replace"]).0, Some(0));
    assert!(!listed().contains("CN=First") && listed().contains("CN=Second"));
    let (code, errors) = import(format!("{second}{first}").as_bytes(), &[]);
    assert!(
        code == Some(0) && errors.contains("held 2 entries"),
        "{errors}"
    );
    assert!(listed().contains("ca-2"));
}

#[test]
fn a_certificate_in_der_is_imported_as_well() {
    let home = Home::new();
    let file = home.path().join("ca.cer");
    let pem = certificate("Binary CA");
    let der = openssl::x509::X509::from_pem(pem.as_bytes())
        .unwrap()
        .to_der()
        .unwrap();
    let import = |content: &[u8]| {
        std::fs::write(&file, content).unwrap();
        let mut command = gateway();
        command.args([
            "keystore",
            "import",
            "--keystore",
            "SSLKeystore",
            "--alias",
            "ca",
        ]);
        said(command.arg("--data").arg(home.data()).arg(&file))
    };
    let (code, errors) = import(&der[..der.len() - 1]);
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("ca.cer is neither PEM nor"), "{errors}");
    assert_eq!(import(&der), (Some(0), String::new()));
    // The very same, in the other form.
    assert_eq!(import(pem.as_bytes()), (Some(0), String::new()));
}

#[test]
fn a_seed_that_is_not_read_any_more_is_told() {
    let home = Home::new();
    let seed = home.path().join("seed.xml");
    let run = || {
        let mut run = home.run();
        said(
            run.arg("--config")
                .arg(&seed)
                .args(["--until", "provisioned", "--deadline", "1"]),
        )
    };
    let (code, errors) = run();
    assert_eq!(
        code,
        Some(1),
        "a seed that is missing at the first start: {errors}"
    );
    assert_eq!(
        said(
            home.run()
                .args(["--until", "provisioned", "--deadline", "1"])
        )
        .0,
        Some(4)
    );
    let (code, errors) = run();
    assert_eq!(code, Some(4), "{errors}");
    assert!(errors.contains("seed.xml does not exist"), "{errors}");
    std::fs::write(&seed, "").unwrap();
    let (code, errors) = run();
    assert_eq!(code, Some(4), "{errors}");
    assert!(errors.contains("seed.xml is not read"), "{errors}");
}

#[test]
fn a_data_folder_is_made_with_what_is_above_it() {
    let home = Home::new();
    let file = home.path().join("ca.pem");
    std::fs::write(&file, certificate("CA")).unwrap();
    let data = home.path().join("a/b/data");
    let mut import = gateway();
    import.args([
        "keystore",
        "import",
        "--keystore",
        "SSLKeystore",
        "--alias",
        "ca",
        "--data",
    ]);
    let (code, errors) = said(import.arg(&data).arg(&file));
    assert_eq!(code, Some(0), "{errors}");
    let mut run = gateway();
    run.args([
        "run",
        "--until",
        "provisioned",
        "--deadline",
        "1",
        "--plugins",
    ]);
    run.arg(home.plugins())
        .arg("--data")
        .arg(home.path().join("c/d/data"));
    let (code, errors) = said(&mut run);
    assert_eq!(code, Some(4), "{errors}");
}

#[test]
fn a_wrong_argument_is_answered_with_what_would_be_right() {
    let home = Home::new();
    let missing = home.path().join("nodir");
    let mut pack = gateway();
    pack.args([
        "package",
        "pack",
        "--name",
        "a",
        "--version",
        "1",
        "-o",
        "out",
    ]);
    let (code, errors) = said(pack.arg(&missing));
    assert_eq!(code, Some(1), "{errors}");
    assert!(errors.contains("nodir does not exist"), "{errors}");
    for address in ["localhost:8080", "8080"] {
        let (code, errors) = said(home.run().args(["--listen", address]));
        assert_eq!(code, Some(2), "{errors}");
        assert!(errors.contains("such as 127.0.0.1:8080"), "{errors}");
    }
    let (code, errors) = said(gateway().args(["status", "--token-file", "x"]));
    assert_eq!(code, Some(2), "{errors}");
    assert!(
        errors.contains("--url <URL>") && !errors.contains("|--token-file"),
        "{errors}"
    );
}
