//! Every way to get a config wrong, with its message as a golden file.
//!
//! `golden/mistakes/<name>.yaml` is the mistake, `<name>.txt` what the program says about it.
//! `UPDATE_GOLDEN=1` rewrites the messages.

use std::fs;
use std::path::{Path, PathBuf};

use tests::skybridge::command;

/// Exit code of a config that cannot work, as service managers know it (EX_CONFIG).
const EXIT_CONFIG: i32 = 78;

#[test]
fn every_config_mistake_has_its_message() {
    let mut different = Vec::new();
    for mistake in mistakes() {
        let folder = mistake.parent().expect("a folder");
        let name = mistake.file_name().expect("a name").to_string_lossy();
        for arguments in [
            vec!["validate", "--config", &*name],
            vec!["--config", &*name],
        ] {
            let output = command(folder, &arguments);
            let said = String::from_utf8_lossy(&output.stderr);
            assert_eq!(
                output.status.code(),
                Some(EXIT_CONFIG),
                "{arguments:?} said: {said}"
            );
            assert!(
                output.stdout.is_empty(),
                "{arguments:?} wrote to standard output"
            );
            let golden = mistake.with_extension("txt");
            if std::env::var_os("UPDATE_GOLDEN").is_some() {
                fs::write(&golden, &*said).expect("a golden file");
            }
            let expected = fs::read_to_string(&golden).unwrap_or_default();
            if said != expected {
                different.push(format!(
                    "{arguments:?}\nsaid:\n{said}\nexpected:\n{expected}"
                ));
            }
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n---\n"));
}

/// What the messages have in common, whatever their words: a place, and one screen.
#[test]
fn every_config_mistake_is_told_with_file_line_and_column() {
    for mistake in mistakes() {
        let said = fs::read_to_string(mistake.with_extension("txt")).unwrap_or_default();
        let name = mistake.file_name().expect("a name").to_string_lossy();
        let place = said.split(&format!("{name}:")).nth(1).unwrap_or_default();
        let mut numbers = place.split(|character: char| !character.is_ascii_digit());
        let has_place = [numbers.next(), numbers.next()]
            .iter()
            .all(|number| number.is_some_and(|digits| !digits.is_empty()));
        assert!(has_place, "{name}: {said}");
        assert!(
            said.lines().count() <= 20,
            "{name}: more than a glance:\n{said}"
        );
    }
}

fn mistakes() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("e2e/golden/mistakes");
    let mut mistakes: Vec<_> = fs::read_dir(folder)
        .expect("the golden files")
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| {
            path.extension()
                .is_some_and(|extension| extension == "yaml")
        })
        .collect();
    mistakes.sort_unstable();
    assert!(mistakes.len() >= 11, "{} mistakes", mistakes.len());
    mistakes
}
