//! The certificate for a key that a device has made and keeps.

use super::{Engine, EngineError};
use crate::behaviour::{ClientCertificateFault, Rejection};
use crate::flow::keys::KeyOrder;
use crate::pki::{
    fingerprint, openssl_error, requested_key, Identity, Issued, KeyKind, PkiError, Profile,
    RequestError,
};
use crate::store::IssuedCertificate;
use openssl::pkey::{PKey, Public};

/// What a job says of a request that is not certified.
const REFUSED: &str = "csr.invalid";

impl Engine {
    /// The device has answered with a certificate request: certifies its key for the next step, or
    /// rejects the attempt. True: the next step can go out.
    pub(super) fn certify(
        &mut self,
        client_id: &str,
        request: Option<&[u8]>,
    ) -> Result<bool, EngineError> {
        let Some(conversation) = self.conversations.get(client_id) else {
            return Ok(false);
        };
        let Some(order) = conversation.device_key().cloned() else {
            return Ok(false);
        };
        let (job, fault) = (conversation.job, conversation.behaviour.client_certificate);
        let request = request.unwrap_or_default();
        let key = match requested_key(request, order.key, &order.common_name) {
            Ok(key) => key,
            Err(error) => {
                self.reject(client_id, &rejection(&error))?;
                return Ok(false);
            }
        };
        let issued = issue(&self.settings.pki.device_authority, &order, &key, fault)?;
        self.note(job, &order, &issued)?;
        if let Some(conversation) = self.conversations.get_mut(client_id) {
            conversation.set_client_chain(issued.chain);
        }
        Ok(true)
    }

    fn note(&mut self, job: i64, order: &KeyOrder, issued: &Issued) -> Result<(), EngineError> {
        let certificate = &issued.certificate;
        let what = || openssl_error("the text of a certificate");
        let serial = certificate.serial_number().to_bn().map_err(what())?;
        let pem = certificate.to_pem().map_err(what())?;
        let noted = IssuedCertificate {
            serial: serial.to_hex_str().map_err(what())?.to_string(),
            fingerprint: fingerprint(certificate)?,
            common_name: order.common_name.clone(),
            key: order.key.name().to_owned(),
            issued_on: 0,
            certificate: String::from_utf8_lossy(&pem).into_owned(),
        };
        log::info!(
            "issued certificate {} for {}",
            noted.serial,
            order.common_name
        );
        Ok(self.store.note_issued(job, &noted)?)
    }
}

fn rejection(error: &RequestError) -> Rejection {
    Rejection {
        code: REFUSED.to_owned(),
        message: error.to_string(),
        retry_after: None,
    }
}

fn issue(
    authority: &Identity,
    order: &KeyOrder,
    key: &PKey<Public>,
    fault: ClientCertificateFault,
) -> Result<Issued, PkiError> {
    let profile = Profile::client(&order.common_name);
    match fault {
        ClientCertificateFault::None => authority.certify(&profile, key),
        ClientCertificateFault::OtherKey => {
            let other = Identity::self_signed(&Profile::client("other").key(KeyKind::EcP256))?;
            let public = other.certificate().public_key();
            authority.certify(&profile, &*public.map_err(openssl_error("another key"))?)
        }
        ClientCertificateFault::OtherAuthority => {
            let root = Identity::self_signed(&Profile::authority("Device Root"))?;
            let other = root.issue(&Profile::authority("Device Intermediate").path_len(0))?;
            other.certify(&profile, key)
        }
    }
}
