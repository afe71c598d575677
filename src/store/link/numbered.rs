//! What is known of each subject, by its number.

use crate::directory::SubjectId;

/// Something for each subject. Their numbers are dense, so that one is found by its place: a million
/// memberships are looked up one by one.
#[derive(Clone, Debug, PartialEq)]
pub struct BySubject<T>(Vec<Option<T>>);

impl<T> BySubject<T> {
    /// Room for those whose numbers are below `next`.
    pub fn with_room(next: u32) -> Self {
        Self(Vec::with_capacity(next as usize))
    }

    /// That of this subject.
    pub fn get(&self, subject: &SubjectId) -> Option<&T> {
        self.0.get(subject.0 as usize)?.as_ref()
    }

    /// That of this subject, to be changed.
    pub fn get_mut(&mut self, subject: &SubjectId) -> Option<&mut T> {
        self.0.get_mut(subject.0 as usize)?.as_mut()
    }

    /// Sets that of this subject; returns what was there.
    pub fn insert(&mut self, subject: SubjectId, value: T) -> Option<T> {
        let at = subject.0 as usize;
        if at >= self.0.len() {
            self.0.resize_with(at + 1, || None);
        }
        self.0.get_mut(at)?.replace(value)
    }

    /// All, by ascending number.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.iter().flatten()
    }

    /// All, by ascending number, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.iter_mut().flatten()
    }

    /// How many there are at most.
    pub fn at_most(&self) -> usize {
        self.0.len()
    }
}

impl<T> Default for BySubject<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> FromIterator<(SubjectId, T)> for BySubject<T> {
    fn from_iter<I: IntoIterator<Item = (SubjectId, T)>>(all: I) -> Self {
        let mut by_subject = Self::default();
        for (subject, value) in all {
            by_subject.insert(subject, value);
        }
        by_subject
    }
}
