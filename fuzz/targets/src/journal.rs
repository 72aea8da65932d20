//! The journal of a transaction: `provisioning_service::transaction::journal::replay`.
//!
//! The input is read as it is, and once more as one record a line that only lacks its checksum: a
//! fuzzer does not find CRCs.

use openssl::sha::sha256;
use provisioning_service::transaction::journal::{line, replay, Open, Phase, Record, Summary};

use crate::Seed;

pub(crate) fn run(data: &[u8]) {
    judge(data);
    let mut sealed = Vec::new();
    for record in data.split(|byte| *byte == b'\n') {
        sealed.extend(with_checksum(record));
    }
    judge(&sealed);
}

fn judge(content: &[u8]) {
    let Ok((summary, good)) = replay(content) else {
        return;
    };
    assert!(good <= content.len());
    assert!(good == 0 || content[good - 1] == b'\n');
    // The good part says the same, and so does the summary that takes its place.
    assert_eq!(replay(&content[..good]), Ok((summary.clone(), good)));
    let written = line(&Record::Summary(Box::new(summary.clone()))).unwrap();
    assert_eq!(replay(&written), Ok((summary.clone(), written.len())));
    // What tears in the middle of the next record is as if it had not been written.
    let mut torn = content[..good].to_vec();
    torn.extend_from_slice(&written[..written.len() / 2]);
    assert_eq!(replay(&torn), Ok((summary, good)));
}

fn with_checksum(record: &[u8]) -> Vec<u8> {
    let crc = crc32(record);
    [
        format!("{{\"crc\":\"{crc:08x}\",\"record\":").as_bytes(),
        record,
        b"}\n",
    ]
    .concat()
}

/// CRC-32 as in gzip and in the journal (polynomial 0xedb88320).
fn crc32(bytes: &[u8]) -> u32 {
    let mut crc = !0u32;
    for byte in bytes {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            let low = crc & 1;
            crc = (crc >> 1) ^ (0xedb8_8320 * low);
        }
    }
    !crc
}

pub(crate) fn seeds() -> Vec<Seed> {
    let started = Record::Started {
        transaction: "5f6a7b80-0000-4000-8000-000000000001".into(),
        client_id: "gw-1".into(),
        username: "gw-1-4711".into(),
        parameters: sha256(b"").iter().map(|b| format!("{b:02x}")).collect(),
    };
    let attempt = |n| Record::Attempt { n, at_ms: 5 };
    let summary = Summary {
        transaction: Some(Open {
            id: "t".into(),
            phase: Phase::Sealed,
            ..Open::default()
        }),
        provisioned_before: true,
        good_time_ms: 1_795_000_000_000,
        last_attempts: 3,
        last_transaction: Some("s".into()),
        root_verified: Some(false),
        gave_up: None,
    };
    let success = [
        started.clone(),
        attempt(1),
        Record::Sealed,
        Record::Committed { at_ms: 9 },
        Record::Finished {
            root_verified: true,
        },
    ];
    let undone = [
        started.clone(),
        attempt(1),
        Record::Sealed,
        Record::Undone,
        attempt(2),
        Record::Abandoned,
    ];
    let whole: Vec<u8> = success.iter().flat_map(|r| line(r).unwrap()).collect();
    vec![
        ("success", whole.clone()),
        ("torn", whole[..whole.len() - 7].to_vec()),
        ("success-bare", bare(&success)),
        ("undone-bare", bare(&undone)),
        ("summary-bare", bare(&[Record::Summary(Box::new(summary))])),
    ]
}

/// The records without their checksums, one a line.
fn bare(records: &[Record]) -> Vec<u8> {
    let mut out = Vec::new();
    for record in records {
        let whole = line(record).unwrap();
        let at = b"{\"crc\":\"00000000\",\"record\":".len();
        out.extend_from_slice(&whole[at..whole.len() - 2]);
        out.push(b'\n');
    }
    out.pop();
    out
}
