//! PEM as it really arrives: RFC 7468 blocks within explanatory text.
//!
//! Tolerant of what editors and mail add (UTF-8 BOM, CRLF, blanks at the ends
//! of lines, empty lines, text between blocks); strict about damage: a block that
//! does not end, a line of dashes that is no boundary, base64 that is not, bytes
//! after the DER, a block of another kind (a private key has no business in a
//! chain). It validates no chain. Called by `chain`, and by whoever reads
//! certificates or revocation lists out of a keystore.

use openssl::x509::{X509Crl, X509};

/// Why a text is not the PEM it should be; lines count from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// The text is not ASCII or UTF-8.
    #[error("the PEM text is not UTF-8")]
    NotText,
    /// There is no block in it.
    #[error("the PEM text has no block")]
    Empty,
    /// A boundary is missing or is not the one expected there.
    #[error("line {line} of the PEM text: {what}")]
    Boundary {
        /// Where.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The block is of another kind than asked for.
    #[error("line {line} of the PEM text begins a block that is no {wanted}")]
    Kind {
        /// Where it begins.
        line: usize,
        /// The label that was wanted.
        wanted: &'static str,
    },
    /// The content is not base64, or not the DER of such an object.
    #[error("the PEM block at line {line} is damaged: {what}")]
    Damaged {
        /// Where the block begins.
        line: usize,
        /// What is wrong with it.
        what: &'static str,
    },
}

struct Block {
    line: usize,
    der: Vec<u8>,
}

const BEGIN: &str = "-----BEGIN ";
const END: &str = "-----END ";
const DASHES: &str = "-----";

/// The blocks of the text, all of which must carry one of `labels`.
fn blocks(text: &[u8], labels: &[&'static str]) -> Result<Vec<Block>, PemError> {
    let text = std::str::from_utf8(text).map_err(|_| PemError::NotText)?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let wanted = labels.first().copied().unwrap_or_default();
    let mut found = Vec::new();
    let mut open: Option<(usize, &'static str, String)> = None;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        if let Some(rest) = line.strip_prefix(BEGIN) {
            let boundary = |what| PemError::Boundary { line: number, what };
            if open.is_some() {
                return Err(boundary("a block begins within a block"));
            }
            let label = rest
                .strip_suffix(DASHES)
                .ok_or_else(|| boundary("this begins a block, but does not end in five dashes"))?;
            let label = labels
                .iter()
                .find(|known| **known == label)
                .ok_or(PemError::Kind {
                    line: number,
                    wanted,
                })?;
            open = Some((number, label, String::new()));
        } else if let Some(rest) = line.strip_prefix(END) {
            let boundary = |what| PemError::Boundary { line: number, what };
            let (start, label, base64) = open
                .take()
                .ok_or_else(|| boundary("a block ends that did not begin"))?;
            if rest.strip_suffix(DASHES) != Some(label) {
                return Err(boundary("the block ends with another label"));
            }
            found.push(Block {
                line: start,
                der: decode(&base64, start)?,
            });
        } else if line.starts_with('-') && (line.contains("BEGIN") || line.contains("END")) {
            return Err(PemError::Boundary {
                line: number,
                what: "this is nearly a boundary, but none",
            });
        } else if let Some((_, _, base64)) = &mut open {
            base64.push_str(line);
        }
    }
    match open {
        Some((line, ..)) => Err(PemError::Boundary {
            line,
            what: "the block that begins here does not end",
        }),
        None if found.is_empty() => Err(PemError::Empty),
        None => Ok(found),
    }
}

/// Strict base64: OpenSSL's decoder alone would take padding in the middle.
fn decode(base64: &str, line: usize) -> Result<Vec<u8>, PemError> {
    let damaged = |what| PemError::Damaged { line, what };
    let digits = base64.trim_end_matches('=');
    let padding = base64.len() - digits.len();
    let is_digit = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    if digits.is_empty() {
        return Err(damaged("it is empty"));
    }
    if padding > 2 || !base64.len().is_multiple_of(4) || !digits.bytes().all(is_digit) {
        return Err(damaged("its content is not base64"));
    }
    openssl::base64::decode_block(base64).map_err(|_| damaged("its content is not base64"))
}

/// The certificates of a PEM text, in its order.
///
/// # Errors
/// [`PemError`]; the first thing that is wrong, wherever it stands.
pub fn certificates(text: &[u8]) -> Result<Vec<X509>, PemError> {
    blocks(text, &["CERTIFICATE", "X509 CERTIFICATE"])?
        .iter()
        .map(|block| {
            let damaged = |what| PemError::Damaged {
                line: block.line,
                what,
            };
            let certificate =
                X509::from_der(&block.der).map_err(|_| damaged("it is no X.509 certificate"))?;
            // d2i stops at the end of the outer SEQUENCE and would hide what follows.
            match certificate.to_der() {
                Ok(der) if der == block.der => Ok(certificate),
                _ => Err(damaged("it is not exactly one certificate in DER")),
            }
        })
        .collect()
}

/// The revocation lists of a PEM text, in its order.
///
/// # Errors
/// [`PemError`], as for [`certificates`].
pub fn revocation_lists(text: &[u8]) -> Result<Vec<X509Crl>, PemError> {
    blocks(text, &["X509 CRL"])?
        .iter()
        .map(|block| {
            X509Crl::from_der(&block.der).map_err(|_| PemError::Damaged {
                line: block.line,
                what: "it is no X.509 revocation list",
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;
    use crate::fixtures::Ca;

    fn pem() -> String {
        String::from_utf8(Ca::root("Root").certificate.to_pem().unwrap()).unwrap()
    }

    #[test]
    fn what_editors_and_mail_add_is_tolerated() {
        let pem = pem();
        let crlf = pem.replace('\n', "\r\n");
        let blanks = pem.replace('\n', "  \t\n\n");
        for text in [
            format!("\u{feff}{pem}"),
            crlf,
            blanks,
            format!("subject: somebody\n{pem}\n# and the second\n{pem}the end"),
            pem.trim_end().to_owned(),
        ] {
            assert!(certificates(text.as_bytes()).is_ok(), "{text}");
        }
    }

    #[test]
    fn damage_is_refused_with_its_line() {
        let pem = pem();
        let lines: Vec<&str> = pem.lines().collect();
        let cut = lines[..lines.len() - 1].join("\n");
        let no_begin = lines[1..].join("\n");
        let four_dashes = pem.replacen('-', "", 1);
        let missing_line = [&lines[..2], &lines[3..]].concat().join("\n");
        let no_base64 = pem.replacen("MII", "M!I", 1);
        let padding_inside = pem.replacen("MII", "M=I", 1);
        let nested = format!("{}\n{pem}", lines[0]);
        for text in [
            cut,
            no_begin,
            four_dashes,
            missing_line,
            no_base64,
            padding_inside,
            nested,
        ] {
            let error = certificates(text.as_bytes()).unwrap_err();
            assert!(
                matches!(error, PemError::Boundary { .. } | PemError::Damaged { .. }),
                "{error}: {text}"
            );
        }
        assert_eq!(certificates(b"no block").unwrap_err(), PemError::Empty);
        assert_eq!(certificates(&[0xff, 0xfe]).unwrap_err(), PemError::NotText);
        assert_eq!(
            certificates(cut_tail(&pem).as_bytes())
                .unwrap_err()
                .to_string(),
            "line 1 of the PEM text: the block that begins here does not end"
        );
    }

    fn cut_tail(pem: &str) -> &str {
        pem.split("-----END").next().unwrap()
    }

    #[test]
    fn bytes_after_the_certificate_are_damage() {
        let mut der = Ca::root("Root").certificate.to_der().unwrap();
        der.extend([0, 0, 0]);
        let text = format!(
            "-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n",
            openssl::base64::encode_block(&der)
        );
        assert!(matches!(
            certificates(text.as_bytes()),
            Err(PemError::Damaged { line: 1, .. })
        ));
    }

    #[test]
    fn a_private_key_among_certificates_is_refused_unquoted() {
        let ca = Ca::root("Root");
        let key = String::from_utf8(ca.key.private_key_to_pem_pkcs8().unwrap()).unwrap();
        let error = certificates(format!("{}{key}", pem()).as_bytes()).unwrap_err();
        assert!(matches!(error, PemError::Kind { .. }));
        assert!(!error.to_string().contains("PRIVATE"));
    }
}
