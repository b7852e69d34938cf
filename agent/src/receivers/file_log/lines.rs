//! Cutting what a file holds into entries. Pure.

use std::borrow::Cow;

/// What an entry is.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Splitter {
    /// The longest entry in bytes; a longer line becomes several.
    pub(super) entry_size_bytes_max: usize,
    /// Whether a line is an entry. Otherwise whatever was appended since the last look is one.
    pub(super) by_line: bool,
    /// Whether blanks at the start of a line stay.
    pub(super) keeps_leading_blanks: bool,
    /// Whether blanks at the end of a line stay.
    pub(super) keeps_trailing_blanks: bool,
}

/// A part of the bytes that becomes an entry.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(super) struct Piece<'a> {
    /// What the entry says; may be empty, and is no entry then.
    pub(super) text: &'a [u8],
    /// How far to go on from where this piece began, line end included; never 0.
    pub(super) consumed: usize,
    /// Whether the line goes on after this piece.
    pub(super) is_cut: bool,
}

impl Splitter {
    /// The first piece of `bytes`, or `None` while the line is not complete. With `flush`, what is
    /// there is a piece even without a line end.
    pub(super) fn first<'a>(&self, bytes: &'a [u8], flush: bool) -> Option<Piece<'a>> {
        let limit = self.entry_size_bytes_max;
        if !self.by_line {
            let text = bytes.get(..limit).unwrap_or(bytes);
            return (!text.is_empty()).then_some(Piece {
                text,
                consumed: text.len(),
                is_cut: false,
            });
        }
        let window = bytes.get(..=limit).unwrap_or(bytes);
        if let Some(end) = memchr::memchr(b'\n', window) {
            return Some(self.piece(window.get(..end)?, end + 1, false));
        }
        if window.len() > limit {
            let text = whole_characters(window.get(..limit)?);
            return Some(self.piece(text, text.len(), true));
        }
        (flush && !bytes.is_empty()).then(|| self.piece(bytes, bytes.len(), false))
    }

    fn piece<'a>(&self, line: &'a [u8], consumed: usize, is_cut: bool) -> Piece<'a> {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // A writer that kept its position while the file was truncated leaves a hole, which reads
        // as zeros.
        let zeros = line.iter().take_while(|byte| **byte == 0).count();
        let mut text = line.get(zeros..).unwrap_or_default();
        if !self.keeps_leading_blanks {
            text = text.trim_ascii_start();
        }
        if !self.keeps_trailing_blanks {
            text = text.trim_ascii_end();
        }
        Piece {
            text,
            consumed,
            is_cut,
        }
    }
}

/// `bytes` without the beginning of a UTF-8 character at its end. At least one byte stays.
fn whole_characters(bytes: &[u8]) -> &[u8] {
    let continuation = |byte: &&u8| **byte & 0b1100_0000 == 0b1000_0000;
    let tail = bytes.iter().rev().take(3).take_while(continuation).count();
    let lead_at = bytes.len().saturating_sub(tail + 1);
    let width = match bytes.get(lead_at) {
        Some(0b1100_0000..=0b1101_1111) => 2,
        Some(0b1110_0000..=0b1110_1111) => 3,
        Some(0b1111_0000..=0b1111_0111) => 4,
        _ => 1,
    };
    if lead_at > 0 && width > tail + 1 {
        bytes.get(..lead_at).unwrap_or(bytes)
    } else {
        bytes
    }
}

/// A UTF-8 byte order mark, as some programs put in front of a file.
pub(super) const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// `bytes` as text; true when some of it was not UTF-8 and was replaced.
pub(super) fn text(bytes: &[u8]) -> (Cow<'_, str>, bool) {
    let text = String::from_utf8_lossy(bytes);
    let is_replaced = matches!(text, Cow::Owned(_));
    (text, is_replaced)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LINES: Splitter = Splitter {
        entry_size_bytes_max: 8,
        by_line: true,
        keeps_leading_blanks: false,
        keeps_trailing_blanks: false,
    };

    /// Splits all of `bytes`; what is left over comes last, after `|`.
    fn split(splitter: Splitter, bytes: &[u8], flush: bool) -> String {
        let mut rest = bytes;
        let mut seen = Vec::new();
        while let Some(piece) = splitter.first(rest, flush) {
            let mark = if piece.is_cut { "+" } else { "" };
            seen.push(text(piece.text).0.into_owned() + mark);
            rest = &rest[piece.consumed..];
        }
        seen.join(",") + "|" + &text(rest).0
    }

    #[test]
    fn lines_end_with_line_feeds_or_both() {
        for (bytes, expected) in [
            ("one\ntwo\r\nthr", "one,two|thr"),
            ("\n\n", ",|"),
            ("  a b \t\n", "a b|"),
            ("\0\0\0back\n", "back|"),
            ("", "|"),
        ] {
            assert_eq!(split(LINES, bytes.as_bytes(), false), expected, "{bytes:?}");
        }
    }

    #[test]
    fn a_flush_takes_what_has_no_line_end() {
        assert_eq!(split(LINES, b"one\ntwo", true), "one,two|");
    }

    #[test]
    fn a_line_too_long_becomes_several_entries() {
        for (bytes, expected) in [
            ("12345678\n", "12345678|"),
            ("123456789\n", "12345678+,9|"),
            ("123456781234567812", "12345678+,12345678+|12"),
            // A character is not cut in two.
            ("1234567\u{e9}89\n", "1234567+,\u{e9}89|"),
            ("12345\u{1f600}9\n", "12345+,\u{1f600}9|"),
        ] {
            assert_eq!(split(LINES, bytes.as_bytes(), false), expected, "{bytes:?}");
        }
    }

    #[test]
    fn bytes_that_are_no_text_are_cut_and_make_progress() {
        let garbage = [0x80_u8; 20];
        let mut rest = &garbage[..];
        while let Some(piece) = LINES.first(rest, true) {
            assert!(piece.consumed > 0);
            rest = &rest[piece.consumed..];
        }
        assert!(rest.is_empty());
    }

    #[test]
    fn blanks_can_be_kept() {
        let keeping = Splitter {
            keeps_leading_blanks: true,
            keeps_trailing_blanks: true,
            ..LINES
        };
        assert_eq!(split(keeping, b" a \r\n", false), " a |");
    }

    #[test]
    fn without_lines_everything_there_is_an_entry() {
        let whole = Splitter {
            by_line: false,
            ..LINES
        };
        assert_eq!(split(whole, b"a\nb\nc\nd\ne\n", false), "a\nb\nc\nd\n,e\n|");
    }

    #[test]
    fn invalid_bytes_are_replaced_and_told() {
        assert_eq!(text(b"ok"), (Cow::Borrowed("ok"), false));
        let (replaced, is_replaced) = text(b"a\xffb");
        assert_eq!((&*replaced, is_replaced), ("a\u{fffd}b", true));
    }
}
