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

const fn to_char(digit: u8) -> char {
    (match digit {
        0..26 => b'A' + digit,
        26..52 => b'a' + digit - 26,
        52..62 => b'0' + digit - 52,
        62 => b'+',
        _ => b'/',
    }) as char
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_padded_to_whole_groups() {
        for (bytes, expected) in [
            (&b""[..], ""),
            (b"f", "Zg=="),
            (b"fo", "Zm8="),
            (b"foo", "Zm9v"),
            (b"\xfb\xff\xbf", "+/+/"),
        ] {
            let mut text = String::new();
            encode(bytes, &mut text).unwrap();
            assert_eq!(text, expected);
        }
    }
}
