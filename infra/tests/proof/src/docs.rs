//! The tables in the README: generated from the configuration, compared on every run.
//!
//! A table stands between `<!-- NAME -->` and `<!-- end -->`. Every module's variables and outputs
//! are in it, so a variable without a description or type cannot hide.

use std::path::Path;

use anyhow::{Context, Result, bail, ensure};
use hcl_edit::expr::Expression;
use hcl_edit::structure::{Block, Body};

use crate::{Settings, stack, tree};

/// Both languages carry the same tables.
const PAGES: [&str; 2] = ["README.md", "README.ko.md"];

pub(crate) fn check(settings: &Settings, update: bool) -> Result<()> {
    let tables = [
        ("modules", modules(&settings.infra)?),
        (
            "cost",
            std::fs::read_to_string(settings.work.join("cost.md"))
                .context("no cost table: run the command profiles first")?,
        ),
    ];
    for page in PAGES {
        let path = settings.infra.join(page);
        let mut text = std::fs::read_to_string(&path)
            .with_context(|| format!("reading {}", path.display()))?;
        for (name, table) in &tables {
            let fresh = replace(&text, name, table).with_context(|| format!("in {page}"))?;
            if fresh != text && !update {
                bail!("the table {name} in {page} is out of date: run make docs-update");
            }
            text = fresh;
        }
        if update {
            std::fs::write(&path, text)?;
        }
    }
    println!("docs: the tables of {} pages are fresh", PAGES.len());
    Ok(())
}

fn replace(text: &str, name: &str, table: &str) -> Result<String> {
    let begin = format!("<!-- {name} -->\n");
    let (head, rest) = text
        .split_once(&begin)
        .with_context(|| format!("no mark {name}"))?;
    let (_, tail) = rest
        .split_once("<!-- end -->")
        .with_context(|| format!("{name} has no end"))?;
    Ok(format!(
        "{head}{begin}{}\n<!-- end -->{tail}",
        table.trim_end()
    ))
}

fn modules(infra: &Path) -> Result<String> {
    let mut text =
        String::from("| module | variables (bold: required) | outputs |\n|---|---|---|\n");
    for folder in tree::folders(&infra.join("modules"))? {
        let variables = blocks(&folder.join("variables.tf"), "variable")?;
        let outputs = blocks(&folder.join("outputs.tf"), "output")?;
        let names: Vec<String> = variables
            .iter()
            .map(|block| {
                let name = label(block)?;
                check_variable(&folder, &name, block)?;
                let required = block.body.get_attribute("default").is_none();
                Ok(if required {
                    format!("**{name}**")
                } else {
                    name
                })
            })
            .collect::<Result<_>>()?;
        let results: Vec<String> = outputs
            .iter()
            .map(|block| {
                let name = label(block)?;
                ensure!(
                    block.body.get_attribute("description").is_some(),
                    "output {name} of {} has no description",
                    stack::file_name(&folder)
                );
                Ok(name)
            })
            .collect::<Result<_>>()?;
        let module = stack::file_name(&folder);
        text.push_str(&format!(
            "| {module} | {} | {} |\n",
            names.join(", "),
            results.join(", ")
        ));
    }
    Ok(text)
}

/// Typed, described and validated; a bool needs no validation, its type is one.
fn check_variable(folder: &Path, name: &str, block: &Block) -> Result<()> {
    let place = format!("variable {name} of {}", stack::file_name(folder));
    let body = &block.body;
    ensure!(
        body.get_attribute("description").is_some(),
        "{place} has no description"
    );
    let kind = body
        .get_attribute("type")
        .with_context(|| format!("{place} has no type"))?;
    let is_bool = matches!(&kind.value, Expression::Variable(word) if word.as_str() == "bool");
    ensure!(
        is_bool || body.get_blocks("validation").next().is_some(),
        "{place} has no validation"
    );
    Ok(())
}

fn blocks(path: &Path, kind: &str) -> Result<Vec<Block>> {
    let text =
        std::fs::read_to_string(path).with_context(|| format!("reading {}", path.display()))?;
    let body: Body = hcl_edit::parser::parse_body(&text)
        .with_context(|| format!("parsing {}", path.display()))?;
    Ok(body.get_blocks(kind).cloned().collect())
}

fn label(block: &Block) -> Result<String> {
    Ok(block
        .labels
        .first()
        .context("a block without a name")?
        .as_str()
        .to_owned())
}

/// The shared variables of the stacks obey the same rule.
pub(crate) fn check_shared(infra: &Path) -> Result<()> {
    let folder = infra.join("live/dev");
    for block in blocks(&folder.join("environment.tf"), "variable")? {
        check_variable(&folder, &label(&block)?, &block)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_replaced_between_its_marks() {
        let text = "a\n<!-- cost -->\nold\n<!-- end -->\nb\n";
        let fresh = replace(text, "cost", "new\n").expect("replaced");
        assert_eq!(fresh, "a\n<!-- cost -->\nnew\n<!-- end -->\nb\n");
        assert!(replace(text, "other", "x").is_err());
    }

    #[test]
    fn a_variable_without_validation_is_found() {
        let text = "variable \"x\" {\n  description = \"d\"\n  type = string\n}\n";
        let body: Body = hcl_edit::parser::parse_body(text).expect("parses");
        let block = body.get_blocks("variable").next().expect("block").clone();
        let error = check_variable(Path::new("m"), "x", &block).expect_err("found");
        assert!(error.to_string().contains("no validation"));
    }
}
