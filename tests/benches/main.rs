//! `make bench`: figures of the whole program, as a page of Markdown on standard output.
//!
//! The program under test runs alone on core 0; generator and sink run on core 1, in sessions of
//! their own. CPU time comes from `/proc/<pid>/stat` and is divided by what arrived at the sink, so
//! a figure holds the whole way of an item: in, validated, kept, and out. Rates across machines
//! mean little; compare rows of one run.
//!
//! `bench CRITERION_FOLDER [WORDS]`: with words, only the ways whose name holds them.
#![expect(
    clippy::expect_used,
    clippy::print_stdout,
    reason = "a bench fails by panicking, and prints"
)]

mod footprint;
mod primitives;
mod throughput;

use std::path::PathBuf;
use std::process::Command;

/// Core of the program under test, and of generator and sink.
const CORES: (usize, usize) = (0, 1);

fn main() {
    let criterion = PathBuf::from(std::env::args_os().nth(1).unwrap_or_default());
    let words = std::env::args().nth(2).unwrap_or_default();
    pin_to(CORES.1);
    println!("# Results\n");
    println!(
        "`make bench`, {}, commit {}; {}.\n",
        said("date", &["-u", "+%Y-%m-%d"]),
        said("git", &["describe", "--always", "--dirty"]),
        machine()
    );
    primitives::print(&criterion);
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(async {
        throughput::print(&words).await;
        footprint::print().await;
    });
}

/// Keeps this process, and the threads that it will start, off the core of the program under test.
fn pin_to(core: usize) {
    let status = Command::new("taskset")
        .args([
            "-a",
            "-p",
            "-c",
            &core.to_string(),
            &std::process::id().to_string(),
        ])
        .stdout(std::process::Stdio::null())
        .status()
        .expect("taskset");
    assert!(
        status.success(),
        "taskset: {status}; the bench needs two cores"
    );
}

fn machine() -> String {
    let cpu = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name"))
        .map_or("", |rest| rest.trim_start_matches(['\t', ' ', ':']));
    format!(
        "{model}, {} cores, Linux {}",
        cpu.matches("model name").count(),
        said("uname", &["-r"])
    )
}

fn said(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let output = output.unwrap_or_else(|error| panic!("cannot run {program}: {error}"));
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}
