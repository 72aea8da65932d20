//! The names on the wire: applications, and metrics of ours. Those of Kura's request grammar are
//! in `kura_formats::request`.

/// Ours: certificates, commit, reject.
pub const PROV_V1: &str = "PROV-V1";
/// Kura's remote configuration.
pub const CONF_V1: &str = "CONF-V1";
/// Kura's remote keystores.
pub const KEYS_V1: &str = "KEYS-V1";
/// Kura's packages.
pub const DEPLOY_V2: &str = "DEPLOY-V2";

/// The applications of a provisioning, as `application_ids` lists them.
pub const APPLICATIONS: [&str; 4] = [PROV_V1, CONF_V1, KEYS_V1, DEPLOY_V2];

/// The lifecycle message that is the trigger: `MQTT/PROV`.
pub const TRIGGER: &str = "PROV";

/// INT32: [`PROFILE`].
pub const PROV_PROFILE: &str = "prov.profile";
/// The profile spoken here.
pub const PROFILE: i32 = 1;
/// String: the transaction, the same in every attempt until it commits.
pub const PROV_TRANSACTION_ID: &str = "prov.transaction.id";
/// BYTES: 32 random bytes of the attempt.
pub const PROV_NONCE: &str = "prov.nonce";
/// String: claim secret of the provision request.
pub const ACTIVATION_KEY: &str = "activation.key";
/// String: fingerprints of the signers already trusted.
pub const PROV_TRUSTED_SIGNERS: &str = "prov.trusted.signers";
/// String: the cloud connection being provisioned.
pub const PROV_CONNECTION_PID: &str = "prov.connection.pid";
/// BYTES: SHA-256 of the manifest.
pub const PROV_MANIFEST_SHA256: &str = "prov.manifest.sha256";
/// String: the platform's own text for a rejection. Its code is `prov.error.code`.
pub const PROV_ERROR_MESSAGE: &str = "prov.error.message";
/// INT32, seconds: the pause the platform asks for.
pub const RETRY_AFTER: &str = "retry.after";
/// String: `gzip` where the sender reads gzip.
pub const ACCEPT_ENCODING: &str = "accept_encoding";
