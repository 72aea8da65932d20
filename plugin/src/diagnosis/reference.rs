//! The reference page `docs/errors.md`, generated from the table so that it cannot disagree.

use super::table::Code;

/// The reference of all codes, as Markdown.
pub fn reference() -> String {
    let mut page = String::from(
        "# Error codes\n\n\
         Generated from the table in `src/diagnosis/table.rs`; a test compares them.\n\n\
         The class says who can mend it: `device` here on the gateway, `cloud` on the platform, \
         `wait` nobody, it passes by itself. The retry says what follows: `retry` is another \
         attempt after the pause, `change` waits for a change of the configuration. The reply is \
         the `response.code` that the platform sees.\n\n\
         | code | class | retry | reply | cause | remedy |\n\
         |---|---|---|---|---|---|\n",
    );
    for code in Code::ALL {
        let retry = match code.retry() {
            super::RetryPolicy::Retry => "retry",
            super::RetryPolicy::WaitForChange => "change",
        };
        let reply = match code {
            Code::ProtocolUnexpected => "404, 409".to_owned(),
            other => other.response_code().to_string(),
        };
        page.push_str(&format!(
            "| `{code}` | {} | {retry} | {reply} | {} | {} |\n",
            code.class(),
            code.cause(),
            code.remedy()
        ));
    }
    page.push_str(
        "\n## Codes of the platform\n\n\
         `platform.rejected` carries the platform's own code; for these the remedy is:\n\n\
         | code | remedy |\n\
         |---|---|\n",
    );
    for (code, remedy) in super::platform::REMEDIES {
        page.push_str(&format!("| `{code}` | {remedy} |\n"));
    }
    page
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use std::path::Path;

    /// `GWC_REWRITE=1 cargo test` writes the page instead of comparing it.
    #[test]
    fn the_page_is_what_the_table_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/errors.md");
        if std::env::var_os("GWC_REWRITE").is_some() {
            std::fs::write(&path, reference()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap();
        assert!(
            page == reference(),
            "docs/errors.md is stale: run the test with GWC_REWRITE=1"
        );
    }

    #[test]
    fn sentences_end_and_fit_a_table_cell() {
        for code in Code::ALL {
            for sentence in [code.cause(), code.remedy()] {
                assert!(sentence.ends_with('.'), "{code}: {sentence}");
                assert!(!sentence.contains(['|', '\n']), "{code}: {sentence}");
            }
        }
        for (code, sentence) in super::super::platform::REMEDIES {
            assert!(sentence.ends_with('.'), "{code}: {sentence}");
            assert!(!sentence.contains(['|', '\n']), "{code}: {sentence}");
        }
    }

    #[test]
    fn every_broker_code_tells_when_a_device_is_accepted() {
        for code in Code::ALL {
            if code.as_str().starts_with("broker.") {
                assert!(
                    code.remedy().contains(
                        "accepts a device only while an active provision request matches \
                         client-id, username and password"
                    ),
                    "{code}"
                );
            }
        }
    }
}
