//! Finds the domain controllers of a domain by DNS (MS-ADTS 6.3.2.3), in the order of RFC 2782.
//!
//! Who can forge an answer could name a server of their own, with a certificate of its own: so only names of the
//! domain's own machines are believed, and certificates are checked against those. Where each machine of the domain
//! has such a certificate, who has one of them and can forge answers gets the password: see docs/security.md.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures::future::join_all;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolverConfig};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::proto::rr::RData;
use hickory_resolver::{Resolver, TokioResolver};
use sha2::{Digest as _, Sha256};

use crate::source::ldap::config::LdapConfig;
use crate::source::ldap::connection::Server;
use crate::source::{Reason, SourceError};

/// So many are tried, as so many urls may be named.
const AT_MOST: usize = 8;
/// For one question, to whomever it has to be put.
const ANSWER: Duration = Duration::from_secs(10);

/// Which domain's controllers are to be found.
#[derive(Clone, Debug)]
pub struct Discovery {
    /// The domain's name in DNS.
    pub domain: String,
    /// The site whose controllers come first.
    pub site: Option<String>,
    /// Who is asked; those of the system if empty.
    pub nameservers: Vec<SocketAddr>,
    /// Who asks: each keeps to a controller of its own, as long as that is there.
    pub who: String,
}

/// A controller, as a record names it.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Controller {
    host: String,
    port: u16,
    priority: u16,
    weight: u16,
}

impl Discovery {
    /// The domain controllers, best first, and what people should know about them.
    pub(super) async fn servers(&self, ldap: &LdapConfig) -> Result<(Vec<Server>, Vec<String>), SourceError> {
        let resolver = self.resolver().map_err(|error| self.unanswered(&error.to_string()))?;
        let mut notices = Vec::new();
        let mut controllers = Vec::new();
        if let Some(site) = &self.site {
            let name = format!("_ldap._tcp.{site}._sites.dc._msdcs.{}.", self.domain);
            controllers = self.ordered(self.ask(&resolver, &name).await?);
            if controllers.is_empty() {
                notices.push(format!(
                    "DNS has no domain controllers of the site {site} ({name}), so those of the whole domain are tried; \
                     correct dnsDiscovery.site"
                ));
            }
        }
        let name = format!("_ldap._tcp.dc._msdcs.{}.", self.domain);
        controllers.extend(self.ordered(self.ask(&resolver, &name).await?));
        let (mut own, others): (Vec<_>, Vec<_>) =
            controllers.into_iter().partition(|controller| within(&controller.host, &self.domain));
        if let Some(other) = others.first() {
            notices.push(format!(
                "DNS names {}, which is not a host name of {}: it is not used, because others could have a \
                 certificate for it; if it is one of yours, name all domain controllers in urls instead of dnsDiscovery",
                other.host, self.domain
            ));
        }
        if own.is_empty() {
            notices.push(format!(
                "DNS has no domain controllers of {} ({name}); correct dnsDiscovery.domain, or name the domain's own name \
                 servers in dnsDiscovery.nameservers",
                self.domain
            ));
            return Err(SourceError::new(Reason::Unreachable, notices.join("; ")));
        }
        let mut hosts = std::collections::HashSet::new();
        own.retain(|controller| hosts.insert(controller.host.to_lowercase()));
        own.truncate(AT_MOST);
        // Who answers where they are is whoever answered which they are. All are asked for at once: one that nobody knows
        // would hold up the others.
        let resolver = (!self.nameservers.is_empty()).then_some(&resolver);
        let servers = own.iter().map(async |controller| Server {
            url: url(controller, ldap),
            addresses: match resolver {
                Some(resolver) => Some(addresses(resolver, &controller.host).await),
                None => None,
            },
        });
        Ok((join_all(servers).await, notices))
    }

    fn resolver(&self) -> Result<TokioResolver, NetError> {
        if self.nameservers.is_empty() {
            return TokioResolver::builder_tokio()?.build();
        }
        let server = |at: &SocketAddr| {
            let mut server = NameServerConfig::new(at.ip(), true, Vec::new());
            let ways = [ConnectionConfig::udp(), ConnectionConfig::tcp()];
            server.connections = ways.map(|way| with_port(way, at.port())).into();
            server
        };
        let servers = self.nameservers.iter().map(server).collect();
        let config = ResolverConfig::from_parts(None, Vec::new(), servers);
        Resolver::builder_with_config(config, TokioRuntimeProvider::default()).build()
    }

    /// What the records of this name say; nothing if there are none.
    async fn ask(&self, resolver: &TokioResolver, name: &str) -> Result<Vec<Controller>, SourceError> {
        let answer = tokio::time::timeout(ANSWER, resolver.srv_lookup(name)).await;
        let answer = match answer {
            Err(_) => return Err(self.unanswered("no answer within 10 s")),
            Ok(Err(error)) if error.is_no_records_found() => return Ok(Vec::new()),
            Ok(Err(error)) => return Err(self.unanswered(&error.to_string())),
            Ok(Ok(answer)) => answer,
        };
        let controller = |data: &RData| {
            let RData::SRV(record) = data else { return None };
            let host = record.target.to_ascii().trim_end_matches('.').to_owned();
            // The root alone means that there is none (RFC 2782).
            let (port, priority, weight) = (record.port, record.priority, record.weight);
            (!host.is_empty()).then_some(Controller { host, port, priority, weight })
        };
        Ok(answer.answers().iter().filter_map(|record| controller(&record.data)).collect())
    }

    fn unanswered(&self, why: &str) -> SourceError {
        let message = format!(
            "the name servers did not return the domain controllers of {} ({why}); check the network, and \
             dnsDiscovery.nameservers",
            self.domain
        );
        SourceError::new(Reason::Unreachable, message)
    }

    /// By priority, and among equals by weight: whoever weighs twice as much comes first for twice as many
    /// of those who ask. It is always the same for the same one, whoever else is there (weighted rendezvous hashing),
    /// because a change feed goes on with one controller only.
    fn ordered(&self, controllers: Vec<Controller>) -> Vec<Controller> {
        let score = |controller: &Controller| {
            let digest = Sha256::digest(format!("{}\0{}", self.who, controller.host.to_lowercase()));
            let number = digest.first_chunk().map_or(0, |bytes| u32::from_be_bytes(*bytes));
            let share = (f64::from(number) + 0.5) / (f64::from(u32::MAX) + 1.0);
            // Weight 0 is next to none.
            -share.ln() / f64::from(controller.weight).max(0.001)
        };
        let mut ordered: Vec<_> = controllers.into_iter().map(|it| (it.priority, score(&it), it)).collect();
        ordered.sort_by(|one, other| one.0.cmp(&other.0).then(one.1.total_cmp(&other.1)));
        ordered.into_iter().map(|(_, _, controller)| controller).collect()
    }
}

fn with_port(mut way: ConnectionConfig, port: u16) -> ConnectionConfig {
    way.port = port;
    way
}

/// Where a host is; nowhere if nobody says.
async fn addresses(resolver: &TokioResolver, host: &str) -> Vec<IpAddr> {
    match tokio::time::timeout(ANSWER, resolver.lookup_ip(format!("{host}."))).await {
        Ok(Ok(found)) => found.iter().collect(),
        Ok(Err(_)) | Err(_) => Vec::new(),
    }
}

/// Whether it is a machine of this domain, not of one below it.
fn within(host: &str, domain: &str) -> bool {
    let (host, domain) = (host.to_lowercase(), domain.to_lowercase());
    host.split_once('.').is_some_and(|(machine, rest)| !machine.is_empty() && rest == domain)
}

/// The records name the port of plain LDAP.
fn url(Controller { host, port, .. }: &Controller, ldap: &LdapConfig) -> String {
    if ldap.start_tls { format!("ldap://{host}:{port}") } else { format!("ldaps://{host}") }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn discovery(who: &str) -> Discovery {
        let domain = "corp.example".to_owned();
        Discovery { domain, site: None, nameservers: Vec::new(), who: who.to_owned() }
    }

    fn controller(host: &str, priority: u16, weight: u16) -> Controller {
        Controller { host: host.to_owned(), port: 389, priority, weight }
    }

    fn hosts(of: &[Controller], who: &str) -> Vec<String> {
        discovery(who).ordered(of.to_vec()).into_iter().map(|it| it.host).collect()
    }

    #[test]
    fn priority_comes_before_weight() {
        let of = [controller("c", 2, 900), controller("b", 1, 0), controller("a", 0, 1)];
        for who in 0..50 {
            assert_eq!(hosts(&of, &format!("ns/{who}")), ["a", "b", "c"]);
        }
    }

    #[test]
    fn who_weighs_three_times_as_much_is_asked_by_three_times_as_many() {
        let of = [controller("a", 0, 75), controller("b", 0, 25), controller("c", 0, 0)];
        let mut first = std::collections::BTreeMap::new();
        for who in 0..4_000 {
            *first.entry(hosts(&of, &format!("ns/{who}")).remove(0)).or_insert(0) += 1;
        }
        assert!((2_900..3_100).contains(&first["a"]) && !first.contains_key("c"), "{first:?}");
    }

    #[test]
    fn everybody_keeps_to_theirs_while_it_is_there() {
        let all: Vec<_> = (0..9).map(|n| controller(&format!("dc{n}"), 0, 100)).collect();
        for who in 0..100 {
            let who = format!("ns/{who}");
            let first = hosts(&all, &who).remove(0);
            let mut fewer: Vec<_> = all.iter().rev().cloned().collect();
            let another = usize::from(fewer[0].host == first);
            fewer.remove(another);
            fewer[0].host.make_ascii_uppercase();
            assert!(hosts(&fewer, &who)[0].eq_ignore_ascii_case(&first));
        }
    }

    #[rstest]
    #[case("dc1.corp.example", true)]
    #[case("DC1.Corp.Example", true)]
    #[case("dc1.sub.corp.example", false)]
    #[case("dc1.evilcorp.example", false)]
    #[case("corp.example", false)]
    #[case("dc1.corp.example.evil", false)]
    fn only_names_within_the_domain_are_believed(#[case] host: &str, #[case] fine: bool) {
        assert_eq!(within(host, "corp.example"), fine);
    }
}
