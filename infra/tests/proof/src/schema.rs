//! Which names the configuration uses, and the schema file that the stub serves for them.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use infra_schema::{Patches, Pin, Wanted};
use regex::Regex;
use sha2::{Digest, Sha256};

use crate::{Settings, tree};

/// Extracts the schema and compares its hash with the committed one.
pub(crate) fn check(settings: &Settings) -> Result<()> {
    let path = write(settings)?;
    let bytes = std::fs::read(&path)?;
    let found = Sha256::digest(&bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect::<String>();
    let hash_file = settings.infra.join("tests/schema/schema.sha256");
    let committed = std::fs::read_to_string(&hash_file).unwrap_or_default();
    if committed.trim() != found {
        bail!(
            "the extracted schema has hash {found}, {} says {:?}; if the names used have changed, \
             write the new hash there",
            hash_file.display(),
            committed.trim()
        );
    }
    println!("schema: {} bytes, hash as committed", bytes.len());
    Ok(())
}

/// The schema for all names in use, extracted from the pinned package.
pub(crate) fn write(settings: &Settings) -> Result<PathBuf> {
    let folder = settings.infra.join("tests/schema");
    let pin: Pin = read_json(&folder.join("pin.json"))?;
    let patches: Patches = read_json(&folder.join("patches.json"))?;
    infra_schema::verify(&settings.package, &pin)?;
    let schema = infra_schema::extract(&settings.package, &wanted(settings)?, &patches)?;
    std::fs::create_dir_all(&settings.work)?;
    let path = settings.work.join("schema.json");
    std::fs::write(&path, serde_json::to_vec(&schema)?)?;
    Ok(path)
}

fn read_json<T: serde::de::DeserializeOwned>(path: &Path) -> Result<T> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("parsing {}", path.display()))
}

fn wanted(settings: &Settings) -> Result<Wanted> {
    let mut wanted = Wanted::default();
    for folder in ["modules", "live"] {
        for path in tree::files(&settings.infra.join(folder), "tf")? {
            let text = std::fs::read_to_string(&path)?;
            collect(&text, &mut wanted)?;
        }
    }
    Ok(wanted)
}

fn collect(text: &str, wanted: &mut Wanted) -> Result<()> {
    let head = Regex::new(r#"(?m)^(resource|data|ephemeral) "(aws_\w+)""#)?;
    for found in head.captures_iter(text) {
        let set = match &found[1] {
            "resource" => &mut wanted.resources,
            "data" => &mut wanted.data_sources,
            _ => &mut wanted.ephemerals,
        };
        set.insert(found[2].to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_by_kind() {
        let mut wanted = Wanted::default();
        let text = "resource \"aws_vpc\" \"this\" {\n}\ndata \"aws_ami\" \"debian\" {}\n\
                    ephemeral \"aws_ssm_parameter\" \"key\" {}\n  # resource \"aws_no\" \"x\"\n";
        collect(text, &mut wanted).expect("reads");
        assert!(wanted.resources.contains("aws_vpc") && wanted.resources.len() == 1);
        assert!(wanted.data_sources.contains("aws_ami"));
        assert!(wanted.ephemerals.contains("aws_ssm_parameter"));
    }
}
