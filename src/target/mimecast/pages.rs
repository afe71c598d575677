//! Pages of lists, in either of Mimecast's two shapes. Pure.

use std::collections::BTreeSet;

use serde_json::{Value, json};

/// So many objects a page has at most; Mimecast allows no more.
const PAGE: u32 = 100;

/// Where a page has its objects.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Within {
    /// In the field of this name.
    Field(&'static str),
    /// In `data`: in the field of this name of each part, or, without a name, each part is one.
    Data(&'static str),
}

/// A list on its way to its end.
#[derive(Debug, Default)]
pub(super) struct Walk {
    token: Option<String>,
    seen: BTreeSet<String>,
}

impl Walk {
    /// The query of the next page.
    pub(super) fn query(&self) -> Vec<(&str, String)> {
        let mut query = vec![("pageSize", PAGE.to_string())];
        query.extend(self.token.iter().map(|token| ("pageToken", token.clone())));
        query
    }

    /// The same in a body, about `data`.
    pub(super) fn body(&self, data: &Value) -> Value {
        let mut pagination = json!({ "pageSize": PAGE });
        if let Some(token) = &self.token {
            pagination["pageToken"] = token.as_str().into();
        }
        let data = if data.is_null() { json!([]) } else { json!([data]) };
        json!({ "meta": { "pagination": pagination }, "data": data })
    }

    /// The objects of a page, and whether more follow. An error says why it is no page.
    pub(super) fn take<'p>(
        &mut self,
        page: &'p Value,
        within: Within,
    ) -> Result<(Vec<&'p Value>, bool), &'static str> {
        let objects = objects(page, within)?;
        let Some(next) = next(page) else { return Ok((objects, false)) };
        if !self.seen.insert(next.to_owned()) {
            return Err("it leads to a page that came before");
        }
        self.token = Some(next.to_owned());
        Ok((objects, true))
    }
}

fn objects(page: &Value, within: Within) -> Result<Vec<&Value>, &'static str> {
    match within {
        Within::Field(name) => match page.get(name) {
            Some(Value::Array(objects)) => Ok(objects.iter().collect()),
            None | Some(Value::Null) if page.get("meta").is_some_and(Value::is_object) => Ok(Vec::new()),
            _ => Err("it has no list"),
        },
        Within::Data(name) => {
            let Some(data) = page.get("data").and_then(Value::as_array) else { return Err("it has no data") };
            if name.is_empty() {
                return Ok(data.iter().collect());
            }
            let mut objects = Vec::new();
            for part in data {
                match part.get(name) {
                    Some(Value::Array(some)) => objects.extend(some),
                    None | Some(Value::Null) if part.is_object() => {}
                    _ => return Err("its data have no list"),
                }
            }
            Ok(objects)
        }
    }
}

/// What leads to the next page, wherever it stands.
fn next(page: &Value) -> Option<&str> {
    let places = [
        "/meta/nextPage",
        "/meta/nextPageToken",
        "/meta/pagination/nextPageToken",
        "/meta/pagination/nextPage",
        "/meta/pagination/next",
    ];
    places.iter().find_map(|place| page.pointer(place)?.as_str()).filter(|token| !token.is_empty())
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case::field(json!({ "users": [1], "meta": { "nextPage": "a" } }), Within::Field("users"), 1, true)]
    #[case::other_name(json!({ "users": [1, 2], "meta": { "nextPageToken": "a" } }), Within::Field("users"), 2, true)]
    #[case::within(json!({ "users": [1], "meta": { "pagination": { "next": "a" } } }), Within::Field("users"), 1, true)]
    #[case::last(json!({ "users": [1], "meta": { "pagination": { "next": "" } } }), Within::Field("users"), 1, false)]
    #[case::none(json!({ "meta": {} }), Within::Field("users"), 0, false)]
    #[case::older(json!({ "data": [{ "folders": [1, 2] }, { "folders": [3] }], "meta": { "pagination": { "next": "b" } } }), Within::Data("folders"), 3, true)]
    #[case::older_without(json!({ "data": [{ "count": 0 }] }), Within::Data("folders"), 0, false)]
    #[case::each(json!({ "data": [{ "domain": "a" }, { "domain": "b" }] }), Within::Data(""), 2, false)]
    fn reads_either_shape(
        #[case] page: Value,
        #[case] within: Within,
        #[case] came: usize,
        #[case] more: bool,
    ) {
        let mut walk = Walk::default();
        let (objects, goes_on) = walk.take(&page, within).unwrap();
        assert_eq!((objects.len(), goes_on), (came, more));
        assert_eq!(walk.query().len(), 1 + usize::from(more));
        assert_eq!(walk.body(&Value::Null)["meta"]["pagination"]["pageToken"].is_string(), more);
    }

    #[rstest]
    #[case::nothing(json!({}), Within::Field("users"))]
    #[case::one(json!({ "users": {}, "meta": {} }), Within::Field("users"))]
    #[case::no_data(json!({ "fail": [] }), Within::Data("folders"))]
    #[case::text(json!({ "data": ["x"] }), Within::Data("folders"))]
    fn what_is_no_page_proves_no_absence(#[case] page: Value, #[case] within: Within) {
        assert!(Walk::default().take(&page, within).is_err());
    }

    #[test]
    fn a_circle_ends() {
        let page = json!({ "users": [1], "meta": { "nextPage": "a" } });
        let mut walk = Walk::default();
        walk.take(&page, Within::Field("users")).unwrap();
        assert!(walk.take(&page, Within::Field("users")).is_err());
    }
}
