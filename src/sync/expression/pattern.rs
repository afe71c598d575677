//! `matches`: a pattern that an expression writes out is compiled once, with the expression; any other for each call, and it
//! has to be smaller. Patterns are bounded here, because the library that matches them would take seconds for some
//! (docs/adr/0015).

use std::collections::BTreeMap;
use std::sync::Arc;

use cel::common::ast::{Expr, IdedExpr, LiteralValue};
use cel::extractors::This;
use cel::{Context, ExecutionError};
use regex::{Regex, RegexBuilder};
use regex_syntax::ast;

/// Bytes that the patterns of one expression may take together when they are compiled.
pub(super) const COMPILED: usize = 1 << 20;
/// Bytes that a pattern may take that is not written out.
const MADE: usize = 128 << 10;
/// Bytes of a pattern.
const LONGEST: usize = 4096;
/// Steps that compiling the patterns of one expression may take.
const COMPILING: u64 = 2_000_000;
/// How large a compiled pattern is: the first of these that it fits in.
const SIZES: [usize; 4] = [16 << 10, 64 << 10, 256 << 10, COMPILED];
/// Bytes of what is remembered of a pattern while it is used.
const CACHE: usize = 256 << 10;

/// Steps for compiling any pattern, and for each byte of it.
const EACH: u64 = 20_000;
const EACH_BYTE: u64 = 400;
/// So many characters are compared without regard to case in one step.
const FOLDED: u64 = 5;
/// So many of them a pattern may have that is not written out.
const MADE_FOLDED: u64 = 0x1_0000;
/// For each byte of a text that is matched, one step more for so many bytes of the compiled pattern.
const OF_COMPILED: u64 = 4096;
const ALL_CHARACTERS: u64 = 0x11_0000;

/// The patterns that an expression writes out.
#[derive(Clone, Default)]
pub(super) struct Patterns(Arc<BTreeMap<String, Pattern>>);

struct Pattern {
    regex: Regex,
    size: usize,
}

/// Why a pattern cannot be used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum PatternError {
    #[error("this pattern is not valid: {0}")]
    Invalid(String),
    #[error("this pattern has more than {LONGEST} bytes")]
    Long,
    #[error(
        "this pattern is too large when it is compiled: the patterns that an expression writes out may take {COMPILED} bytes \
         together, any other {MADE}; repeat less often, or write [a-z] and [0-9] in place of \\w and \\d"
    )]
    Large,
    #[error(
        "this pattern takes too long to compile: compare fewer classes of characters without regard to case, or use \
         lowerAscii()"
    )]
    Slow,
}

impl Patterns {
    /// Compiles what is written out; an error is of the one with this id.
    pub(super) fn compile(written: &BTreeMap<String, u64>) -> Result<Self, (u64, PatternError)> {
        let (mut patterns, mut left, mut steps) = (BTreeMap::new(), COMPILED, 0);
        for (text, id) in written {
            let mut compile = || {
                steps += EACH + EACH_BYTE * text.len() as u64 + folded(text)? / FOLDED;
                if steps > COMPILING {
                    return Err(PatternError::Slow);
                }
                let pattern = smallest(text, left)?;
                left -= pattern.size;
                Ok(pattern)
            };
            let pattern = compile().map_err(|error| (*id, error))?;
            patterns.insert(text.clone(), pattern);
        }
        Ok(Self(Arc::new(patterns)))
    }

    /// Steps of one call of `matches`, with a text and a pattern of so many bytes.
    pub(super) fn steps(&self, pattern: Option<&IdedExpr>, (text, bytes): (u64, u64)) -> u64 {
        let (size, compiling) = match pattern.and_then(written).and_then(|text| self.0.get(text)) {
            Some(pattern) => (pattern.size, bytes),
            None => (MADE, EACH + MADE_FOLDED / FOLDED + bytes.saturating_mul(EACH_BYTE)),
        };
        compiling.saturating_add(text.saturating_mul(1 + size as u64 / OF_COMPILED))
    }

    /// Lets expressions call `matches`.
    pub(super) fn add_to(&self, context: &mut Context<'_, '_>) -> Result<(), ExecutionError> {
        let patterns = self.clone();
        let matches = move |This(text): This<Arc<String>>, pattern: Arc<String>| {
            patterns
                .is_match(&text, &pattern)
                .map_err(|error| ExecutionError::function_error("matches", error.to_string()))
        };
        context
            .add_function("matches", matches)
            .map_err(|error| ExecutionError::function_error("matches", error.to_string()))
    }

    fn is_match(&self, text: &str, pattern: &str) -> Result<bool, PatternError> {
        if let Some(known) = self.0.get(pattern) {
            return Ok(known.regex.is_match(text));
        }
        if folded(pattern)? > MADE_FOLDED {
            return Err(PatternError::Slow);
        }
        Ok(build(pattern, MADE)?.is_match(text))
    }
}

/// The pattern, if it is written out.
pub(super) fn written(pattern: &IdedExpr) -> Option<&str> {
    match &pattern.expr {
        Expr::Literal(LiteralValue::String(text)) => Some(text.inner()),
        _ => None,
    }
}

fn smallest(text: &str, left: usize) -> Result<Pattern, PatternError> {
    for size in SIZES.into_iter().filter(|size| *size <= left) {
        match build(text, size) {
            Err(PatternError::Large) => {}
            built => return built.map(|regex| Pattern { regex, size }),
        }
    }
    Err(PatternError::Large)
}

fn build(text: &str, size: usize) -> Result<Regex, PatternError> {
    let mut builder = RegexBuilder::new(text);
    builder.size_limit(size).dfa_size_limit(CACHE);
    builder.build().map_err(|error| match error {
        regex::Error::CompiledTooBig(_) => PatternError::Large,
        error => invalid(&error),
    })
}

/// What is wrong with it, without the pattern: that may be of the directory.
fn invalid(error: &impl ToString) -> PatternError {
    let said = error.to_string();
    let last = said.lines().last().unwrap_or_default();
    PatternError::Invalid(last.trim_start_matches("error: ").to_owned())
}

/// How many characters are compared without regard to case at most: each of them is looked up.
fn folded(pattern: &str) -> Result<u64, PatternError> {
    if pattern.len() > LONGEST {
        return Err(PatternError::Long);
    }
    let ast = ast::parse::Parser::new().parse(pattern).map_err(|error| invalid(&error))?;
    match ast::visit(&ast, Folded::default()) {
        Ok(folded) => Ok(folded),
        Err(never) => match never {},
    }
}

#[derive(Default)]
struct Folded {
    without_case: bool,
    characters: u64,
}

impl ast::Visitor for Folded {
    type Output = u64;
    type Err = std::convert::Infallible;

    fn finish(self) -> Result<u64, Self::Err> {
        Ok(if self.without_case { self.characters } else { 0 })
    }

    fn visit_pre(&mut self, of: &ast::Ast) -> Result<(), Self::Err> {
        let flags = match of {
            ast::Ast::Flags(set) => Some(&set.flags),
            ast::Ast::Group(group) => group.flags(),
            ast::Ast::ClassUnicode(_) => {
                self.characters += ALL_CHARACTERS;
                None
            }
            _ => None,
        };
        self.without_case |=
            flags.is_some_and(|flags| flags.flag_state(ast::Flag::CaseInsensitive) == Some(true));
        Ok(())
    }

    fn visit_class_set_item_pre(&mut self, item: &ast::ClassSetItem) -> Result<(), Self::Err> {
        use ast::ClassSetItem::{Ascii, Bracketed, Empty, Literal, Perl, Range, Unicode, Union};
        self.characters += match item {
            Range(range) => u64::from(u32::from(range.end.c).saturating_sub(u32::from(range.start.c))),
            Ascii(ascii) if !ascii.negated => 128,
            Ascii(_) | Unicode(_) | Perl(_) | Bracketed(_) => ALL_CHARACTERS,
            Empty(_) | Literal(_) | Union(_) => 0,
        };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use crate::directory::{Entry, Stated};
    use crate::sync::expression::{Asked, Expression, Failed, Returns, Subject};

    fn compile(expression: &str) -> Result<Expression, String> {
        Expression::compile(expression, Subject::User, Returns::Bool).map_err(|error| error.to_string())
    }

    /// What the expression says of a user with this title and this office.
    fn says(expression: &str, title: &str, office: &str) -> Result<bool, Failed> {
        let values = |of: &str| Stated::Values(vec![of.to_owned()]);
        let fields = [("title".to_owned(), values(title)), ("office".to_owned(), values(office))].into();
        let entry = Entry { fields, ..Entry::nobody() };
        let expression = compile(expression).unwrap();
        expression.holds(&entry, Asked { fields: expression.fields(), attributes: expression.attributes() })
    }

    #[rstest]
    #[case(r"user.title.matches('^[\\w.+-]+@[\\w-]+\\.[\\w.]+$')", "zoë.x@corp.example", true)]
    #[case(r"user.title.matches('^[\\w.+-]+@[\\w-]+\\.[\\w.]+$')", "zoë", false)]
    #[case(r"matches(user.title, '^\\d{4}-\\d{2}$')", "2031-02", true)]
    #[case(r"user.title.matches('(?i)^(sales|marketing)')", "Marketing", true)]
    #[case(r"user.title.matches('(?i)^[\\w ]+$') && !user.title.matches('x')", "Head of Ops", true)]
    #[case(r"user.title.matches('\\pL{1,10}')", "42", false)]
    #[case(r"user.title.matches('^' + user.office + '-')", "west-2", true)]
    #[case(r"matches(user.title, '^' + user.office + '$')", "west-2", false)]
    fn ordinary_patterns_match(#[case] expression: &str, #[case] title: &str, #[case] expected: bool) {
        assert_eq!(says(expression, title, "west"), Ok(expected));
    }

    #[rstest]
    #[case::repeated(r"user.title.matches('\\w{200}')", "too large")]
    #[case::within_one_another(r"user.title.matches('([a-z]{50}){500}')", "too large")]
    #[case::long(&format!("user.title.matches('{}')", "x".repeat(5000)), "more than 4096 bytes")]
    #[case::without_case(&format!("user.title.matches('(?i){}')", r"\\PL".repeat(20)), "without regard to case")]
    #[case::without_case_in_a_group(&format!("user.title.matches('x(?i:{})')", r"[b-\\x{ffff}]".repeat(200)), "without regard to case")]
    #[case::not_closed("user.title.matches('(a')", "this pattern is not valid: unclosed group")]
    #[case::as_a_function("matches(user.title, '(a')", "this pattern is not valid: unclosed group")]
    #[case::in_a_list("user.aliases.exists(a, a.matches('*a'))", "this pattern is not valid: repetition")]
    fn what_a_pattern_that_is_written_out_may_not_be_is_said_at_once(
        #[case] expression: &str,
        #[case] why: &str,
    ) {
        let error = compile(expression).unwrap_err();
        let column = expression.find('\'').unwrap() + 1;
        assert!(error.contains(why), "{error}");
        assert!(error.starts_with(&format!("at line 1, column {column} of ")), "{error}");
    }

    #[test]
    fn the_patterns_of_an_expression_are_bounded_together() {
        let patterns = |many: usize| {
            let each = (0..many).map(|n| format!(r"user.title.matches('[\\w.]+@{n}')"));
            compile(&each.collect::<Vec<_>>().join(" || "))
        };
        assert!(patterns(12).is_ok());
        assert!(patterns(30).unwrap_err().contains("may take 1048576 bytes together"));
    }

    #[rstest]
    #[case::repeated(r"user.title.matches(user.office + '\\w{30}')", "too large")]
    #[case::long("user.office.matches(user.office + user.title)", "more than 4096 bytes")]
    #[case::without_case(r"user.title.matches(user.office + '(?i)\\PL')", "without regard to case")]
    #[case::not_valid("user.title.matches(user.office + '(')", "not valid: unclosed group")]
    fn a_pattern_that_is_made_has_bounds_of_its_own(#[case] expression: &str, #[case] why: &str) {
        let failed = says(expression, &"x".repeat(5000), "west").unwrap_err();
        assert!(failed.why.contains(why) && !failed.unknown_field, "{failed}");
        assert!(!failed.why.contains("west"), "it may be of a person: {failed}");
    }
}
