use proptest::prelude::*;

use super::*;

fn summary(count: u64, scale: i32) -> Summary {
    Summary {
        count,
        sum: Some(1.5),
        scale,
        zero_count: 0,
        zero_threshold: 0.0,
    }
}

fn positive(scale: i32, offset: i32, counts: &[u64]) -> Result<Native, Reason> {
    let mut native = Native::default();
    let count = counts.iter().sum();
    let counts = counts.iter().copied();
    native.fill(summary(count, scale), (offset, counts), (0, [].into_iter()))?;
    Ok(native)
}

fn layout(native: &Native) -> (Vec<(i32, u32)>, Vec<i64>) {
    let spans = &native.positive.spans;
    (
        spans
            .iter()
            .map(|span| (span.offset, span.length))
            .collect(),
        native.positive.deltas.clone(),
    )
}

#[test]
fn buckets_become_spans_and_differences() {
    for (scale, offset, counts, spans, deltas) in [
        (
            0,
            3,
            &[10, 0, 0, 20, 5, 2][..],
            &[(4, 1), (2, 3)][..],
            &[10, 10, -15, -3][..],
        ),
        (0, 0, &[1, 0, 2], &[(1, 3)], &[1, -1, 2]),
        (0, -3, &[1, 1, 1, 1], &[(-2, 4)], &[1, 0, 0, 0]),
        (0, 0, &[], &[], &[]),
        (0, 5, &[0, 0, 7, 0], &[(8, 1)], &[7]),
        // Two to one: indices -3 -2 -1 0 1 are -2 -1 -1 0 0.
        (9, -3, &[1, 2, 3, 4, 5], &[(-1, 3)], &[1, 4, 4]),
        (10, 0, &[1, 2, 3, 4, 5], &[(1, 2)], &[10, -5]),
    ] {
        let native = positive(scale, offset, counts).unwrap();
        assert_eq!(
            layout(&native),
            (spans.to_vec(), deltas.to_vec()),
            "{counts:?}"
        );
        assert_eq!(native.schema, scale.min(8));
        assert_eq!(native.zero_threshold.to_bits(), 1e-128_f64.to_bits());
    }
}

#[test]
fn what_prometheus_would_refuse_is_not_sent() {
    let mut native = Native::default();
    let mut fill = |summary: Summary, counts: &[u64]| {
        native.fill(summary, (0, counts.iter().copied()), (0, [].into_iter()))
    };
    assert_eq!(fill(summary(0, -5), &[]), Err(Reason::ScaleTooSmall));
    let no_sum = Summary {
        sum: None,
        ..summary(1, 0)
    };
    assert_eq!(fill(no_sum, &[1]), Err(Reason::NoSum));
    assert_eq!(fill(summary(3, 0), &[1]), Err(Reason::MalformedHistogram));
    assert_eq!(
        fill(summary(0, 0), &[u64::MAX, 1]),
        Err(Reason::MalformedHistogram)
    );
    assert_eq!(
        fill(summary(u64::MAX, 0), &[u64::MAX]),
        Err(Reason::MalformedHistogram)
    );
    let with_nan = Summary {
        sum: Some(f64::NAN),
        ..summary(3, 0)
    };
    assert_eq!(fill(with_nan, &[1]), Ok(()));
    assert!(positive(0, i32::MAX, &[1]).is_err());
}

proptest! {
    #[test]
    fn spans_and_differences_tell_every_bucket(
        scale in -4_i32..11,
        offset in -1000_i32..1000,
        counts in proptest::collection::vec(prop_oneof![3 => Just(0_u64), 2 => 1..9_u64], 0..40),
    ) {
        let native = positive(scale, offset, &counts).unwrap();
        let shift = (scale - 8).max(0);
        let mut expected = std::collections::BTreeMap::new();
        for (index, count) in (offset..).zip(&counts).filter(|(_, count)| **count > 0) {
            *expected.entry((index >> shift) + 1).or_insert(0) += *count as i64;
        }
        let mut told = std::collections::BTreeMap::new();
        let (mut index, mut count) = (0, 0);
        let mut deltas = native.positive.deltas.iter();
        for span in &native.positive.spans {
            index += span.offset;
            for _ in 0..span.length {
                count += deltas.next().unwrap();
                if count != 0 {
                    told.insert(index, count);
                }
                index += 1;
            }
        }
        prop_assert_eq!(deltas.next(), None);
        prop_assert_eq!(told, expected);
    }
}
