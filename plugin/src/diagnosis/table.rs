//! The one table of codes. Its sentences are read by a person standing at the gateway with a
//! phone in the other hand: the cause says what happened, the remedy what to do next.
//!
//! A code is never reused and never renamed: it is in logs, scripts and replies.

use super::code::Class;

macro_rules! codes {
    ($($variant:ident $text:literal $class:ident $cause:literal $remedy:literal;)+) => {
        /// An error code: a stable text, the same in the status document, the log, the console,
        /// the replies to the platform and at the C boundary.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code {
            $(#[doc = concat!("`", $text, "`: ", $cause)] $variant,)+
        }

        impl Code {
            /// Every code, in the order of the reference.
            pub const ALL: [Code; [$($text),+].len()] = [$(Code::$variant),+];

            /// The stable text, e.g. `config.invalid`.
            pub fn as_str(self) -> &'static str {
                match self { $(Code::$variant => $text,)+ }
            }

            /// Who can mend it.
            pub fn class(self) -> Class {
                match self { $(Code::$variant => Class::$class,)+ }
            }

            /// What happened, in one sentence.
            pub fn cause(self) -> &'static str {
                match self { $(Code::$variant => $cause,)+ }
            }

            /// What to do next, in one sentence or two.
            pub fn remedy(self) -> &'static str {
                match self { $(Code::$variant => $remedy,)+ }
            }
        }
    };
}

codes! {
    ConfigInvalid "config.invalid" Device
        "A parameter is out of its bounds."
        "Correct each parameter that the message names and save; the provisioning then starts by itself.";
    ConfigSamePlatform "config.same-platform" Device
        "Another instance on this gateway is provisioning against the same platform, or has provisioned its connection there."
        "Set enabled=false on one of the two, or send this one to another platform; a connection that is provisioned is provisioned anew by its own instance.";
    IdentityMissing "identity.missing" Wait
        "The gateway does not know its MAC address or its serial number yet, and username or client-id are empty."
        "Wait for the primary network interface to come up, or fill in username and client-id as they are in the provision request.";
    ClockImplausible "clock.implausible" Wait
        "The clock of the gateway is not set, so no certificate can be judged."
        "Set the date, or check that the gateway reaches its time server; the provisioning starts as soon as the clock is right.";

    StorageUnwritable "storage.unwritable" Device
        "The component cannot write to its own folder, or a file in it is damaged."
        "Check that the file system is mounted read-write and that the gateway's user owns the folder that the message names; where it names a time, wait for that.";
    StorageFull "storage.full" Device
        "There is not enough free space for a provisioning."
        "Free at least the space that the message names, on the file system of the component's folder.";
    HostUnsupported "host.unsupported" Device
        "The gateway software lacks a service that the provisioning needs."
        "Install a version of the gateway software that offers the service that the message names.";

    NetworkDns "network.dns" Wait
        "The name of the broker does not resolve to an address."
        "Check the host in broker-url for a typing mistake, then the DNS servers of the gateway's network settings.";
    NetworkRefused "network.refused" Wait
        "The broker's host answered, but nothing listens on that port."
        "Check the port in broker-url (mqtts 8883, wss 443), then whether a firewall rejects it.";
    NetworkUnreachable "network.unreachable" Wait
        "The gateway has no route to the broker, or nothing left to open a connection with."
        "Check the cable, the modem or the Wi-Fi link, then the default gateway of the network settings; where the message says too many open files, what else runs in the gateway's process.";
    NetworkTimeout "network.timeout" Wait
        "The broker did not answer in time."
        "Check the signal of the link and whether a firewall drops the port; on a slow link raise timeout.";
    NetworkLost "network.lost" Wait
        "The connection broke while the provisioning was running."
        "Check that the link is stable; the next attempt starts by itself and continues the same transaction.";

    TlsUntrusted "tls.untrusted" Device
        "The broker's TLS certificate ends in a root that the gateway does not trust, or a revocation list in the SSLKeystore cannot be obeyed."
        "Check that broker-url names your platform; if it does, install the root CA that the message names in the SSLKeystore, or replace the list that it names.";
    TlsHostname "tls.hostname" Device
        "The broker's TLS certificate is made out to another host name."
        "Write the host in broker-url as the certificate names it; if it is right, the platform must present the certificate of that name.";
    TlsExpired "tls.expired" Cloud
        "The broker's TLS certificate has expired."
        "Check the date of the gateway first; if it is right, the operator of the platform must renew the certificate.";
    TlsNotYetValid "tls.not-yet-valid" Device
        "The broker's TLS certificate is not valid yet."
        "Check the date and time of the gateway; if they are right, the platform presents a certificate too early.";
    TlsProtocol "tls.protocol" Cloud
        "The TLS handshake failed: no common protocol version or cipher, the other end does not speak TLS, or it refuses the client certificate of the gateway or the lack of one."
        "Check that scheme and port in broker-url belong together (mqtts 8883, wss 443); if they do, the platform must offer TLS 1.2 or later. Where the message speaks of a client certificate, put the one that the platform has issued for this gateway into the SSLKeystore, with its key.";

    BrokerBadCredentials "broker.bad-credentials" Cloud
        "The broker refused username or password."
        "The broker accepts a device only while an active provision request matches client-id, username and password: compare the client-id and username in the message with the provision request, type the password again, and check that the request is active and has not expired. The mistake is here or in the cloud: compare both.";
    BrokerNotAuthorized "broker.not-authorized" Cloud
        "The broker did not authorize this device."
        "The broker accepts a device only while an active provision request matches client-id, username and password: compare the client-id and username in the message with the provision request, type the password again, and check account-name and that the request is active and has not expired. The mistake is here or in the cloud: compare both.";
    BrokerIdentifier "broker.identifier" Cloud
        "The broker refused the client-id."
        "The broker accepts a device only while an active provision request matches client-id, username and password: compare the client-id in the message with the provision request, letter by letter.";
    BrokerUnavailable "broker.unavailable" Cloud
        "The broker is there but does not accept connections now."
        "The broker accepts a device only while an active provision request matches client-id, username and password; this answer, however, means that the platform is overloaded or in maintenance: ask its operator, the gateway tries again by itself.";

    PlatformRejected "platform.rejected" Cloud
        "The platform ended the provisioning, with its own code and message."
        "Look the platform's code up in the documentation of the platform, then compare the provision request with what is set here.";
    PlatformSilent "platform.silent" Wait
        "The platform accepted the connection but did not finish within timeout."
        "Check on the platform that the provision request and its job are active; on a slow link raise timeout.";

    ProtocolMalformed "protocol.malformed" Cloud
        "The platform sent a message that does not follow the protocol."
        "Pass the message on to the operator of the platform; check that it speaks provisioning profile 1.";
    ProtocolUnexpected "protocol.unexpected" Cloud
        "The platform asked for something out of order, or for something that does not exist."
        "Pass the message on to the operator of the platform; check that it speaks provisioning profile 1.";
    ProtocolTooLarge "protocol.too-large" Cloud
        "The platform sent a message or a package beyond the size limits, or more configuration than the gateway keeps."
        "Make the configuration, the certificate chain or the package of the provision request that the message names smaller, or split it; if it is what the gateway keeps, remove components or properties there.";
    TransactionMismatch "transaction.mismatch" Cloud
        "The platform asked to commit another transaction, attempt or content than the one received here."
        "Nothing was changed; the next attempt starts by itself. If it comes again, pass the message on to the operator of the platform.";

    TrustMalformed "trust.malformed" Cloud
        "The certificate chain that the platform sent is damaged, empty, or has more than ten certificates."
        "Replace the device-management certificate chain of the account on the platform.";
    TrustUntrustedRoot "trust.untrusted-root" Cloud
        "The certificate chain that the platform sent does not end in a root that the gateway trusts."
        "Install the root CA that the message names in the DMKeystore of the gateway, or have the platform send a chain that ends in a root already there.";
    TrustExpired "trust.expired" Cloud
        "A certificate of the chain that the platform sent has expired."
        "Check the date of the gateway first; if it is right, renew the certificate that the message names on the platform.";
    TrustNotYetValid "trust.not-yet-valid" Cloud
        "A certificate of the chain that the platform sent is not valid yet."
        "Check the date and time of the gateway first; if they are right, the platform must send a chain that is valid now.";
    TrustWeak "trust.weak" Cloud
        "A certificate of the chain that the platform sent uses a key or a signature that is too weak, or a key larger than is judged."
        "Reissue the certificate that the message names with RSA of 2048 to 4096 bits, or EC P-256 or better, and SHA-256 or better.";
    TrustInvalid "trust.invalid" Cloud
        "The certificate chain that the platform sent is no valid chain, or is not made for signing; or a revocation list in the DMKeystore cannot be obeyed."
        "Reissue the certificate that the message names, which carries the reason; where it names a revocation list, replace that on the gateway.";

    SignatureMissing "signature.missing" Cloud
        "The platform sent a message that must be signed, without a signature."
        "Enable the signing of device-management messages for the account on the platform.";
    SignatureInvalid "signature.invalid" Cloud
        "The signature of a message does not fit its content."
        "Pass the message on to the operator of the platform: the message was changed on its way, or was signed wrongly.";
    SignatureUntrusted "signature.untrusted" Cloud
        "A message was signed with a certificate that this gateway does not trust."
        "Load the device-management certificate of the new platform into the DMKeystore before provisioning again, or have the platform sign with a certificate already there.";
    SignatureReplayed "signature.replayed" Cloud
        "A signed message is too old, comes from the future, or was seen before."
        "Check the date and time of the gateway, then those of the platform.";

    ConfigurationInvalid "configuration.invalid" Cloud
        "The configuration that the platform sent does not fit the components of this gateway, or another provisioning here is changing the same ones."
        "Correct the component and property that the message names in the configuration attached to the provision request; where it names another provisioning, the next attempt comes by itself.";

    PackageUnavailable "package.unavailable" Cloud
        "An application package could not be downloaded."
        "Check on the platform that the address of the package exists, and that the gateway's network lets it through.";
    PackageCorrupt "package.corrupt" Cloud
        "A downloaded application package is not the one that the platform announced: its digest differs."
        "Upload the package to the platform again and attach it to the provision request again.";
    PackageFailed "package.failed" Cloud
        "An application package could not be installed."
        "Attach a version of the package that fits this gateway to the provision request; the message carries the reason.";

    ApplyFailed "apply.failed" Device
        "The gateway software refused a change; everything was put back as it was."
        "Mend what the message names on the gateway, then save the configuration again to start afresh.";
    ProofFailed "proof.failed" Cloud
        "The new account did not accept the new credentials; everything was put back as it was."
        "Compare the cloud connection's broker, account, client-id and username in the received configuration with the target account; the cause below says how the connection failed.";
    InternalPanic "internal.panic" Device
        "A defect in this component; it stopped itself and left everything as it was."
        "Restart the gateway software, and send its log to the vendor.";
}
