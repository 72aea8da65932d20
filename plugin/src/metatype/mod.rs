//! The metatype descriptor of the component, embedded: the files of `metatype/`, which are also
//! shipped beside the library.
//!
//! The descriptor with `%key` texts is the source. The one for the default locale is a shipped
//! file made from it, complete by itself, because hosts of the Kura family never resolve a key;
//! other locales are resolved here on request. Called by `abi` for `metatype(pid, locale)`.
//! Values are not validated here but in `settings`.

/// The factory of this component, its designate in the descriptor.
pub const FACTORY_PID: &str = "gwc.provisioning.ProvisioningService";

/// The descriptor in English, as shipped.
const SHIPPED: &str = include_str!("../../../metatype/gwc.provisioning.ProvisioningService.xml");

/// The descriptor with `%key` texts.
const KEYED: &str =
    include_str!("../../../metatype/OSGI-INF/metatype/gwc.provisioning.ProvisioningService.xml");

const ENGLISH: &str =
    include_str!("../../../metatype/OSGI-INF/l10n/gwc.provisioning.ProvisioningService.properties");
const ITALIAN: &str = include_str!(
    "../../../metatype/OSGI-INF/l10n/gwc.provisioning.ProvisioningService_it.properties"
);

/// The texts by language. What a language lacks is taken from English.
const LANGUAGES: [(&str, &str); 1] = [("it", ITALIAN)];

/// The descriptor with its texts in `locale`: `it`, `it_CH`, `en-US`, empty for the default.
///
/// The default is the shipped file, byte for byte; so is every locale without texts of its own.
pub fn descriptor(locale: &str) -> String {
    let language = locale
        .split(['_', '-', '.', '@'])
        .next()
        .unwrap_or_default();
    LANGUAGES
        .iter()
        .find(|(name, _)| name.eq_ignore_ascii_case(language))
        .map_or_else(|| SHIPPED.to_owned(), |(_, texts)| resolved(texts))
}

/// The keyed descriptor with every `"%key"` replaced.
fn resolved(texts: &str) -> String {
    let mut out = String::with_capacity(KEYED.len() * 2);
    let mut pieces = KEYED.split("\"%");
    out.push_str(pieces.next().unwrap_or_default());
    for piece in pieces {
        let (key, rest) = piece.split_once('"').unwrap_or((piece, ""));
        let text = text(texts, key).or_else(|| text(ENGLISH, key));
        out.push('"');
        escape(&text.unwrap_or_else(|| key.to_owned()), &mut out);
        out.push('"');
        out.push_str(rest);
    }
    out
}

/// The text of a key in a `.properties` file. The subset of the format that our files keep to
/// (a test sees to it): one line each, `key = text`, `#` comments, `\uXXXX`.
fn text(texts: &str, key: &str) -> Option<String> {
    let raw = texts
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once(" = "))
        .find_map(|(name, text)| (name == key).then_some(text))?;
    let mut pieces = raw.split("\\u");
    let mut out = pieces.next()?.to_owned();
    for piece in pieces {
        let (digits, rest) = piece.split_at_checked(4)?;
        out.push(char::from_u32(u32::from_str_radix(digits, 16).ok()?)?);
        out.push_str(rest);
    }
    Some(out)
}

fn escape(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests;
