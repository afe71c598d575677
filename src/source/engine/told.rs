//! What an engine tells, as a source says it; and the other way round. Nothing that comes is believed further than it must be: it is
//! bounded, and answers what was asked.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::time::Duration;

use crate::directory::{
    Anchor, Completion, Cursor, DirectoryId, Dn, Feed, Mode, OfNoKind, Reference, Shown, fields,
};
use crate::hex;
use crate::source::ldap::FOLLOWED;
use crate::source::{KnownBy, LookUp, Reason, Sink, SourceError};
use crate::text;
use crate::wire;

/// A text for people is no longer.
const TEXT: usize = 2000;
/// There are no more notices.
const NOTICES: usize = 50;
/// What decides which entries come is no longer: filters and bases have bounds.
const SCOPE: usize = 256 << 10;
/// A cursor is no longer.
const CURSOR: usize = 1 << 20;

const REASONS: &[(Reason, &str)] = &[
    (Reason::Unreachable, "unreachable"),
    (Reason::TlsFailed, "tlsFailed"),
    (Reason::AuthenticationFailed, "authenticationFailed"),
    (Reason::AccessDenied, "accessDenied"),
    (Reason::Throttled, "throttled"),
    (Reason::CursorExpired, "cursorExpired"),
    (Reason::NotFound, "notFound"),
    (Reason::LimitExceeded, "limitExceeded"),
    (Reason::Interrupted, "interrupted"),
    (Reason::InvalidData, "invalidData"),
    (Reason::DirectoryChanged, "directoryChanged"),
    (Reason::Withheld, "withheld"),
    (Reason::Cancelled, "cancelled"),
];

/// A failure as it is sent. What lies beneath and what the directory said stay where they are.
pub fn failure(error: &SourceError) -> wire::Failure {
    let known = REASONS.iter().find(|(reason, _)| *reason == error.reason);
    wire::Failure {
        reason: known.map_or("interrupted", |(_, word)| word).to_owned(),
        message: text::clean_within(&error.message, TEXT).into_owned(),
        retry_after_seconds: error.retry_after.map(|wait| wait.as_secs()),
    }
}

/// A failure that came.
pub(super) fn failed(failure: &wire::Failure) -> SourceError {
    let known = REASONS.iter().find(|(_, word)| *word == failure.reason);
    // The engine gave up what was not given up here.
    let reason = known.map_or(Reason::Interrupted, |(reason, _)| *reason);
    let reason = if reason == Reason::Cancelled { Reason::Interrupted } else { reason };
    let message = text::clean_within(&failure.message, TEXT).into_owned();
    SourceError::new(reason, message).after(failure.retry_after_seconds.map(Duration::from_secs))
}

fn invalid(what: &str) -> SourceError {
    let message = format!("the engine's answer cannot be used: {what}; nothing of it was used");
    SourceError::new(Reason::InvalidData, message)
}

/// What a read says that reached its end, as it is sent.
pub fn ended(completion: Completion) -> wire::Completion {
    let Completion {
        mode,
        directory,
        id,
        server,
        cursor,
        fields,
        attributes,
        scope,
        notices,
        vendor,
        feed,
        shown,
    } = completion;
    let Shown { certificate_ends_at, clock, no_end, progress } = shown;
    wire::Completion {
        mode: match mode {
            Mode::Full => wire::Mode::Full,
            Mode::Delta => wire::Mode::Delta,
        },
        directory: directory.to_string(),
        id,
        server,
        cursor: cursor.map(|cursor| hex::encode(&cursor.0)),
        fields,
        attributes,
        scope,
        notices,
        vendor,
        feed: feed.map(|Feed { active, reason }| wire::Feed { active, reason }),
        shown: wire::Shown { certificate_ends_at, clock, no_end, progress },
    }
}

/// What a read says whose chain has come to its end. `resumed` is whether it was to resume.
pub(super) fn completion(
    came: wire::Completion,
    resumed: bool,
    asked: &wire::Directory,
) -> Result<Completion, SourceError> {
    let wire::Completion {
        mode,
        directory,
        id,
        server,
        cursor,
        fields: of_fields,
        attributes,
        scope,
        notices,
        vendor,
        feed,
        shown,
    } = came;
    let mode = match mode {
        wire::Mode::Full => Mode::Full,
        wire::Mode::Delta if resumed => Mode::Delta,
        wire::Mode::Delta => return Err(invalid("it tells what changed, and was asked for everything")),
    };
    if directory.trim().is_empty() {
        return Err(invalid("it does not say which directory it read"));
    }
    if scope.len() > SCOPE || cursor.as_ref().is_some_and(|cursor| cursor.len() > 2 * CURSOR) {
        return Err(invalid("it is larger than it may be"));
    }
    let cursor =
        cursor.map(|digits| hex::decode(&digits).ok_or_else(|| invalid("its cursor is none"))).transpose()?;
    let is_field = |field: &String| {
        let all = [fields::OF_USER, fields::OF_GROUP, &[fields::MEMBERS]];
        all.iter().any(|some| some.contains(&field.as_str()))
    };
    let short = |text: String| text::clean_within(&text, TEXT).into_owned();
    let wire::Shown { certificate_ends_at, clock, no_end, progress } = shown;
    Ok(Completion {
        mode,
        directory: DirectoryId::new(directory),
        id: id.map(short),
        server: server.map(short),
        cursor: cursor.map(Cursor),
        // Nothing is empty that nobody asked for.
        fields: of_fields.into_iter().filter(is_field).collect(),
        attributes: attributes.into_iter().filter(|name| asked.literal.contains(name)).collect(),
        scope,
        notices: notices.into_iter().take(NOTICES).map(short).collect(),
        vendor: vendor.map(short),
        feed: feed.map(|wire::Feed { active, reason }| Feed { active: short(active), reason: short(reason) }),
        shown: Shown { certificate_ends_at, clock, no_end, progress },
    })
}

fn texts(anchors: &[Anchor]) -> Vec<String> {
    anchors.iter().map(|anchor| anchor.as_str().to_owned()).collect()
}

/// Whom a look-up found, as it is sent.
pub fn looked_up(found: LookUp) -> wire::LookedUp {
    let LookUp { server, found, of_no_kind, missing, orphans, called } = found;
    let of_no_kind = of_no_kind.into_iter().map(|OfNoKind { anchor, what, why, kinds }| {
        (anchor.as_str().to_owned(), what, why, kinds.iter().copied().map(wire::Kind::from).collect())
    });
    wire::LookedUp {
        server,
        found: texts(&found),
        of_no_kind: of_no_kind.collect(),
        missing: texts(&missing),
        orphans: texts(&orphans),
        called: called.into_iter().map(|(anchor, dns)| (anchor.as_str().to_owned(), dns)).collect(),
    }
}

/// Whom a look-up found that came, of those who were asked for and of nobody else.
pub(super) fn found(came: wire::LookedUp, asked: &[Anchor]) -> LookUp {
    let asked: HashSet<&str> = asked.iter().map(Anchor::as_str).collect();
    let of = |anchors: Vec<String>| -> Vec<Anchor> {
        anchors.into_iter().filter(|anchor| asked.contains(&**anchor)).map(Anchor::new).collect()
    };
    let wire::LookedUp { server, found, of_no_kind, missing, orphans, called } = came;
    let of_no_kind = of_no_kind.into_iter().filter(|(anchor, ..)| asked.contains(&**anchor));
    let mut missing = of(missing);
    // Whoever is there in one list is not missing by another.
    let there: HashSet<&String> = called.keys().chain(&found).collect();
    missing.retain(|anchor| !there.contains(&anchor.as_str().to_owned()));
    LookUp {
        server,
        of_no_kind: of_no_kind
            .map(|(anchor, what, why, kinds)| OfNoKind {
                anchor: Anchor::new(anchor),
                what,
                why,
                kinds: wire::kinds(&kinds),
            })
            .collect(),
        missing,
        orphans: of(orphans),
        called: called
            .into_iter()
            .filter(|(anchor, _)| asked.contains(&**anchor))
            .map(|(anchor, dns)| (Anchor::new(anchor), dns))
            .collect(),
        found: of(found),
    }
}

/// How the entries of the last read are known, as it is sent.
pub(super) fn known_by(known_by: KnownBy) -> wire::KnownBy {
    let KnownBy { directory, id, scope, progress } = known_by;
    wire::KnownBy { directory: directory.to_string(), id, scope, progress }
}

/// What those who were there last are called, as it is sent.
pub(super) fn called_sent(called: &HashMap<Anchor, String>) -> BTreeMap<String, String> {
    called.iter().map(|(anchor, dn)| (anchor.as_str().to_owned(), dn.clone())).collect()
}

/// Asks the last read. `None` of a question that is none, or is about too many.
pub(super) async fn tell(sink: &Sink, question: wire::Question) -> Option<wire::Told> {
    use wire::{Question, Told};
    let anchors = |texts: Vec<String>| -> Option<Vec<Anchor>> {
        (texts.len() <= wire::AT_ONCE).then(|| texts.into_iter().map(Anchor::new).collect())
    };
    let some = |found: Option<HashSet<Anchor>>| {
        found.map(|found| found.iter().map(|anchor| anchor.as_str().to_owned()).collect::<BTreeSet<_>>())
    };
    Some(match question {
        Question::Called(of) => Told::Called(called_sent(&sink.called(anchors(of)?).await)),
        Question::Strange(of) => Told::Some(some(sink.strange(anchors(of)?).await)),
        Question::Listed(of) => Told::Some(some(sink.listed(anchors(of)?).await)),
        Question::Members(of) => {
            if of.len() > wire::LISTS {
                return None;
            }
            Told::Members(lists(sink, anchors(of)?).await)
        }
        Question::Values { attribute, entries } => {
            let Some(attribute) = known(&attribute) else { return Some(Told::Values(None)) };
            Told::Values(values(sink, attribute, anchors(entries)?).await)
        }
        Question::Naming { attribute, dns } => {
            let Some(attribute) = known(&attribute) else { return Some(Told::Naming(None)) };
            if dns.len() > wire::AT_ONCE {
                return None;
            }
            let dns = dns.iter().map(|dn| Dn::parse(dn)).collect::<Result<BTreeSet<Dn>, _>>().ok()?;
            Told::Naming(sink.naming(attribute, dns).await.map(|those| texts(&those)))
        }
    })
}

/// The members of these groups. They are read one group after another, so that no more than one list is held beside what may be told;
/// `None` if they cannot be told, or are more than that.
async fn lists(sink: &Sink, groups: Vec<Anchor>) -> Option<BTreeMap<String, Option<Vec<wire::Reference>>>> {
    let (mut told, mut room) = (BTreeMap::new(), Room(wire::TOLD));
    for group in groups {
        for (group, list) in sink.members(vec![group]).await? {
            let members = list.iter().flatten();
            members.map(|member| member.key_parts().map(str::len)).try_for_each(|parts| room.take(parts))?;
            let sent = |list: Vec<Reference>| list.into_iter().map(wire::Reference::from).collect();
            told.insert(group.as_str().to_owned(), list.map(sent));
        }
    }
    Some(told)
}

/// The same of the values of an attribute.
async fn values(
    sink: &Sink,
    attribute: &'static str,
    entries: Vec<Anchor>,
) -> Option<BTreeMap<String, Vec<String>>> {
    let (mut told, mut room) = (BTreeMap::new(), Room(wire::TOLD));
    for entry in entries {
        for (entry, values) in sink.values(attribute, vec![entry]).await? {
            values.iter().try_for_each(|value| room.take([value.len()]))?;
            told.insert(entry.as_str().to_owned(), values);
        }
    }
    Some(told)
}

/// How many bytes more may be told.
struct Room(usize);

impl Room {
    /// Takes some of it for a text in these parts; `None` if there is not enough.
    fn take<const N: usize>(&mut self, parts: [usize; N]) -> Option<()> {
        self.0 = self.0.checked_sub(parts.iter().sum())?;
        Some(())
    }
}

/// The attribute that sources ask the last read for.
fn known(attribute: &str) -> Option<&'static str> {
    (attribute == FOLLOWED).then_some(FOLLOWED)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tokio::sync::mpsc;

    use super::*;
    use crate::source::{LastRead, Lists};

    /// A last read in which each group has so many members, and each entry as many values, of 1 KiB each. It is asked about one at a time.
    struct Of(usize);

    impl LastRead for Of {
        fn called(&self, _: &[Anchor]) -> HashMap<Anchor, String> {
            HashMap::new()
        }

        fn members(&self, entries: &[Anchor]) -> Option<Lists> {
            assert_eq!(entries.len(), 1);
            let member = || Reference::Uid("m".repeat(1 << 10));
            Some(entries.iter().map(|one| (one.clone(), Some(vec![member(); self.0]))).collect())
        }

        fn values(&self, _: &str, entries: &[Anchor]) -> Option<HashMap<Anchor, Vec<String>>> {
            assert_eq!(entries.len(), 1);
            Some(entries.iter().map(|one| (one.clone(), vec!["v".repeat(1 << 10); self.0])).collect())
        }
    }

    #[tokio::test]
    async fn what_is_more_than_may_be_told_is_not_gathered() {
        let (batches, _kept) = mpsc::channel(1);
        let names = |many: usize| (0..many).map(|at| at.to_string()).collect::<Vec<_>>();
        let values = |many| wire::Question::Values { attribute: FOLLOWED.to_owned(), entries: names(many) };
        // 20 times 1 MiB is told, and 20 times 2 MiB is not: that is more than 32 MiB.
        for (each, is_told) in [(1 << 10, true), (2 << 10, false)] {
            let sink = Sink::after(Arc::new(Of(each)), batches.clone());
            for question in [wire::Question::Members(names(wire::LISTS)), values(wire::LISTS)] {
                let told = match tell(&sink, question).await {
                    Some(wire::Told::Members(lists)) => lists.map(|lists| lists.len()),
                    Some(wire::Told::Values(values)) => values.map(|values| values.len()),
                    other => panic!("{other:?}"),
                };
                assert_eq!(told, is_told.then_some(wire::LISTS));
            }
            // Nor are more asked about than may be.
            assert_eq!(tell(&sink, values(wire::AT_ONCE + 1)).await, None);
            assert_eq!(tell(&sink, wire::Question::Members(names(wire::LISTS + 1))).await, None);
        }
    }
}
