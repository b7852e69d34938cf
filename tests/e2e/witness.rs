//! A receiver that remembers: what an SDK sends to it is what the SDK sends to the agent.

use std::sync::{Arc, Mutex};

use prost::Message;
use tests::json_lines::Requests;
use tests::ports::Port;
use tests::sink::{Arrived, Sink, Verdict};

/// A running witness for all signals, over gRPC, HTTP/protobuf and HTTP/JSON.
#[derive(Debug)]
pub(crate) struct Witness {
    port: Port,
    seen: Arc<Mutex<Requests>>,
    _sink: Sink,
}

impl Witness {
    pub(crate) fn start() -> Self {
        let port = Port::reserve();
        let seen = Arc::new(Mutex::new(Requests::default()));
        let remembered = seen.clone();
        let sink = Sink::start(
            &port.address(),
            Arc::new(move |arrived| {
                remember(&mut remembered.lock().expect("a sound witness"), &arrived);
                Verdict::Take
            }),
        );
        Self {
            port,
            seen,
            _sink: sink,
        }
    }

    pub(crate) fn url(&self) -> String {
        self.port.url("")
    }

    pub(crate) fn seen(&self) -> Requests {
        self.seen.lock().expect("a sound witness").clone()
    }
}

fn remember(seen: &mut Requests, arrived: &Arrived) {
    let path = arrived.path.as_str();
    if path.contains("logs") {
        seen.logs.push(decode(arrived));
    } else if path.contains("metrics") {
        seen.metrics.push(decode(arrived));
    } else if path.contains("trace") {
        seen.traces.push(decode(arrived));
    } else {
        panic!("nobody sends OTLP to {path}");
    }
}

fn decode<M: Message + Default + serde::de::DeserializeOwned>(arrived: &Arrived) -> M {
    if arrived.header("content-type").contains("json") {
        serde_json::from_slice(&arrived.message).expect("OTLP/JSON")
    } else {
        M::decode(arrived.message.clone()).expect("OTLP")
    }
}
