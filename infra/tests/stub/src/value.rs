//! Values as the protocol carries them: msgpack, with an extension for "not known yet".

use anyhow::{Context, Result, bail};
use rmpv::Value;

/// Extension type 0 with one zero byte is the protocol's unknown value.
pub(crate) fn unknown() -> Value {
    Value::Ext(0, vec![0])
}

/// Unknown values may carry refinements under extension type 12; both mean unknown here.
pub(crate) fn is_unknown(value: &Value) -> bool {
    matches!(value, Value::Ext(0 | 12, _))
}

pub(crate) fn has_unknown(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(has_unknown),
        Value::Map(entries) => entries.iter().any(|(_, value)| has_unknown(value)),
        other => is_unknown(other),
    }
}

pub(crate) fn decode(bytes: &[u8]) -> Result<Value> {
    if bytes.is_empty() {
        return Ok(Value::Nil);
    }
    rmpv::decode::read_value(&mut &*bytes).context("decoding a msgpack value")
}

pub(crate) fn encode(value: &Value) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    rmpv::encode::write_value(&mut bytes, value).context("encoding a msgpack value")?;
    Ok(bytes)
}

pub(crate) fn get<'a>(object: &'a Value, name: &str) -> Option<&'a Value> {
    object
        .as_map()?
        .iter()
        .find(|(key, _)| key.as_str() == Some(name))
        .map(|(_, value)| value)
}

pub(crate) fn get_mut<'a>(object: &'a mut Value, name: &str) -> Option<&'a mut Value> {
    let Value::Map(entries) = object else {
        return None;
    };
    entries
        .iter_mut()
        .find(|(key, _)| key.as_str() == Some(name))
        .map(|(_, value)| value)
}

pub(crate) fn text_of<'a>(object: &'a Value, name: &str) -> Option<&'a str> {
    get(object, name)?.as_str()
}

/// State as JSON (what the tools keep) to the same state as msgpack.
///
/// JSON has no unknowns, and an attribute of any type is written as `{"type", "value"}`, which the
/// configuration here never stores.
pub(crate) fn from_json(json: &serde_json::Value) -> Result<Value> {
    Ok(match json {
        serde_json::Value::Null => Value::Nil,
        serde_json::Value::Bool(flag) => Value::from(*flag),
        serde_json::Value::String(text) => Value::from(text.as_str()),
        serde_json::Value::Number(number) => match (number.as_i64(), number.as_f64()) {
            (Some(whole), _) => Value::from(whole),
            (None, Some(real)) => Value::from(real),
            (None, None) => bail!("a number that is neither whole nor real: {number}"),
        },
        serde_json::Value::Array(items) => {
            Value::Array(items.iter().map(from_json).collect::<Result<_>>()?)
        }
        serde_json::Value::Object(fields) => Value::Map(
            fields
                .iter()
                .map(|(key, value)| Ok((Value::from(key.as_str()), from_json(value)?)))
                .collect::<Result<_>>()?,
        ),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_survives_the_wire() {
        let bytes = encode(&unknown()).expect("encodes");
        assert_eq!(bytes, [0xd4, 0, 0]);
        assert!(is_unknown(&decode(&bytes).expect("decodes")));
    }

    #[test]
    fn an_empty_message_is_null() {
        assert!(decode(&[]).expect("decodes").is_nil());
    }
}
