//! Schedules of policies: cron expressions in a time zone.

use cronexpr::{Crontab, MakeTimestamp, ParseOptions};
use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::api::policy;
use crate::words::count;

/// Cron expressions, of which the earliest counts.
#[derive(Clone, Debug)]
pub struct Schedule(Vec<Crontab>);

impl Schedule {
    /// Reads `schedule`; calls `problem` with each field that is wrong and what is wrong with it.
    pub(super) fn parse(schedule: &policy::Schedule, mut problem: impl FnMut(&str, String)) -> Option<Self> {
        let zone = &schedule.time_zone;
        if TimeZone::get(zone).is_err() {
            let why = format!("{zone:?} is not a time zone; use an IANA name, such as Europe/London");
            problem("spec.schedule.timeZone", why);
            return None;
        }
        if schedule.cron.is_empty() {
            problem("spec.schedule.cron", "name at least one, such as \"0 8 * * *\"".to_owned());
            return None;
        }
        let mut crontabs = Vec::with_capacity(schedule.cron.len());
        for (at, text) in schedule.cron.iter().enumerate() {
            match parse_one(text, zone) {
                Ok(crontab) => crontabs.push(crontab),
                Err(why) => problem(&format!("spec.schedule.cron[{at}]"), why),
            }
        }
        (crontabs.len() == schedule.cron.len()).then_some(Self(crontabs))
    }

    /// The first time after `moment`; `None` if there is none any more.
    pub fn next_after(&self, moment: Timestamp) -> Option<Timestamp> {
        let moment = MakeTimestamp(moment);
        self.0.iter().filter_map(|crontab| Some(crontab.find_next(moment).ok()?.timestamp())).min()
    }
}

fn parse_one(text: &str, zone: &str) -> Result<Crontab, String> {
    let fields = text.split_whitespace().count() as u64;
    if fields != 5 {
        let fields = count(fields, "field", "fields");
        return Err(format!(
            "{text:?} has {fields}, and five are needed: minute, hour, day of month, month, day of week"
        ));
    }
    let crontab = cronexpr::parse_crontab_with(&format!("{text} {zone}"), ParseOptions::default())
        .map_err(|error| format!("{text:?} is not a cron expression: {}", one_line(&error.to_string())))?;
    // From any moment on four years have every day of the calendar, except around a year like 2100.
    if crontab.find_next(MakeTimestamp(Timestamp::UNIX_EPOCH)).is_err() {
        return Err(format!(
            "{text:?} never occurs, or seldom: there is no such day within four years; correct the day or the month"
        ));
    }
    Ok(crontab)
}

/// The parser draws a picture; what it says in words stands last.
fn one_line(error: &str) -> String {
    let last = error.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or(error);
    last.trim_start_matches(['^', '|', ' ']).to_owned()
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn schedule(cron: &[&str], zone: &str) -> policy::Schedule {
        policy::Schedule {
            cron: cron.iter().map(|&text| text.to_owned()).collect(),
            time_zone: zone.to_owned(),
        }
    }

    #[rstest]
    #[case::the_earliest_counts(&["0 8 * * *", "30 7 * * 1-5"], "UTC", "2026-03-02T00:00:00Z", "2026-03-02T07:30:00Z")]
    #[case::never_the_same_again(&["0 8 * * *"], "UTC", "2026-03-02T08:00:00Z", "2026-03-03T08:00:00Z")]
    #[case::in_its_time_zone(&["0 8 * * *"], "Europe/London", "2026-07-01T00:00:00Z", "2026-07-01T07:00:00Z")]
    #[case::on_either_side_of_a_change(&["0 8 * * *"], "Europe/London", "2026-10-24T12:00:00Z", "2026-10-25T08:00:00Z")]
    fn says_when(#[case] cron: &[&str], #[case] zone: &str, #[case] after: &str, #[case] expected: &str) {
        let schedule = Schedule::parse(&schedule(cron, zone), |_, why| panic!("{why}")).unwrap();
        assert_eq!(schedule.next_after(after.parse().unwrap()).unwrap().to_string(), expected);
    }

    #[rstest]
    #[case::too_few_fields(&["0 8 * *"], "UTC", "spec.schedule.cron[0]", "five are needed")]
    #[case::out_of_range(&["0 8 * * *", "61 8 * * *"], "UTC", "spec.schedule.cron[1]", "not a cron expression")]
    #[case::never(&["0 8 * * *", "0 0 31 2 *"], "UTC", "spec.schedule.cron[1]", "never occurs")]
    #[case::no_such_zone(&["0 8 * * *"], "Europe/Londres", "spec.schedule.timeZone", "IANA name")]
    fn says_what_is_wrong(
        #[case] cron: &[&str],
        #[case] zone: &str,
        #[case] field: &str,
        #[case] what: &str,
    ) {
        let mut problems = Vec::new();
        let schedule =
            Schedule::parse(&schedule(cron, zone), |field, why| problems.push((field.to_owned(), why)));
        assert!(schedule.is_none());
        assert_eq!(problems[0].0, field);
        assert!(problems[0].1.contains(what) && !problems[0].1.contains('\n'), "{problems:?}");
    }
}
