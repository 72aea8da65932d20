//! Every header compiles by itself and with all others, as C99, C11, C++11 and C++17, without a warning;
//! and every function in them says on which thread it is called.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use contract::compiler::Language;
use contract::declarations::headers;

const LANGUAGES: [Language; 2] = [Language::C, Language::Cpp];

fn include(names: &[String]) -> String {
    let mut source: String = names.iter().map(|n| format!("#include <{n}>\n")).collect();
    // A file without a declaration is a warning in pedantic C.
    source.push_str("extern int nothing;\n");
    source
}

#[test]
fn each_header_compiles_alone() {
    for language in LANGUAGES {
        for header in headers() {
            if let Err(text) = language.check(&include(std::slice::from_ref(&header.name))) {
                panic!("{} as {language:?}:\n{text}", header.name);
            }
        }
    }
}

#[test]
fn all_headers_compile_together_in_any_order_and_twice() {
    let names: Vec<String> = headers().into_iter().map(|h| h.name).collect();
    let reversed: Vec<String> = names.iter().rev().cloned().collect();
    for language in LANGUAGES {
        for order in [
            &names,
            &reversed,
            &[names.clone(), reversed.clone()].concat(),
        ] {
            if let Err(text) = language.check(&include(order)) {
                panic!("{order:?} as {language:?}:\n{text}");
            }
        }
    }
}

#[test]
fn the_compiler_would_have_said_so() {
    for language in LANGUAGES {
        assert!(
            language
                .check("#include <gwc/gwc.h>\nint f(void) { long unused; return 0; }\n")
                .is_err(),
            "a warning is no error as {language:?}"
        );
    }
}

#[test]
fn every_function_says_on_which_thread_it_is_called() {
    let mut functions = 0;
    for header in headers() {
        for table in &header.structs {
            for field in &table.fields {
                // A sink's put is described once, where the sink is.
                if !field.is_function() || field.name == "put" {
                    continue;
                }
                functions += 1;
                let tagged = ["[control]", "[any-thread]", "[worker]"]
                    .iter()
                    .any(|tag| field.comment.trim_end().ends_with(tag));
                assert!(
                    tagged,
                    "{}: {}.{} ends with no tag: {:?}",
                    header.name, table.name, field.name, field.comment
                );
            }
        }
    }
    assert!(
        functions > 40,
        "the parser found {functions} functions only"
    );
}
