//! The way of one request from its body to the pipelines, the same for both protocols.

use bytes::Bytes;
use pipeline::{Batch, Budget, Charge, Output, Payload, Signal};

use crate::receivers::otlp::BUDGET_RETRY_AFTER;
use crate::receivers::otlp::verdict::Verdict;
use crate::receivers::{Context, Outputs};
use crate::transport::compression::{
    Encoding, INLINE_SIZE_BYTES_MAX, InflateError, inflate_within,
};

/// What takes requests: outputs, the budget, and the counters.
#[derive(Debug)]
pub(super) struct Intake<O> {
    outputs: Outputs<O>,
    context: Context,
}

/// How a request is written.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// The protobuf encoding.
    Protobuf,
    /// The JSON encoding.
    Json,
}

/// A body as it came, and what must be known to read it.
#[derive(Debug)]
pub(super) struct Received {
    pub(super) signal: Signal,
    pub(super) format: Format,
    pub(super) encoding: Encoding,
    pub(super) body: Bytes,
    /// Bound on the inflated size.
    pub(super) limit_bytes: usize,
    /// What the body is charged for; grows while it is inflated.
    pub(super) charge: Charge,
}

impl<O: Output> Intake<O> {
    pub(super) fn new(outputs: Outputs<O>, context: Context) -> Self {
        Self { outputs, context }
    }

    /// Whether a pipeline takes `signal`.
    pub(super) fn takes(&self, signal: Signal) -> bool {
        self.outputs.of(signal).is_some()
    }

    /// Makes room for a body of `size_bytes` bytes that is about to be read.
    pub(super) fn admit(&self, size_bytes: usize) -> Result<Charge, Verdict> {
        let charge = self.context.budget.try_charge(size_bytes);
        charge.ok_or_else(|| self.budget_full())
    }

    /// What to say when there is no room for a body.
    pub(super) fn budget_full(&self) -> Verdict {
        budget_full(&self.context.budget)
    }

    /// Takes a body that was admitted. Safe to cancel: the sender then knows nothing and sends the
    /// same again.
    pub(super) async fn accept(&self, received: Received) -> Verdict {
        let signal = received.signal;
        let Some(output) = self.outputs.of(signal) else {
            return Verdict::NoPipeline(signal);
        };
        let batch = match self.read(received, output.prefers_zstd()).await {
            Ok(Some(batch)) => batch,
            Ok(None) => return Verdict::Accepted,
            Err(verdict) => return self.turned_away(signal, 1, verdict),
        };
        let items = u64::from(batch.items);
        match output.send(batch).await {
            Ok(()) => {
                self.context.stats.count_accepted(signal, items);
                Verdict::Accepted
            }
            Err(refused) => self.turned_away(signal, items, refused.into()),
        }
    }

    async fn read(&self, received: Received, keeps_zstd: bool) -> Result<Option<Batch>, Verdict> {
        let budget = self.context.budget.clone();
        if received.body.len() <= INLINE_SIZE_BYTES_MAX {
            return read(received, keeps_zstd, &budget);
        }
        tokio::task::spawn_blocking(move || read(received, keeps_zstd, &budget))
            .await
            .unwrap_or_else(|_| Err(Verdict::malformed("the request cannot be read")))
    }

    /// Counts `items` items, or one request whose items are not known, that were not taken.
    pub(super) fn turned_away(&self, signal: Signal, items: u64, verdict: Verdict) -> Verdict {
        if verdict.retry_after().is_some() {
            self.context.stats.count_refused(signal, items);
        } else {
            self.context.stats.count_failed(signal, items);
        }
        verdict
    }
}

/// Inflates and validates a body; `None` when there is nothing in it.
fn read(received: Received, keeps_zstd: bool, budget: &Budget) -> Result<Option<Batch>, Verdict> {
    let Received {
        signal,
        format,
        encoding,
        body,
        limit_bytes,
        mut charge,
    } = received;
    let came_with = charge.bytes();
    let mut plain = match encoding {
        Encoding::Identity => body.clone(),
        _ => {
            let mut plain = inflate_within(encoding, &body, limit_bytes, |capacity| {
                charge.try_resize(came_with.saturating_add(capacity))
            })
            .map_err(|error| inflate_verdict(error, budget))?;
            if plain.capacity() > plain.len() + plain.len() / 8 {
                plain.shrink_to_fit();
            }
            plain.into()
        }
    };
    if format == Format::Json {
        plain = transcode(signal, &plain, &mut charge, budget)?;
    }
    let items =
        ::otlp::validate(signal, &plain, &::otlp::Limits::default()).map_err(|invalid| {
            Verdict::Malformed {
                message: invalid.to_string(),
                field: invalid.path,
            }
        })?;
    if items == 0 {
        return Ok(None);
    }
    let payload = match u32::try_from(plain.len()) {
        Ok(plain_size_bytes)
            if keeps_zstd && encoding == Encoding::Zstd && format == Format::Protobuf =>
        {
            Payload::Zstd {
                frames: body,
                plain_size_bytes,
            }
        }
        _ => Payload::Plain(plain),
    };
    // Shrinking always succeeds, and a payload is never larger than what was charged to read it.
    let _ = charge.try_resize(payload.len().min(charge.bytes()));
    Ok(Some(Batch::new(signal, payload, items, charge)))
}

/// JSON to protobuf. The protobuf form is the smaller one, so twice the JSON covers both.
fn transcode(
    signal: Signal,
    json: &[u8],
    charge: &mut Charge,
    budget: &Budget,
) -> Result<Bytes, Verdict> {
    if !charge.try_resize(charge.bytes().saturating_add(json.len())) {
        return Err(budget_full(budget));
    }
    ::otlp::json::from_json(signal, json).map_err(|error| Verdict::Malformed {
        message: error.to_string(),
        field: error.path,
    })
}

fn inflate_verdict(error: InflateError, budget: &Budget) -> Verdict {
    match error {
        InflateError::TooLarge { limit_bytes } => Verdict::TooLarge { limit_bytes },
        InflateError::NoRoom { .. } => budget_full(budget),
        InflateError::Malformed { .. } => Verdict::malformed(error.to_string()),
    }
}

fn budget_full(budget: &Budget) -> Verdict {
    Verdict::Busy {
        message: format!(
            "the memory budget of {} bytes is used up",
            budget.limit_bytes()
        ),
        retry_after: BUDGET_RETRY_AFTER,
    }
}
