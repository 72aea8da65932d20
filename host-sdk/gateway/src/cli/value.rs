//! `key=value` on the command line, turned into the JSON of the REST interface by the
//! type that the component's descriptor gives the key.
//!
//! Secrets take another way: a Password is never accepted on the command line, where
//! every user of the machine could read it. Called by `cli::config`.

use std::fs;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;

use rustix::termios::{tcgetattr, tcsetattr, LocalModes, OptionalActions, Termios};
use serde_json::{json, Value};
use zeroize::Zeroizing;

use super::error::CliError;
use super::signals::Watch;
use crate::outcome::exit;

/// What a key is, as far as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kind {
    /// `STRING`, `INTEGER`, ... as Kura's REST interface writes them.
    pub scalar: String,
    /// More than one value.
    pub array: bool,
}

/// One argument `key`, `key=value` or `key=@file`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Argument<'a> {
    /// The key.
    pub key: &'a str,
    /// What follows the first `=`, if there is one.
    pub value: Option<&'a str>,
}

impl<'a> Argument<'a> {
    /// Splits at the first `=`.
    ///
    /// # Errors
    /// [`CliError::Usage`] for an empty key.
    pub fn parse(text: &'a str) -> Result<Argument<'a>, CliError> {
        let (key, value) = match text.split_once('=') {
            Some((key, value)) => (key, Some(value)),
            None => (text, None),
        };
        if key.is_empty() {
            return Err(CliError::Usage(format!("'{text}' is not KEY=VALUE")));
        }
        Ok(Argument { key, value })
    }

    /// The property as the REST interface takes it: `{"value":…,"type":…}`.
    ///
    /// # Errors
    /// [`CliError::Usage`] where the text is not of the type, or a secret stands on the
    /// command line; [`CliError::File`].
    pub fn property(&self, kind: &Kind) -> Result<Value, CliError> {
        let value = if kind.scalar == "PASSWORD" {
            match self.value {
                None => Value::String(ask(self.key)?.to_string()),
                Some("") => Value::String(String::new()),
                Some(value) => match value.strip_prefix('@') {
                    Some(path) => Value::String(read(path)?.to_string()),
                    None => {
                        return Err(CliError::Usage(format!(
                            "{0} is a password: everybody on this machine could read it here; \
                             give '{0}' alone to be asked, or {0}=@FILE",
                            self.key
                        )))
                    }
                },
            }
        } else {
            let text = self
                .value
                .ok_or_else(|| CliError::Usage(format!("{} needs =VALUE", self.key)))?;
            if kind.array {
                let items = split(text);
                let items: Result<Vec<_>, _> =
                    items.iter().map(|item| self.scalar(kind, item)).collect();
                Value::Array(items?)
            } else {
                self.scalar(kind, text)?
            }
        };
        Ok(json!({"value": value, "type": kind.scalar}))
    }

    /// One value. An emptied number goes back to its default, as in Kura's form: null.
    fn scalar(&self, kind: &Kind, text: &str) -> Result<Value, CliError> {
        let wrong =
            |needed: &str| CliError::Usage(format!("{}: '{text}' is not {needed}", self.key));
        let number = text.trim();
        Ok(match kind.scalar.as_str() {
            "STRING" => json!(text),
            _ if number.is_empty() => Value::Null,
            "BOOLEAN" => json!(number.parse::<bool>().map_err(|_| wrong("true or false"))?),
            "INTEGER" | "LONG" | "SHORT" | "BYTE" => {
                json!(number.parse::<i64>().map_err(|_| wrong("a whole number"))?)
            }
            "DOUBLE" | "FLOAT" => json!(number.parse::<f64>().map_err(|_| wrong("a number"))?),
            _ => json!(text),
        })
    }
}

/// Splits at commas; `\,` is a comma and `\\` a backslash, as in a descriptor's default.
fn split(text: &str) -> Vec<String> {
    let mut items = vec![String::new()];
    let mut escaped = false;
    for c in text.chars() {
        match (c, escaped, items.last_mut()) {
            ('\\', false, _) => {
                escaped = true;
                continue;
            }
            (',', false, _) => items.push(String::new()),
            (c, _, Some(item)) => item.push(c),
            (_, _, None) => {}
        }
        escaped = false;
    }
    items
}

/// A secret from a file: everything but one line end at its end.
fn read(path: &str) -> Result<Zeroizing<String>, CliError> {
    let path = PathBuf::from(path);
    let text = fs::read_to_string(&path)
        .map(Zeroizing::new)
        .map_err(|source| CliError::File { path, source })?;
    Ok(line(&text))
}

/// A secret from the person at the terminal, unseen, or a line of standard input.
fn ask(key: &str) -> Result<Zeroizing<String>, CliError> {
    let failed = |e: io::Error| CliError::host(format!("{key} cannot be read"), e);
    let stdin = io::stdin();
    let mut text = Zeroizing::new(String::new());
    if !stdin.is_terminal() {
        let read = stdin.lock().read_line(&mut text).map_err(failed)?;
        return match read {
            0 => Err(CliError::Usage(format!(
                "standard input ended before {key}"
            ))),
            _ => Ok(line(&text)),
        };
    }
    let before = tcgetattr(&stdin).map_err(|e| failed(e.into()))?;
    let mut silent = before.clone();
    silent.local_modes.remove(LocalModes::ECHO);
    end_visibly(before.clone()).map_err(|e| CliError::host("signals cannot be caught", e))?;
    // Before the prompt: who types ahead is not seen either.
    tcsetattr(&stdin, OptionalActions::Now, &silent).map_err(|e| failed(e.into()))?;
    let _ = write!(io::stderr(), "{key}: ").and_then(|()| io::stderr().flush());
    let result = stdin.lock().read_line(&mut text);
    let restored = tcsetattr(&stdin, OptionalActions::Now, &before);
    let _ = writeln!(io::stderr());
    restored.map_err(|e| failed(e.into()))?;
    match result.map_err(failed)? {
        0 => Err(CliError::Usage(format!("the input ended before {key}"))),
        _ => Ok(line(&text)),
    }
}

/// From now on a signal that ends the command gives the terminal back as it was.
fn end_visibly(before: Termios) -> io::Result<()> {
    let watch = Watch::start(move |signal| {
        // The terminal may be gone: then there is nothing to give back.
        let _ = tcsetattr(io::stdin(), OptionalActions::Now, &before);
        let _ = writeln!(io::stderr());
        let signal = u8::try_from(signal).unwrap_or(0);
        std::process::exit(i32::from(signal.saturating_add(exit::SIGNAL)));
    })?;
    // Until the end of the process: without it the signals would not end the command any more.
    std::mem::forget(watch);
    Ok(())
}

fn line(text: &str) -> Zeroizing<String> {
    let text = text.strip_suffix('\n').unwrap_or(text);
    Zeroizing::new(text.strip_suffix('\r').unwrap_or(text).to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    fn kind(scalar: &str) -> Kind {
        Kind {
            scalar: scalar.into(),
            array: false,
        }
    }

    fn property(text: &str, scalar: &str) -> Result<Value, CliError> {
        Argument::parse(text)?.property(&kind(scalar))
    }

    #[test]
    fn values_take_the_type_of_their_key() {
        assert_eq!(
            property("timeout=30", "INTEGER").unwrap()["value"],
            json!(30)
        );
        assert_eq!(
            property("enabled=true", "BOOLEAN").unwrap()["value"],
            json!(true)
        );
        assert_eq!(property("a=b=c", "STRING").unwrap()["value"], json!("b=c"));
        assert_eq!(
            property("timeout=", "INTEGER").unwrap()["value"],
            Value::Null
        );
        assert!(matches!(
            property("timeout=soon", "INTEGER"),
            Err(CliError::Usage(_))
        ));
        assert!(matches!(property("=x", "STRING"), Err(CliError::Usage(_))));
    }

    #[test]
    fn a_password_on_the_command_line_is_refused_and_not_repeated() {
        let error = property("password=canary", "PASSWORD").unwrap_err();
        assert!(matches!(error, CliError::Usage(_)));
        assert!(!error.to_string().contains("canary"));
    }

    #[test]
    fn a_password_from_a_file_loses_one_line_end_only() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "s ecret \n\n").unwrap();
        let text = format!("password=@{}", file.path().display());
        assert_eq!(
            property(&text, "PASSWORD").unwrap()["value"],
            json!("s ecret \n")
        );
    }

    #[test]
    fn an_escaped_comma_does_not_split() {
        let kind = Kind {
            scalar: "STRING".into(),
            array: true,
        };
        let value = Argument::parse(r"list=a\,b,c")
            .unwrap()
            .property(&kind)
            .unwrap();
        assert_eq!(value["value"], json!(["a,b", "c"]));
    }
}
