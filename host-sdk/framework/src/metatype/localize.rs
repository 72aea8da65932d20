//! `%key` texts of a metatype, resolved with one `.properties` file. Which file fits the
//! language of a person is for the caller to choose.

use crate::system::properties_file;

use super::Metatype;

/// The metatype with every `%key` among its names, descriptions, option labels and the paths of its
/// icons replaced by the text of that key, as in Equinox and Felix. A key without a text shows as the key itself.
///
/// # Errors
/// What is wrong with the properties file, and in which line.
pub fn localized(
    metatype: &Metatype,
    properties: &str,
) -> Result<Metatype, properties_file::PropertiesError> {
    let texts = properties_file::parse(properties)?;
    let resolve = |text: &mut String| {
        if let Some(key) = text.strip_prefix('%') {
            *text = texts.get(key).cloned().unwrap_or_else(|| key.to_owned());
        }
    };
    let mut metatype = metatype.clone();
    for ocd in &mut metatype.ocds {
        resolve(&mut ocd.name);
        resolve(&mut ocd.description);
        for icon in &mut ocd.icons {
            resolve(&mut icon.resource);
        }
        for ad in &mut ocd.ads {
            resolve(&mut ad.name);
            resolve(&mut ad.description);
            let (text, area) = super::split_text_area(std::mem::take(&mut ad.description));
            ad.description = text;
            ad.text_area |= area;
            for option in &mut ad.options {
                resolve(&mut option.label);
            }
        }
    }
    Ok(metatype)
}
