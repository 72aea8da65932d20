//! What of the grammar of XML 1.0 quick-xml leaves to its users: names, the form of tags, of the
//! declaration and of references. Without it a damaged document is read as if what is damaged were
//! not there. The readers of configurations and of metatypes ask [`fault`] for each event; it keeps
//! nothing between two of them.

use quick_xml::events::Event;

/// What is not well-formed in the raw text of this event, as a part of a sentence.
pub fn fault(event: &Event<'_>) -> Option<&'static str> {
    match event {
        Event::Start(tag) | Event::Empty(tag) => start_tag(tag, &mut |_, _| ()).err(),
        Event::Text(text) => text.contains("]]>").then_some("']]>' in a text"),
        Event::GeneralRef(name) => reference(name)
            .is_none()
            .then_some("a reference to no character that XML can hold"),
        Event::Decl(declaration) => self::declaration(declaration).err(),
        Event::PI(instruction) => {
            let good = qualified_name(instruction.target()) == Some("")
                && !instruction.target().eq_ignore_ascii_case("xml");
            (!good).then_some("a processing instruction without a proper name")
        }
        Event::End(_) | Event::CData(_) | Event::Comment(_) | Event::DocType(_) | Event::Eof => {
            None
        }
    }
}

/// The character of a reference, between `&` and `;`: one of the five predefined, or by its number.
pub fn reference(name: &str) -> Option<char> {
    match name {
        "lt" => Some('<'),
        "gt" => Some('>'),
        "amp" => Some('&'),
        "apos" => Some('\''),
        "quot" => Some('"'),
        _ => name
            .strip_prefix('#')
            .and_then(|number| match number.strip_prefix('x') {
                Some(hex) => digits(hex, 16),
                None => digits(number, 10),
            })
            .and_then(char::from_u32)
            .filter(|character| is_xml_char(*character)),
    }
}

/// `from_str_radix` alone would take a sign.
fn digits(text: &str, radix: u32) -> Option<u32> {
    text.chars()
        .all(|character| character.is_digit(radix))
        .then(|| u32::from_str_radix(text, radix).ok())
        .flatten()
}

/// `Char` (2.2).
pub fn is_xml_char(character: char) -> bool {
    matches!(character,
        '\t' | '\n' | '\r' | ' '..='\u{d7ff}' | '\u{e000}'..='\u{fffd}' | '\u{10000}'..)
}

/// `STag` (3.1) without its brackets; `each` gets every attribute.
fn start_tag<'a>(tag: &'a str, each: &mut dyn FnMut(&'a str, &'a str)) -> Result<(), &'static str> {
    let mut rest = qualified_name(tag).ok_or("a tag without a proper name")?;
    loop {
        let attribute = spaces(rest);
        if attribute.is_empty() {
            return Ok(());
        }
        if attribute.len() == rest.len() {
            return Err("no white space before an attribute");
        }
        let behind = qualified_name(attribute).ok_or("an attribute without a proper name")?;
        let length = attribute.len().saturating_sub(behind.len());
        let name = attribute.get(..length).unwrap_or_default();
        let quoted = spaces(behind)
            .strip_prefix('=')
            .map(spaces)
            .ok_or("an attribute without a value")?;
        let (value, behind) = quoted
            .strip_prefix('"')
            .and_then(|value| value.split_once('"'))
            .or_else(|| quoted.strip_prefix('\'')?.split_once('\''))
            .ok_or("an attribute without quotes")?;
        if value.contains('<') {
            return Err("'<' in a tag");
        }
        each(name, value);
        rest = behind;
    }
}

/// `XMLDecl` (2.8) without its brackets.
fn declaration(text: &str) -> Result<(), &'static str> {
    const WRONG: &str = "a declaration that is not of the form of XML";
    let mut next = 0;
    let mut good = true;
    start_tag(text, &mut |name, value| {
        let (place, fits) = match name {
            "version" => (1, value.strip_prefix("1.").is_some_and(is_number)),
            "encoding" => (2, is_encoding(value)),
            "standalone" => (3, matches!(value, "yes" | "no")),
            _ => (0, false),
        };
        good &= fits && place > next && (next > 0 || place == 1);
        next = place;
    })
    .map_err(|_| WRONG)?;
    (good && next > 0).then_some(()).ok_or(WRONG)
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// `EncName` (4.3.3).
fn is_encoding(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-'))
}

fn spaces(text: &str) -> &str {
    text.trim_start_matches([' ', '\t', '\r', '\n'])
}

/// What is behind the name (`QName` of Namespaces in XML) that the text begins with.
fn qualified_name(text: &str) -> Option<&str> {
    let rest = plain_name(text)?;
    match rest.strip_prefix(':') {
        Some(local) => plain_name(local),
        None => Some(rest),
    }
}

fn plain_name(text: &str) -> Option<&str> {
    let rest = text.strip_prefix(starts_name)?;
    Some(rest.trim_start_matches(continues_name))
}

/// `NameStartChar` (2.3) without the colon.
fn starts_name(c: char) -> bool {
    matches!(c,
        'A'..='Z' | '_' | 'a'..='z' | '\u{c0}'..='\u{d6}' | '\u{d8}'..='\u{f6}'
        | '\u{f8}'..='\u{2ff}' | '\u{370}'..='\u{37d}' | '\u{37f}'..='\u{1fff}'
        | '\u{200c}'..='\u{200d}' | '\u{2070}'..='\u{218f}' | '\u{2c00}'..='\u{2fef}'
        | '\u{3001}'..='\u{d7ff}' | '\u{f900}'..='\u{fdcf}' | '\u{fdf0}'..='\u{fffd}'
        | '\u{10000}'..='\u{effff}')
}

fn continues_name(c: char) -> bool {
    starts_name(c)
        || matches!(c,
            '-' | '.' | '0'..='9' | '\u{b7}' | '\u{300}'..='\u{36f}' | '\u{203f}'..='\u{2040}')
}
