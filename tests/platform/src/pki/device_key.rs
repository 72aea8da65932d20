//! Keys that stay on a device: what is asked for, and whether its request (PKCS#10) is that.

use openssl::ec::EcKeyRef;
use openssl::nid::Nid;
use openssl::pkey::{Id, PKey, PKeyRef, Public};
use openssl::x509::X509Req;
use std::str::FromStr;

/// The kind of key that a device is to make.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DeviceKey {
    /// NIST P-256.
    #[default]
    EcP256,
    /// NIST P-384.
    EcP384,
    /// RSA with 2048 bits.
    Rsa2048,
    /// RSA with 3072 bits.
    Rsa3072,
    /// RSA with 4096 bits.
    Rsa4096,
}

impl DeviceKey {
    /// All, the default first.
    pub const ALL: [DeviceKey; 5] = [
        DeviceKey::EcP256,
        DeviceKey::EcP384,
        DeviceKey::Rsa2048,
        DeviceKey::Rsa3072,
        DeviceKey::Rsa4096,
    ];

    /// As people write it: `EC-256`, `RSA-3072`.
    pub fn name(self) -> &'static str {
        match self {
            DeviceKey::EcP256 => "EC-256",
            DeviceKey::EcP384 => "EC-384",
            DeviceKey::Rsa2048 => "RSA-2048",
            DeviceKey::Rsa3072 => "RSA-3072",
            DeviceKey::Rsa4096 => "RSA-4096",
        }
    }

    /// `algorithm` of KEYS-V1.
    pub fn algorithm(self) -> &'static str {
        match self {
            DeviceKey::EcP256 | DeviceKey::EcP384 => "EC",
            DeviceKey::Rsa2048 | DeviceKey::Rsa3072 | DeviceKey::Rsa4096 => "RSA",
        }
    }

    /// `size` of KEYS-V1, in bits.
    pub fn size(self) -> u32 {
        match self {
            DeviceKey::EcP256 => 256,
            DeviceKey::EcP384 => 384,
            DeviceKey::Rsa2048 => 2048,
            DeviceKey::Rsa3072 => 3072,
            DeviceKey::Rsa4096 => 4096,
        }
    }

    /// `signatureAlgorithm` of KEYS-V1, by Java's name.
    pub fn signature_algorithm(self) -> &'static str {
        match self {
            DeviceKey::EcP256 => "SHA256withECDSA",
            DeviceKey::EcP384 => "SHA384withECDSA",
            DeviceKey::Rsa2048 | DeviceKey::Rsa3072 | DeviceKey::Rsa4096 => "SHA256withRSA",
        }
    }

    fn is(self, key: &PKeyRef<Public>) -> bool {
        let curve = |ec: &EcKeyRef<Public>| ec.group().curve_name();
        match self {
            DeviceKey::EcP256 | DeviceKey::EcP384 => {
                let wanted = match self {
                    DeviceKey::EcP384 => Nid::SECP384R1,
                    _ => Nid::X9_62_PRIME256V1,
                };
                key.ec_key().is_ok_and(|ec| curve(&ec) == Some(wanted))
            }
            _ => key.id() == Id::RSA && key.bits() == self.size(),
        }
    }
}

impl FromStr for DeviceKey {
    type Err = String;

    fn from_str(text: &str) -> Result<DeviceKey, String> {
        let found = DeviceKey::ALL.into_iter().find(|key| key.name() == text);
        found.ok_or_else(|| {
            let names: Vec<_> = DeviceKey::ALL.map(DeviceKey::name).to_vec();
            format!("{text:?} is none of {}", names.join(", "))
        })
    }
}

/// Why a device's request is not certified.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// Not PEM, or no PKCS#10 in it.
    #[error("the certificate request cannot be read")]
    Unreadable(#[source] openssl::error::ErrorStack),
    /// It does not prove that the device has the key.
    #[error("the certificate request is not signed with its own key")]
    Signature,
    /// Another kind of key.
    #[error("the certificate request is not for the {} key that was asked for", .0.name())]
    Key(DeviceKey),
    /// Another name.
    #[error("the certificate request names {found:?}, not {wanted:?}")]
    Subject {
        /// Its common name; empty if it has none.
        found: String,
        /// What was asked for.
        wanted: String,
    },
}

/// The key of a request, if it is of the kind asked for, proved, and under the common name asked
/// for.
pub fn requested_key(
    pem: &[u8],
    wanted: DeviceKey,
    common_name: &str,
) -> Result<PKey<Public>, RequestError> {
    let request = X509Req::from_pem(pem).map_err(RequestError::Unreadable)?;
    let key = request.public_key().map_err(RequestError::Unreadable)?;
    if !matches!(request.verify(&key), Ok(true)) {
        return Err(RequestError::Signature);
    }
    if !wanted.is(&key) {
        return Err(RequestError::Key(wanted));
    }
    let mut names = request.subject_name().entries_by_nid(Nid::COMMONNAME);
    let found = names.next().and_then(|name| name.data().to_string().ok());
    let found = found.unwrap_or_default();
    if found != common_name {
        let wanted = common_name.to_owned();
        return Err(RequestError::Subject { found, wanted });
    }
    Ok(key)
}
