//! What mosquitto finds in its folder: configuration, certificate and key, and the first state of
//! the dynamic-security plugin, with the platform's own user and nobody else.

use super::{BrokerError, BrokerSettings, Ports, PLATFORM_USER};
use crate::pki::openssl_error;
use crate::secret::Secret;
use base64::prelude::{Engine, BASE64_STANDARD};
use openssl::hash::MessageDigest;
use openssl::pkcs5::pbkdf2_hmac;
use openssl::rand::rand_bytes;
use serde_json::{json, Value};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// What OpenSSL inside mosquitto may accept as the broker's own key.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TlsStrength {
    /// The system's security level.
    #[default]
    Usual,
    /// Level 0, so that a weak key can be shown to devices, which must refuse it.
    AnyKey,
}

/// Where mosquitto and its plugin are.
#[derive(Clone, Debug)]
pub struct Installation {
    pub(super) program: PathBuf,
    pub(super) plugin: PathBuf,
}

impl Installation {
    /// Looks into the environment (`MOSQUITTO`, `MOSQUITTO_DYNAMIC_SECURITY`), the path and the
    /// folders of the distributions.
    pub fn find() -> Result<Installation, BrokerError> {
        let from_path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::env::split_paths(&from_path)
            .chain(["/usr/sbin", "/usr/local/sbin", "/opt/homebrew/sbin"].map(PathBuf::from));
        let program = std::env::var_os("MOSQUITTO")
            .map(PathBuf::from)
            .or_else(|| folders.map(|f| f.join("mosquitto")).find(|p| p.is_file()))
            .ok_or(BrokerError::NotInstalled {
                what: "mosquitto",
                variable: "MOSQUITTO",
            })?;
        let plugin = std::env::var_os("MOSQUITTO_DYNAMIC_SECURITY")
            .map(PathBuf::from)
            .or_else(find_plugin)
            .ok_or(BrokerError::NotInstalled {
                what: "mosquitto_dynamic_security.so",
                variable: "MOSQUITTO_DYNAMIC_SECURITY",
            })?;
        Ok(Installation { program, plugin })
    }
}

fn find_plugin() -> Option<PathBuf> {
    const NAME: &str = "mosquitto_dynamic_security.so";
    let roots = [
        "/usr/lib",
        "/usr/lib64",
        "/usr/local/lib",
        "/opt/homebrew/lib",
    ];
    roots.into_iter().map(Path::new).find_map(|root| {
        // Debian has it in the folder of the architecture.
        let below = std::fs::read_dir(root)
            .ok()?
            .flatten()
            .map(|entry| entry.path());
        std::iter::once(root.to_owned())
            .chain(below.filter(|p| p.file_name().is_some_and(is_architecture)))
            .map(|folder| folder.join(NAME))
            .find(|path| path.is_file())
    })
}

fn is_architecture(name: &OsStr) -> bool {
    name.to_str().is_some_and(|n| n.contains("-linux-"))
}

pub(super) const CONFIGURATION: &str = "mosquitto.conf";

/// Writes the folder anew: a broker that starts knows the platform only.
pub(super) fn write(
    settings: &BrokerSettings,
    installation: &Installation,
    ports: Ports,
    platform_password: &Secret,
) -> Result<(), BrokerError> {
    let put = |name: &str, content: &[u8]| {
        let path = settings.folder.join(name);
        durable_file::write(&path, content).map_err(|source| BrokerError::File { path, source })
    };
    put("broker.pem", &settings.certificate.server_pem()?)?;
    put("broker.key", &settings.certificate.key_pem()?)?;
    let root = settings.device_root.to_pem();
    put(
        "device-root.pem",
        &root.map_err(openssl_error("a root's PEM"))?,
    )?;
    put(
        "dynamic-security.json",
        first_state(platform_password)?.to_string().as_bytes(),
    )?;
    put(
        CONFIGURATION,
        configuration(settings, installation, ports).as_bytes(),
    )
}

fn configuration(settings: &BrokerSettings, installation: &Installation, ports: Ports) -> String {
    let folder = settings.folder.display();
    // Started as root, mosquitto would become another user, who cannot read the folder.
    let user = if rustix::process::geteuid().is_root() {
        "user root\n"
    } else {
        ""
    };
    let ciphers = match settings.strength {
        TlsStrength::Usual => "",
        TlsStrength::AnyKey => "ciphers DEFAULT@SECLEVEL=0\n",
    };
    format!(
        "# Written by provision-platform at every start.\n\
         {user}persistence false\n\
         allow_anonymous false\n\
         max_queued_messages 0\n\
         # A refusal waiting for Nagle's algorithm is lost when the connection is closed.\n\
         set_tcp_nodelay true\n\
         log_dest stderr\n\
         log_timestamp false\n\
         log_type error\n\
         log_type warning\n\
         log_type notice\n\
         log_type information\n\
         plugin {plugin}\n\
         plugin_opt_config_file {folder}/dynamic-security.json\n\
         \n\
         # The platform itself.\n\
         listener {plain} 127.0.0.1\n\
         \n\
         # The devices.\n\
         listener {tls} 127.0.0.1\n\
         certfile {folder}/broker.pem\n\
         keyfile {folder}/broker.key\n\
         tls_version tlsv1.2\n\
         {ciphers}\n\
         # Devices with a certificate, which counts besides name and password.\n\
         listener {mutual} 127.0.0.1\n\
         certfile {folder}/broker.pem\n\
         keyfile {folder}/broker.key\n\
         cafile {folder}/device-root.pem\n\
         require_certificate true\n\
         tls_version tlsv1.2\n\
         {ciphers}",
        plugin = installation.plugin.display(),
        plain = ports.plain,
        tls = ports.tls,
        mutual = ports.mutual,
    )
}

fn first_state(platform_password: &Secret) -> Result<Value, BrokerError> {
    let allow =
        |acltype: &str, topic: &str| json!({"acltype": acltype, "topic": topic, "allow": true});
    let platform = json!({
        "rolename": "platform",
        "acls": [
            allow("publishClientSend", "$CONTROL/dynamic-security/#"),
            allow("subscribePattern", "$CONTROL/dynamic-security/#"),
            // Not covered by the default access, unlike other topics.
            allow("publishClientReceive", "$CONTROL/dynamic-security/#"),
            allow("publishClientSend", "$EDC/#"),
            allow("subscribePattern", "$EDC/#"),
        ],
    });
    let password = Hashed::new(platform_password)?;
    let client = json!({
        "username": PLATFORM_USER,
        "password": password.hash,
        "salt": password.salt,
        "iterations": ITERATIONS,
        "roles": [{"rolename": "platform"}],
    });
    Ok(json!({
        "clients": [client],
        "roles": [platform],
        "defaultACLAccess": {
            "publishClientSend": false,
            "publishClientReceive": true,
            "subscribe": false,
            "unsubscribe": true,
        },
    }))
}

/// Rounds of the password hash; what the plugin itself uses.
const ITERATIONS: usize = 101;

/// A password as the plugin stores it: PBKDF2 with SHA-512, hash and salt in base64.
struct Hashed {
    hash: String,
    salt: String,
}

impl Hashed {
    fn new(password: &Secret) -> Result<Hashed, BrokerError> {
        let mut salt = [0; 12];
        let mut hash = [0; 64];
        let error = || openssl_error("a password hash");
        rand_bytes(&mut salt).map_err(error())?;
        let text = password.expose().as_bytes();
        let digest = MessageDigest::sha512();
        pbkdf2_hmac(text, &salt, ITERATIONS, digest, &mut hash).map_err(error())?;
        let (hash, salt) = (BASE64_STANDARD.encode(hash), BASE64_STANDARD.encode(salt));
        Ok(Hashed { hash, salt })
    }
}
