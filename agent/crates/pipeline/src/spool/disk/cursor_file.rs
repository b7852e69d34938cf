//! Where a cursor stood: a small text file, replaced as a whole. A hint, never the truth: without
//! it the cursor begins at the oldest record, and records that were delivered go out again.
//!
//! One `key values` a line, the last one a checksum over all before it:
//!
//! ```text
//! skybridge cursor 1
//! spool 0f3c...              id of the spool whose places these are
//! low 42 1000 5000           everything before this place is settled: position, items, bytes
//! birth 0 0 0                where the account begins
//! settled 45 1030 5100 47 1050 5200    one for each settled span above `low`: start, end
//! delivered 990
//! rejected invalid_argument 7
//! dropped too_old 3
//! crc 1c291ca3
//! ```

use std::fmt::Write;
use std::io;
use std::str::SplitAsciiWhitespace;

use super::files::Files;
use crate::spool::settled::Settled;
use crate::spool::track::Track;
use crate::spool::{CursorSettings, Mark, Span};
use crate::stats::Tally;

const FIRST_LINE: &str = "skybridge cursor 1";
const SUFFIX: &str = ".cursor";

/// What the file says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Hint {
    pub(super) low: Mark,
    pub(super) birth: Mark,
    pub(super) settled: Vec<Span>,
    pub(super) tally: Tally,
}

impl Hint {
    pub(super) fn of(track: &Track) -> Self {
        Self {
            low: track.settled.low(),
            birth: track.birth,
            settled: track.settled.above().copied().collect(),
            tally: track.tally.clone(),
        }
    }

    /// Puts the cursor where the hint says, as far as the spool still reaches.
    pub(super) fn apply(self, track: &mut Track, head: Mark) {
        let is_beyond = self.low.position > head.position
            || self.low.items > head.items
            || self.low.bytes > head.bytes;
        if is_beyond {
            // The end of the spool was lost; what is behind the head now is new.
            track.settled = Settled::up_to(head);
            track.birth = head;
        } else {
            track.settled = Settled::up_to(self.low);
            for span in self.settled {
                if span.end.position <= head.position {
                    track.settled.insert(span);
                }
            }
            track.birth = self.birth;
            track.tally = self.tally;
        }
        track.taken = track.settled.low();
    }

    pub(super) fn load(files: &Files, cursor: &str, spool_id: u128) -> io::Result<Self> {
        let bytes = files.read(&file_name(cursor))?;
        decode(&bytes, spool_id).ok_or_else(|| io::ErrorKind::InvalidData.into())
    }

    pub(super) fn save(
        &self,
        files: &Files,
        cursor: &str,
        spool_id: u128,
        is_synced: bool,
    ) -> io::Result<()> {
        let text = encode(self, spool_id);
        files.replace(&file_name(cursor), text.as_bytes(), is_synced)
    }
}

/// The cursor files among `names` that belong to none of `cursors`.
pub(super) fn ownerless(names: &[String], cursors: &[CursorSettings]) -> Vec<String> {
    let owned: Vec<String> = cursors
        .iter()
        .map(|cursor| file_name(&cursor.name))
        .collect();
    names
        .iter()
        .filter(|name| name.ends_with(SUFFIX) && !owned.contains(name))
        .cloned()
        .collect()
}

/// A file name for a component id; different ids have different names.
fn file_name(cursor: &str) -> String {
    let mut name = String::new();
    for byte in cursor.bytes() {
        if byte.is_ascii_alphanumeric() || b"_-.".contains(&byte) {
            name.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(name, "%{byte:02x}");
        }
    }
    name + SUFFIX
}

fn encode(hint: &Hint, spool_id: u128) -> String {
    let mut text = format!("{FIRST_LINE}\nspool {spool_id:032x}\n");
    let mut line = |words: std::fmt::Arguments<'_>| {
        // Writing to a string cannot fail.
        let _ = writeln!(text, "{words}");
    };
    line(format_args!("low {}", Place(hint.low)));
    line(format_args!("birth {}", Place(hint.birth)));
    for span in &hint.settled {
        line(format_args!(
            "settled {} {}",
            Place(span.start),
            Place(span.end)
        ));
    }
    line(format_args!("delivered {}", hint.tally.delivered));
    for (reason, items) in hint.tally.rejected.iter() {
        line(format_args!("rejected {reason} {items}"));
    }
    for (reason, items) in hint.tally.dropped.iter() {
        line(format_args!("dropped {reason} {items}"));
    }
    let crc = crc32fast::hash(text.as_bytes());
    text + &format!("crc {crc:08x}\n")
}

fn decode(bytes: &[u8], spool_id: u128) -> Option<Hint> {
    let text = str::from_utf8(bytes).ok()?;
    let (body, crc) = text.strip_suffix('\n')?.rsplit_once("crc ")?;
    if u32::from_str_radix(crc, 16).ok()? != crc32fast::hash(body.as_bytes()) {
        return None;
    }
    let body = body.strip_prefix(FIRST_LINE)?.trim_start();
    let mut hint = Hint {
        low: Mark::default(),
        birth: Mark::default(),
        settled: Vec::new(),
        tally: Tally::default(),
    };
    for line in body.lines() {
        let mut words = line.split_ascii_whitespace();
        match words.next()? {
            "spool" => {
                if u128::from_str_radix(words.next()?, 16).ok()? != spool_id {
                    return None;
                }
            }
            "low" => hint.low = mark(&mut words)?,
            "birth" => hint.birth = mark(&mut words)?,
            "settled" => hint.settled.push(Span {
                start: mark(&mut words)?,
                end: mark(&mut words)?,
            }),
            "delivered" => hint.tally.delivered = number(&mut words)?,
            "rejected" => hint.tally.rejected.add(words.next()?, number(&mut words)?),
            "dropped" => hint.tally.dropped.add(words.next()?, number(&mut words)?),
            _ => return None,
        }
    }
    Some(hint)
}

struct Place(Mark);

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Mark {
            position,
            items,
            bytes,
        } = self.0;
        write!(f, "{position} {items} {bytes}")
    }
}

fn number(words: &mut SplitAsciiWhitespace<'_>) -> Option<u64> {
    words.next()?.parse().ok()
}

fn mark(words: &mut SplitAsciiWhitespace<'_>) -> Option<Mark> {
    Some(Mark {
        position: number(words)?,
        items: number(words)?,
        bytes: number(words)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hint() -> Hint {
        let place = |position| Mark {
            position,
            items: position * 10,
            bytes: position * 100,
        };
        let mut tally = Tally {
            delivered: 40,
            ..Tally::default()
        };
        tally.rejected.add("invalid_argument", 7);
        tally.dropped.add("too_old", 3);
        Hint {
            low: place(5),
            birth: place(1),
            settled: vec![Span {
                start: place(7),
                end: place(8),
            }],
            tally,
        }
    }

    #[test]
    fn a_hint_reads_back() {
        assert_eq!(decode(encode(&hint(), 9).as_bytes(), 9), Some(hint()));
    }

    #[test]
    fn a_hint_of_another_spool_or_a_damaged_one_is_none() {
        let text = encode(&hint(), 9);
        assert_eq!(decode(text.as_bytes(), 8), None);
        for at in 0..text.len() {
            let mut damaged = text.clone().into_bytes();
            damaged[at] ^= 1;
            assert_eq!(decode(&damaged, 9), None, "byte {at}");
            assert_eq!(decode(&text.as_bytes()[..at], 9), None, "cut at {at}");
        }
    }

    #[test]
    fn different_cursors_have_different_files() {
        assert_eq!(file_name("otlp_grpc/a"), "otlp_grpc%2fa.cursor");
        assert_ne!(file_name("a%2fb"), file_name("a/b"));
    }
}
