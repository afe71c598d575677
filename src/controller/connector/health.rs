//! What a policy asks of a connector, and is told of it.

/// What a policy asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::controller) enum Asked {
    /// Fresher data.
    Fresher,
    /// Every absence looked up, whatever their number: a person has approved what rests on them.
    LookedUp,
}

/// What a policy needs to know of a connector.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(in crate::controller) struct ConnectorHealth {
    /// Whether the last read that ended was of what the connector is now, or no other is to be had.
    pub(in crate::controller) settled: bool,
    /// Why it cannot be read.
    pub(in crate::controller) failing: Option<String>,
    /// Whether it rests.
    pub(in crate::controller) suspended: bool,
    /// Whether a policy has asked for a read that has not ended.
    pub(in crate::controller) awaited: bool,
    /// How many absences the last read did not look up.
    pub(in crate::controller) unsettled: u64,
}
