//! What `DEPLOY-V2` says of a package: its name and version, and the hash of its file. For the
//! component, to which packages come in a provisioning, and for the host, to which they come later.

use std::fmt;
use std::str::FromStr;

/// How a file is recognised: `dp.download.hash`, in Kura's form `ALGORITHM:hex`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileHash {
    algorithm: HashAlgorithm,
    digest: Vec<u8>,
}

/// SHA-256 or better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HashAlgorithm {
    /// 32 bytes.
    Sha256,
    /// 48 bytes.
    Sha384,
    /// 64 bytes.
    Sha512,
}

/// Why a text is no hash; goes on behind the name of what it is the value of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// No colon.
    #[error("is not ALGORITHM:hex")]
    Form,
    /// MD5, SHA-1, or something else.
    #[error("is weaker than SHA-256, or unknown")]
    Algorithm,
    /// Other characters, or not as many as there must be.
    #[error("has not the hex digits that its algorithm makes")]
    Digits,
}

impl HashAlgorithm {
    /// The length of a digest, in bytes.
    pub fn size(self) -> usize {
        match self {
            HashAlgorithm::Sha256 => 32,
            HashAlgorithm::Sha384 => 48,
            HashAlgorithm::Sha512 => 64,
        }
    }
}

impl FileHash {
    /// By which function.
    pub fn algorithm(&self) -> HashAlgorithm {
        self.algorithm
    }

    /// The digest of the file, as long as the function makes it.
    pub fn digest(&self) -> &[u8] {
        &self.digest
    }
}

impl FromStr for FileHash {
    type Err = HashError;

    fn from_str(given: &str) -> Result<FileHash, HashError> {
        let (algorithm, hex) = given.split_once(':').ok_or(HashError::Form)?;
        let algorithm = match algorithm.to_ascii_uppercase().as_str() {
            "SHA-256" | "SHA256" => HashAlgorithm::Sha256,
            "SHA-384" | "SHA384" => HashAlgorithm::Sha384,
            "SHA-512" | "SHA512" => HashAlgorithm::Sha512,
            _ => return Err(HashError::Algorithm),
        };
        let nibble = |b: &u8| {
            let digit = char::from(*b).to_digit(16)?;
            u8::try_from(digit).ok()
        };
        let byte = |pair: &[u8]| match pair {
            [high, low] => Some(nibble(high)? << 4 | nibble(low)?),
            _ => None,
        };
        let digest: Option<Vec<u8>> = hex.as_bytes().chunks(2).map(byte).collect();
        match digest {
            Some(digest) if digest.len() == algorithm.size() => Ok(FileHash { algorithm, digest }),
            _ => Err(HashError::Digits),
        }
    }
}

impl fmt::Display for HashAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            HashAlgorithm::Sha256 => "SHA-256",
            HashAlgorithm::Sha384 => "SHA-384",
            HashAlgorithm::Sha512 => "SHA-512",
        })
    }
}

/// As it is read; lower hex.
impl fmt::Display for FileHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:", self.algorithm)?;
        self.digest
            .iter()
            .try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Whether a text can be the name or the version of a package, which become parts of file names:
/// `[A-Za-z0-9._-]{1,255}`, not `.` or `..`.
pub fn is_plain(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"._-".contains(&b);
    (1..=255).contains(&text.len()) && text.bytes().all(plain) && text != "." && text != ".."
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_hash_is_read_in_any_case_and_written_in_one() {
        for (name, size) in [
            ("SHA-256", 32),
            ("sha256", 32),
            ("Sha-384", 48),
            ("SHA512", 64),
        ] {
            let hash: FileHash = format!("{name}:{}", "aF".repeat(size)).parse().unwrap();
            assert_eq!(hash.digest(), vec![0xaf; size]);
            assert_eq!(hash.algorithm().size(), size);
            let written = hash.to_string();
            assert!(written.ends_with("af") && written.starts_with("SHA-"));
            assert_eq!(written.parse(), Ok(hash));
        }
    }

    #[test]
    fn what_is_no_hash_says_why() {
        let digits = |count: usize| "0".repeat(count);
        for (given, error) in [
            (String::new(), HashError::Form),
            (digits(64), HashError::Form),
            (format!("MD5:{}", digits(32)), HashError::Algorithm),
            (format!("SHA-1:{}", digits(40)), HashError::Algorithm),
            (format!(" SHA-256:{}", digits(64)), HashError::Algorithm),
            (format!(":{}", digits(64)), HashError::Algorithm),
            ("SHA-256:".to_owned(), HashError::Digits),
            (format!("SHA-256:{}", digits(62)), HashError::Digits),
            (format!("SHA-256:{}", digits(63)), HashError::Digits),
            (format!("SHA-256:{}", digits(65)), HashError::Digits),
            (format!("SHA-256:{}", digits(96)), HashError::Digits),
            (format!("SHA-512:{}", digits(64)), HashError::Digits),
            (format!("SHA-256:{}g", digits(63)), HashError::Digits),
            (format!("SHA-256:{}\n", digits(64)), HashError::Digits),
            (format!("SHA-256:{}", "+0".repeat(32)), HashError::Digits),
            (format!("SHA-256:{}", "é".repeat(32)), HashError::Digits),
            (format!("SHA-256:0x{}", digits(62)), HashError::Digits),
        ] {
            assert_eq!(given.parse::<FileHash>(), Err(error), "{given:?}");
        }
    }

    #[test]
    fn names_and_versions_are_plain() {
        for good in ["heater", "1.0.300", "a_b-c", &"x".repeat(255)] {
            assert!(is_plain(good), "{good}");
        }
        for bad in ["", ".", "..", "a/b", "a b", "é", &"x".repeat(256)] {
            assert!(!is_plain(bad), "{bad:?}");
        }
    }
}
