//! What of a service is open between reads.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use super::client;
use crate::net::http::Http;
use crate::source::SourceError;

/// What is open. Clones share it.
pub(in crate::source) struct Open<S>(Arc<Mutex<Inner<S>>>);

struct Inner<S> {
    /// Connections outlive a read.
    http: Option<Http>,
    /// With the token of the last read, for the look-ups after it. The next read gets one of its own: a token does not show what was
    /// granted or withdrawn since it was issued.
    service: Option<Arc<S>>,
}

impl<S> Open<S> {
    /// The service, with a token that is yet to be issued.
    pub(in crate::source) fn begin(
        &self,
        ca_pem: Option<&[u8]>,
        make: impl FnOnce(Http) -> Result<S, SourceError>,
    ) -> Result<Arc<S>, SourceError> {
        let mut open = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let http = match &open.http {
            Some(http) => http.clone(),
            None => client(ca_pem)?,
        };
        let service = Arc::new(make(http.clone())?);
        *open = Inner { http: Some(http), service: Some(service.clone()) };
        Ok(service)
    }

    /// The service, as the last read asked it.
    pub(in crate::source) fn last(&self) -> Option<Arc<S>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).service.clone()
    }
}

impl<S> Default for Open<S> {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Inner { http: None, service: None })))
    }
}

impl<S> Clone for Open<S> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<S> fmt::Debug for Open<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Open").finish_non_exhaustive()
    }
}
