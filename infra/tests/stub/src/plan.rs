//! What a plan and an apply do to a value, in the provider's place.

use infra_schema::{Block, Schema};
use rmpv::Value;

use crate::fake::{self, Seed};
use crate::value::{get, get_mut, has_unknown, is_unknown, unknown};

/// A new object: what the provider computes and the configuration leaves open becomes unknown.
/// An existing object keeps what it has, since the tools already carried it into the proposal.
pub(crate) fn plan(block: &Block, is_new: bool, value: &mut Value) {
    for attribute in &block.attributes {
        let Some(slot) = get_mut(value, &attribute.name) else {
            continue;
        };
        if attribute.write_only {
            *slot = Value::Nil;
        } else if is_new && attribute.computed && slot.is_nil() {
            *slot = unknown();
        }
    }
    for nested in &block.blocks {
        match get_mut(value, &nested.name) {
            Some(Value::Array(items)) => {
                for item in items {
                    plan(&nested.block, is_new, item);
                }
            }
            Some(single @ Value::Map(_)) => plan(&nested.block, is_new, single),
            _ => {}
        }
    }
}

/// `tags_all` is the provider's default tags with the resource's own on top.
pub(crate) fn merge_tags(defaults: &[(String, String)], value: &mut Value) {
    if get(value, "tags_all").is_none() {
        return;
    }
    let own = get(value, "tags").cloned().unwrap_or(Value::Nil);
    if is_unknown(&own) {
        return;
    }
    let mut merged: Vec<(Value, Value)> = defaults
        .iter()
        .map(|(key, text)| (Value::from(key.as_str()), Value::from(text.as_str())))
        .collect();
    for (key, text) in own.as_map().into_iter().flatten() {
        merged.retain(|(existing, _)| existing != key);
        merged.push((key.clone(), text.clone()));
    }
    if let Some(slot) = get_mut(value, "tags_all") {
        *slot = Value::Map(merged);
    }
}

/// The changed arguments that replace the object, from the table written by hand.
pub(crate) fn replacing<'a>(
    schema: &'a Schema,
    kind: &str,
    prior: &Value,
    planned: &Value,
) -> Vec<&'a str> {
    let Some(arguments) = schema.replaced_by.get(kind) else {
        return Vec::new();
    };
    arguments
        .iter()
        .map(String::as_str)
        .filter(|name| match (get(prior, name), get(planned, name)) {
            (Some(before), Some(after)) => before != after && !has_unknown(after),
            _ => false,
        })
        .collect()
}

/// Replaces every unknown by a value of the right type that is the same on every run.
pub(crate) fn fill(block: &Block, seed: &Seed, value: &mut Value) {
    for attribute in &block.attributes {
        let context = fake::Context::read(value);
        if let Some(slot) = get_mut(value, &attribute.name) {
            fake::fill(&attribute.kind, seed, &attribute.name, &context, slot);
        }
    }
    for nested in &block.blocks {
        match get_mut(value, &nested.name) {
            Some(Value::Array(items)) => {
                for item in items {
                    fill(&nested.block, seed, item);
                }
            }
            Some(single @ Value::Map(_)) => fill(&nested.block, seed, single),
            _ => {}
        }
    }
}

/// What was null in a data source's configuration and is computed is read from the fakes.
pub(crate) fn read(block: &Block, seed: &Seed, value: &mut Value) {
    plan(block, true, value);
    fill(block, seed, value);
}

#[cfg(test)]
mod tests {
    use super::*;
    use infra_schema::Attribute;
    use serde_json::json;

    fn attribute(name: &str, kind: serde_json::Value) -> Attribute {
        Attribute {
            name: name.to_owned(),
            kind,
            required: false,
            optional: true,
            computed: true,
            sensitive: false,
            write_only: name.ends_with("_wo"),
        }
    }

    fn object(fields: &[(&str, Value)]) -> Value {
        Value::Map(
            fields
                .iter()
                .map(|(k, v)| (Value::from(*k), v.clone()))
                .collect(),
        )
    }

    #[test]
    fn a_new_object_has_unknowns_and_an_old_one_keeps_nulls() {
        let block = Block {
            attributes: vec![attribute("id", json!("string"))],
            blocks: vec![],
        };
        let mut value = object(&[("id", Value::Nil)]);
        plan(&block, false, &mut value);
        assert!(get(&value, "id").expect("id").is_nil());
        plan(&block, true, &mut value);
        assert!(is_unknown(get(&value, "id").expect("id")));
    }

    #[test]
    fn a_write_only_argument_never_reaches_the_plan() {
        let block = Block {
            attributes: vec![attribute("key_wo", json!("string"))],
            blocks: vec![],
        };
        let mut value = object(&[("key_wo", Value::from("hidden"))]);
        plan(&block, true, &mut value);
        assert!(get(&value, "key_wo").expect("key").is_nil());
    }

    #[test]
    fn own_tags_win_over_default_tags() {
        let mut value = object(&[
            ("tags", object(&[("Env", Value::from("own"))])),
            ("tags_all", unknown()),
        ]);
        let defaults = [
            ("Env".to_owned(), "dev".to_owned()),
            ("Ttl".to_owned(), "1d".to_owned()),
        ];
        merge_tags(&defaults, &mut value);
        let all = get(&value, "tags_all").expect("tags_all");
        assert_eq!(get(all, "Env").and_then(Value::as_str), Some("own"));
        assert_eq!(get(all, "Ttl").and_then(Value::as_str), Some("1d"));
    }
}
