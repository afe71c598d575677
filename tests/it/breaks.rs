//! The deliberate breaks of the promises: each still fits the code, so that `make breaks` can try it.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Command;

#[test]
fn every_break_still_applies_and_each_promise_has_two() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut of_promise: BTreeMap<String, usize> = BTreeMap::new();
    for entry in fs::read_dir(root.join("tests/breaks")).unwrap() {
        let patch = entry.unwrap().path();
        let text = fs::read_to_string(&patch).unwrap();
        let promise = text.strip_prefix("Promise ").and_then(|rest| rest.split_once(": "));
        let (promise, _) =
            promise.unwrap_or_else(|| panic!("{} does not say what it breaks", patch.display()));
        *of_promise.entry(promise.to_owned()).or_default() += 1;
        let mut check = Command::new("git");
        check.args(["apply", "--check", "--unsafe-paths"]).arg(&patch).current_dir(root);
        let checked = check.output().unwrap();
        let said = String::from_utf8_lossy(&checked.stderr);
        assert!(
            checked.status.success(),
            "{}: {said}make it anew for the code as it is now",
            patch.display()
        );
    }
    for promise in 1..=7 {
        let breaks = of_promise.get(&promise.to_string()).copied().unwrap_or_default();
        assert!(breaks >= 2, "promise {promise} has {breaks} breaks");
    }
}
