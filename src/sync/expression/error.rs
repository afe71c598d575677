//! An expression that cannot be used, and where.

/// An expression that cannot be used, and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("at line {line}, column {column} of `{text}`: {why}")]
pub struct ExpressionError {
    /// Counted from 1.
    pub line: usize,
    /// Counted from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub why: String,
    /// The line.
    pub text: String,
}

impl ExpressionError {
    pub(super) fn at_position(source: &str, (line, column): (isize, isize), why: &str) -> Self {
        let line = usize::try_from(line).unwrap_or(1).max(1);
        let column = usize::try_from(column).unwrap_or(1).max(1);
        let text = source.lines().nth(line - 1).unwrap_or_default().to_owned();
        let why = why.lines().next().unwrap_or_default().to_owned();
        Self { line, column, why, text }
    }

    pub(super) fn at_offset(source: &str, offset: usize, why: &str) -> Self {
        let before = source.get(..offset).unwrap_or(source);
        let line = before.matches('\n').count() + 1;
        let column = before.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
        Self::at_position(source, (line.cast_signed(), column.cast_signed()), why)
    }
}
