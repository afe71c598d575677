//! What JSON states, as far as it is asked for: an object of a page names its properties, and no value is taken apart before somebody
//! wants it. Nothing is copied on the way.

use std::borrow::Cow;
use std::fmt;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::directory::Stated;

/// An object: its properties in the order in which they came, each value as it is written.
#[derive(Clone, Debug, Default)]
pub(super) struct Object<'t>(Vec<(Cow<'t, str>, &'t RawValue)>);

impl<'t> Object<'t> {
    /// The object that a value is, if it is one.
    pub(super) fn of(value: &'t RawValue) -> Option<Self> {
        value.get().starts_with('{').then(|| serde_json::from_str(value.get()).ok())?
    }

    /// The property of this name. Of one that came twice the later one counts.
    pub(super) fn get(&self, name: &str) -> Option<&'t RawValue> {
        self.0.iter().rev().find(|(known, _)| known == name).map(|(_, value)| *value)
    }

    /// The same, whatever the letter case of its name.
    pub(super) fn get_in_any_case(&self, name: &str) -> Option<&'t RawValue> {
        let alike = || self.0.iter().find(|(known, _)| known.eq_ignore_ascii_case(name));
        self.get(name).or_else(|| alike().map(|(_, value)| *value))
    }

    /// Of everything that it says, in whatever order.
    pub(super) fn digest(&self) -> u64 {
        let of = |(name, value): &(Cow<'_, str>, &RawValue)| {
            let mut hasher = DefaultHasher::new();
            (name, value.get()).hash(&mut hasher);
            hasher.finish()
        };
        self.0.iter().map(of).fold(0, u64::wrapping_add)
    }

    /// Its properties, in the order of their names.
    pub(super) fn sorted(&self) -> Vec<(&str, &'t str)> {
        let mut all: Vec<_> = self.0.iter().map(|(name, value)| (&**name, value.get())).collect();
        all.sort_unstable();
        all
    }
}

impl<'de: 't, 't> Deserialize<'de> for Object<'t> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        /// A name, copied only if it is not written as it is.
        #[derive(serde::Deserialize)]
        struct Name<'t>(#[serde(borrow)] Cow<'t, str>);

        struct Properties;

        impl<'de> Visitor<'de> for Properties {
            type Value = Object<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut all = Vec::with_capacity(16);
                while let Some((Name(name), value)) = map.next_entry()? {
                    all.push((name, value));
                }
                Ok(Object(all))
            }
        }

        deserializer.deserialize_map(Properties)
    }
}

/// The elements of a list; `None` of what is no list.
pub(super) fn list(value: &RawValue) -> Option<Vec<&RawValue>> {
    value.get().starts_with('[').then(|| serde_json::from_str(value.get()).ok())?
}

/// A text, copied only if it is not written as it is; `None` of what is no text.
pub(super) fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    let written = value.get();
    let within = written.strip_prefix('"')?.strip_suffix('"')?;
    if within.contains('\\') {
        serde_json::from_str(written).ok().map(Cow::Owned)
    } else {
        Some(Cow::Borrowed(within))
    }
}

/// Whether it is null.
pub(super) fn is_null(value: &RawValue) -> bool {
    value.get() == "null"
}

/// Yes or no; `None` of what is neither.
pub(super) fn boolean(value: &RawValue) -> Option<bool> {
    value.get().parse().ok()
}

/// The texts in a value: one, or those of a list. A structure among them cannot be decoded; null and empty texts state nothing.
pub(super) fn stated(value: &RawValue) -> Option<Stated> {
    match value.get().as_bytes().first() {
        Some(b'n') => None,
        Some(b'[') => stated_by(list(value)?),
        _ => stated_by([value]),
    }
}

/// The texts that these values are.
pub(super) fn stated_by<'t>(values: impl IntoIterator<Item = &'t RawValue>) -> Option<Stated> {
    let mut stated = Vec::new();
    for value in values {
        let text = match value.get().as_bytes().first() {
            Some(b'"') => text(value),
            Some(b'{' | b'[' | b'n') | None => None,
            // A number or a boolean, as it is written.
            Some(_) => Some(Cow::Borrowed(value.get())),
        };
        let Some(text) = text else { return Some(Stated::Undecodable) };
        let text = text.trim();
        if !text.is_empty() {
            stated.push(text.to_owned());
        }
    }
    (!stated.is_empty()).then_some(Stated::Values(stated))
}

/// The object that this is, for tests that make it up.
#[cfg(test)]
pub(super) fn object(value: &serde_json::Value) -> Object<'static> {
    serde_json::from_str(Box::leak(value.to_string().into_boxed_str())).unwrap()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[rstest]
    #[case(r#"" Ann ""#, Some(&["Ann"][..]))]
    #[case(r#""Zo\u00eb \"Z\"""#, Some(&["Zoë \"Z\""][..]))]
    #[case("7", Some(&["7"][..]))]
    #[case("-1.50", Some(&["-1.50"][..]))]
    #[case("true", Some(&["true"][..]))]
    #[case(r#"["a", 7, " ", false]"#, Some(&["a", "7", "false"][..]))]
    #[case("[]", None)]
    #[case(r#""""#, None)]
    #[case("null", None)]
    fn a_value_states_texts(#[case] value: &str, #[case] texts: Option<&[&str]>) {
        let of = |texts: &[&str]| Stated::Values(texts.iter().map(|text| (*text).to_owned()).collect());
        assert_eq!(stated(&raw(value)), texts.map(of));
    }

    #[rstest]
    #[case("{}")]
    #[case(r#"["a", {}]"#)]
    #[case(r#"["a", null]"#)]
    #[case(r#"[["a"]]"#)]
    // No text has half a sign.
    #[case(r#""\ud800""#)]
    fn what_is_no_text_is_not_known(#[case] value: &str) {
        assert_eq!(stated(&raw(value)), Some(Stated::Undecodable));
    }

    #[test]
    fn a_property_is_found_by_its_name() {
        let object: Object<'_> = serde_json::from_str(r#"{"a":1,"B":2,"a":3,"\u0062":4}"#).unwrap();
        let number = |value: Option<&RawValue>| value.map(RawValue::get).map(str::to_owned);
        assert_eq!(number(object.get("a")).as_deref(), Some("3"));
        assert_eq!(number(object.get("A")), None);
        assert_eq!(number(object.get_in_any_case("A")).as_deref(), Some("1"));
        assert_eq!(number(object.get_in_any_case("b")).as_deref(), Some("4"));
    }

    #[test]
    fn what_it_says_counts_and_not_in_which_order() {
        let of = |text: &str| serde_json::from_str::<Object<'_>>(text).unwrap().digest();
        assert_eq!(of(r#"{"a":"1","b":"2"}"#), of(r#"{"b":"2","a":"1"}"#));
        assert_ne!(of(r#"{"a":"1","b":"2"}"#), of(r#"{"a":"2","b":"1"}"#));
        assert_eq!(object(&json!({ "b": 1, "a": null })).sorted(), [("a", "null"), ("b", "1")]);
    }
}
