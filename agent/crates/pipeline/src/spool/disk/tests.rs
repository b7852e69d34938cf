//! Spools on disk, against a file system that fails on order. A kill is a spool that is dropped
//! without being finished; no test waits for real.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use super::faults::Operation;
use super::*;
use crate::fake::{ample, assert_balanced, batch, cursor, numbers};
use crate::spool::{Cursor, OnFull, Spool, SpoolSettings, Storage};
use crate::stats::{SpoolStats, Tally};
use crate::{Batch, BatchSettings, Origin, Refused};

mod havoc;
mod model;

const ENOSPC: i32 = 28;
const EIO: i32 = 5;

/// Bytes on disk of a record of ten items.
const TEN_ITEMS_LEN: u64 = format::RECORD_HEADER_LEN as u64 + 80;

/// Records of ten items in a segment of the tests.
const RECORDS_PER_SEGMENT: u64 = 4;

struct Home {
    directory: tempfile::TempDir,
    subdirectory: &'static str,
    cursors: Vec<CursorSettings>,
    window_bytes: u64,
    budget: Budget,
}

impl Home {
    fn new(cursors: &[&str]) -> Self {
        Self {
            directory: tempfile::tempdir().unwrap(),
            subdirectory: "",
            cursors: cursors.iter().map(|name| cursor(name)).collect(),
            window_bytes: 0,
            budget: ample(),
        }
    }

    fn path(&self) -> PathBuf {
        self.directory.path().join(self.subdirectory)
    }

    fn try_open(&self) -> Result<Spool, OpenError> {
        let header = format::SEGMENT_HEADER_LEN as u64;
        let settings = SpoolSettings {
            name: "logs/test".to_owned(),
            storage: Storage::Disk(DiskSettings {
                window_bytes: self.window_bytes,
                segment_bytes: Some(header + RECORDS_PER_SEGMENT * TEN_ITEMS_LEN),
                ..DiskSettings::new(self.path())
            }),
            cursors: self.cursors.clone(),
        };
        Spool::open(settings, &self.budget)
    }

    fn open(&self) -> Spool {
        self.try_open().unwrap()
    }

    fn segment_names(&self) -> Vec<String> {
        self.names_ending(".segment")
    }

    fn names_ending(&self, suffix: &str) -> Vec<String> {
        let mut names: Vec<String> = fs::read_dir(self.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| name.ends_with(suffix))
            .collect();
        names.sort();
        names
    }

    fn read(&self, name: &str) -> Vec<u8> {
        fs::read(self.path().join(name)).unwrap()
    }

    fn write(&self, name: &str, bytes: &[u8]) {
        fs::write(self.path().join(name), bytes).unwrap();
    }

    /// Changes one byte of a file.
    fn flip(&self, name: &str, at: u64) {
        let mut bytes = self.read(name);
        bytes[usize::try_from(at).unwrap()] ^= 0x10;
        self.write(name, &bytes);
    }
}

/// Offset in its segment of the record with the given number.
fn offset_of(record: u64) -> u64 {
    format::SEGMENT_HEADER_LEN as u64 + record % RECORDS_PER_SEGMENT * TEN_ITEMS_LEN
}

fn disk(spool: &Spool) -> &Disk {
    spool.inner.disk.as_ref().unwrap()
}

fn faults(spool: &Spool) -> &faults::Faults {
    &disk(spool).files.faults
}

fn ten(record: u64) -> Batch {
    batch(record * 10..record * 10 + 10)
}

/// Appends records, and returns when the writer has done what it does behind the acknowledgement.
async fn append(spool: &Spool, records: std::ops::Range<u64>) {
    for record in records {
        spool.append(ten(record)).await.unwrap();
    }
    wait_for_writer(spool);
}

fn wait_for_writer(spool: &Spool) {
    while locked(&disk(spool).queue).is_writing {
        std::thread::yield_now();
    }
}

async fn take(cursor: &mut Cursor) -> crate::spool::Lot {
    try_take(cursor).await.expect("there is something to take")
}

/// The next record, or `None` when nothing comes.
async fn try_take(cursor: &mut Cursor) -> Option<crate::spool::Lot> {
    let settings = BatchSettings {
        max_items: 10,
        ..BatchSettings::default()
    };
    let next = cursor.next(&settings);
    tokio::time::timeout(Duration::from_secs(60), next)
        .await
        .ok()?
}

/// Delivers the next record; tells its number.
async fn deliver(cursor: &mut Cursor) -> u64 {
    try_deliver(cursor)
        .await
        .expect("there is something to deliver")
}

async fn try_deliver(cursor: &mut Cursor) -> Option<u64> {
    let lot = try_take(cursor).await?;
    let tally = Tally {
        delivered: lot.span.amount().items,
        ..Tally::default()
    };
    cursor.settle(lot.span, &tally);
    Some(numbers(&lot.records[0].batch.payload)[0] / 10)
}

async fn drain_one(spool: &Spool) {
    deliver(&mut spool.cursor("x").unwrap()).await;
}

/// Delivers all that is there; tells the numbers of the records.
async fn drain(spool: &Spool, name: &str) -> Vec<u64> {
    let mut cursor = spool.cursor(name).unwrap();
    let mut records = Vec::new();
    while let Some(record) = try_deliver(&mut cursor).await {
        records.push(record);
    }
    records
}

async fn tend(spool: &Spool) {
    disk(spool).tend(&spool.inner).await;
}

async fn finish(spool: Spool) -> SpoolStats {
    spool.close();
    assert_eq!(spool.finish().await, 0);
    let stats = spool.stats();
    assert_balanced(&stats);
    stats
}

/// Ends a spool as a kill does: nothing is saved, and the lock is free.
fn kill(spool: Spool) {
    wait_for_writer(&spool);
    locked(&disk(&spool).lock).take();
    drop(spool);
}

#[tokio::test(start_paused = true)]
async fn what_was_acknowledged_is_there_after_a_kill() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    kill(spool);
    let spool = home.open();
    assert_eq!(drain(&spool, "x").await, (0..10).collect::<Vec<_>>());
    assert_balanced(&spool.stats());
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_delivers_nothing_twice_and_the_account_goes_on() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    let mut cursor = spool.cursor("x").unwrap();
    for record in 0..6 {
        assert_eq!(deliver(&mut cursor).await, record);
    }
    drop(cursor);
    finish(spool).await;
    let spool = home.open();
    append(&spool, 10..12).await;
    assert_eq!(drain(&spool, "x").await, (6..12).collect::<Vec<_>>());
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.cursors[0].accepted, 120);
    assert_eq!(stats.cursors[0].tally.delivered, 120);
}

#[tokio::test(start_paused = true)]
async fn what_was_settled_out_of_order_stays_settled() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..4).await;
    let mut cursor = spool.cursor("x").unwrap();
    let _in_flight = take(&mut cursor).await;
    assert_eq!(deliver(&mut cursor).await, 1);
    drop(cursor);
    finish(spool).await;
    let spool = home.open();
    assert_eq!(drain(&spool, "x").await, [0, 2, 3]);
}

/// Scenario: a spool is looked after for a second and then killed.
/// Guarantees: what was delivered until shortly before does not go out again, without a sync.
#[tokio::test(start_paused = true)]
async fn a_kill_repeats_only_what_was_delivered_last() {
    let mut home = Home::new(&["x"]);
    home.window_bytes = 1 << 20;
    let spool = home.open();
    append(&spool, 0..3).await;
    let syncs = faults(&spool).count(Operation::Sync);
    let mut cursor = spool.cursor("x").unwrap();
    deliver(&mut cursor).await;
    deliver(&mut cursor).await;
    let maintained = tokio::time::timeout(Duration::from_secs(1), spool.maintain());
    assert!(maintained.await.is_err());
    assert_eq!(faults(&spool).count(Operation::Sync), syncs);
    deliver(&mut cursor).await;
    drop(cursor);
    kill(spool);
    assert_eq!(drain(&home.open(), "x").await, [2]);
}

#[tokio::test(start_paused = true)]
async fn a_result_is_waited_for_on_disk_too() {
    let mut home = Home::new(&["x", "y"]);
    home.cursors[0].waits_for_result = true;
    let spool = home.open();
    let waiting = tokio::spawn({
        let spool = spool.clone();
        async move { spool.append(ten(0)).await }
    });
    let mut cursor = spool.cursor("x").unwrap();
    let lot = take(&mut cursor).await;
    assert!(!waiting.is_finished());
    cursor.settle(lot.span, &Tally::dropped("test", 10));
    waiting.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn missing_directories_are_created_for_the_owner_alone() {
    let mut home = Home::new(&["x"]);
    home.subdirectory = "a/b";
    let spool = home.open();
    append(&spool, 0..1).await;
    for created in ["a", "a/b"] {
        let metadata = fs::metadata(home.directory.path().join(created)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o777, 0o700);
    }
}

#[tokio::test(start_paused = true)]
async fn all_fields_of_a_record_survive() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    let plain = batch(0..1000);
    let frames = zstd::bulk::compress(plain.payload.as_bytes(), 1).unwrap();
    let payload = crate::Payload::Zstd {
        frames: frames.into(),
        plain_size_bytes: 8000,
    };
    let mut sent = plain.with_payload(payload, 1000);
    sent.signal = crate::Signal::Traces;
    sent.origin = Some(Origin {
        agent: 1,
        first: 2,
        last: 3,
    });
    spool.append(sent.clone()).await.unwrap();
    kill(spool);
    let spool = home.open();
    let lot = take(&mut spool.cursor("x").unwrap()).await;
    let read = &lot.records[0].batch;
    assert_eq!(read.payload, sent.payload);
    assert_eq!((read.signal, read.items), (sent.signal, sent.items));
    assert_eq!(read.origin, sent.origin);
}

#[tokio::test(start_paused = true)]
async fn a_record_larger_than_a_read_and_a_segment_passes() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..1).await;
    spool.append(batch(0..400_000)).await.unwrap();
    append(&spool, 1..2).await;
    kill(spool);
    let spool = home.open();
    let mut cursor = spool.cursor("x").unwrap();
    assert_eq!(take(&mut cursor).await.span.amount().items, 10);
    assert_eq!(take(&mut cursor).await.span.amount().items, 400_000);
    assert_eq!(take(&mut cursor).await.span.amount().items, 10);
}

/// Scenario: the power fails while the last record is written, at any of its bytes.
/// Guarantees: all records before it are there, it is cut off and counted, and the spool goes on.
#[tokio::test(start_paused = true)]
async fn a_torn_tail_is_cut_off_and_counted() {
    for kept in (1..TEN_ITEMS_LEN).step_by(5) {
        let home = Home::new(&["x"]);
        let spool = home.open();
        append(&spool, 0..7).await;
        kill(spool);
        let name = home.segment_names().pop().unwrap();
        let bytes = home.read(&name);
        let torn = usize::try_from(offset_of(6) + kept).unwrap();
        home.write(&name, &bytes[..torn]);
        let spool = home.open();
        assert_eq!(
            spool.stats().disk.unwrap().torn_tails,
            1,
            "{kept} bytes kept"
        );
        append(&spool, 7..9).await;
        kill(spool);
        let spool = home.open();
        assert_eq!(spool.stats().disk.unwrap().torn_tails, 0);
        assert_eq!(drain(&spool, "x").await, [0, 1, 2, 3, 4, 5, 7, 8]);
        assert_balanced(&spool.stats());
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_torn_while_it_was_created_is_no_obstacle() {
    for len in [0, 13, 64] {
        let home = Home::new(&["x"]);
        let spool = home.open();
        append(&spool, 0..4).await;
        kill(spool);
        home.write(&segment::file_name(4), &vec![0; len]);
        let spool = home.open();
        append(&spool, 4..6).await;
        kill(spool);
        let spool = home.open();
        assert_eq!(drain(&spool, "x").await, (0..6).collect::<Vec<_>>());
    }
}

/// Scenario: one bit of one record flips, in a sealed segment or in the newest.
/// Guarantees: that record is counted as damaged, every other is delivered in order, and the
/// segment is kept for people to look at once everyone has passed it.
#[tokio::test(start_paused = true)]
async fn a_flipped_bit_costs_one_record() {
    for record in 0..10 {
        for at in [5, 30, 70, 100, TEN_ITEMS_LEN - 1] {
            let home = Home::new(&["x"]);
            let spool = home.open();
            append(&spool, 0..10).await;
            kill(spool);
            let segment = segment::file_name(record / RECORDS_PER_SEGMENT * RECORDS_PER_SEGMENT);
            home.flip(&segment, offset_of(record) + at);
            let spool = home.open();
            let others: Vec<u64> = (0..10).filter(|other| *other != record).collect();
            assert_eq!(
                drain(&spool, "x").await,
                others,
                "record {record}, byte {at}"
            );
            let stats = spool.stats();
            let disk = stats.disk.clone().unwrap();
            // The last record cannot be told from one that was torn.
            if record == 9 {
                assert_eq!(disk.torn_tails, 1);
                continue;
            }
            assert_balanced(&stats);
            assert_eq!(stats.cursors[0].tally.dropped.get("damaged"), 10);
            assert_eq!((disk.damaged_places, disk.damaged_items), (1, 10));
            tend(&spool).await;
            let aside = home.names_ending(".damaged");
            assert_eq!(aside.len(), usize::from(record < 8), "record {record}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn several_cursors_meet_the_same_damage_and_it_is_counted_once() {
    let home = Home::new(&["x", "y"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    kill(spool);
    home.flip(&segment::file_name(4), offset_of(5) + 100);
    let spool = home.open();
    for name in ["x", "y"] {
        assert_eq!(drain(&spool, name).await, [0, 1, 2, 3, 4, 6, 7, 8, 9]);
    }
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.disk.unwrap().damaged_places, 1);
}

#[tokio::test(start_paused = true)]
async fn a_damaged_segment_header_costs_nothing() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    kill(spool);
    home.flip(&segment::file_name(4), 20);
    let spool = home.open();
    assert_eq!(drain(&spool, "x").await, (0..10).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_segment_of_rubbish_is_set_aside_and_the_rest_is_used() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    kill(spool);
    for (position, survivors) in [(4, [0, 1, 2, 3, 8, 9].as_slice()), (8, &[0, 1, 2, 3])] {
        let _ = fs::remove_file(home.path().join("x.cursor"));
        home.write(&segment::file_name(position), &[0x5a; 1000]);
        let spool = home.open();
        assert_eq!(drain(&spool, "x").await, survivors);
        assert_balanced(&spool.stats());
        kill(spool);
    }
    assert_eq!(home.names_ending(".damaged").len(), 2);
    let spool = home.open();
    append(&spool, 20..22).await;
    kill(spool);
    let records = drain(&home.open(), "x").await;
    assert_eq!(records, [0, 1, 2, 3, 20, 21]);
}

#[tokio::test(start_paused = true)]
async fn without_its_hint_a_cursor_begins_at_the_oldest_record() {
    for damage in [None, Some(40)] {
        let home = Home::new(&["x"]);
        let spool = home.open();
        append(&spool, 0..3).await;
        deliver(&mut spool.cursor("x").unwrap()).await;
        finish(spool).await;
        match damage {
            None => fs::remove_file(home.path().join("x.cursor")).unwrap(),
            Some(at) => home.flip("x.cursor", at),
        }
        let spool = home.open();
        assert_eq!(drain(&spool, "x").await, [0, 1, 2]);
        assert_balanced(&spool.stats());
    }
}

#[tokio::test(start_paused = true)]
async fn a_missing_older_segment_is_no_obstacle() {
    for position in [0, 4] {
        let home = Home::new(&["x"]);
        let spool = home.open();
        append(&spool, 0..10).await;
        tend(&spool).await;
        kill(spool);
        fs::remove_file(home.path().join(segment::file_name(position))).unwrap();
        let spool = home.open();
        let rest: Vec<u64> = (0..10)
            .filter(|record| record / RECORDS_PER_SEGMENT * RECORDS_PER_SEGMENT != position)
            .collect();
        assert_eq!(drain(&spool, "x").await, rest);
        let stats = spool.stats();
        assert_balanced(&stats);
        assert_eq!(stats.cursors[0].tally.dropped.get("damaged"), 40);
    }
}

/// Scenario: a segment is finished, the cursors are saved, and the process is killed before the
/// segment is deleted.
/// Guarantees: nothing is delivered again, and the segment goes the next time.
#[tokio::test(start_paused = true)]
async fn a_kill_between_saving_and_deleting_is_harmless() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..6).await;
    let mut cursor = spool.cursor("x").unwrap();
    for _ in 0..5 {
        deliver(&mut cursor).await;
    }
    drop(cursor);
    faults(&spool).order(Operation::Remove, 1, EIO);
    tend(&spool).await;
    assert_eq!(home.segment_names().len(), 2, "the deletion failed");
    kill(spool);
    let spool = home.open();
    assert_eq!(drain(&spool, "x").await, [5]);
    tend(&spool).await;
    assert_eq!(home.segment_names().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn segments_are_deleted_when_every_cursor_has_passed_and_said_so_on_disk() {
    let home = Home::new(&["x", "y"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    drain(&spool, "x").await;
    tend(&spool).await;
    assert_eq!(home.segment_names().len(), 3);
    let mut y = spool.cursor("y").unwrap();
    for _ in 0..4 {
        deliver(&mut y).await;
    }
    assert_eq!(
        home.segment_names().len(),
        3,
        "not before the cursor is saved"
    );
    tend(&spool).await;
    assert_eq!(home.segment_names().len(), 2);
    let stats = spool.stats().disk.unwrap();
    assert_eq!(stats.segments, 2);
}

#[tokio::test(start_paused = true)]
async fn what_is_accounted_is_what_lies_on_disk() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..11).await;
    for _ in 0..2 {
        let lens = home
            .segment_names()
            .into_iter()
            .map(|name| home.read(&name).len() as u64);
        assert_eq!(spool.stats().disk.unwrap().bytes, lens.sum::<u64>());
        let mut cursor = spool.cursor("x").unwrap();
        for _ in 0..5 {
            deliver(&mut cursor).await;
        }
        tend(&spool).await;
    }
    kill(spool);
    let spool = home.open();
    let lens = home
        .segment_names()
        .into_iter()
        .map(|name| home.read(&name).len() as u64);
    assert_eq!(spool.stats().disk.unwrap().bytes, lens.sum::<u64>());
}

#[tokio::test(start_paused = true)]
async fn a_second_process_is_told_who_has_the_directory() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    let error = home.try_open().unwrap_err();
    let reason = error.source.to_string();
    assert!(
        reason.contains(&format!("pid {}", std::process::id())),
        "{reason}"
    );
    finish(spool).await;
    home.open();
}

#[tokio::test(start_paused = true)]
async fn a_segment_of_an_unknown_version_is_kept_and_reported() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..6).await;
    kill(spool);
    let newest = segment::file_name(4);
    let mut bytes = home.read(&newest);
    bytes[8] = 2;
    home.write(&newest, &bytes);
    let spool = home.open();
    append(&spool, 10..12).await;
    assert_eq!(spool.stats().disk.unwrap().unknown_segments, 1);
    assert_eq!(drain(&spool, "x").await, [0, 1, 2, 3, 10, 11]);
    tend(&spool).await;
    finish(spool).await;
    assert_eq!(home.read(&newest), bytes);
    let spool = home.open();
    append(&spool, 12..13).await;
    assert_eq!(drain(&spool, "x").await, [12]);
    assert_balanced(&spool.stats());
}

#[tokio::test(start_paused = true)]
async fn an_empty_segment_of_an_unknown_version_is_kept_too() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..4).await;
    kill(spool);
    let mut header = home.read(&segment::file_name(0))[..64].to_vec();
    header[8] = 2;
    home.write(&segment::file_name(4), &header);
    let spool = home.open();
    append(&spool, 4..6).await;
    assert_eq!(drain(&spool, "x").await, (0..6).collect::<Vec<_>>());
    finish(spool).await;
    assert_eq!(home.read(&segment::file_name(4)), header);
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_refuses_and_recounts_after_a_restart() {
    let mut home = Home::new(&["x"]);
    home.cursors[0].limits.bytes = 6 * TEN_ITEMS_LEN;
    let spool = home.open();
    append(&spool, 0..6).await;
    assert!(matches!(
        spool.append(ten(6)).await,
        Err(Refused::Full { .. })
    ));
    kill(spool);
    let spool = home.open();
    assert!(matches!(
        spool.append(ten(6)).await,
        Err(Refused::Full { .. })
    ));
    deliver(&mut spool.cursor("x").unwrap()).await;
    append(&spool, 6..7).await;
}

#[tokio::test(start_paused = true)]
async fn the_oldest_is_dropped_from_disk_too() {
    let mut home = Home::new(&["x"]);
    home.cursors[0].limits.bytes = 10 * TEN_ITEMS_LEN;
    home.cursors[0].on_full = OnFull::DropOldest;
    let spool = home.open();
    append(&spool, 0..15).await;
    let stats = spool.stats();
    assert_balanced(&stats);
    // On disk the oldest goes a segment at a time.
    assert_eq!(stats.cursors[0].tally.dropped.get("queue_full"), 80);
    assert!(stats.cursors[0].queued.bytes <= 10 * TEN_ITEMS_LEN);
    assert_eq!(drain(&spool, "x").await, (8..15).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_full_disk_refuses_loses_nothing_and_goes_on_when_there_is_space() {
    for operation in [Operation::Write, Operation::Create] {
        let home = Home::new(&["x"]);
        let spool = home.open();
        append(&spool, 0..4).await;
        faults(&spool).order(operation, 3, ENOSPC);
        for _ in 0..3 {
            let refused = spool.append(ten(99)).await;
            assert!(
                matches!(refused, Err(Refused::Storage { .. })),
                "{operation:?}"
            );
        }
        let stats = spool.stats().disk.unwrap();
        assert_eq!(stats.write_failures, 3);
        assert!(stats.write_error.is_some());
        append(&spool, 4..7).await;
        assert_eq!(spool.stats().disk.unwrap().write_error, None);
        kill(spool);
        let spool = home.open();
        assert_eq!(spool.stats().disk.unwrap().torn_tails, 0);
        assert_eq!(drain(&spool, "x").await, (0..7).collect::<Vec<_>>());
    }
}

/// Scenario: the disk is so full that not even a cursor file can be written.
/// Guarantees: finished segments are removed all the same, or their space would never come back.
#[tokio::test(start_paused = true)]
async fn a_full_disk_gets_its_space_back_before_cursors_can_be_saved() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..10).await;
    let mut cursor = spool.cursor("x").unwrap();
    for _ in 0..9 {
        deliver(&mut cursor).await;
    }
    // Twice in a round: written down for a kill, then synced for the removal.
    faults(&spool).order(Operation::Replace, 2, EIO);
    tend(&spool).await;
    assert_eq!(
        home.segment_names().len(),
        3,
        "another failure is no reason"
    );
    faults(&spool).order(Operation::Replace, 2, ENOSPC);
    tend(&spool).await;
    assert_eq!(home.segment_names().len(), 1);
    drop(cursor);
    kill(spool);
    let spool = home.open();
    assert_eq!(drain(&spool, "x").await, [8, 9]);
    assert_balanced(&spool.stats());
}

#[tokio::test(start_paused = true)]
async fn finished_segments_go_when_the_next_one_is_begun() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    for record in 0..40 {
        append(&spool, record..record + 1).await;
        drain_one(&spool).await;
        assert!(home.segment_names().len() <= 2);
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_cannot_be_undone_moves_to_a_new_segment() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..2).await;
    faults(&spool).order(Operation::Write, 1, EIO);
    faults(&spool).order(Operation::Truncate, 1, EIO);
    assert!(spool.append(ten(99)).await.is_err());
    append(&spool, 2..4).await;
    assert_eq!(home.segment_names().len(), 2);
    kill(spool);
    assert_eq!(drain(&home.open(), "x").await, [0, 1, 2, 3]);
}

/// Scenario: a sync fails; the medium may hold the group or not.
/// Guarantees: it is not acknowledged, the segment is left for good, and what that group left
/// behind is never read as a record.
#[tokio::test(start_paused = true)]
async fn a_failed_sync_is_not_acknowledged_and_begins_a_new_segment() {
    for truncates in [true, false] {
        let home = Home::new(&["x"]);
        let spool = home.open();
        append(&spool, 0..2).await;
        faults(&spool).order(Operation::Sync, 1, EIO);
        if !truncates {
            faults(&spool).order(Operation::Truncate, 1, EIO);
        }
        assert!(matches!(
            spool.append(ten(99)).await,
            Err(Refused::Storage { .. })
        ));
        append(&spool, 2..4).await;
        assert_eq!(
            home.segment_names(),
            [segment::file_name(0), segment::file_name(2)]
        );
        assert_eq!(drain(&spool, "x").await, [0, 1, 2, 3]);
        fs::remove_file(home.path().join("x.cursor")).unwrap_or_default();
        kill(spool);
        assert_eq!(drain(&home.open(), "x").await, [0, 1, 2, 3]);
    }
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_fails_before_its_first_record_is_begun_anew() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..4).await;
    // The header of the new segment, then its first group.
    faults(&spool).order(Operation::Sync, 1, EIO);
    assert!(spool.append(ten(99)).await.is_err());
    append(&spool, 4..6).await;
    kill(spool);
    assert_eq!(drain(&home.open(), "x").await, (0..6).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn a_read_that_fails_is_tried_again() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..6).await;
    faults(&spool).order(Operation::Read, 3, EIO);
    assert_eq!(drain(&spool, "x").await, (0..6).collect::<Vec<_>>());
    assert_eq!(spool.stats().cursors[0].tally.dropped.total(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_segment_that_keeps_failing_is_given_up_and_the_rest_delivered() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..6).await;
    faults(&spool).order(Operation::Read, 5, EIO);
    assert_eq!(drain(&spool, "x").await, [4, 5]);
    let stats = spool.stats();
    assert_balanced(&stats);
    assert_eq!(stats.cursors[0].tally.dropped.get("damaged"), 40);
}

/// Scenario: a start with a backlog of many segments.
/// Guarantees: as many reads as there are segments, and those of one segment's records; no record
/// is kept in memory.
#[tokio::test(start_paused = true)]
async fn opening_reads_headers_and_one_segment_whatever_the_backlog() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..400).await;
    kill(spool);
    let budget = home.budget.used_bytes();
    let spool = home.open();
    let reads = faults(&spool).count(Operation::Read);
    assert!(reads <= 100 + 10, "{reads} reads for 100 segments");
    assert_eq!(home.budget.used_bytes(), budget);
    assert_eq!(spool.stats().memory_bytes, 0);
    assert_eq!(spool.stats().cursors[0].queued.items, 4000);
}

#[tokio::test(start_paused = true)]
async fn senders_that_wait_together_share_one_sync() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..1).await;
    let before = faults(&spool).count(Operation::Sync);
    let mut reservations = Vec::new();
    for record in 1..4 {
        reservations.push((record, spool.reserve(&ten(record)).await.unwrap()));
    }
    // While the writer is held up, all others gather behind it.
    let held = locked(&disk(&spool).writer);
    let acceptances: Vec<_> = reservations
        .into_iter()
        .map(|(record, reservation)| reservation.append(ten(record)))
        .collect();
    drop(held);
    for acceptance in acceptances {
        acceptance.kept().await.unwrap();
    }
    let syncs = faults(&spool).count(Operation::Sync) - before;
    assert!(syncs <= 2, "{syncs} syncs for three records");
    assert_eq!(drain(&spool, "x").await, [0, 1, 2, 3]);
}

fn charged(budget: &Budget, record: u64) -> Option<Batch> {
    let charge = budget.try_charge(80)?;
    let batch = ten(record);
    Some(Batch::new(batch.signal, batch.payload, batch.items, charge))
}

/// Scenario: an exporter is dead, and its spool on disk takes a hundred times the byte budget.
/// Guarantees: nobody is refused for want of memory, and everything is delivered afterwards.
#[tokio::test(start_paused = true)]
async fn a_dead_exporter_does_not_hold_the_budget() {
    let mut home = Home::new(&["x"]);
    home.window_bytes = 1 << 20;
    home.budget = Budget::new(1_000);
    let spool = home.open();
    for record in 0..1_000 {
        let batch = charged(&home.budget, record).expect("the budget is free again");
        spool.append(batch).await.unwrap();
    }
    assert_eq!(drain(&spool, "x").await, (0..1_000).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn the_window_is_given_up_when_others_need_the_budget() {
    let mut home = Home::new(&["x"]);
    home.window_bytes = 1 << 20;
    home.budget = Budget::new(1_000);
    let spool = home.open();
    for record in 0..5 {
        let batch = charged(&home.budget, record).unwrap();
        spool.append(batch).await.unwrap();
    }
    assert_eq!(home.budget.used_bytes(), 400);
    let _other = home.budget.try_charge(500).unwrap();
    tend(&spool).await;
    assert_eq!(home.budget.used_bytes(), 500);
}

#[tokio::test(start_paused = true)]
async fn who_keeps_up_is_served_from_memory() {
    let mut home = Home::new(&["x"]);
    home.window_bytes = 1 << 20;
    let spool = home.open();
    let before = faults(&spool).count(Operation::Read);
    let mut cursor = spool.cursor("x").unwrap();
    for record in 0..20 {
        append(&spool, record..record + 1).await;
        assert_eq!(deliver(&mut cursor).await, record);
    }
    assert_eq!(faults(&spool).count(Operation::Read), before);
    assert_eq!(spool.stats().memory_bytes, 0);
}

#[tokio::test(start_paused = true)]
async fn time_does_not_run_backwards_over_a_restart() {
    let mut home = Home::new(&["x"]);
    home.cursors[0].limits.age = Some(Duration::from_secs(3_600));
    let spool = home.open();
    tokio::time::sleep(Duration::from_secs(86_400)).await;
    append(&spool, 0..1).await;
    kill(spool);
    // The wall clock of the new process is a day behind: nothing becomes older by that.
    let spool = home.open();
    assert_eq!(spool.stats().cursors[0].oldest_age, Some(Duration::ZERO));
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    spool.inner.measure_and_expire();
    append(&spool, 1..2).await;
    assert_eq!(drain(&spool, "x").await, [1]);
    assert_eq!(spool.stats().cursors[0].tally.dropped.get("too_old"), 10);
}

#[tokio::test(start_paused = true)]
async fn the_space_of_an_idle_spool_comes_back() {
    let home = Home::new(&["x"]);
    let spool = home.open();
    spool.append(batch(0..200_000)).await.unwrap();
    let mut cursor = spool.cursor("x").unwrap();
    let lot = take(&mut cursor).await;
    let tally = Tally {
        delivered: 200_000,
        ..Tally::default()
    };
    cursor.settle(lot.span, &tally);
    tend(&spool).await;
    assert_eq!(spool.stats().disk.unwrap().bytes, 64);
    append(&spool, 1..2).await;
    drop(cursor);
    kill(spool);
    assert_eq!(drain(&home.open(), "x").await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_new_exporter_gets_what_is_still_there() {
    let mut home = Home::new(&["x"]);
    let spool = home.open();
    append(&spool, 0..3).await;
    finish(spool).await;
    home.cursors.push(cursor("y"));
    let spool = home.open();
    assert_eq!(drain(&spool, "y").await, [0, 1, 2]);
    assert_balanced(&spool.stats());
}
