//! What was accepted in this attempt, in one digest that both sides compute: nothing is applied
//! that the platform did not mean, and nothing it meant is missing.
//!
//! One line per accepted item, in order of arrival: `{path} {sha256 in hex} {length}\n`. A
//! repeated request counts once and a refused one not at all (the provisioner does not hand them
//! in); so does a second `certificates` with the same chain. A download takes its place in the
//! order when it is asked for, and is counted once its file is there; one that failed is not.

use openssl::sha::Sha256;

use super::names;

/// What was accepted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Item {
    /// The chain that signs.
    Certificates,
    /// The issued client certificate.
    CredentialsCertificate,
    /// A trusted certificate for a keystore.
    KeystoreCertificate,
    /// Configurations.
    Configurations {
        /// The pid in the topic.
        pid: Option<String>,
    },
    /// A package; digest and length are those of its file.
    Download {
        /// `dp.name`.
        name: String,
        /// `dp.version`.
        version: String,
    },
}

impl Item {
    /// The first column: the resource path as requested.
    pub fn path(&self) -> String {
        match self {
            Item::Certificates => format!("{}/certificates", names::PROV_V1),
            Item::CredentialsCertificate => format!("{}/credentials/certificate", names::PROV_V1),
            Item::KeystoreCertificate => {
                format!("{}/keystores/entries/certificate", names::KEYS_V1)
            }
            Item::Configurations { pid: None } => format!("{}/configurations", names::CONF_V1),
            Item::Configurations { pid: Some(pid) } => {
                format!("{}/configurations/{pid}", names::CONF_V1)
            }
            Item::Download { name, version } => {
                format!("{}/download/{name}/{version}", names::DEPLOY_V2)
            }
        }
    }
}

/// The place of an item in the order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Slot(usize);

#[derive(Clone, Debug)]
enum Line {
    /// Accepted, its content not there yet.
    Open(Item),
    Counted(Item, [u8; 32], u64),
    /// Failed after it was accepted.
    Withdrawn,
}

/// The manifest of one attempt.
#[derive(Clone, Debug, Default)]
pub struct Manifest {
    lines: Vec<Line>,
}

impl Manifest {
    /// Nothing accepted yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// An item whose content is there. `sha256` and `length` are of the body as decoded.
    pub fn accepted(&mut self, item: Item, sha256: [u8; 32], length: u64) -> Slot {
        let slot = self.reserve(item);
        self.fill(slot, sha256, length);
        slot
    }

    /// As [`Manifest::accepted`], of this body.
    pub fn accepted_body(&mut self, item: Item, body: &[u8]) -> Slot {
        self.accepted(item, openssl::sha::sha256(body), body.len() as u64)
    }

    /// Takes the next place for an item whose content is still to come.
    pub fn reserve(&mut self, item: Item) -> Slot {
        let certificates = |line: &Line| matches!(line, Line::Counted(Item::Certificates, ..));
        if item == Item::Certificates {
            if let Some(at) = self.lines.iter().position(certificates) {
                return Slot(at);
            }
        }
        self.lines.push(Line::Open(item));
        Slot(self.lines.len() - 1)
    }

    /// The content of a reserved item. Once only; later ones change nothing.
    pub fn fill(&mut self, slot: Slot, sha256: [u8; 32], length: u64) {
        if let Some(line) = self.lines.get_mut(slot.0) {
            if let Line::Open(item) = line {
                *line = Line::Counted(item.clone(), sha256, length);
            }
        }
    }

    /// A reserved item that will not come. One that is counted already stays.
    pub fn withdraw(&mut self, slot: Slot) {
        if let Some(line @ Line::Open(_)) = self.lines.get_mut(slot.0) {
            *line = Line::Withdrawn;
        }
    }

    /// Whether no item is still to come. A commit before that is 409.
    pub fn is_complete(&self) -> bool {
        !self.lines.iter().any(|line| matches!(line, Line::Open(_)))
    }

    /// The items counted so far, in order.
    pub fn items(&self) -> impl Iterator<Item = &Item> {
        self.lines.iter().filter_map(|line| match line {
            Line::Counted(item, ..) => Some(item),
            _ => None,
        })
    }

    /// The lines; `None` while an item is still to come.
    pub fn text(&self) -> Option<String> {
        let mut text = String::new();
        for line in &self.lines {
            match line {
                Line::Open(_) => return None,
                Line::Withdrawn => {}
                Line::Counted(item, sha256, length) => {
                    text += &format!("{} {} {length}\n", item.path(), hex(sha256));
                }
            }
        }
        Some(text)
    }

    /// SHA-256 of the lines; `None` while an item is still to come.
    pub fn digest(&self) -> Option<[u8; 32]> {
        let mut sha = Sha256::new();
        sha.update(self.text()?.as_bytes());
        Some(sha.finish())
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    const ABC: &str = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

    fn download(name: &str) -> Item {
        Item::Download {
            name: name.into(),
            version: "1.0".into(),
        }
    }

    #[test]
    fn every_kind_of_line_is_the_documented_one() {
        let mut manifest = Manifest::new();
        manifest.accepted_body(Item::Certificates, b"abc");
        manifest.accepted_body(Item::CredentialsCertificate, b"abc");
        manifest.accepted_body(Item::KeystoreCertificate, b"abc");
        manifest.accepted_body(Item::Configurations { pid: None }, b"abc");
        let pid = Some("org.a-2".to_owned());
        manifest.accepted_body(Item::Configurations { pid }, b"");
        manifest.accepted(download("heater"), [0xab; 32], 1 << 40);
        let expected = format!(
            "PROV-V1/certificates {ABC} 3\n\
             PROV-V1/credentials/certificate {ABC} 3\n\
             KEYS-V1/keystores/entries/certificate {ABC} 3\n\
             CONF-V1/configurations {ABC} 3\n\
             CONF-V1/configurations/org.a-2 {EMPTY} 0\n\
             DEPLOY-V2/download/heater/1.0 {} 1099511627776\n",
            "ab".repeat(32)
        );
        assert_eq!(manifest.text().unwrap(), expected);
        let digest = openssl::sha::sha256(expected.as_bytes());
        assert_eq!(manifest.digest().unwrap(), digest);
    }

    #[test]
    fn an_empty_manifest_has_the_digest_of_nothing() {
        assert_eq!(hex(&Manifest::new().digest().unwrap()), EMPTY);
    }

    #[test]
    fn a_download_keeps_its_place_and_holds_the_digest_back() {
        let mut manifest = Manifest::new();
        let slot = manifest.reserve(download("slow"));
        manifest.accepted_body(Item::Configurations { pid: None }, b"");
        assert!(!manifest.is_complete());
        assert_eq!((manifest.text(), manifest.digest()), (None, None));
        manifest.fill(slot, [1; 32], 5);
        manifest.fill(slot, [2; 32], 6);
        manifest.withdraw(slot);
        let text = manifest.text().unwrap();
        assert!(
            text.starts_with("DEPLOY-V2/download/slow/1.0 0101"),
            "{text}"
        );
    }

    #[test]
    fn a_failed_download_leaves_no_line_and_may_come_again() {
        let mut manifest = Manifest::new();
        let failed = manifest.reserve(download("a"));
        manifest.accepted_body(Item::CredentialsCertificate, b"");
        manifest.withdraw(failed);
        manifest.fill(failed, [9; 32], 9);
        manifest.accepted(download("a"), [1; 32], 1);
        let items: Vec<&Item> = manifest.items().collect();
        assert_eq!(items, [&Item::CredentialsCertificate, &download("a")]);
        assert!(manifest.is_complete());
    }

    #[test]
    fn the_same_chain_again_is_one_line_but_two_configurations_are_two() {
        let mut manifest = Manifest::new();
        let first = manifest.accepted_body(Item::Certificates, b"abc");
        assert_eq!(manifest.accepted_body(Item::Certificates, b"abc"), first);
        manifest.accepted_body(Item::Configurations { pid: None }, b"abc");
        manifest.accepted_body(Item::Configurations { pid: None }, b"abc");
        assert_eq!(manifest.text().unwrap().lines().count(), 3);
    }

    proptest! {
        #[test]
        fn order_content_and_length_all_count(
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..4), 2..6),
            swap in (0usize..6, 0usize..6),
        ) {
            let manifest_of = |bodies: &[Vec<u8>]| {
                let mut manifest = Manifest::new();
                for body in bodies {
                    manifest.accepted_body(Item::Configurations { pid: None }, body);
                }
                manifest.digest().unwrap()
            };
            let mut other = bodies.clone();
            other.swap(swap.0 % bodies.len(), swap.1 % bodies.len());
            prop_assert_eq!(manifest_of(&bodies) == manifest_of(&other), bodies == other);
        }
    }
}
