use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::config::tree::{Node, Value, Written, node};
use crate::config::values::{ByteSize, Interval, Secret};

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Config {
    endpoint: String,
    port: u16,
    ratio: f64,
    is_on: bool,
    timeout: Interval,
    size: ByteSize,
    mode: Mode,
    include: Vec<String>,
    headers: BTreeMap<String, String>,
    block: Option<Block>,
    limit: Option<u32>,
    names: Option<String>,
    reader: Option<Reader>,
    any: serde_json::Value,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            endpoint: "localhost:1".to_owned(),
            port: 7,
            ratio: 0.5,
            is_on: true,
            timeout: Interval::from_secs(5),
            size: ByteSize(10),
            mode: Mode::Fast,
            include: vec!["x".to_owned()],
            headers: BTreeMap::new(),
            block: None,
            limit: Some(3),
            names: None,
            reader: None,
            any: serde_json::Value::Null,
        }
    }
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Mode {
    Fast,
    Slow,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reader {
    Pull(Block),
    Push { to: String },
}

#[derive(Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
struct Block {
    depth: u8,
    inner: Option<Box<Block>>,
    list: Vec<Required>,
}

#[derive(Debug, PartialEq, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct Required {
    key: String,
}

fn decode(yaml: &str) -> Config {
    let tree = node(yaml);
    tree.decode()
        .unwrap_or_else(|mistake| panic!("{yaml}: {mistake}"))
}

/// The message, without its excerpt, that `yaml` gets.
fn message(yaml: &str) -> String {
    let tree = node(yaml);
    let mistake = tree.decode::<Config>().expect_err(yaml);
    let shown = mistake.into_diagnostic("x", &tree.place).to_string();
    let kept = |line: &&str| {
        !line
            .trim_start()
            .starts_with(|c: char| c == '|' || c.is_ascii_digit())
    };
    let lines: Vec<&str> = shown.lines().filter(kept).collect();
    lines.join("\n")
}

#[test]
fn an_empty_body_is_all_defaults() {
    assert_eq!(decode(""), Config::default());
    assert_eq!(decode("{}"), Config::default());
}

#[test]
fn text_keeps_the_letters_it_was_written_with() {
    for text in ["0123", "1.20", "true", "1e3", "0xff", "yes", "127.0.0.1:80"] {
        assert_eq!(decode(&format!("endpoint: {text}")).endpoint, text);
    }
}

#[test]
fn values_with_units_are_read() {
    let config = decode("{ timeout: 1h30m, size: 16KiB, ratio: 2, port: 0x10, mode: slow }");
    assert_eq!(config.timeout, Interval::from_secs(5_400));
    assert_eq!(config.size, ByteSize(16 << 10));
    assert_eq!(
        (config.ratio, config.port, config.mode),
        (2.0, 16, Mode::Slow)
    );
    assert_eq!(decode("size: 1048576").size, ByteSize(1 << 20));
}

#[test]
fn a_block_that_is_present_but_empty_is_on_with_its_defaults() {
    assert_eq!(decode("block:").block, Some(Block::default()));
    assert_eq!(decode("block: {}").block, Some(Block::default()));
    let nested = decode("block: { inner: }").block.unwrap();
    assert_eq!(nested.inner, Some(Box::default()));
    assert_eq!(decode("mode: fast").block, None);
}

#[test]
fn a_null_where_a_value_belongs_is_as_if_not_written() {
    for key in [
        "endpoint", "port", "ratio", "is_on", "timeout", "size", "mode", "include", "headers",
        "limit", "names", "any",
    ] {
        assert_eq!(decode(&format!("{key}:")), Config::default(), "{key}");
    }
    assert_eq!(
        message("block: { list: [{ key: }] }"),
        "test.yaml:1:17: x::block::list::0: the key `key` is missing"
    );
    assert_eq!(
        message("include: [a, ~]"),
        "test.yaml:1:14: x::include::1: a value is missing"
    );
}

#[test]
fn variants_are_words_or_one_key() {
    let pull = decode("reader: { pull: { depth: 2 } }").reader.unwrap();
    assert!(matches!(pull, Reader::Pull(Block { depth: 2, .. })));
    let push = decode("reader: { push: { to: x } }").reader.unwrap();
    assert_eq!(push, Reader::Push { to: "x".to_owned() });
    assert_eq!(
        decode("reader: { pull: }").reader.unwrap(),
        Reader::Pull(Block::default())
    );
}

#[test]
fn free_form_values_are_typed_by_the_core_schema() {
    let any = decode("any: [1, 2.5, yes, true, '1', {a: }]").any;
    assert_eq!(
        any,
        serde_json::json!([1, 2.5, "yes", true, "1", { "a": null }])
    );
}

#[test]
fn each_mistake_says_where_what_and_what_to_write() {
    for (yaml, said) in [
        (
            "endpont: x",
            "test.yaml:1:1: unknown key `endpont` in x\n  = did you mean `endpoint`?\n  = allowed \
             keys: any, block, endpoint, headers, include, is_on, limit, mode, names, port, ratio, \
             reader, size, timeout",
        ),
        (
            "block: { inner: { dept: 1 } }",
            "test.yaml:1:19: unknown key `dept` in x::block::inner\n  = did you mean `depth`?\n  \
             = allowed keys: depth, inner, list",
        ),
        (
            "port: many",
            "test.yaml:1:7: x::port: expected a whole number from 0 to 65535, found `many`",
        ),
        (
            "port: 70000",
            "test.yaml:1:7: x::port: expected a whole number from 0 to 65535, found `70000`",
        ),
        (
            "port: -1",
            "test.yaml:1:7: x::port: expected a whole number from 0 to 65535, found `-1`",
        ),
        (
            "port: '80'",
            "test.yaml:1:7: x::port: expected a whole number from 0 to 65535, found the text \
             `80`\n  = leave out the quotes",
        ),
        (
            "port: 0123",
            "test.yaml:1:7: x::port: expected a whole number from 0 to 65535, found `0123`",
        ),
        (
            "is_on: yes",
            "test.yaml:1:8: x::is_on: expected true or false, found `yes`\n  = write true",
        ),
        (
            "include: /var/log",
            "test.yaml:1:10: x::include: expected a list, found `/var/log`\n  = a list of one \
             item is written in brackets: [item]",
        ),
        (
            "endpoint: [a]",
            "test.yaml:1:11: x::endpoint: expected text, found a list",
        ),
        (
            "block: 5",
            "test.yaml:1:8: x::block: expected a block of keys, found `5`",
        ),
        (
            "timeout: 5",
            "test.yaml:1:10: x::timeout: the duration `5` has no unit; write 5s for seconds",
        ),
        (
            "timeout: [1s]",
            "test.yaml:1:10: x::timeout: expected a duration such as 10s or 1h30m, found a list",
        ),
        (
            "mode: fst",
            "test.yaml:1:7: x::mode: `fst` is not a choice\n  = did you mean `fast`?\n  = \
             choices: fast, slow",
        ),
        (
            "mode: [fast]",
            "test.yaml:1:7: x::mode: expected one choice, found a list\n  = choices: fast, slow",
        ),
        (
            "reader: { pull: , push: }",
            "test.yaml:1:9: x::reader: expected one choice, found a block of keys\n  = choices: \
             pull, push",
        ),
        (
            "reader: { push: {} }",
            "test.yaml:1:11: x::reader::push: the key `to` is missing",
        ),
        (
            "headers: { a: { b: c } }",
            "test.yaml:1:15: x::headers::a: expected text, found a block of keys",
        ),
        (
            "- a",
            "test.yaml:1:1: x: expected a block of keys, found a list",
        ),
    ] {
        assert_eq!(message(yaml), said, "{yaml}");
    }
}

/// The scalar at `key`, as if it had come from `${env:X}` holding `text`.
fn substituted(key: &str, text: &str) -> Node {
    let mut tree = node(&format!("{key}: {}", "${env:X}"));
    if let Value::Map(entries) = &mut tree.value
        && let Some(entry) = entries.first_mut()
        && let Value::Scalar(scalar) = &mut entry.value.value
    {
        scalar.text = text.to_owned();
        entry.value.written = Some(Written {
            reference: "${env:X}".to_owned(),
            text: Some(text.to_owned()),
        });
    }
    tree
}

#[test]
fn a_value_from_outside_the_file_is_not_shown() {
    for (key, said) in [
        (
            "port",
            "x::port: expected a whole number from 0 to 65535, found the value of `${env:X}`",
        ),
        (
            "timeout",
            "x::timeout: `${env:X}` is not a duration; write for example 1h30m or 200ms",
        ),
        ("mode", "x::mode: `${env:X}` is not a choice"),
        (
            "include",
            "x::include: expected a list, found the value of `${env:X}`",
        ),
    ] {
        let tree = substituted(key, "hunter2");
        let mistake = tree.decode::<Config>().unwrap_err();
        let shown = mistake.into_diagnostic("x", &tree.place).to_string();
        assert!(shown.contains(said), "{shown}");
        assert!(!shown.contains("hunter2"), "{shown}");
    }
    let shown = substituted("timeout", "5").decode::<Config>().unwrap_err();
    assert_eq!(
        shown.to_string(),
        "the duration `${env:X}` has no unit; write 5s for seconds"
    );
}

#[test]
fn a_secret_is_text() {
    #[derive(Deserialize)]
    struct Login {
        password: Secret,
    }
    let login: Login = node("password: 0123").decode().unwrap();
    assert_eq!(login.password.expose(), "0123");
}
