//! The document of `PUT CONF-V1/configurations`.

use kura_formats::configurations::{self, Configuration, ConfigurationsError, XmlLimits};

use super::metric::malformed;
use crate::diagnosis::{Code, Fault};
use crate::metatype::FACTORY_PID;

/// Reads the document. With `pid`, exactly that configuration must be in it.
///
/// # Errors
/// `protocol.malformed` if it is no such document, `protocol.too-large` beyond the limits,
/// `configuration.invalid` for a value that does not hold by itself, for a pid that is not the one
/// named, and for a configuration of this component, which no platform may change.
pub(super) fn read(body: &[u8], pid: Option<&str>) -> Result<Vec<Configuration>, Fault> {
    if body.is_empty() {
        return Err(malformed("the request has no body with configurations"));
    }
    let limits = XmlLimits::remote();
    let all = configurations::read(body, &limits, &mut configurations::remote_open)
        .map_err(|error| Fault::new(code(&error), error.to_string()))?;
    if all.is_empty() {
        return Err(malformed("the document holds no configuration"));
    }
    if let Some(own) = all.iter().find(|configuration| is_own(configuration)) {
        return Err(invalid(format!(
            "{}: a provisioning does not configure the ProvisioningService",
            own.pid
        )));
    }
    match (pid, all.as_slice()) {
        (None, _) => Ok(all),
        (Some(pid), [one]) if one.pid == pid => Ok(all),
        (Some(pid), _) => Err(invalid(format!(
            "the topic names {pid}, so the document must hold that configuration and no other"
        ))),
    }
}

fn code(error: &ConfigurationsError) -> Code {
    match error {
        ConfigurationsError::Limit { .. } => Code::ProtocolTooLarge,
        ConfigurationsError::Xml { .. } | ConfigurationsError::Structure { .. } => {
            Code::ProtocolMalformed
        }
        ConfigurationsError::Pid { .. }
        | ConfigurationsError::Property { .. }
        | ConfigurationsError::Unwritable { .. } => Code::ConfigurationInvalid,
    }
}

fn invalid(what: String) -> Fault {
    Fault::new(Code::ConfigurationInvalid, what)
}

/// Whether it is an instance of this component: by its factory, or by its pid, which is the
/// factory's with or without the suffix of a cloud connection.
fn is_own(configuration: &Configuration) -> bool {
    let by_pid = configuration
        .pid
        .strip_prefix(FACTORY_PID)
        .is_some_and(|suffix| suffix.is_empty() || suffix.starts_with('-'));
    by_pid || configuration.factory_pid() == Some(FACTORY_PID)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn document(pids: &[&str], properties: &str) -> Vec<u8> {
        let mut xml = String::from(
            r#"<?xml version="1.0" encoding="UTF-8"?><esf:configurations xmlns:esf="http://eurotech.com/esf/2.0">"#,
        );
        for pid in pids {
            xml += &format!(
                r#"<esf:configuration pid="{pid}"><esf:properties>{properties}</esf:properties></esf:configuration>"#
            );
        }
        (xml + "</esf:configurations>").into_bytes()
    }

    const FACTORY: &str = r#"<esf:property name="service.factoryPid" array="false" encrypted="false" type="String"><esf:value>gwc.provisioning.ProvisioningService</esf:value></esf:property>"#;
    const PASSWORD: &str = r#"<esf:property name="password" array="false" encrypted="true" type="Password"><esf:value>czNjcmV0</esf:value></esf:property>"#;

    #[test]
    fn documents_are_read_and_passwords_opened() {
        let read = read(&document(&["a", "b"], PASSWORD), None).unwrap();
        let pids: Vec<&str> = read.iter().map(|c| c.pid.as_str()).collect();
        assert_eq!(pids, ["a", "b"]);
        let secret = read.first().unwrap().properties.get("password").unwrap();
        assert_eq!(secret.as_secret().unwrap().expose(), "s3cret");
    }

    #[test]
    fn a_named_pid_is_the_only_one() {
        assert_eq!(read(&document(&["a"], ""), Some("a")).unwrap().len(), 1);
        for pids in [&["b"][..], &["a", "b"]] {
            let fault = read(&document(pids, ""), Some("a")).unwrap_err();
            assert_eq!(fault.code, Code::ConfigurationInvalid, "{pids:?}");
        }
    }

    #[test]
    fn nobody_provisions_the_provisioning() {
        for (pid, properties) in [
            ("gwc.provisioning.ProvisioningService", ""),
            ("gwc.provisioning.ProvisioningService-2", ""),
            ("my-own-name", FACTORY),
        ] {
            let fault = read(&document(&["a", pid], properties), None).unwrap_err();
            assert_eq!(fault.response_code(), 400, "{pid}");
            assert!(fault.message.contains("ProvisioningService"), "{fault}");
        }
        let neighbour = "gwc.provisioning.ProvisioningServices";
        assert!(read(&document(&[neighbour], ""), None).is_ok());
    }

    #[test]
    fn what_is_no_document_is_malformed() {
        for body in [
            b"".to_vec(),
            b"{}".to_vec(),
            b"<a/>".to_vec(),
            b"\xff\xfe".to_vec(),
            document(&[], ""),
        ] {
            let fault = read(&body, None).unwrap_err();
            assert_eq!(fault.code, Code::ProtocolMalformed, "{fault}");
        }
    }

    #[test]
    fn a_value_that_does_not_hold_names_its_property() {
        let bad = PASSWORD.replace("czNjcmV0", "***");
        let fault = read(&document(&["a"], &bad), None).unwrap_err();
        assert_eq!(fault.code, Code::ConfigurationInvalid);
        assert!(fault.message.contains("password"), "{fault}");
    }
}
