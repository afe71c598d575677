//! CEL: compiled once per generation, evaluated per entry.

/// A compiled CEL expression.
#[derive(Clone)]
pub struct Expression {
    source: String,
}

impl Expression {
    /// The text it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }
}

impl std::fmt::Debug for Expression {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}
