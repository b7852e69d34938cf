//! Base64 of binary header values: written without padding, read with or without.

const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `bytes` as text.
pub(crate) fn encode(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let bits = (0..3).fold(0_usize, |bits, at| {
            bits << 8 | usize::from(group.get(at).copied().unwrap_or(0))
        });
        let digits = [bits >> 18, bits >> 12, bits >> 6, bits].map(|bits| bits & 0x3f);
        let written = digits.into_iter().take(group.len() + 1);
        text.extend(
            written
                .filter_map(|digit| DIGITS.get(digit))
                .map(|&digit| char::from(digit)),
        );
    }
    text
}

/// The bytes of `text`; `None` when it is not base64.
pub(crate) fn decode(text: &[u8]) -> Option<Vec<u8>> {
    let end = text
        .iter()
        .rposition(|&digit| digit != b'=')
        .map_or(0, |at| at + 1);
    let mut bytes = Vec::with_capacity(end / 4 * 3 + 3);
    let (mut bits, mut held) = (0_u32, 0);
    for digit in text.get(..end)? {
        let value = DIGITS.iter().position(|known| known == digit)?;
        bits = bits << 6 | u32::try_from(value).ok()?;
        held += 6;
        if held >= 8 {
            held -= 8;
            bytes.push(u8::try_from(bits >> held & 0xff).ok()?);
        }
    }
    (held < 6).then_some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_come_back_from_their_text() {
        for (bytes, text) in [
            (&b""[..], ""),
            (b"f", "Zg"),
            (b"fo", "Zm8"),
            (b"foo", "Zm9v"),
            (b"\xfb\xff\xbf\x00", "+/+/AA"),
        ] {
            assert_eq!(encode(bytes), text);
            assert_eq!(decode(text.as_bytes()).as_deref(), Some(bytes));
        }
        assert_eq!(decode(b"Zg==").as_deref(), Some(&b"f"[..]));
        for text in ["Z", "Zg=a", "Z!"] {
            assert_eq!(decode(text.as_bytes()), None, "{text}");
        }
    }
}
