//! What is wrong with a parameter, said so that it can be mended without the manual.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::diagnosis::{Code, Fault};

/// The longest part of a given value that is repeated, in characters.
const GIVEN_LIMIT: usize = 80;

/// One parameter that does not hold.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// Its id, e.g. `retry-interval`.
    pub parameter: String,
    /// What was given, cut; `None` for a secret.
    pub given: Option<String>,
    /// What is allowed instead.
    pub allowed: String,
}

impl Problem {
    /// A problem that shows what was given.
    pub(super) fn new(parameter: &str, given: &str, allowed: impl Into<String>) -> Self {
        let mut cut: String = given.chars().take(GIVEN_LIMIT).collect();
        if cut.len() < given.len() {
            cut.push('…');
        }
        Self {
            parameter: parameter.to_owned(),
            given: Some(cut),
            allowed: allowed.into(),
        }
    }

    /// A problem with a secret, which is not shown.
    pub(super) fn secret(parameter: &str, allowed: impl Into<String>) -> Self {
        Self {
            parameter: parameter.to_owned(),
            given: None,
            allowed: allowed.into(),
        }
    }

    /// All of them as one `config.invalid`, each a cause.
    pub fn fault(problems: &[Problem]) -> Fault {
        let names: Vec<&str> = problems.iter().map(|p| p.parameter.as_str()).collect();
        let message = match problems {
            [one] => one.to_string(),
            _ => format!(
                "{} parameters do not hold: {}",
                problems.len(),
                names.join(", ")
            ),
        };
        let fault = Fault::new(Code::ConfigInvalid, message);
        match problems {
            [_] => fault,
            _ => problems
                .iter()
                .fold(fault, |fault, p| fault.caused_by(p.to_string())),
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.given {
            Some(given) => write!(
                f,
                "{}: given {given:?}, allowed: {}",
                self.parameter, self.allowed
            ),
            None => write!(
                f,
                "{}: given ***, allowed: {}",
                self.parameter, self.allowed
            ),
        }
    }
}
