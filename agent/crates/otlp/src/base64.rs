//! Base64, as OTLP/JSON uses it for bytes. Source: RFC 4648 sections 4 and 5.

use std::fmt::{self, Write};

/// Appends `bytes` in the standard alphabet with padding.
///
/// # Errors
/// Those of `out`.
pub(crate) fn encode(bytes: &[u8], out: &mut impl Write) -> fmt::Result {
    for chunk in bytes.chunks(3) {
        let mut group = [0; 3];
        group
            .iter_mut()
            .zip(chunk)
            .for_each(|(to, from)| *to = *from);
        let [a, b, c] = group;
        let digits = [
            a >> 2,
            (a << 4 | b >> 4) & 0x3f,
            (b << 2 | c >> 6) & 0x3f,
            c & 0x3f,
        ];
        for (index, digit) in digits.into_iter().enumerate() {
            let char = if index <= chunk.len() {
                to_char(digit)
            } else {
                '='
            };
            out.write_char(char)?;
        }
    }
    Ok(())
}

/// Appends the bytes that `text` stands for. Takes the standard and the URL-safe alphabet, with
/// padding or without. Nothing when the text is not base64; what was appended is then to be dropped.
#[must_use]
pub(crate) fn decode(text: &str, out: &mut Vec<u8>) -> Option<()> {
    let digits = text.trim_end_matches('=');
    if text.len() - digits.len() > 2 {
        return None;
    }
    let mut bits: u32 = 0;
    let mut count = 0;
    for char in digits.bytes() {
        bits = bits << 6 | to_digit(char)?;
        count += 6;
        if count >= 8 {
            count -= 8;
            let [.., byte] = (bits >> count).to_be_bytes();
            out.push(byte);
        }
    }
    // One digit alone is no byte, and the bits left over must be zero.
    let spare = bits & ((1 << count) - 1);
    (count < 6 && spare == 0).then_some(())
}

const fn to_char(digit: u8) -> char {
    (match digit {
        0..26 => b'A' + digit,
        26..52 => b'a' + digit - 26,
        52..62 => b'0' + digit - 52,
        62 => b'+',
        _ => b'/',
    }) as char
}

fn to_digit(char: u8) -> Option<u32> {
    Some(u32::from(match char {
        b'A'..=b'Z' => char - b'A',
        b'a'..=b'z' => char - b'a' + 26,
        b'0'..=b'9' => char - b'0' + 52,
        b'+' | b'-' => 62,
        b'/' | b'_' => 63,
        _ => return None,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_of_every_length_read_back() {
        for len in 0..=255_u8 {
            let bytes: Vec<u8> = (0..len).map(|byte| byte.wrapping_mul(73)).collect();
            let mut text = String::new();
            encode(&bytes, &mut text).unwrap();
            for text in [text.as_str(), text.trim_end_matches('=')] {
                let mut decoded = Vec::new();
                assert_eq!(decode(text, &mut decoded), Some(()), "{text}");
                assert_eq!(decoded, bytes);
            }
        }
    }

    #[test]
    fn both_alphabets_are_read() {
        for text in ["+/+/", "-_-_"] {
            let mut decoded = Vec::new();
            assert_eq!(decode(text, &mut decoded), Some(()));
            assert_eq!(decoded, [0xfb, 0xff, 0xbf]);
        }
    }

    #[test]
    fn what_is_not_base64_is_refused() {
        for text in ["A", "AAAAA", "A=A=", "AB", "AA===", "A A=", "\u{e9}A=="] {
            assert_eq!(decode(text, &mut Vec::new()), None, "{text}");
        }
    }
}
