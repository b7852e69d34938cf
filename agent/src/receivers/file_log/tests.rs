//! The receiver over real files.

use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use bytes::Bytes;
use otlp::common::Value;
use otlp::logs::Request;
use pipeline::Budget;
use proptest::prelude::*;
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

use super::super::Stats;
use super::*;

/// A folder of logs, a folder of state, and the files as the receiver sees them.
struct Host {
    folder: TempDir,
    state: TempDir,
    config: Config,
    files: Option<Files>,
    /// Lines that were acknowledged.
    lines: Vec<String>,
}

impl Host {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = Config {
            include: vec![format!("{}/*.log", folder.path().display())],
            start_at: StartAt::Beginning,
            force_flush_period: Interval::default(),
            ..Config::default()
        };
        Self {
            folder,
            state: tempfile::tempdir().unwrap(),
            config,
            files: None,
            lines: Vec::new(),
        }
    }

    fn with(config: impl FnOnce(&mut Config)) -> Self {
        let mut host = Self::new();
        config(&mut host.config);
        host
    }

    fn include(&mut self, pattern: &str) {
        self.config.include = vec![format!("{}/{pattern}", self.folder.path().display())];
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn append(&self, name: &str, text: impl AsRef<[u8]>) {
        let mut options = OpenOptions::new();
        let mut file = options
            .append(true)
            .create(true)
            .open(self.path(name))
            .unwrap();
        file.write_all(text.as_ref()).unwrap();
    }

    fn rename(&self, from: &str, to: &str) {
        std::fs::rename(self.path(from), self.path(to)).unwrap();
    }

    fn copy(&self, from: &str, to: &str) {
        std::fs::copy(self.path(from), self.path(to)).unwrap();
    }

    fn truncate(&self, name: &str) {
        let file = OpenOptions::new()
            .write(true)
            .open(self.path(name))
            .unwrap();
        file.set_len(0).unwrap();
    }

    fn files(&mut self) -> &mut Files {
        let (config, state) = (&self.config, self.state.path());
        self.files.get_or_insert_with(|| {
            config.check().unwrap();
            let globs = Globs::compile(&config.include, &config.exclude).unwrap();
            Files::open(Settings::new(config, globs, Some(state.to_owned()))).unwrap()
        })
    }

    /// Looks, reads and acknowledges until nothing is left; the lines that came.
    fn drain(&mut self) -> Vec<String> {
        let mut new = Vec::new();
        // What a look finds out may need another one, as a copy does.
        for _ in 0..3 {
            let mut is_pending = self.files().look();
            while is_pending {
                let Some(read) = self.files().read() else {
                    break;
                };
                new.extend(lines_of(&read.payload));
                is_pending = self.files().advance(read.positions);
            }
        }
        self.lines.extend(new.clone());
        new
    }

    /// Reads a batch that is never acknowledged, then the process is killed.
    fn kill(&mut self) {
        if self.files().look() {
            self.files().read();
        }
        self.files = None;
    }
}

fn lines_of(payload: &[u8]) -> Vec<String> {
    records(payload).into_iter().map(|(body, _)| body).collect()
}

/// Bodies and attributes.
fn records(payload: &[u8]) -> Vec<(String, Vec<(String, String)>)> {
    let text = |value: Value<'_>| match value {
        Value::Str(text) => text.to_owned(),
        Value::Bytes(bytes) => format!("{bytes:?}"),
        other => panic!("unexpected {other:?}"),
    };
    let mut records = Vec::new();
    for resource in Request::new(payload).resource_logs() {
        for scope in resource.scope_logs() {
            for record in scope.log_records() {
                assert_eq!(record.time_unix_nano, 0);
                assert!(record.observed_time_unix_nano > 0);
                let own = record.attributes().iter();
                let attributes = own.map(|a| (a.key.to_owned(), text(a.value))).collect();
                records.push((text(record.body), attributes));
            }
        }
    }
    records
}

fn numbered(numbers: std::ops::Range<u32>) -> String {
    numbers.map(|n| format!("line {n}\n")).collect()
}

#[test]
fn lines_are_read_as_they_are_appended() {
    let mut host = Host::new();
    assert_eq!(host.drain(), [""; 0]);
    host.append("a.log", "one\ntwo\n");
    assert_eq!(host.drain(), ["one", "two"]);
    host.append("a.log", "thr");
    assert_eq!(host.drain(), [""; 0]);
    host.append("a.log", "ee\n\n\nfour\r\n");
    assert_eq!(host.drain(), ["three", "four"]);
    assert_eq!(host.drain(), [""; 0]);
}

#[test]
fn at_the_end_only_what_comes_later_is_read() {
    let mut host = Host::with(|config| config.start_at = StartAt::End);
    host.append("old.log", "before\n");
    assert_eq!(host.drain(), [""; 0]);
    host.append("old.log", "after\n");
    host.append("new.log", "from the start\n");
    let mut lines = host.drain();
    lines.sort();
    assert_eq!(lines, ["after", "from the start"]);
}

#[test]
fn a_renamed_file_is_read_to_its_end() {
    for (pattern, what) in [("*.log", "out of sight"), ("*.log*", "in sight")] {
        let mut host = Host::new();
        host.include(pattern);
        host.append("a.log", "one\n");
        assert_eq!(host.drain(), ["one"]);
        host.append("a.log", "two\n");
        host.rename("a.log", "a.log.1");
        host.append("a.log", "three\n");
        let mut lines = host.drain();
        lines.sort();
        assert_eq!(lines, ["three", "two"], "{what}");
        // A writer that has not reopened its file yet.
        host.append("a.log.1", "late\n");
        host.append("a.log", "four\n");
        let mut lines = host.drain();
        lines.sort();
        assert_eq!(lines, ["four", "late"], "{what}");
    }
}

#[test]
fn a_file_renamed_while_nobody_looked_goes_on_where_it_stopped() {
    let mut host = Host::with(|config| config.start_at = StartAt::End);
    host.include("*.log*");
    host.append("a.log", "one\n");
    host.drain();
    host.append("a.log", "two\n");
    assert_eq!(host.drain(), ["two"]);
    host.files = None;
    host.append("a.log", "three\n");
    host.rename("a.log", "a.log.1");
    host.append("a.log", "four\n");
    let mut lines = host.drain();
    lines.sort();
    assert_eq!(lines, ["four", "three"]);
}

#[test]
fn a_file_renamed_out_of_sight_while_nobody_looked_is_read_to_its_end() {
    let mut host = Host::with(|config| config.start_at = StartAt::End);
    host.append("a.log", "old\n");
    host.append("b.log", "old\n");
    host.drain();
    host.files = None;
    host.append("a.log", "one\n");
    host.rename("a.log", "a.log.1");
    host.append("a.log", "two\n");
    host.append("b.log", "no longer wanted\n");
    host.config.exclude = vec![host.path("b.log").display().to_string()];
    // Killed again before anything was read.
    host.kill();
    let mut lines = host.drain();
    lines.sort();
    assert_eq!(lines, ["one", "two"]);
}

#[test]
fn more_files_than_may_be_open_are_all_read() {
    let mut host = Host::with(|config| config.max_concurrent_files = 2);
    for round in 0..3 {
        for file in 0..20 {
            host.append(&format!("{file}.log"), format!("round {round}\n"));
        }
        assert_eq!(host.drain().len(), 20, "round {round}");
        let open = std::fs::read_dir("/proc/self/fd").unwrap().filter(|fd| {
            let target = std::fs::read_link(fd.as_ref().unwrap().path());
            target.is_ok_and(|path| path.starts_with(host.folder.path()))
        });
        assert!(open.count() <= 2);
    }
}

#[test]
fn a_truncated_file_is_read_from_its_beginning() {
    let mut host = Host::new();
    host.append("a.log", "one\ntwo\n");
    assert_eq!(host.drain(), ["one", "two"]);
    host.truncate("a.log");
    host.append("a.log", "new\n");
    assert_eq!(host.drain(), ["new"]);
    // It has grown beyond the old position before anybody looked, or by exactly as much.
    for text in ["longer than before\n", "same as many bytes\n"] {
        host.truncate("a.log");
        host.append("a.log", text);
        assert_eq!(host.drain(), [text.trim()]);
    }
}

#[test]
fn a_file_truncated_while_nobody_looked_is_read_from_its_beginning() {
    let mut host = Host::with(|config| config.start_at = StartAt::End);
    host.append("a.log", "one\ntwo\n");
    host.drain();
    host.files = None;
    host.truncate("a.log");
    host.append("a.log", "three, which is longer than what was there\n");
    assert_eq!(host.drain(), ["three, which is longer than what was there"]);
}

#[test]
fn a_copy_is_not_read_twice_and_its_unread_end_is_not_lost() {
    for is_down in [false, true] {
        let mut host = Host::new();
        host.include("*.log*");
        host.append("a.log", numbered(0..100));
        assert_eq!(host.drain().len(), 100);
        if is_down {
            host.files = None;
        }
        host.append("a.log", "the end\n");
        host.copy("a.log", "a.log.1");
        host.truncate("a.log");
        host.append("a.log", "begin\n");
        let mut lines = host.drain();
        lines.sort();
        assert_eq!(lines, ["begin", "the end"], "down: {is_down}");
    }
}

#[test]
fn the_unread_end_of_a_copy_comes_although_the_original_stays_empty() {
    let mut host = Host::new();
    host.include("*.log*");
    host.append("a.log", "one\n");
    host.drain();
    host.append("a.log", "two\n");
    host.copy("a.log", "a.log.1");
    host.truncate("a.log");
    assert_eq!(host.drain(), ["two"]);
}

#[test]
fn a_copy_waits_until_its_original_is_truncated() {
    let mut host = Host::new();
    host.include("*.log*");
    host.append("a.log", numbered(0..100));
    host.drain();
    host.copy("a.log", "a.log.1");
    assert_eq!(host.drain(), [""; 0]);
    host.append("a.log.1", "the end\n");
    host.append("a.log", "the end\n");
    assert_eq!(host.drain(), ["the end"]);
    host.truncate("a.log");
    assert_eq!(host.drain(), [""; 0]);
}

#[test]
fn short_files_with_the_same_content_are_different_files() {
    let mut host = Host::new();
    host.append("web.log", "started\n");
    assert_eq!(host.drain(), ["started"]);
    host.append("db.log", "started\n");
    assert_eq!(host.drain(), ["started"]);
}

#[test]
fn a_hole_left_by_a_writer_that_kept_its_position_is_passed_over() {
    let mut host = Host::new();
    let path = host.path("a.log");
    let mut writer = File::create(&path).unwrap();
    writer.write_all(b"one\ntwo\n").unwrap();
    assert_eq!(host.drain(), ["one", "two"]);
    host.truncate("a.log");
    writer.write_all(b"three\n").unwrap();
    assert_eq!(host.drain(), ["three"]);
}

#[test]
fn a_deleted_file_is_read_to_its_end_and_one_of_its_name_is_new() {
    let mut host = Host::new();
    host.append("a.log", "one\n");
    assert_eq!(host.drain(), ["one"]);
    host.append("a.log", "two\n");
    std::fs::remove_file(host.path("a.log")).unwrap();
    assert_eq!(host.drain(), ["two"]);
    host.append("a.log", "one\n");
    assert_eq!(host.drain(), ["one"]);
}

#[test]
fn nothing_acknowledged_is_read_again_after_a_kill() {
    let mut host = Host::new();
    host.append("a.log", numbered(0..10));
    assert_eq!(host.drain().len(), 10);
    host.append("a.log", numbered(10..12));
    host.kill();
    assert_eq!(host.drain(), ["line 10", "line 11"]);
    host.files = None;
    assert_eq!(host.drain(), [""; 0]);
}

#[test]
fn files_that_came_while_nobody_looked_are_read_whole() {
    let mut host = Host::with(|config| config.start_at = StartAt::End);
    host.append("a.log", "old\n");
    host.drain();
    host.files = None;
    host.append("b.log", "came later\n");
    assert_eq!(host.drain(), ["came later"]);
}

/// Scenario: the checkpoints are garbage, and files are to be read from their end.
/// Guarantees: the receiver starts, and reads everything rather than lose what was not passed on.
#[test]
fn without_readable_checkpoints_nothing_is_lost() {
    let mut host = Host::with(|config| config.start_at = StartAt::End);
    host.append("a.log", "old\n");
    host.drain();
    host.append("a.log", "passed on\n");
    assert_eq!(host.drain(), ["passed on"]);
    host.files = None;
    host.append("a.log", "not yet\n");
    std::fs::write(host.state.path().join("checkpoints"), b"\0\0\0garbage\n").unwrap();
    assert_eq!(host.drain(), ["old", "passed on", "not yet"]);
    assert!(host.state.path().join("checkpoints.corrupt").exists());
}

#[test]
fn a_state_directory_that_cannot_be_used_is_an_error() {
    let host = Host::new();
    host.append("state", "a file");
    let globs = Globs::compile(&host.config.include, &[]).unwrap();
    let settings = Settings::new(&host.config, globs, Some(host.path("state")));
    assert!(Files::open(settings).is_err());
}

#[test]
fn excluded_compressed_and_old_files_are_not_read() {
    let mut host = Host::new();
    host.include("*");
    host.config.exclude = vec![format!("{}/*.txt", host.folder.path().display())];
    host.config.exclude_older_than = Some(Interval::from_secs(3_600));
    host.append("a.txt", "excluded\n");
    host.append("a.log.gz", "by name\n");
    host.append("b.log", [0x1f, 0x8b, 8, 0, b'\n']);
    host.append("old.log", "old\n");
    let old = File::open(host.path("old.log")).unwrap();
    let long_ago = std::time::SystemTime::now() - Duration::from_secs(7_200);
    old.set_modified(long_ago).unwrap();
    host.append("c.log", "read\n");
    assert_eq!(host.drain(), ["read"]);
}

#[test]
fn a_last_line_without_an_end_is_taken_when_it_has_waited() {
    let mut host = Host::with(|config| {
        config.force_flush_period = Interval(Duration::from_nanos(1));
    });
    host.append("a.log", "one\ntwo");
    assert_eq!(host.drain(), ["one", "two"]);
    host.append("a.log", "three\n");
    assert_eq!(host.drain(), ["three"]);
}

#[test]
fn a_huge_line_becomes_several_entries() {
    let mut host = Host::with(|config| config.max_log_size = ByteSize(1_000));
    host.append("a.log", "x".repeat(2_500) + "\nshort\n");
    let lengths: Vec<usize> = host.drain().iter().map(String::len).collect();
    assert_eq!(lengths, [1_000, 1_000, 500, 5]);
}

#[test]
fn a_line_longer_than_a_chunk_is_one_entry() {
    let mut host = Host::new();
    host.append(
        "a.log",
        "x".repeat(900_000) + "\n" + &"y".repeat(300_000) + "\n",
    );
    let lengths: Vec<usize> = host.drain().iter().map(String::len).collect();
    assert_eq!(lengths, [900_000, 300_000]);
}

#[test]
fn byte_order_mark_and_broken_text_do_not_hurt() {
    let mut host = Host::new();
    host.append("a.log", b"\xef\xbb\xbffirst\nbro\xffken\n");
    assert_eq!(host.drain(), ["first", "bro\u{fffd}ken"]);
}

#[test]
fn without_an_encoding_bytes_stay_bytes() {
    let mut host = Host::with(|config| config.encoding = Encoding::Nop);
    host.append("a.log", b"a\n\xff");
    assert_eq!(host.drain(), ["[97, 10, 255]"]);
}

#[test]
fn records_tell_where_they_are_from() {
    let mut host = Host::with(|config| {
        config.include_file_path = true;
        config.include_file_name_resolved = true;
        config.include_file_path_resolved = true;
        config.attributes = [
            ("team".to_owned(), "db".to_owned()),
            ("log.file.name".to_owned(), "is known better".to_owned()),
        ]
        .into();
        config.resource = [("service.name".to_owned(), "pg".to_owned())].into();
    });
    host.append("real", "one\n");
    std::os::unix::fs::symlink("real", host.path("link.log")).unwrap();
    assert!(host.files().look());
    let read = host.files().read().unwrap();
    let folder = std::fs::canonicalize(host.folder.path()).unwrap();
    let expected = [
        ("log.file.name", "link.log".to_owned()),
        ("log.file.path", host.path("link.log").display().to_string()),
        ("log.file.name_resolved", "real".to_owned()),
        (
            "log.file.path_resolved",
            folder.join("real").display().to_string(),
        ),
        ("team", "db".to_owned()),
    ]
    .map(|(key, text)| (key.to_owned(), text));
    assert_eq!(
        records(&read.payload),
        [("one".to_owned(), expected.to_vec())]
    );
    let resource = Request::new(&read.payload).resource_logs().next().unwrap();
    let service = resource.resource().attributes().get("service.name");
    assert_eq!(service, Some(Value::Str("pg")));
}

#[test]
fn a_backlog_comes_in_batches_and_all_files_in_turn() {
    let mut host = Host::new();
    for name in ["a.log", "b.log"] {
        host.append(name, numbered(0..5_000));
    }
    assert!(host.files().look());
    let mut batches = 0;
    let mut is_pending = true;
    while is_pending {
        let read = host.files().read().unwrap();
        assert!(read.items <= 1_000);
        host.lines.extend(lines_of(&read.payload));
        is_pending = host.files().advance(read.positions);
        batches += 1;
    }
    assert_eq!((host.lines.len(), batches), (10_000, 10));
}

/// What may happen to a log between two looks.
#[derive(Clone, Debug)]
enum Event {
    Append(u8, u8),
    AppendHalf(u8),
    Rotate(u8),
    /// To a name that no pattern matches; only once the file was seen with this content.
    RotateAway(u8),
    CopyTruncate(u8),
    Drain,
    Restart,
    Kill,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => (0..3_u8, 1..40_u8).prop_map(|(file, lines)| Event::Append(file, lines)),
        1 => (0..3_u8).prop_map(Event::AppendHalf),
        2 => (0..3_u8).prop_map(Event::Rotate),
        2 => (0..3_u8).prop_map(Event::RotateAway),
        2 => (0..3_u8).prop_map(Event::CopyTruncate),
        4 => Just(Event::Drain),
        1 => Just(Event::Restart),
        1 => Just(Event::Kill),
    ]
}

/// Plays `events`, then ends all lines and drains; every line must have come exactly once.
fn play(events: &[Event]) {
    let mut host = Host::new();
    host.include("*.log*");
    let mut logs = [Log::default(); 3];
    let mut written = 0;
    for (at, event) in events.iter().enumerate() {
        match *event {
            Event::Append(file, lines) => {
                for _ in 0..lines {
                    logs[usize::from(file)].begin(&host, file, &mut written);
                    logs[usize::from(file)].end(&host, file);
                }
            }
            Event::AppendHalf(file) => logs[usize::from(file)].begin(&host, file, &mut written),
            Event::Rotate(file) | Event::RotateAway(file) | Event::CopyTruncate(file) => {
                logs[usize::from(file)].rotate(&host, file, event, at);
            }
            Event::Drain => drop(host.drain()),
            Event::Restart => host.files = None,
            Event::Kill => host.kill(),
        }
        if matches!(event, Event::Drain | Event::Kill) {
            for log in &mut logs {
                log.is_seen = log.exists;
            }
        }
    }
    for file in 0..3 {
        logs[usize::from(file)].end(&host, file);
    }
    host.drain();
    let mut times = vec![0; usize::try_from(written).unwrap()];
    for line in &host.lines {
        times[number(line)] += 1;
    }
    let wrong: Vec<_> = times
        .iter()
        .enumerate()
        .filter(|(_, times)| **times != 1)
        .collect();
    assert!(wrong.is_empty(), "(line, times): {wrong:?}");
}

/// What a program knows of the log that it writes.
#[derive(Copy, Clone, Default)]
struct Log {
    exists: bool,
    is_seen: bool,
    is_half: bool,
}

impl Log {
    fn begin(&mut self, host: &Host, file: u8, written: &mut u32) {
        if !std::mem::replace(&mut self.is_half, true) {
            self.exists = true;
            host.append(
                &format!("{file}.log"),
                format!("line {written} of file {file} "),
            );
            *written += 1;
        }
    }

    fn end(&mut self, host: &Host, file: u8) {
        if std::mem::take(&mut self.is_half) {
            host.append(&format!("{file}.log"), "end\n");
        }
    }

    /// A program ends its line before it lets go of a file.
    fn rotate(&mut self, host: &Host, file: u8, event: &Event, at: usize) {
        let is_away = matches!(event, Event::RotateAway(_));
        if !self.exists || is_away && !self.is_seen {
            return;
        }
        self.end(host, file);
        let name = format!("{file}.log");
        let old = if is_away {
            format!("old-{file}-{at}")
        } else {
            format!("{name}.{at}")
        };
        if matches!(event, Event::CopyTruncate(_)) {
            host.copy(&name, &old);
            host.truncate(&name);
            // What is written now and moved away before anybody looks cannot be known.
            self.is_seen = false;
        } else {
            host.rename(&name, &old);
            *self = Self::default();
        }
    }
}

fn number(line: &str) -> usize {
    let words: Vec<&str> = line.split(' ').collect();
    assert_eq!((words[0], words.len()), ("line", 6), "{line}");
    words[1].parse().unwrap()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, ..ProptestConfig::default() })]
    #[test]
    fn no_line_is_lost_or_comes_twice(events in prop::collection::vec(event(), 1..40)) {
        play(&events);
    }
}

/// Takes batches, after refusing some.
#[derive(Clone)]
struct Sink {
    refusals: Arc<AtomicU32>,
    taken: Arc<Mutex<Vec<Bytes>>>,
}

impl Sink {
    fn new(refusals: u32) -> Self {
        Self {
            refusals: Arc::new(AtomicU32::new(refusals)),
            taken: Arc::default(),
        }
    }

    fn lines(&self) -> Vec<String> {
        let taken = self.taken.lock().unwrap();
        taken.iter().flat_map(|payload| lines_of(payload)).collect()
    }
}

impl Output for Sink {
    async fn send(&self, batch: Batch) -> Result<(), Refused> {
        let one_less = |left: u32| left.checked_sub(1);
        let order = Ordering::Relaxed;
        if self.refusals.fetch_update(order, order, one_less).is_ok() {
            return Err(Refused::Full {
                what: "the spool",
                retry_after: Duration::from_millis(1),
            });
        }
        let payload = batch.payload.to_plain().unwrap();
        self.taken.lock().unwrap().push(payload);
        Ok(())
    }
}

/// A receiver that runs.
struct Running {
    context: Context,
    sink: Sink,
    task: tokio::task::JoinHandle<Result<(), Fatal>>,
}

impl Running {
    fn start(host: &Host, sink: Sink) -> Self {
        let context = Context {
            id: "file_log".to_owned(),
            shutdown: CancellationToken::new(),
            budget: Budget::new(1 << 20),
            state_directory: Some(host.state.path().to_owned()),
            stats: Arc::new(Stats::default()),
        };
        let config = Config {
            poll_interval: Interval::from_millis(1),
            ..host.config.clone()
        };
        let outputs = Outputs {
            metrics: None,
            logs: Some(sink.clone()),
            traces: None,
        };
        Self {
            task: tokio::spawn(run(config, outputs, context.clone())),
            context,
            sink,
        }
    }

    async fn until(&self, is_true: impl Fn(&Self) -> bool) {
        let waiting = async {
            while !is_true(self) {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), waiting)
            .await
            .unwrap();
    }

    async fn stop(self) -> (Sink, Arc<Stats>) {
        self.context.shutdown.cancel();
        self.task.await.unwrap().unwrap();
        assert_eq!(self.context.budget.used_bytes(), 0);
        (self.sink, self.context.stats)
    }
}

#[tokio::test]
async fn a_refused_batch_is_offered_until_it_is_taken() {
    let host = Host::new();
    host.append("a.log", numbered(0..2_500));
    let running = Running::start(&host, Sink::new(3));
    running.until(|r| r.sink.lines().len() == 2_500).await;
    running
        .until(|r| r.context.stats.totals(Signal::Logs).0 == 2_500)
        .await;
    let (sink, stats) = running.stop().await;
    let expected: Vec<String> = numbered(0..2_500).lines().map(str::to_owned).collect();
    assert_eq!(sink.lines(), expected);
    assert_eq!(stats.totals(Signal::Logs), (2_500, 3_000, 0));
}

/// Scenario: a program writes and rotates at full speed, while the receiver reads and is restarted.
/// Guarantees: each line comes once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_lost_while_files_are_rotated_at_full_speed() {
    const LINES: u32 = 20_000;
    let mut host = Host::new();
    host.include("*.log*");
    let folder = host.folder.path().to_owned();
    let writer = tokio::task::spawn_blocking(move || {
        let path = folder.join("a.log");
        for rotation in 0..20 {
            let mut file = File::create(&path).unwrap();
            let each = LINES / 20;
            for line in rotation * each..(rotation + 1) * each {
                writeln!(file, "line {line} of file 0 end").unwrap();
            }
            std::fs::rename(&path, folder.join(format!("a.log.{rotation}"))).unwrap();
        }
    });
    let mut lines = Vec::new();
    for restart in 1..=3 {
        let running = Running::start(&host, Sink::new(restart));
        let missing = LINES as usize - lines.len();
        let wanted = if restart == 3 {
            missing
        } else {
            missing.min(1)
        };
        running.until(|r| r.sink.lines().len() >= wanted).await;
        lines.extend(running.stop().await.0.lines());
    }
    writer.await.unwrap();
    let mut numbers: Vec<usize> = lines.iter().map(|line| number(line)).collect();
    numbers.sort_unstable();
    assert_eq!(numbers.len(), LINES as usize);
    assert!(numbers.iter().enumerate().all(|(at, number)| at == *number));
}

/// Scenario: the pipeline refuses for ever, the receiver is stopped and started again.
/// Guarantees: it stops at once, and the lines come at the next start.
#[tokio::test]
async fn a_stop_while_refused_loses_nothing() {
    let host = Host::new();
    host.append("a.log", "one\ntwo\n");
    let running = Running::start(&host, Sink::new(u32::MAX));
    running
        .until(|r| r.context.stats.totals(Signal::Logs).1 > 0)
        .await;
    let (sink, _) = running.stop().await;
    assert_eq!(sink.lines(), [""; 0]);
    let running = Running::start(&host, Sink::new(0));
    running.until(|r| r.sink.lines().len() == 2).await;
    running.stop().await;
}

#[tokio::test]
async fn a_full_budget_makes_the_reader_wait() {
    let host = Host::new();
    host.append("a.log", "one\n");
    let running = Running::start(&host, Sink::new(0));
    running.until(|r| r.sink.lines().len() == 1).await;
    let held = running.context.budget.charge(1 << 20).await;
    host.append("a.log", "two\n");
    for _ in 0..20 {
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(running.sink.lines(), ["one"]);
    }
    drop(held);
    running.until(|r| r.sink.lines().len() == 2).await;
    running.stop().await;
}

#[test]
fn what_is_not_supported_is_told() {
    let config = |json: serde_json::Value| -> Config {
        let mut body = serde_json::json!({"include": ["/var/log/*.log"]});
        let extra = json.as_object().unwrap().clone();
        body.as_object_mut().unwrap().extend(extra);
        serde_json::from_value(body).unwrap()
    };
    for (body, key_path) in [
        (serde_json::json!({"include": []}), "include"),
        (
            serde_json::json!({"operators": [{"type": "json_parser", "parse_from": "body"}]}),
            "operators",
        ),
        (
            serde_json::json!({"multiline": {"line_start_pattern": "^x"}}),
            "multiline",
        ),
        (
            serde_json::json!({"attributes": {"a": "EXPR(env(\"A\"))"}}),
            "attributes::a",
        ),
        (serde_json::json!({"max_log_size": 0}), "max_log_size"),
        (serde_json::json!({"poll_interval": "0"}), "poll_interval"),
    ] {
        let problem = config(body).check().unwrap_err();
        assert_eq!(problem.key_path, key_path);
        assert!(!problem.hint.is_empty());
    }
    assert_eq!(config(serde_json::json!({})).check(), Ok(()));
    let full = config(serde_json::json!({
        "start_at": "beginning",
        "retry_on_failure": {"enabled": true, "max_elapsed_time": "5m"},
        "storage": "file_storage",
        "encoding": "nop",
        "fingerprint_size": "1kb",
        "operators": [],
    }));
    assert_eq!(full.check(), Ok(()));
    let used = full.extensions();
    assert_eq!(used.len(), 1);
    assert_eq!(
        (&*used[0].key_path, used[0].id.to_string()),
        ("storage", "file_storage".to_owned())
    );
}

#[test]
fn rotated_names_are_recognized() {
    let check =
        |path: &str, original: &str| newcomer::is_named_after(Path::new(path), Path::new(original));
    for (path, is_named_after) in [
        ("/l/app.log.1", true),
        ("/l/app-20240101.log", true),
        ("/l/app_old.log", true),
        ("/l/app1.log", false),
        ("/l/web.log", false),
        ("/m/app.log.1", false),
    ] {
        assert_eq!(check(path, "/l/app.log"), is_named_after, "{path}");
    }
}

#[test]
fn a_file_begun_anew_and_moved_away_is_known_after_a_kill() {
    play(&[
        Event::Append(2, 1),
        Event::Drain,
        Event::CopyTruncate(2),
        Event::Append(2, 1),
        Event::Kill,
        Event::RotateAway(2),
    ]);
}
