//! A snapshot of the host: `gateway_host_sdk::configuration::rewritten`, under a key of its own.

use std::sync::OnceLock;

use gateway_host_sdk::configuration::rewritten;
use gateway_host_sdk::crypto::Crypto;

use crate::Seed;

fn crypto() -> &'static Crypto {
    static KEY: OnceLock<Crypto> = OnceLock::new();
    KEY.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        Crypto::open(folder.path()).unwrap()
    })
}

pub(crate) fn run(data: &[u8]) {
    let Ok(once) = rewritten(data, crypto()) else {
        return;
    };
    crate::configurations::no_doctype(data);
    // Passwords are this gateway's own from now on, so that nothing changes any more.
    let twice = rewritten(&once, crypto()).expect("what was written is read again");
    assert_eq!(twice, once);
}

pub(crate) fn seeds() -> Vec<Seed> {
    let of = |text: &str| text.as_bytes().to_vec();
    // Passwords as Kura with its default key has them are in the tests of `crypto`.
    vec![
        ("all-types", crate::configurations::sample()),
        (
            "old-stack",
            of("<esf:configurations xmlns:esf=\"http://eurotech.com/esf/2.0\"><esf:configuration pid=\"org.eclipse.kura.data.DataService\"><esf:properties><esf:property name=\"p\" array=\"true\" encrypted=\"true\" type=\"Password\"><esf:value>c2VjcmV0</esf:value><esf:value></esf:value></esf:property></esf:properties></esf:configuration></esf:configurations>"),
        ),
        ("sealed-whole", of("AAAAAAAAAAAAAAAAAAAAAA==-AAAAAAAAAAAAAAAA")),
    ]
}
