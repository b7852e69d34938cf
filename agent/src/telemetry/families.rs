//! Builds exposition text from plain numbers, family by family.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

/// Metric families in the order in which they were begun.
#[derive(Debug, Default)]
pub(crate) struct Families {
    families: Vec<MetricFamily>,
}

impl Families {
    /// Adds to a sample of a counter, which begins at 0: a page has a series only once.
    pub(crate) fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let metric = self.metric(name, help, MetricType::COUNTER, labels);
        let mut counter = Counter::default();
        counter.set_value(metric.get_counter().get_value() + value);
        metric.set_counter(counter);
    }

    /// Adds to a sample of a gauge, which begins at 0.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let metric = self.metric(name, help, MetricType::GAUGE, labels);
        let mut gauge = Gauge::default();
        gauge.set_value(metric.get_gauge().get_value() + value);
        metric.set_gauge(gauge);
    }

    /// Text format 0.0.4.
    ///
    /// # Errors
    /// When a family has no samples or a name that Prometheus does not take; both are mistakes here.
    pub(crate) fn encode(&self) -> Result<String, prometheus::Error> {
        let mut text = Vec::new();
        TextEncoder::new().encode(&self.families, &mut text)?;
        Ok(String::from_utf8_lossy(&text).into_owned())
    }

    /// The sample with these labels, which is 0 where there was none.
    fn metric(
        &mut self,
        name: &str,
        help: &str,
        kind: MetricType,
        labels: &[(&str, &str)],
    ) -> &mut Metric {
        let wanted = labelled(labels);
        let metrics = self.family(name, help, kind).mut_metric();
        let at = metrics
            .iter()
            .position(|known| known.get_label() == wanted.get_label());
        let at = at.unwrap_or_else(|| {
            metrics.push(wanted);
            metrics.len() - 1
        });
        &mut metrics[at]
    }

    fn family(&mut self, name: &str, help: &str, kind: MetricType) -> &mut MetricFamily {
        let at = self
            .families
            .iter()
            .position(|family| family.name() == name);
        let at = at.unwrap_or_else(|| {
            let mut family = MetricFamily::default();
            family.set_name(name.to_owned());
            family.set_help(help.to_owned());
            family.set_field_type(kind);
            self.families.push(family);
            self.families.len() - 1
        });
        &mut self.families[at]
    }
}

fn labelled(labels: &[(&str, &str)]) -> Metric {
    let pairs = labels.iter().map(|(name, value)| {
        let mut pair = LabelPair::default();
        pair.set_name((*name).to_owned());
        pair.set_value((*value).to_owned());
        pair
    });
    let mut metric = Metric::default();
    metric.set_label(pairs.collect());
    metric
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_series_is_told_once_and_adds_up() {
        let mut families = Families::default();
        for (sent, queued) in [(3.0, 1.0), (4.0, 2.0)] {
            families.counter("sent", "Items.", &[("exporter", "loki")], sent);
            families.gauge("queued", "Batches.", &[("exporter", "loki")], queued);
        }
        assert_eq!(
            families.encode().unwrap(),
            "# HELP sent Items.\n# TYPE sent counter\nsent{exporter=\"loki\"} 7\n\
             # HELP queued Batches.\n# TYPE queued gauge\nqueued{exporter=\"loki\"} 3\n"
        );
    }

    #[test]
    fn samples_of_one_name_share_one_family() {
        let mut families = Families::default();
        families.counter("a_items", "Items.", &[("exporter", "loki")], 3.0);
        families.gauge("b_bytes", "Bytes.", &[], 1.5);
        families.counter("a_items", "Items.", &[("exporter", "file")], 4.0);
        assert_eq!(
            families.encode().unwrap(),
            "# HELP a_items Items.\n# TYPE a_items counter\n\
             a_items{exporter=\"loki\"} 3\na_items{exporter=\"file\"} 4\n\
             # HELP b_bytes Bytes.\n# TYPE b_bytes gauge\nb_bytes 1.5\n"
        );
    }
}
