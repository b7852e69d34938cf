//! What Criterion measured of the `otlp` crate, as one table.

use std::fs;
use std::path::Path;

use serde_json::Value;

/// Items in each request of the `walk` bench.
const ITEMS: f64 = 1_000.0;

/// Prints the figures below Criterion's output folder, nanoseconds an item.
pub(crate) fn print(folder: &Path) {
    println!("## Looking into a request, without a process around it\n");
    println!("`cargo bench --package otlp --bench walk`, requests of 1,000 items.\n");
    println!("| items | step | ns an item | against prost |");
    println!("| --- | --- | --- | --- |");
    for group in folders(folder) {
        let steps = folders(&folder.join(&group));
        let prost = time_ns(&folder.join(&group).join("prost"));
        for step in steps {
            let Some(time) = time_ns(&folder.join(&group).join(&step)) else {
                continue;
            };
            let ratio = prost.map_or(String::new(), |prost| format!("{:.1}x", prost / time));
            println!("| {group} | {step} | {:.1} | {ratio} |", time / ITEMS);
        }
    }
    println!();
}

fn folders(path: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(path)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().is_dir())
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .filter(|name| name != "report")
        .collect();
    names.sort_unstable();
    names
}

fn time_ns(bench: &Path) -> Option<f64> {
    let text = fs::read_to_string(bench.join("new/estimates.json")).ok()?;
    let estimates: Value = serde_json::from_str(&text).ok()?;
    estimates["median"]["point_estimate"].as_f64()
}
