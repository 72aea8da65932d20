//! Where a running gateway's REST interface is found, and what opens it.
//!
//! `gateway run --listen` records its address and a random token in the data folder,
//! readable by its owner only; the other commands and the tests read them there. The
//! token is the only credential of the interface: whoever may read the data folder may
//! configure the gateway, over REST as by editing its files.

use std::io;
use std::path::{Path, PathBuf};

use gateway_component_abi::value::Secret;
use serde::{Deserialize, Serialize};
use thiserror::Error;
use zeroize::Zeroizing;

/// Name of the record in the data folder.
const FILE: &str = "rest.json";

/// Why there is no way in.
#[derive(Debug, Error)]
pub enum DoorError {
    /// No gateway with a REST interface runs on this data folder.
    #[error("no gateway with --listen runs on {0} (there is no {FILE} in it)")]
    Closed(PathBuf),
    /// The record cannot be read or written.
    #[error("{path} cannot be used")]
    File {
        /// The record.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The record is damaged.
    #[error("{path} is not a record of a running gateway")]
    Damaged {
        /// The record.
        path: PathBuf,
        /// Why.
        #[source]
        source: serde_json::Error,
    },
    /// No randomness.
    #[error("the system gives no random bytes for a token")]
    Random(#[source] io::Error),
}

/// The bearer token: 256 random bits in lower hex. Prints as `***`.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(from = "String", into = "String")]
pub struct Token(Secret);

impl From<String> for Token {
    fn from(text: String) -> Token {
        Token(Secret::new(text))
    }
}

impl From<Token> for String {
    fn from(token: Token) -> String {
        token.expose().to_owned()
    }
}

impl Token {
    /// A token nobody can guess.
    ///
    /// # Errors
    /// [`DoorError::Random`].
    pub fn random() -> Result<Token, DoorError> {
        let mut bytes = Zeroizing::new([0u8; 32]);
        let mut filled = 0;
        while let Some(rest) = bytes.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            filled += rustix::rand::getrandom(rest, rustix::rand::GetRandomFlags::empty())
                .map_err(|e| DoorError::Random(e.into()))?;
        }
        let mut text = Zeroizing::new(String::with_capacity(64));
        for byte in bytes.iter() {
            use std::fmt::Write as _;
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Token(Secret::from(text.as_str())))
    }

    /// A token somebody handed in.
    #[must_use]
    pub fn given(text: &str) -> Token {
        Token(Secret::from(text.trim()))
    }

    /// The token itself. For the one header and the one link that carry it.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose()
    }

    /// Whether `offered` is this token, in time that does not depend on where they differ.
    #[must_use]
    pub fn opens(&self, offered: &str) -> bool {
        self.0.matches(offered)
    }
}

/// Address and token of a running gateway.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Door {
    /// `http://127.0.0.1:8080`, without a slash at the end.
    pub url: String,
    /// What opens it.
    pub token: Token,
}

impl Door {
    /// Records this door in the data folder, mode 0600.
    ///
    /// # Errors
    /// [`DoorError::File`].
    pub fn record(&self, data: &Path) -> Result<(), DoorError> {
        let path = data.join(FILE);
        let text = serde_json::to_vec(self)
            .map(Zeroizing::new)
            .map_err(|source| DoorError::Damaged {
                path: path.clone(),
                source,
            })?;
        durable_file::write(&path, &text).map_err(|source| DoorError::File { path, source })
    }

    /// Takes the record away. A record that is gone already is no error.
    pub fn forget(data: &Path) {
        if let Err(e) = durable_file::remove(&data.join(FILE)) {
            log::warn!(
                "the record of the REST address stays in {}: {e}",
                data.display()
            );
        }
    }

    /// The door of the gateway that runs on `data`. It may have been left by a gateway
    /// that was killed; then nobody answers.
    ///
    /// # Errors
    /// [`DoorError::Closed`] where there is none, and the others.
    pub fn find(data: &Path) -> Result<Door, DoorError> {
        let path = data.join(FILE);
        match durable_file::read(&path) {
            Ok(text) => {
                serde_json::from_slice(&text).map_err(|source| DoorError::Damaged { path, source })
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                Err(DoorError::Closed(data.to_owned()))
            }
            Err(source) => Err(DoorError::File { path, source }),
        }
    }

    /// The link to the web page: the token is in its fragment, which browsers never send.
    #[must_use]
    pub fn link(&self) -> Zeroizing<String> {
        Zeroizing::new(format!("{}/#token={}", self.url, self.token.expose()))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::os::unix::fs::PermissionsExt;

    use std::fs;

    use super::*;

    #[test]
    fn the_record_is_for_its_owner_and_is_found_again() {
        let data = tempfile::tempdir().unwrap();
        let door = Door {
            url: "http://127.0.0.1:1".into(),
            token: Token::random().unwrap(),
        };
        door.record(data.path()).unwrap();
        let mode = fs::metadata(data.path().join(FILE))
            .unwrap()
            .permissions()
            .mode();
        assert_eq!(mode & 0o777, 0o600);
        let found = Door::find(data.path()).unwrap();
        assert!(door.token.opens(found.token.expose()));
        Door::forget(data.path());
        assert!(matches!(Door::find(data.path()), Err(DoorError::Closed(_))));
    }

    #[test]
    fn only_the_whole_token_opens() {
        let token = Token::random().unwrap();
        assert_eq!(token.expose().len(), 64);
        assert!(!token.opens(""));
        assert!(!token.opens(token.expose().get(..63).unwrap()));
        assert!(!token.opens(Token::random().unwrap().expose()));
        let copy = token.expose().to_owned();
        assert!(token.opens(&copy));
    }

    #[test]
    fn a_token_never_prints() {
        let door = Door {
            url: "u".into(),
            token: Token::given("canary"),
        };
        assert!(!format!("{door:?}").contains("canary"));
    }
}
