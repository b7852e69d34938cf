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
