//! One fuzzer for all targets: the environment variable FUZZ_TARGET names the one to feed, the
//! arguments are libFuzzer's. Started by `tests/checks/fuzz.sh`, which builds it with
//! AddressSanitizer and coverage; without these flags it does not link, and would find little.
#![no_main]

use std::sync::OnceLock;

use fuzz_targets::Target;
use libfuzzer_sys::fuzz_target;

static TARGET: OnceLock<Target> = OnceLock::new();

fn choose() {
    let name = std::env::var("FUZZ_TARGET").unwrap_or_default();
    match fuzz_targets::target(&name) {
        Some(target) => drop(TARGET.set(*target)),
        None => {
            let known: Vec<_> = fuzz_targets::TARGETS.iter().map(|t| t.name).collect();
            eprintln!("FUZZ_TARGET is {name:?}; known are {}", known.join(", "));
            std::process::exit(2);
        }
    }
}

fuzz_target!(init: choose(), |data: &[u8]| {
    if let Some(target) = TARGET.get() {
        (target.run)(data);
    }
});
