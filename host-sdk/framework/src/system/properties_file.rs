//! Java's `.properties` syntax (`java.util.Properties.load`): `=`, `:` or white space separate,
//! `#` and `!` begin comments, `\` escapes, and at the end of a line continues it. Read as
//! UTF-8; a file that is none is read as ISO-8859-1, which older Javas wrote. `kura.properties`
//! and the localizations of metatypes are such files.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// What is wrong with a properties file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PropertiesError {
    /// `\u` without four hexadecimal digits, or half of a surrogate pair.
    #[error("line {line} of the properties has a malformed \\u escape")]
    Escape {
        /// The line, counted from 1, on which the entry begins.
        line: usize,
    },
}

/// The text of a properties file.
pub fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        Err(_) => bytes.iter().map(|byte| char::from(*byte)).collect(),
    }
}

/// The entries; of several with one key the last counts.
///
/// # Errors
/// The first malformed escape.
pub fn parse(text: &str) -> Result<BTreeMap<String, String>, PropertiesError> {
    let mut entries = BTreeMap::new();
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let mut lines = text.split('\n').enumerate();
    while let Some((number, line)) = lines.next() {
        let line = line.trim_start_matches(is_blank);
        if line.is_empty() || line.starts_with(['#', '!']) {
            continue;
        }
        let mut logical = line.to_owned();
        while continues(&logical) {
            logical.pop();
            match lines.next() {
                Some((_, next)) => logical.push_str(next.trim_start_matches(is_blank)),
                None => break,
            }
        }
        let error = PropertiesError::Escape { line: number + 1 };
        let (key, value) = entry(&logical).ok_or(error)?;
        entries.insert(key, value);
    }
    Ok(entries)
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t' | '\u{c}')
}

/// Whether the line ends in an odd number of backslashes.
fn continues(line: &str) -> bool {
    line.chars().rev().take_while(|c| *c == '\\').count() % 2 == 1
}

fn entry(line: &str) -> Option<(String, String)> {
    let mut rest = line.chars().peekable();
    let mut key = String::new();
    while let Some(c) = rest.next_if(|c| !is_blank(*c) && !matches!(c, '=' | ':')) {
        key.push(unescaped(c, &mut rest)?);
    }
    while rest.next_if(|c| is_blank(*c)).is_some() {}
    if rest.next_if(|c| matches!(c, '=' | ':')).is_some() {
        while rest.next_if(|c| is_blank(*c)).is_some() {}
    }
    let mut value = String::new();
    while let Some(c) = rest.next() {
        value.push(unescaped(c, &mut rest)?);
    }
    Some((key, value))
}

fn unescaped(c: char, rest: &mut Peekable<Chars<'_>>) -> Option<char> {
    if c != '\\' {
        return Some(c);
    }
    match rest.next()? {
        't' => Some('\t'),
        'n' => Some('\n'),
        'r' => Some('\r'),
        'f' => Some('\u{c}'),
        'u' => {
            let unit = hex(rest)?;
            if !(0xd800..0xdc00).contains(&unit) {
                return char::from_u32(unit.into());
            }
            rest.next_if_eq(&'\\')?;
            rest.next_if_eq(&'u')?;
            let pair = [unit, hex(rest)?];
            char::decode_utf16(pair).next()?.ok()
        }
        other => Some(other),
    }
}

fn hex(rest: &mut Peekable<Chars<'_>>) -> Option<u16> {
    let mut unit = 0u16;
    for _ in 0..4 {
        let digit = rest.next()?.to_digit(16)?;
        unit = (unit << 4) | u16::try_from(digit).ok()?;
    }
    Some(unit)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::indexing_slicing)]
    use super::*;

    #[test]
    fn the_syntax_is_that_of_java() {
        let text =
            "# no\n! no\n\na=1\nb : 2\n c\t3 \nd\\ e\\=f=g\\\n    h\\\n\nempty\nurl=a\\:b=c\n\
                    u=\\u00e9\\ud83d\\ude00\na=last\r\nback=\\\\\nz=x\\";
        let entries = parse(text).unwrap();
        for (key, value) in [
            ("a", "last"),
            ("b", "2"),
            ("c", "3 "),
            ("d e=f", "gh"),
            ("empty", ""),
            ("url", "a:b=c"),
            ("u", "é😀"),
            ("back", "\\"),
            ("z", "x"),
        ] {
            assert_eq!(entries[key], value, "{key}");
        }
        assert_eq!(entries.len(), 9);
    }

    #[test]
    fn a_malformed_escape_names_its_line() {
        for text in ["\n\nx=\\u12g4", "\n\nx=\\ud83d", "\n\nx=\\u12"] {
            assert_eq!(parse(text), Err(PropertiesError::Escape { line: 3 }));
        }
    }

    #[test]
    fn a_file_of_an_older_java_is_read() {
        assert_eq!(parse(&decode(b"k=\xe9")).unwrap()["k"], "é");
    }
}
