//! Parses a filter.

use super::{Comparison, Filter, Literal};
use crate::scim::path::{Path, Scope};
use crate::scim::schema::{AttributeType, ResourceType};

/// Whoever asks for more does not want to know.
const LONGEST: usize = 4096;
const DEEPEST: usize = 16;

/// Why a filter cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FilterError {
    /// It is too long.
    #[error("the filter has {0} characters, and the maximum is {LONGEST}; use several requests")]
    TooLong(usize),
    /// Something in it cannot be understood.
    #[error("the filter cannot be understood at its character {at}: {why}")]
    Wrong {
        /// Where, counted from 1.
        at: usize,
        /// What is wrong there.
        why: String,
    },
}

impl Filter {
    /// Understands `text` as a filter over resources of these kinds.
    ///
    /// # Errors
    /// When the text is no filter by RFC 7644, or names an attribute that the schema does not have.
    pub fn parse(text: &str, over: &[&'static ResourceType]) -> Result<Self, FilterError> {
        parse(text, Scope::Resources(over))
    }
}

fn parse(text: &str, scope: Scope<'_>) -> Result<Filter, FilterError> {
    if text.len() > LONGEST {
        return Err(FilterError::TooLong(text.len()));
    }
    let mut parser = Parser { text, at: 0, depth: 0 };
    let filter = parser.any(scope)?;
    if parser.rest().is_empty() {
        Ok(filter)
    } else {
        parser.wrong("`and`, `or` or the end is expected here")
    }
}

struct Parser<'t> {
    text: &'t str,
    at: usize,
    depth: usize,
}

impl<'t> Parser<'t> {
    fn wrong<T>(&self, why: impl Into<String>) -> Result<T, FilterError> {
        Err(self.wrong_at(self.at, why))
    }

    fn wrong_at(&self, at: usize, why: impl Into<String>) -> FilterError {
        FilterError::Wrong { at: self.text[..at].chars().count() + 1, why: why.into() }
    }

    /// What is left, from the next thing that is no space on.
    fn rest(&mut self) -> &'t str {
        let rest = &self.text[self.at..];
        let trimmed = rest.trim_start_matches(' ');
        self.at += rest.len() - trimmed.len();
        trimmed
    }

    fn takes(&mut self, sign: char) -> bool {
        let there = self.rest().starts_with(sign);
        if there {
            self.at += sign.len_utf8();
        }
        there
    }

    fn peek_word(&mut self) -> &'t str {
        let rest = self.rest();
        let end = rest.find(|sign: char| !(sign.is_ascii_alphanumeric() || "-_:.$+".contains(sign)));
        &rest[..end.unwrap_or(rest.len())]
    }

    fn takes_word(&mut self, word: &str) -> bool {
        let next = self.peek_word();
        let there = next.eq_ignore_ascii_case(word);
        if there {
            self.at += next.len();
        }
        there
    }

    fn any(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        let mut some = vec![self.all(scope)?];
        while self.takes_word("or") {
            some.push(self.all(scope)?);
        }
        Ok(one_or(some, Filter::Any))
    }

    fn all(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        let mut some = vec![self.term(scope)?];
        while self.takes_word("and") {
            some.push(self.term(scope)?);
        }
        Ok(one_or(some, Filter::All))
    }

    fn term(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        if self.takes('(') {
            return self.within(scope, ')');
        }
        if self.takes_word("not") {
            if !self.takes('(') {
                return self.wrong("`(` is expected after `not`");
            }
            return Ok(Filter::Not(Box::new(self.within(scope, ')')?)));
        }
        self.expression(scope)
    }

    /// What stands between a bracket that was taken and the one that closes it.
    fn within(&mut self, scope: Scope<'_>, close: char) -> Result<Filter, FilterError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            return self.wrong(format!("brackets are nested more than {DEEPEST} deep"));
        }
        let filter = self.any(scope)?;
        self.depth -= 1;
        if self.takes(close) { Ok(filter) } else { self.wrong(format!("`{close}` is expected here")) }
    }

    fn expression(&mut self, scope: Scope<'_>) -> Result<Filter, FilterError> {
        let word = self.peek_word();
        if word.is_empty() {
            return self.wrong("the name of an attribute is expected here");
        }
        let Some(path) = Path::resolve(word, scope) else {
            return self.wrong(format!("there is no attribute {word}; the names are in Schemas"));
        };
        self.at += word.len();
        if !self.text[self.at..].starts_with('[') {
            return self.attribute(path);
        }
        if path.last().kind != AttributeType::Complex {
            return self.wrong(format!("{path} has no sub-attributes to select by"));
        }
        self.at += 1;
        let selected = self.within(Scope::Parts(path.last().parts), ']')?;
        if !self.text[self.at..].starts_with('.') {
            return Ok(Filter::Where(path, Box::new(selected)));
        }
        // `emails[type eq "work"].value co "x"` says that one value fulfils both.
        self.at += 1;
        let part = self.peek_word();
        let Some(of_part) = Path::resolve(part, Scope::Parts(path.last().parts)) else {
            return self.wrong(format!("{path} has no sub-attribute {part}; the names are in Schemas"));
        };
        self.at += part.len();
        let both = vec![selected, self.attribute(of_part)?];
        Ok(Filter::Where(path, Box::new(Filter::All(both))))
    }

    fn attribute(&mut self, mut path: Path) -> Result<Filter, FilterError> {
        let word = self.peek_word();
        if word.eq_ignore_ascii_case("pr") {
            self.at += word.len();
            return Ok(Filter::Present(path));
        }
        let Some((_, comparison)) =
            Comparison::ALL.into_iter().find(|(name, _)| name.eq_ignore_ascii_case(word))
        else {
            return self.wrong("eq, ne, co, sw, ew, gt, ge, lt, le or pr is expected here");
        };
        let begin = self.at;
        self.at += word.len();
        let literal = self.literal(&path)?;
        // Of a complex value it is `value` that is compared (RFC 7643 section 2.4).
        if path.last().kind == AttributeType::Complex && literal != Literal::Null {
            let Some(value) = path.attribute.part("value").filter(|_| path.part.is_none()) else {
                return Err(self.wrong_at(
                    begin,
                    format!("{path} cannot be compared as a whole; name one of its sub-attributes"),
                ));
            };
            path.part = Some(value);
        }
        let equality = matches!(comparison, Comparison::Equal | Comparison::NotEqual);
        let fits = match (&literal, path.last().kind) {
            (Literal::Text(_), AttributeType::Text | AttributeType::Reference) => true,
            (Literal::Boolean(_), AttributeType::Boolean) | (Literal::Null, _) => equality,
            _ => false,
        };
        if fits {
            return Ok(Filter::Compare(path, comparison, literal));
        }
        let how = match path.last().kind {
            AttributeType::Boolean => "by eq and ne, with true, false or null",
            AttributeType::Text | AttributeType::Reference | AttributeType::Complex => {
                "with a text in double quotes, or by eq and ne with null"
            }
        };
        Err(self.wrong_at(begin, format!("{path} is compared {how}")))
    }

    fn literal(&mut self, path: &Path) -> Result<Literal, FilterError> {
        let rest = self.rest();
        if let Some(inner) = rest.strip_prefix('"') {
            let mut escaped = false;
            let end = inner.find(|sign| {
                let ends = sign == '"' && !escaped;
                escaped = sign == '\\' && !escaped;
                ends
            });
            let Some(end) = end else { return self.wrong("the text that starts here has no end") };
            let quoted = &rest[..end + 2];
            let Ok(text) = serde_json::from_str(quoted) else {
                return self.wrong("the text that starts here is not a JSON string");
            };
            self.at += quoted.len();
            return Ok(Literal::Text(text));
        }
        let word = self.peek_word();
        let literal = match word {
            "true" => Literal::Boolean(true),
            "false" => Literal::Boolean(false),
            "null" => Literal::Null,
            _ => {
                return self.wrong(format!(
                    "a value to compare {path} with is expected here; texts are in double quotes"
                ));
            }
        };
        self.at += word.len();
        Ok(literal)
    }
}

fn one_or(mut some: Vec<Filter>, several: fn(Vec<Filter>) -> Filter) -> Filter {
    match some.pop() {
        Some(one) if some.is_empty() => one,
        last => {
            some.extend(last);
            several(some)
        }
    }
}
