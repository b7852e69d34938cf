//! A spool on disk against a simple model, through any sequence of appends, deliveries, failures,
//! kills and torn ends.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

#[derive(Clone, Debug)]
enum Step {
    /// Appends this many records at once.
    Append(u64),
    /// Delivers up to this many records at a cursor.
    Deliver(usize, usize),
    /// Takes a record and loses it with its driver.
    Abandon(usize),
    Tend,
    /// The next write, or the next sync, fails.
    FailWrite,
    FailSync,
    /// Ends the process, and starts again.
    Finish,
    /// Kills the process, with so many bytes of a write that was never synced left behind.
    Kill(usize),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => (1..6_u64).prop_map(Step::Append),
        4 => (0..2_usize, 1..8_usize).prop_map(|(cursor, records)| Step::Deliver(cursor, records)),
        1 => (0..2_usize).prop_map(Step::Abandon),
        2 => Just(Step::Tend),
        1 => Just(Step::FailWrite),
        1 => Just(Step::FailSync),
        1 => Just(Step::Finish),
        1 => (0..300_usize).prop_map(Step::Kill),
    ]
}

/// What must be true: each acknowledged record is delivered to each cursor at least once, each
/// cursor's records arrive in order between two starts, and the accounts balance.
struct Model {
    home: Home,
    spool: Option<Spool>,
    next: u64,
    acknowledged: BTreeSet<u64>,
    delivered: [BTreeSet<u64>; 2],
    newest: [Option<u64>; 2],
}

const NAMES: [&str; 2] = ["x", "y"];

impl Model {
    fn new() -> Self {
        let home = Home::new(&NAMES);
        Self {
            spool: Some(home.open()),
            home,
            next: 0,
            acknowledged: BTreeSet::new(),
            delivered: Default::default(),
            newest: Default::default(),
        }
    }

    fn spool(&self) -> &Spool {
        self.spool.as_ref().unwrap()
    }

    async fn run(&mut self, step: Step) {
        match step {
            Step::Append(records) => self.append(records).await,
            Step::Deliver(cursor, records) => self.deliver(cursor, records).await,
            Step::Abandon(cursor) => {
                try_take(&mut self.spool().cursor(NAMES[cursor]).unwrap()).await;
            }
            Step::Tend => tend(self.spool()).await,
            Step::FailWrite => faults(self.spool()).order(Operation::Write, 1, ENOSPC),
            Step::FailSync => faults(self.spool()).order(Operation::Sync, 1, EIO),
            Step::Finish => {
                faults(self.spool()).clear();
                finish(self.spool.take().unwrap()).await;
                self.start();
            }
            Step::Kill(torn) => {
                kill(self.spool.take().unwrap());
                self.tear(torn);
                self.start();
            }
        }
        assert_balanced(&self.spool().stats());
    }

    async fn append(&mut self, records: u64) {
        let mut acceptances = Vec::new();
        for _ in 0..records {
            let record = self.next;
            self.next += 1;
            let reservation = self.spool().reserve(&ten(record)).await.unwrap();
            acceptances.push((record, reservation.append(ten(record))));
        }
        for (record, acceptance) in acceptances {
            if acceptance.kept().await.is_ok() {
                self.acknowledged.insert(record);
            }
        }
    }

    async fn deliver(&mut self, cursor: usize, records: usize) {
        let mut handle = self.spool().cursor(NAMES[cursor]).unwrap();
        for _ in 0..records {
            let Some(record) = try_deliver(&mut handle).await else {
                break;
            };
            assert!(
                self.newest[cursor] < Some(record),
                "records arrive in order"
            );
            self.newest[cursor] = Some(record);
            self.delivered[cursor].insert(record);
        }
    }

    /// Leaves the beginning of a record that was being written.
    fn tear(&self, len: usize) {
        let Some(name) = self.home.segment_names().pop() else {
            return;
        };
        let mut bytes = self.home.read(&name);
        let rubbish = [b"SkyR".as_slice(), &[0xa5; 300]].concat();
        bytes.extend_from_slice(&rubbish[..len]);
        self.home.write(&name, &bytes);
    }

    fn start(&mut self) {
        self.spool = Some(self.home.open());
        self.newest = Default::default();
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn every_acknowledged_record_is_delivered(
        steps in prop::collection::vec(step(), 1..40),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_time()
            .start_paused(true)
            .build()
            .unwrap();
        runtime.block_on(async {
            let mut model = Model::new();
            for step in steps {
                model.run(step).await;
            }
            model.run(Step::Kill(0)).await;
            for (cursor, name) in NAMES.iter().enumerate() {
                model.deliver(cursor, usize::MAX).await;
                let lost: Vec<_> = model.acknowledged.difference(&model.delivered[cursor]).collect();
                assert!(lost.is_empty(), "lost {lost:?} at {name}");
                let stats = model.spool().stats();
                assert_eq!(stats.cursors[cursor].tally.dropped.total(), 0);
            }
        });
    }
}
