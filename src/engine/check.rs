//! What keeps an engine from working, step by step, each with its remedy.

use std::sync::Arc;

use super::directory;
use super::identity::Identity;
use super::line::Line;
use super::settings::Settings;
use crate::clock::Clock;
use crate::source::Source as _;
use crate::wire::{self, ChangeFeed, Directory, Server, path};

/// From this difference on requests are refused.
const SKEW: i64 = 120;

/// What was looked at, and what came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// What.
    pub what: &'static str,
    /// What is so, or else what is wrong and what to do.
    pub result: Result<String, String>,
}

/// Looks at the gateway (name, proxy, TLS), the clock, the enrolment, and the directory. Each step is looked at if those before it that
/// it needs are fine.
pub async fn check(settings: &Settings, clock: Arc<dyn Clock>) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut found = |what, result: Result<String, String>| {
        let is_fine = result.is_ok();
        all.push(Finding { what, result });
        is_fine
    };
    if settings.stop {
        found("stop", Err("stop is true in engine.yaml: nothing is read; remove it to go on".to_owned()));
    }
    let identity = Identity::read(&settings.state_dir);
    let (key, is_enrolled) = match identity {
        Ok(identity) => {
            (Some(identity.key), found("key", Ok("there is one, for its owner alone".to_owned())))
        }
        Err(error) => (None, found("key", Err(error.to_string()))),
    };
    let http = settings.http().map_err(|error| error.to_string());
    // The gateway greets whoever comes: for that any key will do.
    let key = key
        .map_or_else(|| wire::SigningKey::generate().map(|(key, _)| key), Ok)
        .map_err(|why| why.to_string());
    let line = http.and_then(|http| {
        Line::new(http, &settings.gateway.url, key?, clock.clone()).map_err(|error| error.to_string())
    });
    match line {
        Err(why) => _ = found("gateway", Err(why)),
        Ok(line) => match line.greet().await {
            Err(error) => _ = found("gateway", Err(error.to_string())),
            Ok(greeting) => {
                let software = crate::text::clean_within(&greeting.software, 100);
                found("gateway", Ok(format!("{} answers, with Rollcall {software}", settings.gateway.url)));
                let ahead = clock.now().duration_since(greeting.now).as_secs();
                let said = format!("this machine's clock is {ahead} s ahead of the gateway's");
                let is_fine = ahead.abs() < SKEW;
                let remedy =
                    "requests are refused from two minutes on: synchronize both with a time service (NTP)";
                found("clock", if is_fine { Ok(said) } else { Err(format!("{said}; {remedy}")) });
                if is_enrolled && is_fine {
                    let enrolled = enrolled(&line).await;
                    found("enrolment", enrolled);
                }
            }
        },
    }
    found("directory", directory(settings).await);
    all
}

/// Whether the gateway knows the key. A process that only checks does not take the place of the one that runs.
async fn enrolled(line: &Line) -> Result<String, String> {
    match line.say::<wire::Receipt>(path::CHECK, Vec::new(), wire::LETTER).await {
        Ok(_) => Ok("the gateway knows this engine's key".to_owned()),
        Err(error) => Err(error.to_string()),
    }
}

/// Whether the directory can be read: it looks somebody up who is not there.
async fn directory(settings: &Settings) -> Result<String, String> {
    let is_domain = settings.directory.active_directory.is_some();
    let asked = Directory {
        server: if is_domain { Server::ActiveDirectory } else { Server::Ldap },
        base_dns: Vec::new(),
        exclude_dns: Vec::new(),
        user_filter: None,
        group_filter: None,
        change_feed: ChangeFeed::FullRead,
        anchor: None,
        page_size: 1,
        literal: std::collections::BTreeSet::new(),
    };
    let veto = settings.veto()?;
    let config = directory::config(settings, &veto, &asked).map_err(|error| error.to_string())?;
    let nobody = crate::directory::Anchor::new("00000000-0000-0000-0000-000000000000");
    let found = Box::pin(config.open(None).look_up(&[nobody], &std::collections::HashMap::new())).await;
    let found = found.map_err(|error| error.to_string())?;
    let server = found.and_then(|found| found.server).unwrap_or_default();
    let fields = veto.withheld_fields(asked.server);
    let withheld = if fields.is_empty() {
        "every field may leave".to_owned()
    } else {
        format!("withheld: {}", fields.join(", "))
    };
    Ok(format!("{server} answers, and takes the credentials; {withheld}"))
}
