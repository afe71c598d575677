use super::*;

fn lines(metrics: &Metrics, part: &str) -> Vec<String> {
    let text = metrics.text().unwrap();
    let mut lines: Vec<String> = text
        .lines()
        .filter(|line| !line.starts_with('#') && line.contains(part))
        .map(str::to_owned)
        .collect();
    lines.sort();
    lines
}

fn import() -> Import {
    let took = Duration::from_secs(2);
    Import {
        completed_at: 1_700_000_000,
        took,
        users: 12,
        contacts: 1,
        groups: 3,
        missed: 2,
        certificate_ends_at: Some(1_800_000_000),
    }
}

#[test]
fn a_read_shows() {
    let metrics = Metrics::new();
    metrics.imported("identity/corp", "Read", &import());
    metrics.imported("identity/corp", "Read", &import());
    metrics.import_failed("identity/corp", "Unreachable");
    assert_eq!(
        lines(&metrics, "connector_imports_total{"),
        [
            r#"rollcall_connector_imports_total{connector="identity/corp",reason="Read"} 2"#,
            r#"rollcall_connector_imports_total{connector="identity/corp",reason="Unreachable"} 1"#,
        ]
    );
    assert_eq!(
        lines(&metrics, "completion_timestamp_seconds{"),
        [r#"rollcall_connector_last_completion_timestamp_seconds{connector="identity/corp"} 1700000000"#]
    );
    assert_eq!(
        lines(&metrics, r#"rollcall_connector_entries{connector="identity/corp",kind="user"} 12"#).len(),
        1
    );
    assert_eq!(
        lines(&metrics, "feed_missed_total{"),
        [r#"rollcall_connector_feed_missed_total{connector="identity/corp"} 4"#]
    );
    assert_eq!(
        lines(&metrics, "certificate_expiry"),
        [r#"rollcall_connector_certificate_expiry_timestamp_seconds{connector="identity/corp"} 1800000000"#]
    );
    metrics.imported("identity/corp", "Read", &Import { certificate_ends_at: None, ..import() });
    assert!(lines(&metrics, "certificate_expiry").is_empty());
    assert_eq!(
        lines(&metrics, "import_duration_seconds_count{"),
        [r#"rollcall_connector_import_duration_seconds_count{connector="identity/corp"} 3"#]
    );
}

#[test]
fn what_is_gone_is_forgotten_and_nothing_else() {
    let metrics = Metrics::new();
    let run =
        Run { took: Duration::from_secs(1), users: 1, groups: 2, memberships: 3, held: 4, quarantined: 5 };
    for name in ["identity/staff", "identity/staff2"] {
        metrics.imported(name, "Read", &import());
        metrics.import_failed(name, "Unreachable");
        metrics.ran(name, "Held", &run);
        metrics.conditions("DirectoryConnector", name, true, [("Ready", "True"), ("Reachable", "True")]);
        metrics.conditions("SyncPolicy", name, false, [("Ready", "False")]);
        metrics.store_reset(name, 1_700_000_000);
    }
    let mentions = |name: &str| lines(&metrics, &format!("\"identity/{name}\"")).len();
    let each = mentions("staff2");
    assert!(each > 20, "{}", metrics.text().unwrap());
    metrics.forget_connector("identity/staff");
    let policy = mentions("staff");
    assert!(policy > 0 && policy < each);
    metrics.forget_policy("identity/staff");
    assert_eq!((mentions("staff"), mentions("staff2")), (0, each));
    // Whoever comes back begins anew.
    metrics.import_failed("identity/staff", "Unreachable");
    assert_eq!(
        lines(&metrics, r#"imports_total{connector="identity/staff",reason="Unreachable"} 1"#).len(),
        1
    );
}

#[test]
fn a_condition_has_one_status() {
    let metrics = Metrics::new();
    let says = |suspended, conditions: &[(&str, &str)]| {
        metrics.conditions("SyncPolicy", "identity/staff", suspended, conditions.iter().copied());
    };
    says(false, &[("Ready", "Unknown"), ("PlanHeld", "True")]);
    let held = |value: u8| format!("type=\"PlanHeld\",status=\"True\"}} {value}");
    assert_eq!(lines(&metrics, &held(1)).len(), 1);
    says(true, &[("Ready", "True")]);
    assert!(lines(&metrics, "PlanHeld").is_empty(), "the condition is gone");
    let resting = r#"rollcall_suspended{kind="SyncPolicy",object="identity/staff",namespace="identity"} 1"#;
    assert_eq!(lines(&metrics, "rollcall_suspended"), [resting]);
    let of = r#"rollcall_condition{kind="SyncPolicy",object="identity/staff",namespace="identity",type="Ready",status="#;
    assert_eq!(
        lines(&metrics, of),
        [format!("{of}\"False\"}} 0"), format!("{of}\"True\"}} 1"), format!("{of}\"Unknown\"}} 0")]
    );
}

#[test]
fn a_job_counts_where_it_is() {
    let metrics = Metrics::new();
    let jobs = |state: &str| {
        let of = format!("rollcall_jobs{{kind=\"run\",state=\"{state}\"}} ");
        lines(&metrics, &of)[0][of.len()..].to_owned()
    };
    let (first, second) = (metrics.queued_run(), metrics.queued_run());
    assert_eq!((jobs("queued"), jobs("running")), ("2".to_owned(), "0".to_owned()));
    let running = first.begin();
    assert_eq!((jobs("queued"), jobs("running")), ("1".to_owned(), "1".to_owned()));
    drop((running, second));
    assert_eq!((jobs("queued"), jobs("running")), ("0".to_owned(), "0".to_owned()));
}

#[test]
fn the_process_and_its_store_are_measured() {
    let metrics = Metrics::new();
    assert_eq!(lines(&metrics, "rollcall_store_bytes "), [""; 0]);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rollcall.db");
    std::fs::write(&file, [0; 1000]).unwrap();
    std::fs::write(folder.path().join("rollcall.db-wal"), [0; 24]).unwrap();
    metrics.store_is(file);
    assert_eq!(lines(&metrics, "rollcall_store_bytes "), ["rollcall_store_bytes 1024"]);
    assert_eq!(lines(&metrics, "process_resident_memory_bytes ").len(), 1);
    assert_eq!(lines(&metrics, "process_cpu_seconds_total ").len(), 1);
    let started =
        lines(&metrics, "process_start_time_seconds ")[0].rsplit(' ').next().unwrap().parse::<i64>();
    let now = crate::clock::Clock::now(&crate::clock::SystemClock).as_second();
    assert!((now - 3600..=now + 1).contains(&started.unwrap()), "it was started for this test");
}
