//! One generated binding script to one block.
//!
//! A script has a class per nested object and one for the resource itself. In a class, each member
//! reads:
//!
//! ```text
//! // engine_version - computed: true, optional: true, required: false
//! _engineVersion;
//! get engineVersion() {
//!     return this.getStringAttribute('engine_version');
//! ```
//!
//! or, for an object, `_rule = new FooRuleList(this, "rule", true);` where `true` stands for a set.
//! Whether an object is a block or an attribute stands in the `ToHclTerraform` tables.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::{Context, Result, bail};
use regex::Regex;
use serde_json::{Value, json};

use crate::model::{Attribute, Block, NestedBlock, Nesting};

#[derive(Debug)]
struct Member {
    name: String,
    computed: bool,
    optional: bool,
    required: bool,
    shape: Shape,
}

#[derive(Debug)]
enum Shape {
    Plain(Value),
    Object {
        class: String,
        nesting: Nesting,
        max_items: u32,
    },
}

#[derive(Debug, Default)]
struct Class {
    members: Vec<Member>,
}

#[derive(Debug)]
struct Script {
    classes: BTreeMap<String, Class>,
    /// `table.argument` for all arguments that are written as blocks.
    blocks: BTreeSet<String>,
    /// `table.argument` to the collection word of the table: simple, list, set, map, struct.
    collections: BTreeMap<String, String>,
}

pub(crate) fn parse(text: &str) -> Result<Block> {
    let (script, root) = read(text)?;
    block_of(&script, &root, "synthesize")
}

fn read(text: &str) -> Result<(Script, String)> {
    let class_line = Regex::new(r"^class (\w+) extends cdktn\.(\w+)")?;
    let table_line = Regex::new(r"^function (\w+)ToHclTerraform\(")?;
    let member_line =
        Regex::new(r"^    // (\w+) - computed: (\w+), optional: (\w+), required: (\w+)")?;
    let argument_line = Regex::new(r"^ {8,12}(\w+): \{$")?;
    let mut script = Script {
        classes: BTreeMap::new(),
        blocks: BTreeSet::new(),
        collections: BTreeMap::new(),
    };
    let (mut class, mut root, mut table, mut argument) = (String::new(), None, String::new(), "");
    let mut pending: Option<Member> = None;
    let mut plain_lines = 0_u8;
    for line in text.lines() {
        if let Some(found) = class_line.captures(line) {
            class = found[1].to_owned();
            if matches!(
                &found[2],
                "TerraformResource"
                    | "TerraformDataSource"
                    | "TerraformProvider"
                    | "TerraformEphemeralResource"
            ) {
                root = Some(class.clone());
            }
            script.classes.insert(class.clone(), Class::default());
            table.clear();
        } else if let Some(found) = table_line.captures(line) {
            table = found[1].to_owned();
        } else if line.starts_with("    synthesizeHclAttributes()") {
            table = "synthesize".to_owned();
        } else if let Some(found) = member_line.captures(line) {
            pending = Some(Member {
                name: found[1].to_owned(),
                computed: &found[2] == "true",
                optional: &found[3] == "true",
                required: &found[4] == "true",
                shape: Shape::Plain(Value::Null),
            });
            plain_lines = 0;
        } else if let Some(found) = argument_line.captures(line).filter(|_| !table.is_empty()) {
            argument = found.get(1).map_or("", |name| name.as_str());
        } else if line.trim() == "isBlock: true," {
            script.blocks.insert(format!("{table}.{argument}"));
        } else if let Some(word) = line.trim().strip_prefix("type: \"") {
            let word = word.trim_end_matches("\",").to_owned();
            script
                .collections
                .insert(format!("{table}.{argument}"), word);
        } else if let Some(mut member) = pending.take() {
            match shape_of(line, &member.name)? {
                Some(shape) => {
                    member.shape = shape;
                    let holder = script
                        .classes
                        .get_mut(&class)
                        .context("member outside a class")?;
                    holder.members.push(member);
                }
                // The field, the getter's head and its own comment stand between.
                None if plain_lines < 3 => {
                    plain_lines += u8::from(!line.trim_start().starts_with(['*', '/']));
                    pending = Some(member);
                }
                None => bail!("no type found for {class}.{}", member.name),
            }
        }
    }
    Ok((script, root.context("no resource class in the script")?))
}

fn shape_of(line: &str, name: &str) -> Result<Option<Shape>> {
    let line = line.trim();
    if let Some(rest) = line.split_once("= new ").map(|(_, rest)| rest) {
        let (class, arguments) = rest
            .split_once('(')
            .context("a constructor without arguments")?;
        let is_set = arguments.contains(", true)");
        let shape = if let Some(class) = class.strip_suffix("List") {
            let nesting = if is_set { Nesting::Set } else { Nesting::List };
            Shape::Object {
                class: class.to_owned(),
                nesting,
                max_items: 0,
            }
        } else if let Some(class) = class.strip_suffix("OutputReference") {
            Shape::Object {
                class: class.to_owned(),
                nesting: Nesting::List,
                max_items: 1,
            }
        } else {
            // Maps of objects: none is used here; a map of strings has a getter instead.
            Shape::Plain(json!(["map", "string"]))
        };
        return Ok(Some(shape));
    }
    let Some(getter) = line.strip_prefix("return ") else {
        return Ok(None);
    };
    if name == "default_tags" || getter.starts_with("this._") {
        return Ok(Some(Shape::Plain(json!("provider"))));
    }
    let list = if getter.contains("Fn.tolist(") {
        "set"
    } else {
        "list"
    };
    let kind = [
        ("getStringMapAttribute", json!(["map", "string"])),
        ("getBooleanMapAttribute", json!(["map", "bool"])),
        ("getNumberMapAttribute", json!(["map", "number"])),
        ("getNumberListAttribute", json!([list, "number"])),
        ("getListAttribute", json!([list, "string"])),
        ("getStringAttribute", json!("string")),
        ("getBooleanAttribute", json!("bool")),
        ("getNumberAttribute", json!("number")),
        ("interpolationForAttribute", json!("dynamic")),
    ]
    .into_iter()
    .find(|(word, _)| getter.contains(word))
    .map(|(_, kind)| kind)
    .with_context(|| format!("unknown getter for {name}: {getter}"))?;
    Ok(Some(Shape::Plain(kind)))
}

fn block_of(script: &Script, class: &str, table: &str) -> Result<Block> {
    let members = script
        .classes
        .get(class)
        .or_else(|| script.classes.get(&format!("{class}OutputReference")))
        .with_context(|| format!("no class {class}"))?;
    let mut block = Block::default();
    for member in &members.members {
        let key = format!("{table}.{}", member.name);
        let is_block = script.blocks.contains(&key) && !member.computed;
        match &member.shape {
            Shape::Object {
                class,
                nesting,
                max_items,
            } if is_block => {
                let single = script
                    .collections
                    .get(&key)
                    .is_some_and(|word| word == "struct");
                let inner = block_of(script, class, &lower_first(class))?;
                block.blocks.push(NestedBlock {
                    name: member.name.clone(),
                    nesting: if single { Nesting::Single } else { *nesting },
                    min_items: u32::from(member.required && !single),
                    max_items: if single { 0 } else { *max_items },
                    block: inner,
                });
            }
            Shape::Object { class, nesting, .. } => {
                let inner = block_of(script, class, &lower_first(class))?;
                let collection = if *nesting == Nesting::Set {
                    "set"
                } else {
                    "list"
                };
                block
                    .attributes
                    .push(attribute(member, json!([collection, object_type(&inner)])));
            }
            Shape::Plain(kind) if kind == "provider" => {
                provider_member(script, member, &mut block)?
            }
            Shape::Plain(kind) => block.attributes.push(attribute(member, kind.clone())),
        }
    }
    Ok(block)
}

/// The provider's own arguments have getters without types: the tables tell them.
fn provider_member(script: &Script, member: &Member, block: &mut Block) -> Result<()> {
    let key = format!("synthesize.{}", member.name);
    if script.blocks.contains(&key) {
        let fields: &[(&str, Value)] = match member.name.as_str() {
            "default_tags" => &[("tags", json!(["map", "string"]))],
            // The other provider blocks are not used here; an empty block refuses their arguments.
            _ => &[],
        };
        let attributes = fields
            .iter()
            .map(|(name, kind)| optional(name, kind.clone()))
            .collect();
        block.blocks.push(NestedBlock {
            name: member.name.clone(),
            nesting: Nesting::List,
            min_items: 0,
            max_items: 1,
            block: Block {
                attributes,
                blocks: Vec::new(),
            },
        });
        return Ok(());
    }
    let kind = match script.collections.get(&key).map(String::as_str) {
        Some("list") => json!(["list", "string"]),
        Some("set") => json!(["set", "string"]),
        _ if member.name.starts_with("skip_") || member.name.starts_with("use_") => json!("bool"),
        _ => json!("string"),
    };
    block.attributes.push(attribute(member, kind));
    Ok(())
}

fn optional(name: &str, kind: Value) -> Attribute {
    Attribute {
        name: name.to_owned(),
        kind,
        required: false,
        optional: true,
        computed: false,
        sensitive: false,
        write_only: false,
    }
}

fn attribute(member: &Member, kind: Value) -> Attribute {
    Attribute {
        name: member.name.clone(),
        kind,
        required: member.required,
        optional: member.optional,
        computed: member.computed,
        sensitive: false,
        write_only: member.name.ends_with("_wo"),
    }
}

/// An attribute cannot hold blocks: both kinds of member become fields of one object type.
fn object_type(block: &Block) -> Value {
    let mut fields = serde_json::Map::new();
    for attribute in &block.attributes {
        fields.insert(attribute.name.clone(), attribute.kind.clone());
    }
    for nested in &block.blocks {
        let collection = if nested.nesting == Nesting::Set {
            "set"
        } else {
            "list"
        };
        fields.insert(
            nested.name.clone(),
            json!([collection, object_type(&nested.block)]),
        );
    }
    json!(["object", fields])
}

fn lower_first(class: &str) -> String {
    let mut characters = class.chars();
    characters
        .next()
        .map(|first| first.to_lowercase().collect::<String>() + characters.as_str())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SCRIPT: &str = r#"
function aThingBoxToHclTerraform(struct) {
    const attrs = {
        side: {
            value: cdktn.numberToHclTerraform(struct.side),
            isBlock: false,
            type: "simple",
        },
    };
class AThingBoxOutputReference extends cdktn.ComplexObject {
    // side - computed: false, optional: false, required: true
    _side;
    get side() {
        return this.getNumberAttribute('side');
    }
}
class AThingFactOutputReference extends cdktn.ComplexObject {
    // state - computed: true, optional: false, required: false
    get state() {
        return this.getStringAttribute('state');
    }
}
class AThing extends cdktn.TerraformResource {
    // names - computed: true, optional: true, required: false
    _names;
    get names() {
        return cdktn.Fn.tolist(this.getListAttribute('names'));
    }
    // fact - computed: true, optional: false, required: false
    _fact = new AThingFactList(this, "fact", true);
    // box - computed: false, optional: false, required: true
    _box = new AThingBoxOutputReference(this, "box");
    synthesizeHclAttributes() {
        const attrs = {
            box: {
                value: x,
                isBlock: true,
                type: "list",
            },
        };
"#;

    fn parsed() -> Block {
        parse(SCRIPT).expect("the sample parses")
    }

    #[test]
    fn a_computed_object_is_an_attribute_and_not_a_block() {
        let fact = parsed()
            .attributes
            .into_iter()
            .find(|a| a.name == "fact")
            .expect("fact");
        assert_eq!(fact.kind, json!(["set", ["object", {"state": "string"}]]));
        assert!(fact.computed && !fact.optional);
    }

    #[test]
    fn a_single_reference_is_a_block_of_at_most_one() {
        let block = parsed();
        let found = &block.blocks[0];
        assert_eq!(
            (found.name.as_str(), found.min_items, found.max_items),
            ("box", 1, 1)
        );
        assert!(found.block.attributes[0].required);
    }

    #[test]
    fn a_getter_that_makes_a_list_reads_a_set() {
        assert_eq!(parsed().attributes[0].kind, json!(["set", "string"]));
    }

    #[test]
    fn an_unknown_getter_is_an_error_and_not_a_guess() {
        let text = SCRIPT.replace("getNumberAttribute", "getStrangeAttribute");
        assert!(format!("{:#}", parse(&text).expect_err("refused")).contains("side"));
    }
}
