//! A real Prometheus, which scrapes the metrics and evaluates the alerts of the chart.

use std::fs;

use serde_json::Value;

use super::release::Release;
use crate::support::chart;
use crate::support::cluster::PATIENCE;
use crate::support::node::Node;
use crate::support::process::{Process, eventually};

const API: &str = "http://127.0.0.1:9090/api/v1";

pub(super) struct Prometheus<'a> {
    node: &'a Node,
    _process: Process,
}

impl<'a> Prometheus<'a> {
    /// Starts one, and waits until it has seen the release.
    pub(super) fn start(release: &'a Release) -> Self {
        let node = &release.node;
        let path = |name: &str| node.path(name).display().to_string();
        let rendered = chart::render(&["--set", "metrics.rules.enabled=true"]);
        let rules: Value = serde_yaml::from_str(&rendered["rules.yaml"]).unwrap();
        fs::write(path("rules.yaml"), rules["spec"].to_string()).unwrap();
        let service = release.get("service/rollcall-metrics", "{.spec.clusterIP}:{.spec.ports[0].port}");
        // The labels are those that the Prometheus operator gives by a ServiceMonitor.
        let config = format!(
            "global: {{ scrape_interval: 1s, evaluation_interval: 1s }}\nrule_files: [{}]\nscrape_configs:\n\
             - {{ job_name: rollcall-metrics, static_configs: [{{ targets: ['{service}'], labels: {{ namespace: rollcall }} }}] }}\n",
            path("rules.yaml")
        );
        fs::write(path("prometheus.yaml"), config).unwrap();
        let (config, data) = (
            format!("--config.file={}", path("prometheus.yaml")),
            format!("--storage.tsdb.path={}", path("prometheus")),
        );
        let process =
            node.serve("prometheus", &["prometheus", &config, &data, "--web.listen-address=127.0.0.1:9090"]);
        let prometheus = Self { node, _process: process };
        eventually(PATIENCE, "Prometheus measures the release", || {
            (prometheus.value("rollcall_condition{type=\"Ready\",status=\"True\",kind=\"SyncPolicy\"}")
                == Some(1))
            .then_some(())
        });
        assert_eq!(prometheus.value("up"), Some(1));
        prometheus
    }

    /// How much memory the program has, in bytes.
    pub(super) fn memory(&self) -> u64 {
        self.value("process_resident_memory_bytes").unwrap()
    }

    /// Whether this alert does.
    pub(super) fn fires(&self, alert: &str) -> bool {
        let alerts = self.ask("alerts", &[]).expect("Prometheus answers");
        let alerts = alerts["data"]["alerts"].as_array().unwrap();
        alerts.iter().any(|it| it["labels"]["alertname"] == alert && it["state"] == "firing")
    }

    fn value(&self, query: &str) -> Option<u64> {
        let answer = self.ask("query", &[&format!("query={query}")])?;
        answer["data"]["result"][0]["value"][1].as_str()?.parse().ok()
    }

    fn ask(&self, what: &str, data: &[&str]) -> Option<Value> {
        let url = format!("{API}/{what}");
        let mut arguments = vec!["curl", "-sfG", "-m5", &url];
        for part in data {
            arguments.extend(["--data-urlencode", part]);
        }
        let ran = self.node.run(&arguments);
        (ran.code == 0).then(|| serde_json::from_str(&ran.out).unwrap())
    }
}
