//! The walk from a request to points: the fast half of translation.

use std::sync::Arc;

use otlp::common::Resource;
use otlp::metrics::{
    Data, Exemplar, ExponentialHistogramPoint, HistogramPoint, Metric, Number, NumberPoint,
    Request, SummaryPoint, Temporality,
};

use super::identity::{Cache, Key, Weigh};
use super::name::{Ending, family_name};
use super::native::{self, Native};
use super::render::{Origin, Renderer, TARGET_INFO};
use super::unit::UnitWords;
use super::{
    Drops, Family, Kind, ORDINARY_NAN, PlacedExemplar, Point, Reason, STALE_NAN, Series, Settings,
    Sink, Value,
};

/// Bit of a point's flags: the series ends here.
const NO_RECORDED_VALUE: u32 = 1;

/// What the Prometheus receiver says of a metric that it scraped.
const PROMETHEUS_TYPE: &str = "prometheus.type";

/// Part of the cache's bytes for families and for resources each; the rest is for series.
const SMALL_SHARE: usize = 16;

/// Turns requests into points, remembering the series that it has seen.
#[derive(Debug)]
pub(crate) struct Translator {
    renderer: Renderer,
    series: Cache<Result<Known, Reason>>,
    families: Cache<Option<Arc<Family>>>,
    resources: Cache<Option<Target>>,
    target_info: Arc<Family>,
    values: Vec<f64>,
    bounds: Vec<f64>,
    identity: Vec<u8>,
    native: Native,
}

/// A series, and what was told of it.
#[derive(Debug)]
struct Known {
    series: Series,
    /// Time of the newest exemplar told. SDKs repeat exemplars in every export, and a back end
    /// takes them in order of time only.
    exemplar_unix_nano: u64,
}

/// The `target_info` of a resource, and when it was told last: it must not go back in time, which
/// the points of a resource may.
#[derive(Debug)]
struct Target {
    series: Series,
    told_ms: i64,
}

impl Weigh for Result<Known, Reason> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |known| known.series.blocks.len())
    }
}

impl Weigh for Option<Arc<Family>> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |family| {
            size_of::<Family>() + family.name.len() + family.unit.len()
        })
    }
}

impl Weigh for Option<Target> {
    fn heap_bytes(&self) -> usize {
        self.as_ref().map_or(0, |target| target.series.blocks.len())
    }
}

/// What the points of one metric share.
#[derive(Debug)]
struct Context<'a> {
    origin: &'a Origin<'a>,
    key: Key,
    family: Arc<Family>,
    help: &'a str,
}

/// What a walk brings back.
#[derive(Debug, Default)]
struct Tally {
    drops: Drops,
    newest_unix_nano: u64,
}

impl Translator {
    pub(crate) fn new(settings: Settings) -> Self {
        let small = settings.cache_bytes / SMALL_SHARE;
        Self {
            series: Cache::new(settings.cache_bytes - 2 * small),
            families: Cache::new(small),
            resources: Cache::new(small),
            renderer: Renderer::new(settings),
            target_info: Arc::new(Family {
                name: TARGET_INFO.to_owned(),
                kind: Kind::Info,
                unit: String::new(),
            }),
            values: Vec::new(),
            bounds: Vec::new(),
            identity: Vec::new(),
            native: Native::default(),
        }
    }

    /// Hands every point of the encoded `request` to `sink`, and tells which were none.
    pub(crate) fn translate(&mut self, request: &[u8], sink: &mut impl Sink) -> Drops {
        let mut tally = Tally::default();
        for of_resource in Request::new(request).resource_metrics() {
            let resource_key = Key::of(of_resource.resource_bytes());
            tally.newest_unix_nano = 0;
            for of_scope in of_resource.scope_metrics() {
                let origin = Origin {
                    resource: of_resource.resource(),
                    scope: of_scope.scope(),
                    schema_url: of_scope.schema_url(),
                };
                let scope_key = if self.renderer.settings().has_scope_labels {
                    let key = resource_key.child(of_scope.scope_bytes());
                    key.child(origin.schema_url.as_bytes())
                } else {
                    resource_key
                };
                for metric in of_scope.metrics() {
                    self.metric(&origin, scope_key, &metric, &mut tally, sink);
                }
            }
            if tally.newest_unix_nano > 0 {
                let at_ms = millis(tally.newest_unix_nano);
                self.target(of_resource.resource(), resource_key, at_ms, sink);
            }
        }
        tally.drops
    }

    fn metric<'a>(
        &mut self,
        origin: &Origin<'a>,
        scope_key: Key,
        metric: &Metric<'a>,
        tally: &mut Tally,
        sink: &mut impl Sink,
    ) {
        let data = metric.data();
        let drop_all = |reason, tally: &mut Tally| tally.drops.add(reason, count_points(&data));
        if let Some(reason) = unfit_temporality(&data) {
            return drop_all(reason, tally);
        }
        let scraped = metric.metadata().get(PROMETHEUS_TYPE);
        let scraped = scraped.and_then(|value| match value {
            otlp::common::Value::Str(text) => Some(text),
            _ => None,
        });
        let kind = kind_of(&data, scraped);
        let family_key = Key::of(metric.name().as_bytes())
            .child(metric.unit().as_bytes())
            .child(&[
                kind as u8,
                u8::from(scraped.is_some()),
                ending_of(&data, metric.unit()) as u8,
            ]);
        let settings = self.renderer.settings();
        let family = self.families.get_or_insert_with(family_key, || {
            family_of(settings, metric, kind, scraped.is_some())
        });
        let Some(family) = family else {
            return drop_all(Reason::InvalidName, tally);
        };
        let context = Context {
            origin,
            key: scope_key.join(family_key),
            family: Arc::clone(family),
            help: metric.description(),
        };
        self.points(&context, &data, tally, sink);
    }

    fn points<'a>(
        &mut self,
        context: &Context<'a>,
        data: &Data<'a>,
        tally: &mut Tally,
        sink: &mut impl Sink,
    ) {
        let mut exemplars = Vec::new();
        let mut tell = |result: Result<u64, Reason>| match result {
            Ok(time) => tally.newest_unix_nano = tally.newest_unix_nano.max(time),
            Err(reason) => tally.drops.add(reason, 1),
        };
        match data {
            Data::Empty => {}
            Data::Gauge(points) | Data::Sum { points, .. } => {
                for point in *points {
                    tell(self.number(context, &point, &mut exemplars, sink));
                }
            }
            Data::Histogram { points, .. } => {
                for point in *points {
                    tell(self.histogram(context, &point, &mut exemplars, sink));
                }
            }
            Data::ExponentialHistogram { points, .. } => {
                for point in *points {
                    tell(self.exponential(context, &point, &mut exemplars, sink));
                }
            }
            Data::Summary { points } => {
                for point in *points {
                    tell(self.summary(context, &point, sink));
                }
            }
        }
    }

    fn number<'a>(
        &mut self,
        context: &Context<'a>,
        point: &NumberPoint<'a>,
        exemplars: &mut Vec<PlacedExemplar<'a>>,
        sink: &mut impl Sink,
    ) -> Result<u64, Reason> {
        let value = match (point.flags & NO_RECORDED_VALUE, number(point.value)) {
            (NO_RECORDED_VALUE, _) => f64::from_bits(STALE_NAN),
            (_, Some(value)) => value,
            (_, None) => return Err(Reason::NoValue),
        };
        let key = context.key.child(point.attributes_bytes());
        let renderer = &mut self.renderer;
        let known = known(self.series.get_or_insert_with(key, || {
            renderer
                .single(context.origin, &context.family, point.attributes())
                .map(Known::new)
        }))?;
        exemplars.clear();
        if context.family.kind == Kind::Counter {
            known.place_exemplars(point.exemplars(), &[], point.time_unix_nano, exemplars);
        }
        let is_told = sink.point(&Point {
            family: &context.family,
            help: context.help,
            series: &known.series,
            value: Value::Floats(&[value]),
            is_item: true,
            timestamp_ms: millis(point.time_unix_nano),
            start_ms: start_ms(context.family.kind, point.start_time_unix_nano),
            exemplars,
        });
        Ok(known.told(is_told, point.time_unix_nano, exemplars))
    }

    fn histogram<'a>(
        &mut self,
        context: &Context<'a>,
        point: &HistogramPoint<'a>,
        exemplars: &mut Vec<PlacedExemplar<'a>>,
        sink: &mut impl Sink,
    ) -> Result<u64, Reason> {
        let is_stale = point.flags & NO_RECORDED_VALUE != 0;
        let has_sum = point.sum.is_some() || is_stale;
        self.bounds.clear();
        self.bounds.extend(point.explicit_bounds());
        self.fill_histogram_values(point, is_stale)?;
        self.identity.clear();
        self.identity.push(u8::from(has_sum));
        put_floats(&mut self.identity, &self.bounds);
        let key = context.key.child(point.attributes_bytes());
        let key = key.child(&self.identity);
        let (renderer, bounds) = (&mut self.renderer, &self.bounds);
        let known = known(self.series.get_or_insert_with(key, || {
            let (origin, family) = (context.origin, &context.family);
            renderer
                .histogram(origin, family, point.attributes(), bounds, has_sum)
                .map(Known::new)
        }))?;
        known.place_exemplars(point.exemplars(), bounds, point.time_unix_nano, exemplars);
        let is_told = sink.point(&Point {
            family: &context.family,
            help: context.help,
            series: &known.series,
            value: Value::Floats(&self.values),
            is_item: true,
            timestamp_ms: millis(point.time_unix_nano),
            start_ms: start_ms(context.family.kind, point.start_time_unix_nano),
            exemplars,
        });
        Ok(known.told(is_told, point.time_unix_nano, exemplars))
    }

    /// Running sums for the buckets, the total for `+Inf`, the sum, the total as count.
    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
    fn fill_histogram_values(
        &mut self,
        point: &HistogramPoint<'_>,
        is_stale: bool,
    ) -> Result<(), Reason> {
        self.values.clear();
        if is_stale {
            let series = self.bounds.len() + 3;
            self.values.resize(series, f64::from_bits(STALE_NAN));
            return Ok(());
        }
        let mut running = 0_u64;
        for count in point.bucket_counts() {
            running = running
                .checked_add(count)
                .ok_or(Reason::MalformedHistogram)?;
            self.values.push(running as f64);
        }
        let is_bare = self.values.is_empty() && self.bounds.is_empty();
        let fits = self.values.len() == self.bounds.len() + 1 && running == point.count;
        if !is_bare && !fits {
            return Err(Reason::MalformedHistogram);
        }
        self.values.truncate(self.bounds.len());
        self.values.push(point.count as f64);
        self.values.extend(point.sum.map(ordinary));
        self.values.push(point.count as f64);
        Ok(())
    }

    fn exponential<'a>(
        &mut self,
        context: &Context<'a>,
        point: &ExponentialHistogramPoint<'a>,
        exemplars: &mut Vec<PlacedExemplar<'a>>,
        sink: &mut impl Sink,
    ) -> Result<u64, Reason> {
        if point.flags & NO_RECORDED_VALUE != 0 {
            self.native.make_stale();
        } else {
            self.native.fill(
                native::Summary {
                    count: point.count,
                    sum: point.sum.map(ordinary),
                    scale: point.scale,
                    zero_count: point.zero_count,
                    zero_threshold: point.zero_threshold,
                },
                (point.positive.offset, point.positive.bucket_counts()),
                (point.negative.offset, point.negative.bucket_counts()),
            )?;
        }
        let key = context.key.child(point.attributes_bytes());
        let renderer = &mut self.renderer;
        let known = known(self.series.get_or_insert_with(key, || {
            renderer
                .single(context.origin, &context.family, point.attributes())
                .map(Known::new)
        }))?;
        known.place_exemplars(point.exemplars(), &[], point.time_unix_nano, exemplars);
        let is_told = sink.point(&Point {
            family: &context.family,
            help: context.help,
            series: &known.series,
            value: Value::Native(&self.native),
            is_item: true,
            timestamp_ms: millis(point.time_unix_nano),
            start_ms: start_ms(context.family.kind, point.start_time_unix_nano),
            exemplars,
        });
        Ok(known.told(is_told, point.time_unix_nano, exemplars))
    }

    #[expect(clippy::cast_precision_loss, reason = "Prometheus counts in floats")]
    fn summary<'a>(
        &mut self,
        context: &Context<'a>,
        point: &SummaryPoint<'a>,
        sink: &mut impl Sink,
    ) -> Result<u64, Reason> {
        self.values.clear();
        self.bounds.clear();
        for quantile in point.quantiles() {
            self.bounds.push(quantile.quantile);
            self.values.push(ordinary(quantile.value));
        }
        self.values.push(ordinary(point.sum));
        self.values.push(point.count as f64);
        if point.flags & NO_RECORDED_VALUE != 0 {
            self.values.fill(f64::from_bits(STALE_NAN));
        }
        self.identity.clear();
        put_floats(&mut self.identity, &self.bounds);
        let key = context.key.child(point.attributes_bytes());
        let key = key.child(&self.identity);
        let (renderer, quantiles) = (&mut self.renderer, &self.bounds);
        let known = known(self.series.get_or_insert_with(key, || {
            renderer
                .summary(
                    context.origin,
                    &context.family,
                    point.attributes(),
                    quantiles,
                )
                .map(Known::new)
        }))?;
        let is_told = sink.point(&Point {
            family: &context.family,
            help: context.help,
            series: &known.series,
            value: Value::Floats(&self.values),
            is_item: true,
            timestamp_ms: millis(point.time_unix_nano),
            start_ms: start_ms(context.family.kind, point.start_time_unix_nano),
            exemplars: &[],
        });
        Ok(known.told(is_told, point.time_unix_nano, &[]))
    }

    /// Tells the resource beside its points.
    fn target(&mut self, resource: Resource<'_>, key: Key, at_ms: i64, sink: &mut impl Sink) {
        if !self.renderer.settings().has_target_info {
            return;
        }
        let renderer = &mut self.renderer;
        let target = self.resources.get_or_insert_with(key, || {
            let series = renderer.target_info(resource)?;
            Some(Target { series, told_ms: 0 })
        });
        let Some(target) = target.as_mut().filter(|target| target.told_ms <= at_ms) else {
            return;
        };
        let is_told = sink.point(&Point {
            family: &self.target_info,
            help: "Target metadata",
            series: &target.series,
            value: Value::Floats(&[1.0]),
            is_item: false,
            timestamp_ms: at_ms,
            start_ms: 0,
            exemplars: &[],
        });
        if is_told {
            target.told_ms = at_ms;
        }
    }
}

impl Known {
    fn new(series: Series) -> Self {
        Self {
            series,
            exemplar_unix_nano: 0,
        }
    }

    /// Collects the newest exemplar of each bucket among those that are not older than what was
    /// told already. Those of the same time are told again, which a back end ignores, so that a
    /// request that is tried again has them too. An exemplar cannot be newer than its point.
    fn place_exemplars<'a>(
        &self,
        exemplars: impl Iterator<Item = Exemplar<'a>>,
        bounds: &[f64],
        point_unix_nano: u64,
        placed: &mut Vec<PlacedExemplar<'a>>,
    ) {
        placed.clear();
        let times = self.exemplar_unix_nano.max(1)..=point_unix_nano;
        for exemplar in exemplars.filter(|exemplar| times.contains(&exemplar.time_unix_nano)) {
            let Some(value) = number(exemplar.value) else {
                continue;
            };
            let position = bounds.partition_point(|bound| *bound < value);
            match placed.iter_mut().find(|other| other.position == position) {
                Some(other) if other.exemplar.time_unix_nano <= exemplar.time_unix_nano => {
                    other.exemplar = exemplar;
                }
                Some(_) => {}
                None => placed.push(PlacedExemplar { position, exemplar }),
            }
        }
    }

    /// Takes note of what was told; returns the time of the point, or 0 where it was not.
    fn told(&mut self, is_told: bool, time: u64, exemplars: &[PlacedExemplar<'_>]) -> u64 {
        if !is_told {
            return 0;
        }
        for placed in exemplars {
            let newest = self.exemplar_unix_nano.max(placed.exemplar.time_unix_nano);
            self.exemplar_unix_nano = newest;
        }
        time
    }
}

fn known(entry: &mut Result<Known, Reason>) -> Result<&mut Known, Reason> {
    entry.as_mut().map_err(|reason| *reason)
}

fn family_of(
    settings: &Settings,
    metric: &Metric<'_>,
    kind: Kind,
    is_scraped: bool,
) -> Option<Arc<Family>> {
    let (name, unit) = (metric.name(), metric.unit());
    // A scraped metric has been named by Prometheus' rules, and keeps its name.
    let strategy = if is_scraped {
        settings.strategy.without_suffixes()
    } else {
        settings.strategy
    };
    let name = family_name(
        strategy,
        &settings.namespace,
        name,
        unit,
        ending_of(&metric.data(), unit),
    )?;
    Some(Arc::new(Family {
        name,
        kind,
        unit: UnitWords::of(unit, true).joined(),
    }))
}

fn ending_of(data: &Data<'_>, unit: &str) -> Ending {
    match data {
        Data::Sum {
            monotonic: true, ..
        } => Ending::Total,
        Data::Gauge(_) if unit == "1" => Ending::Ratio,
        _ => Ending::Unit,
    }
}

fn kind_of(data: &Data<'_>, scraped: Option<&str>) -> Kind {
    match data {
        Data::Sum {
            monotonic: true, ..
        } => Kind::Counter,
        Data::Histogram { .. } => Kind::Histogram,
        Data::ExponentialHistogram { .. } => Kind::NativeHistogram,
        Data::Summary { .. } => Kind::Summary,
        Data::Gauge(_) | Data::Sum { .. } | Data::Empty => match scraped {
            Some("info") => Kind::Info,
            Some("stateset") => Kind::StateSet,
            Some("unknown") => Kind::Unknown,
            _ => Kind::Gauge,
        },
    }
}

/// Why the points of a metric cannot be added up, if so.
fn unfit_temporality(data: &Data<'_>) -> Option<Reason> {
    match data {
        Data::Sum { temporality, .. }
        | Data::Histogram { temporality, .. }
        | Data::ExponentialHistogram { temporality, .. } => match temporality {
            Temporality::Cumulative => None,
            Temporality::Delta => Some(Reason::DeltaTemporality),
            Temporality::Unspecified => Some(Reason::NoTemporality),
        },
        Data::Empty | Data::Gauge(_) | Data::Summary { .. } => None,
    }
}

fn count_points(data: &Data<'_>) -> u32 {
    let count = match data {
        Data::Empty => 0,
        Data::Gauge(points) | Data::Sum { points, .. } => points.count(),
        Data::Histogram { points, .. } => points.count(),
        Data::ExponentialHistogram { points, .. } => points.count(),
        Data::Summary { points } => points.count(),
    };
    u32::try_from(count).unwrap_or(u32::MAX)
}

#[expect(clippy::cast_precision_loss, reason = "Prometheus has floats only")]
pub(crate) fn number(value: Number) -> Option<f64> {
    match value {
        Number::None => None,
        Number::Int(value) => Some(value as f64),
        Number::Double(value) => Some(ordinary(value)),
    }
}

/// The value, unless it is a NaN that could be taken for the end of the series.
fn ordinary(value: f64) -> f64 {
    if value.is_nan() {
        f64::from_bits(ORDINARY_NAN)
    } else {
        value
    }
}

fn put_floats(out: &mut Vec<u8>, floats: &[f64]) {
    for float in floats {
        out.extend_from_slice(&float.to_le_bytes());
    }
}

/// Milliseconds of a time in nanoseconds.
pub(crate) fn millis(unix_nano: u64) -> i64 {
    // 2^64 ns are fewer milliseconds than an i64 holds.
    i64::try_from(unix_nano / 1_000_000).unwrap_or(i64::MAX)
}

/// Start time of types that add up; a start in the first millisecond of 1970 must not look unset.
fn start_ms(kind: Kind, start_unix_nano: u64) -> i64 {
    let adds_up = matches!(
        kind,
        Kind::Counter | Kind::Histogram | Kind::NativeHistogram | Kind::Summary
    );
    if adds_up && start_unix_nano > 0 {
        millis(start_unix_nano).max(1)
    } else {
        0
    }
}
