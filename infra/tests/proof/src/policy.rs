//! The rules of `policy/`, run on plans.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};
use regorus::{Engine, Value};

use crate::tree;

/// Every sentence that the rules say about a plan.
pub(crate) fn judge(infra: &Path, plan: &str) -> Result<Vec<String>> {
    let mut engine = engine(infra)?;
    engine.set_input_json(plan)?;
    let mut sentences = Vec::new();
    for package in ["infra", "lab"] {
        let denied = engine.eval_rule(format!("data.{package}.deny"))?;
        sentences.extend(texts(&denied)?);
    }
    Ok(sentences)
}

/// Every sentence about all plans.
pub(crate) fn refusals(infra: &Path, plans: &[PathBuf]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for path in plans {
        let text =
            std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
        all.extend(judge(infra, &text)?);
    }
    Ok(all)
}

/// Fails with all sentences about all plans.
pub(crate) fn check(infra: &Path, plans: &[PathBuf]) -> Result<()> {
    let all = refusals(infra, plans)?;
    if !all.is_empty() {
        bail!("the policy refuses the plan:\n  {}", all.join("\n  "));
    }
    println!("policy: {} plans keep all rules", plans.len());
    Ok(())
}

/// Every rule has a plan that it refuses and one that it lets through.
pub(crate) fn fixtures(infra: &Path) -> Result<()> {
    let mut engine = engine(infra)?;
    let mut count = 0;
    for package in ["infra", "lab"] {
        for rule in texts(&engine.eval_rule(format!("data.{package}.rules"))?)? {
            for (kind, refused) in [("good", false), ("bad", true)] {
                let path = infra.join(format!("policy/fixtures/{rule}.{kind}.json"));
                let plan = std::fs::read_to_string(&path)
                    .with_context(|| format!("rule {rule} needs {}", path.display()))?;
                let sentences = judge(infra, &plan)?;
                let found = sentences
                    .iter()
                    .any(|line| line.starts_with(&format!("{rule}: ")));
                ensure!(
                    found == refused,
                    "rule {rule} on its {kind} plan says {sentences:?}"
                );
            }
            count += 1;
        }
    }
    println!("policy: {count} rules, each with a plan it refuses and one it lets through");
    Ok(())
}

fn engine(infra: &Path) -> Result<Engine> {
    let mut engine = Engine::new();
    for path in tree::files(&infra.join("policy"), "rego")? {
        engine.add_policy_from_file(&path)?;
    }
    Ok(engine)
}

fn texts(value: &Value) -> Result<Vec<String>> {
    value
        .as_set()
        .context("the rule is not a set")?
        .iter()
        .map(|item| Ok(item.as_string()?.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn infra() -> PathBuf {
        // Asked at run time: a test built in another checkout must judge this one's files.
        let package = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo runs the tests");
        PathBuf::from(package).join("../..")
    }

    #[test]
    fn every_rule_has_a_good_and_a_bad_plan() {
        fixtures(&infra()).expect("all rules judged");
    }

    #[test]
    fn no_fixture_belongs_to_a_rule_that_is_gone() {
        let mut engine = engine(&infra()).expect("policies load");
        let mut known: Vec<String> = Vec::new();
        for package in ["infra", "lab"] {
            let rules = engine
                .eval_rule(format!("data.{package}.rules"))
                .expect("rules");
            known.extend(texts(&rules).expect("texts"));
        }
        for path in tree::files(&infra().join("policy/fixtures"), "json").expect("fixtures") {
            let name = path
                .file_name()
                .expect("name")
                .to_string_lossy()
                .into_owned();
            let rule = name.split('.').next().expect("rule").to_owned();
            assert!(known.contains(&rule), "{name}");
        }
    }

    #[test]
    fn a_sentence_says_what_to_change() {
        let path = infra().join("policy/fixtures/nat_gateways.bad.json");
        let plan = std::fs::read_to_string(path).expect("fixture");
        let sentences = judge(&infra(), &plan).expect("judged");
        assert!(
            sentences
                .iter()
                .any(|line| line.contains("Set nat_mode to single")),
            "{sentences:?}"
        );
    }
}
