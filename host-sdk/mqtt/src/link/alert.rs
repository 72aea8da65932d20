//! What a server's alert says about the client's own certificate, in words.
//!
//! Servers send these alerts for that reason only (RFC 8446, section 6.2), often after the handshake
//! is over for the client. What is wrong with the server's certificate is `verdict`'s to say. Called
//! for every error of OpenSSL.

/// The words, if the reason that OpenSSL gives (as in "tlsv1 alert unknown ca") is such an alert.
pub(super) fn of_client_certificate(reason: &str) -> Option<String> {
    let (_, alert) = reason.split_once(" alert ")?;
    let problem = match alert {
        "certificate required" | "no certificate" => {
            return Some(format!(
                "the server demands a client certificate, and was shown none ({reason})"
            ))
        }
        "unknown ca" => "comes from an authority that it does not know",
        "certificate expired" => "is out of its time",
        "certificate revoked" => "is revoked",
        "unsupported certificate" => "is of a kind or for a purpose that it does not take",
        "bad certificate" | "certificate unknown" => "cannot be accepted",
        _ => return None,
    };
    Some(format!(
        "the server refused the client certificate, which {problem} ({reason})"
    ))
}

#[cfg(test)]
mod tests {
    use super::of_client_certificate;

    #[test]
    fn an_alert_about_the_own_certificate_says_so_and_no_other_does() {
        for (reason, words) in [
            ("tlsv13 alert certificate required", "shown none"),
            ("tlsv1 alert unknown ca", "does not know"),
            ("sslv3 alert certificate expired", "out of its time"),
            ("sslv3 alert unsupported certificate", "purpose"),
        ] {
            let said = of_client_certificate(reason).unwrap_or_default();
            assert!(said.contains("client certificate"), "{said}");
            assert!(said.contains(words) && said.contains(reason), "{said}");
        }
        for reason in [
            "sslv3 alert handshake failure",
            "tlsv1 alert protocol version",
            "certificate required",
            "",
        ] {
            assert_eq!(of_client_certificate(reason), None, "{reason}");
        }
    }
}
