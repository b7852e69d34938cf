//! Values that the schema cannot know: which words an argument takes. The table comes from the API
//! models and is checked against them by `checks/enums.py`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::plan::{Plan, Resource};

type Table = BTreeMap<String, BTreeMap<String, Words>>;

#[derive(Debug, serde::Deserialize)]
struct Words {
    values: BTreeSet<String>,
}

pub(crate) fn check(infra: &Path, plans: &[PathBuf]) -> Result<()> {
    let (count, faults) = judge(infra, plans)?;
    if !faults.is_empty() {
        bail!(
            "words that the service does not know:\n  {}",
            faults.join("\n  ")
        );
    }
    println!("enums: {count} words are known to the services");
    Ok(())
}

/// How many words were looked up, and a sentence for each that is unknown.
pub(crate) fn judge(infra: &Path, plans: &[PathBuf]) -> Result<(usize, Vec<String>)> {
    let path = infra.join("tests/checks/enums.json");
    let table: Table = serde_json::from_str(
        &std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?,
    )?;
    let mut faults = Vec::new();
    let mut count = 0;
    for path in plans {
        let plan = Plan::read(path)?;
        for resource in plan.resources() {
            for (pointer, words) in table.get(resource.kind).into_iter().flatten() {
                for value in values(resource, pointer) {
                    count += 1;
                    if !words.values.contains(&value) {
                        faults.push(format!(
                            "{} has {pointer} = {value:?}, which is none of {:?}",
                            resource.address, words.values
                        ));
                    }
                }
            }
        }
    }
    Ok((count, faults))
}

/// All texts at a dotted path; lists on the way are walked through.
fn values(resource: Resource<'_>, path: &str) -> Vec<String> {
    let mut here: Vec<&Value> = vec![resource.values];
    for name in path.split('.') {
        here = here
            .into_iter()
            .flat_map(flatten)
            .filter_map(|value| value.get(name))
            .collect();
    }
    here.into_iter()
        .flat_map(flatten)
        .filter_map(|value| match value {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })
        .collect()
}

fn flatten(value: &Value) -> Vec<&Value> {
    match value {
        Value::Array(items) => items.iter().collect(),
        other => vec![other],
    }
}
