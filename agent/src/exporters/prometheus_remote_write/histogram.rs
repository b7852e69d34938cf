//! The message `Histogram`, which is the same in both versions of remote write.
//!
//! ```text
//! Histogram  { count_int=1; sum=3 double; schema=4 sint32; zero_threshold=5 double;
//!              zero_count_int=6; negative_spans=8 repeated; negative_deltas=9 packed sint64;
//!              positive_spans=11 repeated; positive_deltas=12 packed sint64;
//!              timestamp=15 int64 ms; start_timestamp=17 int64 ms, 2.0 only }
//! BucketSpan { offset=1 sint32; length=2 uint32 }
//! ```

use otlp::wire;

use super::super::series::Native;
use super::super::series::native::Buckets;
use super::message::Moment;

/// Guess of the size of a series with a histogram, beside its labels.
pub(super) const HISTOGRAM_SIZE_GUESS: usize = 200;

/// Appends `native` as field `number`.
pub(super) fn put_histogram(out: &mut Vec<u8>, number: u32, native: &Native, moment: Moment) {
    let histogram = wire::open(out, number, HISTOGRAM_SIZE_GUESS);
    wire::put_varint_field(out, 1, native.count);
    wire::put_fixed64_field(out, 3, native.sum.to_bits());
    wire::put_varint_field(out, 4, zigzag(native.schema.into()));
    wire::put_fixed64_field(out, 5, native.zero_threshold.to_bits());
    wire::put_varint_field(out, 6, native.zero_count);
    put_buckets(out, 8, &native.negative);
    put_buckets(out, 11, &native.positive);
    wire::put_varint_field(out, 15, moment.timestamp_ms.cast_unsigned());
    if moment.start_ms != 0 {
        wire::put_varint_field(out, 17, moment.start_ms.cast_unsigned());
    }
    wire::close(out, histogram);
}

/// Appends spans as field `number` and differences as the one after it.
fn put_buckets(out: &mut Vec<u8>, number: u32, buckets: &Buckets) {
    for span in &buckets.spans {
        let message = wire::open(out, number, 8);
        wire::put_varint_field(out, 1, zigzag(span.offset.into()));
        wire::put_varint_field(out, 2, span.length.into());
        wire::close(out, message);
    }
    if !buckets.deltas.is_empty() {
        let deltas = wire::open(out, number + 1, buckets.deltas.len());
        for delta in &buckets.deltas {
            wire::put_varint(out, zigzag(*delta));
        }
        wire::close(out, deltas);
    }
}

fn zigzag(value: i64) -> u64 {
    (value << 1 ^ value >> 63).cast_unsigned()
}
