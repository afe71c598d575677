//! The clouds of Microsoft: where each one's tokens come from, and where its directory is read.
//!
//! Source: "Microsoft Graph national cloud deployments" (learn.microsoft.com/graph/deployments).

/// A cloud. Tenants, tokens and apps of one are unknown in the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cloud {
    /// The worldwide one, GCC included.
    Public,
    /// US Government L4 (GCC High).
    UsGovGccHigh,
    /// US Government L5 (`DoD`).
    UsGovDoD,
    /// China, run by 21Vianet.
    China,
}

impl Cloud {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Public, Self::UsGovGccHigh, Self::UsGovDoD, Self::China];

    /// Where tokens are issued.
    pub fn authority(self) -> &'static str {
        match self {
            Self::Public => "https://login.microsoftonline.com",
            Self::UsGovGccHigh | Self::UsGovDoD => "https://login.microsoftonline.us",
            Self::China => "https://login.chinacloudapi.cn",
        }
    }

    /// Where Graph is, and what tokens for it are for.
    pub fn graph(self) -> &'static str {
        match self {
            Self::Public => "https://graph.microsoft.com",
            Self::UsGovGccHigh => "https://graph.microsoft.us",
            Self::UsGovDoD => "https://dod-graph.microsoft.us",
            Self::China => "https://microsoftgraph.chinacloudapi.cn",
        }
    }

    /// For whom the tokens of service accounts are by which an app proves who it is.
    pub fn token_exchange(self) -> &'static str {
        match self {
            Self::Public => "api://AzureADTokenExchange",
            Self::UsGovGccHigh | Self::UsGovDoD => "api://AzureADTokenExchangeUSGov",
            Self::China => "api://AzureADTokenExchangeChina",
        }
    }

    /// As in a spec.
    pub fn name(self) -> &'static str {
        match self {
            Self::Public => "Public",
            Self::UsGovGccHigh => "UsGovGccHigh",
            Self::UsGovDoD => "UsGovDoD",
            Self::China => "China",
        }
    }
}
