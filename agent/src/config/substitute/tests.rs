use std::collections::BTreeMap;
use std::io;

use proptest::prelude::*;

use super::super::tree::node;
use super::*;

/// Variables and files of a test.
#[derive(Default)]
struct Fake {
    variables: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
}

impl Fake {
    fn new(variables: &[(&str, &str)], files: &[(&str, &str)]) -> Self {
        let owned = |pairs: &[(&str, &str)]| {
            let pairs = pairs
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
            pairs.collect()
        };
        Self {
            variables: owned(variables),
            files: owned(files),
        }
    }
}

impl World for Fake {
    fn variable(&self, name: &str) -> Result<String, VarError> {
        self.variables
            .get(name)
            .cloned()
            .ok_or(VarError::NotPresent)
    }

    fn read(&self, path: &Path) -> io::Result<String> {
        let path = path.to_string_lossy();
        self.files
            .get(path.as_ref())
            .cloned()
            .ok_or_else(|| io::Error::new(io::ErrorKind::NotFound, "No such file"))
    }
}

fn world() -> Fake {
    Fake::new(
        &[
            ("A", "one"),
            ("B", "two"),
            ("WHICH", "A"),
            ("NUMBER", "5432"),
            ("ZERO_LED", "0123"),
            ("HEX", "0xdeadbeef"),
            ("QUOTED", "\"0123\""),
            ("T", "t"),
            ("TRUE", "true"),
            ("NULL", "null"),
            ("EMPTY", ""),
            ("LIST", "[a, b]"),
            ("MAP", "{x: 1}"),
            ("LINES", "a\nb: [\n"),
            ("DOLLARS", "pa$$w$rd"),
            ("POINTER", "<${env:A}>"),
            ("SELF", "x${env:SELF}"),
            ("PING", "${env:PONG}"),
            ("PONG", "${env:PING}"),
        ],
        &[
            ("part.yaml", "x: ${env:A}\ny: [1]\n"),
            ("password", "hunter2\n"),
        ],
    )
}

/// The value of `v` after substitution, with the messages that came of it.
fn substituted(value: &str) -> (Node, Vec<String>) {
    let mut tree = node(&format!("v: {value}"));
    let mut diagnostics = Vec::new();
    substitute(&mut tree, &world(), &mut diagnostics);
    let first_lines = diagnostics.iter().map(|diagnostic| {
        diagnostic
            .to_string()
            .lines()
            .next()
            .unwrap_or_default()
            .to_owned()
    });
    let messages = first_lines.collect();
    (tree.get("v").unwrap().value.clone(), messages)
}

#[test]
fn references_become_their_values() {
    for (value, text) in [
        ("${env:A}", "one"),
        ("${A}", "one"),
        ("\"${env:A}\"", "one"),
        ("'${env:A}'", "one"),
        ("http://${env:A}:${env:NUMBER}/${B}", "http://one:5432/two"),
        ("${env:A}${env:B}", "onetwo"),
        ("${env:A}:${env:B}", "one:two"),
        ("${env:${env:WHICH}}", "one"),
        ("${env:NONE:-default}", "default"),
        ("${NONE:-default}", "default"),
        ("${env:NONE:-}", ""),
        ("${env:A:-default}", "one"),
        ("${env:EMPTY:-default}", ""),
        ("${env:NONE:-${env:B}}", "two"),
        ("${env:NONE:-a:-b}", "a:-b"),
        ("${env:NONE:-http://x:1}", "http://x:1"),
        ("${yaml:a}", "a"),
        ("${file:password}", "hunter2"),
        ("<${file:password}>", "<hunter2>"),
        ("$A", "$A"),
        ("$1", "$1"),
        ("a$", "a$"),
        ("$${env:A}", "${env:A}"),
        ("$$${env:A}", "$one"),
        ("$$$${env:A}", "$${env:A}"),
        ("a$$b", "a$b"),
        ("$$", "$"),
        ("$${1}", "${1}"),
        ("${env:DOLLARS}", "pa$$w$rd"),
        ("${env:POINTER}", "<one>"),
        ("${env:LINES}", "a\nb: [\n"),
        ("${env:ZERO_LED}", "0123"),
        ("${env:QUOTED}", "\"0123\""),
    ] {
        let (node, messages) = substituted(value);
        assert_eq!(node.text(), Some(text), "{value}");
        assert_eq!(messages, Vec::<String>::new(), "{value}");
    }
}

#[test]
fn the_field_decides_what_a_whole_reference_means() {
    let read = |value: &str| substituted(value).0;
    for (value, number) in [
        ("${env:NUMBER}", 5432),
        ("${env:HEX}", 0xdead_beef),
        ("'${NUMBER}'", 5432),
    ] {
        assert_eq!(read(value).decode::<u64>().unwrap(), number);
    }
    assert_eq!(read("${env:NUMBER}").decode::<String>().unwrap(), "5432");
    assert_eq!(read("${env:HEX}").decode::<String>().unwrap(), "0xdeadbeef");
    assert_eq!(read("${env:NULL}").decode::<String>().unwrap(), "null");
    assert_eq!(read("${env:EMPTY}").decode::<String>().unwrap(), "");
    assert!(read("${env:TRUE}").decode::<bool>().unwrap());
    assert!(read("${env:T}").decode::<bool>().is_err());
    assert!(read("${env:NUMBER}").decode::<bool>().is_err());
    assert!(read("${env:ZERO_LED}").decode::<u64>().is_err());
    assert!(read("${env:QUOTED}").decode::<u64>().is_err());
    assert_eq!(
        read("${env:LIST}").decode::<Vec<String>>().unwrap(),
        ["a", "b"]
    );
    assert_eq!(read("${env:LIST}").decode::<String>().unwrap(), "[a, b]");
    let map: BTreeMap<String, u8> = read("${env:MAP}").decode().unwrap();
    assert_eq!(map["x"], 1);
    assert_eq!(read("5${env:NUMBER}").decode::<String>().unwrap(), "55432");
    assert!(read("5${env:NUMBER}").decode::<u64>().is_err());
    assert!(read("${env:NULL}").is_null());
}

#[test]
fn a_file_may_hold_a_part_of_the_configuration() {
    let (part, messages) = substituted("${file:part.yaml}");
    assert_eq!(part, node("{x: one, y: [1]}"));
    assert_eq!(messages, Vec::<String>::new());
    assert_eq!(part.find(["y"]).0.place.to_string(), "part.yaml:2:4");
}

#[test]
fn a_reference_is_remembered_for_printing() {
    let written = |value| {
        substituted(value)
            .0
            .written
            .map(|written| written.reference)
    };
    assert_eq!(written("${env:A}").as_deref(), Some("${env:A}"));
    assert_eq!(written("x${env:A}").as_deref(), Some("x${env:A}"));
    assert_eq!(written("a$$b"), None);
    assert_eq!(written("ab"), None);
}

#[test]
fn what_cannot_be_replaced_is_told_with_its_place() {
    for (value, said) in [
        (
            "${env:NONE}",
            "test.yaml:1:4: warning: the environment variable `NONE` is not set; nothing is put in \
             its place",
        ),
        (
            "a-${NONE}",
            "test.yaml:1:4: warning: the environment variable `NONE` is not set; nothing is put in \
             its place",
        ),
        (
            "${1}",
            "test.yaml:1:4: `${1}` does not name an environment variable",
        ),
        (
            "${env:}",
            "test.yaml:1:4: `${env:}` does not name an environment variable",
        ),
        (
            "${env:A-B}",
            "test.yaml:1:4: `${env:A-B}` does not name an environment variable",
        ),
        (
            "${}",
            "test.yaml:1:4: `${}` does not name an environment variable",
        ),
        ("a ${env:A", "test.yaml:1:4: `${` has no closing `}`"),
        (
            "${file:none}",
            "test.yaml:1:4: cannot read the file `none`: there is no such file",
        ),
        (
            "${https://x/y}",
            "test.yaml:1:4: `${https://x/y}`: configuration is not fetched over the network",
        ),
        (
            "${s3:x}",
            "test.yaml:1:4: `${s3:x}`: `s3:` is not a way to name configuration",
        ),
        (
            "${env:SELF}",
            "test.yaml:1:4: the references in this value lead to ever more references",
        ),
        (
            "${env:PING}",
            "test.yaml:1:4: the references in this value lead to ever more references",
        ),
    ] {
        let (node, messages) = substituted(value);
        assert_eq!(messages, [said], "{value}");
        assert!(node.is_null() || value.starts_with('a'), "{value}");
    }
}

#[test]
fn keys_are_not_substituted() {
    let mut tree = node("${env:A}: 1");
    substitute(&mut tree, &world(), &mut Vec::new());
    assert!(tree.get("${env:A}").is_some());
}

/// A text and what it must become, built side by side.
fn template() -> impl Strategy<Value = (String, String)> {
    let piece = prop_oneof![
        "[a-z ]{1,4}".prop_map(|text| (text.clone(), text)),
        Just(("$$".to_owned(), "$".to_owned())),
        Just(("${env:A}".to_owned(), "one".to_owned())),
        Just(("${B}".to_owned(), "two".to_owned())),
        Just(("${env:${env:WHICH}}".to_owned(), "one".to_owned())),
        "[a-z:-]{0,5}".prop_map(|text| (format!("${{NONE:-{text}}}"), text)),
        "[a-z]{1,3}".prop_map(|text| (format!("$${{{text}}}"), format!("${{{text}}}"))),
    ];
    prop::collection::vec(piece, 0..6).prop_map(|pieces| {
        let (written, meant): (Vec<String>, Vec<String>) = pieces.into_iter().unzip();
        (written.concat(), meant.concat())
    })
}

fn expand(text: &str) -> Result<String, Diagnostic> {
    let place = node("x").place;
    let world = world();
    let mut substitution = Substitution {
        world: &world,
        diagnostics: &mut Vec::new(),
        references: 0,
    };
    substitution.join(&pieces(text, &place)?, &place, 0)
}

proptest! {
    #[test]
    fn a_template_becomes_what_its_pieces_mean((written, meant) in template()) {
        prop_assert_eq!(expand(&written).unwrap(), meant);
    }

    #[test]
    fn a_text_without_dollars_is_itself(text in "[^$]*") {
        prop_assert_eq!(expand(&text).unwrap(), text);
    }

    #[test]
    fn doubling_every_dollar_keeps_a_text(text in any::<String>()) {
        prop_assert_eq!(expand(&text.replace('$', "$$")).unwrap(), text);
    }

    #[test]
    fn no_text_is_too_strange(text in "[${}:a1-]{0,24}") {
        let _ = expand(&text);
    }
}
