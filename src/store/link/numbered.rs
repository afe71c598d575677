//! The data of each subject, by its number.

use crate::directory::SubjectId;
use crate::store::dense::Dense;

/// Something for each subject, whose numbers are dense.
#[derive(Clone, Debug, PartialEq)]
pub struct BySubject<T>(Dense<T>);

impl<T> BySubject<T> {
    /// That of this subject.
    pub fn get(&self, subject: &SubjectId) -> Option<&T> {
        self.0.get(subject.0)
    }

    /// That of this subject, to be changed.
    pub fn get_mut(&mut self, subject: &SubjectId) -> Option<&mut T> {
        self.0.get_mut(subject.0)
    }

    /// Sets that of this subject; returns what was there.
    pub fn insert(&mut self, subject: SubjectId, value: T) -> Option<T> {
        self.0.at(subject.0).replace(value)
    }

    /// All, by ascending number.
    pub fn values(&self) -> impl Iterator<Item = &T> {
        self.0.values()
    }

    /// All, by ascending number, for good.
    pub fn into_values(self) -> impl Iterator<Item = T> {
        self.0.into_values()
    }

    /// All, by ascending number, to be changed.
    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut T> {
        self.0.values_mut()
    }
}

impl<T> Default for BySubject<T> {
    fn default() -> Self {
        Self(Dense::default())
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
