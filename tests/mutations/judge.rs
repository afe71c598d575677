//! Who is there after the damage, told by nothing but the bytes: an id that stands there whole is there.

use std::collections::BTreeSet;

use rollcall::directory::{Change, Completion, Mode};
use rollcall::source::{Reason, SourceError};

/// The id of a made-up entry.
pub(crate) fn id(number: usize) -> String {
    format!("5b0e7e9c-1f2d-4c3b-9a8b-0000000{number:05}")
}

/// The DN of a made-up user.
pub(crate) fn dn(number: usize) -> String {
    format!("uid=user{number:03},ou=people,dc=corp,dc=example")
}

fn stands(text: &str, within: &[u8]) -> bool {
    within.windows(text.len()).any(|window| window == text.as_bytes())
}

/// Fails if somebody whose id stands in what was sent would be taken for gone, or a fault of ours was the end.
pub(crate) fn judge(
    sent: &[u8],
    ids: impl Iterator<Item = usize>,
    changes: &[Change],
    ended: &Result<Completion, SourceError>,
) {
    let completion = match ended {
        Ok(completion) => completion,
        Err(error) => {
            assert!(
                !error.message.contains("defect of Rollcall") && error.reason != Reason::Cancelled,
                "{error:?}"
            );
            return;
        }
    };
    assert_eq!(completion.mode, Mode::Full);
    let told: BTreeSet<&str> = changes.iter().filter_map(|change| Some(change.anchor()?.as_str())).collect();
    // Something is there of which is not known who it is.
    let nameless = changes.iter().filter(|change| change.anchor().is_none()).count();
    let untold = ids.map(id).filter(|id| stands(id, sent) && !told.contains(id.as_str()));
    let untold: Vec<String> = untold.collect();
    let sent = String::from_utf8_lossy(sent);
    assert!(untold.len() <= nameless, "nothing is said of {untold:?}, but {changes:#?}; sent was\n{sent}");
    for change in changes {
        assert!(!matches!(change, Change::Tombstone(_)), "nobody was said to be deleted");
    }
}
