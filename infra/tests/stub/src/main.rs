//! A provider that serves the AWS schema and remembers what it is told.
//!
//! It speaks the plugin protocol over a unix socket, so that the real command line tools can
//! initialise, validate, plan, apply and destroy without an account. It never talks to AWS, and it
//! knows none of the provider's validators: what it proves is names, types, references and logic.
//!
//! Usage: `stub-provider SCHEMA.json SOCKET`. It prints `ready` once the socket is open and ends
//! when its standard input closes, so that it never outlives the proof that started it.

mod fake;
mod plan;
mod service;
mod value;

use std::io::{Read, Write};
use std::sync::Arc;

use anyhow::{Context, Result, bail};
use tokio_stream::wrappers::UnixListenerStream;

use service::{Stub, pb::provider_server::ProviderServer};

/// Plans of a whole stack exceed the default of 4 MiB.
const MESSAGE_SIZE_BYTES_MAX: usize = 64 << 20;

#[tokio::main]
async fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [schema, socket] = arguments.as_slice() else {
        bail!("usage: stub-provider SCHEMA.json SOCKET");
    };
    let text = std::fs::read_to_string(schema).with_context(|| format!("reading {schema}"))?;
    let schema = serde_json::from_str(&text).with_context(|| format!("parsing {schema}"))?;
    let listener =
        tokio::net::UnixListener::bind(socket).with_context(|| format!("binding {socket}"))?;
    println!("ready");
    std::io::stdout().flush()?;
    let service = ProviderServer::new(Stub::new(Arc::new(schema)))
        .max_decoding_message_size(MESSAGE_SIZE_BYTES_MAX)
        .max_encoding_message_size(MESSAGE_SIZE_BYTES_MAX);
    tonic::transport::Server::builder()
        .serve_with_incoming_shutdown(service, UnixListenerStream::new(listener), stdin_closed())
        .await?;
    // The proof may have been ended by a signal and then tidies nothing up.
    std::fs::remove_file(socket).with_context(|| format!("removing {socket}"))?;
    Ok(())
}

async fn stdin_closed() {
    let waiting = tokio::task::spawn_blocking(|| {
        let mut sink = [0_u8; 64];
        let mut input = std::io::stdin().lock();
        while matches!(input.read(&mut sink), Ok(count) if count > 0) {}
    });
    // A panic in the waiting thread means the same as a closed input: end.
    drop(waiting.await);
}
