//! The list of snapshots that CONF-V1 gives for `GET snapshots`: Kura's
//! `<esf:snapshot-ids><esf:snapshotIds>`. Snapshots themselves are in [`crate::configurations`].

use crate::configurations::ESF_NAMESPACE;

/// The document for these ids (milliseconds since 1970 UTC; 0 is the seed), in their order.
pub fn write(ids: &[i64]) -> Vec<u8> {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\" standalone=\"yes\"?>\n");
    out.push_str("<esf:snapshot-ids xmlns:esf=\"");
    out.push_str(ESF_NAMESPACE);
    out.push_str("\">\n");
    for id in ids {
        out.push_str("    <esf:snapshotIds>");
        out.push_str(&id.to_string());
        out.push_str("</esf:snapshotIds>\n");
    }
    out.push_str("</esf:snapshot-ids>\n");
    out.into_bytes()
}
