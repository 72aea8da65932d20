//! A package that the device is told to fetch.

use crate::secret::Secret;
use kura_formats::payload::MetricValue;

/// What is asked of the device.
#[derive(Clone, Debug)]
pub(crate) struct PackageOrder {
    pub(crate) name: String,
    pub(crate) version: String,
    /// Under which it is on offer.
    pub(crate) path: String,
    /// Where it is to be fetched.
    pub(crate) uri: String,
    /// SHA-256 of the file, lower hex.
    pub(crate) sha256: String,
    /// Its length in bytes.
    pub(crate) size: u64,
    pub(crate) credentials: Option<(String, Secret)>,
}

/// A download that has been asked for.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// What the notifications repeat.
    pub(crate) job_id: i64,
    /// How it ended, if it has: the error's code and message.
    pub(crate) outcome: Option<Result<(), (String, String)>>,
}

impl PackageOrder {
    /// Kura's metrics of `EXEC DEPLOY-V2/download`.
    pub(crate) fn metrics(&self, job_id: i64) -> Vec<(&'static str, MetricValue)> {
        let protocol = match self.uri.split_once("://") {
            Some((scheme, _)) => scheme.to_ascii_uppercase(),
            None => "HTTPS".to_owned(),
        };
        let mut metrics = vec![
            ("dp.uri", MetricValue::from(self.uri.as_str())),
            ("dp.name", MetricValue::from(self.name.as_str())),
            ("dp.version", MetricValue::from(self.version.as_str())),
            ("dp.download.protocol", MetricValue::from(protocol)),
            ("job.id", MetricValue::from(job_id)),
            ("dp.install.system.update", MetricValue::from(false)),
            (
                "dp.download.hash",
                MetricValue::from(format!("SHA-256:{}", self.sha256)),
            ),
        ];
        if let Some((name, password)) = &self.credentials {
            metrics.push(("dp.download.username", MetricValue::from(name.as_str())));
            metrics.push(("dp.download.password", MetricValue::from(password.expose())));
        }
        metrics
    }

    /// The first column of its line in the manifest.
    pub(crate) fn manifest_path(&self) -> String {
        format!("DEPLOY-V2/download/{}/{}", self.name, self.version)
    }
}
