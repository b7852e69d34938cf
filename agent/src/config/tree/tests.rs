use super::*;

/// The tree as one line, for comparison.
fn shown(node: &Node) -> String {
    match &node.value {
        Value::Null => "~".to_owned(),
        Value::Scalar(scalar) if scalar.is_plain => scalar.text.clone(),
        Value::Scalar(scalar) => format!("{:?}", scalar.text),
        Value::List(items) => {
            let items: Vec<String> = items.iter().map(shown).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Map(entries) => {
            let entries: Vec<String> = entries
                .iter()
                .map(|entry| format!("{}: {}", entry.key, shown(&entry.value)))
                .collect();
            format!("{{{}}}", entries.join(", "))
        }
    }
}

fn refusal(yaml: &str) -> String {
    let source = Arc::new(Source {
        name: "test.yaml".to_owned(),
        text: yaml.to_owned(),
    });
    let error = parse(&source).expect_err(yaml);
    error.to_string().lines().next().unwrap().to_owned()
}

#[test]
fn yaml_becomes_a_tree_that_keeps_the_text_of_scalars() {
    for (yaml, tree) in [
        ("", "~"),
        ("# only a comment", "~"),
        ("---\na: 1\n", "{a: 1}"),
        ("\u{feff}a: 1\n", "{a: 1}"),
        ("a: 1\r\nb:\r\n  c: 2\r\n", "{a: 1, b: {c: 2}}"),
        (
            "a: 0123\nb: '0123'\nc: \"x\\ty\"",
            "{a: 0123, b: \"0123\", c: \"x\\ty\"}",
        ),
        (
            "a:\nb: ~\nc: null\nd: 'null'",
            "{a: ~, b: ~, c: ~, d: \"null\"}",
        ),
        ("a: |\n  x\n  y\n", "{a: \"x\\ny\\n\"}"),
        ("a: !!str 5", "{a: \"5\"}"),
        ("a: !!int 5", "{a: 5}"),
        ("[a, {b: c}, ]", "[a, {b: c}]"),
        (
            "a: ${env:X}\nb: ${env:X:-[1, 2]}",
            "{a: ${env:X}, b: ${env:X:-[1, 2]}}",
        ),
        ("a: b # comment", "{a: b}"),
    ] {
        assert_eq!(shown(&node(yaml)), tree, "{yaml:?}");
    }
}

#[test]
fn anchors_aliases_and_merge_keys_are_resolved() {
    for (yaml, tree) in [
        ("a: &x [1]\nb: *x", "{a: [1], b: [1]}"),
        (
            "a: &x {p: 1, q: 2}\nb:\n  <<: *x\n  q: 3",
            "{a: {p: 1, q: 2}, b: {q: 3, p: 1}}",
        ),
        (
            "a: &x {p: 1}\nb: &y {p: 2, q: 2}\nc: {<<: [*x, *y], r: 3}",
            "{a: {p: 1}, b: {p: 2, q: 2}, c: {r: 3, p: 1, q: 2}}",
        ),
    ] {
        assert_eq!(shown(&node(yaml)), tree, "{yaml:?}");
    }
}

#[test]
fn keys_and_values_know_their_place() {
    let tree = node("a:\n  grpc:\n  'q': \"x\"\n  list: [1,\n    2]\n");
    let a = tree.get("a").unwrap();
    assert_eq!(a.key_place.to_string(), "test.yaml:1:1");
    let place = |key: &str| {
        let entry = a.value.get(key).unwrap();
        (entry.key_place.to_string(), entry.value.place.to_string())
    };
    assert_eq!(place("grpc").0, "test.yaml:2:3");
    assert_eq!(
        place("q"),
        ("test.yaml:3:3".to_owned(), "test.yaml:3:8".to_owned())
    );
    assert_eq!(place("list").1, "test.yaml:4:9");
    let (second, _) = a.value.find(["list", "1"]);
    assert_eq!(second.place.to_string(), "test.yaml:5:5");
    let (nearest, key) = tree.find(["a", "q", "missing"]);
    assert_eq!(shown(nearest), "\"x\"");
    assert_eq!(key.unwrap().to_string(), "test.yaml:3:3");
}

#[test]
fn what_is_not_a_tree_is_refused_with_its_place() {
    for (yaml, said) in [
        (
            "a: 1\nb: 2\na: 3",
            "test.yaml:3:1: the key `a` is given twice",
        ),
        (
            "a:\n\tb: 1",
            "test.yaml:2:1: a tab indents this line; YAML takes spaces only",
        ),
        (
            "a:\n  b: 1\n\tc: 2",
            "test.yaml:3:1: a tab indents this line; YAML takes spaces only",
        ),
        (
            "a:\n  - b\n\t- c",
            "test.yaml:3:1: a tab indents this line; YAML takes spaces only",
        ),
        (
            "a:\n  b: 1\n \tc: 2",
            "test.yaml:3:2: a tab indents this line; YAML takes spaces only",
        ),
        (
            "a: *x",
            "test.yaml:1:4: this alias has no anchor: no `&name` comes before it",
        ),
        (
            "a: &x [*x]",
            "test.yaml:1:8: this alias refers to a value that contains it",
        ),
        (
            "a: 1\n---\nb: 2",
            "test.yaml:3:1: a second YAML document begins here",
        ),
        ("[a]: 1", "test.yaml:1:1: a key must be a plain word"),
        (": 1", "test.yaml:1:1: a key is missing before this `:`"),
        (
            "a: !thing 1",
            "test.yaml:1:11: the tag `!thing` is not known",
        ),
        (
            "a: {<<: 5}",
            "test.yaml:1:5: `<<` merges only mappings, such as `<<: *defaults`",
        ),
    ] {
        assert_eq!(refusal(yaml), said, "{yaml:?}");
    }
}

#[test]
fn a_small_file_cannot_become_a_large_tree() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let inner = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!("a{level}: &a{level} [{inner}]\n"));
    }
    assert!(refusal(&bomb).ends_with("the file holds more than 100000 values"));
    let deep = "[".repeat(5_000);
    assert!(refusal(&deep).ends_with("the file is nested more than 100 levels deep"));
}
