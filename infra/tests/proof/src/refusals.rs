//! Impossible wishes: each is refused, with a sentence that says what to change.

use anyhow::{Result, ensure};

use crate::stack::{Bench, Drift, raise, set_variables};
use crate::tool::{self, Tool};
use crate::{Settings, policy, tree};

/// Variable, the value that cannot work, and words of the sentence that must come.
const WISHES: &[(&str, &str, &str)] = &[
    (
        "vpc_cidr",
        "\"172.16.0.0/16\"",
        "Give one of each pair another range",
    ),
    (
        "service_cidr",
        "\"10.0.0.0/16\"",
        "services (10.0.0.0/16) and vpc (10.0.0.0/16)",
    ),
    (
        "asn",
        "{ amazon = 65000, onprem = 65000 }",
        "asn.amazon and asn.onprem must differ",
    ),
    (
        "asn",
        "{ amazon = 64512, onprem = 4766 }",
        "onprem_asn must be a private number",
    ),
    (
        "availability_zones",
        "[\"ap-northeast-2a\", \"ap-northeast-2b\"]",
        "availability_zones must name three zones",
    ),
    (
        "eks_version",
        "\"1.34\"",
        "set eks_version to a newer version",
    ),
    (
        "monthly_budget_usd",
        "900",
        "monthly_budget_usd must lie between 1 and 450",
    ),
    (
        "customer_gateway_ip",
        "\"192.168.0.9\"",
        "give the router's public address here",
    ),
    ("nat_mode", "\"per_az\"", "Set nat_mode to single"),
    ("region", "\"us-east-1\"", "region must be ap-northeast-2"),
    (
        "eks_public_access_cidrs",
        "[\"0.0.0.0/0\"]",
        "must never be the whole Internet",
    ),
];

pub(crate) fn check(settings: &Settings) -> Result<()> {
    let tool = Tool::tofu(settings)?;
    let bench = Bench::new(settings, "refusals")?;
    let plans = settings.work.join("plans-refusals");
    let states = raise(&bench, &tool, &[], &plans, Drift::Ignored)?;
    let network = bench.root.join("live/dev/10-network");
    for (name, value, sentence) in WISHES {
        set_variables(&network, &states, &[(name, value)])?;
        let output = bench
            .command(&tool, &network)
            .args(["plan", "-no-color"])
            .output()?;
        let said = flat(&output.stderr);
        ensure!(!output.status.success(), "{name} = {value} is not refused");
        ensure!(
            said.contains(sentence),
            "{name} = {value} is refused without {sentence:?}: {said}"
        );
    }
    the_tunnel_stays(settings, &bench, &tool, &states)?;
    println!(
        "refusals: {} wishes refused, and a plan that would replace the tunnel",
        WISHES.len()
    );
    Ok(())
}

/// Scenario: the site gets another public address while the tunnel exists.
/// Guarantees: the plan that would replace the customer gateway is refused by the policy.
fn the_tunnel_stays(
    settings: &Settings,
    bench: &Bench,
    tool: &Tool,
    states: &std::path::Path,
) -> Result<()> {
    let network = bench.root.join("live/dev/10-network");
    set_variables(
        &network,
        states,
        &[("customer_gateway_ip", "\"203.0.113.8\"")],
    )?;
    tool::run(
        bench
            .command(tool, &network)
            .args(["plan", "-no-color", "-out=moved.tfplan"]),
    )?;
    let shown = tool::run(
        bench
            .command(tool, &network)
            .args(["show", "-json", "moved.tfplan"]),
    )?;
    let folder = settings.work.join("plans-moved");
    std::fs::create_dir_all(&folder)?;
    std::fs::write(folder.join("10-network.json"), shown.stdout)?;
    let sentences = policy::refusals(&settings.infra, &tree::files(&folder, "json")?)?;
    ensure!(
        sentences.iter().any(|line| line.starts_with("vpn_kept: ")),
        "a plan that replaces the customer gateway says {sentences:?}"
    );
    Ok(())
}

/// The tools wrap and frame their sentences; the words are what counts.
fn flat(text: &[u8]) -> String {
    String::from_utf8_lossy(text)
        .replace(['\u{2502}', '\u{2577}', '\u{2575}'], " ")
        .split_whitespace()
        .collect::<Vec<_>>()
        .join(" ")
}
