//! Modules and stacks under the real tools: init, validate, test, and the life of all stacks.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail, ensure};

use crate::stub::Stub;
use crate::tool::{self, Tool};
use crate::{Settings, cost, policy, tree};

/// The copy of the configuration that the tools work in.
#[derive(Debug)]
pub(crate) struct Bench {
    pub(crate) root: PathBuf,
    pub(crate) stub: Stub,
}

impl Bench {
    pub(crate) fn new(settings: &Settings, name: &str) -> Result<Self> {
        let root = settings.work.join(name);
        if root.exists() {
            std::fs::remove_dir_all(&root)?;
        }
        for folder in ["modules", "live"] {
            tree::copy(&settings.infra.join(folder), &root.join(folder))?;
        }
        Ok(Self {
            root,
            stub: Stub::start(settings)?,
        })
    }

    pub(crate) fn modules(&self) -> Result<Vec<PathBuf>> {
        tree::folders(&self.root.join("modules"))
    }

    pub(crate) fn stacks(&self) -> Result<Vec<PathBuf>> {
        let mut stacks = tree::folders(&self.root.join("live/dev"))?;
        stacks.retain(|path| path.join("main.tf").exists());
        Ok(stacks)
    }

    /// A command in `folder`; each tool and folder has working files of its own.
    pub(crate) fn command(&self, tool: &Tool, folder: &Path) -> std::process::Command {
        tool.command(folder, &self.data(tool, folder), &self.stub.reattach(tool))
    }

    fn data(&self, tool: &Tool, folder: &Path) -> PathBuf {
        let name = folder.strip_prefix(&self.root).unwrap_or(folder);
        let name = name.to_string_lossy().replace('/', "-");
        self.root.join(".data").join(tool.name).join(name)
    }

    /// Once per tool and folder: what a run writes there serves the next one too.
    pub(crate) fn init(&self, tool: &Tool, folder: &Path) -> Result<()> {
        if self.data(tool, folder).exists() {
            return Ok(());
        }
        tool::run(
            self.command(tool, folder)
                .args(["init", "-input=false", "-no-color"]),
        )?;
        Ok(())
    }

    /// Puts a stack's state into a local file, where it would lie in the bucket.
    pub(crate) fn localize(&self, tool: &Tool, stack: &Path) -> Result<PathBuf> {
        let states = self.root.join(".states").join(tool.name);
        std::fs::create_dir_all(&states)?;
        let state = states.join(format!("{}.tfstate", file_name(stack)));
        let text = format!(
            "terraform {{\n  backend \"local\" {{\n    path = {:?}\n  }}\n}}\n",
            state.to_string_lossy()
        );
        std::fs::write(stack.join("backend_override.tf"), text)?;
        Ok(states)
    }
}

impl Bench {
    /// Lets the next `raise` begin from nothing; the stub keeps no state of its own.
    fn forget_states(&self) -> Result<()> {
        std::fs::remove_dir_all(self.root.join(".states")).context("removing the states")
    }

    /// Lets a stack be planned from nothing while the others' states stay readable.
    pub(crate) fn forget_own_state(&self, tool: &Tool, stack: &Path) -> Result<()> {
        let text = "terraform {\n  backend \"local\" {\n    path = \"none.tfstate\"\n  }\n}\n";
        std::fs::write(stack.join("backend_override.tf"), text)?;
        tool::run(
            self.command(tool, stack)
                .args(["init", "-reconfigure", "-no-color"]),
        )?;
        Ok(())
    }
}

pub(crate) fn file_name(path: &Path) -> String {
    path.file_name()
        .map(|name| name.to_string_lossy().into_owned())
        .unwrap_or_default()
}

pub(crate) fn validate(settings: &Settings) -> Result<()> {
    let bench = Bench::new(settings, "validate")?;
    for tool in Tool::all(settings)? {
        let mut count = 0;
        for folder in bench.modules()?.into_iter().chain(bench.stacks()?) {
            if folder.starts_with(bench.root.join("live")) {
                bench.localize(&tool, &folder)?;
            }
            bench.init(&tool, &folder)?;
            tool::run(
                bench
                    .command(&tool, &folder)
                    .args(["validate", "-no-color"]),
            )?;
            count += 1;
        }
        println!("validate: {count} modules and stacks with {}", tool.name);
    }
    Ok(())
}

pub(crate) fn test(settings: &Settings) -> Result<()> {
    let bench = Bench::new(settings, "test")?;
    for tool in Tool::all(settings)? {
        let mut runs = 0;
        for module in bench.modules()? {
            ensure!(
                module.join("tests").is_dir(),
                "module {} has no tests folder",
                file_name(&module)
            );
            bench.init(&tool, &module)?;
            let output = tool::run(bench.command(&tool, &module).args(["test", "-no-color"]))?;
            let text = String::from_utf8_lossy(&output.stdout);
            let passed = passed_runs(&text)
                .with_context(|| format!("no count in the test output of {module:?}: {text}"))?;
            ensure!(passed > 0, "module {} has no test run", file_name(&module));
            runs += passed;
        }
        println!("test: {runs} runs with {}", tool.name);
    }
    Ok(())
}

/// `Success! 25 passed, 0 failed.`
fn passed_runs(text: &str) -> Option<u32> {
    let line = text.lines().find(|line| line.starts_with("Success!"))?;
    line.split_whitespace().nth(1)?.parse().ok()
}

/// Every branch that the lab's own values do not take.
const OPTIONS: &[(&str, &str)] = &[
    ("routing", "\"bgp\""),
    (
        "database",
        "{ ami_id = \"ami-0123456789abcdef0\", bootstrap = \"full\", instance_type = \"t2.medium\" }",
    ),
    (
        "agent_artifact",
        "{ key = \"skybridge\", sha256 = \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\" }",
    ),
    ("observability_place", "\"aws\""),
    (
        "certificate_arn",
        "\"arn:aws:acm:ap-northeast-2:123456789012:certificate/x\"",
    ),
    ("eks_public_access_cidrs", "[\"203.0.113.7/32\"]"),
    ("cloudwatch_otlp", "false"),
];

/// Plans and applies all stacks in order, finds no drift, and destroys them in reverse. The plans
/// are kept as `plans/STACK.json` for the price and the policy.
pub(crate) fn plan(settings: &Settings) -> Result<()> {
    for tool in Tool::all(settings)? {
        let bench = Bench::new(settings, &format!("plan-{}", tool.name))?;
        let plans = settings.work.join("plans");
        if plans.exists() {
            std::fs::remove_dir_all(&plans)?;
        }
        let states = raise(&bench, &tool, &[], &plans, Drift::Sought)?;
        lower(&bench, &tool, &states)?;
        if tool.name == "tofu" {
            bench.forget_states()?;
            let options = settings.work.join("plans-options");
            raise(&bench, &tool, OPTIONS, &options, Drift::Ignored)?;
            policy::check(&settings.infra, &tree::files(&options, "json")?)?;
        }
        println!(
            "plan: {} stacks lived and died with {}",
            bench.stacks()?.len(),
            tool.name
        );
    }
    Ok(())
}

/// The plans that the last `plan` left behind.
pub(crate) fn kept_plans(settings: &Settings) -> Result<Vec<PathBuf>> {
    let plans = tree::files(&settings.work.join("plans"), "json")
        .context("no plans: run the command plan first")?;
    ensure!(!plans.is_empty(), "no plans: run the command plan first");
    Ok(plans)
}

/// Prices every profile from plans of its own, judges them, and sees the lab's first sizing refused.
pub(crate) fn profiles(settings: &Settings) -> Result<()> {
    let tool = Tool::tofu(settings)?;
    let bench = Bench::new(settings, "profiles")?;
    let mut bills = Vec::new();
    for profile in ["always", "soft", "lab"] {
        let plans = settings.work.join(format!("plans-{profile}"));
        let own = [("profile", &*format!("{profile:?}"))];
        raise(&bench, &tool, &own, &plans, Drift::Ignored)?;
        bench.forget_states()?;
        let files = tree::files(&plans, "json")?;
        policy::check(&settings.infra, &files)?;
        bills.push(cost::judge(&settings.infra, &files)?);
    }
    let plans = settings.work.join("plans-large");
    let large = [
        ("profile", "\"always\""),
        (
            "database",
            "{ ami_id = \"ami-0123456789abcdef0\", instance_type = \"t2.medium\" }",
        ),
        ("eks_nodes", "{ instance_type = \"t3.large\" }"),
    ];
    raise(&bench, &tool, &large, &plans, Drift::Ignored)?;
    match cost::judge(&settings.infra, &tree::files(&plans, "json")?) {
        Ok(bill) => bail!(
            "the first sizing costs {:.2} and was not refused",
            bill.total()
        ),
        Err(error) => println!("refused as it must be: {error}"),
    }
    std::fs::write(settings.work.join("cost.md"), cost::markdown(&bills))?;
    Ok(())
}

/// Points a stack's copy at local state and sets the caller's own variables. The file's name sorts
/// after the shared file of values, so that it wins for every command alike.
pub(crate) fn set_variables(stack: &Path, states: &Path, own: &[(&str, &str)]) -> Result<()> {
    let states = format!("{:?}", states.to_string_lossy());
    let fixed = [
        ("state_backend", "\"local\""),
        ("state_location", states.as_str()),
        // The calendar checks count from a fixed day: a proof must not expire.
        ("today", "\"2026-11-24\""),
    ];
    let lines: String = fixed
        .iter()
        .chain(own)
        .map(|(name, value)| format!("{name} = {value}\n"))
        .collect();
    std::fs::write(stack.join("proof.auto.tfvars"), lines)?;
    Ok(())
}

/// Whether a second plan must find nothing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Drift {
    Sought,
    Ignored,
}

/// Brings all stacks up, writes each plan as JSON, and returns the folder of the states.
pub(crate) fn raise(
    bench: &Bench,
    tool: &Tool,
    own: &[(&str, &str)],
    plans: &Path,
    drift: Drift,
) -> Result<PathBuf> {
    std::fs::create_dir_all(plans)?;
    let mut states = PathBuf::new();
    for stack in bench.stacks()? {
        states = bench.localize(tool, &stack)?;
        set_variables(&stack, &states, own)?;
        bench.init(tool, &stack)?;
        let mut plan = bench.command(tool, &stack);
        tool::run(plan.args(["plan", "-no-color", "-out=stack.tfplan"]))?;
        let shown = tool::run(
            bench
                .command(tool, &stack)
                .args(["show", "-json", "stack.tfplan"]),
        )?;
        std::fs::write(
            plans.join(format!("{}.json", file_name(&stack))),
            &shown.stdout,
        )?;
        let mut apply = bench.command(tool, &stack);
        tool::run(apply.args(["apply", "-no-color", "stack.tfplan"]))?;
        if drift == Drift::Ignored {
            continue;
        }
        let mut again = bench.command(tool, &stack);
        again.args(["plan", "-no-color", "-detailed-exitcode"]);
        let output = again.output()?;
        match output.status.code() {
            Some(0) => {}
            Some(2) => bail!(
                "a second plan wants changes:\n{}",
                tool::report(&again, &output)
            ),
            _ => bail!("{}", tool::report(&again, &output)),
        }
    }
    Ok(states)
}

/// Destroys in reverse order; what outlives a stack must not be touched by its end.
fn lower(bench: &Bench, tool: &Tool, states: &Path) -> Result<()> {
    let stacks = bench.stacks()?;
    for (index, stack) in stacks.iter().enumerate().rev() {
        let before: Vec<Vec<u8>> = stacks[..index]
            .iter()
            .map(|older| read_state(states, older))
            .collect::<Result<_>>()?;
        let mut destroy = bench.command(tool, stack);
        destroy.args(["destroy", "-no-color", "-auto-approve"]);
        tool::run(&mut destroy)?;
        for (older, content) in stacks[..index].iter().zip(before) {
            ensure!(
                read_state(states, older)? == content,
                "destroying {} changed {}",
                file_name(stack),
                file_name(older)
            );
        }
    }
    Ok(())
}

fn read_state(states: &Path, stack: &Path) -> Result<Vec<u8>> {
    let path = states.join(format!("{}.tfstate", file_name(stack)));
    std::fs::read(&path).with_context(|| format!("reading {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_count_of_passed_runs_is_read() {
        assert_eq!(passed_runs("x\nSuccess! 25 passed, 0 failed.\n"), Some(25));
        assert_eq!(passed_runs("Failure! 0 passed, 1 failed."), None);
    }
}
