//! The Helm chart, rendered and decoded by `deploy/helm-check` where Go is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tests::{Folder, Said, mangoes};

use super::{file, root, skipped};

/// With an empty cache and a fast network the modules take half a minute.
const FETCH_LIMIT: Duration = Duration::from_secs(180);
/// What `go list` says when the files of the module are wrong, and not the network.
const OUR_FAULT: [&str; 4] =
    ["checksum mismatch", "missing go.sum entry", "updates to go.mod needed", "SECURITY ERROR"];

/// Go in the module that checks the chart, as it is and with the toolchain that is here.
fn go(args: &[&str]) -> Command {
    let mut go = Command::new("go");
    go.args(args).current_dir(root().join("deploy/helm-check"));
    go.envs([("GOTOOLCHAIN", "local"), ("GOFLAGS", "-mod=readonly"), ("GOWORK", "off")]);
    go.env("CGO_ENABLED", "0").stdin(Stdio::null());
    go
}

/// Fetches the modules; an error is a reason to skip.
fn fetch(folder: &Folder) -> Result<(), String> {
    let errors = folder.0.join("go-list.errors");
    let log = fs::File::create(&errors).unwrap();
    let mut list = go(&["list", "-deps", "."]);
    list.stdout(Stdio::null()).stderr(log);
    let mut list = list.spawn().map_err(|e| format!("go cannot be started: {e}"))?;
    let end = Instant::now() + FETCH_LIMIT;
    let status = loop {
        if let Some(status) = list.try_wait().unwrap() {
            break status;
        }
        if Instant::now() > end {
            list.kill().unwrap();
            list.wait().unwrap();
            return Err(format!("the modules could not be fetched within {FETCH_LIMIT:?}"));
        }
        thread::sleep(Duration::from_millis(50));
    };
    let said = fs::read_to_string(&errors).unwrap();
    let ours = OUR_FAULT.iter().any(|words| said.contains(words));
    assert!(!ours, "go.mod or go.sum of deploy/helm-check is wrong:\n{said}");
    if status.success() {
        return Ok(());
    }
    Err(format!("go cannot fetch the modules: {}", said.lines().last().unwrap_or_default()))
}

fn helm_check(program: &Path, chart: &Path) -> Said {
    let folder = root().join("deploy/helm-check");
    Said::by(Command::new(program).arg(chart).current_dir(folder))
}

/// Copies the chart, with one word in another's place.
fn spoiled(folder: &Folder, name: &str, change: [&str; 2]) -> PathBuf {
    let chart = folder.0.join("spoiled");
    let _ = fs::remove_dir_all(&chart);
    let mut copy = Command::new("cp");
    copy.arg("-r").arg(root().join("deploy/helm/mangoes")).arg(&chart);
    assert!(copy.status().unwrap().success());
    let path = chart.join(name);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.contains(change[0]), "{name} has no {}", change[0]);
    fs::write(path, text.replace(change[0], change[1])).unwrap();
    chart
}

#[test]
fn every_object_of_the_chart_is_one_of_the_kubernetes_api() {
    let folder = Folder::new("helm-check");
    if let Err(reason) = fetch(&folder) {
        return skipped("the Helm chart", &reason);
    }
    let program = folder.0.join("helm-check");
    let built = Said::by(go(&["build", "-o"]).arg(&program).arg("."));
    assert!(built.succeeded(), "deploy/helm-check does not build: {}", built.text);

    let said = helm_check(&program, Path::new("../helm/mangoes"));
    assert!(said.succeeded(), "{}", said.text);
    for line in [
        "values.yaml: Deployment mangoes-staleness-scanner",
        "values.yaml: PodDisruptionBudget mangoes-refresh",
        "values.yaml: NetworkPolicy mangoes-tmdb",
        "values.yaml: Job mangoes-migrate (pre-install,pre-upgrade, weight 1)",
        "values.yaml: Job mangoes-topology (pre-install,pre-upgrade, weight 2)",
        "values/full.yaml: PodMonitor mangoes",
        "refused: natsReplicas: 2",
    ] {
        assert!(said.text.contains(line), "without {line}:\n{}", said.text);
    }
    for (name, change, expected) in [
        ("templates/_helpers.tpl", ["readOnlyRootFilesystem", "readOnlyRoot"], "unknown field"),
        ("templates/_helpers.tpl", ["drop: [ALL]", "add: [ALL]"], "keep capabilities"),
        ("templates/_helpers.tpl", ["path: {{ . }}", "path: x-{{ . }}"], "which no volume holds"),
        ("templates/jobs.yaml", ["kind: Job", "kind: Jobs"], "no kind \"Jobs\""),
        ("values.schema.json", ["\"TMDB_RATE\"", "\"TMDB_RTAE\""], "TMDB_RATE"),
    ] {
        let said = helm_check(&program, &spoiled(&folder, name, change));
        assert!(!said.succeeded() && said.errors.contains(expected), "{change:?}: {}", said.text);
    }
}

/// The chart takes every setting but these, which it sets itself or takes from a Secret.
#[test]
fn the_chart_takes_the_settings_of_the_program() {
    const OWN: [&str; 5] =
        ["NATS_URL", "NATS_REPLICAS", "DATABASE_URL", "MANGOES_DATA_DIR", "MANGOES_LISTEN"];
    const IN_URLS: [&str; 5] = ["PGHOST", "PGPORT", "PGUSER", "PGPASSWORD", "PGDATABASE"];
    const SECRET: [&str; 2] = ["TMDB_TOKEN", "TMDB_API_KEY"];
    let folder = Folder::new("chart-settings");
    let said = Said::by(mangoes(&folder.0).args(["config", "--json"]));
    let shown: Value = serde_json::from_str(&said.text).unwrap();
    let shown = shown["settings"].as_array().unwrap();
    let names = shown.iter().map(|setting| setting["name"].as_str().unwrap());
    let of_program: BTreeSet<&str> = names
        .filter(|name| !OWN.iter().chain(&IN_URLS).chain(&SECRET).any(|own| own == name))
        .collect();
    let schema = file("deploy/helm/mangoes/values.schema.json");
    let schema: Value = serde_json::from_str(&schema).unwrap();
    let of_chart = schema["properties"]["settings"]["propertyNames"]["enum"].as_array().unwrap();
    let of_chart: BTreeSet<&str> = of_chart.iter().map(|name| name.as_str().unwrap()).collect();
    assert_eq!(of_chart, of_program);
}
