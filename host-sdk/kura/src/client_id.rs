//! The client-id of a cloud connection: made of its configuration and the gateway's MAC address, by
//! the connection and by whoever tries beforehand whether the broker lets it in.

use crate::topic::{check_id, TopicError};

/// Why there is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClientIdError {
    /// None is configured, and the gateway has no MAC address yet.
    #[error("client-id is empty, and the primary network interface has no MAC address")]
    NoMac,
    /// What is configured can be no level of a topic.
    #[error("client-id: {0}")]
    Unfit(#[from] TopicError),
}

/// The client-id that a connection has with `configured` as `client-id` of its transport; the MAC
/// address of the primary interface, `mac`, if that is empty. Made fit for topics as Kura does it:
/// each of `/ + # .` becomes `-`.
///
/// # Errors
/// [`ClientIdError`]; control characters and more than 255 bytes do not fit.
pub fn of_connection(configured: &str, mac: Option<&str>) -> Result<String, ClientIdError> {
    let id = match configured {
        // Without the colons that Kura leaves in: its documentation and ESF know it so.
        "" => mac.and_then(bare_mac).ok_or(ClientIdError::NoMac)?,
        id => id.replace(['/', '+', '#', '.'], "-"),
    };
    check_id(&id)?;
    Ok(id)
}

/// A MAC address, with any separators, in upper case hex without them; 6 to 20 bytes, not all zero.
/// Anything else, as `UNKNOWN`, which Kura answers where it knows none, is none.
pub fn bare_mac(given: &str) -> Option<String> {
    let bare: String = given
        .trim()
        .chars()
        .filter(|c| !matches!(c, ':' | '-' | '.' | ' '))
        .map(|c| c.to_ascii_uppercase())
        .collect();
    let holds = bare.bytes().all(|b| b.is_ascii_hexdigit())
        && bare.len().is_multiple_of(2)
        && (12..=40).contains(&bare.len())
        && bare.bytes().any(|b| b != b'0');
    holds.then_some(bare)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_configured_is_made_fit_for_topics() {
        assert_eq!(of_connection("gw-1", None).unwrap(), "gw-1");
        assert_eq!(of_connection("a.b/c+d#e", None).unwrap(), "a-b-c-d-e");
        let unfit = |id: &str| matches!(of_connection(id, None), Err(ClientIdError::Unfit(_)));
        assert!(unfit("a\u{1}b") && unfit(&"x".repeat(256)));
    }

    #[test]
    fn an_empty_one_is_the_mac_address_without_separators() {
        for mac in ["aa:bb:cc:dd:ee:ff", "AA-BB-CC-DD-EE-FF", "aabb.ccdd.eeff"] {
            assert_eq!(of_connection("", Some(mac)).unwrap(), "AABBCCDDEEFF");
        }
        for mac in [None, Some("UNKNOWN"), Some("00:00:00:00:00:00"), Some("")] {
            assert_eq!(of_connection("", mac), Err(ClientIdError::NoMac), "{mac:?}");
        }
    }
}
