//! `EXEC DEPLOY-V2/download`, with the metrics of Kura's `CloudDeploymentHandlerV2`.
//!
//! Narrower than Kura's: the hash is mandatory, and what a transaction cannot take back (a system
//! update, a reboot) or cannot mean (a download that is not installed) is refused rather than
//! ignored.

use gateway_component_abi::value::Secret;
use kura_formats::deploy::{is_plain, FileHash, HashError};
use kura_formats::payload::Payload;

use super::metric::{self, malformed};
use crate::diagnosis::Fault;

/// The longest address, in bytes.
const MAX_URI: usize = 2048;

/// A package to download.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Download {
    /// `dp.uri`: `http://` or `https://`, printable ASCII, without user name and password.
    pub uri: String,
    /// `dp.name`: `[A-Za-z0-9._-]{1,255}`, not `.` or `..`.
    pub name: String,
    /// `dp.version`: likewise.
    pub version: String,
    /// `job.id`, which the notifications repeat.
    pub job_id: i64,
    /// `dp.download.hash`.
    pub hash: FileHash,
    /// `dp.download.username` and `dp.download.password`, where a user name is given.
    pub credentials: Option<(String, Secret)>,
}

pub(super) fn download(payload: &Payload) -> Result<Download, Fault> {
    let uri = uri(metric::required_text(payload, "dp.uri")?)?;
    if let Some(protocol) = metric::text(payload, "dp.download.protocol")? {
        let scheme = uri.split_once("://").map_or("", |(scheme, _)| scheme);
        if !protocol.eq_ignore_ascii_case(scheme) {
            return Err(malformed(format!(
                "metric dp.download.protocol is {protocol:?}, but dp.uri begins with {scheme}://"
            )));
        }
    }
    for (name, only) in [
        ("dp.install.system.update", false),
        ("dp.reboot", false),
        ("dp.install", true),
    ] {
        if metric::flag(payload, name, only)? != only {
            return Err(malformed(format!(
                "metric {name} must be {only} in a provisioning"
            )));
        }
    }
    let username = metric::text(payload, "dp.download.username")?.unwrap_or_default();
    let password = metric::text(payload, "dp.download.password")?.unwrap_or_default();
    Ok(Download {
        uri,
        name: part(payload, "dp.name")?,
        version: part(payload, "dp.version")?,
        job_id: metric::required_int64(payload, "job.id")?,
        hash: metric::required_text(payload, "dp.download.hash")?
            .parse()
            .map_err(|e: HashError| malformed(format!("metric dp.download.hash {e}")))?,
        credentials: (!username.is_empty()).then(|| (username.to_owned(), Secret::from(password))),
    })
}

fn uri(given: &str) -> Result<String, Fault> {
    let wrong = |what: &str| malformed(format!("metric dp.uri {what}"));
    let Some((scheme, rest)) = given.split_once("://") else {
        return Err(wrong("is no address"));
    };
    if !scheme.eq_ignore_ascii_case("http") && !scheme.eq_ignore_ascii_case("https") {
        return Err(wrong("begins neither with http:// nor with https://"));
    }
    if given.len() > MAX_URI || !given.bytes().all(|b| b.is_ascii_graphic()) {
        return Err(wrong("is not up to 2048 bytes of printable ASCII"));
    }
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.is_empty() || authority.starts_with(':') {
        return Err(wrong("names no host"));
    }
    if authority.contains('@') {
        return Err(wrong("holds a user name; dp.download.username is for that"));
    }
    Ok(given.to_owned())
}

/// A name or version: it becomes a part of a file's name and of a line of the manifest.
fn part(payload: &Payload, name: &str) -> Result<String, Fault> {
    let value = metric::required_text(payload, name)?;
    if is_plain(value) {
        Ok(value.to_owned())
    } else {
        Err(malformed(format!(
            "metric {name} is not 1 to 255 letters, digits, . _ and -"
        )))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use kura_formats::deploy::HashAlgorithm;

    use super::*;
    use crate::diagnosis::Code;

    fn whole() -> Payload {
        Payload::new()
            .with_metric("dp.uri", "https://files.example/heater.dp")
            .with_metric("dp.name", "heater")
            .with_metric("dp.version", "1.0.300")
            .with_metric("dp.download.protocol", "HTTPS")
            .with_metric("job.id", 42i64)
            .with_metric("dp.install.system.update", false)
            .with_metric("dp.download.hash", format!("SHA-256:{}", "0aF1".repeat(16)))
    }

    #[test]
    fn a_download_is_read() {
        let read = download(&whole()).unwrap();
        assert_eq!(read.name, "heater");
        assert_eq!(read.version, "1.0.300");
        assert_eq!(read.job_id, 42);
        assert_eq!(read.hash.algorithm(), HashAlgorithm::Sha256);
        assert_eq!(read.hash.digest(), [0x0a, 0xf1].repeat(16));
        assert_eq!(read.credentials, None);
        let with = whole()
            .with_metric("dp.download.username", "u")
            .with_metric("dp.download.password", "p4ss");
        let read = download(&with).unwrap();
        assert!(!format!("{read:?}").contains("p4ss"));
        assert_eq!(read.credentials, Some(("u".into(), Secret::from("p4ss"))));
    }

    #[test]
    fn what_is_needed_is_missed_by_name() {
        for name in [
            "dp.uri",
            "dp.name",
            "dp.version",
            "job.id",
            "dp.download.hash",
        ] {
            let mut without = whole();
            without.metrics.retain(|m| m.name != name);
            let fault = download(&without).unwrap_err();
            assert_eq!(fault.code, Code::ProtocolMalformed);
            assert!(fault.message.contains(name), "{fault}");
        }
        let mut without = whole();
        without.metrics.retain(|m| m.name != "dp.download.protocol");
        assert!(download(&without).is_ok());
    }

    #[test]
    fn texts_out_of_bounds_are_refused_by_name() {
        let long_part = "v".repeat(256);
        let long_uri = format!("http://h/{}", "x".repeat(MAX_URI));
        for (name, value) in [
            ("dp.uri", "ftp://h/x"),
            ("dp.uri", "h/x"),
            ("dp.uri", "http:///x"),
            ("dp.uri", "http://:80/x"),
            ("dp.uri", "http://u:p@h/x"),
            ("dp.uri", "http://h/a b"),
            ("dp.uri", "http://h/\r\nHost: x"),
            ("dp.uri", "http://h/é"),
            ("dp.uri", long_uri.as_str()),
            ("dp.name", ""),
            ("dp.name", ".."),
            ("dp.name", "a/b"),
            ("dp.name", "a b"),
            ("dp.name", "é"),
            ("dp.version", "."),
            ("dp.version", "1\n2"),
            ("dp.version", long_part.as_str()),
            ("dp.download.protocol", "FTP"),
            ("dp.download.protocol", "HTTP"),
            ("dp.download.hash", "0af1"),
            ("dp.download.hash", "MD5:d41d8cd98f00b204e9800998ecf8427e"),
            (
                "dp.download.hash",
                "SHA-1:da39a3ee5e6b4b0d3255bfef95601890afd80709",
            ),
            ("dp.download.hash", "SHA-256:0a"),
            ("dp.download.hash", "SHA-256:"),
        ] {
            let fault = download(&whole().with_metric(name, value)).unwrap_err();
            assert_eq!(fault.response_code(), 400);
            assert!(fault.message.contains(name), "{name} {value}: {fault}");
        }
        let longest = "v".repeat(255);
        assert!(download(&whole().with_metric("dp.version", longest)).is_ok());
        for (algorithm, bytes) in [("sha384", 48), ("SHA-512", 64)] {
            let hash = format!("{algorithm}:{}", "00".repeat(bytes));
            assert!(download(&whole().with_metric("dp.download.hash", hash)).is_ok());
            let short = format!("{algorithm}:{}", "00".repeat(bytes - 1));
            assert!(download(&whole().with_metric("dp.download.hash", short)).is_err());
            let signs = format!("{algorithm}:{}", "+0".repeat(bytes));
            assert!(download(&whole().with_metric("dp.download.hash", signs)).is_err());
        }
    }

    #[test]
    fn what_a_transaction_cannot_take_back_is_refused() {
        for (name, value) in [
            ("dp.install.system.update", true),
            ("dp.reboot", true),
            ("dp.install", false),
        ] {
            let fault = download(&whole().with_metric(name, value)).unwrap_err();
            assert!(fault.message.contains(name), "{fault}");
            assert!(download(&whole().with_metric(name, !value)).is_ok());
        }
        assert!(download(&whole().with_metric("dp.reboot", "no")).is_err());
    }
}
