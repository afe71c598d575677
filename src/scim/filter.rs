//! Filters (RFC 7644 section 3.4.2.2): which resources a reader requests.
//!
//! The grammar is small, and the crate that parses it (`scim-filter`) knows neither URNs, value paths within
//! expressions, letter case by schema nor a limit to nesting; so it is parsed here.

use std::fmt;

use serde_json::Value;

use super::path::Path;

mod parse;

pub use parse::FilterError;

/// A filter over attributes that exist.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// All of these, at least two.
    All(Vec<Filter>),
    /// Any of these, at least two.
    Any(Vec<Filter>),
    /// Not this.
    Not(Box<Filter>),
    /// The attribute has a value.
    Present(Path),
    /// The attribute compares so.
    Compare(Path, Comparison, Literal),
    /// One value of a complex attribute fulfils a filter over its parts.
    Where(Path, Box<Filter>),
}

/// How an attribute is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comparison {
    /// `eq`
    Equal,
    /// `ne`
    NotEqual,
    /// `co`
    Contains,
    /// `sw`
    StartsWith,
    /// `ew`
    EndsWith,
    /// `gt`
    Greater,
    /// `ge`
    GreaterOrEqual,
    /// `lt`
    Less,
    /// `le`
    LessOrEqual,
}

/// What an attribute is compared with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Literal {
    /// A text.
    Text(String),
    /// `true` or `false`.
    Boolean(bool),
    /// `null`: no value.
    Null,
}

impl Comparison {
    const ALL: [(&'static str, Self); 9] = [
        ("eq", Self::Equal),
        ("ne", Self::NotEqual),
        ("co", Self::Contains),
        ("sw", Self::StartsWith),
        ("ew", Self::EndsWith),
        ("gt", Self::Greater),
        ("ge", Self::GreaterOrEqual),
        ("lt", Self::Less),
        ("le", Self::LessOrEqual),
    ];

    fn holds(self, value: &str, literal: &str) -> bool {
        match self {
            Self::Equal => value == literal,
            Self::NotEqual => value != literal,
            Self::Contains => value.contains(literal),
            Self::StartsWith => value.starts_with(literal),
            Self::EndsWith => value.ends_with(literal),
            Self::Greater => value > literal,
            Self::GreaterOrEqual => value >= literal,
            Self::Less => value < literal,
            Self::LessOrEqual => value <= literal,
        }
    }
}

impl Filter {
    /// Whether the resource fulfils it.
    pub fn matches(&self, resource: &Value) -> bool {
        match self {
            Self::All(all) => all.iter().all(|filter| filter.matches(resource)),
            Self::Any(any) => any.iter().any(|filter| filter.matches(resource)),
            Self::Not(filter) => !filter.matches(resource),
            Self::Present(path) => path.values(resource).into_iter().any(is_something),
            // Of several values it is enough that one compares so; but "not equal" means that none equals.
            Self::Compare(path, Comparison::NotEqual, literal) => {
                !compare(path, Comparison::Equal, literal, resource)
            }
            Self::Compare(path, comparison, literal) => compare(path, *comparison, literal, resource),
            Self::Where(path, filter) => path.values(resource).into_iter().any(|value| filter.matches(value)),
        }
    }

    /// The text that the attribute `name` must equal in whatever fulfils the filter, if there is one: an
    /// index finds it.
    pub fn demands(&self, name: &str) -> Option<&str> {
        match self {
            Self::All(all) => all.iter().find_map(|filter| filter.demands(name)),
            Self::Compare(path, Comparison::Equal, Literal::Text(text))
                if path.part.is_none() && path.attribute.name == name =>
            {
                Some(text)
            }
            _ => None,
        }
    }

    /// Whether it looks at the attribute `name` of a resource.
    pub fn looks_at(&self, name: &str) -> bool {
        match self {
            Self::All(some) | Self::Any(some) => some.iter().any(|filter| filter.looks_at(name)),
            Self::Not(filter) => filter.looks_at(name),
            Self::Present(path) | Self::Compare(path, ..) | Self::Where(path, _) => {
                path.attribute.name == name
            }
        }
    }
}

fn compare(path: &Path, comparison: Comparison, literal: &Literal, resource: &Value) -> bool {
    let values = path.values(resource);
    match literal {
        Literal::Null => !values.into_iter().any(is_something),
        Literal::Boolean(wanted) => values.iter().any(|value| value.as_bool() == Some(*wanted)),
        Literal::Text(wanted) if path.last().exact => {
            values.iter().filter_map(|value| value.as_str()).any(|value| comparison.holds(value, wanted))
        }
        Literal::Text(wanted) => {
            let wanted = wanted.to_lowercase();
            let mut texts = values.iter().filter_map(|value| value.as_str());
            texts.any(|value| comparison.holds(&value.to_lowercase(), &wanted))
        }
    }
}

/// An empty value is none (RFC 7643 section 2.5).
fn is_something(value: &Value) -> bool {
    match value {
        Value::Null => false,
        Value::String(text) => !text.is_empty(),
        Value::Array(values) => !values.is_empty(),
        Value::Object(fields) => !fields.is_empty(),
        Value::Bool(_) | Value::Number(_) => true,
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(all) => join(f, all, " and ", |one| matches!(one, Self::All(_) | Self::Any(_))),
            Self::Any(any) => join(f, any, " or ", |one| matches!(one, Self::Any(_))),
            Self::Not(filter) => write!(f, "not ({filter})"),
            Self::Present(path) => write!(f, "{path} pr"),
            Self::Compare(path, comparison, literal) => write!(f, "{path} {comparison} {literal}"),
            Self::Where(path, filter) => write!(f, "{path}[{filter}]"),
        }
    }
}

fn join(f: &mut fmt::Formatter<'_>, some: &[Filter], by: &str, group: fn(&Filter) -> bool) -> fmt::Result {
    for (at, filter) in some.iter().enumerate() {
        if at > 0 {
            f.write_str(by)?;
        }
        if group(filter) { write!(f, "({filter})")? } else { write!(f, "{filter}")? }
    }
    Ok(())
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = Self::ALL.iter().find(|(_, comparison)| comparison == self).map(|(name, _)| *name);
        f.write_str(name.unwrap_or_default())
    }
}

impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "{}", Value::from(text.as_str())),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Null => f.write_str("null"),
        }
    }
}

#[cfg(test)]
mod tests;
