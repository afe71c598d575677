//! Reads of files that are under way: a read of a mount that hangs can be given up, but not ended.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};

use super::config::LdifConfig;
use super::text::Input;
use crate::source::{Reason, SourceError};

static UNDER_WAY: Mutex<BTreeMap<PathBuf, usize>> = Mutex::new(BTreeMap::new());
/// So many of one file at most.
const AT_ONCE: usize = 4;

/// One of them.
pub(super) struct UnderWay(PathBuf);

impl UnderWay {
    /// `None` for what is no file.
    pub(super) fn begin(config: &LdifConfig) -> Result<Option<Self>, SourceError> {
        let Input::Path(path) = &config.input else { return Ok(None) };
        let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        let count = all.entry(path.clone()).or_default();
        if *count == AT_ONCE {
            let message = format!(
                "{AT_ONCE} reads of {} have not ended, so no other read is started; does its mount hang?",
                config.name
            );
            return Err(SourceError::new(Reason::Interrupted, message));
        }
        *count += 1;
        Ok(Some(Self(path.clone())))
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let mut all = UNDER_WAY.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(count) = all.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                all.remove(&self.0);
            }
        }
    }
}
