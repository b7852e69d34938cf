use opentelemetry_proto::tonic::metrics::v1 as proto;
use proptest::prelude::*;
use prost::Message;

use super::*;
use crate::arbitrary;
use crate::wire::{put_len_field, put_varint_field};

/// The items of a request, each with all the envelopes around it, as encoded bytes.
fn flatten(signal: Signal, bytes: &[u8]) -> Vec<Vec<Vec<u8>>> {
    fn walk(levels: Levels, message: &[u8], path: &[Vec<u8>], out: &mut Vec<Vec<Vec<u8>>>) {
        let mut path = path.to_vec();
        let Some((numbers, below)) = levels.split_first() else {
            path.push(message.to_vec());
            out.push(path);
            return;
        };
        path.push(
            Fields::new(message)
                .filter(|field| !numbers.contains(&field.number))
                .flat_map(|field| field.raw.to_vec())
                .collect(),
        );
        for field in Fields::new(message) {
            if let (true, Content::Len(child)) = (numbers.contains(&field.number), field.content) {
                let mut path = path.clone();
                path.push(vec![u8::try_from(field.number).unwrap()]);
                walk(below, child, &path, out);
            }
        }
    }
    let mut out = Vec::new();
    walk(levels(signal), bytes, &[], &mut out);
    out
}

fn check(signal: Signal, bytes: &[u8], max_items: u32, max_bytes: usize) {
    let whole = Bytes::copy_from_slice(bytes);
    let pieces = split(signal, &whole, max_items, max_bytes);
    for piece in &pieces {
        assert_eq!(
            crate::validate(signal, &piece.bytes, &Default::default()),
            Ok(piece.items)
        );
        assert!(piece.items <= max_items.max(1), "{} items", piece.items);
        assert!(piece.bytes.len() <= max_bytes || may_be_large(signal, piece, max_bytes));
    }
    let items: Vec<_> = (pieces.iter())
        .flat_map(|piece| flatten(signal, &piece.bytes))
        .collect();
    assert_eq!(items, flatten(signal, bytes));
}

/// A piece above the limit has one item, or envelopes that take half of it.
fn may_be_large(signal: Signal, piece: &Piece, max_bytes: usize) -> bool {
    let items: usize = (flatten(signal, &piece.bytes).iter())
        .filter_map(|path| path.last().map(Vec::len))
        .sum();
    piece.items == 1 || (piece.bytes.len() - items) * 2 > max_bytes
}

proptest! {
    #[test]
    fn pieces_hold_the_same_items_in_the_same_order(
        entropy in arbitrary::entropy(),
        max_items in 1..8_u32,
        max_bytes in 1..2000_usize,
    ) {
        for signal in Signal::ALL {
            let bytes = arbitrary::request(signal, &entropy);
            check(signal, &bytes, max_items, max_bytes);
            check(signal, &bytes, u32::MAX, max_bytes);
            let bytes = arbitrary::with_unknown_fields(signal, &bytes);
            check(signal, &bytes, max_items, usize::MAX);
            check(signal, &bytes, max_items, max_bytes);
        }
    }
}

/// A request of one gauge with `points` points and an unknown field in each envelope.
fn request(points: usize) -> Vec<u8> {
    let gauge = proto::Gauge {
        data_points: vec![
            proto::NumberDataPoint {
                time_unix_nano: 1,
                ..Default::default()
            };
            points
        ],
    };
    let mut message = gauge.encode_to_vec();
    for number in [5, 2, 2, 1] {
        put_varint_field(&mut message, 99, 7);
        let mut outer = Vec::new();
        put_len_field(&mut outer, number, &message);
        message = outer;
    }
    put_varint_field(&mut message, 99, 7);
    message
}

#[test]
fn one_metric_is_split_between_points_and_unknown_fields_survive() {
    let bytes = Bytes::from(request(10));
    let pieces = split(Signal::Metrics, &bytes, 4, usize::MAX);
    let items: Vec<_> = pieces.iter().map(|piece| piece.items).collect();
    assert_eq!(items, [4, 4, 2]);
    let sizes: Vec<_> = pieces.iter().map(|piece| piece.bytes.len()).collect();
    let (four, two) = (request(4).len(), request(2).len());
    assert_eq!(sizes, [four, four, two]);
    check(Signal::Metrics, &bytes, 4, usize::MAX);
}

#[test]
fn a_request_within_the_limits_is_not_copied() {
    let bytes = Bytes::from(request(10));
    let pieces = split(Signal::Metrics, &bytes, 10, bytes.len());
    assert_eq!(pieces.len(), 1);
    assert_eq!(pieces[0].bytes.as_ptr(), bytes.as_ptr());
}

#[test]
fn a_large_item_stands_alone_between_its_neighbors() {
    let record = |size| {
        let mut record = Vec::new();
        put_len_field(&mut record, 3, &vec![b'x'; size]);
        record
    };
    let mut scope = Vec::new();
    for size in [10, 10, 5000, 10, 10] {
        put_len_field(&mut scope, 2, &record(size));
    }
    let mut resource = Vec::new();
    put_len_field(&mut resource, 2, &scope);
    let mut bytes = Vec::new();
    put_len_field(&mut bytes, 1, &resource);
    let pieces = split(Signal::Logs, &bytes.into(), 100, 1000);
    let items: Vec<_> = pieces.iter().map(|piece| piece.items).collect();
    assert_eq!(items, [2, 1, 2]);
}

#[test]
fn large_envelopes_are_not_copied_for_each_small_item() {
    let mut scope = Vec::new();
    for _ in 0..1000 {
        put_len_field(&mut scope, 2, &[0x18, 1]);
    }
    let mut resource = Vec::new();
    put_len_field(&mut resource, 3, &[b'x'; 5000]);
    put_len_field(&mut resource, 2, &scope);
    let mut bytes = Vec::new();
    put_len_field(&mut bytes, 1, &resource);
    let pieces = split(Signal::Logs, &bytes.clone().into(), 10_000, 1000);
    let size: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
    assert!(size <= 3 * bytes.len(), "{size} bytes of {}", bytes.len());
}
