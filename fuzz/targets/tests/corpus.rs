//! The corpus, without a fuzzer: every input that is there on purpose or was found once goes
//! through the function that a fuzzer would call.
#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout)]

use std::collections::BTreeSet;
use std::fs;

use fuzz_targets::{corpus, Target, TARGETS};

fn replay(target: &Target) {
    let folder = corpus().join(target.name);
    let mut files: Vec<_> = fs::read_dir(&folder)
        .unwrap_or_else(|e| panic!("{}: {e}", folder.display()))
        .map(|entry| entry.unwrap().path())
        .collect();
    files.sort();
    assert!(
        files.len() >= 3,
        "{} has nearly nothing in it",
        folder.display()
    );
    for file in files {
        // Shown by the test if it fails.
        println!("{}", file.display());
        (target.run)(&fs::read(&file).unwrap());
    }
}

macro_rules! corpora {
    ($($test:ident $name:literal),* $(,)?) => {
        $(#[test]
        fn $test() {
            replay(fuzz_targets::target($name).unwrap());
        })*

        #[test]
        fn every_target_is_replayed_and_every_corpus_has_its_target() {
            let tested = BTreeSet::from([$($name.to_owned()),*]);
            let known: BTreeSet<_> = TARGETS.iter().map(|t| t.name.to_owned()).collect();
            assert_eq!(tested, known);
            let folders: BTreeSet<_> = fs::read_dir(corpus())
                .unwrap()
                .map(|entry| entry.unwrap().file_name().into_string().unwrap())
                .collect();
            assert_eq!(folders, known);
        }
    };
}

corpora! {
    payload "payload",
    gzip "gzip",
    topic "topic",
    request "request",
    configurations "configurations",
    snapshot "snapshot",
    metatype "metatype",
    journal "journal",
    record "record",
    certificates "certificates",
    signed "signed",
    mqtt "mqtt",
    web_socket "web-socket",
    package "package",
    broker_url "broker-url",
    properties "properties",
    response "response",
    revocation "revocation",
}

/// What our encoders make today goes through as well as what they made when the corpus was written.
#[test]
fn the_seeds_of_today_are_taken_and_have_their_files() {
    for target in TARGETS {
        for (name, bytes) in (target.seeds)() {
            println!("{} {name}", target.name);
            (target.run)(&bytes);
            let file = corpus().join(target.name).join(format!("seed-{name}"));
            assert!(
                file.is_file(),
                "{} is missing: cargo run -p fuzz-targets --bin fuzz-seeds",
                file.display()
            );
        }
    }
}
