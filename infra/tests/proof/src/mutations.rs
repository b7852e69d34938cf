//! Seeded faults: each is put into the copy alone, and something must notice.
//!
//! The judges are asked from the cheapest to the dearest: validate, the module's own tests, the plans
//! of the stacks that use it with policy, words and price, and the golden files. A fault whose text is no longer
//! found fails the suite: it would test nothing.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::{Context, Result, bail, ensure};
use serde::Deserialize;

use crate::stack::{Bench, Drift, raise};
use crate::tool::{self, Tool};
use crate::{Settings, cost, enums, golden, policy, stack, tree};

/// The least share of faults that must be caught, in percent.
const CAUGHT_PERCENT_MIN: usize = 95;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Fault {
    /// Below `modules/` or `live/`.
    file: String,
    find: String,
    replace: String,
    /// What the fault would do.
    harm: String,
}

pub(crate) fn run(settings: &Settings) -> Result<()> {
    let path = settings.infra.join("tests/mutations/faults.json");
    let faults: Vec<Fault> = serde_json::from_str(
        &std::fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?,
    )?;
    // Two copies are worked on side by side: the tools leave one core idle half of the time.
    let next = AtomicUsize::new(0);
    let verdicts = std::thread::scope(|scope| {
        let lanes: Vec<_> = (0..2)
            .map(|number| {
                scope.spawn({
                    let (faults, next) = (&faults, &next);
                    move || Lane::new(settings, number)?.work(faults, next)
                })
            })
            .collect();
        let mut all = Vec::new();
        for lane in lanes {
            let done = lane
                .join()
                .map_err(|_| anyhow::anyhow!("a lane panicked"))??;
            all.extend(done);
        }
        Ok::<_, anyhow::Error>(all)
    })?;
    let mut caught: BTreeMap<&str, usize> = BTreeMap::new();
    let mut missed = Vec::new();
    for (index, judge) in verdicts {
        match judge {
            Some(judge) => *caught.entry(judge).or_default() += 1,
            None => missed.push(format!("{}: {}", faults[index].file, faults[index].harm)),
        }
    }
    let count: usize = caught.values().sum();
    println!(
        "mutations: {count} of {} faults caught, by {caught:?}",
        faults.len()
    );
    for line in &missed {
        println!("  not caught: {line}");
    }
    if count * 100 < faults.len() * CAUGHT_PERCENT_MIN {
        bail!("less than {CAUGHT_PERCENT_MIN} percent of the faults are caught");
    }
    Ok(())
}

/// Which judge caught the fault of this number, if one did.
type Verdict = (usize, Option<&'static str>);

/// A copy of the configuration with what is needed to judge one fault after the other.
struct Lane {
    settings: Settings,
    bench: Bench,
    tool: Tool,
    /// The plans of the faultless configuration, one per stack.
    plans: PathBuf,
    number: usize,
}

impl Lane {
    /// Brings all stacks up once and makes sure that every judge accepts what has no fault.
    fn new(settings: &Settings, number: usize) -> Result<Self> {
        let work = settings.work.join(format!("lane-{number}"));
        let settings = Settings {
            work,
            ..settings.clone()
        };
        std::fs::create_dir_all(&settings.work)?;
        let tool = Tool::tofu(&settings)?;
        let bench = Bench::new(&settings, "mutations")?;
        for folder in bench.modules()? {
            bench.init(&tool, &folder)?;
        }
        let plans = settings.work.join("plans");
        raise(&bench, &tool, &[], &plans, Drift::Ignored)?;
        for stack in bench.stacks()? {
            bench.forget_own_state(&tool, &stack)?;
        }
        let lane = Self {
            settings,
            bench,
            tool,
            plans,
            number,
        };
        let stacks = lane.bench.stacks()?;
        if let Some(judge) = lane.judge_stacks(&stacks)? {
            bail!("{judge} refuses the configuration before any fault is put in");
        }
        Ok(lane)
    }

    fn work(&self, faults: &[Fault], next: &AtomicUsize) -> Result<Vec<Verdict>> {
        let mut verdicts = Vec::new();
        loop {
            let index = next.fetch_add(1, Ordering::Relaxed);
            let Some(fault) = faults.get(index) else {
                return Ok(verdicts);
            };
            verdicts.push((index, self.judge(fault)?));
        }
    }

    fn judge(&self, fault: &Fault) -> Result<Option<&'static str>> {
        let mut files = vec![self.bench.root.join(&fault.file)];
        if Path::new(&fault.file).parent() == Some(Path::new("live/dev")) {
            // In the tree the stacks link to this file, in the copy each has its own.
            let name = stack::file_name(&files[0]);
            files.extend(
                self.bench
                    .stacks()?
                    .into_iter()
                    .map(|stack| stack.join(&name)),
            );
        }
        let whole = std::fs::read_to_string(&files[0])
            .with_context(|| format!("fault in {}: no such file", fault.file))?;
        ensure!(
            whole.matches(&fault.find).count() == 1,
            "fault in {}: {:?} must stand there exactly once",
            fault.file,
            fault.find
        );
        let faulty = whole.replacen(&fault.find, &fault.replace, 1);
        for file in &files {
            std::fs::write(file, &faulty)?;
        }
        let judge = self.caught_by(&fault.file)?;
        for file in &files {
            std::fs::write(file, &whole)?;
        }
        Ok(judge)
    }

    fn caught_by(&self, file: &str) -> Result<Option<&'static str>> {
        let mut parts = file.split('/');
        let mut stacks = self.bench.stacks()?;
        match (parts.next(), parts.next(), parts.next()) {
            (Some("modules"), Some(name), _) => {
                let module = self.bench.root.join("modules").join(name);
                if self.fails(&module, &["validate"])? {
                    return Ok(Some("validate"));
                }
                if self.fails(&module, &["test"])? {
                    return Ok(Some("tests"));
                }
                let call = format!("modules/{name}\"");
                stacks.retain(|stack| {
                    std::fs::read_to_string(stack.join("main.tf"))
                        .is_ok_and(|text| text.contains(&call))
                });
            }
            (_, _, Some(stack)) if !stack.ends_with(".tf") => {
                stacks.retain(|path| path.ends_with(stack));
            }
            _ => {}
        }
        self.judge_stacks(&stacks)
    }

    /// Plans the touched stacks anew, takes the others' plans as they were, and asks all judges.
    fn judge_stacks(&self, stacks: &[PathBuf]) -> Result<Option<&'static str>> {
        let fresh = self.settings.work.join("plans-fault");
        if fresh.exists() {
            std::fs::remove_dir_all(&fresh)?;
        }
        tree::copy(&self.plans, &fresh)?;
        for stack in stacks {
            if self.fails(stack, &["plan", "-out=fault.tfplan"])? {
                return Ok(Some("plan"));
            }
            let mut show = self.bench.command(&self.tool, stack);
            let shown = tool::run(show.args(["show", "-json", "fault.tfplan"]))?;
            let name = format!("{}.json", stack::file_name(stack));
            std::fs::write(fresh.join(name), shown.stdout)?;
        }
        let infra = &self.settings.infra;
        let files = tree::files(&fresh, "json")?;
        if policy::refusals(infra, &files).map_or(true, |sentences| !sentences.is_empty()) {
            return Ok(Some("policy"));
        }
        if enums::judge(infra, &files).map_or(true, |(_, faults)| !faults.is_empty()) {
            return Ok(Some("words"));
        }
        if cost::priced(infra, &files).map_or(true, |bill| bill.over_budget()) {
            return Ok(Some("price"));
        }
        let copy = Settings {
            infra: self.mirror()?,
            ..self.settings.clone()
        };
        let differs = golden::differences(&copy).map_or(true, |(_, faults)| !faults.is_empty());
        Ok(differs.then_some("golden"))
    }

    fn fails(&self, folder: &Path, words: &[&str]) -> Result<bool> {
        let mut command = self.bench.command(&self.tool, folder);
        let output = command.args(words).arg("-no-color").output()?;
        Ok(match output.status.code() {
            Some(0) => false,
            Some(1) => true,
            _ => bail!("{}", tool::report(&command, &output)),
        })
    }

    /// A folder that looks like `infra/` with the faulty modules, for the golden files.
    fn mirror(&self) -> Result<PathBuf> {
        let root = self.settings.work.join(format!("mirror-{}", self.number));
        if root.exists() {
            std::fs::remove_dir_all(&root)?;
        }
        tree::copy(&self.bench.root.join("modules"), &root.join("modules"))?;
        tree::copy(
            &self.settings.infra.join("tests/golden"),
            &root.join("tests/golden"),
        )?;
        Ok(root)
    }
}
