//! Repeated numbers, which may be packed into one field or not.

use crate::wire::{Content, Fields, split_fixed64, split_varint};

/// Numbers of a repeated `fixed64` or `sfixed64` field, packed or not.
#[derive(Copy, Clone, Debug)]
pub struct Fixed64s<'a> {
    fields: Fields<'a>,
    number: u32,
    packed: &'a [u8],
}

impl<'a> Fixed64s<'a> {
    pub(crate) const fn new(bytes: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(bytes),
            number,
            packed: &[],
        }
    }
}

impl Iterator for Fixed64s<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Ok((value, rest)) = split_fixed64(self.packed) {
                self.packed = rest;
                return Some(value);
            }
            let number = self.number;
            match self.fields.find(|field| field.number == number)?.content {
                Content::Len(bytes) => self.packed = bytes,
                Content::Fixed64(value) => return Some(value),
                Content::Varint(_) | Content::Fixed32(_) => {}
            }
        }
    }
}

/// Numbers of a repeated `double` field, packed or not.
#[derive(Copy, Clone, Debug)]
pub struct Doubles<'a>(Fixed64s<'a>);

impl<'a> Doubles<'a> {
    pub(crate) const fn new(bytes: &'a [u8], number: u32) -> Self {
        Self(Fixed64s::new(bytes, number))
    }
}

impl Iterator for Doubles<'_> {
    type Item = f64;

    #[inline]
    fn next(&mut self) -> Option<f64> {
        self.0.next().map(f64::from_bits)
    }
}

/// Numbers of a repeated `uint64` field, packed or not.
#[derive(Copy, Clone, Debug)]
pub struct Varints<'a> {
    fields: Fields<'a>,
    number: u32,
    packed: &'a [u8],
}

impl<'a> Varints<'a> {
    pub(crate) const fn new(bytes: &'a [u8], number: u32) -> Self {
        Self {
            fields: Fields::new(bytes),
            number,
            packed: &[],
        }
    }
}

impl Iterator for Varints<'_> {
    type Item = u64;

    #[inline]
    fn next(&mut self) -> Option<u64> {
        loop {
            if let Ok((value, rest)) = split_varint(self.packed) {
                self.packed = rest;
                return Some(value);
            }
            let number = self.number;
            match self.fields.find(|field| field.number == number)?.content {
                Content::Len(bytes) => self.packed = bytes,
                Content::Varint(value) => return Some(value),
                Content::Fixed64(_) | Content::Fixed32(_) => {}
            }
        }
    }
}
