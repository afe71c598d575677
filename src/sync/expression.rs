//! CEL: compiled once per generation, evaluated per entry. Pure.
//!
//! What an expression may name is checked when it is compiled, so that a slip of the pen is said
//! before anything is read, with its place, and not found out entry by entry.

use std::collections::{BTreeSet, HashMap};
use std::panic::resume_unwind;
use std::sync::{Arc, LazyLock};
use std::{fmt, io, thread};

use cel::common::ast::IdedExpr;
use cel::objects::{Key as MapKey, Map, Value};
use cel::{Context, Env, ExecutionError, Program};

use crate::directory::{Entry, EntryKind, FieldState, fields};

mod cost;
mod error;
mod names;
mod pattern;
mod subject;

use cost::Size;
pub use error::ExpressionError;
use names::Member;
use pattern::Patterns;
pub use subject::Subject;

/// What an expression must give.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Returns {
    /// `true` or `false`.
    Bool,
    /// A text.
    Text,
}

/// A compiled expression.
#[derive(Clone)]
pub struct Expression {
    source: String,
    subject: Subject,
    program: Arc<Program>,
    fields: BTreeSet<String>,
    attributes: BTreeSet<String>,
    patterns: Patterns,
    /// Whether it is within the bounds for every ordinary entry, so that only others are reckoned up.
    bounded: bool,
}

/// An expression that gave nothing for one entry, and why.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{expression}` {why}")]
pub struct Failed {
    /// The expression.
    pub expression: String,
    /// Whether a field that it reads is Unknown.
    pub unknown_field: bool,
    /// Why.
    pub why: String,
}

/// What was asked for at the last seal: what is missing from an entry is Empty if it was asked for,
/// else Unknown.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Neutral fields.
    pub fields: &'a BTreeSet<String>,
    /// Literal attributes.
    pub attributes: &'a BTreeSet<String>,
}

static ENVIRONMENT: LazyLock<Arc<Env>> = LazyLock::new(|| {
    let mut environment = Env::stdlib();
    // The extension declares nothing that the standard library has, so it cannot fail; without it its
    // functions are refused one by one where they are used.
    drop(environment.add_extension(cel::extensions::strings));
    Arc::new(environment)
});

/// Does this on a stack with room for what nobody has checked yet: the parser bounds how deep brackets nest, but not how
/// many terms stand in a row, each of which is a level (`1 + 1 + 1 …`). A stack that overflows would end the whole process.
fn with_room<T: Send>(work: impl FnOnce() -> T + Send) -> io::Result<T> {
    const ROOM: usize = 64 << 20;
    thread::scope(|scope| {
        let thread = thread::Builder::new().stack_size(ROOM).spawn_scoped(scope, work)?;
        thread.join().or_else(|panic| resume_unwind(panic))
    })
}

impl Expression {
    /// Compiles `text`.
    ///
    /// # Errors
    /// When the text is no CEL expression, names what no entry has, or would take more than an expression may.
    pub fn compile(text: &str, subject: Subject, returns: Returns) -> Result<Self, ExpressionError> {
        let (program, named, patterns, bounded) = with_room(|| {
            let program = ENVIRONMENT.compile(text).map_err(|errors| match errors.errors.first() {
                Some(error) => ExpressionError::at_position(text, error.pos, &error.msg),
                None => ExpressionError::at_position(text, (1, 1), "this is not an expression"),
            })?;
            let named = names::check(&program, text, subject)?;
            let refuse = |id: u64, why: &str| {
                let offset = program.source_info().offset_for(id).map_or(0, |(start, _)| start as usize);
                ExpressionError::at_offset(text, offset, why)
            };
            let patterns =
                Patterns::compile(&named.patterns).map_err(|(id, error)| refuse(id, &error.to_string()))?;
            // For the shortest entry that there is, and for any that is ordinary.
            let reckon = |size: Size, list: Size| {
                let member = |of| {
                    reckoned(of, subject, |member| if is_list(member) { list.clone() } else { size.clone() })
                };
                cost::check(program.expression(), subject.variable(), &patterns, &member)
            };
            if let Err(beyond) = reckon(Size::text(0), Size::list(0, 0, 0)) {
                return Err(refuse(beyond.id, &beyond.why));
            }
            let ordinary = Size::list(ORDINARY_LIST, ORDINARY_LIST * ORDINARY, ORDINARY);
            let bounded = reckon(Size::text(ORDINARY), ordinary).is_ok();
            Ok((program, named, patterns, bounded))
        })
        .map_err(|error| {
            ExpressionError::at_position(text, (1, 1), &format!("no thread for it: {error}"))
        })??;
        let expression = Self {
            source: text.to_owned(),
            subject,
            program: Arc::new(program),
            fields: named.fields,
            attributes: named.attributes,
            patterns,
            bounded,
        };
        expression.check_type(returns)?;
        Ok(expression)
    }

    /// The text that it was compiled from.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The neutral fields that it reads.
    pub fn fields(&self) -> &BTreeSet<String> {
        &self.fields
    }

    /// The literal attributes that it reads.
    pub fn attributes(&self) -> &BTreeSet<String> {
        &self.attributes
    }

    /// Evaluates to a yes or no for this entry.
    ///
    /// # Errors
    /// When a value that it needs is not known, or it takes more than an expression may.
    pub fn holds(&self, entry: &Entry, asked: Asked<'_>) -> Result<bool, Failed> {
        match self.evaluate(entry, asked)? {
            Value::Bool(holds) => Ok(holds),
            other => Err(self.failed(format!("returned {}, and must return true or false", kind_of(&other)))),
        }
    }

    /// Evaluates to a text for this entry.
    ///
    /// # Errors
    /// When a value that it needs is not known, or it takes more than an expression may.
    pub fn text(&self, entry: &Entry, asked: Asked<'_>) -> Result<String, Failed> {
        match self.evaluate(entry, asked)? {
            Value::String(text) => Ok(Arc::unwrap_or_clone(text)),
            other => Err(self.failed(format!(
                "returned {}, and must return a text: wrap it in string(…)",
                kind_of(&other)
            ))),
        }
    }

    fn evaluate(&self, entry: &Entry, asked: Asked<'_>) -> Result<Value, Failed> {
        self.check_cost(entry, asked)?;
        let mut context = Context::with_env(Arc::clone(&ENVIRONMENT));
        self.patterns.add_to(&mut context).map_err(|error| self.failed(error.to_string()))?;
        context.add_variable_from_value(self.subject.variable(), self.variable(entry, asked));
        self.program.execute(&context).map_err(|error| match error {
            ExecutionError::NoSuchKey(key) => Failed {
                expression: self.source.clone(),
                unknown_field: true,
                why: format!(
                    "needs {key}, which is unknown for this entry: its value could not be decoded, or was not read"
                ),
            },
            other => self.failed(format!("failed: {other}")),
        })
    }

    /// Refuses what could take too much for this entry.
    fn check_cost(&self, entry: &Entry, asked: Asked<'_>) -> Result<(), Failed> {
        let values = |member: Member<'_>| match member {
            Member::Field("id") => Stating::Text(entry.anchor.as_str()),
            Member::Field("dn") => Stating::Text(&entry.dn),
            Member::Field(field) => Stating::of(entry.field(field, asked.fields)),
            Member::First(name) | Member::All(name) => Stating::of(entry.attribute(name, asked.attributes)),
        };
        let fields = self.fields.iter().map(|field| Member::Field(field));
        let attributes = self.attributes.iter().map(|name| Member::All(name));
        if self.bounded && fields.chain(attributes).all(|member| values(member).is_ordinary()) {
            return Ok(());
        }
        let size = |member| values(member).size(is_list(member));
        let variable = self.subject.variable();
        let member = |of| reckoned(of, self.subject, size);
        let beyond = cost::check(self.program.expression(), variable, &self.patterns, &member);
        beyond.map_err(|beyond| self.failed(format!("is too costly for this entry: {}", beyond.why)))
    }

    /// Only what the expression names: the rest of the entry is never copied.
    fn variable(&self, entry: &Entry, asked: Asked<'_>) -> Value {
        let mut known: HashMap<MapKey, Value> = HashMap::new();
        for field in &self.fields {
            let state = entry.field(field, asked.fields);
            let value = match (field.as_str(), state) {
                ("id", _) => Some(Value::from(entry.anchor.as_str())),
                ("dn", _) => Some(Value::from(entry.dn.as_str())),
                ("kind", _) => {
                    Some(Value::from(if entry.kind == EntryKind::Contact { "contact" } else { "user" }))
                }
                (_, FieldState::Unknown) => None,
                (fields::ALIASES, state) => Some(list(state)),
                (_, state) => Some(first(state)),
            };
            if let Some(value) = value {
                known.insert(MapKey::from(field.as_str()), value);
            }
        }
        if !self.attributes.is_empty() {
            let (mut firsts, mut lists): (HashMap<MapKey, Value>, HashMap<MapKey, Value>) =
                Default::default();
            for name in &self.attributes {
                let state = entry.attribute(name, asked.attributes);
                if state != FieldState::Unknown {
                    firsts.insert(MapKey::from(name.as_str()), first(state));
                    lists.insert(MapKey::from(name.as_str()), list(state));
                }
            }
            known.insert(MapKey::from("attributes"), Value::Map(Map { map: Arc::new(firsts) }));
            known.insert(MapKey::from("values"), Value::Map(Map { map: Arc::new(lists) }));
        }
        Value::Map(Map { map: Arc::new(known) })
    }

    /// Tries the expression on an entry that states nothing: a type that is wrong there is wrong
    /// for every entry, and better said now.
    fn check_type(&self, returns: Returns) -> Result<(), ExpressionError> {
        let nobody = Entry::nobody();
        let asked = Asked { fields: &self.fields, attributes: &self.attributes };
        let Ok(value) = self.evaluate(&nobody, asked) else {
            // It may well hold for an entry that states something (an index into aliases).
            return Ok(());
        };
        let (fits, wanted) = match returns {
            Returns::Bool => (matches!(value, Value::Bool(_)), "true or false"),
            Returns::Text => (matches!(value, Value::String(_)), "a text"),
        };
        if fits {
            return Ok(());
        }
        let why = format!("this returns {}, and must return {wanted}", kind_of(&value));
        Err(ExpressionError::at_position(&self.source, (1, 1), &why))
    }

    fn failed(&self, why: String) -> Failed {
        Failed { expression: self.source.clone(), unknown_field: false, why }
    }
}

impl PartialEq for Expression {
    fn eq(&self, other: &Self) -> bool {
        self.source == other.source && self.subject == other.subject
    }
}

impl fmt::Debug for Expression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Expression").field(&self.source).finish()
    }
}

/// Bytes of a text of an ordinary entry, and texts of a list.
const ORDINARY: usize = 256;
const ORDINARY_LIST: usize = 50;

/// How large this part of the expression is, if it is of the entry.
fn reckoned<'e>(of: &'e IdedExpr, subject: Subject, size: impl Fn(Member<'e>) -> Size) -> Option<Size> {
    names::of_subject(of, subject).map(size)
}

/// Whether the expression sees it as a list.
fn is_list(member: Member<'_>) -> bool {
    matches!(member, Member::All(_) | Member::Field(fields::ALIASES))
}

/// What an entry states, for its size.
#[derive(Clone, Copy)]
enum Stating<'a> {
    Text(&'a str),
    Values(&'a [String]),
}

impl<'a> Stating<'a> {
    fn of(state: FieldState<'a>) -> Self {
        match state {
            FieldState::Value(values) => Self::Values(values),
            FieldState::Empty | FieldState::Unknown => Self::Values(&[]),
        }
    }

    fn is_ordinary(self) -> bool {
        match self {
            Self::Text(text) => text.len() <= ORDINARY,
            Self::Values(values) => {
                values.len() <= ORDINARY_LIST && values.iter().all(|value| value.len() <= ORDINARY)
            }
        }
    }

    fn size(self, list: bool) -> Size {
        match self {
            Self::Text(text) => Size::text(text.len()),
            Self::Values(values) if list => {
                let bytes = values.iter().map(String::len).sum();
                Size::list(values.len(), bytes, values.iter().map(String::len).max().unwrap_or(0))
            }
            Self::Values(values) => Size::text(values.first().map_or(0, String::len)),
        }
    }
}

fn first(state: FieldState<'_>) -> Value {
    match state {
        FieldState::Value([first, ..]) => Value::from(first.as_str()),
        _ => Value::from(""),
    }
}

fn list(state: FieldState<'_>) -> Value {
    match state {
        FieldState::Value(values) => Value::from(values.iter().map(String::as_str).collect::<Vec<_>>()),
        _ => Value::from(Vec::<&str>::new()),
    }
}

fn kind_of(value: &Value) -> &'static str {
    match value {
        Value::Bool(_) => "true or false",
        Value::String(_) => "a text",
        Value::Int(_) | Value::UInt(_) | Value::Float(_) => "a number",
        Value::List(_) => "a list",
        Value::Map(_) => "a map",
        Value::Null => "nothing",
        _ => "a value of another type",
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use rstest::rstest;

    use super::*;
    use crate::directory::Stated;

    #[test]
    fn an_error_stands_in_one_line() {
        let error =
            Expression::compile("true &&\n  user.nmae != ''", Subject::User, Returns::Bool).unwrap_err();
        assert!(error.to_string().starts_with("at line 2, column 7 of `  user.nmae != ''`: "), "{error}");
        assert!(!error.to_string().contains('\n'));
    }

    fn entry() -> Entry {
        let values = |of: &[&str]| Stated::Values(of.iter().map(|value| (*value).to_owned()).collect());
        Entry {
            dn: "uid=ann,dc=x".to_owned(),
            fields: BTreeMap::from([
                ("mail".to_owned(), values(&["ann@x.example"])),
                ("aliases".to_owned(), values(&["a@x.example", "b@x.example"])),
                ("department".to_owned(), values(&["Sales"])),
                ("title".to_owned(), Stated::Undecodable),
            ]),
            attributes: BTreeMap::from([("employeeStatus".to_owned(), values(&["active", "new"]))]),
            ..Entry::nobody()
        }
    }

    fn asked() -> (BTreeSet<String>, BTreeSet<String>) {
        let fields = fields::OF_USER.iter().map(|field| (*field).to_owned()).collect();
        (fields, BTreeSet::from(["employeeStatus".to_owned(), "room".to_owned()]))
    }

    fn holds(text: &str) -> Result<bool, Failed> {
        let (fields, attributes) = asked();
        let asked = Asked { fields: &fields, attributes: &attributes };
        Expression::compile(text, Subject::User, Returns::Bool).unwrap().holds(&entry(), asked)
    }

    #[rstest]
    #[case("user.department == 'Sales'", true)]
    #[case("user.department != 'Contractors'", true)]
    #[case("user.mail.endsWith('@x.example') && user.aliases.exists(a, a.startsWith('b'))", true)]
    #[case("user.givenName == ''", true)]
    #[case("user.attributes['employeeStatus'] == 'inactive'", false)]
    #[case("user.attributes.employeeStatus == 'active'", true)]
    #[case("'new' in user.values['employeeStatus']", true)]
    #[case("user.attributes[\"room\"] == ''", true)]
    #[case("user.dn.lowerAscii().contains('dc=x') && user.kind == 'user'", true)]
    #[case("size(user.aliases) == 2", true)]
    fn evaluates(#[case] text: &str, #[case] expected: bool) {
        assert_eq!(holds(text), Ok(expected));
    }

    #[test]
    fn an_undecodable_field_is_not_evidence() {
        let failed = holds("user.title == ''").unwrap_err();
        assert!(failed.unknown_field, "{failed}");
        assert!(failed.to_string().contains("title"), "{failed}");
    }

    #[test]
    fn a_field_that_was_not_asked_for_is_not_evidence() {
        let expression = Expression::compile("user.office == ''", Subject::User, Returns::Bool).unwrap();
        let nothing = BTreeSet::new();
        let failed =
            expression.holds(&entry(), Asked { fields: &nothing, attributes: &nothing }).unwrap_err();
        assert!(failed.unknown_field);
    }

    #[rstest]
    #[case("user.departement == 'x'", 1, 5, "did you mean `department`")]
    #[case("true &&\n foo.bar", 2, 2, "`foo` is not known")]
    #[case("user.mail ==", 1, 13, "")]
    #[case("user.mail", 1, 1, "returns a text")]
    #[case("user.attributes[user.mail] == ''", 1, 1, "a literal name")]
    #[case("user.mail.lower() == 'x'", 1, 1, "`lower` is not a function")]
    #[case("user == 'x'", 1, 1, "name one of its fields")]
    #[case("group.name == 'x'", 1, 1, "`group` is not known")]
    #[case(&format!("1{} == 1", " + 1".repeat(1000)), 1, 1, "levels deep")]
    #[case(&format!("user.mail{} == ''", ".trim()".repeat(500)), 1, 1, "levels deep")]
    #[case("has(user.department)", 1, 1, "could not be read")]
    #[case("has(user.attributes.room)", 1, 1, "could not be read")]
    #[case("[1].all(a, [1].all(b, [1].all(c, true)))", 1, 1, "within two other loops")]
    fn refuses_with_a_place(
        #[case] text: &str,
        #[case] line: usize,
        #[case] column: usize,
        #[case] why: &str,
    ) {
        let error = Expression::compile(text, Subject::User, Returns::Bool).unwrap_err();
        assert!(error.why.contains(why), "{error}");
        assert_eq!(error.line, line, "{error}");
        if column > 1 {
            assert_eq!(error.column, column, "{error}");
        }
    }

    /// An entry with this mail address and these aliases.
    fn writes(mail: usize, aliases: usize, each: usize) -> Entry {
        let text = |bytes: usize| "a".repeat(bytes);
        let fields = BTreeMap::from([
            ("mail".to_owned(), Stated::Values(vec![text(mail)])),
            ("aliases".to_owned(), Stated::Values(vec![text(each); aliases])),
        ]);
        Entry { fields, ..Entry::nobody() }
    }

    fn holds_for(text: &str, entry: &Entry) -> Result<bool, Failed> {
        let (fields, attributes) = asked();
        let asked = Asked { fields: &fields, attributes: &attributes };
        Expression::compile(text, Subject::User, Returns::Bool).unwrap().holds(entry, asked)
    }

    #[rstest]
    #[case::text_that_grows("user.mail.replace('a', 'aaaaaaaaaaaaaaaa').replace('a', 'aaaaaaaaaaaaaaaa') != ''", (1000, 0, 0), (40_000, 0, 0))]
    #[case::a_text_for_each_letter("user.mail.replace('a', user.mail) != ''", (1000, 0, 0), (3000, 0, 0))]
    #[case::a_list_of_letters("user.mail.split('').size() > 0", (10_000, 0, 0), (100_000, 0, 0))]
    #[case::a_list_for_each_element("user.aliases.map(a, user.aliases.map(b, a + b)).size() > 0", (0, 100, 20), (0, 400, 20))]
    #[case::joined("user.aliases.join(user.mail) != ''", (100, 100, 9), (100_000, 100, 9))]
    #[case::written("'%s %s'.format([user.mail, user.mail]) != ''", (1000, 0, 0), (600_000, 0, 0))]
    #[case::added("(user.mail + user.mail + user.mail + user.mail) != ''", (1000, 0, 0), (1_100_000, 0, 0))]
    #[case::steps("user.aliases.all(a, user.aliases.all(b, a == b || a.matches('x*')))", (0, 100, 9), (0, 3000, 9))]
    #[case::patterns_that_are_made("user.aliases.all(a, a.matches('^' + a))", (0, 20, 9), (0, 1000, 9))]
    #[case::text_of_patterns_that_are_made("'a'.matches(user.mail)", (4000, 0, 0), (60_000, 0, 0))]
    #[case::matched("user.mail.matches('^\\\\w+$')", (1000, 0, 0), (2_000_000, 0, 0))]
    #[case::matched_by_many_states("!user.mail.matches('[a-z]{300}1')", (1000, 0, 0), (2_000_000, 0, 0))]
    #[case::hidden("[{'mail': user.mail.replace('a', user.mail)}].map(user, user.mail + user['mail']).size() > 0", (1000, 0, 0), (1900, 0, 0))]
    #[case::searched("user.mail.indexOf(user.department + user.mail) < 9", (1000, 0, 0), (30_000, 0, 0))]
    fn what_takes_too_much_for_an_entry_fails_for_that_entry(
        #[case] text: &str,
        #[case] fine: (usize, usize, usize),
        #[case] beyond: (usize, usize, usize),
    ) {
        let of = |(mail, aliases, each)| holds_for(text, &writes(mail, aliases, each));
        of(fine).unwrap();
        let failed = of(beyond).unwrap_err();
        assert!(failed.why.contains("is too costly for this entry") && !failed.unknown_field, "{failed}");
    }

    #[test]
    fn ordinary_work_on_long_lists_is_done() {
        for text in [
            "user.aliases.filter(a, a.endsWith('x')).map(a, a.lowerAscii()).size() == 0",
            "user.aliases.exists_one(a, a.startsWith('x')) == false",
            "user.aliases.exists(a, a.matches('^x+$')) == false",
            "user.aliases.map(a, a.replace('ä', 'ae').replace('ö', 'oe').replace('ß', 'ss')).join(',') != ''",
            "user.aliases.map(a, a.split('@')[0] + '@' + a.substring(1)).size() > 0",
        ] {
            assert_eq!(holds_for(text, &writes(0, 500, 60)), Ok(true), "{text}");
        }
    }

    #[rstest]
    #[case(&format!("'a'{} != ''", ".replace('a', 'aaaaaaaaaaaaaaaa')".repeat(12)), "bytes")]
    #[case(&format!("'{0}'.split('').map(a, '{0}'.split('')).size() > 0", "a".repeat(400)), "bytes")]
    #[case(&format!("'{0}'.split('').all(a, '{0}'.split('').all(b, a.matches(b)))", "a".repeat(200)), "steps")]
    #[case(&format!("[{}].all(n, 'a'.matches(string(n)))", (1..900).map(|n| n.to_string()).collect::<Vec<_>>().join(",")), "steps")]
    fn what_takes_too_much_for_every_entry_is_no_expression(#[case] text: &str, #[case] why: &str) {
        let error = Expression::compile(text, Subject::User, Returns::Bool).unwrap_err();
        assert!(error.why.contains("could") && error.why.contains(why), "{error}");
    }

    #[rstest]
    #[case("'memberOf' in user.values", "write `size(user.values['memberOf']) > 0`")]
    #[case("!('room' in user.attributes)", "write `size(user.values['room']) > 0`")]
    #[case("['a'].exists(n, n in user['values'])", "write `size(user.values['name']) > 0`")]
    #[case("'mail' in user", "write `user['mail'] != ''`")]
    #[case("user.values.exists(name, name == 'memberOf')", "must be followed by the attribute")]
    #[case("[user.attributes].exists(all, all['room'] == '')", "must be followed by the attribute")]
    #[case("[user].exists(one, one.values['room'] == [])", "name one of its fields")]
    #[case("user['values']['ro' + 'om'] == []", "a literal name")]
    #[case("user['val' + 'ues']['room'] == []", "a literal name")]
    #[case("has(user.values.room)", "could not be read")]
    #[case("user.values[?'room'] == optional.none()", "")]
    #[case("user.?mail == optional.none()", "")]
    fn no_way_to_an_attribute_leaves_it_unread(#[case] text: &str, #[case] why: &str) {
        let error = Expression::compile(text, Subject::User, Returns::Bool).unwrap_err();
        assert!(error.why.contains(why), "{error}");
    }

    #[test]
    fn knows_what_it_reads() {
        let text = "user.mail != '' && user.attributes['a b'] == user.values['c'][0]";
        let expression = Expression::compile(text, Subject::User, Returns::Bool).unwrap();
        assert_eq!(expression.fields().iter().collect::<Vec<_>>(), ["mail"]);
        assert_eq!(expression.attributes().iter().collect::<Vec<_>>(), ["a b", "c"]);
    }
}
