//! From a tree to a typed config: a serde deserializer whose errors know their place.
//!
//! So that a component's config is a plain derive. What a null means is decided here:
//! a block that is present but empty (`grpc:`) is on with its defaults, and a null where a single
//! value belongs is as if the key had not been written.

mod mistake;

pub(crate) use mistake::{Mistake, hidden};

use std::slice;

use serde::de::value::BorrowedStrDeserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::scalar::{Resolved, resolve};
use super::tree::{Entry, Node, Value};

impl Node {
    /// Reads this node as a `T`.
    ///
    /// # Errors
    /// The first thing in the tree that `T` does not take.
    pub(crate) fn decode<T: DeserializeOwned>(&self) -> Result<T, Mistake> {
        let mut pruned: Option<Self> = None;
        loop {
            let tree = pruned.as_ref().unwrap_or(self);
            match T::deserialize(NodeDeserializer { node: tree }) {
                Err(mistake) if mistake.is_null() => {
                    let mut smaller = tree.clone();
                    if !smaller.remove(&mistake.path()) {
                        return Err(mistake);
                    }
                    pruned = Some(smaller);
                }
                decoded => return decoded,
            }
        }
    }

    /// Removes the key at the end of `path`; false when the path does not end at a key.
    fn remove(&mut self, path: &[&str]) -> bool {
        let Some((segment, rest)) = path.split_first() else {
            return false;
        };
        match &mut self.value {
            Value::Map(entries) => {
                let Some(at) = entries.iter().position(|entry| entry.key == *segment) else {
                    return false;
                };
                if rest.is_empty() {
                    entries.remove(at);
                    return true;
                }
                entries
                    .get_mut(at)
                    .is_some_and(|entry| entry.value.remove(rest))
            }
            Value::List(items) => segment
                .parse()
                .ok()
                .and_then(|at: usize| items.get_mut(at))
                .is_some_and(|item| item.remove(rest)),
            Value::Null | Value::Scalar(_) => false,
        }
    }
}

struct NodeDeserializer<'de> {
    node: &'de Node,
}

impl<'de> NodeDeserializer<'de> {
    fn visit<V: Visitor<'de>>(&self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.node.value {
            Value::Null => visitor.visit_unit(),
            Value::List(items) => visitor.visit_seq(Items::new(items)),
            Value::Map(entries) => visitor.visit_map(Entries::new(entries)),
            Value::Scalar(scalar) => match scalar.resolved() {
                Resolved::Null => visitor.visit_unit(),
                Resolved::Bool(value) => visitor.visit_bool(value),
                Resolved::Unsigned(number) => visitor.visit_u64(number),
                Resolved::Signed(number) => visitor.visit_i64(number),
                Resolved::Float(number) => visitor.visit_f64(number),
                Resolved::Text => visitor.visit_str(&scalar.text),
            },
        }
    }
}

impl<'de> Deserializer<'de> for NodeDeserializer<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.visit(visitor)
            .map_err(|mistake| mistake.about(self.node))
    }

    /// The text as written, so that `0123` stays `0123` where text is wanted.
    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match self.node.text() {
            Some(text) => visitor
                .visit_str(text)
                .map_err(|mistake: Mistake| mistake.about(self.node)),
            None => self.deserialize_any(visitor),
        }
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.deserialize_str(visitor)
    }

    /// Always some: a null that the type inside cannot take is removed by [`Node::decode`], which
    /// leaves `None`.
    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_some(self)
    }

    /// A list is refused, although a derived struct would take one as its fields in order.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match &self.node.value {
            Value::Map(entries) => visitor.visit_map(Entries::new(entries)),
            _ if self.node.is_null() => visitor.visit_map(Entries::new(&[])),
            _ => Err(Mistake::not_a_block().about(self.node)),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.deserialize_map(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        choices: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        let chosen = match &self.node.value {
            Value::Scalar(scalar) => visitor.visit_enum(BorrowedStrDeserializer::new(&scalar.text)),
            Value::Map(entries) => match entries.as_slice() {
                [entry] => visitor.visit_enum(Choice { entry }),
                _ => Err(Mistake::not_one_choice(choices)),
            },
            Value::Null => Err(Mistake::null()),
            Value::List(_) => Err(Mistake::not_one_choice(choices)),
        };
        chosen.map_err(|mistake| mistake.about(self.node))
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_unit()
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char bytes byte_buf unit unit_struct
        seq tuple tuple_struct identifier
    }
}

/// The keys and values of a block.
struct Entries<'de> {
    entries: slice::Iter<'de, Entry>,
    current: Option<&'de Entry>,
}

impl<'de> Entries<'de> {
    fn new(entries: &'de [Entry]) -> Self {
        Self {
            entries: entries.iter(),
            current: None,
        }
    }
}

impl<'de> MapAccess<'de> for Entries<'de> {
    type Error = Mistake;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, Mistake> {
        self.current = self.entries.next();
        let Some(entry) = self.current else {
            return Ok(None);
        };
        seed.deserialize(Key { text: &entry.key })
            .map(Some)
            .map_err(|mistake| mistake.at(&entry.key_place))
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Mistake> {
        let Some(entry) = self.current else {
            return Err(de::Error::custom("a value was asked for before its key"));
        };
        seed.deserialize(NodeDeserializer { node: &entry.value })
            .map_err(|mistake| mistake.in_entry(entry))
    }
}

/// A key: text, or a number where a map is keyed by numbers.
struct Key<'de> {
    text: &'de str,
}

impl<'de> Key<'de> {
    fn number<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        match resolve(self.text) {
            Resolved::Unsigned(number) => visitor.visit_u64(number),
            _ => visitor.visit_borrowed_str(self.text),
        }
    }
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Mistake;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        visitor.visit_borrowed_str(self.text)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _choices: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        visitor.visit_enum(BorrowedStrDeserializer::new(self.text))
    }

    fn deserialize_u16<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.number(visitor)
    }

    fn deserialize_u32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.number(visitor)
    }

    fn deserialize_u64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Mistake> {
        self.number(visitor)
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct seq tuple tuple_struct map struct identifier ignored_any
    }
}

/// The items of a list.
struct Items<'de> {
    items: slice::Iter<'de, Node>,
    at: usize,
}

impl<'de> Items<'de> {
    fn new(items: &'de [Node]) -> Self {
        Self {
            items: items.iter(),
            at: 0,
        }
    }
}

impl<'de> SeqAccess<'de> for Items<'de> {
    type Error = Mistake;

    fn next_element_seed<T: DeserializeSeed<'de>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, Mistake> {
        let Some(node) = self.items.next() else {
            return Ok(None);
        };
        let at = self.at;
        self.at += 1;
        seed.deserialize(NodeDeserializer { node })
            .map(Some)
            .map_err(|mistake| mistake.about(node).at(&node.place).within(&at.to_string()))
    }

    fn size_hint(&self) -> Option<usize> {
        Some(self.items.len())
    }
}

/// `choice: body`, one key that says which variant its value is.
struct Choice<'de> {
    entry: &'de Entry,
}

impl<'de> Choice<'de> {
    fn body(&self) -> NodeDeserializer<'de> {
        NodeDeserializer {
            node: &self.entry.value,
        }
    }
}

impl<'de> EnumAccess<'de> for Choice<'de> {
    type Error = Mistake;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Mistake> {
        let key = Key {
            text: &self.entry.key,
        };
        let variant = seed
            .deserialize(key)
            .map_err(|mistake| mistake.at(&self.entry.key_place))?;
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for Choice<'de> {
    type Error = Mistake;

    fn unit_variant(self) -> Result<(), Mistake> {
        de::Deserialize::deserialize(self.body())
            .map_err(|mistake: Mistake| mistake.in_entry(self.entry))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Mistake> {
        seed.deserialize(self.body())
            .map_err(|mistake| mistake.in_entry(self.entry))
    }

    fn tuple_variant<V: Visitor<'de>>(
        self,
        _length: usize,
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.body()
            .deserialize_seq(visitor)
            .map_err(|mistake| mistake.in_entry(self.entry))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Mistake> {
        self.body()
            .deserialize_map(visitor)
            .map_err(|mistake| mistake.in_entry(self.entry))
    }
}

#[cfg(test)]
mod tests;
