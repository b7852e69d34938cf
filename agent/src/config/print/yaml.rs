//! A JSON value as YAML in block style.

use serde_json::Value as Json;

use crate::config::scalar::{Resolved, resolve};

/// Writes `value` as one document.
pub(crate) fn write(value: &Json) -> String {
    let mut out = String::new();
    block(value, 0, &mut out);
    out
}

fn block(value: &Json, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Json::Object(entries) if !entries.is_empty() => {
            for (key, value) in entries {
                out.push_str(&format!("{margin}{}:", text(key)));
                if is_block(value) {
                    out.push('\n');
                    block(value, indent + 2, out);
                } else {
                    out.push_str(&format!(" {}\n", line(value)));
                }
            }
        }
        Json::Array(items) if !items.is_empty() => {
            for item in items {
                let mut inner = String::new();
                block(item, indent + 2, &mut inner);
                out.push_str(&format!("{margin}- {}", inner.trim_start_matches(' ')));
            }
        }
        other => out.push_str(&format!("{margin}{}\n", line(other))),
    }
}

fn is_block(value: &Json) -> bool {
    match value {
        Json::Object(entries) => !entries.is_empty(),
        Json::Array(items) => !items.is_empty(),
        _ => false,
    }
}

fn line(value: &Json) -> String {
    match value {
        Json::String(string) => text(string),
        other => other.to_string(),
    }
}

/// A string without quotes where it is read as the same string, otherwise in double quotes.
fn text(string: &str) -> String {
    if is_plain(string) {
        string.to_owned()
    } else {
        quoted(string)
    }
}

fn is_plain(string: &str) -> bool {
    let begins_plainly = string
        .starts_with(|c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '_' | '$' | '.'));
    let is_ordinary = |c: char| {
        c.is_ascii_alphanumeric()
            || matches!(
                c,
                ' ' | '_' | '-' | '.' | '/' | ':' | '@' | '+' | '$' | '{' | '}' | '%' | '='
            )
    };
    begins_plainly
        && string.chars().all(is_ordinary)
        && !string.contains(": ")
        && !string.ends_with([':', ' '])
        && resolve(string) == Resolved::Text
        && !is_typed_elsewhere(string)
}

/// Text to this program that an older reader of YAML takes for a number or a bool.
fn is_typed_elsewhere(string: &str) -> bool {
    let is_numeric =
        |c: char| c.is_ascii_digit() || matches!(c, '_' | '.' | ':' | 'e' | 'E' | '+' | '-');
    let word = string.to_ascii_lowercase();
    (string.starts_with(|c: char| c.is_ascii_digit())
        && string.chars().all(is_numeric)
        && string.matches('.').count() < 2)
        || matches!(
            word.as_str(),
            "y" | "n" | "yes" | "no" | "on" | "off" | "true" | "false" | "null"
        )
}

fn quoted(string: &str) -> String {
    let mut quoted = String::with_capacity(string.len() + 2);
    quoted.push('"');
    for c in string.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            c if c.is_control() || !is_printable(c) => {
                quoted.push_str(&format!("\\U{:08x}", u32::from(c)));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// Characters that a YAML stream may hold as they are, line breaks of Unicode apart.
fn is_printable(c: char) -> bool {
    matches!(c, ' '..='~' | '\u{a0}'..='\u{2027}' | '\u{202a}'..='\u{d7ff}' | '\u{e000}'..='\u{fefe}' | '\u{ff00}'..='\u{fffd}' | '\u{10000}'..)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;
    use crate::config::tree::{Node, Value, node};

    #[test]
    fn a_document_is_written_in_block_style() {
        let value = json!({
            "a": { "b": 1, "c": [], "d": {} },
            "e": [{ "f": "x", "g": [1, 2] }, [true], "yes", "true", "10s", "a: b", ""],
        });
        let expected = "a:\n  b: 1\n  c: []\n  d: {}\ne:\n  - f: x\n    g:\n      - 1\n      - \
                        2\n  - - true\n  - \"yes\"\n  - \"true\"\n  - 10s\n  - \"a: b\"\n  - \"\"\n";
        assert_eq!(write(&value), expected);
    }

    fn json(node: &Node) -> Json {
        match &node.value {
            Value::Null => Json::Null,
            Value::Scalar(scalar) => match scalar.resolved() {
                Resolved::Bool(value) => value.into(),
                Resolved::Unsigned(number) => number.into(),
                Resolved::Signed(number) => number.into(),
                Resolved::Float(number) => number.into(),
                Resolved::Null | Resolved::Text => scalar.text.as_str().into(),
            },
            Value::List(items) => items.iter().map(json).collect(),
            Value::Map(entries) => {
                let entries = entries
                    .iter()
                    .map(|entry| (entry.key.clone(), json(&entry.value)));
                Json::Object(entries.collect())
            }
        }
    }

    fn value() -> impl Strategy<Value = Json> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Json::from),
            any::<i64>().prop_map(Json::from),
            any::<u64>().prop_map(Json::from),
            (-1e9..1e9_f64).prop_map(Json::from),
            any::<String>().prop_map(Json::from),
            "[ -~]{0,12}".prop_map(Json::from),
        ];
        leaf.prop_recursive(4, 32, 4, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Json::from),
                prop::collection::btree_map("[ -~]{1,8}|[a-z]{1,3}", inner, 0..4)
                    .prop_map(|map| Json::Object(map.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_as_the_same(value in value()) {
            prop_assume!(!has_merge_key(&value));
            let text = write(&value);
            prop_assert_eq!(json(&node(&text)), value, "{}", text);
        }
    }

    fn has_merge_key(value: &Json) -> bool {
        match value {
            Json::Object(entries) => {
                entries.contains_key("<<") || entries.values().any(has_merge_key)
            }
            Json::Array(items) => items.iter().any(has_merge_key),
            _ => false,
        }
    }
}
