//! Checks the names in an expression: they must exist, and be known before the evaluation.

use std::collections::{BTreeMap, BTreeSet};

use cel::Program;
use cel::common::ast::{EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::error::ExpressionError;
use super::pattern;
use super::subject::Subject;

/// Functions that an expression may call, beside operators and macros.
const FUNCTIONS: &[&str] = &[
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "matches",
    "string",
    "int",
    "uint",
    "double",
    "bool",
    "type",
    "dyn",
    "min",
    "max",
    "charAt",
    "indexOf",
    "lastIndexOf",
    "join",
    "lowerAscii",
    "upperAscii",
    "trim",
    "replace",
    "split",
    "substring",
    "format",
    "reverse",
];

/// What an expression reads.
#[derive(Debug, Default)]
pub(super) struct Named {
    pub(super) fields: BTreeSet<String>,
    pub(super) attributes: BTreeSet<String>,
    /// The patterns that are written out, and where.
    pub(super) patterns: BTreeMap<String, u64>,
}

/// How deep an expression may nest: each level takes some of the stack when it is evaluated.
const DEEPEST: usize = 64;
/// How many lists may be gone through within one another: each multiplies what one entry costs.
const LISTS: usize = 2;

/// Finds out what the program reads, and refuses what does not exist and what would cost too much.
pub(super) fn check(program: &Program, source: &str, subject: Subject) -> Result<Named, ExpressionError> {
    let mut walk =
        Walk { program, source, subject, depth: 0, lists: 0, bound: Vec::new(), named: Named::default() };
    walk.expression(program.expression())?;
    Ok(walk.named)
}

struct Walk<'a> {
    program: &'a Program,
    source: &'a str,
    subject: Subject,
    depth: usize,
    /// How many comprehensions enclose the place.
    lists: usize,
    /// Variables of the comprehensions that enclose the place.
    bound: Vec<String>,
    named: Named,
}

impl Walk<'_> {
    fn expression(&mut self, of: &IdedExpr) -> Result<(), ExpressionError> {
        self.depth += 1;
        if self.depth > DEEPEST {
            let why = format!(
                "this is nested more than {DEEPEST} levels deep (each term of a sum is one level): use fewer terms"
            );
            return Err(self.error(of, &why));
        }
        self.parts(of)?;
        self.depth -= 1;
        Ok(())
    }

    fn parts(&mut self, of: &IdedExpr) -> Result<(), ExpressionError> {
        if let Expr::Select(select) = &of.expr
            && select.test
        {
            // It would say "no" of what could not be read.
            return Err(self.error(
                of,
                "has() cannot distinguish an empty field from one that could not be read: write `!= \'\'`",
            ));
        }
        if let Some(field) = self.field_of_subject(of)? {
            self.named.fields.insert(field);
            return Ok(());
        }
        if let Some(attribute) = self.attribute_of_subject(of)? {
            self.named.attributes.insert(attribute);
            return Ok(());
        }
        match &of.expr {
            Expr::Unspecified | Expr::Literal(_) => Ok(()),
            Expr::Ident(name) => self.identifier(of, name),
            Expr::Select(select) => self.expression(&select.operand),
            Expr::List(list) => list.elements.iter().try_for_each(|element| self.expression(element)),
            Expr::Call(call) => {
                let name = call.func_name.as_str();
                let operator = !name.starts_with(|c: char| c.is_ascii_alphabetic());
                if !operator && !FUNCTIONS.contains(&name) {
                    let why =
                        format!("`{name}` is not a function; the functions are {}", FUNCTIONS.join(", "));
                    return Err(self.error(of, &why));
                }
                if call.func_name == operators::IN {
                    self.presence(of, &call.args)?;
                }
                if name == "matches"
                    && let Some(of) = call.args.last()
                    && let Some(text) = pattern::written(of)
                {
                    self.named.patterns.entry(text.to_owned()).or_insert(of.id);
                }
                call.target.iter().try_for_each(|target| self.expression(target))?;
                call.args.iter().try_for_each(|argument| self.expression(argument))
            }
            Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
                EntryExpr::MapEntry(entry) => {
                    self.expression(&entry.key)?;
                    self.expression(&entry.value)
                }
                EntryExpr::StructField(field) => self.expression(&field.value),
            }),
            Expr::Struct(_) => Err(self.error(of, "messages cannot be created here")),
            Expr::Comprehension(comprehension) => {
                self.expression(&comprehension.iter_range)?;
                if self.lists == LISTS {
                    return Err(
                        self.error(of, "this loops over a list within two other loops, which takes too long")
                    );
                }
                self.lists += 1;
                let depth = self.bound.len();
                self.bound.push(comprehension.iter_var.clone());
                self.bound.extend(comprehension.iter_var2.clone());
                self.bound.push(comprehension.accu_var.clone());
                for part in [
                    &comprehension.accu_init,
                    &comprehension.loop_cond,
                    &comprehension.loop_step,
                    &comprehension.result,
                ] {
                    self.expression(part)?;
                }
                self.bound.truncate(depth);
                self.lists -= 1;
                Ok(())
            }
        }
    }

    /// `"mail" in user`, `"memberOf" in user.values`: what is not read is in neither, so it would say "no" of everybody.
    fn presence(&self, of: &IdedExpr, sides: &[IdedExpr]) -> Result<(), ExpressionError> {
        let [name, map] = sides else { return Ok(()) };
        let name = match &name.expr {
            Expr::Literal(LiteralValue::String(name)) => name.inner(),
            _ => "name",
        };
        let variable = self.subject.variable();
        let instead = match member(map) {
            _ if self.is_subject(map) => format!("{variable}['{name}'] != ''"),
            Some((inner, Some("attributes" | "values"))) if self.is_subject(inner) => {
                format!("size({variable}.values['{name}']) > 0")
            }
            _ => return Ok(()),
        };
        Err(self.error(
            of,
            &format!(
                "`in` cannot distinguish an empty attribute from one that was not read: write `{instead}`"
            ),
        ))
    }

    /// `user.mail`, `user["mail"]`.
    fn field_of_subject(&self, of: &IdedExpr) -> Result<Option<String>, ExpressionError> {
        let Some((operand, field)) = member(of) else { return Ok(None) };
        if !self.is_subject(operand) {
            return Ok(None);
        }
        let variable = self.subject.variable();
        let Some(field) = field else {
            return Err(self.error(
                of,
                &format!(
                    "the field of `{variable}` must be a literal name, so that it is known what to read"
                ),
            ));
        };
        let own =
            ["id", "dn", "kind"].into_iter().filter(|own| *own != "kind" || self.subject == Subject::User);
        let known: Vec<&str> = self.subject.fields().iter().copied().chain(own).collect();
        if known.contains(&field) {
            return Ok(Some(field.to_owned()));
        }
        if matches!(field, "attributes" | "values") {
            let why = format!(
                "`{variable}.{field}` must be followed by the attribute: `{variable}.{field}['name']`"
            );
            return Err(self.error(of, &why));
        }
        let hint = match nearest(field, &known) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!(
                "the fields are {}; the directory's own attributes are in {variable}.attributes['…']",
                known.join(", ")
            ),
        };
        Err(self.error(of, &format!("`{variable}` has no `{field}`: {hint}")))
    }

    /// `user.attributes["x"]`, `user.attributes.x`, `user.values["x"]`.
    fn attribute_of_subject(&self, of: &IdedExpr) -> Result<Option<String>, ExpressionError> {
        let Some((operand, attribute)) = member(of) else { return Ok(None) };
        let Some((inner, Some("attributes" | "values"))) = member(operand) else { return Ok(None) };
        if !self.is_subject(inner) {
            return Ok(None);
        }
        match attribute {
            Some(attribute) => Ok(Some(attribute.to_owned())),
            None => {
                Err(self.error(of, "the attribute must be a literal name, so that it is known what to read"))
            }
        }
    }

    fn identifier(&self, of: &IdedExpr, name: &str) -> Result<(), ExpressionError> {
        if self.bound.iter().any(|bound| bound == name) {
            return Ok(());
        }
        let variable = self.subject.variable();
        let why = if name == variable {
            format!("`{variable}` is not a value: name one of its fields, such as `{variable}.mail`")
        } else {
            format!("`{name}` is not known here; use `{variable}`")
        };
        Err(self.error(of, &why))
    }

    fn is_subject(&self, of: &IdedExpr) -> bool {
        matches!(&of.expr, Expr::Ident(name) if name == self.subject.variable() && !self.bound.contains(name))
    }

    fn error(&self, of: &IdedExpr, why: &str) -> ExpressionError {
        let offset = self.program.source_info().offset_for(of.id).map_or(0, |(start, _)| start as usize);
        ExpressionError::at_offset(self.source, offset, why)
    }
}

/// What of the subject a part of an expression is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Member<'a> {
    /// `user.mail`.
    Field(&'a str),
    /// `user.attributes["x"]`.
    First(&'a str),
    /// `user.values["x"]`.
    All(&'a str),
}

/// What of the subject this is, in an expression that was checked, where no variable of its own hides the subject.
pub(super) fn of_subject(of: &IdedExpr, subject: Subject) -> Option<Member<'_>> {
    let (operand, name) = member(of)?;
    let is_subject = |of: &IdedExpr| matches!(&of.expr, Expr::Ident(name) if name == subject.variable());
    if is_subject(operand) {
        return name.map(Member::Field);
    }
    match member(operand)? {
        (inner, Some("attributes")) if is_subject(inner) => name.map(Member::First),
        (inner, Some("values")) if is_subject(inner) => name.map(Member::All),
        _ => None,
    }
}

/// `operand.field` or `operand["field"]`; the field is `None` if it is not written out.
fn member(of: &IdedExpr) -> Option<(&IdedExpr, Option<&str>)> {
    match &of.expr {
        Expr::Select(select) => Some((&select.operand, Some(&select.field))),
        Expr::Call(call) if call.func_name == operators::INDEX => match call.args.as_slice() {
            [operand, IdedExpr { expr: Expr::Literal(LiteralValue::String(field)), .. }] => {
                Some((operand, Some(field.inner())))
            }
            [operand, _] => Some((operand, None)),
            _ => None,
        },
        _ => None,
    }
}

/// The one of `known` that was probably meant.
fn nearest<'a>(name: &str, known: &[&'a str]) -> Option<&'a str> {
    let distance = |known: &str| strsim::damerau_levenshtein(&name.to_lowercase(), &known.to_lowercase());
    known
        .iter()
        .copied()
        .map(|known| (distance(known), known))
        .filter(|(d, _)| *d <= 2)
        .min()
        .map(|(_, known)| known)
}
