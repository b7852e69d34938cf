//! What a plain YAML scalar means by the core schema, with the traps taken out: `yes` is text, and
//! so are `0123` and `1_000`, which YAML dialects read as different numbers.

/// The meaning of a plain scalar.
#[derive(Copy, Clone, Debug, PartialEq)]
pub(crate) enum Resolved {
    /// Empty, `null` or `~`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A whole number that is not negative.
    Unsigned(u64),
    /// A negative whole number.
    Signed(i64),
    /// A number with a fraction or an exponent, or one too large for the others.
    Float(f64),
    /// Everything else.
    Text,
}

/// Reads a plain scalar.
pub(crate) fn resolve(text: &str) -> Resolved {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Resolved::Null,
        "true" | "True" | "TRUE" => return Resolved::Bool(true),
        "false" | "False" | "FALSE" => return Resolved::Bool(false),
        ".nan" | ".NaN" | ".NAN" => return Resolved::Float(f64::NAN),
        _ => {}
    }
    let (is_negative, digits) = match text.strip_prefix('-') {
        Some(digits) => (true, digits),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    if matches!(digits, ".inf" | ".Inf" | ".INF") {
        let infinity = f64::INFINITY;
        return Resolved::Float(if is_negative { -infinity } else { infinity });
    }
    integer(digits, is_negative)
        .or_else(|| float(digits, is_negative))
        .unwrap_or(Resolved::Text)
}

fn integer(digits: &str, is_negative: bool) -> Option<Resolved> {
    let (digits, radix) = if let Some(hex) = digits.strip_prefix("0x") {
        (hex, 16)
    } else if let Some(octal) = digits.strip_prefix("0o") {
        (octal, 8)
    } else if let Some(binary) = digits.strip_prefix("0b") {
        (binary, 2)
    } else if digits.len() > 1 && digits.starts_with('0') {
        return None;
    } else {
        (digits, 10)
    };
    if digits.is_empty() || !digits.chars().all(|c| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if !is_negative {
        return Some(Resolved::Unsigned(magnitude));
    }
    0_i64.checked_sub_unsigned(magnitude).map(Resolved::Signed)
}

fn float(digits: &str, is_negative: bool) -> Option<Resolved> {
    let allowed = |c: char| c.is_ascii_digit() || matches!(c, '.' | 'e' | 'E' | '+' | '-');
    let first = digits.chars().next()?;
    let is_zero_led = digits.starts_with('0')
        && digits.len() > 1
        && !matches!(digits.as_bytes().get(1), Some(b'.' | b'e' | b'E'));
    if !(first.is_ascii_digit() || first == '.') || is_zero_led || !digits.chars().all(allowed) {
        return None;
    }
    let magnitude: f64 = digits.parse().ok()?;
    Some(Resolved::Float(if is_negative {
        -magnitude
    } else {
        magnitude
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalars_mean_what_the_core_schema_says_without_its_traps() {
        for (text, meaning) in [
            ("", Resolved::Null),
            ("~", Resolved::Null),
            ("null", Resolved::Null),
            ("true", Resolved::Bool(true)),
            ("False", Resolved::Bool(false)),
            ("yes", Resolved::Text),
            ("on", Resolved::Text),
            ("t", Resolved::Text),
            ("0", Resolved::Unsigned(0)),
            ("+7", Resolved::Unsigned(7)),
            ("-7", Resolved::Signed(-7)),
            ("0xdeadbeef", Resolved::Unsigned(0xdead_beef)),
            ("0o17", Resolved::Unsigned(15)),
            ("0123", Resolved::Text),
            ("1_000", Resolved::Text),
            ("18446744073709551615", Resolved::Unsigned(u64::MAX)),
            ("-9223372036854775808", Resolved::Signed(i64::MIN)),
            ("1e3", Resolved::Float(1000.0)),
            ("1.20", Resolved::Float(1.2)),
            (".5", Resolved::Float(0.5)),
            ("0.5", Resolved::Float(0.5)),
            ("01.5", Resolved::Text),
            ("-.inf", Resolved::Float(f64::NEG_INFINITY)),
            ("inf", Resolved::Text),
            ("-", Resolved::Text),
            (".", Resolved::Text),
            ("1.2.3", Resolved::Text),
            ("10s", Resolved::Text),
            ("127.0.0.1:4317", Resolved::Text),
        ] {
            assert_eq!(resolve(text), meaning, "{text}");
        }
    }
}
