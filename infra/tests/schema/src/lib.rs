//! The AWS provider's schema, read out of a pinned npm package.
//!
//! The package holds generated bindings: one script per resource, in which every argument carries a
//! comment with its flags and a getter with its type. That is enough to rebuild what the provider
//! itself would answer, except for sensitive flags, defaults, validators and replacement rules. The
//! few things that are known and lost here come back from `patches.json`, which is written by hand.

pub mod model;
mod script;

use std::collections::BTreeSet;
use std::io::Read;
use std::path::Path;

use anyhow::{Context, Result, bail};
use base64::Engine;
use sha2::{Digest, Sha512};

pub use model::{Attribute, Block, NestedBlock, Nesting, Patches, Schema};

/// Which package the schema is read from.
#[derive(Debug, serde::Deserialize)]
pub struct Pin {
    pub package: String,
    pub version: String,
    /// The npm integrity value: `sha512-` and the digest in base64.
    pub integrity: String,
    /// The provider version that the bindings were generated from.
    pub provider_version: String,
}

/// The names that the configuration uses; nothing else is extracted.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Wanted {
    pub resources: BTreeSet<String>,
    pub data_sources: BTreeSet<String>,
    pub ephemerals: BTreeSet<String>,
}

/// Fails unless the tarball is byte for byte the pinned one.
pub fn verify(tarball: &Path, pin: &Pin) -> Result<()> {
    let bytes = std::fs::read(tarball).with_context(|| format!("reading {}", tarball.display()))?;
    let digest = base64::engine::general_purpose::STANDARD.encode(Sha512::digest(&bytes));
    let found = format!("sha512-{digest}");
    if found != pin.integrity {
        bail!(
            "{} is not {} {}: its digest is {found}, the pin says {}",
            tarball.display(),
            pin.package,
            pin.version,
            pin.integrity
        );
    }
    Ok(())
}

/// Reads the wanted schemas in one pass over the tarball.
pub fn extract(tarball: &Path, wanted: &Wanted, patches: &Patches) -> Result<Schema> {
    let file =
        std::fs::File::open(tarball).with_context(|| format!("opening {}", tarball.display()))?;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
    let mut schema = Schema::default();
    for entry in archive.entries()? {
        let mut entry = entry?;
        let path = entry.path()?.to_string_lossy().into_owned();
        let Some(folder) = path
            .strip_prefix("package/lib/")
            .and_then(|rest| rest.strip_suffix("/index.js"))
        else {
            continue;
        };
        let Some(place) = place_of(folder, wanted) else {
            continue;
        };
        let mut text = String::new();
        entry
            .read_to_string(&mut text)
            .with_context(|| format!("reading {path}"))?;
        let block = script::parse(&text).with_context(|| format!("parsing {path}"))?;
        match place {
            Place::Provider => schema.provider = block,
            Place::Resource(name) => _ = schema.resources.insert(name, block),
            Place::DataSource(name) => _ = schema.data_sources.insert(name, block),
            Place::Ephemeral(name) => _ = schema.ephemerals.insert(name, block),
        }
    }
    require_all("resource", &wanted.resources, schema.resources.keys())?;
    require_all(
        "data source",
        &wanted.data_sources,
        schema.data_sources.keys(),
    )?;
    require_all(
        "ephemeral resource",
        &wanted.ephemerals,
        schema.ephemerals.keys(),
    )?;
    patches.apply(&mut schema)?;
    Ok(schema)
}

enum Place {
    Provider,
    Resource(String),
    DataSource(String),
    Ephemeral(String),
}

fn place_of(folder: &str, wanted: &Wanted) -> Option<Place> {
    if folder == "provider" {
        return Some(Place::Provider);
    }
    let name = folder.replace('-', "_");
    let listed = |set: &BTreeSet<String>, name: &str| set.contains(name).then(|| name.to_owned());
    if let Some(rest) = name.strip_prefix("data_aws_") {
        return listed(&wanted.data_sources, &format!("aws_{rest}")).map(Place::DataSource);
    }
    if let Some(rest) = name.strip_prefix("ephemeral_aws_") {
        return listed(&wanted.ephemerals, &format!("aws_{rest}")).map(Place::Ephemeral);
    }
    listed(&wanted.resources, &format!("aws_{name}")).map(Place::Resource)
}

fn require_all<'a>(
    kind: &str,
    wanted: &BTreeSet<String>,
    found: impl Iterator<Item = &'a String>,
) -> Result<()> {
    let found: BTreeSet<&String> = found.collect();
    let missing: Vec<&String> = wanted.iter().filter(|name| !found.contains(name)).collect();
    if !missing.is_empty() {
        bail!("the provider has no {kind} called {missing:?}");
    }
    Ok(())
}
