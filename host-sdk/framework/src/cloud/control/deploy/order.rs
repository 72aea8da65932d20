//! What a request of `DEPLOY-V2` orders, from its metrics. Names of the metrics: Kura's
//! `DeploymentPackageDownloadOptions` and its neighbours. Pure.

use file_download::{Address, Algorithm, Credentials};
use kura_formats::deploy::{is_plain, FileHash, HashAlgorithm};
use kura_formats::payload::{MetricValue, Payload};
use zeroize::Zeroizing;

use super::super::refusal::Refusal;

/// Which package, and in whose name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Order {
    /// `dp.name`
    pub(super) name: String,
    /// `dp.version`; empty where only the name counts.
    pub(super) version: String,
    /// `job.id`, which the notifications repeat.
    pub(super) job_id: i64,
}

/// A download.
#[derive(Debug)]
pub(super) struct Download {
    pub(super) order: Order,
    /// `dp.uri`
    pub(super) address: Address,
    /// `dp.download.hash`
    pub(super) hash: FileHash,
    /// `dp.download.username` and `.password`
    pub(super) credentials: Option<Credentials>,
    /// `dp.install`
    pub(super) install: bool,
}

impl Download {
    /// By which function the file is recognised.
    pub(super) fn algorithm(&self) -> Algorithm {
        match self.hash.algorithm() {
            HashAlgorithm::Sha256 => Algorithm::Sha256,
            HashAlgorithm::Sha384 => Algorithm::Sha384,
            HashAlgorithm::Sha512 => Algorithm::Sha512,
        }
    }
}

pub(super) fn download(payload: &Payload) -> Result<Download, Refusal> {
    let order = install(payload)?;
    let uri = required(payload, "dp.uri")?;
    let address: Address = uri
        .parse()
        .map_err(|e| Refusal::malformed(format!("metric dp.uri: {e}")))?;
    if let Some(protocol) = text(payload, "dp.download.protocol")? {
        let scheme = if address.is_secure() { "HTTPS" } else { "HTTP" };
        if !protocol.eq_ignore_ascii_case(scheme) {
            return Err(Refusal::malformed(format!(
                "metric dp.download.protocol is {protocol:?}, but dp.uri is {scheme}"
            )));
        }
    }
    let hash: FileHash = required(payload, "dp.download.hash")?
        .parse()
        .map_err(|e| Refusal::malformed(format!("metric dp.download.hash {e}")))?;
    let username = text(payload, "dp.download.username")?.unwrap_or_default();
    let password = text(payload, "dp.download.password")?.unwrap_or_default();
    let credentials = (!username.is_empty()).then(|| Credentials {
        username: username.to_owned(),
        password: Zeroizing::new(password.to_owned()),
    });
    Ok(Download {
        order,
        address,
        hash,
        credentials,
        install: flag(payload, "dp.install", true)?,
    })
}

pub(super) fn install(payload: &Payload) -> Result<Order, Refusal> {
    for name in ["dp.install.system.update", "dp.reboot"] {
        if flag(payload, name, false)? {
            return Err(Refusal::malformed(format!(
                "metric {name} is true, which this gateway does not offer"
            )));
        }
    }
    Ok(Order {
        version: part(payload, "dp.version")?,
        ..uninstall(payload)?
    })
}

pub(super) fn uninstall(payload: &Payload) -> Result<Order, Refusal> {
    let job_id = match payload.get("job.id") {
        Some(MetricValue::Int64(id)) => *id,
        _ => {
            return Err(Refusal::malformed(
                "metric job.id is missing or not an INT64",
            ))
        }
    };
    Ok(Order {
        name: part(payload, "dp.name")?,
        version: String::new(),
        job_id,
    })
}

fn part(payload: &Payload, name: &str) -> Result<String, Refusal> {
    let value = required(payload, name)?;
    match is_plain(value) {
        true => Ok(value.to_owned()),
        false => Err(Refusal::malformed(format!(
            "metric {name} is not 1 to 255 letters, digits, . _ and -"
        ))),
    }
}

fn required<'a>(payload: &'a Payload, name: &str) -> Result<&'a str, Refusal> {
    text(payload, name)?.ok_or_else(|| Refusal::malformed(format!("metric {name} is missing")))
}

fn text<'a>(payload: &'a Payload, name: &str) -> Result<Option<&'a str>, Refusal> {
    match payload.get(name) {
        None => Ok(None),
        Some(MetricValue::String(text)) => Ok(Some(text)),
        Some(_) => Err(Refusal::malformed(format!("metric {name} is not a STRING"))),
    }
}

fn flag(payload: &Payload, name: &str, default: bool) -> Result<bool, Refusal> {
    match payload.get(name) {
        None => Ok(default),
        Some(MetricValue::Bool(value)) => Ok(*value),
        Some(_) => Err(Refusal::malformed(format!("metric {name} is not a BOOL"))),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn whole() -> Payload {
        Payload::new()
            .with_metric("dp.uri", "https://files.example/heater.tar.gz")
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
        let order = Order {
            name: "heater".into(),
            version: "1.0.300".into(),
            job_id: 42,
        };
        assert_eq!((&read.order, read.install), (&order, true));
        assert_eq!(read.hash.digest(), [0x0a, 0xf1].repeat(16));
        assert!(read.credentials.is_none());
        let kept = whole()
            .with_metric("dp.install", false)
            .with_metric("dp.download.username", "u")
            .with_metric("dp.download.password", "p4ss");
        let read = download(&kept).unwrap();
        assert!(!read.install && read.credentials.is_some());
        assert!(!format!("{read:?}").contains("p4ss"));
    }

    #[test]
    fn what_does_not_hold_names_its_metric() {
        let cases: [(&str, MetricValue); 14] = [
            ("dp.uri", "file:///etc/passwd".into()),
            ("dp.uri", "no address".into()),
            ("dp.uri", 5.into()),
            ("dp.download.protocol", "HTTP".into()),
            ("dp.name", "../heater".into()),
            ("dp.name", "..".into()),
            ("dp.version", "".into()),
            ("job.id", 42.into()),
            ("dp.download.hash", "".into()),
            (
                "dp.download.hash",
                format!("MD5:{}", "00".repeat(16)).into(),
            ),
            (
                "dp.download.hash",
                format!("SHA-256:{}", "00".repeat(31)).into(),
            ),
            (
                "dp.download.hash",
                format!("SHA-256:{}x", "00".repeat(32)).into(),
            ),
            ("dp.install.system.update", true.into()),
            ("dp.reboot", "false".into()),
        ];
        for (name, value) in cases {
            let refusal = download(&whole().with_metric(name, value.clone())).unwrap_err();
            assert_eq!(refusal.response.code(), 400);
            assert!(
                refusal.message.contains(name),
                "{name} {value:?}: {refusal:?}"
            );
        }
        for name in [
            "dp.uri",
            "dp.name",
            "dp.version",
            "job.id",
            "dp.download.hash",
        ] {
            let mut without = whole();
            without.metrics.retain(|metric| metric.name != name);
            assert!(download(&without).unwrap_err().message.contains(name));
        }
    }
}
