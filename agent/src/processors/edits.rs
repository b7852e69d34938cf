//! Lists of edits of attributes, as the options of processors write them.

use std::fmt;

use bytes::Bytes;
use otlp::edit::{Action, AttributeEdit};
use pipeline::{Batch, Payload, Processed, Signal};
use serde::de::{self, Deserializer, Visitor};
use serde::{Deserialize, Serialize};

use crate::config::Problem;

/// Counted for the items of a batch whose payload does not inflate.
const UNREADABLE: &str = "unreadable_payload";

/// One edit.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct EditConfig {
    /// The attribute that is edited.
    pub(crate) key: String,
    /// What is done with it.
    pub(crate) action: Option<ActionConfig>,
    /// The value that it is given.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) value: Option<Scalar>,
    /// Instead of a value: the attribute whose value it is given, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_attribute: Option<String>,
    /// Not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from_context: Option<String>,
    /// Not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pattern: Option<String>,
    /// Not supported.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) converted_type: Option<String>,
}

/// What is done with an attribute.
#[derive(Copy, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum ActionConfig {
    /// Set it where it is absent.
    Insert,
    /// Set it where it is present.
    Update,
    /// Set it.
    Upsert,
    /// Remove it.
    Delete,
    /// Not supported.
    Hash,
    /// Not supported.
    Extract,
    /// Not supported.
    Convert,
}

/// A value with the type that it is written with: `5` is an integer, `"5"` is text.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum Scalar {
    /// `true` or `false`.
    Bool(bool),
    /// A number without a fraction.
    Int(i64),
    /// A number with a fraction.
    Double(f64),
    /// Anything else.
    Text(String),
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Written;
        impl Visitor<'_> for Written {
            type Value = Scalar;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("text, a number, true or false")
            }

            fn visit_bool<E: de::Error>(self, value: bool) -> Result<Scalar, E> {
                Ok(Scalar::Bool(value))
            }

            fn visit_i64<E: de::Error>(self, number: i64) -> Result<Scalar, E> {
                Ok(Scalar::Int(number))
            }

            fn visit_u64<E: de::Error>(self, number: u64) -> Result<Scalar, E> {
                i64::try_from(number)
                    .map(Scalar::Int)
                    .map_err(|_| E::custom("an integer of an attribute has at most 63 bits"))
            }

            fn visit_f64<E: de::Error>(self, number: f64) -> Result<Scalar, E> {
                Ok(Scalar::Double(number))
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Scalar, E> {
                Ok(Scalar::Text(text.to_owned()))
            }
        }
        deserializer.deserialize_any(Written)
    }
}

/// Compiles the list found at `key_path`.
///
/// # Errors
/// An empty list, and the first edit that cannot work or is not supported.
pub(super) fn compile(key_path: &str, list: &[EditConfig]) -> Result<Vec<AttributeEdit>, Problem> {
    if list.is_empty() {
        return Err(Problem::at(
            key_path,
            "the list is empty, so nothing would be edited",
            "write for example - {key: environment, value: lab, action: upsert}",
        ));
    }
    list.iter()
        .enumerate()
        .map(|(at, edit)| compile_one(&format!("{key_path}::{at}"), edit))
        .collect()
}

fn compile_one(key_path: &str, edit: &EditConfig) -> Result<AttributeEdit, Problem> {
    refuse_unsupported(key_path, edit)?;
    if edit.key.is_empty() {
        return Err(Problem::at(
            key_path,
            "key is missing",
            "name the attribute to edit, for example key: environment",
        ));
    }
    let action = match edit.action {
        Some(ActionConfig::Insert) => Action::Insert,
        Some(ActionConfig::Update) => Action::Update,
        Some(ActionConfig::Upsert) => Action::Upsert,
        Some(ActionConfig::Delete) => return delete(key_path, edit),
        Some(ActionConfig::Hash | ActionConfig::Extract | ActionConfig::Convert) | None => {
            return Err(Problem::at(
                key_path,
                "action is missing",
                "write action: insert, update, upsert or delete",
            ));
        }
    };
    match (&edit.value, &edit.from_attribute) {
        (Some(value), None) => Ok(set(action, &edit.key, value)),
        (None, Some(from)) => Ok(AttributeEdit::copy(action, &edit.key, from)),
        (None, None) => Err(Problem::at(
            key_path,
            format!("there is no value for `{}`", edit.key),
            "write value: or from_attribute:",
        )),
        (Some(_), Some(_)) => Err(Problem::at(
            key_path,
            format!("`{}` is given both value and from_attribute", edit.key),
            "keep one of them",
        )),
    }
}

fn delete(key_path: &str, edit: &EditConfig) -> Result<AttributeEdit, Problem> {
    if edit.value.is_some() || edit.from_attribute.is_some() {
        return Err(Problem::at(
            key_path,
            "what is deleted is not given a value",
            "remove value and from_attribute",
        ));
    }
    Ok(AttributeEdit::delete(&edit.key))
}

fn set(action: Action, key: &str, value: &Scalar) -> AttributeEdit {
    match value {
        Scalar::Bool(value) => AttributeEdit::set(action, key, *value),
        Scalar::Int(value) => AttributeEdit::set(action, key, *value),
        Scalar::Double(value) => AttributeEdit::set(action, key, *value),
        Scalar::Text(value) => AttributeEdit::set(action, key, value.as_str()),
    }
}

fn refuse_unsupported(key_path: &str, edit: &EditConfig) -> Result<(), Problem> {
    let action = match edit.action {
        Some(ActionConfig::Hash) => Some("hash"),
        Some(ActionConfig::Extract) => Some("extract"),
        Some(ActionConfig::Convert) => Some("convert"),
        _ => None,
    };
    if let Some(action) = action {
        return Err(Problem::at(
            format!("{key_path}::action"),
            format!("the action {action} is not supported by this version"),
            "write action: insert, update, upsert or delete",
        ));
    }
    for (key, value) in [
        ("from_context", &edit.from_context),
        ("pattern", &edit.pattern),
        ("converted_type", &edit.converted_type),
    ] {
        if value.is_some() {
            return Err(Problem::at(
                format!("{key_path}::{key}"),
                format!("{key} is not supported by this version"),
                "remove it",
            ));
        }
    }
    Ok(())
}

/// `batch` with its payload edited. Editing needs the plain message, so one that came compressed
/// goes on as it inflates.
pub(super) fn apply(
    batch: Batch,
    edits: &[AttributeEdit],
    edit: fn(Signal, &[u8], &[AttributeEdit]) -> Bytes,
) -> Processed {
    let items = batch.items;
    match batch.payload.to_plain() {
        Ok(plain) => {
            let edited = edit(batch.signal, &plain, edits);
            Processed::Keep(batch.with_payload(Payload::Plain(edited), items))
        }
        Err(error) => {
            tracing::error!(items, %error, "a batch cannot be inflated and is dropped");
            Processed::Drop {
                items,
                reason: UNREADABLE,
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests;
