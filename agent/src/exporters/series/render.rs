//! Label sets of new series: the slow half of translation, done once for each series.

use std::fmt::Write;
use std::sync::Arc;

use otlp::common::{Attributes, Resource, Scope, Value};

use super::identity::Key;
use super::label::{LabelBuilder, LabelStyle, NAME, write_label_float};
use super::{Family, Reason, Series, Settings};

/// Resource attributes that `job` and `instance` are made of, and that `target_info` leaves out.
const SERVICE_NAME: &str = "service.name";
const SERVICE_NAMESPACE: &str = "service.namespace";
const SERVICE_INSTANCE: &str = "service.instance.id";

/// Name of the series that tells a resource.
pub(crate) const TARGET_INFO: &str = "target_info";

/// Where points come from.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Origin<'a> {
    /// Who produced them.
    pub(crate) resource: Resource<'a>,
    /// What in there made them.
    pub(crate) scope: Scope<'a>,
    /// Schema of the scope.
    pub(crate) schema_url: &'a str,
}

/// Renders label sets.
#[derive(Debug)]
pub(crate) struct Renderer {
    settings: Settings,
    labels: LabelBuilder,
    float: String,
}

impl Renderer {
    pub(crate) fn new(settings: Settings) -> Self {
        Self {
            settings,
            labels: LabelBuilder::default(),
            float: String::new(),
        }
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The series of a number, or of a native histogram.
    pub(crate) fn single(
        &mut self,
        origin: &Origin<'_>,
        family: &Family,
        attributes: Attributes<'_>,
    ) -> Result<Series, Reason> {
        self.base(origin, attributes)?;
        let (identity, block) = self.identity(&family.name);
        let mut blocks = Vec::new();
        put_block(&mut blocks, &block);
        Ok(series(identity, &blocks))
    }

    /// The series of a histogram: one for each of `bounds`, `+Inf`, the sum, the count.
    pub(crate) fn histogram(
        &mut self,
        origin: &Origin<'_>,
        family: &Family,
        attributes: Attributes<'_>,
        bounds: &[f64],
        has_sum: bool,
    ) -> Result<Series, Reason> {
        let ascends = bounds.is_sorted_by(|left, right| left < right);
        if !ascends || bounds.iter().any(|bound| !bound.is_finite()) {
            return Err(Reason::MalformedHistogram);
        }
        self.base(origin, attributes)?;
        let (identity, _) = self.identity(&family.name);
        let mut blocks = Vec::new();
        let bucket = format!("{}_bucket", family.name);
        for bound in bounds.iter().chain([&f64::INFINITY]) {
            self.block(&mut blocks, &bucket, Some(("le", *bound)));
        }
        if has_sum {
            self.block(&mut blocks, &format!("{}_sum", family.name), None);
        }
        self.block(&mut blocks, &format!("{}_count", family.name), None);
        Ok(series(identity, &blocks))
    }

    /// The series of a summary: one for each of `quantiles`, the sum, the count.
    pub(crate) fn summary(
        &mut self,
        origin: &Origin<'_>,
        family: &Family,
        attributes: Attributes<'_>,
        quantiles: &[f64],
    ) -> Result<Series, Reason> {
        let mut ascending = quantiles.to_vec();
        ascending.sort_by(f64::total_cmp);
        let is_unique = ascending.is_sorted_by(|left, right| left < right);
        if !is_unique || quantiles.iter().any(|quantile| quantile.is_nan()) {
            return Err(Reason::MalformedSummary);
        }
        self.base(origin, attributes)?;
        let (identity, _) = self.identity(&family.name);
        let mut blocks = Vec::new();
        for quantile in quantiles {
            self.block(&mut blocks, &family.name, Some(("quantile", *quantile)));
        }
        self.block(&mut blocks, &format!("{}_sum", family.name), None);
        self.block(&mut blocks, &format!("{}_count", family.name), None);
        Ok(series(identity, &blocks))
    }

    /// The series that tells `resource`, or `None` where it has no identity or nothing to tell.
    /// Its identity is the resource's, so that of two with one job and instance one can be chosen.
    pub(crate) fn target_info(&mut self, resource: Resource<'_>) -> Option<Series> {
        self.labels.clear();
        self.add_identity(resource);
        if self.labels.len() == 0 {
            return None;
        }
        let (identity, _) = self.identity(TARGET_INFO);
        let known = self.labels.len();
        let style = self.style();
        for attribute in resource.attributes() {
            if !is_identifying(attribute.key) {
                let value = |out: &mut String| write_value(attribute.value, out);
                self.labels.add_attribute("", attribute.key, style, value);
            }
        }
        if self.labels.len() == known {
            return None;
        }
        self.add_configured();
        let mut blocks = Vec::new();
        self.block(&mut blocks, TARGET_INFO, None);
        Some(series(identity, &blocks))
    }

    /// Starts a label set with everything but the name.
    fn base(&mut self, origin: &Origin<'_>, attributes: Attributes<'_>) -> Result<(), Reason> {
        self.labels.clear();
        self.add_identity(origin.resource);
        self.add_attributes("", attributes, |_| false)?;
        if self.settings.has_resource_labels {
            self.add_attributes("", origin.resource.attributes(), |_| false)?;
        }
        if self.settings.has_scope_labels {
            let scope = origin.scope;
            self.labels.add("otel_scope_name", scope.name());
            self.labels.add("otel_scope_version", scope.version());
            self.labels.add("otel_scope_schema_url", origin.schema_url);
            let is_own = |key: &str| matches!(key, "name" | "version" | "schema_url");
            self.add_attributes("otel_scope_", scope.attributes(), is_own)?;
        }
        self.add_configured();
        Ok(())
    }

    fn add_attributes(
        &mut self,
        prefix: &str,
        attributes: Attributes<'_>,
        is_left_out: impl Fn(&str) -> bool,
    ) -> Result<(), Reason> {
        let style = self.style();
        for attribute in attributes {
            if is_left_out(attribute.key) {
                continue;
            }
            let value = |out: &mut String| write_value(attribute.value, out);
            if !self
                .labels
                .add_attribute(prefix, attribute.key, style, value)
            {
                return Err(Reason::InvalidLabel);
            }
        }
        Ok(())
    }

    /// `job` and `instance`, from what names a service.
    fn add_identity(&mut self, resource: Resource<'_>) {
        let (mut name, mut namespace, mut instance) = (None, None, None);
        for attribute in resource.attributes() {
            match attribute.key {
                SERVICE_NAME => name = Some(attribute.value),
                SERVICE_NAMESPACE => namespace = Some(attribute.value),
                SERVICE_INSTANCE => instance = Some(attribute.value),
                _ => {}
            }
        }
        let text = |value: Option<Value<'_>>| {
            let mut text = String::new();
            write_value(value.unwrap_or_default(), &mut text);
            text
        };
        let (name, namespace, instance) = (text(name), text(namespace), text(instance));
        if !name.is_empty() && !namespace.is_empty() {
            self.labels.add("job", &format!("{namespace}/{name}"));
        } else {
            self.labels.add("job", &name);
        }
        self.labels.add("instance", &instance);
    }

    fn add_configured(&mut self) {
        for (name, value) in &self.settings.labels {
            self.labels.add_if_absent(name, value);
        }
    }

    fn style(&self) -> Option<LabelStyle> {
        let settings = &self.settings;
        settings.strategy.escapes().then_some(settings.label_style)
    }

    /// The identity of the labels so far under `name`, and their encoding.
    fn identity(&mut self, name: &str) -> (Key, Vec<u8>) {
        let mark = self.labels.len();
        self.labels.add(NAME, name);
        let mut block = Vec::new();
        self.labels.encode(&mut block);
        self.labels.truncate(mark);
        (Key::of(&block), block)
    }

    /// Appends the label set of the series `name`, with one label more where there is one.
    fn block(&mut self, blocks: &mut Vec<u8>, name: &str, more: Option<(&str, f64)>) {
        let mark = self.labels.len();
        self.labels.add(NAME, name);
        if let Some((label, value)) = more {
            self.float.clear();
            write_label_float(value, &mut self.float);
            self.labels.add(label, &self.float);
        }
        let mut block = Vec::new();
        self.labels.encode(&mut block);
        put_block(blocks, &block);
        self.labels.truncate(mark);
    }
}

fn put_block(blocks: &mut Vec<u8>, block: &[u8]) {
    // A label set is smaller than the request it comes from, and that is far below 4 GiB.
    let length = u32::try_from(block.len()).unwrap_or(u32::MAX);
    blocks.extend_from_slice(&length.to_le_bytes());
    blocks.extend_from_slice(block);
}

fn series(identity: Key, blocks: &[u8]) -> Series {
    Series {
        identity,
        blocks: Arc::from(blocks),
    }
}

fn is_identifying(key: &str) -> bool {
    matches!(key, SERVICE_NAME | SERVICE_NAMESPACE | SERVICE_INSTANCE)
}

/// Text as it is, bytes as base64, everything else as JSON.
fn write_value(value: Value<'_>, out: &mut String) {
    // Writing into a String cannot fail.
    let _ = write!(out, "{value}");
}
