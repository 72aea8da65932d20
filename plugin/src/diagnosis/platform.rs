//! What to do about a rejection, by the platform's own code.
//!
//! The codes are those that profile 1 names; another one keeps the remedy of `platform.rejected`.
//! Called by [`super::Fault::remedy`] and by the reference page.

/// The platform's codes and what to do, in one sentence or two.
pub(super) const REMEDIES: [(&str, &str); 5] = [
    (
        "request.unknown",
        "Compare client-id, username and account-name with the provision request; if there is none for this gateway, create it on the platform.",
    ),
    (
        "request.not-active",
        "Activate the provision request on the platform, or create a new one if it was used or cancelled; the gateway tries again by itself.",
    ),
    (
        "request.expired",
        "Extend the provision request on the platform, or create a new one; the gateway tries again by itself. Check the date of the platform if it should not have expired.",
    ),
    (
        "activation-key.invalid",
        "Here or in the cloud, compare both: type the activation-key of the provision request again, or have the platform show or replace the one it expects.",
    ),
    (
        "attempts.exhausted",
        "Have the platform reset the attempts of the provision request, or create a new one; first mend here what the attempts before failed with.",
    ),
];

/// What to do about that code of the platform; `None` where profile 1 does not name it.
pub(super) fn remedy(code: &str) -> Option<&'static str> {
    let mut known = REMEDIES.iter();
    known.find(|(name, _)| *name == code).map(|(_, text)| *text)
}
