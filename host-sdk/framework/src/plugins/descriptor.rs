//! The metatype of a kind of component: from the library, which is what counts, compared with the
//! descriptor file shipped beside it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::loader::Library;
use crate::metatype::{self, Metatype, Ocd};

/// The largest descriptor file that is read, in bytes.
const MAX_FILE: u64 = 4 << 20;

/// The definition of `factory_pid` as the library gives it. The error is one line.
pub(super) fn embedded(library: &Library, factory_pid: &str) -> Result<Ocd, String> {
    let xml = library
        .metatype(factory_pid, "")
        .map_err(|e| crate::one_line(&e))?;
    let metatype = metatype::read(xml.as_bytes())
        .map_err(|e| format!("the metatype of {factory_pid}: {}", crate::one_line(&e)))?;
    definition(&metatype, factory_pid)
        .ok_or_else(|| format!("the metatype of {factory_pid} does not define it"))
}

/// What is odd about the descriptor file shipped beside the library, if there is one and anything
/// is. Texts may differ: they are translated.
pub(super) fn compare(library: &Path, factory_pid: &str, embedded: &Ocd) -> Option<String> {
    let path = beside(library, factory_pid)?;
    let differs = |what: String| Some(format!("{} {what}", path.display()));
    let length = fs::metadata(&path).map(|m| m.len()).unwrap_or(u64::MAX);
    if length > MAX_FILE {
        return differs(format!("has more than {MAX_FILE} bytes"));
    }
    let xml = match fs::read(&path) {
        Ok(xml) => xml,
        Err(e) => return differs(format!("cannot be read: {e}")),
    };
    let shipped = match metatype::read(&xml) {
        Ok(metatype) => definition(&metatype, factory_pid),
        Err(e) => return differs(format!("is malformed: {}", crate::one_line(&e))),
    };
    let Some(shipped) = shipped else {
        return differs(format!("does not define {factory_pid}"));
    };
    if shape(&shipped) != shape(embedded) {
        return differs("does not describe this version of the library".to_owned());
    }
    None
}

fn definition(metatype: &Metatype, factory_pid: &str) -> Option<Ocd> {
    metatype.ocd_of(factory_pid).cloned()
}

/// `PID.xml` beside the library, or where OSGi bundles and this project's packages have it.
fn beside(library: &Path, factory_pid: &str) -> Option<PathBuf> {
    let folder = library.parent()?;
    let name = format!("{factory_pid}.xml");
    ["", "metatype", "OSGI-INF/metatype"]
        .into_iter()
        .map(|place| folder.join(place).join(&name))
        .find(|path| path.is_file())
}

/// What of a definition is not text for people.
#[allow(clippy::type_complexity)]
fn shape(
    ocd: &Ocd,
) -> Vec<(
    &str,
    &'static str,
    i32,
    Option<&str>,
    Option<&str>,
    Option<&str>,
    bool,
    Vec<&str>,
)> {
    ocd.ads
        .iter()
        .map(|ad| {
            (
                ad.id.as_str(),
                ad.kind.name(),
                ad.cardinality,
                ad.min.as_deref(),
                ad.max.as_deref(),
                ad.default.as_deref(),
                ad.required,
                ad.options.iter().map(|o| o.value.as_str()).collect(),
            )
        })
        .collect()
}
