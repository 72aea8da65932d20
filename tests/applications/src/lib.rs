//! Packages for tests and demonstrations: the example application in `heater/`, built with the
//! system's C compiler, and as many others of its kind as a test needs.
//!
//! Each has its own name, version, library and factory pid, so that several can be installed side
//! by side. Who calls it: the tests of framework and gateway, and whole-system tests. It is test
//! code throughout: it panics where a test would.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod large;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use gateway_host_sdk::packages::pack;

/// The factory pid in the sources, which stands for each application's own.
const FACTORY: &str = "com.example.Heater";

/// An application that can be built and packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Application {
    /// Name of the package.
    pub name: String,
    /// Its version, and that of its plugin.
    pub version: String,
    /// What its library makes.
    pub factory_pid: String,
    defines: Vec<String>,
    described: Option<String>,
}

impl Application {
    /// The heater as it lies there, in some version.
    pub fn heater(version: &str) -> Application {
        Application {
            name: "heater".to_owned(),
            version: version.to_owned(),
            factory_pid: FACTORY.to_owned(),
            defines: Vec::new(),
            described: None,
        }
    }

    /// One of its kind under another name, which is one of a package: the factory pid is
    /// `com.example.NAME`.
    pub fn named(name: &str, version: &str) -> Application {
        Application {
            name: name.to_owned(),
            factory_pid: format!("com.example.{name}"),
            ..Application::heater(version)
        }
    }

    /// `app-1` to `app-N`, all of that version.
    pub fn several(count: usize, version: &str) -> Vec<Application> {
        (1..=count)
            .map(|n| Application::named(&format!("app-{n}"), version))
            .collect()
    }

    /// Built with one more define, such as `HEATER_UNLINKED` (see `heater/heater.c`).
    #[must_use]
    pub fn with(mut self, define: &str) -> Application {
        self.defines.push(define.to_owned());
        self
    }

    /// With a descriptor, in the library and beside it, of something else.
    #[must_use]
    pub fn describing(mut self, factory_pid: &str) -> Application {
        self.described = Some(factory_pid.to_owned());
        self
    }

    /// The file name of its library.
    pub fn library_name(&self) -> String {
        format!("lib{}.so", self.name)
    }

    /// Where its descriptor is, in the package and in the plugin directory.
    pub fn metatype_path(&self) -> String {
        format!("metatype/{}.xml", self.factory_pid)
    }

    /// Its metatype descriptor.
    pub fn metatype(&self) -> String {
        let path = sources().join(format!("metatype/{FACTORY}.xml"));
        let xml = std::fs::read_to_string(path).expect("the descriptor of the heater");
        let described = self.described.as_deref().unwrap_or(&self.factory_pid);
        xml.replace(FACTORY, described)
    }

    /// Its library, built now.
    ///
    /// # Panics
    /// With what the compiler says, if it refuses.
    pub fn library(&self) -> Vec<u8> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (xml, library) = (folder.path().join("m.xml"), folder.path().join("lib.so"));
        std::fs::write(&xml, self.metatype()).expect("the temporary folder is writable");
        let compiler = std::env::var_os("CC").unwrap_or_else(|| OsString::from("cc"));
        let output = Command::new(compiler)
            .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-O1", "-pthread"])
            .args(["-shared", "-fPIC", "-fvisibility=hidden"])
            .arg("-I")
            .arg(sources().join("../../../include"))
            .arg(format!("-DHEATER_METATYPE=\"{}\"", xml.display()))
            .arg(format!("-DHEATER_FACTORY=\"{}\"", self.factory_pid))
            .arg(format!("-DHEATER_VERSION=\"{}\"", self.version))
            .args(self.defines.iter().map(|define| format!("-D{define}")))
            .arg("-o")
            .arg(&library)
            .arg(sources().join("heater.c"))
            .output()
            .expect("the system has a C compiler");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        std::fs::read(&library).expect("the library that was built")
    }

    /// What is in its package.
    pub fn files(&self) -> Vec<(String, Vec<u8>)> {
        vec![
            (self.library_name(), self.library()),
            (self.metatype_path(), self.metatype().into_bytes()),
        ]
    }

    /// Its package, built and packed now.
    pub fn archive(&self) -> Vec<u8> {
        let mut archive = Vec::new();
        pack(&self.name, &self.version, &self.files(), &mut archive).expect("a good package");
        archive
    }

    /// Writes its package into a folder, as `NAME-VERSION.tar.gz`.
    pub fn write(&self, folder: &Path) -> PathBuf {
        let path = folder.join(format!("{}-{}.tar.gz", self.name, self.version));
        std::fs::write(&path, self.archive()).expect("the folder is writable");
        path
    }
}

fn sources() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("heater")
}
