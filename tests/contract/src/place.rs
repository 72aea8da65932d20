//! Where things are.

use std::path::{Path, PathBuf};

/// Names a library to test instead of the one of this build: a path.
pub const LIBRARY_VARIABLE: &str = "GWC_PLUGIN_LIBRARY";

const LIBRARY: &str = "libprovisioning_service.so";

/// The shared library of this build, absolute.
///
/// This crate depends on `provisioning-service`, so Cargo builds the library into `deps` before
/// anything that calls this runs. (The copy one folder up is made only when somebody builds the
/// component itself; it may be an old one, and is not looked at.) The environment variable
/// `GWC_PLUGIN_LIBRARY` overrides it, for a library that is installed or built elsewhere.
///
/// # Panics
/// If there is no such file.
pub fn plugin_library() -> PathBuf {
    if let Some(path) = std::env::var_os(LIBRARY_VARIABLE) {
        let path = PathBuf::from(path);
        return path
            .canonicalize()
            .unwrap_or_else(|e| panic!("{LIBRARY_VARIABLE}={}: {e}", path.display()));
    }
    let executable = std::env::current_exe().expect("the path of the test itself");
    // Tests are in PROFILE/deps, examples in PROFILE/examples, binaries in PROFILE.
    executable
        .ancestors()
        .skip(1)
        .take(2)
        .flat_map(|folder| [folder.join(LIBRARY), folder.join("deps").join(LIBRARY)])
        .find(|path| path.parent().is_some_and(|folder| folder.ends_with("deps")) && path.is_file())
        .unwrap_or_else(|| {
            panic!(
                "no {LIBRARY} in the deps folder beside {}",
                executable.display()
            )
        })
}

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this crate is two folders below the root")
        .to_owned()
}
