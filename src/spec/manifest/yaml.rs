//! Parses YAML and JSON documents within limits; text that aliases repeat counts each time.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Bytes of one document at most: more than an apiserver takes of an object.
const DOCUMENT: usize = 2 << 20;
/// Brackets that are open at once at most.
const BRACKETS: usize = 500;

/// Calls `each` with every document and its number, from 1 on; the error says why the rest cannot be told apart.
pub(super) fn documents(text: &str, mut each: impl FnMut(usize, Value)) -> Result<(), String> {
    check(text)?;
    // What stands there once, and a little of what is repeated.
    let left = Cell::new(2 * text.len() + 4096);
    for (at, document) in serde_yaml::Deserializer::from_str(text).enumerate() {
        let value = Tree { left: &left }.deserialize(document);
        each(at + 1, value.map_err(|error| not_read(&error))?);
    }
    Ok(())
}

/// Refuses what the YAML library would take memory or time for that grow with the square of the text.
fn check(text: &str) -> Result<(), String> {
    let (mut length, mut open) = (0, 0_usize);
    for line in text.split_inclusive('\n') {
        // `---x` is no separator.
        if line.strip_prefix("---").is_some_and(|rest| rest.trim_start() != rest || rest.is_empty()) {
            (length, open) = (0, 0);
        }
        length += line.len();
        if length > DOCUMENT {
            return Err(format!("a document has more than {DOCUMENT} bytes; split it"));
        }
        for byte in line.bytes() {
            match byte {
                b'[' | b'{' => open += 1,
                b']' | b'}' => open = open.saturating_sub(1),
                _ => {}
            }
            if open > BRACKETS {
                return Err(format!(
                    "more than {BRACKETS} brackets are open at once; nothing is nested so deeply"
                ));
            }
        }
    }
    Ok(())
}

/// Why a document cannot be read. The reader takes 128 levels; it has one line for that, without what to do.
fn not_read(error: &serde_yaml::Error) -> String {
    let error = error.to_string();
    match error.strip_prefix("recursion limit exceeded") {
        Some(place) => {
            format!(
                "maps and lists are nested more than 128 deep{place}; no manifest needs that: check its brackets and indentation"
            )
        }
        None => format!("this is not YAML or JSON: {error}"),
    }
}

/// Makes a tree of a document as long as there is something left to make it of.
#[derive(Clone, Copy)]
struct Tree<'l> {
    left: &'l Cell<usize>,
}

impl Tree<'_> {
    fn spend<E: Error>(self, bytes: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(1 + bytes);
        self.left.set(
            left.ok_or_else(|| E::custom("its aliases expand to too much text; write the text out instead"))?,
        );
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, document: D) -> Result<Value, D::Error> {
        document.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map, a list, a text, a number, true, false or null")
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        self.spend(0)?;
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        self.spend(0)?;
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        self.spend(0)?;
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        self.spend(0)?;
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(value.into())
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        self.spend(0)?;
        Ok(Value::Null)
    }

    fn visit_none<E: Error>(self) -> Result<Value, E> {
        self.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, document: D) -> Result<Value, D::Error> {
        self.deserialize(document)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut map = Map::new();
        while let Some(key) = entries.next_key_seed(self)? {
            let Value::String(key) = key else {
                return Err(A::Error::custom(format!(
                    "{key} is a key and is not a text; write it in quotes"
                )));
            };
            let value = entries.next_value_seed(self)?;
            if map.contains_key(&key) {
                return Err(A::Error::custom(format!("{key:?} is twice in one map; keep one of them")));
            }
            map.insert(key, value);
        }
        Ok(Value::Object(map))
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn read(text: &str) -> Result<Vec<Value>, String> {
        let mut all = Vec::new();
        documents(text, |_, value| all.push(value)).map(|()| all)
    }

    #[rstest]
    #[case("a: 1\nb: [x, 1.5, true, null, -3]\n", json!({ "a": 1, "b": ["x", 1.5, true, null, -3] }))]
    #[case("a: |\n  [[{\n  two\n", json!({ "a": "[[{\ntwo\n" }))]
    #[case("{\"a\": {\"b\": \"c\"}}", json!({ "a": { "b": "c" } }))]
    #[case("a: &x [1, 2]\nb: *x\n", json!({ "a": [1, 2], "b": [1, 2] }))]
    #[case("a: '1'\nb: .nan\n", json!({ "a": "1", "b": null }))]
    fn reads_what_stands_there(#[case] text: &str, #[case] expected: Value) {
        assert_eq!(read(text).unwrap(), [expected]);
    }

    #[test]
    fn documents_come_one_after_the_other() {
        assert_eq!(
            read("a: 1\n---\n---\nb: 2\n").unwrap(),
            [json!({ "a": 1 }), Value::Null, json!({ "b": 2 })]
        );
    }

    #[rstest]
    #[case("a: [", "not YAML")]
    #[case("a: 1\na: 2\n", "twice")]
    #[case("1: a\n", "in quotes")]
    #[case("a: !x { b: 1 }\n", "not YAML")]
    fn refuses_what_is_no_document(#[case] text: &str, #[case] part: &str) {
        let error = read(text).unwrap_err();
        assert!(error.contains(part), "{error}");
    }

    #[test]
    fn what_aliases_make_of_a_text_is_bounded_before_it_is_made() {
        let text = "x".repeat(2000);
        let several = |times: usize| format!("a: &a {text}\nb: [{}]\n", vec!["*a"; times].join(", "));
        assert!(read(&several(2)).is_ok());
        assert!(read(&several(5)).unwrap_err().contains("aliases"));
        let lists = "a: &a [1, 1, 1, 1, 1, 1, 1, 1]\nb: &b [*a, *a, *a, *a, *a, *a, *a, *a]\nc: &c [*b, *b, *b, *b, *b, *b, *b]\n\
            d: [*c, *c, *c, *c, *c, *c, *c, *c, *c]\n";
        assert!(read(lists).unwrap_err().contains("aliases"));
    }

    #[test]
    fn brackets_and_bytes_have_bounds_in_each_document() {
        let open = |count: usize| format!("a: \"{}\"\n", "[".repeat(count));
        assert!(read(&[open(BRACKETS), open(BRACKETS)].join("---\n")).is_ok());
        assert!(read(&open(BRACKETS + 1)).unwrap_err().contains("brackets"));
        let no_separator = [open(BRACKETS), open(BRACKETS)].join("---x: y\n");
        assert!(read(&no_separator).unwrap_err().contains("brackets"));
        let nested = |count: usize| format!("a: {}{}\n", "[".repeat(count), "]".repeat(count));
        assert!(read(&nested(100)).is_ok());
        assert!(read(&nested(200)).unwrap_err().contains("more than 128 deep at line 1"));
        let long = |bytes: usize| format!("a: \"{}\"\n", "x".repeat(bytes - 6));
        assert!(read(&[long(DOCUMENT - 4), long(DOCUMENT - 4)].join("---\n")).is_ok());
        assert!(read(&long(DOCUMENT + 1)).unwrap_err().contains("2097152 bytes"));
    }
}
