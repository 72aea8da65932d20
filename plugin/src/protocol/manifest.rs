//! The manifest: one line per accepted item, in the order of arrival. Both sides compute it, so
//! that nothing is applied that the platform did not mean, and nothing it meant is missing.

use openssl::sha::{sha256, Sha256};

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ManifestItem {
    line: String,
}

impl ManifestItem {
    /// An item that came as a body: `APP/resource {sha256 of the body} {length}`.
    pub fn body(resource: &str, body: &[u8]) -> Self {
        Self::of(resource, &sha256(body), body.len() as u64)
    }

    /// A downloaded file: `DEPLOY-V2/download/{name}/{version} {sha256} {length}`.
    pub fn package(name: &str, version: &str, sha256: &[u8; 32], length: u64) -> Self {
        Self::of(
            &format!("DEPLOY-V2/download/{name}/{version}"),
            sha256,
            length,
        )
    }

    fn of(resource: &str, digest: &[u8; 32], length: u64) -> Self {
        let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        ManifestItem {
            line: format!("{resource} {hex} {length}\n"),
        }
    }
}

/// The lines of the accepted items, hashed as they come.
#[derive(Clone, Default)]
pub struct Manifest {
    hash: Sha256State,
}

#[derive(Clone)]
struct Sha256State(Sha256);

impl Default for Sha256State {
    fn default() -> Self {
        Sha256State(Sha256::new())
    }
}

impl Manifest {
    /// Adds an accepted item.
    pub fn accept(&mut self, item: &ManifestItem) {
        self.hash.0.update(item.line.as_bytes());
    }

    /// SHA-256 of the lines so far.
    pub fn digest(&self) -> [u8; 32] {
        self.hash.0.clone().finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_is_that_of_the_lines_in_order() {
        let mut manifest = Manifest::default();
        assert_eq!(manifest.digest(), sha256(b""));
        manifest.accept(&ManifestItem::body("PROV-V1/certificates", b"abc"));
        manifest.accept(&ManifestItem::package("app", "1.0", &[0xab; 32], 7));
        let lines = format!(
            "PROV-V1/certificates \
             ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3\n\
             DEPLOY-V2/download/app/1.0 {} 7\n",
            "ab".repeat(32)
        );
        assert_eq!(manifest.digest(), sha256(lines.as_bytes()));
    }
}
