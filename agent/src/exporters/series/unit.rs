//! Units: from UCUM, as OTLP writes them, to the words in Prometheus metric names.

/// The words for a unit that end a metric name: `By/s` is `bytes` and `per_second`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnitWords {
    /// What is measured; empty for a count, for `1` and for an annotation such as `{packet}`.
    pub(crate) main: String,
    /// What it is divided by, with `per_` in front; empty for most.
    pub(crate) per: String,
}

impl UnitWords {
    /// The words for `unit`, with characters that a classic metric name cannot hold replaced when
    /// `escape` is set.
    pub(crate) fn of(unit: &str, escape: bool) -> Self {
        let (main, per) = unit.split_once('/').unwrap_or((unit, ""));
        let clean = |word: &str| {
            if escape {
                escaped(word)
            } else {
                word.to_owned()
            }
        };
        let per = measured(per).map_or_else(String::new, |per| clean(per_word(per)));
        Self {
            main: measured(main).map_or_else(String::new, |main| clean(main_word(main))),
            per: if per.is_empty() {
                per
            } else {
                format!("per_{per}")
            },
        }
    }

    /// Both words as one, which is what UNIT metadata holds.
    pub(crate) fn joined(&self) -> String {
        match (self.main.is_empty(), self.per.is_empty()) {
            (false, false) => format!("{}_{}", self.main, self.per),
            (false, true) => self.main.clone(),
            (true, _) => self.per.clone(),
        }
    }
}

/// One side of the `/`, or `None` where it is blank or an annotation.
fn measured(part: &str) -> Option<&str> {
    let part = part.trim();
    (!part.is_empty() && !part.contains(['{', '}'])).then_some(part)
}

/// `word` with runs of foreign characters as one `_`, and none at the ends.
fn escaped(word: &str) -> String {
    let is_foreign = |c: char| !(c.is_ascii_alphanumeric() || c == ':');
    let mut clean = String::with_capacity(word.len());
    for part in word.split(is_foreign).filter(|part| !part.is_empty()) {
        if !clean.is_empty() {
            clean.push('_');
        }
        clean.push_str(part);
    }
    clean
}

/// The plural word of a main unit; an unknown unit is its own word.
fn main_word(unit: &str) -> &str {
    match unit {
        "d" => "days",
        "h" => "hours",
        "min" => "minutes",
        "s" => "seconds",
        "ms" => "milliseconds",
        "us" => "microseconds",
        "ns" => "nanoseconds",
        "By" => "bytes",
        "KiBy" => "kibibytes",
        "MiBy" => "mebibytes",
        "GiBy" => "gibibytes",
        "TiBy" => "tebibytes",
        "kBy" | "KBy" => "kilobytes",
        "MBy" => "megabytes",
        "GBy" => "gigabytes",
        "TBy" => "terabytes",
        "m" => "meters",
        "V" => "volts",
        "A" => "amperes",
        "J" => "joules",
        "W" => "watts",
        "g" => "grams",
        "Cel" => "celsius",
        "Hz" => "hertz",
        "%" => "percent",
        "1" => "",
        other => other,
    }
}

/// The singular word of a unit that is divided by; an unknown unit is its own word.
fn per_word(unit: &str) -> &str {
    match unit {
        "s" => "second",
        "m" => "minute",
        "h" => "hour",
        "d" => "day",
        "w" => "week",
        "mo" => "month",
        "y" => "year",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_table_has_its_word() {
        for (unit, word) in [
            ("d", "days"),
            ("h", "hours"),
            ("min", "minutes"),
            ("s", "seconds"),
            ("ms", "milliseconds"),
            ("us", "microseconds"),
            ("ns", "nanoseconds"),
            ("By", "bytes"),
            ("KiBy", "kibibytes"),
            ("MiBy", "mebibytes"),
            ("GiBy", "gibibytes"),
            ("TiBy", "tebibytes"),
            ("kBy", "kilobytes"),
            ("KBy", "kilobytes"),
            ("MBy", "megabytes"),
            ("GBy", "gigabytes"),
            ("TBy", "terabytes"),
            ("m", "meters"),
            ("V", "volts"),
            ("A", "amperes"),
            ("J", "joules"),
            ("W", "watts"),
            ("g", "grams"),
            ("Cel", "celsius"),
            ("Hz", "hertz"),
            ("%", "percent"),
            ("1", ""),
            ("MHz", "MHz"),
            ("{packet}", ""),
            ("{packets/s}", ""),
            ("", ""),
            (" s ", "seconds"),
            ("By/s", "bytes_per_second"),
            ("m/m", "meters_per_minute"),
            ("1/h", "per_hour"),
            ("1/d", "per_day"),
            ("1/w", "per_week"),
            ("1/mo", "per_month"),
            ("1/y", "per_year"),
            ("By/{custom}", "bytes"),
            ("{request}/s", "per_second"),
            ("By/", "bytes"),
            ("By/@", "bytes"),
            ("unit@with#special/chars", "unit_with_special_per_chars"),
            ("unit__with__runs", "unit_with_runs"),
            ("_x", "x"),
        ] {
            assert_eq!(UnitWords::of(unit, true).joined(), word, "{unit}");
        }
    }

    #[test]
    fn an_unescaped_unit_keeps_its_characters() {
        assert_eq!(UnitWords::of("a@b/c.d", false).joined(), "a@b_per_c.d");
    }
}
