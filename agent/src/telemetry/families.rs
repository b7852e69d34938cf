//! Builds exposition text from plain numbers, family by family.

use prometheus::proto::{Counter, Gauge, LabelPair, Metric, MetricFamily, MetricType};
use prometheus::{Encoder, TextEncoder};

/// Metric families in the order in which they were begun.
#[derive(Debug, Default)]
pub(crate) struct Families {
    families: Vec<MetricFamily>,
}

impl Families {
    /// Adds one sample of a counter.
    pub(crate) fn counter(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut counter = Counter::default();
        counter.set_value(value);
        let mut metric = labelled(labels);
        metric.set_counter(counter);
        self.family(name, help, MetricType::COUNTER)
            .mut_metric()
            .push(metric);
    }

    /// Adds one sample of a gauge.
    pub(crate) fn gauge(&mut self, name: &str, help: &str, labels: &[(&str, &str)], value: f64) {
        let mut gauge = Gauge::default();
        gauge.set_value(value);
        let mut metric = labelled(labels);
        metric.set_gauge(gauge);
        self.family(name, help, MetricType::GAUGE)
            .mut_metric()
            .push(metric);
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
