//! One configuration over another: maps merge, everything else is replaced.

use super::tree::{Node, Value};

/// Lays `over` on `base`. A map in both is merged key by key; a list, a scalar or a null in `over`
/// replaces what `base` has. Keys keep the order in which they first appear. An empty `over`
/// changes nothing, because an empty file says nothing.
pub(crate) fn merge(base: Node, over: Node) -> Node {
    if over.value == Value::Null {
        return base;
    }
    merge_value(base, over)
}

fn merge_value(mut base: Node, over: Node) -> Node {
    let (Value::Map(entries), Value::Map(over_entries)) = (&mut base.value, over.value.clone())
    else {
        return over;
    };
    for over_entry in over_entries {
        match entries.iter_mut().find(|entry| entry.key == over_entry.key) {
            Some(entry) => {
                let below = std::mem::replace(
                    &mut entry.value,
                    Node::new(Value::Null, over_entry.key_place.clone()),
                );
                if !matches!(
                    (&below.value, &over_entry.value.value),
                    (Value::Map(_), Value::Map(_))
                ) {
                    entry.key_place = over_entry.key_place;
                }
                entry.value = merge_value(below, over_entry.value);
            }
            None => entries.push(over_entry),
        }
    }
    base
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::tree::node;
    use super::*;

    fn merged(base: &str, over: &str) -> Node {
        merge(node(base), node(over))
    }

    #[test]
    fn maps_merge_and_everything_else_is_replaced() {
        for (base, over, result) in [
            ("a: 1", "b: 2", "{a: 1, b: 2}"),
            ("a: {x: 1, y: 2}", "a: {y: 3}", "a: {x: 1, y: 3}"),
            ("a: [1, 2]", "a: [3]", "a: [3]"),
            ("a: {x: 1}", "a: 5", "a: 5"),
            ("a: 5", "a: {x: 1}", "a: {x: 1}"),
            ("a: {x: 1}", "a:", "a:"),
            ("a: {x: 1}", "a: {}", "a: {x: 1}"),
            ("a: 1", "", "a: 1"),
            ("", "a: 1", "a: 1"),
        ] {
            assert_eq!(merged(base, over), node(result), "{base:?} under {over:?}");
        }
    }

    #[test]
    fn a_value_keeps_the_place_it_was_last_written_at() {
        let base = node("a: {x: 1, y: 2}");
        let over = node("\n\na: {y: 3}");
        let tree = merge(base, over);
        let place = |path: [&str; 2]| tree.find(path).0.place.to_string();
        assert_eq!(place(["a", "x"]), "test.yaml:1:8");
        assert_eq!(place(["a", "y"]), "test.yaml:3:8");
        assert_eq!(
            tree.find(["a", "y"]).1.unwrap().to_string(),
            "test.yaml:3:5"
        );
    }

    /// Small trees as YAML text with few keys, so that they often collide.
    fn yaml() -> impl Strategy<Value = String> {
        let leaf = prop_oneof![
            Just("~".to_owned()),
            (0..9_u8).prop_map(|n| n.to_string()),
            Just("[1, 2]".to_owned()),
            Just("{}".to_owned()),
        ];
        leaf.prop_recursive(3, 24, 4, |inner| {
            prop::collection::btree_map("[abc]", inner, 1..4).prop_map(|map| {
                let entries: Vec<String> = map
                    .iter()
                    .map(|(key, value)| format!("{key}: {value}"))
                    .collect();
                format!("{{{}}}", entries.join(", "))
            })
        })
    }

    /// Whether `tree` says everything that `over` says.
    fn holds(tree: &Node, over: &Node) -> bool {
        match (&tree.value, &over.value) {
            (_, Value::Map(entries)) => entries.iter().all(|entry| {
                tree.get(&entry.key)
                    .is_some_and(|found| holds(&found.value, &entry.value))
            }),
            (tree, over) => tree == over,
        }
    }

    proptest! {
        #[test]
        fn merging_with_nothing_changes_nothing(text in yaml()) {
            let tree = node(&text);
            let empty = node("");
            prop_assert_eq!(merge(tree.clone(), empty.clone()), tree.clone());
            prop_assert_eq!(merge(empty, tree.clone()), tree);
        }

        #[test]
        fn the_right_side_wins(base in yaml(), over in yaml()) {
            let over = node(&over);
            prop_assume!(over.value != Value::Null);
            let tree = merge(node(&base), over.clone());
            prop_assert!(holds(&tree, &over));
        }

        #[test]
        fn merging_twice_is_merging_once(base in yaml(), over in yaml()) {
            let once = merge(node(&base), node(&over));
            prop_assert_eq!(merge(once.clone(), node(&over)), once);
        }
    }
}
