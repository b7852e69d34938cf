//! The shape of a configuration file: which components it declares, and which pipelines it draws.
//!
//! Options of components stay trees here; what they mean is the catalog's.

use otlp::Signal;

use super::diagnostic::{Diagnostic, listing, suggestion};
use super::id::{ComponentId, Kind, new_name};
use super::place::Place;
use super::telemetry::Telemetry;
use super::tree::{Entry, Node, Value};

/// Keys of `service`.
const SERVICE_KEYS: [&str; 3] = ["extensions", "pipelines", "telemetry"];

/// Keys of a pipeline, with the kind of component that each lists.
const PIPELINE_KEYS: [(&str, Kind); 3] = [
    ("receivers", Kind::Receiver),
    ("processors", Kind::Processor),
    ("exporters", Kind::Exporter),
];

/// A configuration file after merge and substitution.
#[derive(Clone, Debug)]
pub(crate) struct File {
    /// Components of all kinds, in the order of the file.
    pub(super) components: Vec<Declared>,
    /// `service::extensions`.
    pub(super) extensions: Vec<Reference>,
    /// `service::pipelines`.
    pub(super) pipelines: Vec<Drawn>,
    /// `service::telemetry`.
    pub(super) telemetry: Telemetry,
    /// `service::telemetry` as written, and its key.
    pub(super) telemetry_entry: Option<Entry>,
}

/// A component that the file declares.
#[derive(Clone, Debug)]
pub(super) struct Declared {
    pub(super) kind: Kind,
    /// As it was written.
    pub(super) typed: ComponentId,
    /// With the present type name, unless that id is declared beside it.
    pub(super) id: ComponentId,
    /// The present name of the type.
    pub(super) type_name: String,
    /// The id's place.
    pub(super) place: Place,
    /// Its options.
    pub(super) body: Node,
}

impl Declared {
    /// `section::id`, as messages name the component.
    pub(super) fn path(&self) -> String {
        format!("{}::{}", self.kind.section(), self.typed)
    }
}

/// The id of a component where something refers to it.
#[derive(Clone, Debug)]
pub(super) struct Reference {
    /// As it was written.
    pub(super) id: ComponentId,
    pub(super) place: Place,
}

/// A pipeline as drawn in the file.
#[derive(Clone, Debug)]
pub(super) struct Drawn {
    pub(super) signal: Signal,
    pub(super) name: Option<String>,
    /// As messages name it, such as `service::pipelines::logs/app`.
    pub(super) path: String,
    pub(super) place: Place,
    pub(super) receivers: Vec<Reference>,
    pub(super) processors: Vec<Reference>,
    pub(super) exporters: Vec<Reference>,
    /// Whether all of it could be read; when not, a missing list is no news.
    pub(super) is_whole: bool,
}

impl File {
    /// Reads the file's shape out of `root`; what cannot be read is left out and told.
    pub(crate) fn read(root: &Node, diagnostics: &mut Vec<Diagnostic>) -> Self {
        let mut reader = Reader { diagnostics };
        let mut file = Self {
            components: Vec::new(),
            extensions: Vec::new(),
            pipelines: Vec::new(),
            telemetry: Telemetry::default(),
            telemetry_entry: None,
        };
        for entry in reader.entries(root, "the configuration") {
            match Kind::ALL.iter().find(|kind| kind.section() == entry.key) {
                Some(kind) => reader.section(*kind, entry, &mut file.components),
                None if entry.key == "service" => reader.service(entry, &mut file),
                None => reader.unknown_top_level_key(entry),
            }
        }
        if !root.entries().is_empty() && root.get("service").is_none() {
            reader.report(
                Diagnostic::error(None, "the configuration has no `service`")
                    .note("`service::pipelines` says which receivers feed which exporters"),
            );
        }
        file
    }

    /// The component of `kind` that `id` means, under either spelling.
    pub(super) fn find(&self, kind: Kind, id: &ComponentId) -> Option<&Declared> {
        self.components.get(self.position(kind, id)?)
    }

    /// Where [`Self::find`] finds it in `components`.
    pub(super) fn position(&self, kind: Kind, id: &ComponentId) -> Option<usize> {
        let canonical = id.clone().canonical(kind);
        let position = |is_meant: &dyn Fn(&Declared) -> bool| {
            let mut components = self.components.iter();
            components.position(|declared| declared.kind == kind && is_meant(declared))
        };
        position(&|declared| declared.typed == *id)
            .or_else(|| position(&|declared| declared.id == canonical))
    }
}

/// Walks the tree and collects what is wrong with it.
struct Reader<'a> {
    diagnostics: &'a mut Vec<Diagnostic>,
}

impl Reader<'_> {
    fn report(&mut self, diagnostic: Diagnostic) {
        self.diagnostics.push(diagnostic);
    }

    /// The entries of a mapping; anything but a mapping or nothing is reported.
    fn entries<'n>(&mut self, node: &'n Node, what: &str) -> &'n [Entry] {
        if !node.is_null() && !matches!(node.value, Value::Map(_)) {
            self.report(Diagnostic::error(
                Some(node.place.clone()),
                format!("{what}: expected a block of keys, found {}", node.found()),
            ));
        }
        node.entries()
    }

    fn unknown_top_level_key(&mut self, entry: &Entry) {
        let keys = || {
            Kind::ALL
                .iter()
                .map(|kind| kind.section())
                .chain(["service"])
        };
        self.report(unknown_key(entry, "the configuration", keys()));
    }

    fn section(&mut self, kind: Kind, section: &Entry, components: &mut Vec<Declared>) {
        let first = components.len();
        for entry in self.entries(&section.value, kind.section()) {
            let Some(typed) = self.id(&entry.key, &entry.key_place, kind.section()) else {
                continue;
            };
            let id = typed.clone().canonical(kind);
            components.push(Declared {
                kind,
                type_name: id.type_name().to_owned(),
                id,
                typed,
                place: entry.key_place.clone(),
                body: entry.value.clone(),
            });
        }
        if let Some(declared) = components.get_mut(first..) {
            self.settle_old_names(declared);
        }
    }

    /// Notes each old type name once, and keeps apart two components that differ in nothing but
    /// the generation of their type name: a half-done migration has both.
    fn settle_old_names(&mut self, declared: &mut [Declared]) {
        let present: Vec<ComponentId> = declared
            .iter()
            .map(|component| component.typed.clone())
            .collect();
        let mut noted: Vec<String> = Vec::new();
        for component in declared {
            let old = component.typed.type_name().to_owned();
            let Some(new) = new_name(component.kind, &old) else {
                continue;
            };
            if present.contains(&component.id) {
                self.report(Diagnostic::warning(
                    Some(component.place.clone()),
                    format!(
                        "`{}` and `{}` are two {}s of one type",
                        component.typed, component.id, component.kind
                    ),
                ));
                component.id = component.typed.clone();
            } else if !noted.contains(&old) {
                self.report(
                    Diagnostic::warning(
                        Some(component.place.clone()),
                        format!("the {} type `{old}` is now called `{new}`", component.kind),
                    )
                    .note("both names are read; nothing changes but the name"),
                );
                noted.push(old);
            }
        }
    }

    fn service(&mut self, service: &Entry, file: &mut File) {
        for entry in self.entries(&service.value, "service") {
            match entry.key.as_str() {
                "extensions" => {
                    file.extensions = self.references(entry, "service::extensions");
                }
                "pipelines" => {
                    for pipeline in self.entries(&entry.value, "service::pipelines") {
                        file.pipelines.extend(self.pipeline(pipeline));
                    }
                }
                "telemetry" => self.telemetry(entry, file),
                _ => self.report(unknown_key(entry, "service", SERVICE_KEYS)),
            }
        }
        if file.pipelines.is_empty() && !self.diagnostics.iter().any(Diagnostic::is_error) {
            self.report(
                Diagnostic::error(
                    Some(service.key_place.clone()),
                    "service: there is no pipeline",
                )
                .note("`service::pipelines` says which receivers feed which exporters"),
            );
        }
    }

    fn telemetry(&mut self, entry: &Entry, file: &mut File) {
        const PATH: &str = "service::telemetry";
        match entry.value.decode::<Telemetry>() {
            Ok(telemetry) => file.telemetry = telemetry,
            Err(mistake) => self.report(mistake.into_diagnostic(PATH, &entry.key_place)),
        }
        file.telemetry_entry = Some(entry.clone());
    }

    fn pipeline(&mut self, entry: &Entry) -> Option<Drawn> {
        let id = self.id(&entry.key, &entry.key_place, "service::pipelines")?;
        let signal = self.signal(&id, &entry.key_place)?;
        let path = format!("service::pipelines::{id}");
        let mut drawn = Drawn {
            signal,
            name: id.name().map(ToOwned::to_owned),
            path: path.clone(),
            place: entry.key_place.clone(),
            receivers: Vec::new(),
            processors: Vec::new(),
            exporters: Vec::new(),
            is_whole: true,
        };
        let told = self.diagnostics.len();
        for list in self.entries(&entry.value, &path) {
            let Some((key, kind)) = PIPELINE_KEYS.iter().find(|(key, _)| *key == list.key) else {
                self.report(unknown_key(list, &path, PIPELINE_KEYS.map(|(key, _)| key)));
                continue;
            };
            let references = self.references(list, &format!("{path}::{key}"));
            match kind {
                Kind::Receiver => drawn.receivers = references,
                Kind::Processor => drawn.processors = references,
                _ => drawn.exporters = references,
            }
        }
        drawn.is_whole = self.diagnostics.len() == told;
        Some(drawn)
    }

    fn signal(&mut self, id: &ComponentId, place: &Place) -> Option<Signal> {
        let typed = id.type_name();
        let signal = Signal::ALL
            .into_iter()
            .find(|signal| signal.as_str() == typed);
        if signal.is_none() {
            let names = || Signal::ALL.iter().map(|signal| signal.as_str());
            let message = if typed == "profiles" {
                "service::pipelines: profiles are not supported".to_owned()
            } else {
                format!("service::pipelines: `{typed}` is not a signal")
            };
            self.report(
                Diagnostic::error(Some(place.clone()), message)
                    .note(suggestion(typed, names()))
                    .note(listing("signals", names())),
            );
        }
        signal
    }

    fn references(&mut self, list: &Entry, path: &str) -> Vec<Reference> {
        let items = match &list.value.value {
            Value::List(items) => items.as_slice(),
            _ if list.value.is_null() => &[],
            _ => {
                self.report(
                    Diagnostic::error(
                        Some(list.value.place.clone()),
                        format!(
                            "{path}: expected a list of ids, found {}",
                            list.value.found()
                        ),
                    )
                    .note("a list of one id is written in brackets: [id]"),
                );
                &[]
            }
        };
        items
            .iter()
            .filter_map(|item| self.reference(item, path))
            .collect()
    }

    fn reference(&mut self, item: &Node, path: &str) -> Option<Reference> {
        let Some(text) = item.text() else {
            self.report(Diagnostic::error(
                Some(item.place.clone()),
                format!("{path}: expected a component id, found {}", item.found()),
            ));
            return None;
        };
        let id = self.id(text, &item.place, path)?;
        Some(Reference {
            id,
            place: item.place.clone(),
        })
    }

    fn id(&mut self, text: &str, place: &Place, path: &str) -> Option<ComponentId> {
        match ComponentId::parse(text) {
            Ok(id) => Some(id),
            Err(reason) => {
                self.report(Diagnostic::error(
                    Some(place.clone()),
                    format!("{path}: {reason}"),
                ));
                None
            }
        }
    }
}

fn unknown_key<'a>(
    entry: &Entry,
    within: &str,
    allowed: impl IntoIterator<Item = &'a str> + Clone,
) -> Diagnostic {
    let key = &entry.key;
    Diagnostic::error(
        Some(entry.key_place.clone()),
        format!("unknown key `{key}` in {within}"),
    )
    .note(suggestion(key, allowed.clone()))
    .note(listing("allowed keys", allowed))
}
