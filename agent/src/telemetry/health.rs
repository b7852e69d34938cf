//! Whether the program is ready, and if not, why.

use super::Watched;

/// What keeps the program from being ready, one sentence each; empty when it is.
pub(crate) fn obstacles(watched: &Watched) -> Vec<String> {
    let mut obstacles = Vec::new();
    for receiver in &watched.receivers {
        if !receiver.stats.is_started() {
            obstacles.push(format!("the receiver {} is still starting", receiver.id));
        }
    }
    for pipeline in &watched.pipelines {
        let spool = pipeline.spool.stats();
        if let Some(error) = spool.disk.and_then(|disk| disk.write_error) {
            obstacles.push(format!(
                "the spool of {} cannot write: {error}",
                pipeline.id
            ));
        }
        for cursor in spool.cursors {
            if let Some(words) = cursor.held {
                let exporter = cursor.name;
                obstacles.push(format!("{exporter} in {} is refused: {words}", pipeline.id));
            }
        }
    }
    obstacles
}
