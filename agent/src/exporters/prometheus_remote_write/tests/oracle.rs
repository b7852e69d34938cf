//! The messages of both versions as prost reads them.

use std::collections::BTreeMap;

use prost::Message;

#[derive(Clone, PartialEq, Message)]
pub(super) struct WriteRequest {
    #[prost(message, repeated, tag = "1")]
    pub(super) timeseries: Vec<TimeSeries>,
    #[prost(message, repeated, tag = "3")]
    pub(super) metadata: Vec<MetricMetadata>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample>,
    #[prost(message, repeated, tag = "3")]
    pub(super) exemplars: Vec<Exemplar>,
    #[prost(message, repeated, tag = "4")]
    pub(super) histograms: Vec<Histogram>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Label {
    #[prost(string, tag = "1")]
    pub(super) name: String,
    #[prost(string, tag = "2")]
    pub(super) value: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Exemplar {
    #[prost(message, repeated, tag = "1")]
    pub(super) labels: Vec<Label>,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
    #[prost(int64, tag = "3")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct MetricMetadata {
    #[prost(int32, tag = "1")]
    pub(super) kind: i32,
    #[prost(string, tag = "2")]
    pub(super) metric_family_name: String,
    #[prost(string, tag = "4")]
    pub(super) help: String,
    #[prost(string, tag = "5")]
    pub(super) unit: String,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Histogram {
    #[prost(oneof = "Count", tags = "1, 2")]
    pub(super) count: Option<Count>,
    #[prost(double, tag = "3")]
    pub(super) sum: f64,
    #[prost(sint32, tag = "4")]
    pub(super) schema: i32,
    #[prost(double, tag = "5")]
    pub(super) zero_threshold: f64,
    #[prost(oneof = "ZeroCount", tags = "6, 7")]
    pub(super) zero_count: Option<ZeroCount>,
    #[prost(message, repeated, tag = "8")]
    pub(super) negative_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "9")]
    pub(super) negative_deltas: Vec<i64>,
    #[prost(message, repeated, tag = "11")]
    pub(super) positive_spans: Vec<BucketSpan>,
    #[prost(sint64, repeated, tag = "12")]
    pub(super) positive_deltas: Vec<i64>,
    #[prost(int64, tag = "15")]
    pub(super) timestamp: i64,
    #[prost(int64, tag = "17")]
    pub(super) start_timestamp: i64,
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Count {
    #[prost(uint64, tag = "1")]
    Int(u64),
    #[prost(double, tag = "2")]
    Float(f64),
}

#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum ZeroCount {
    #[prost(uint64, tag = "6")]
    Int(u64),
    #[prost(double, tag = "7")]
    Float(f64),
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct BucketSpan {
    #[prost(sint32, tag = "1")]
    pub(super) offset: i32,
    #[prost(uint32, tag = "2")]
    pub(super) length: u32,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Request2 {
    #[prost(string, repeated, tag = "4")]
    pub(super) symbols: Vec<String>,
    #[prost(message, repeated, tag = "5")]
    pub(super) timeseries: Vec<TimeSeries2>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct TimeSeries2 {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) labels_refs: Vec<u32>,
    #[prost(message, repeated, tag = "2")]
    pub(super) samples: Vec<Sample2>,
    #[prost(message, repeated, tag = "3")]
    pub(super) histograms: Vec<Histogram>,
    #[prost(message, repeated, tag = "4")]
    pub(super) exemplars: Vec<Exemplar2>,
    #[prost(message, optional, tag = "5")]
    pub(super) metadata: Option<Metadata2>,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Sample2 {
    #[prost(double, tag = "1")]
    pub(super) value: f64,
    #[prost(int64, tag = "2")]
    pub(super) timestamp: i64,
    #[prost(int64, tag = "3")]
    pub(super) start_timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Exemplar2 {
    #[prost(uint32, repeated, tag = "1")]
    pub(super) labels_refs: Vec<u32>,
    #[prost(double, tag = "2")]
    pub(super) value: f64,
    #[prost(int64, tag = "3")]
    pub(super) timestamp: i64,
}

#[derive(Clone, PartialEq, Message)]
pub(super) struct Metadata2 {
    #[prost(int32, tag = "1")]
    pub(super) kind: i32,
    #[prost(uint32, tag = "3")]
    pub(super) help_ref: u32,
    #[prost(uint32, tag = "4")]
    pub(super) unit_ref: u32,
}

/// A series of either version.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Series {
    /// `name{a=b,c=d}`.
    pub(super) labels: String,
    pub(super) samples: Vec<Sample>,
    pub(super) histograms: Vec<Histogram>,
    /// Labels, value, time.
    pub(super) exemplars: Vec<(String, f64, i64)>,
}

/// Reads the snappy block of a 1.0 message.
pub(super) fn read_v1(body: &[u8]) -> WriteRequest {
    let plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    WriteRequest::decode(plain.as_slice()).unwrap()
}

/// Reads the snappy block of a 2.0 message.
pub(super) fn read_v2(body: &[u8]) -> Request2 {
    let plain = snap::raw::Decoder::new().decompress_vec(body).unwrap();
    Request2::decode(plain.as_slice()).unwrap()
}

impl WriteRequest {
    pub(super) fn series(&self) -> Vec<Series> {
        let text = |labels: &[Label]| {
            let pairs = labels
                .iter()
                .map(|it| (it.name.as_str(), it.value.as_str()));
            shown(pairs.collect())
        };
        let series = self.timeseries.iter().map(|series| Series {
            labels: text(&series.labels),
            samples: series.samples.clone(),
            histograms: series.histograms.clone(),
            exemplars: series
                .exemplars
                .iter()
                .map(|it| (text(&it.labels), it.value, it.timestamp))
                .collect(),
        });
        series.collect()
    }
}

impl Request2 {
    /// Checks what the specification demands of a message, and shows it without start times.
    pub(super) fn series(&self) -> Vec<Series> {
        assert_eq!(self.symbols[0], "");
        let mut unique = self.symbols.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), self.symbols.len());
        let series = self.timeseries.iter().map(|series| {
            assert!(series.samples.is_empty() != series.histograms.is_empty());
            assert!(series.metadata.is_some());
            let samples = series.samples.iter().map(|it| Sample {
                value: it.value,
                timestamp: it.timestamp,
            });
            let histograms = series.histograms.iter().map(|it| Histogram {
                start_timestamp: 0,
                ..it.clone()
            });
            let exemplars = series.exemplars.iter();
            Series {
                labels: self.text(&series.labels_refs),
                samples: samples.collect(),
                histograms: histograms.collect(),
                exemplars: exemplars
                    .map(|it| (self.text(&it.labels_refs), it.value, it.timestamp))
                    .collect(),
            }
        });
        series.collect()
    }

    /// Type, help and unit by family name.
    pub(super) fn metadata(&self) -> BTreeMap<String, (i32, String, String)> {
        let series = self.timeseries.iter().map(|series| {
            let metadata = series.metadata.as_ref().unwrap();
            let name = self.text(&series.labels_refs);
            let name = name.split('{').next().unwrap().to_owned();
            let symbol = |reference: u32| self.symbols[reference as usize].clone();
            let told = (
                metadata.kind,
                symbol(metadata.help_ref),
                symbol(metadata.unit_ref),
            );
            (name, told)
        });
        series.collect()
    }

    fn text(&self, refs: &[u32]) -> String {
        assert_eq!(refs.len() % 2, 0);
        let symbol = |reference: u32| self.symbols[reference as usize].as_str();
        let pairs = refs
            .chunks(2)
            .map(|pair| (symbol(pair[0]), symbol(pair[1])));
        shown(pairs.collect())
    }
}

/// Labels as Prometheus shows them; they must be sorted, unique and not empty.
fn shown(pairs: Vec<(&str, &str)>) -> String {
    assert!(
        pairs.is_sorted_by(|left, right| left.0 < right.0),
        "{pairs:?}"
    );
    assert!(
        pairs
            .iter()
            .all(|pair| !pair.0.is_empty() && !pair.1.is_empty())
    );
    let name = pairs.iter().find(|pair| pair.0 == "__name__");
    let others = pairs.iter().filter(|pair| pair.0 != "__name__");
    let others: Vec<_> = others
        .map(|(name, value)| format!("{name}={value}"))
        .collect();
    format!("{}{{{}}}", name.map_or("", |pair| pair.1), others.join(","))
}
