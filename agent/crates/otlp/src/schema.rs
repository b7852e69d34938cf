//! The messages of OTLP as tables.
//!
//! Validation and both directions of JSON are interpreters of these tables, so a field that OTLP
//! adds is one line here. Names and numbers are those of `opentelemetry/proto/**.proto`, 1.11.0.

use crate::Signal;

/// One more than the largest field number.
pub(crate) const NUMBERS: usize = 17;

/// A message: its fields by number.
#[derive(Debug)]
pub(crate) struct Message {
    fields: [Option<Field>; NUMBERS],
    /// What the message is to those who walk the tables.
    pub(crate) role: Role,
    /// A bit for the number of each field that JSON always shows.
    pub(crate) always: u32,
}

/// What a message is to those who walk the tables.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// Nothing special.
    Plain,
    /// A data point, a log record or a span.
    Item,
    /// A `KeyValue`, the most frequent message of all.
    KeyValue,
    /// An `AnyValue`, which may hold nothing.
    AnyValue,
}

/// A field of a message.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Field {
    /// Its number.
    pub(crate) number: u32,
    /// Its name in the `.proto` files, which errors show.
    pub(crate) name: &'static str,
    /// Its name in JSON.
    pub(crate) json: &'static str,
    /// Its type.
    pub(crate) kind: Kind,
    /// How often it may occur.
    pub(crate) occurs: Occurs,
    /// Whether JSON shows it even when it is empty, because readers insist on it.
    pub(crate) always: bool,
}

/// How often a field may occur.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Occurs {
    /// At most once; zero and absent are the same.
    Once,
    /// At most once; zero and absent differ.
    Optional,
    /// At most once, and then no other field of this kind in the message.
    OneOf,
    /// Any number of times.
    Repeated,
}

/// The type of a field.
#[derive(Copy, Clone, Debug)]
pub(crate) enum Kind {
    /// A varint, 0 or 1.
    Bool,
    /// A varint of 32 bits, sign-extended to 64.
    Int32,
    /// An `Int32` of a closed list.
    Enum,
    /// A varint of 32 bits.
    Uint32,
    /// A zigzag varint of 32 bits.
    Sint32,
    /// A varint of 64 bits, signed.
    Int64,
    /// A varint of 64 bits.
    Uint64,
    /// Four bytes.
    Fixed32,
    /// Eight bytes.
    Fixed64,
    /// Eight bytes, signed.
    Sfixed64,
    /// Eight bytes.
    Double,
    /// UTF-8.
    Str,
    /// Bytes, base64 in JSON.
    Bytes,
    /// The bytes of a trace or span id, hexadecimal in JSON.
    Id,
    /// A nested message.
    Message(&'static Message),
}

impl Message {
    /// The field with this number.
    #[inline]
    pub(crate) fn field(&self, number: u32) -> Option<&Field> {
        self.fields.get(number as usize)?.as_ref()
    }

    /// The field with this name in JSON.
    pub(crate) fn json_field(&self, name: &str) -> Option<&Field> {
        (self.fields.iter().flatten()).find(|field| field.json == name)
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "runs in the compiler, where a number that is too large ends the build"
    )]
    const fn new(role: Role, mut fields: &[Field]) -> Self {
        let mut by_number = [None; NUMBERS];
        let mut always = 0;
        while let Some((field, rest)) = fields.split_first() {
            by_number[field.number as usize] = Some(*field);
            if field.always {
                always |= 1 << field.number;
            }
            fields = rest;
        }
        Self {
            fields: by_number,
            role,
            always,
        }
    }
}

/// The request of `signal`.
pub(crate) const fn request(signal: Signal) -> &'static Message {
    match signal {
        Signal::Metrics => &METRICS_REQUEST,
        Signal::Logs => &LOGS_REQUEST,
        Signal::Traces => &TRACES_REQUEST,
    }
}

const fn field(number: u32, name: &'static str, json: &'static str, kind: Kind) -> Field {
    Field {
        number,
        name,
        json,
        kind,
        occurs: Occurs::Once,
        always: false,
    }
}

impl Field {
    const fn optional(mut self) -> Self {
        self.occurs = Occurs::Optional;
        self
    }

    const fn oneof(mut self) -> Self {
        self.occurs = Occurs::OneOf;
        self
    }

    const fn always(mut self) -> Self {
        self.always = true;
        self
    }

    const fn repeated(mut self) -> Self {
        self.occurs = Occurs::Repeated;
        self
    }
}

/// A field whose value is a message.
const fn nested(
    number: u32,
    name: &'static str,
    json: &'static str,
    message: &'static Message,
) -> Field {
    field(number, name, json, Kind::Message(message))
}

/// A repeated field whose values are messages.
const fn list(
    number: u32,
    name: &'static str,
    json: &'static str,
    message: &'static Message,
) -> Field {
    nested(number, name, json, message).repeated()
}

/// A field whose name has one word, and so is the same in JSON.
const fn word(number: u32, name: &'static str, kind: Kind) -> Field {
    field(number, name, name, kind)
}

const fn attributes(number: u32) -> Field {
    list(number, "attributes", "attributes", &KEY_VALUE)
}

const fn dropped_attributes(number: u32) -> Field {
    field(
        number,
        "dropped_attributes_count",
        "droppedAttributesCount",
        Kind::Uint32,
    )
}

const fn schema_url(number: u32) -> Field {
    field(number, "schema_url", "schemaUrl", Kind::Str)
}

const fn time(number: u32) -> Field {
    field(number, "time_unix_nano", "timeUnixNano", Kind::Fixed64)
}

const fn start_time(number: u32) -> Field {
    field(
        number,
        "start_time_unix_nano",
        "startTimeUnixNano",
        Kind::Fixed64,
    )
}

const fn trace_id(number: u32) -> Field {
    field(number, "trace_id", "traceId", Kind::Id)
}

const fn span_id(number: u32) -> Field {
    field(number, "span_id", "spanId", Kind::Id)
}

const fn trace_state(number: u32) -> Field {
    field(number, "trace_state", "traceState", Kind::Str)
}

const fn temporality(number: u32) -> Field {
    field(
        number,
        "aggregation_temporality",
        "aggregationTemporality",
        Kind::Enum,
    )
}

const fn data_points(message: &'static Message) -> Field {
    list(1, "data_points", "dataPoints", message)
}

const fn exemplars(number: u32) -> Field {
    list(number, "exemplars", "exemplars", &EXEMPLAR)
}

// Common.

static RESOURCE: Message = Message::new(
    Role::Plain,
    &[
        attributes(1),
        dropped_attributes(2),
        list(3, "entity_refs", "entityRefs", &ENTITY_REF),
    ],
);

static ENTITY_REF: Message = Message::new(
    Role::Plain,
    &[
        schema_url(1).always(),
        word(2, "type", Kind::Str).always(),
        field(3, "id_keys", "idKeys", Kind::Str).repeated().always(),
        field(4, "description_keys", "descriptionKeys", Kind::Str)
            .repeated()
            .always(),
    ],
);

static SCOPE: Message = Message::new(
    Role::Plain,
    &[
        word(1, "name", Kind::Str),
        word(2, "version", Kind::Str),
        attributes(3),
        dropped_attributes(4),
    ],
);

static KEY_VALUE: Message = Message::new(
    Role::KeyValue,
    &[
        word(1, "key", Kind::Str).always(),
        nested(2, "value", "value", &ANY_VALUE),
        field(3, "key_strindex", "keyStrindex", Kind::Int32),
    ],
);

static ANY_VALUE: Message = Message::new(
    Role::AnyValue,
    &[
        field(1, "string_value", "stringValue", Kind::Str).oneof(),
        field(2, "bool_value", "boolValue", Kind::Bool).oneof(),
        field(3, "int_value", "intValue", Kind::Int64).oneof(),
        field(4, "double_value", "doubleValue", Kind::Double).oneof(),
        nested(5, "array_value", "arrayValue", &ARRAY_VALUE).oneof(),
        nested(6, "kvlist_value", "kvlistValue", &KEY_VALUE_LIST).oneof(),
        field(7, "bytes_value", "bytesValue", Kind::Bytes).oneof(),
        field(
            8,
            "string_value_strindex",
            "stringValueStrindex",
            Kind::Int32,
        )
        .oneof(),
    ],
);

static ARRAY_VALUE: Message = Message::new(
    Role::Plain,
    &[list(1, "values", "values", &ANY_VALUE).always()],
);

static KEY_VALUE_LIST: Message = Message::new(
    Role::Plain,
    &[list(1, "values", "values", &KEY_VALUE).always()],
);

// Logs.

static LOGS_REQUEST: Message = Message::new(
    Role::Plain,
    &[list(1, "resource_logs", "resourceLogs", &RESOURCE_LOGS)],
);

static RESOURCE_LOGS: Message = Message::new(
    Role::Plain,
    &[
        nested(1, "resource", "resource", &RESOURCE),
        list(2, "scope_logs", "scopeLogs", &SCOPE_LOGS),
        schema_url(3),
    ],
);

static SCOPE_LOGS: Message = Message::new(
    Role::Plain,
    &[
        nested(1, "scope", "scope", &SCOPE),
        list(2, "log_records", "logRecords", &LOG_RECORD),
        schema_url(3),
    ],
);

static LOG_RECORD: Message = Message::new(
    Role::Item,
    &[
        time(1),
        field(2, "severity_number", "severityNumber", Kind::Enum),
        field(3, "severity_text", "severityText", Kind::Str),
        nested(5, "body", "body", &ANY_VALUE),
        attributes(6),
        dropped_attributes(7),
        word(8, "flags", Kind::Fixed32),
        trace_id(9),
        span_id(10),
        field(
            11,
            "observed_time_unix_nano",
            "observedTimeUnixNano",
            Kind::Fixed64,
        ),
        field(12, "event_name", "eventName", Kind::Str),
    ],
);

// Traces.

static TRACES_REQUEST: Message = Message::new(
    Role::Plain,
    &[list(1, "resource_spans", "resourceSpans", &RESOURCE_SPANS)],
);

static RESOURCE_SPANS: Message = Message::new(
    Role::Plain,
    &[
        nested(1, "resource", "resource", &RESOURCE),
        list(2, "scope_spans", "scopeSpans", &SCOPE_SPANS),
        schema_url(3),
    ],
);

static SCOPE_SPANS: Message = Message::new(
    Role::Plain,
    &[
        nested(1, "scope", "scope", &SCOPE),
        list(2, "spans", "spans", &SPAN),
        schema_url(3),
    ],
);

static SPAN: Message = Message::new(
    Role::Item,
    &[
        trace_id(1),
        span_id(2),
        trace_state(3),
        field(4, "parent_span_id", "parentSpanId", Kind::Id),
        word(5, "name", Kind::Str),
        word(6, "kind", Kind::Enum),
        start_time(7),
        field(8, "end_time_unix_nano", "endTimeUnixNano", Kind::Fixed64),
        attributes(9),
        dropped_attributes(10),
        list(11, "events", "events", &EVENT),
        field(
            12,
            "dropped_events_count",
            "droppedEventsCount",
            Kind::Uint32,
        ),
        list(13, "links", "links", &LINK),
        field(14, "dropped_links_count", "droppedLinksCount", Kind::Uint32),
        nested(15, "status", "status", &STATUS),
        word(16, "flags", Kind::Fixed32),
    ],
);

static EVENT: Message = Message::new(
    Role::Plain,
    &[
        time(1),
        word(2, "name", Kind::Str),
        attributes(3),
        dropped_attributes(4),
    ],
);

static LINK: Message = Message::new(
    Role::Plain,
    &[
        trace_id(1),
        span_id(2),
        trace_state(3),
        attributes(4),
        dropped_attributes(5),
        word(6, "flags", Kind::Fixed32),
    ],
);

static STATUS: Message = Message::new(
    Role::Plain,
    &[word(2, "message", Kind::Str), word(3, "code", Kind::Enum)],
);

// Metrics.

static METRICS_REQUEST: Message = Message::new(
    Role::Plain,
    &[list(
        1,
        "resource_metrics",
        "resourceMetrics",
        &RESOURCE_METRICS,
    )],
);

static RESOURCE_METRICS: Message = Message::new(
    Role::Plain,
    &[
        nested(1, "resource", "resource", &RESOURCE),
        list(2, "scope_metrics", "scopeMetrics", &SCOPE_METRICS),
        schema_url(3),
    ],
);

static SCOPE_METRICS: Message = Message::new(
    Role::Plain,
    &[
        nested(1, "scope", "scope", &SCOPE),
        list(2, "metrics", "metrics", &METRIC),
        schema_url(3),
    ],
);

static METRIC: Message = Message::new(
    Role::Plain,
    &[
        word(1, "name", Kind::Str),
        word(2, "description", Kind::Str),
        word(3, "unit", Kind::Str),
        nested(5, "gauge", "gauge", &GAUGE).oneof(),
        nested(7, "sum", "sum", &SUM).oneof(),
        nested(9, "histogram", "histogram", &HISTOGRAM).oneof(),
        nested(
            10,
            "exponential_histogram",
            "exponentialHistogram",
            &EXPONENTIAL_HISTOGRAM,
        )
        .oneof(),
        nested(11, "summary", "summary", &SUMMARY).oneof(),
        list(12, "metadata", "metadata", &KEY_VALUE),
    ],
);

static GAUGE: Message = Message::new(Role::Plain, &[data_points(&NUMBER_POINT)]);

static SUM: Message = Message::new(
    Role::Plain,
    &[
        data_points(&NUMBER_POINT),
        temporality(2),
        field(3, "is_monotonic", "isMonotonic", Kind::Bool),
    ],
);

static HISTOGRAM: Message = Message::new(
    Role::Plain,
    &[data_points(&HISTOGRAM_POINT), temporality(2)],
);

static EXPONENTIAL_HISTOGRAM: Message = Message::new(
    Role::Plain,
    &[data_points(&EXPONENTIAL_HISTOGRAM_POINT), temporality(2)],
);

static SUMMARY: Message = Message::new(Role::Plain, &[data_points(&SUMMARY_POINT)]);

static NUMBER_POINT: Message = Message::new(
    Role::Item,
    &[
        start_time(2),
        time(3),
        field(4, "as_double", "asDouble", Kind::Double).oneof(),
        exemplars(5),
        field(6, "as_int", "asInt", Kind::Sfixed64).oneof(),
        attributes(7),
        word(8, "flags", Kind::Uint32),
    ],
);

static HISTOGRAM_POINT: Message = Message::new(
    Role::Item,
    &[
        start_time(2),
        time(3),
        word(4, "count", Kind::Fixed64),
        word(5, "sum", Kind::Double).optional(),
        field(6, "bucket_counts", "bucketCounts", Kind::Fixed64).repeated(),
        field(7, "explicit_bounds", "explicitBounds", Kind::Double).repeated(),
        exemplars(8),
        attributes(9),
        word(10, "flags", Kind::Uint32),
        word(11, "min", Kind::Double).optional(),
        word(12, "max", Kind::Double).optional(),
    ],
);

static EXPONENTIAL_HISTOGRAM_POINT: Message = Message::new(
    Role::Item,
    &[
        attributes(1),
        start_time(2),
        time(3),
        word(4, "count", Kind::Fixed64),
        word(5, "sum", Kind::Double).optional(),
        word(6, "scale", Kind::Sint32),
        field(7, "zero_count", "zeroCount", Kind::Fixed64),
        nested(8, "positive", "positive", &BUCKETS),
        nested(9, "negative", "negative", &BUCKETS),
        word(10, "flags", Kind::Uint32),
        exemplars(11),
        word(12, "min", Kind::Double).optional(),
        word(13, "max", Kind::Double).optional(),
        field(14, "zero_threshold", "zeroThreshold", Kind::Double),
    ],
);

static BUCKETS: Message = Message::new(
    Role::Plain,
    &[
        word(1, "offset", Kind::Sint32),
        field(2, "bucket_counts", "bucketCounts", Kind::Uint64).repeated(),
    ],
);

static SUMMARY_POINT: Message = Message::new(
    Role::Item,
    &[
        start_time(2),
        time(3),
        word(4, "count", Kind::Fixed64),
        word(5, "sum", Kind::Double),
        list(6, "quantile_values", "quantileValues", &QUANTILE),
        attributes(7),
        word(8, "flags", Kind::Uint32),
    ],
);

static QUANTILE: Message = Message::new(
    Role::Plain,
    &[
        word(1, "quantile", Kind::Double),
        word(2, "value", Kind::Double),
    ],
);

static EXEMPLAR: Message = Message::new(
    Role::Plain,
    &[
        time(2),
        field(3, "as_double", "asDouble", Kind::Double).oneof(),
        span_id(4),
        trace_id(5),
        field(6, "as_int", "asInt", Kind::Sfixed64).oneof(),
        list(7, "filtered_attributes", "filteredAttributes", &KEY_VALUE),
    ],
);
