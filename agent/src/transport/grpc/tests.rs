use std::collections::VecDeque;

use super::*;

/// A body that comes in these chunks.
struct Chunks(VecDeque<Bytes>);

impl Chunks {
    fn of(bytes: &[u8], size: usize) -> Self {
        Self(bytes.chunks(size).map(Bytes::copy_from_slice).collect())
    }
}

impl Body for Chunks {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Poll::Ready(self.0.pop_front().map(|chunk| Ok(Frame::data(chunk))))
    }
}

async fn read(bytes: &[u8], size: usize) -> Result<(Prefix, Bytes), ReadError> {
    let mut reader = Reader::new(Chunks::of(bytes, size));
    let prefix = reader
        .prefix()
        .await?
        .ok_or(ReadError::Malformed("nothing"))?;
    let message = reader.message(prefix.len).await?;
    reader.end().await?;
    Ok((prefix, message))
}

#[tokio::test]
async fn a_message_is_read_however_it_is_cut() {
    for len in [0, 1, 5, 100, 40_000] {
        let message = vec![7; len];
        let mut body = Unary::call(message.clone().into(), true).unwrap();
        let mut framed = body.message.take().unwrap();
        let bytes = framed.copy_to_bytes(framed.remaining());
        for size in [1, 2, 4, 5, 6, 1_000, 100_000] {
            let (prefix, read) = read(&bytes, size).await.unwrap();
            assert_eq!(
                prefix,
                Prefix {
                    is_compressed: true,
                    len
                }
            );
            assert_eq!(read, message, "{len} in chunks of {size}");
        }
    }
}

#[tokio::test]
async fn what_is_no_message_is_malformed() {
    for bytes in [
        &[][..],
        &[0, 0, 0, 0],
        &[2, 0, 0, 0, 0],
        &[0, 0, 0, 0, 2, 1],
        &[0, 0, 0, 0, 1, 1, 1],
    ] {
        for size in [1, 100] {
            let read = read(bytes, size).await;
            assert!(
                matches!(read, Err(ReadError::Malformed(_))),
                "{bytes:?}: {read:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_large_message_in_one_frame_is_not_copied() {
    let bytes = Bytes::from([[0, 0, 0, 0x80, 0].as_slice(), &[7; 0x8000]].concat());
    let mut reader = Reader::new(Chunks([bytes.clone()].into()));
    let prefix = reader.prefix().await.unwrap().unwrap();
    let message = reader.message(prefix.len).await.unwrap();
    assert_eq!(message.as_ptr(), bytes[5..].as_ptr());
}

#[test]
fn a_status_comes_back_from_its_fields() {
    for message in ["", "plain", "100 % sure", "z\u{fc}rich\n", "%41"] {
        let status = Status {
            code: Code::UNAVAILABLE,
            message: message.to_owned(),
            details: vec![0, 255, 7],
        };
        let mut fields = HeaderMap::new();
        status.write(&mut fields);
        assert_eq!(Status::read(&fields), Some(status));
    }
    assert_eq!(Status::read(&HeaderMap::new()), None);
}

#[test]
fn escapes_that_are_none_stay_as_they_are() {
    for (text, expected) in [
        ("50%", "50%"),
        ("%zz", "%zz"),
        ("%+1", "%+1"),
        ("%41%", "A%"),
    ] {
        assert_eq!(percent_decode(text.as_bytes()), expected);
    }
}

#[test]
fn timeouts_have_digits_and_a_unit() {
    for (text, expected) in [
        ("1H", Some(Duration::from_secs(3_600))),
        ("5M", Some(Duration::from_secs(300))),
        ("10S", Some(Duration::from_secs(10))),
        ("250m", Some(Duration::from_millis(250))),
        ("99999999u", Some(Duration::from_micros(99_999_999))),
        ("7n", Some(Duration::from_nanos(7))),
        ("", None),
        ("S", None),
        ("10", None),
        ("-1S", None),
        ("999999999S", None),
        ("1\u{e9}", None),
    ] {
        assert_eq!(parse_timeout(text), expected, "{text}");
    }
}
