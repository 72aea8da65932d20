//! Writes the seeds of every target into the corpus: `cargo run -p fuzz-targets --bin fuzz-seeds`.
//! What the fuzzers added there, and what is there already, stays. With the argument `list` it
//! prints the names of the targets and the longest input of each, with `fixtures` it makes new
//! certificates and signed messages.

use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let argument = std::env::args().nth(1);
    if argument.as_deref() == Some("list") {
        for target in fuzz_targets::TARGETS {
            println!("{} {}", target.name, target.max_len);
        }
        return Ok(());
    }
    if argument.as_deref() == Some("fixtures") {
        return fuzz_targets::fixtures::write(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("fixtures")
                .as_path(),
        );
    }
    for target in fuzz_targets::TARGETS {
        let folder = fuzz_targets::corpus().join(target.name);
        fs::create_dir_all(&folder)?;
        for (name, bytes) in (target.seeds)() {
            fs::write(folder.join(format!("seed-{name}")), bytes)?;
        }
    }
    Ok(())
}
