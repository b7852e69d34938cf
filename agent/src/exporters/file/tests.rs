use bytes::Bytes;
use otlp::write::{AttributeValue, LogRecordFields, LogsWriter};
use pipeline::{Budget, Exporter as _};

use super::*;
use crate::transport::compression::inflate;

fn message(body: &str) -> Bytes {
    let mut writer = LogsWriter::new();
    writer.resource(|_| {});
    writer.scope("", "");
    writer.record(&LogRecordFields {
        body: AttributeValue::from(body),
        ..Default::default()
    });
    writer.finish().0
}

fn batch(payload: Payload) -> Batch {
    let charge = Budget::new(1 << 30).try_charge(payload.len()).unwrap();
    Batch::new(Signal::Logs, payload, 1, charge)
}

async fn export(exporter: &Exporter, body: &str) {
    let exported = exporter.export(&batch(Payload::Plain(message(body)))).await;
    assert_eq!(exported.unwrap(), Exported::default());
}

fn config(directory: &Path) -> Config {
    Config {
        path: directory.join("out.json"),
        ..Config::default()
    }
}

fn lines(path: &Path) -> Vec<Bytes> {
    let text = std::fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'));
    let read = |line: &str| otlp::json::from_json(Signal::Logs, line.as_bytes()).unwrap();
    text.lines().map(read).collect()
}

#[tokio::test]
async fn each_request_is_a_line_of_json_that_is_there_when_export_returns() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let exporter = Exporter::new("file", config.clone()).unwrap();
    for (count, body) in ["first", "second\nline"].into_iter().enumerate() {
        export(&exporter, body).await;
        let lines = lines(&config.path);
        assert_eq!(lines.len(), count + 1);
        assert_eq!(lines[count], message(body));
    }
}

#[tokio::test]
async fn a_file_starts_empty_unless_it_goes_on() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    for (append, expected) in [(false, 1), (true, 2), (true, 3), (false, 1)] {
        config.append = append;
        export(&Exporter::new("file", config.clone()).unwrap(), "line").await;
        assert_eq!(lines(&config.path).len(), expected, "append {append}");
    }
}

#[tokio::test]
async fn protobuf_and_compressed_requests_stand_behind_their_length() {
    let directory = tempfile::tempdir().unwrap();
    let plain = message("line");
    let mut json = Vec::new();
    otlp::json::to_json(Signal::Logs, &plain, &mut json);
    for (format, compression, expected) in [
        (Format::Proto, Encoding::Identity, plain.to_vec()),
        (Format::Proto, Encoding::Zstd, plain.to_vec()),
        (Format::Json, Encoding::Zstd, json),
    ] {
        let config = Config {
            format,
            compression,
            ..config(directory.path())
        };
        let exporter = Exporter::new("file", config.clone()).unwrap();
        export(&exporter, "line").await;
        export(&exporter, "line").await;
        let bytes = std::fs::read(&config.path).unwrap();
        let (len, rest) = bytes.split_first_chunk::<4>().unwrap();
        let len = u32::from_be_bytes(*len) as usize;
        let content = inflate(compression, &rest[..len], 1_000).unwrap();
        assert_eq!(content, expected, "{format:?} {compression:?}");
        assert_eq!(bytes.len(), 2 * (len + 4));
    }
}

#[tokio::test]
async fn a_zstd_frame_is_written_as_it_came() {
    let directory = tempfile::tempdir().unwrap();
    let (format, compression) = (Format::Proto, Encoding::Zstd);
    let config = Config {
        format,
        compression,
        ..config(directory.path())
    };
    let plain = message("line");
    let frames = Bytes::from(compress(Encoding::Zstd, Some(9), &plain).unwrap());
    let plain_size_bytes = u32::try_from(plain.len()).unwrap();
    let payload = Payload::Zstd {
        frames: frames.clone(),
        plain_size_bytes,
    };
    Exporter::new("file", config.clone())
        .unwrap()
        .export(&batch(payload))
        .await
        .unwrap();
    assert_eq!(std::fs::read(&config.path).unwrap()[4..], frames);
}

/// Scenario: requests of a third of a MiB into files of at most one MiB, of which two are kept.
/// Guarantees: no file is larger, none is cut within a line, and the newest lines are there.
#[tokio::test]
async fn full_files_are_set_aside_and_the_oldest_removed() {
    let directory = tempfile::tempdir().unwrap();
    let rotation = Rotation {
        max_megabytes: 1,
        max_backups: 2,
        ..Rotation::default()
    };
    let config = Config {
        rotation: Some(rotation),
        ..config(directory.path())
    };
    std::fs::write(directory.path().join("out-other.json"), "not ours").unwrap();
    let exporter = Exporter::new("file", config.clone()).unwrap();
    for number in 0..14 {
        export(&exporter, &format!("{number:02} {}", "x".repeat(340_000))).await;
    }
    let mut files: Vec<_> = std::fs::read_dir(directory.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    files.retain(|path| !path.ends_with("out-other.json"));
    files.sort();
    assert_eq!(files.len(), 3, "{files:?}");
    let mut numbers = Vec::new();
    for path in &files {
        assert!(std::fs::metadata(path).unwrap().len() <= 1 << 20);
        for line in lines(path) {
            let request = otlp::logs::Request::new(&line);
            let record = request
                .resource_logs()
                .next()
                .unwrap()
                .scope_logs()
                .next()
                .unwrap();
            let body = record.log_records().next().unwrap().body.to_string();
            numbers.push(body[..2].to_owned());
        }
    }
    assert_eq!(numbers, ["06", "07", "08", "09", "10", "11", "12", "13"]);
    assert!(directory.path().join("out-other.json").exists());
}

/// Scenario: the disk takes only a part of a line.
/// Guarantees: the part is cut off again, and the next write follows the last whole line.
#[tokio::test]
async fn a_full_file_that_somebody_took_away_is_begun_anew() {
    let directory = tempfile::tempdir().unwrap();
    let mut config = config(directory.path());
    config.rotation = Some(Rotation {
        max_megabytes: 1,
        ..Rotation::default()
    });
    let exporter = Exporter::new("file", config.clone()).unwrap();
    let body = "x".repeat(600 << 10);
    export(&exporter, &body).await;
    std::fs::remove_file(&config.path).unwrap();
    export(&exporter, &body).await;
    assert_eq!(lines(&config.path).len(), 1);
}

#[tokio::test]
async fn half_a_line_does_not_stay() {
    let directory = tempfile::tempdir().unwrap();
    let config = config(directory.path());
    let exporter = Exporter::new("file", config.clone()).unwrap();
    export(&exporter, "whole").await;
    {
        let mut file = exporter.file.lock().unwrap();
        let read_only = File::open(&config.path).unwrap();
        let writable = std::mem::replace(&mut file.file, read_only);
        assert!(file.write(b"half").is_err());
        file.file = writable;
    }
    export(&exporter, "next").await;
    assert_eq!(lines(&config.path).len(), 2);
}

#[tokio::test]
async fn a_missing_directory_is_made_when_asked_for_and_told_otherwise() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a/b/out.json");
    let mut config = Config {
        path,
        ..Config::default()
    };
    let error = Exporter::new("file", config.clone()).unwrap_err();
    assert!(error.message.contains("a/b/out.json"), "{error}");
    config.create_directory = true;
    export(&Exporter::new("file", config.clone()).unwrap(), "line").await;
    assert_eq!(lines(&config.path).len(), 1);
}
