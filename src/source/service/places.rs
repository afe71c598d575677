//! Where an object that a read did not bring is looked for, and what comes of that. Pure.

use std::collections::HashMap;

use crate::directory::Anchor;
use crate::source::LookUp;

/// What a service says of one place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::source) enum Said {
    /// It is there.
    There,
    /// It is there, and not among those that are read.
    Outside,
    NotThere,
    /// Neither: no right to see it, no time to look.
    Nothing,
}

/// Objects that a read did not bring. Where it is known as what one was read (`users/…`, `groups/…`), it is looked for there, else
/// in each of the collections that are read.
pub(in crate::source) struct Places<'a> {
    pub(in crate::source) anchors: &'a [Anchor],
    pub(in crate::source) called: &'a HashMap<Anchor, String>,
    pub(in crate::source) collections: &'a [&'a str],
}

impl Places<'_> {
    /// Where to look.
    pub(in crate::source) fn all(&self) -> Vec<String> {
        self.anchors.iter().flat_map(|anchor| self.of(anchor)).collect()
    }

    fn of(&self, anchor: &Anchor) -> Vec<String> {
        match self.called.get(anchor) {
            Some(place) => vec![place.clone()],
            None => self.collections.iter().map(|of| format!("{of}/{anchor}")).collect(),
        }
    }

    /// What was said of all of them. Where all objects of a kind are read, who is there and was not read is not elsewhere: nothing
    /// is said of them.
    pub(in crate::source) fn settle(&self, said: &HashMap<String, Said>) -> LookUp {
        let mut settled = LookUp::default();
        for anchor in self.anchors {
            let places = self.of(anchor);
            let of = |place: &String| said.get(place).copied().unwrap_or(Said::Nothing);
            let is = |place: &&String| [Said::There, Said::Outside].contains(&of(place));
            let there: Vec<String> = places.iter().filter(is).cloned().collect();
            if !there.is_empty() {
                if there.iter().all(|place| of(place) == Said::Outside) {
                    settled.found.push(anchor.clone());
                }
                settled.called.insert(anchor.clone(), there);
            } else if places.iter().all(|place| of(place) == Said::NotThere) {
                settled.missing.push(anchor.clone());
            }
        }
        settled
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_nowhere_is_missing() {
        let anchors = ["a", "b", "c", "d"].map(Anchor::new);
        let called = HashMap::from([(Anchor::new("d"), "users/d".to_owned())]);
        let places = Places { anchors: &anchors, called: &called, collections: &["users", "groups"] };
        assert_eq!(places.all()[4..], ["users/c", "groups/c", "users/d"]);
        let said = [
            ("users/a", Said::NotThere),
            ("groups/a", Said::NotThere),
            ("users/b", Said::NotThere),
            ("groups/b", Said::Nothing),
            ("users/c", Said::Outside),
            ("users/d", Said::There),
        ];
        let said = said.into_iter().map(|(place, said)| (place.to_owned(), said)).collect();
        let settled = places.settle(&said);
        assert_eq!((settled.missing, settled.found), (vec![Anchor::new("a")], vec![Anchor::new("c")]));
        assert_eq!(settled.called[&Anchor::new("d")], ["users/d"]);
    }
}
