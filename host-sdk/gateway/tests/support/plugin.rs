//! The test plugin: built, installed, and told what to say.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::{finished, Home};

/// The pid of its component.
pub const PID: &str = "gwc.provisioning.ProvisioningService";

/// A home with the test plugin in its folder; nothing where there is no C compiler.
pub fn home() -> Option<Home> {
    let home = Home::new();
    install(&home.plugins()).then_some(home)
}

/// Builds the test plugin and puts it into the folder as a whole file.
pub fn install(folder: &Path) -> bool {
    install_with(folder, &[])
}

/// The same with defines.
pub fn install_with(folder: &Path, defines: &[&str]) -> bool {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let part = folder.join(".part");
    let mut compiler = Command::new("cc");
    compiler
        .args(defines)
        .args([
            "-std=c11",
            "-Wall",
            "-Wextra",
            "-Werror",
            "-shared",
            "-fPIC",
            "-fvisibility=hidden",
        ])
        .arg("-I")
        .arg(here.join("../../include"))
        .arg("-o")
        .arg(&part)
        .arg(here.join("tests/plugin/plugin.c"));
    if Command::new("cc").arg("--version").output().is_err() {
        println!("skipped: no C compiler");
        return false;
    }
    let output = finished(&mut compiler);
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    std::fs::rename(part, folder.join("libtest_plugin.so")).unwrap();
    true
}

/// A snapshot with the default cloud connection, whose component says `document`.
pub fn seed(home: &Home, document: &Value) -> String {
    let text = document
        .to_string()
        .replace('&', "&amp;")
        .replace('<', "&lt;");
    let instance = |pid: &str, factory: &str, extra: &str| {
        format!(
            r#"<esf:configuration pid="{pid}"><esf:properties>
            <esf:property name="service.factoryPid" array="false" encrypted="false" type="String">
            <esf:value>{factory}</esf:value></esf:property>{extra}
            </esf:properties></esf:configuration>"#
        )
    };
    let says = format!(
        r#"<esf:property name="document" array="false" encrypted="false" type="String">
        <esf:value>{text}</esf:value></esf:property>"#
    );
    let mut xml = String::from(
        r#"<?xml version="1.0" encoding="UTF-8"?>
        <esf:configurations xmlns:ocd="http://www.osgi.org/xmlns/metatype/v1.2.0"
        xmlns:esf="http://eurotech.com/esf/2.0">"#,
    );
    for pid in [
        "org.eclipse.kura.cloud.CloudService",
        "org.eclipse.kura.data.DataService",
        "org.eclipse.kura.core.data.transport.mqtt.MqttDataTransport",
    ] {
        xml.push_str(&instance(pid, pid, ""));
    }
    xml.push_str(&instance(PID, PID, &says));
    xml.push_str("</esf:configurations>");
    let path = home.path().join("seed.xml");
    std::fs::write(&path, xml).unwrap();
    path.to_str().unwrap().to_owned()
}
