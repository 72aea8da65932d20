//! The manifest: one line for each item that the device accepted, in order.

use openssl::error::ErrorStack;
use openssl::hash::{hash, MessageDigest};

/// The lines so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Manifest {
    lines: String,
}

impl Manifest {
    /// Adds an item: `path` is application and resource, such as `CONF-V1/configurations`.
    pub(crate) fn add(&mut self, path: &str, body: &[u8]) -> Result<(), ErrorStack> {
        let digest = crate::hex(&hash(MessageDigest::sha256(), body)?);
        self.add_digest(path, &digest, body.len() as u64);
        Ok(())
    }

    /// Adds an item by its SHA-256 in lower hex, and its length.
    pub(crate) fn add_digest(&mut self, path: &str, sha256: &str, length: u64) {
        self.lines.push_str(&format!("{path} {sha256} {length}\n"));
    }

    /// SHA-256 over all lines.
    pub(crate) fn digest(&self) -> Result<Vec<u8>, ErrorStack> {
        Ok(hash(MessageDigest::sha256(), self.lines.as_bytes())?.to_vec())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_digest_is_over_the_documented_lines() {
        let mut manifest = Manifest::default();
        manifest.add("PROV-V1/certificates", b"abc").unwrap();
        manifest.add("CONF-V1/configurations", b"").unwrap();
        let lines = "PROV-V1/certificates \
            ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad 3\n\
            CONF-V1/configurations \
            e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0\n";
        let expected = hash(MessageDigest::sha256(), lines.as_bytes()).unwrap();
        assert_eq!(manifest.digest().unwrap(), expected.to_vec());
    }
}
