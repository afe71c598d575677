//! The text format of Prometheus, for clients that do not accept `OpenMetrics`: `promtool check metrics`, older
//! collectors.

/// The same metrics: samples are written alike in both, and what is said of a family is said of the name that its
/// samples bear.
pub(super) fn of(open_metrics: &str) -> String {
    let mut text = String::with_capacity(open_metrics.len());
    let mut help = None;
    for line in open_metrics.lines() {
        if line == "# EOF" || line.starts_with("# UNIT ") {
            continue;
        }
        if let Some(of) = line.strip_prefix("# HELP ") {
            help = of.split_once(' ');
        } else if let Some((family, kind)) = line.strip_prefix("# TYPE ").and_then(|of| of.split_once(' ')) {
            let (suffix, kind) = match kind {
                "counter" => ("_total", "counter"),
                "info" => ("_info", "gauge"),
                "unknown" => ("", "untyped"),
                other => ("", other),
            };
            // `OpenMetrics` says the help first or last; here it stands before the type.
            if let Some((_, help)) = help.take().filter(|(of, _)| *of == family) {
                text.extend(["# HELP ", family, suffix, " ", help, "\n"]);
            }
            text.extend(["# TYPE ", family, suffix, " ", kind, "\n"]);
        } else {
            text.push_str(line);
            text.push('\n');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_of_a_family_is_said_of_its_samples() {
        let text = "# HELP a_seconds Of a.\n# TYPE a_seconds counter\n# UNIT a_seconds seconds\n\
            a_seconds_total{of=\"# EOF\"} 1\n# HELP b Of b.\n# TYPE b info\nb_info{version=\"1\"} 1\n\
            # HELP c Of c.\n# TYPE c gauge\nc 3\n# EOF\n";
        assert_eq!(
            of(text),
            "# HELP a_seconds_total Of a.\n# TYPE a_seconds_total counter\na_seconds_total{of=\"# EOF\"} 1\n\
             # HELP b_info Of b.\n# TYPE b_info gauge\nb_info{version=\"1\"} 1\n# HELP c Of c.\n# TYPE c gauge\nc 3\n"
        );
    }
}
