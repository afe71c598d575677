//! What an expression could take at most, before it is evaluated: the library that evaluates has no bounds of its own
//! (docs/adr/0015).
//!
//! It goes over the expression once, with the greatest size that each value can have: lists are not gone through, their
//! length is multiplied. Lists grow in `map` and `filter` alone, by the same with each element.

use cel::common::ast::{CallExpr, ComprehensionExpr, EntryExpr, Expr, IdedExpr, LiteralValue, operators};

use super::pattern::Patterns;

/// Bytes that any value may take, with what it is made of.
pub(super) const VALUE: u64 = 4 << 20;
/// Steps of one evaluation: looking at a part of the expression is one, and so are 16 bytes that are looked at.
pub(super) const STEPS: u64 = 20_000_000;

/// What a place in a list or a map takes.
const PLACE: u64 = 48;

/// How large a value is at most.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Size {
    /// With everything in it.
    bytes: u64,
    /// Elements, of a list or map.
    items: u64,
    /// Each of them.
    each: Option<Box<Size>>,
}

impl Size {
    /// A text.
    pub(super) fn text(bytes: usize) -> Self {
        Self { bytes: bytes as u64, ..Self::default() }
    }

    /// A list of texts.
    pub(super) fn list(items: usize, bytes: usize, longest: usize) -> Self {
        let (items, bytes) = (items as u64, bytes as u64);
        Self { bytes: bytes + items * PLACE, items, each: Some(Box::new(Self::text(longest))) }
    }

    fn scalar() -> Self {
        Self { bytes: 16, ..Self::default() }
    }

    /// Of so many bytes, whatever it is.
    fn of(bytes: u64) -> Self {
        Self { bytes, ..Self::default() }
    }

    /// One of its elements.
    fn element(&self) -> Self {
        self.each.as_deref().cloned().unwrap_or_else(|| Self::of(self.bytes))
    }

    /// Either of the two.
    fn or(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.max(other.bytes),
            items: self.items.max(other.items),
            each: either(self.each, other.each),
        }
    }

    /// Both, one after the other.
    fn and(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_add(other.bytes),
            items: self.items.saturating_add(other.items),
            each: either(self.each, other.each),
        }
    }
}

fn either(one: Option<Box<Size>>, other: Option<Box<Size>>) -> Option<Box<Size>> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Box::new(one.or(*other))),
        (one, other) => one.or(other),
    }
}

/// What is beyond a bound, and where in the expression.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Beyond {
    pub(super) id: u64,
    pub(super) why: String,
}

/// Adds up what `expression` takes at most, where the members of `subject` are as large as `member` says.
pub(super) fn check<'e>(
    expression: &'e IdedExpr,
    subject: &'e str,
    patterns: &Patterns,
    member: &dyn Fn(&'e IdedExpr) -> Option<Size>,
) -> Result<(), Beyond> {
    let mut walk = Walk { subject, patterns, member, bound: Vec::new(), times: 1, steps: 0 };
    walk.size(expression).map(drop)
}

struct Walk<'e, 'm> {
    subject: &'e str,
    patterns: &'m Patterns,
    member: &'m dyn Fn(&'e IdedExpr) -> Option<Size>,
    /// Variables of the lists that are gone through around the place.
    bound: Vec<(&'e str, Size)>,
    /// How often the place is evaluated.
    times: u64,
    steps: u64,
}

impl<'e> Walk<'e, '_> {
    fn size(&mut self, of: &'e IdedExpr) -> Result<Size, Beyond> {
        // A variable of the same name hides the subject.
        let hidden = self.bound.iter().any(|(bound, _)| *bound == self.subject);
        let member = if hidden { None } else { (self.member)(of) };
        let size = match member {
            Some(size) => size,
            None => self.made(of)?,
        };
        if size.bytes > VALUE {
            let why = format!("the result could have {} bytes, and the maximum is {VALUE}", size.bytes);
            return Err(Beyond { id: of.id, why });
        }
        self.take(of, 1)?;
        Ok(size)
    }

    /// Counts the steps of one evaluation.
    fn take(&mut self, of: &IdedExpr, steps: u64) -> Result<(), Beyond> {
        self.steps = self.steps.saturating_add(steps.saturating_mul(self.times));
        if self.steps > STEPS {
            let why = format!("evaluating this could take more than {STEPS} steps");
            return Err(Beyond { id: of.id, why });
        }
        Ok(())
    }

    fn made(&mut self, of: &'e IdedExpr) -> Result<Size, Beyond> {
        match &of.expr {
            Expr::Literal(LiteralValue::String(text)) => Ok(Size::text(text.inner().len())),
            Expr::Literal(LiteralValue::Bytes(bytes)) => Ok(Size::text(bytes.inner().len())),
            Expr::Unspecified | Expr::Struct(_) | Expr::Literal(_) => Ok(Size::scalar()),
            Expr::Ident(name) => {
                let bound = self.bound.iter().rev().find(|(bound, _)| bound == name);
                Ok(bound.map_or_else(Size::scalar, |(_, size)| size.clone()))
            }
            Expr::Select(select) => Ok(self.size(&select.operand)?.element()),
            Expr::List(list) => {
                let mut whole = Size::default();
                for element in &list.elements {
                    whole = whole.and(one(self.size(element)?));
                }
                Ok(whole)
            }
            Expr::Map(map) => {
                let mut whole = Size::default();
                for entry in &map.entries {
                    let (key, value) = match &entry.expr {
                        EntryExpr::MapEntry(entry) => (self.size(&entry.key)?, self.size(&entry.value)?),
                        EntryExpr::StructField(field) => (Size::scalar(), self.size(&field.value)?),
                    };
                    // Going through it gives keys, looking into it values.
                    whole = whole.and(Size { bytes: key.bytes + value.bytes + PLACE, ..one(key.or(value)) });
                }
                Ok(whole)
            }
            Expr::Call(call) => self.call(of, call),
            Expr::Comprehension(over) => self.comprehension(of, over),
        }
    }

    fn comprehension(&mut self, of: &'e IdedExpr, over: &'e ComprehensionExpr) -> Result<Size, Beyond> {
        let range = self.size(&over.iter_range)?;
        let start = self.size(&over.accu_init)?;
        let outside = self.bound.len();
        self.bound.push((&over.iter_var, range.element()));
        if let Some(second) = &over.iter_var2 {
            self.bound.push((second, range.element()));
        }
        let times = self.times;
        // Whatever it is, each element adds the same.
        self.bound.push((&over.accu_var, start.clone()));
        self.times = 0;
        let once = self.size(&over.loop_step)?;
        let grown =
            |from: u64, to: u64| from.saturating_add(to.saturating_sub(from).saturating_mul(range.items));
        let whole = Size {
            bytes: grown(start.bytes, once.bytes),
            items: grown(start.items, once.items),
            each: either(start.each, once.each),
        };
        self.times = times;
        if whole.bytes > VALUE {
            let why = format!(
                "the list that this creates could have {} bytes, and the maximum is {VALUE}",
                whole.bytes
            );
            return Err(Beyond { id: of.id, why });
        }
        if let Some((_, accumulated)) = self.bound.last_mut() {
            *accumulated = whole.clone();
        }
        self.times = times.saturating_mul(range.items);
        self.take(of, 4 + range.element().bytes / 16)?;
        self.size(&over.loop_cond)?;
        self.step(&over.loop_step, &over.accu_var)?;
        self.times = times;
        let result = self.size(&over.result)?;
        self.bound.truncate(outside);
        Ok(result.or(whole))
    }

    /// What adds to the list that is made: that is done in place, and what is there already is not looked at.
    fn step(&mut self, of: &'e IdedExpr, accumulated: &str) -> Result<(), Beyond> {
        match &of.expr {
            Expr::Call(call) if call.func_name == operators::CONDITIONAL => {
                call.args.first().map(|condition| self.size(condition)).transpose()?;
                call.args.iter().skip(1).try_for_each(|branch| self.step(branch, accumulated))
            }
            Expr::Call(CallExpr { func_name, args, .. }) if func_name == operators::ADD => {
                match args.as_slice() {
                    [IdedExpr { expr: Expr::Ident(name), .. }, added] if name == accumulated => {
                        self.size(added).map(drop)
                    }
                    _ => self.size(of).map(drop),
                }
            }
            Expr::Ident(name) if name == accumulated => Ok(()),
            _ => self.size(of).map(drop),
        }
    }

    fn call(&mut self, of: &'e IdedExpr, call: &'e CallExpr) -> Result<Size, Beyond> {
        let parts: Vec<&IdedExpr> = call.target.as_deref().into_iter().chain(&call.args).collect();
        let mut sizes = Vec::with_capacity(parts.len());
        for part in &parts {
            sizes.push(self.size(part)?);
        }
        let none = Size::default();
        let size = |at: usize| sizes.get(at).unwrap_or(&none);
        let all = sizes.iter().fold(0_u64, |all, size| all.saturating_add(size.bytes));
        let name = call.func_name.as_str();
        let work = match name {
            operators::CONDITIONAL | operators::INDEX => 0,
            "matches" => self.patterns.steps(parts.get(1).copied(), (size(0).bytes, size(1).bytes)),
            // Letter by letter.
            "indexOf" | "lastIndexOf" => all + size(0).bytes.saturating_mul(size(1).bytes) / 16,
            _ => all / 16,
        };
        let given = match name {
            operators::CONDITIONAL => size(1).clone().or(size(2).clone()),
            operators::ADD => size(0).clone().and(size(1).clone()),
            operators::INDEX | operators::OPT_INDEX => size(0).element(),
            "min" | "max" => {
                sizes.iter().fold(Size::scalar(), |most, size| most.or(size.clone()).or(size.element()))
            }
            "replace" => {
                let found = size(0).bytes / parts.get(1).map_or(1, |from| shortest(from)) + 1;
                Size::of(size(0).bytes.saturating_add(found.saturating_mul(size(2).bytes)))
            }
            "split" => {
                let items = size(0).bytes / parts.get(1).map_or(1, |at| shortest(at)) + 2;
                let each = Some(Box::new(Size::of(size(0).bytes)));
                Size { bytes: size(0).bytes.saturating_add(items.saturating_mul(PLACE)), items, each }
            }
            "join" => Size::of(size(0).bytes.saturating_add(size(0).items.saturating_mul(size(1).bytes))),
            // A number has some hundred digits at most, and a byte becomes a few characters.
            "format" => {
                let arguments =
                    size(1).bytes.saturating_mul(4).saturating_add(size(1).items.saturating_mul(512));
                Size::of(size(0).bytes.saturating_add(arguments))
            }
            "trim" | "lowerAscii" | "upperAscii" | "substring" | "charAt" | "reverse" | "dyn" => {
                size(0).clone()
            }
            "string" => Size::of(size(0).bytes.saturating_add(64)),
            _ => Size::scalar(),
        };
        self.take(of, work.saturating_add(given.bytes / 16))?;
        Ok(given)
    }
}

/// A list of this alone.
fn one(element: Size) -> Size {
    Size { bytes: element.bytes + PLACE, items: 1, each: Some(Box::new(element)) }
}

/// How long a text is at least: what is not written out may be empty.
fn shortest(text: &IdedExpr) -> u64 {
    match &text.expr {
        Expr::Literal(LiteralValue::String(text)) => (text.inner().len() as u64).max(1),
        _ => 1,
    }
}
