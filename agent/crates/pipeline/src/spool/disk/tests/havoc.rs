//! Whatever happens to the files of a spool: it opens, it ends, and its accounts balance.

use std::path::PathBuf;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Blow {
    Flip {
        at: usize,
    },
    Cut {
        at: usize,
    },
    Overwrite {
        at: usize,
        with: Vec<u8>,
    },
    Insert {
        at: usize,
        with: Vec<u8>,
    },
    Append {
        with: Vec<u8>,
    },
    Remove,
    /// Another file's content under this name.
    Swap {
        with: usize,
    },
}

fn rubbish() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300),
        prop::collection::vec(Just(0), 0..300),
        // What looks like the beginning of a record.
        prop::collection::vec(any::<u8>(), 0..300)
            .prop_map(|rest| [b"SkyR".to_vec(), rest].concat()),
    ]
}

fn blow() -> impl Strategy<Value = Blow> {
    let at = 0..1_000_usize;
    prop_oneof![
        3 => at.clone().prop_map(|at| Blow::Flip { at }),
        1 => at.clone().prop_map(|at| Blow::Cut { at }),
        1 => (at.clone(), rubbish()).prop_map(|(at, with)| Blow::Overwrite { at, with }),
        1 => (at, rubbish()).prop_map(|(at, with)| Blow::Insert { at, with }),
        1 => rubbish().prop_map(|with| Blow::Append { with }),
        1 => Just(Blow::Remove),
        1 => (0..16_usize).prop_map(|with| Blow::Swap { with }),
    ]
}

/// Segments and cursor files, not the lock.
fn files(home: &Home) -> Vec<PathBuf> {
    let names = [home.segment_names(), home.names_ending(".cursor")].concat();
    names.iter().map(|name| home.path().join(name)).collect()
}

fn strike(home: &Home, file: usize, blow: Blow) {
    let files = files(home);
    let Some(path) = files.get(file % files.len().max(1)) else {
        return;
    };
    let mut bytes = fs::read(path).unwrap();
    let len = bytes.len();
    match blow {
        Blow::Flip { at } if len > 0 => bytes[at % len] ^= 1,
        Blow::Flip { .. } => {}
        Blow::Cut { at } => bytes.truncate(at % (len + 1)),
        Blow::Overwrite { at, with } => {
            let at = at % (len + 1);
            let end = (at + with.len()).min(len);
            bytes.splice(at..end, with);
        }
        Blow::Insert { at, with } => {
            let at = at % (len + 1);
            bytes.splice(at..at, with);
        }
        Blow::Append { with } => bytes.extend(with),
        Blow::Remove => return fs::remove_file(path).unwrap(),
        Blow::Swap { with } => bytes = fs::read(&files[with % files.len()]).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_spool_survives_any_damage_to_its_files(
        delivered in 0..12_usize,
        blows in prop::collection::vec((0..16_usize, blow()), 1..5),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let home = Home::new(&["x", "y"]);
            let spool = home.open();
            append(&spool, 0..14).await;
            let mut x = spool.cursor("x").unwrap();
            for _ in 0..delivered {
                deliver(&mut x).await;
            }
            drop(x);
            finish(spool).await;
            for (file, blow) in blows {
                strike(&home, file, blow);
            }
            for record in 100..103 {
                let spool = home.open();
                append(&spool, record..record + 1).await;
                for name in ["x", "y"] {
                    let records = drain(&spool, name).await;
                    assert_eq!(records.last(), Some(&record), "what is new is delivered");
                    assert!(records.is_sorted(), "in order: {records:?}");
                }
                assert_balanced(&spool.stats());
                finish(spool).await;
            }
        });
    }
}
