use opentelemetry_proto::tonic::collector::logs::v1::{
    ExportLogsPartialSuccess, ExportLogsServiceResponse,
};
use prost::Message;

use super::*;
use crate::Signal;

fn partial(rejected: i64, message: &str) -> ExportResponse {
    ExportResponse {
        rejected_items: rejected,
        error_message: message.into(),
    }
}

#[test]
fn partial_success_is_what_prost_sees() {
    for (rejected, message) in [(3, "bad ids"), (0, "a warning"), (5, ""), (-1, "odd")] {
        let ours = partial(rejected, message);
        let theirs = ExportLogsServiceResponse {
            partial_success: Some(ExportLogsPartialSuccess {
                rejected_log_records: rejected,
                error_message: message.into(),
            }),
        };
        assert_eq!(
            ExportLogsServiceResponse::decode(&ours.encode()[..]),
            Ok(theirs.clone())
        );
        assert_eq!(ExportResponse::decode(&theirs.encode_to_vec()), Ok(ours));
    }
}

#[test]
fn full_success_is_the_empty_message() {
    assert!(ExportResponse::default().encode().is_empty());
    assert_eq!(ExportResponse::default().to_json(Signal::Logs), "{}");
    // An empty partial success that is present means the same.
    for bytes in [&[][..], &[0x0a, 0]] {
        assert!(ExportResponse::decode(bytes).unwrap().is_full_success());
    }
}

#[test]
fn a_broken_response_is_an_error() {
    assert_eq!(
        ExportResponse::decode(b"\x0a\x05ab"),
        Err(WireError::Length)
    );
    assert!(Status::decode(b"<html>").is_err());
}

fn status() -> Status {
    Status {
        code: 14,
        message: "the queue is full".into(),
        retry_delay: Some(Duration::new(2, 500_000_000)),
        violations: vec![FieldViolation {
            field: "resource_logs.resource".into(),
            description: "the text is not \"UTF-8\"".into(),
        }],
    }
}

/// `google.rpc.Status` and its details, declared here for prost.
mod rpc {
    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Status {
        #[prost(int32, tag = "1")]
        pub(super) code: i32,
        #[prost(string, tag = "2")]
        pub(super) message: String,
        #[prost(message, repeated, tag = "3")]
        pub(super) details: Vec<Any>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Any {
        #[prost(string, tag = "1")]
        pub(super) type_url: String,
        #[prost(bytes = "vec", tag = "2")]
        pub(super) value: Vec<u8>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct RetryInfo {
        #[prost(message, optional, tag = "1")]
        pub(super) retry_delay: Option<Duration>,
    }

    #[derive(Clone, PartialEq, prost::Message)]
    pub(super) struct Duration {
        #[prost(int64, tag = "1")]
        pub(super) seconds: i64,
        #[prost(int32, tag = "2")]
        pub(super) nanos: i32,
    }
}

#[test]
fn a_status_with_details_is_what_prost_sees() {
    let theirs = rpc::Status::decode(&status().encode()[..]).unwrap();
    assert_eq!(
        (theirs.code, theirs.message.as_str()),
        (14, "the queue is full")
    );
    assert_eq!(theirs.details.len(), 2);
    assert_eq!(theirs.details[0].type_url, RETRY_INFO);
    let retry = rpc::RetryInfo::decode(&theirs.details[0].value[..]).unwrap();
    let delay = retry.retry_delay.unwrap();
    assert_eq!((delay.seconds, delay.nanos), (2, 500_000_000));
    assert_eq!(Status::decode(&theirs.encode_to_vec()), Ok(status()));
}

#[test]
fn a_delay_that_is_absent_or_negative_still_says_retry() {
    for retry_delay in [
        None,
        Some(rpc::Duration {
            seconds: -5,
            nanos: -1,
        }),
    ] {
        let detail = rpc::Any {
            type_url: "example.org/google.rpc.RetryInfo".into(),
            value: rpc::RetryInfo { retry_delay }.encode_to_vec(),
        };
        let bytes = rpc::Status {
            details: vec![detail],
            ..rpc::Status::default()
        };
        let status = Status::decode(&bytes.encode_to_vec()).unwrap();
        assert_eq!(status.retry_delay, Some(Duration::ZERO));
    }
}

#[test]
fn responses_have_a_json_form() {
    let json = partial(3, "a \"quoted\" reason").to_json(Signal::Metrics);
    assert_eq!(
        json,
        r#"{"partialSuccess":{"rejectedDataPoints":"3","errorMessage":"a \"quoted\" reason"}}"#
    );
    let json: serde_json::Value = serde_json::from_str(&status().to_json()).unwrap();
    assert_eq!(json["code"], 14);
    assert_eq!(json["details"][0]["retryDelay"], "2.500000000s");
    assert_eq!(
        json["details"][1]["fieldViolations"][0]["field"],
        "resource_logs.resource"
    );
    assert_eq!(Status::default().to_json(), r#"{"code":0,"message":""}"#);
}

#[test]
fn json_responses_read_back() {
    for response in [
        partial(0, ""),
        partial(7, "ids"),
        partial(0, "a \"warning\"\n"),
    ] {
        for signal in Signal::ALL {
            let json = response.to_json(signal);
            assert_eq!(
                ExportResponse::from_json(json.as_bytes()).unwrap(),
                response,
                "{json}"
            );
        }
    }
    let json = Status::from_json(status().to_json().as_bytes()).unwrap();
    assert_eq!(json, status());
}

#[test]
fn lenient_forms_of_json_responses_are_read() {
    for (json, expected) in [
        ("", partial(0, "")),
        ("{\"partialSuccess\":null,\"more\":1}", partial(0, "")),
        ("{\"partialSuccess\":{\"rejectedSpans\":4}}", partial(4, "")),
        (
            "{\"partialSuccess\":{\"rejectedSpans\":null,\"errorMessage\":null}}",
            partial(0, ""),
        ),
    ] {
        assert_eq!(
            ExportResponse::from_json(json.as_bytes()).unwrap(),
            expected,
            "{json}"
        );
    }
    assert!(ExportResponse::from_json(b"<html>").is_err());
    for (delay, expected) in [
        ("3s", Duration::from_secs(3)),
        ("0.25s", Duration::from_millis(250)),
        ("1.000000001s", Duration::new(1, 1)),
        ("-1s", Duration::ZERO),
        ("soon", Duration::ZERO),
        ("1.xs", Duration::ZERO),
        ("1.99999999999999999s", Duration::new(1, 999_999_999)),
    ] {
        let json = format!(r#"{{"details":[{{"@type":"{RETRY_INFO}","retryDelay":"{delay}"}}]}}"#);
        let status = Status::from_json(json.as_bytes()).unwrap();
        assert_eq!(status.retry_delay, Some(expected), "{delay}");
    }
}
