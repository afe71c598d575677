//! How a list is walked to its end (RFC 7644 section 3.4.2.4, RFC 9865): what is asked next, and when it is whole. Pure.

use std::collections::HashSet;

use serde_json::Value;

use super::dialect::Paging;
use super::resource;
use crate::directory::TargetId;

/// No list is longer.
const MOST_PAGES: usize = 1_000_000;

/// Where a walk is.
#[derive(Debug)]
pub(super) struct Walk {
    paging: Paging,
    page: u32,
    next: Next,
    pages: usize,
    total: Option<u64>,
    seen: HashSet<TargetId>,
    cursors: HashSet<String>,
}

/// What is asked for next.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Next {
    /// From this number on; the first is 1.
    Index(u64),
    /// What comes after this cursor; the first is empty.
    Cursor(String),
}

/// What follows from a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// There is more.
    More,
    /// That was all.
    Done,
}

/// Why a list is not to be believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Broken {
    /// It changed while it was read: another walk may be whole.
    Changed(&'static str),
    /// It is no list.
    NoList(&'static str),
}

impl Walk {
    pub(super) fn new(paging: Paging, page: u32) -> Self {
        let next = match paging {
            Paging::Index => Next::Index(1),
            Paging::Cursor => Next::Cursor(String::new()),
        };
        Self { paging, page, next, pages: 0, total: None, seen: HashSet::new(), cursors: HashSet::new() }
    }

    /// The query of the next page.
    pub(super) fn query(&self) -> String {
        match &self.next {
            Next::Index(start) => format!("startIndex={start}&count={}", self.page),
            Next::Cursor(cursor) => format!("cursor={}&count={}", super::filter::escaped(cursor), self.page),
        }
    }

    /// Takes a page: its resources, and what follows.
    pub(super) fn take(&mut self, page: &Value) -> Result<(Vec<Value>, Step), Broken> {
        let resources = of_page(page)?;
        self.pages += 1;
        if self.pages > MOST_PAGES {
            return Err(Broken::NoList("it does not come to an end"));
        }
        for one in &resources {
            let id = resource::id(one).ok_or(Broken::NoList("it has a resource without an id"))?;
            if !self.seen.insert(id) {
                return Err(Broken::Changed("it gave an object twice"));
            }
        }
        // A service may go on by cursor although nobody asked for that.
        let cursor = page.get("nextCursor").and_then(Value::as_str).filter(|cursor| !cursor.is_empty());
        let step = match cursor {
            Some(cursor) => self.after_cursor(cursor)?,
            None if self.paging == Paging::Cursor || matches!(self.next, Next::Cursor(_)) => Step::Done,
            None => self.after_index(page, resources.len())?,
        };
        Ok((resources, step))
    }

    fn after_cursor(&mut self, cursor: &str) -> Result<Step, Broken> {
        if !self.cursors.insert(cursor.to_owned()) {
            return Err(Broken::NoList("it gave the same cursor again"));
        }
        self.next = Next::Cursor(cursor.to_owned());
        Ok(Step::More)
    }

    fn after_index(&mut self, page: &Value, came: usize) -> Result<Step, Broken> {
        let number = |name: &str| page.get(name).and_then(Value::as_u64);
        let Next::Index(start) = self.next else { return Ok(Step::Done) };
        // Without any it may be left out, or echo what was asked.
        if came > 0 && number("startIndex").is_some_and(|given| given.max(1) != start) {
            return Err(Broken::NoList("it began elsewhere than was asked"));
        }
        let total = number("totalResults").ok_or(Broken::NoList("it does not say how long it is"))?;
        if *self.total.get_or_insert(total) != total {
            return Err(Broken::Changed("its length changed"));
        }
        let have = self.seen.len() as u64;
        if have > total {
            return Err(Broken::Changed("it gave more objects than it says that it has"));
        }
        if have == total {
            return Ok(Step::Done);
        }
        if came == 0 {
            return Err(Broken::Changed("it gave fewer objects than it says that it has"));
        }
        self.next = Next::Index(start + came as u64);
        Ok(Step::More)
    }
}

/// Whether a page has all that it says that there is.
pub(super) fn is_whole(page: &Value, came: usize) -> bool {
    let goes_on = page.get("nextCursor").and_then(Value::as_str).is_some_and(|cursor| !cursor.is_empty());
    let total = page.get("totalResults").and_then(Value::as_u64).unwrap_or_default();
    !goes_on && total <= came as u64
}

/// The resources of a page; without any they may be left out.
pub(super) fn of_page(page: &Value) -> Result<Vec<Value>, Broken> {
    match page.get("Resources") {
        Some(Value::Array(resources)) => Ok(resources.clone()),
        None | Some(Value::Null) if page.get("totalResults").is_some_and(Value::is_u64) => Ok(Vec::new()),
        _ => Err(Broken::NoList("it has no resources")),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    fn page(total: u64, start: u64, ids: &[u64]) -> Value {
        let resources: Vec<_> = ids.iter().map(|id| json!({ "id": id.to_string() })).collect();
        json!({ "totalResults": total, "startIndex": start, "itemsPerPage": ids.len(), "Resources": resources })
    }

    fn walk(pages: &[Value]) -> Result<(usize, Vec<String>), Broken> {
        let mut walk = Walk::new(Paging::Index, 2);
        let (mut came, mut queries) = (0, Vec::new());
        for page in pages {
            queries.push(walk.query());
            let (resources, step) = walk.take(page)?;
            came += resources.len();
            if step == Step::Done {
                return Ok((came, queries));
            }
        }
        panic!("it goes on with {}", walk.query())
    }

    #[test]
    fn ends_where_all_came() {
        let (came, queries) = walk(&[page(5, 1, &[1, 2]), page(5, 3, &[3, 4]), page(5, 5, &[5])]).unwrap();
        assert_eq!((came, queries.last().unwrap().as_str()), (5, "startIndex=5&count=2"));
        // Shorter pages than were asked for.
        assert_eq!(walk(&[page(3, 1, &[1]), page(3, 2, &[2]), page(3, 3, &[3])]).unwrap().0, 3);
        assert_eq!(walk(&[json!({ "totalResults": 0 })]).unwrap().0, 0);
        assert_eq!(walk(&[json!({ "totalResults": 1, "Resources": [{ "id": 1 }] })]).unwrap().0, 1);
    }

    #[rstest]
    #[case::twice(&[page(4, 1, &[1, 2]), page(4, 3, &[2, 3])])]
    #[case::twice_on_a_page(&[page(4, 1, &[1, 1])])]
    #[case::longer(&[page(4, 1, &[1, 2]), page(5, 3, &[3, 4])])]
    #[case::shorter(&[page(4, 1, &[1, 2]), page(3, 3, &[3])])]
    #[case::too_few(&[page(4, 1, &[1, 2]), page(4, 3, &[])])]
    #[case::too_many(&[page(1, 1, &[1, 2])])]
    fn a_list_that_changed_is_not_whole(#[case] pages: &[Value]) {
        assert!(matches!(walk(pages), Err(Broken::Changed(_))));
    }

    #[rstest]
    #[case::always_the_first(&[page(4, 1, &[1, 2]), page(4, 1, &[3, 4])])]
    #[case::login(&[json!({ "login": "please" })])]
    #[case::no_total(&[json!({ "Resources": [{ "id": "1" }] })])]
    #[case::no_id(&[json!({ "totalResults": 1, "Resources": [{ "userName": "ada" }] })])]
    #[case::one_object(&[json!({ "totalResults": 1, "Resources": { "id": "1" } })])]
    fn what_is_no_list_is_no_list(#[case] pages: &[Value]) {
        assert!(matches!(walk(pages), Err(Broken::NoList(_))));
    }

    #[test]
    fn a_cursor_leads_to_the_end() {
        let mut walk = Walk::new(Paging::Cursor, 2);
        assert_eq!(walk.query(), "cursor=&count=2");
        let page = |id: u64, next: Option<&str>| json!({ "Resources": [{ "id": id }], "nextCursor": next });
        assert_eq!(walk.take(&page(1, Some("a b"))).unwrap().1, Step::More);
        assert_eq!(walk.query(), "cursor=a%20b&count=2");
        assert_eq!(walk.take(&page(2, Some("c"))).unwrap().1, Step::More);
        assert_eq!(walk.take(&page(3, None)).unwrap().1, Step::Done);
    }

    #[test]
    fn cursors_that_lead_in_a_circle_lead_to_no_end() {
        let mut walk = Walk::new(Paging::Cursor, 2);
        let mut take =
            |next: &str| walk.take(&json!({ "Resources": [], "nextCursor": next })).map(|(_, step)| step);
        assert_eq!((take("a"), take("b")), (Ok(Step::More), Ok(Step::More)));
        assert!(matches!(take("a"), Err(Broken::NoList(_))));
    }

    #[rstest]
    #[case::all(json!({ "totalResults": 1 }), true)]
    #[case::nothing_said(json!({}), true)]
    #[case::more(json!({ "totalResults": 2 }), false)]
    #[case::goes_on(json!({ "nextCursor": "x" }), false)]
    fn what_a_page_lacks_it_says(#[case] page: Value, #[case] whole: bool) {
        assert_eq!(is_whole(&page, 1), whole);
    }

    #[test]
    fn a_service_may_force_cursors() {
        let mut walk = Walk::new(Paging::Index, 2);
        let page = json!({ "totalResults": 3, "Resources": [{ "id": 1 }], "nextCursor": "x" });
        assert_eq!(walk.take(&page).unwrap().1, Step::More);
        assert_eq!(walk.query(), "cursor=x&count=2");
        assert_eq!(walk.take(&json!({ "Resources": [{ "id": 2 }] })).unwrap().1, Step::Done);
    }
}
