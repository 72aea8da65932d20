//! Splitting defaults: `,` separates, `\` escapes any character, unescaped white space around
//! a token is not part of it. The rule of Kura's `StringUtil.splitValues` (and of Equinox).

/// The tokens of a text; always at least one.
pub(super) fn split(text: &str) -> Vec<String> {
    let mut tokens = Vec::new();
    let mut token = String::new();
    // Unescaped white space seen since the last other character: kept only if another follows.
    let mut pending = String::new();
    let mut characters = text.chars();
    while let Some(c) = characters.next() {
        match c {
            ',' => {
                pending.clear();
                tokens.push(std::mem::take(&mut token));
            }
            // An escape at the very end is ignored, with the white space before it.
            '\\' => {
                if let Some(escaped) = characters.next() {
                    token.push_str(&std::mem::take(&mut pending));
                    token.push(escaped);
                }
            }
            c if is_java_whitespace(c) => {
                if !token.is_empty() {
                    pending.push(c);
                }
            }
            c => {
                token.push_str(&std::mem::take(&mut pending));
                token.push(c);
            }
        }
    }
    tokens.push(token);
    tokens
}

/// `Character.isWhitespace`: no-break spaces are none.
pub(super) fn is_java_whitespace(c: char) -> bool {
    match c {
        '\u{00a0}' | '\u{2007}' | '\u{202f}' | '\u{0085}' => false,
        '\u{001c}'..='\u{001f}' => true,
        c => c.is_whitespace(),
    }
}

#[cfg(test)]
mod tests {
    use super::split;

    #[test]
    fn tokens_follow_kura() {
        for (text, tokens) in [
            ("a", vec!["a"]),
            (" a b , c ", vec!["a b", "c"]),
            (r"Hello\, world!", vec!["Hello, world!"]),
            (",", vec!["", ""]),
            (r"\ a\ ", vec![" a "]),
            (r"a  \", vec!["a"]),
            ("a \\\\ b", vec!["a \\ b"]),
            ("\\\r\\\n  ", vec!["\r\n"]),
            ("  ", vec![""]),
        ] {
            assert_eq!(split(text), tokens, "{text:?}");
        }
    }
}
