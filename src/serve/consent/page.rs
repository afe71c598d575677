//! What the pages say. Nothing of what was sent stands in them.

/// What is to be said to whoever came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// There is no such page.
    Nothing,
    /// No connector of that name lacks a consent.
    NotAsked,
    /// The answer answers no question of ours.
    Unknown,
    /// It comes too late.
    Late,
    /// It was given before.
    Again,
    /// Too many came.
    TooMany,
    /// It answers a question that is not asked any more.
    Settled,
    /// It is of another tenant.
    OtherTenant,
    /// The administrator declined.
    Declined,
    /// Something went wrong there.
    Failed,
    /// The administrator consented, as the answer says.
    Given,
}

impl Page {
    /// Whether it is an answer to a question of ours.
    pub(super) fn is_answer(self) -> bool {
        matches!(self, Self::Settled | Self::OtherTenant | Self::Declined | Self::Failed | Self::Given)
    }

    fn text(self) -> (&'static str, &'static str) {
        const STATUS: &str = "Open the address that the status of the connector shows.";
        match self {
            Self::Nothing => ("There is nothing here", STATUS),
            Self::NotAsked => (
                "No consent is missing here",
                "No connector of this name waits for a consent. Either it has one, or the name is wrong.",
            ),
            Self::Unknown => (
                "This answer belongs to no question",
                "Nothing was done. Rollcall may have been restarted since it asked. Open the address that the status of the connector \
                 shows again.",
            ),
            Self::Late => (
                "This answer comes too late",
                "A question is good for one hour. Nothing was done. Open the address that the status of the connector shows again.",
            ),
            Self::Again => (
                "This answer came before",
                "It counts once. Nothing was done again. The status of the connector shows what came of it.",
            ),
            Self::TooMany => (
                "Too many answers came",
                "Nothing was done. Rollcall looks again by itself within the interval of the connector.",
            ),
            Self::Settled => (
                "This consent is not missing any more",
                "The connector has its permissions, or is not there any more.",
            ),
            Self::OtherTenant => (
                "This consent was given in another tenant",
                "The connector reads another one. Open the address again, and sign in as an administrator of the tenant that the \
                 connector names.",
            ),
            Self::Declined => (
                "The consent was declined",
                "Nothing is read, and nobody is removed because of it. To consent after all, open the address again.",
            ),
            Self::Failed => (
                "The consent could not be given",
                "The directory reports an error, which its page showed. Rollcall looks again; the status of the connector shows what is \
                 missing.",
            ),
            Self::Given => (
                "Thank you",
                "Rollcall now asks the directory which permissions it has. The status of the connector shows what came of it, within a \
                 minute or so. You can close this page.",
            ),
        }
    }

    pub(super) fn html(self) -> String {
        let (title, text) = self.text();
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>Rollcall: {title}</title></head>\n\
             <body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
        )
    }
}
