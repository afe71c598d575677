//! Escapes text from other systems (a directory, a server, a file, a manifest) for display.
//!
//! Characters that are not seen, or that change how others are seen, are shown escaped: `\x1b`, `\u{202e}`. Otherwise
//! whoever names an entry could colour, hide or reorder what somebody reads before approving; and an apiserver refuses
//! a whole status for one character that is no text.
//!
//! Everything that is shown passes here: `api::bounded` and `Conditions` for a status, `controller::event` for Events,
//! `telemetry` for logs, `cli::out` for whatever a command prints.

use std::borrow::Cow;

use serde_json::Value;
use unicode_normalization::{UnicodeNormalization as _, is_nfc};

/// The text with each character that would not be seen escaped.
pub fn clean(text: &str) -> Cow<'_, str> {
    escaped(text, is_unseen, |sign| match sign {
        '\t' => "\\t".to_owned(),
        '\n' => "\\n".to_owned(),
        '\r' => "\\r".to_owned(),
        sign if u32::from(sign) < 0x100 => format!("\\x{:02x}", u32::from(sign)),
        sign => format!("\\u{{{:x}}}", u32::from(sign)),
    })
}

/// At most `most` bytes of the clean text, ending in `…` where something is missing.
pub fn clean_within(text: &str, most: usize) -> Cow<'_, str> {
    const MORE: &str = "…";
    let clean = clean(text);
    if clean.len() <= most {
        return clean;
    }
    let end = clean.floor_char_boundary(most.saturating_sub(MORE.len()));
    Cow::Owned(format!("{}{MORE}", &clean[..end]))
}

/// JSON with each character that would not be seen escaped as JSON does: the values stay exactly what they are. Line
/// ends and tabs stand between values only, and stay.
pub fn clean_json(json: &str) -> Cow<'_, str> {
    escaped(
        json,
        |sign| is_unseen(sign) && !matches!(sign, '\t' | '\n' | '\r'),
        |sign| match *sign.encode_utf16(&mut [0; 2]) {
            [high, low] => format!("\\u{high:04x}\\u{low:04x}"),
            _ => format!("\\u{:04x}", u32::from(sign)),
        },
    )
}

/// A cell of a table that a spreadsheet may open: clean, and no formula. What would begin one begins with `'`, also after
/// each `;`, where some spreadsheets end a cell. So that this can be undone, what begins with `'` gets one more.
pub fn cell(text: &str) -> Cow<'_, str> {
    let clean = clean(text);
    // A tab or a line end is escaped by now. The wide forms are the same signs to some spreadsheets.
    let begins = ['=', '+', '-', '@', '＝', '＋', '－', '＠', '\''];
    let formula = |part: &str| part.trim_start().starts_with(begins);
    if !clean.split(';').any(formula) {
        return clean;
    }
    let part = |part: &str| if formula(part) { format!("'{part}") } else { part.to_owned() };
    Cow::Owned(clean.split(';').map(part).collect::<Vec<_>>().join(";"))
}

/// Escapes every text within `value` that was not escaped yet, in place and without making it longer: the last
/// safeguard before an apiserver.
pub fn replace_unseen(value: &mut Value) {
    match value {
        Value::String(text) if text.contains(is_unseen) => {
            *text = text.replace(is_unseen, "\u{fffd}");
        }
        Value::Array(items) => items.iter_mut().for_each(replace_unseen),
        Value::Object(fields) => fields.values_mut().for_each(replace_unseen),
        _ => {}
    }
}

/// The text in which each letter with its accents is one sign (NFC), however it was written: what is compared as a name.
pub fn composed(text: &str) -> Cow<'_, str> {
    if text.is_ascii() || is_nfc(text) {
        return Cow::Borrowed(text);
    }
    Cow::Owned(text.nfc().collect())
}

/// Whether a character is not seen, or changes how others are: control characters, line and paragraph separators, what
/// Unicode calls default-ignorable (zero-width, bidirectional, tags, fillers), and what is no character at all.
pub fn is_unseen(sign: char) -> bool {
    let number = u32::from(sign);
    sign.is_control()
        || number & 0xfffe == 0xfffe
        || matches!(
            sign,
            '\u{ad}'
                | '\u{34f}'
                | '\u{61c}'
                | '\u{115f}'..='\u{1160}'
                | '\u{17b4}'..='\u{17b5}'
                | '\u{180b}'..='\u{180f}'
                | '\u{200b}'..='\u{200f}'
                | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}'
                | '\u{3164}'
                | '\u{fdd0}'..='\u{fdef}'
                | '\u{fe00}'..='\u{fe0f}'
                | '\u{feff}'
                | '\u{ffa0}'
                | '\u{fff0}'..='\u{fffb}'
                | '\u{1bca0}'..='\u{1bca3}'
                | '\u{1d173}'..='\u{1d17a}'
                | '\u{e0000}'..='\u{e0fff}'
        )
}

fn escaped(text: &str, unseen: impl Fn(char) -> bool, escape: impl Fn(char) -> String) -> Cow<'_, str> {
    if !text.contains(&unseen) {
        return Cow::Borrowed(text);
    }
    let mut clean = String::with_capacity(text.len() + 16);
    for sign in text.chars() {
        if unseen(sign) { clean.push_str(&escape(sign)) } else { clean.push(sign) }
    }
    Cow::Owned(clean)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[rstest]
    #[case("Frances Sørensen 佐藤 👩", "Frances Sørensen 佐藤 👩")]
    #[case("\u{1b}[31mred", "\\x1b[31mred")]
    #[case("a\nb\tc\rd\0", "a\\nb\\tc\\rd\\x00")]
    #[case("\u{7f}\u{80}\u{9b}\u{9f}", "\\x7f\\x80\\x9b\\x9f")]
    #[case("admin\u{202e}nimda\u{2066}", "admin\\u{202e}nimda\\u{2066}")]
    #[case("a\u{200b}b\u{200d}c\u{feff}", "a\\u{200b}b\\u{200d}c\\u{feff}")]
    #[case("\u{fffe}\u{ffff}\u{1ffff}\u{fdd0}", "\\u{fffe}\\u{ffff}\\u{1ffff}\\u{fdd0}")]
    #[case("\u{2028}\u{e0041}", "\\u{2028}\\u{e0041}")]
    fn shows_what_is_not_seen(#[case] text: &str, #[case] clean: &str) {
        assert_eq!(super::clean(text), clean);
    }

    #[rstest]
    #[case("=1+1", "'=1+1")]
    #[case("+49 30 1", "'+49 30 1")]
    #[case("-2", "'-2")]
    #[case("@SUM(A1)", "'@SUM(A1)")]
    #[case("  =1", "'  =1")]
    #[case("＝1", "'＝1")]
    #[case("\t=1", "\\t=1")]
    #[case("\r=1", "\\r=1")]
    #[case("\u{200b}=1", "\\u{200b}=1")]
    #[case("cn=a+sn=b,dc=x", "cn=a+sn=b,dc=x")]
    #[case("cn=x;=1;y; @z;'", "cn=x;'=1;y;' @z;''")]
    #[case("'=1", "''=1")]
    #[case(";;", ";;")]
    fn no_cell_begins_a_formula(#[case] text: &str, #[case] shown: &str) {
        assert_eq!(cell(text), shown);
    }

    #[test]
    fn cuts_after_cleaning() {
        assert_eq!(clean_within("in step", 7), "in step");
        assert_eq!(clean_within("in step.", 7), "in s…");
        assert!(clean_within(&"\u{1}".repeat(1000), 1024).len() <= 1024);
        assert!(clean_within(&"ü".repeat(1000), 1024).len() <= 1024);
    }

    #[test]
    fn the_last_resort_makes_nothing_longer() {
        let mut value = json!({ "a": ["x\u{202e}", { "b": "\u{85}" }], "c": 1, "d": "fine" });
        replace_unseen(&mut value);
        assert_eq!(value, json!({ "a": ["x\u{fffd}", { "b": "\u{fffd}" }], "c": 1, "d": "fine" }));
    }

    proptest! {
        #[test]
        fn nothing_unseen_is_left_and_json_stays_exact(text in "\\PC*|(.|\\p{Cc}|\\p{Cf}|\\p{Cn})*") {
            prop_assert!(!clean(&text).contains(is_unseen));
            let shown = cell(&text);
            prop_assert!(shown.split(';').all(|part| !part.trim_start().starts_with(['=', '+', '-', '@', '\t', '\r'])));
            let undone: Vec<_> = shown.split(';').map(|part| part.strip_prefix('\'').unwrap_or(part)).collect();
            prop_assert_eq!(undone.join(";"), clean(&text));
            let shown = serde_json::to_string_pretty(&json!({ "it": [text] })).unwrap();
            let clean = clean_json(&shown);
            prop_assert!(!clean.replace('\n', "").contains(is_unseen));
            prop_assert_eq!(serde_json::from_str::<Value>(&clean).unwrap(), json!({ "it": [text] }));
        }
    }
}
