//! The one place that lets OpenSSL build and judge a certification path.
//!
//! Everything that decides about a chain, a received one or a TLS server's, comes
//! through [`verify`]: first a look at the keys that came, as a peer's key decides
//! what a verification costs; then X509_verify_cert with X509_STRICT and security
//! level 2, the key policy on the path that it found, and the revocation lists of
//! the issuers on it. There is no path building of our own, and none of OpenSSL's
//! refusals is ever overruled. Called by `chain` and `server`.

use openssl::error::ErrorStack;
use openssl::stack::Stack;
use openssl::x509::store::X509StoreBuilder;
use openssl::x509::verify::{X509CheckFlags, X509VerifyFlags, X509VerifyParam, X509VerifyParamRef};
use openssl::x509::{X509Crl, X509PurposeId, X509Ref, X509StoreContext, X509VerifyResult, X509};

use super::refusal::{Fault, Reason, Refusal};
use super::server_name::ServerName;
use super::{key_policy, revocation};

/// OpenSSL's security level in every validation: 112 bits.
pub const SECURITY_LEVEL: i32 = 2;
/// Certificates between the leaf and its anchor, at most.
pub const MAX_DEPTH: u32 = 10;

/// Signatures that are verified to explain a refusal, at most.
const MAX_EXPLANATIONS: usize = 3;

/// X509_V_ERR_PERMITTED_VIOLATION and X509_V_ERR_EXCLUDED_VIOLATION.
const NAME_CONSTRAINTS: [i32; 2] = [47, 48];

/// What a path is judged by.
#[derive(Clone, Copy)]
pub struct PathPolicy<'a> {
    /// Where a path may end.
    pub anchors: &'a [X509],
    /// Revocation lists; those of issuers on the path are obeyed.
    pub crls: &'a [X509Crl],
    /// The anchors were trusted beforehand. If not, they are merely where the
    /// message ends: they need not be self-signed, and their own signatures must
    /// not be weak.
    pub authenticated: bool,
    /// Certificates that the operator chose, whatever the path may end in: their keys may cost
    /// more than others.
    pub chosen: &'a [X509],
    /// What the leaf is to be fit for.
    pub purpose: Option<X509PurposeId>,
    /// The host that was called.
    pub name: Option<&'a ServerName>,
    /// Certificates between leaf and anchor, at most.
    pub max_depth: u32,
    /// Seconds since 1970.
    pub now: i64,
    /// Asked between two runs of OpenSSL: whether to give up.
    pub stopped: &'a dyn Fn() -> bool,
}

/// For [`PathPolicy::stopped`]: judges to the end.
pub fn never() -> bool {
    false
}

/// Refuses keys with which a verification costs too much, but for those of [`PathPolicy::chosen`].
pub fn check_cost<'a>(
    received: impl IntoIterator<Item = &'a X509Ref>,
    chosen: &[X509],
) -> Result<(), Refusal> {
    for certificate in received {
        if let Some(excess) = key_policy::excess_of_key(certificate) {
            // X509's equality is that of the digests of the DER.
            if !chosen.iter().any(|one| **one == *certificate) {
                return Err(Refusal::among(certificate, Reason::Weak(excess)));
            }
        }
    }
    drop(ErrorStack::get());
    Ok(())
}

/// Sets the part of the policy that a live TLS handshake can be given as well.
///
/// # Errors
/// OpenSSL has no memory, or does not take the name.
pub fn prepare(
    param: &mut X509VerifyParamRef,
    purpose: Option<X509PurposeId>,
    name: Option<&ServerName>,
    max_depth: u32,
) -> Result<(), ErrorStack> {
    param.set_flags(X509VerifyFlags::X509_STRICT | X509VerifyFlags::TRUSTED_FIRST)?;
    param.set_auth_level(SECURITY_LEVEL);
    param.set_depth(i32::try_from(max_depth).unwrap_or(i32::MAX));
    if let Some(purpose) = purpose {
        param.set_purpose(purpose)?;
    }
    match name {
        Some(ServerName::Dns(name)) => {
            param.set_hostflags(X509CheckFlags::NO_PARTIAL_WILDCARDS);
            param.set_host(name)?;
        }
        Some(ServerName::Ip(address)) => param.set_ip(*address)?,
        None => {}
    }
    Ok(())
}

/// The path from the leaf to its anchor, leaf first, if it may be trusted.
pub fn verify(
    leaf: &X509Ref,
    untrusted: &[X509],
    policy: &PathPolicy<'_>,
) -> Result<Vec<X509>, Refusal> {
    check_cost([leaf], policy.chosen)?;
    check_cost(untrusted.iter().map(|received| &**received), policy.chosen)?;
    let path = match x509_verify_cert(leaf, untrusted, policy, None)? {
        Ok(path) => path,
        Err(refused) => return Err(explained(refused, untrusted, policy)),
    };
    let last = path.len().saturating_sub(1);
    for (depth, certificate) in path.iter().enumerate() {
        let signature_matters = depth < last || !policy.authenticated;
        let weakness = key_policy::weakness_of_key(certificate).or_else(|| {
            signature_matters
                .then(|| key_policy::weakness_of_signature(certificate))
                .flatten()
        });
        if let Some(weakness) = weakness {
            return Err(Refusal::at(depth, certificate, Reason::Weak(weakness)));
        }
    }
    for list in policy.crls {
        // Not only those of issuers on the path: an indirect list may be about anybody.
        revocation::usable(list)
            .map_err(|unusable| Refusal::whole(Reason::RevocationList(unusable)))?;
    }
    for (depth, certificate) in path.iter().enumerate().take(last) {
        // A list is required of no issuer; but where there is one, it is obeyed.
        let lists = revocation::lists_for(certificate, policy.crls);
        let above = path.get(depth + 1..).unwrap_or_default();
        if lists.is_empty() {
            continue;
        }
        match x509_verify_cert(certificate, above, policy, Some(&lists))? {
            // A self-issued intermediate is exempt from name constraints, but not where
            // it is the target, as here. OpenSSL judges revocation before constraints,
            // and those of the real path were judged above.
            Err(refused) if depth > 0 && NAME_CONSTRAINTS.contains(&refused.result.as_raw()) => {}
            Err(refused) => {
                let at = depth + refused.depth;
                let reason = Reason::Revocation(refused.result);
                return Err(Refusal::at(at, &refused.certificate, reason));
            }
            Ok(_) => {}
        }
        if revocation::is_revoked(certificate, &lists) {
            return Err(Refusal::at(depth, certificate, Reason::Revoked));
        }
    }
    Ok(path)
}

struct Refused {
    result: X509VerifyResult,
    depth: usize,
    certificate: X509,
}

/// One run of X509_verify_cert. The outer error is "OpenSSL could not work".
/// With revocation lists, the leaf is checked against them, and neither purpose
/// nor name, which were judged before.
fn x509_verify_cert(
    leaf: &X509Ref,
    untrusted: &[X509],
    policy: &PathPolicy<'_>,
    lists: Option<&[&X509Crl]>,
) -> Result<Result<Vec<X509>, Refused>, Refusal> {
    if (policy.stopped)() {
        return Err(Refusal::whole(Reason::Stopped));
    }
    let mut store = X509StoreBuilder::new()?;
    for anchor in policy.anchors {
        store.add_cert(anchor.clone())?;
    }
    let mut param = X509VerifyParam::new()?;
    let (purpose, name) = match lists {
        None => (policy.purpose, policy.name),
        Some(_) => (None, None),
    };
    prepare(&mut param, purpose, name, policy.max_depth)?;
    param.set_time(own_time(policy.now)?);
    if !policy.authenticated {
        param.set_flags(X509VerifyFlags::PARTIAL_CHAIN)?;
    }
    if let Some(lists) = lists {
        param.set_flags(X509VerifyFlags::CRL_CHECK)?;
        revocation::add_to(&mut store, lists)
            .map_err(|error| Refusal::whole(Reason::RevocationLists(error)))?;
    }
    store.set_param(&param)?;
    let store = store.build();
    let mut chain = Stack::new()?;
    for certificate in untrusted {
        chain.push(certificate.clone())?;
    }
    let verdict = X509StoreContext::new()?.init(&store, leaf, &chain, |context| {
        if context.verify_cert()? {
            let path = context.chain().into_iter().flatten();
            return Ok(Ok(path.map(ToOwned::to_owned).collect()));
        }
        Ok(Err(Refused {
            result: context.error(),
            depth: usize::try_from(context.error_depth()).unwrap_or_default(),
            certificate: context.current_cert().unwrap_or(leaf).to_owned(),
        }))
    });
    // A refusal leaves entries in the thread's error queue, where the next TLS
    // call of this thread would take them for its own.
    drop(ErrorStack::get());
    Ok(verdict?)
}

/// The time in the width of this system's `time_t`, which may be 32 bits.
fn own_time<T: TryFrom<i64>>(now: i64) -> Result<T, Refusal> {
    T::try_from(now).map_err(|_| Refusal::whole(Reason::Time(now)))
}

/// OpenSSL says "no issuer" of an issuer that is there but may not issue (no
/// keyCertSign, wrong key identifier, broken extension). Then the chain is not
/// untrusted but invalid, and the reason is the one OpenSSL has for that pair.
fn explained(refused: Refused, untrusted: &[X509], policy: &PathPolicy<'_>) -> Refusal {
    let Refused {
        result,
        depth,
        certificate,
    } = refused;
    let plain = Refusal::at(depth, &certificate, Reason::Openssl(result));
    if plain.fault() != Fault::UntrustedRoot {
        return plain;
    }
    let known = untrusted.iter().chain(policy.anchors);
    let barred = known
        .filter(|issuer| issuer.subject_name_hash() == certificate.issuer_name_hash())
        .map(|issuer| (issuer, issuer.issued(&certificate)))
        .filter(|(_, verdict)| *verdict != X509VerifyResult::OK)
        .take(MAX_EXPLANATIONS)
        .find(|(issuer, _)| !(policy.stopped)() && signed(issuer, &certificate));
    drop(ErrorStack::get());
    match barred {
        Some((_, verdict)) => Refusal::at(depth, &certificate, Reason::Openssl(verdict)),
        None => plain,
    }
}

/// Whether the one key made the other's signature, whatever else they say.
pub fn signed(issuer: &X509Ref, certificate: &X509Ref) -> bool {
    let verdict = issuer
        .public_key()
        .and_then(|key| certificate.verify(&key))
        .unwrap_or(false);
    drop(ErrorStack::get());
    verdict
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_time_that_the_system_cannot_count_refuses_and_does_not_become_another() {
        let last = i64::from(i32::MAX);
        assert_eq!(own_time::<i32>(last).unwrap(), i32::MAX);
        assert_eq!(own_time::<i64>(last + 1).unwrap(), last + 1);
        let refusal = own_time::<i32>(last + 1).unwrap_err();
        assert_eq!(refusal.fault(), Fault::Invalid);
        assert!(refusal.to_string().contains("2147483648"), "{refusal}");
    }
}
