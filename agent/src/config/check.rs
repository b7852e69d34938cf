//! Whether everything in a configuration fits together, and the settings when it does.

mod listen;

use super::diagnostic::{Diagnostic, listing, nearest, suggestion};
use super::id::{ComponentId, Kind};
use super::model::{Declared, Drawn, File, Reference};
use super::place::Place;
use super::upstream;
use super::{Catalog, Component, Family, Options, Pipeline, Settings, Type};

use listen::Listeners;

/// Decodes every component and checks every reference. What cannot be used is left out of the
/// result and reported, so the result may be relied on only where no error was.
pub(crate) fn check<C: Catalog>(file: &File, diagnostics: &mut Vec<Diagnostic>) -> Settings<C> {
    let mut checker = Checker {
        file,
        diagnostics,
        used: vec![false; file.components.len()],
        known: file.components.iter().map(is_known::<C>).collect(),
        listeners: Listeners::default(),
    };
    let extensions_enabled = checker.enabled_extensions();
    let pipelines: Vec<Pipeline> = file
        .pipelines
        .iter()
        .map(|drawn| checker.pipeline::<C>(drawn))
        .collect();
    let settings = Settings {
        receivers: checker.family(Kind::Receiver),
        processors: checker.family(Kind::Processor),
        exporters: checker.family(Kind::Exporter),
        extensions: in_order(checker.family(Kind::Extension), &extensions_enabled),
        pipelines,
        telemetry: file.telemetry.clone(),
    };
    checker.connectors();
    checker.telemetry();
    let conflicts = checker.listeners.conflicts();
    checker.diagnostics.extend(conflicts);
    checker.unused();
    settings
}

/// Extensions that start come first, in the order of `service::extensions`.
fn in_order<F>(mut extensions: Vec<Component<F>>, enabled: &[ComponentId]) -> Vec<Component<F>> {
    let position = |id: &ComponentId| enabled.iter().position(|enabled| enabled == id);
    extensions.sort_by_key(|extension| position(&extension.id).unwrap_or(usize::MAX));
    extensions
}

struct Checker<'a> {
    file: &'a File,
    diagnostics: &'a mut Vec<Diagnostic>,
    /// For each declared component, whether something names it.
    used: Vec<bool>,
    /// For each declared component, whether there is its type.
    known: Vec<bool>,
    listeners: Listeners,
}

impl Checker<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    fn enabled_extensions(&mut self) -> Vec<ComponentId> {
        let file = self.file;
        file.extensions
            .iter()
            .filter_map(|reference| {
                let declared = self.resolve(Kind::Extension, reference, "service::extensions")?;
                Some(declared.id.clone())
            })
            .collect()
    }

    fn pipeline<C: Catalog>(&mut self, drawn: &Drawn) -> Pipeline {
        for (section, references) in [
            (Kind::Receiver, &drawn.receivers),
            (Kind::Exporter, &drawn.exporters),
        ] {
            if references.is_empty() && drawn.is_whole {
                self.report(
                    Diagnostic::error(
                        Some(drawn.place.clone()),
                        format!("{}: the pipeline has no {section}", drawn.path),
                    )
                    .note("a pipeline needs at least one receiver and one exporter"),
                );
            }
        }
        Pipeline {
            signal: drawn.signal,
            name: drawn.name.clone(),
            receivers: self.members::<C::Receiver>(Kind::Receiver, &drawn.receivers, drawn),
            processors: self.members::<C::Processor>(Kind::Processor, &drawn.processors, drawn),
            exporters: self.members::<C::Exporter>(Kind::Exporter, &drawn.exporters, drawn),
        }
    }

    /// Resolves the members of one list of a pipeline, each once.
    fn members<F: Family>(
        &mut self,
        kind: Kind,
        references: &[Reference],
        drawn: &Drawn,
    ) -> Vec<ComponentId> {
        let mut members: Vec<ComponentId> = Vec::new();
        for reference in references {
            let Some(declared) = self.resolve(kind, reference, &drawn.path) else {
                continue;
            };
            let (id, type_name) = (declared.id.clone(), declared.type_name.clone());
            if members.contains(&id) {
                self.report(Diagnostic::error(
                    Some(reference.place.clone()),
                    format!("{}: the {kind} `{id}` is listed twice", drawn.path),
                ));
                continue;
            }
            if let Some(of_type) = find_type::<F>(&type_name)
                && !of_type.signals.contains(&drawn.signal)
            {
                let carried: Vec<&str> = of_type
                    .signals
                    .iter()
                    .map(|signal| signal.as_str())
                    .collect();
                self.report(Diagnostic::error(
                    Some(reference.place.clone()),
                    format!(
                        "{}: the {kind} `{id}` carries only {}",
                        drawn.path,
                        carried.join(" and ")
                    ),
                ));
            }
            members.push(id);
        }
        members
    }

    /// The component that `reference` means; marks it as used.
    fn resolve(&mut self, kind: Kind, reference: &Reference, path: &str) -> Option<&Declared> {
        let Some(position) = self.file.position(kind, &reference.id) else {
            if !self.is_told(kind, &reference.id) {
                let diagnostic = self.not_configured(kind, &reference.id, path);
                self.report(diagnostic.at(&reference.place));
            }
            return None;
        };
        if let Some(used) = self.used.get_mut(position) {
            *used = true;
        }
        self.file.components.get(position)
    }

    /// Whether the id is that of a component whose own type is misspelt, which is told already.
    fn is_told(&self, kind: Kind, id: &ComponentId) -> bool {
        let declared = self.file.components.iter().zip(&self.known);
        let misspelt: Vec<String> = declared
            .filter(|(declared, known)| declared.kind == kind && !**known)
            .map(|(declared, _)| declared.typed.to_string())
            .collect();
        nearest(&id.to_string(), misspelt.iter().map(String::as_str)).is_some()
    }

    fn not_configured(&self, kind: Kind, id: &ComponentId, path: &str) -> Diagnostic {
        let typed = id.to_string();
        let names: Vec<String> = self
            .of_kind(kind)
            .map(|declared| declared.typed.to_string())
            .collect();
        let names = || names.iter().map(String::as_str);
        let elsewhere = Kind::ALL
            .into_iter()
            .filter(|other| *other != kind)
            .find(|other| self.file.find(*other, id).is_some())
            .map_or_else(String::new, |other| {
                format!("`{typed}` is configured as {}", other.with_article())
            });
        let message = format!("{path}: the {kind} `{typed}` is not configured");
        Diagnostic::error(None, message)
            .note(suggestion(&typed, names()))
            .note(elsewhere)
            .note(listing(&format!("configured {}", kind.section()), names()))
            .note(if self.of_kind(kind).next().is_none() {
                format!("declare it under `{}`", kind.section())
            } else {
                String::new()
            })
    }

    fn of_kind(&self, kind: Kind) -> impl Iterator<Item = &Declared> {
        self.file
            .components
            .iter()
            .filter(move |declared| declared.kind == kind)
    }

    /// All components of one kind, decoded and checked.
    fn family<F: Family>(&mut self, kind: Kind) -> Vec<Component<F>> {
        let file = self.file;
        let mut components = Vec::new();
        for (at, declared) in file.components.iter().enumerate() {
            if declared.kind != kind {
                continue;
            }
            let is_used = self.used.get(at).copied().unwrap_or_default();
            match F::decode(&declared.type_name, &declared.body) {
                None => self.report(unknown_type(declared, F::TYPES)),
                Some(Err(mistake)) => {
                    self.report(mistake.into_diagnostic(&declared.path(), &declared.place));
                }
                Some(Ok(config)) => {
                    self.options(declared, config.options(), is_used);
                    components.push(Component {
                        id: declared.id.clone(),
                        config,
                        is_used,
                    });
                }
            }
        }
        components
    }

    fn options(&mut self, declared: &Declared, options: &dyn Options, is_used: bool) {
        if let Err(problem) = options.check() {
            let (path, place) = locate(declared, &problem.key_path);
            let message = hide(declared, &problem.key_path, &problem.message);
            self.report(
                Diagnostic::error(Some(place), format!("{path}: {message}")).note(problem.hint),
            );
        }
        for used in options.extensions() {
            self.extension_use(declared, &used.key_path, &used.id);
        }
        if is_used {
            for listen in options.listens() {
                let (path, place) = locate(declared, &listen.key_path);
                self.listeners.add(&listen, path, place);
            }
        }
    }

    fn extension_use(&mut self, declared: &Declared, key_path: &str, id: &ComponentId) {
        let (path, place) = locate(declared, key_path);
        let Some(extension) = self.file.find(Kind::Extension, id) else {
            let diagnostic = self.not_configured(Kind::Extension, id, &path);
            self.report(diagnostic.at(&place));
            return;
        };
        let is_enabled = self
            .file
            .extensions
            .iter()
            .any(|enabled| enabled.id.clone().canonical(Kind::Extension) == extension.id);
        if !is_enabled {
            self.report(
                Diagnostic::error(
                    Some(place),
                    format!("{path}: the extension `{id}` is not enabled"),
                )
                .note(format!("add `{id}` to service::extensions")),
            );
        }
    }

    fn connectors(&mut self) {
        let file = self.file;
        for declared in file.components.iter() {
            if declared.kind == Kind::Connector {
                self.report(unknown_type(declared, &[]));
            }
        }
    }

    fn telemetry(&mut self) {
        const PATH: &str = "service::telemetry";
        let Some(entry) = &self.file.telemetry_entry else {
            for listen in self.file.telemetry.metrics_addresses() {
                self.listeners
                    .reserve(&listen, format!("{PATH}::metrics, by default"));
            }
            return;
        };
        for listen in self.file.telemetry.metrics_addresses() {
            let (node, key) = entry.value.find(listen.key_path.split("::"));
            let place = key.map_or_else(|| node.place.clone(), Clone::clone);
            self.listeners
                .add(&listen, format!("{PATH}::{}", listen.key_path), place);
        }
        for (key_path, reason) in self.file.telemetry.without_effect() {
            let (_, key) = entry.value.find(key_path.split("::"));
            let place = key.unwrap_or(&entry.key_place).clone();
            let message = format!("{PATH}::{key_path} has no effect: {reason}");
            self.report(Diagnostic::warning(Some(place), message));
        }
        if let Some(address) = entry.value.find(["metrics", "address"]).1
            && self.file.telemetry.metrics.address.is_some()
        {
            self.report(
                Diagnostic::warning(
                    Some(address.clone()),
                    format!("{PATH}::metrics::address is an old way to write a reader"),
                )
                .note("it is read as a pull reader; newer files write `readers`"),
            );
        }
    }

    /// Warns of what is declared and not used, unless there are errors: a reference that could not
    /// be read may be the use.
    fn unused(&mut self) {
        if self.diagnostics.iter().any(Diagnostic::is_error) {
            return;
        }
        let file = self.file;
        for (at, declared) in file.components.iter().enumerate() {
            if self.used.get(at).copied().unwrap_or_default() || declared.kind == Kind::Connector {
                continue;
            }
            let (kind, id) = (declared.kind, &declared.typed);
            let message = match kind {
                Kind::Extension => {
                    format!(
                        "the extension `{id}` does not start: service::extensions does not list it"
                    )
                }
                _ => format!("the {kind} `{id}` is configured, but no pipeline uses it"),
            };
            self.report(Diagnostic::warning(Some(declared.place.clone()), message));
        }
    }
}

/// The full key path of a value of a component, and its place: that of a scalar or a list item, and
/// otherwise of the nearest key.
fn locate(declared: &Declared, key_path: &str) -> (String, Place) {
    if key_path.is_empty() {
        return (declared.path(), declared.place.clone());
    }
    let keys: Vec<&str> = key_path.split("::").collect();
    let (node, key_place) = declared.body.find(keys.iter().copied());
    let is_item = keys.last().is_some_and(|key| key.parse::<usize>().is_ok());
    let is_written = declared.body.has(keys) && !node.is_null();
    let place = match key_place {
        Some(_) if is_written && (is_item || node.text().is_some()) => &node.place,
        Some(key_place) => key_place,
        None => &declared.place,
    };
    (format!("{}::{key_path}", declared.path()), place.clone())
}

/// The message with the reference in place of a value that came from outside the file.
fn hide(declared: &Declared, key_path: &str, message: &str) -> String {
    let (node, _) = declared.body.find(key_path.split("::"));
    match (&node.written, node.text()) {
        (Some(written), Some(text)) => super::decode::hidden(message, text, &written.reference),
        _ => message.to_owned(),
    }
}

fn is_known<C: Catalog>(declared: &Declared) -> bool {
    let type_name = &declared.type_name;
    match declared.kind {
        Kind::Receiver => find_type::<C::Receiver>(type_name).is_some(),
        Kind::Processor => find_type::<C::Processor>(type_name).is_some(),
        Kind::Exporter => find_type::<C::Exporter>(type_name).is_some(),
        Kind::Extension => find_type::<C::Extension>(type_name).is_some(),
        Kind::Connector => false,
    }
}

fn find_type<F: Family>(type_name: &str) -> Option<&'static Type> {
    F::TYPES.iter().find(|of_type| of_type.name == type_name)
}

fn unknown_type(declared: &Declared, types: &'static [Type]) -> Diagnostic {
    let (kind, typed) = (declared.kind, declared.typed.type_name());
    let names = || types.iter().map(|of_type| of_type.name);
    let message = if upstream::has(kind, &declared.type_name) {
        format!("`{typed}` is an OpenTelemetry Collector {kind} that Skybridge does not support")
    } else {
        format!("there is no {kind} of type `{typed}`")
    };
    Diagnostic::error(Some(declared.place.clone()), message)
        .note(suggestion(typed, names()))
        .note(listing(&format!("supported {}", kind.section()), names()))
}
