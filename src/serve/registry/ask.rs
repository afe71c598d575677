//! Parses a request: the parameters of a query, or the body of a search (RFC 7644 section 3.4).

use axum::extract::Query;
use axum::http::Uri;
use serde::Deserialize;

use crate::scim::schema::ResourceType;
use crate::scim::{Failure, Filter, Projection};

/// The most resources of a page.
pub(super) const MOST: u64 = 500;
/// The longest list of attributes that anybody needs.
const NAMES: usize = 200;

/// What came.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Ask<Names = String> {
    filter: Option<String>,
    start_index: Option<i64>,
    count: Option<i64>,
    attributes: Option<Names>,
    excluded_attributes: Option<Names>,
}

/// What is wanted of a list.
#[derive(Debug)]
pub(super) struct List {
    pub(super) filter: Option<Filter>,
    /// How many come before the first that is wanted.
    pub(super) skip: u64,
    pub(super) count: u64,
    pub(super) projection: Projection,
}

impl Ask {
    /// By the query of `uri`; what it does not know it leaves alone (`sortBy`: see `ServiceProviderConfig`).
    pub(super) fn of_query(uri: &Uri) -> Result<Self, Failure> {
        let query = Query::<Self>::try_from_uri(uri);
        query.map(|Query(ask)| ask).map_err(|error| Failure::bad("invalidValue", format!("{error}")))
    }

    /// By the body of a search.
    pub(super) fn of_body(body: &[u8]) -> Result<Self, Failure> {
        let ask: Ask<Vec<String>> = serde_json::from_slice(body)
            .map_err(|error| Failure::bad("invalidSyntax", format!("the search cannot be read: {error}")))?;
        let joined = |names: Option<Vec<String>>| names.map(|names| names.join(","));
        Ok(Self {
            filter: ask.filter,
            start_index: ask.start_index,
            count: ask.count,
            attributes: joined(ask.attributes),
            excluded_attributes: joined(ask.excluded_attributes),
        })
    }

    pub(super) fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// What is shown of resources of these kinds.
    pub(super) fn projection(&self, kinds: &[&'static ResourceType]) -> Result<Projection, Failure> {
        let names = |list: &Option<String>| -> Vec<String> {
            let list = list.as_deref().unwrap_or_default();
            list.split(',')
                .filter(|name| !name.trim().is_empty())
                .take(NAMES + 1)
                .map(str::to_owned)
                .collect()
        };
        let (only, without) = (names(&self.attributes), names(&self.excluded_attributes));
        if only.len().max(without.len()) > NAMES {
            return Err(Failure::bad("invalidValue", format!("more than {NAMES} attributes are named")));
        }
        let only: Vec<&str> = only.iter().map(String::as_str).collect();
        let without: Vec<&str> = without.iter().map(String::as_str).collect();
        Projection::parse(&only, &without, kinds).ok_or_else(|| {
            Failure::bad("invalidValue", "attributes and excludedAttributes exclude each other")
        })
    }

    /// Which resources of these kinds.
    pub(super) fn list(&self, kinds: &[&'static ResourceType]) -> Result<List, Failure> {
        let filter = self.filter.as_deref().map(|text| Filter::parse(text, kinds)).transpose();
        let filter = filter.map_err(|error| Failure::bad("invalidFilter", error.to_string()))?;
        // What is less than the least means the least (RFC 7644 section 3.4.2.4).
        let skip = self.start_index.map_or(0, |start| u64::try_from(start).unwrap_or(1).max(1) - 1);
        let count = self.count.map_or(MOST, |count| u64::try_from(count).unwrap_or(0).min(MOST));
        Ok(List { filter, skip, count, projection: self.projection(kinds)? })
    }
}
