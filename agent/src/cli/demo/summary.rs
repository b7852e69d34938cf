//! The ledger of both programs, read from their own metrics and shown as one table.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::Settings;

/// A local answer that takes longer is as good as none.
const ANSWER: Duration = Duration::from_secs(1);

/// What both programs said; a program that does not answer has an empty account.
#[derive(Debug, Default)]
pub(super) struct Read {
    pub(super) agent: Account,
    pub(super) collector: Account,
}

/// Sums by (pipeline, exporter).
pub(super) type Account = BTreeMap<(String, String), Row>;

/// The fate of the items of one exporter of one pipeline.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Row {
    accepted: u64,
    delivered: u64,
    queued: u64,
    refused: u64,
    rejected: u64,
    dropped: u64,
}

/// Reads the accounts of both programs.
pub(super) async fn read(settings: &Settings) -> Read {
    let agent = get(settings.ports.agent_metrics, "/metrics").await;
    let collector = read_collector(settings).await;
    Read {
        agent: account(&agent.unwrap_or_default()),
        collector,
    }
}

/// Reads the collector's account alone.
pub(super) async fn read_collector(settings: &Settings) -> Account {
    account(
        &get(settings.ports.collector_metrics, "/metrics")
            .await
            .unwrap_or_default(),
    )
}

/// The table that the user sees.
pub(super) fn table(agent: &Account, collector: &Account) -> String {
    let mut text = format!(
        "{:<10} {:<8} {:<24} {:>10} {:>10} {:>8} {:>8} {:>8} {:>8}",
        "program", "pipeline", "exporter", "in", "out", "queued", "refused", "rejected", "dropped"
    );
    for (program, account) in [("agent", agent), ("collector", collector)] {
        for ((pipeline, exporter), row) in account {
            text.push_str(&format!(
                "\n{program:<10} {pipeline:<8} {exporter:<24} {:>10} {:>10} {:>8} {:>8} {:>8} {:>8}",
                row.accepted, row.delivered, row.queued, row.refused, row.rejected, row.dropped
            ));
        }
    }
    text
}

/// Body of a 200 answer to GET on 127.0.0.1.
///
/// # Errors
/// When nothing answers, or not with 200.
pub(super) async fn get(port: u16, path: &str) -> std::io::Result<String> {
    let exchange = async {
        let mut answer = String::new();
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        let request = format!("GET {path} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n");
        stream.write_all(request.as_bytes()).await?;
        stream.read_to_string(&mut answer).await?;
        std::io::Result::Ok(answer)
    };
    let answer = timeout(ANSWER, exchange)
        .await
        .map_err(std::io::Error::from)??;
    match answer.split_once("\r\n\r\n") {
        Some((head, body)) if head.split(' ').nth(1) == Some("200") => Ok(body.to_owned()),
        _ => Err(std::io::Error::other(format!("no 200 from port {port}"))),
    }
}

/// Picks the ledger's series out of an exposition.
fn account(exposition: &str) -> Account {
    let mut account = Account::new();
    for line in exposition
        .lines()
        .filter(|line| line.starts_with("skybridge_"))
    {
        let Some((series, value)) = line.rsplit_once(' ') else {
            continue;
        };
        let Some((name, labels)) = series.split_once('{') else {
            continue;
        };
        let (Some(pipeline), Some(exporter)) =
            (label(labels, "pipeline"), label(labels, "exporter"))
        else {
            continue;
        };
        // Counters are whole numbers; anything else is not one of ours.
        let Ok(value) = value.parse::<u64>() else {
            continue;
        };
        let row = account.entry((pipeline, exporter)).or_default();
        match name {
            "skybridge_exporter_accepted_items_total" => row.accepted += value,
            "skybridge_exporter_delivered_items_total" => row.delivered += value,
            "skybridge_exporter_queued_items" => row.queued += value,
            "skybridge_exporter_refused_items_total" => row.refused += value,
            "skybridge_exporter_rejected_items_total" => row.rejected += value,
            "skybridge_exporter_dropped_items_total" => row.dropped += value,
            _ => {}
        }
    }
    account
}

/// Value of `name` in the text between the braces; our ids hold no escapes.
fn label(labels: &str, name: &str) -> Option<String> {
    let (_, after) = labels.split_once(&format!("{name}=\""))?;
    after.split_once('"').map(|(value, _)| value.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn series_of_one_exporter_become_one_row() {
        let account = account(
            "# TYPE skybridge_exporter_delivered_items_total counter\n\
             skybridge_exporter_accepted_items_total{exporter=\"loki\",pipeline=\"logs\"} 12\n\
             skybridge_exporter_delivered_items_total{exporter=\"loki\",pipeline=\"logs\"} 7\n\
             skybridge_exporter_dropped_items_total{exporter=\"loki\",pipeline=\"logs\",reason=\"a\"} 2\n\
             skybridge_exporter_dropped_items_total{exporter=\"loki\",pipeline=\"logs\",reason=\"b\"} 1\n\
             skybridge_exporter_queued_items{exporter=\"loki\",pipeline=\"logs\"} 2\n",
        );
        let row = account[&("logs".to_owned(), "loki".to_owned())];
        assert_eq!(
            row,
            Row {
                accepted: 12,
                delivered: 7,
                queued: 2,
                dropped: 3,
                ..Row::default()
            }
        );
    }
}
