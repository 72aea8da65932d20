//! Code shown in a README is the code that the tests compile and run.
//!
//! A block that follows the line `<!-- file: PATH -->` (from the root of the repository) is that
//! file, byte for byte.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout
)]

use contract::repository;

/// Where blocks may be.
const PAGES: [&str; 2] = ["README.md", "include/README.md"];

#[test]
fn code_blocks_are_the_files_that_they_name() {
    for page in PAGES {
        let path = repository().join(page);
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: no {page}");
            continue;
        };
        for block in text.split("<!-- file: ").skip(1) {
            let (file, rest) = block.split_once(" -->\n").expect("a marker ends its line");
            let rest = rest.trim_start_matches('\n');
            let (_, rest) = rest
                .strip_prefix("```")
                .and_then(|rest| rest.split_once('\n'))
                .unwrap_or_else(|| panic!("{page}: no code block after {file}"));
            let (code, _) = rest.split_once("\n```").expect("a code block ends");
            let wanted = std::fs::read_to_string(repository().join(file))
                .unwrap_or_else(|e| panic!("{page}: {file}: {e}"));
            assert_eq!(code, wanted.trim_end(), "{page} shows another {file}");
        }
    }
}

#[test]
fn the_headers_page_shows_the_c_host() {
    let text = std::fs::read_to_string(repository().join("include/README.md")).unwrap();
    assert!(text.contains("<!-- file: tests/hosts/c/host.c -->"));
}
