//! What the tests share: the plugin in C, folders, waiting.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use gateway_host_sdk::{Framework, Options};
use serde_json::Value;

/// The longest that anything here may take.
pub const DEADLINE: Duration = Duration::from_secs(20);

/// Compiles the test plugin to `to`, with these defines.
pub fn compile(to: &Path, defines: &[&str]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let status = Command::new("cc")
        .args(["-std=c11", "-shared", "-fPIC", "-O0", "-w", "-pthread"])
        .arg("-I")
        .arg(root.join("../../include"))
        .args(defines.iter().map(|define| format!("-D{define}")))
        .arg("-o")
        .arg(to)
        .arg(root.join("tests/plugin/plugin.c"))
        .status()
        .unwrap();
    assert!(status.success());
    chmod(to, 0o755);
}

pub fn chmod(path: &Path, mode: u32) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

/// A define whose value is a C string.
pub fn text(name: &str, value: &str) -> String {
    format!("{name}=\"{value}\"")
}

/// Folders of a gateway, gone at the end.
pub struct Place {
    pub root: tempfile::TempDir,
}

impl Place {
    pub fn new() -> Place {
        let root = tempfile::tempdir().unwrap();
        let place = Place { root };
        std::fs::create_dir(place.plugins()).unwrap();
        chmod(&place.plugins(), 0o755);
        std::fs::write(
            place.root.path().join("kura.properties"),
            "kura.serialNumber=SN-42\nkura.primary.mac=AA:BB:CC:00:11:22\nkura.model.id=m1\n",
        )
        .unwrap();
        place
    }

    pub fn data(&self) -> PathBuf {
        self.root.path().join("data")
    }

    pub fn plugins(&self) -> PathBuf {
        self.root.path().join("plugins")
    }

    /// Compiles aside and moves it into the plugin directory in one step.
    pub fn drop_in(&self, name: &str, defines: &[&str]) -> PathBuf {
        let aside = self.root.path().join(format!("{name}.part"));
        compile(&aside, defines);
        let path = self.plugins().join(name);
        std::fs::rename(&aside, &path).unwrap();
        path
    }

    pub fn options(&self) -> Options {
        Options {
            data: self.data(),
            plugins: self.plugins(),
            properties: Some(self.root.path().join("kura.properties")),
            version: "9.9".to_owned(),
            ..Options::default()
        }
    }

    pub fn start(&self) -> Framework {
        Framework::start(self.options()).unwrap()
    }
}

/// Looks until there is something to see. The pauses only keep the processor free.
pub fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + DEADLINE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < end, "{what} did not happen");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The status of the test plugin, once its worker has asked everything.
pub fn answers(framework: &Framework, pid: &str) -> Value {
    until("the worker's questions", || {
        let status: Value = serde_json::from_str(&framework.status(pid)?).unwrap();
        status["answers"]["done"].is_array().then_some(status)
    })
}

/// The calls that the test plugin has written down.
pub fn calls(framework: &Framework, pid: &str) -> Vec<String> {
    let Some(status) = framework.status(pid) else {
        return Vec::new();
    };
    let status: Value = serde_json::from_str(&status).unwrap();
    let calls = status["calls"].as_array().unwrap();
    calls
        .iter()
        .map(|c| c.as_str().unwrap().to_owned())
        .collect()
}
