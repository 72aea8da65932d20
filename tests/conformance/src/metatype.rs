//! Judges the reader of metatypes by descriptors that other people wrote.

use std::collections::BTreeSet;

use gateway_host_sdk::metatype::{read, Metatype};

/// Judges one file: it has to be read, and what was read has to hold together.
///
/// # Errors
/// One line: why it was refused, or what does not hold together.
pub fn judge(xml: &[u8]) -> Result<(), String> {
    let metatype = read(xml).map_err(|e| format!("cannot be read: {e}"))?;
    coherent(&metatype)
}

fn coherent(metatype: &Metatype) -> Result<(), String> {
    for ocd in &metatype.ocds {
        let ids: BTreeSet<&str> = ocd.ads.iter().map(|ad| ad.id.as_str()).collect();
        let defaults = ocd.defaults();
        if let Some(name) = defaults.keys().find(|name| !ids.contains(name.as_str())) {
            return Err(format!(
                "OCD {:?}: default of {name:?}, which is no AD",
                ocd.id
            ));
        }
        for ad in &ocd.ads {
            if let Some(value) = defaults.get(&ad.id) {
                if value.kind() != ad.kind {
                    return Err(format!(
                        "OCD {:?}: default of {:?} is a {}, not a {}",
                        ocd.id,
                        ad.id,
                        value.kind().name(),
                        ad.kind.name()
                    ));
                }
            }
        }
    }
    Ok(())
}
