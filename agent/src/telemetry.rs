//! Own metrics, logs and health.
//!
//! Nothing is counted here: components and the pipeline count, and this module turns what they
//! counted into exposition text when somebody asks. Names that the OpenTelemetry Collector has
//! (`otelcol_*`) are spelled as its default reader spells them and never change within a major
//! version; what only we have is called `skybridge_*` and follows the rules of Prometheus, `_total`
//! included.

pub(crate) mod families;
pub(crate) mod health;
pub(crate) mod logs;
pub(crate) mod process;
pub(crate) mod server;

use std::sync::Arc;
use std::time::Instant;

use pipeline::spool::Spool;
use pipeline::{
    Budget, CursorStats, DiskStats, PipelineStats, Reasons, ScrapeStats, Signal, clock,
};

use crate::receivers;
use families::Families;

/// Everything that counts, as far as this program runs it.
#[derive(Debug)]
pub(crate) struct Watched {
    /// When the program started.
    pub(crate) started: Instant,
    /// The process-wide byte budget.
    pub(crate) budget: Budget,
    /// Receivers that run.
    pub(crate) receivers: Vec<WatchedReceiver>,
    /// Pipelines.
    pub(crate) pipelines: Vec<WatchedPipeline>,
}

/// One receiver's counters.
#[derive(Debug)]
pub(crate) struct WatchedReceiver {
    /// Component id.
    pub(crate) id: String,
    /// What it feeds pipelines with.
    pub(crate) signals: Vec<Signal>,
    /// Its own counters.
    pub(crate) stats: Arc<receivers::Stats>,
    /// Counters of its scrape loop, where it scrapes.
    pub(crate) scrapes: Option<Arc<ScrapeStats>>,
}

/// One pipeline's counters.
#[derive(Debug)]
pub(crate) struct WatchedPipeline {
    /// Id as in the config: `logs/app`.
    pub(crate) id: String,
    /// What it carries.
    pub(crate) signal: Signal,
    /// Its spool, which knows the account of every exporter.
    pub(crate) spool: Spool,
    /// Counters of its door.
    pub(crate) stats: Arc<PipelineStats>,
}

impl Watched {
    /// All own metrics as exposition text.
    ///
    /// # Errors
    /// Only by a mistake in this module.
    pub(crate) fn exposition(&self) -> Result<String, ::prometheus::Error> {
        let mut families = Families::default();
        self.process(&mut families);
        self.receivers(&mut families);
        for pipeline in &self.pipelines {
            pipeline.write(&mut families);
        }
        families.encode()
    }

    fn process(&self, families: &mut Families) {
        let uptime = clock::monotonic()
            .duration_since(self.started)
            .as_secs_f64();
        families.counter(
            "otelcol_process_uptime",
            "Seconds since the start.",
            &[],
            uptime,
        );
        let usage = process::usage();
        families.counter(
            "otelcol_process_cpu_seconds",
            "CPU seconds used, user and system.",
            &[],
            usage.cpu_seconds,
        );
        if let Some(rss) = usage.rss_bytes {
            families.gauge(
                "otelcol_process_memory_rss",
                "Resident memory in bytes.",
                &[],
                number(rss),
            );
        }
        let used = number(self.budget.used_bytes() as u64);
        let limit = number(self.budget.limit_bytes() as u64);
        families.gauge(
            "skybridge_budget_used_bytes",
            "Telemetry held in memory.",
            &[],
            used,
        );
        families.gauge(
            "skybridge_budget_limit_bytes",
            "The most that may be held.",
            &[],
            limit,
        );
    }

    fn receivers(&self, families: &mut Families) {
        for receiver in &self.receivers {
            receiver.write(families);
            if let Some(scrapes) = &receiver.scrapes {
                write_scrapes(families, &receiver.id, scrapes);
            }
        }
    }
}

impl WatchedReceiver {
    fn write(&self, families: &mut Families) {
        for signal in &self.signals {
            let (accepted, refused, failed) = self.totals(*signal);
            for (what, help, value) in [
                ("accepted", "Items kept by every pipeline fed.", accepted),
                ("refused", "Items sent back for lack of room.", refused),
                ("failed", "Input that could not be read.", failed),
            ] {
                let name = format!("otelcol_receiver_{what}_{}", signal.items_word());
                families.counter(&name, help, &[("receiver", &self.id)], number(value));
            }
        }
    }

    /// A scraper counts in its loop, a listener in its own counters.
    fn totals(&self, signal: Signal) -> (u64, u64, u64) {
        match &self.scrapes {
            Some(scrapes) => (scrapes.scraped(), scrapes.dropped(), scrapes.failed()),
            None => self.stats.totals(signal),
        }
    }
}

fn write_scrapes(families: &mut Families, id: &str, stats: &ScrapeStats) {
    let labels = [("receiver", id)];
    for (name, help, value) in [
        (
            "otelcol_scraper_scraped_metric_points",
            "Points scraped.",
            stats.scraped(),
        ),
        (
            "otelcol_scraper_errored_metric_points",
            "Scrapes that failed.",
            stats.failed(),
        ),
        (
            "skybridge_scraper_partial_errors_total",
            "Parts that could not be read while the rest could.",
            stats.partial_errors(),
        ),
        (
            "skybridge_scraper_dropped_points_total",
            "Points dropped because the pipelines were full until the next scrape.",
            stats.dropped(),
        ),
    ] {
        families.counter(name, help, &labels, number(value));
    }
    families.gauge(
        "skybridge_scraper_last_duration_seconds",
        "How long the last scrape took.",
        &labels,
        stats.last_duration().as_secs_f64(),
    );
}

impl WatchedPipeline {
    fn write(&self, families: &mut Families) {
        let pipeline = self.id.as_str();
        let labels = [("pipeline", pipeline)];
        families.counter(
            "skybridge_pipeline_received_items_total",
            "Items that receivers brought, before processors.",
            &labels,
            number(self.stats.received()),
        );
        families.counter(
            "skybridge_pipeline_refused_items_total",
            "Items sent back; their senders still have them.",
            &labels,
            number(self.stats.refused()),
        );
        let dropped = "skybridge_pipeline_dropped_items_total";
        by_reason(
            families,
            dropped,
            "Items processors dropped.",
            &labels,
            &self.stats.dropped(),
        );
        let spool = self.spool.stats();
        families.gauge(
            "skybridge_spool_memory_bytes",
            "Bytes the spool holds in memory.",
            &labels,
            number(spool.memory_bytes),
        );
        if let Some(disk) = &spool.disk {
            write_disk(families, &labels, disk);
        }
        for cursor in &spool.cursors {
            self.write_cursor(families, cursor);
        }
    }

    fn write_cursor(&self, families: &mut Families, cursor: &CursorStats) {
        let labels = [
            ("exporter", cursor.name.as_str()),
            ("pipeline", self.id.as_str()),
        ];
        let refused = self.stats.refused();
        let tally = &cursor.tally;
        for (name, help, value) in [
            (
                "accepted",
                "Items appended to the spool for this exporter.",
                cursor.accepted,
            ),
            ("delivered", "Items the back end took.", tally.delivered),
            (
                "refused",
                "Items the pipeline sent back to their sender.",
                refused,
            ),
        ] {
            let name = format!("skybridge_exporter_{name}_items_total");
            families.counter(&name, help, &labels, number(value));
        }
        let rejected = (
            "skybridge_exporter_rejected_items_total",
            "Items the back end refused for good.",
        );
        by_reason(families, rejected.0, rejected.1, &labels, &tally.rejected);
        by_reason(
            families,
            "skybridge_exporter_dropped_items_total",
            "Items lost here.",
            &labels,
            &tally.dropped,
        );
        let age = cursor.oldest_age.unwrap_or_default().as_secs_f64();
        for (name, help, value) in [
            (
                "queued_items",
                "Items not yet settled.",
                number(cursor.queued.items),
            ),
            (
                "queued_bytes",
                "Bytes not yet settled.",
                number(cursor.queued.bytes),
            ),
            ("oldest_age_seconds", "Age of the oldest queued batch.", age),
            (
                "held",
                "1 while the back end refuses us.",
                f64::from(cursor.held.is_some()),
            ),
        ] {
            families.gauge(&format!("skybridge_exporter_{name}"), help, &labels, value);
        }
        self.write_upstream_names(families, cursor);
    }

    /// The names that dashboards made for the OpenTelemetry Collector query.
    fn write_upstream_names(&self, families: &mut Families, cursor: &CursorStats) {
        let labels = [
            ("exporter", cursor.name.as_str()),
            ("data_type", self.signal.as_str()),
        ];
        let items = self.signal.items_word();
        let failed = cursor.tally.rejected.total() + cursor.tally.dropped.total();
        families.counter(
            &format!("otelcol_exporter_sent_{items}"),
            "Items the back end took.",
            &labels,
            number(cursor.tally.delivered),
        );
        families.counter(
            &format!("otelcol_exporter_send_failed_{items}"),
            "Items that ended without being delivered.",
            &labels,
            number(failed),
        );
        families.gauge(
            "otelcol_exporter_queue_size",
            "Batches in the queue.",
            &labels,
            number(cursor.queued.records),
        );
        families.gauge(
            "otelcol_exporter_in_flight_requests",
            "Batches taken and not yet settled.",
            &labels,
            number(cursor.in_flight),
        );
    }
}

fn write_disk(families: &mut Families, labels: &[(&str, &str)], disk: &DiskStats) {
    for (name, help, value) in [
        ("disk_bytes", "Bytes in segment files.", disk.bytes),
        ("disk_segments", "Segment files.", disk.segments),
    ] {
        families.gauge(
            &format!("skybridge_spool_{name}"),
            help,
            labels,
            number(value),
        );
    }
    for (name, help, value) in [
        (
            "torn_tails",
            "Torn ends cut off; such records were never acknowledged.",
            disk.torn_tails,
        ),
        ("damaged_places", "Damaged places met.", disk.damaged_places),
        (
            "damaged_items",
            "Items inside damaged places.",
            disk.damaged_items,
        ),
        (
            "write_failures",
            "Writes or syncs that failed.",
            disk.write_failures,
        ),
    ] {
        families.counter(
            &format!("skybridge_spool_{name}_total"),
            help,
            labels,
            number(value),
        );
    }
}

fn by_reason(
    families: &mut Families,
    name: &str,
    help: &str,
    labels: &[(&str, &str)],
    reasons: &Reasons,
) {
    for (reason, items) in reasons.iter() {
        let labels: Vec<_> = labels.iter().copied().chain([("reason", reason)]).collect();
        families.counter(name, help, &labels, number(items));
    }
}

/// Counts stay exact up to 2^53, which is a million items a second for 285 years.
fn number(count: u64) -> f64 {
    count as f64
}
