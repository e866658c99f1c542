//! The compose files, merged by `docker compose` where it is there.

use std::{collections::BTreeSet, process::Command};

use serde_json::{Value, json};

use super::{NODES, file, root, skipped};

const CLUSTER: [&str; 2] = ["docker-compose.yml", "compose.cluster.yml"];
const SERVICES: [&str; 4] = ["scheduler", "staleness-scanner", "ingest", "refresh"];

/// The services of compose files, merged as `docker compose` does it, with nothing set.
fn composed(files: &[&str]) -> Result<Value, String> {
    let mut compose = Command::new("docker");
    compose.env_clear().current_dir(root()).args(["compose", "--env-file", "/dev/null"]);
    compose.envs(std::env::vars().filter(|(name, _)| ["PATH", "HOME"].contains(&name.as_str())));
    for file in files {
        compose.args(["-f", file]);
    }
    compose.args(["--profile", "monitoring", "config", "--format", "json"]);
    let version = Command::new("docker").args(["compose", "version"]).output();
    if !version.is_ok_and(|version| version.status.success()) {
        return Err("docker compose is not here".to_owned());
    }
    let done = compose.output().unwrap();
    assert!(done.status.success(), "{files:?}: {}", String::from_utf8_lossy(&done.stderr));
    let mut project: Value = serde_json::from_slice(&done.stdout).unwrap();
    Ok(project["services"].take())
}

/// Locked down, limited, pinned, without a password, and reached from this machine alone.
fn is_closed(name: &str, container: &Value) {
    let shown = || format!("{name}: {container:#}");
    assert_eq!(container["read_only"], json!(true), "{}", shown());
    assert_eq!(container["cap_drop"], json!(["ALL"]), "{}", shown());
    assert_eq!(container["security_opt"], json!(["no-new-privileges:true"]), "{}", shown());
    assert!(container["mem_limit"].is_string(), "{}", shown());
    assert!(container["logging"]["options"]["max-size"].is_string(), "{}", shown());
    let image = container["image"].as_str().unwrap();
    let tag = image.split_once(':').map(|(_, tag)| tag).unwrap_or_default();
    let is_pinned = tag.contains(|c: char| c.is_ascii_digit());
    assert!(is_pinned || image == "mangoes:latest", "{name}: {image}");
    for (variable, value) in container["environment"].as_object().into_iter().flatten() {
        let is_secret = variable.contains("PASSWORD") && !variable.ends_with("_FILE");
        assert!(!is_secret || value == "", "{name}: {variable} is set");
    }
    for port in container["ports"].as_array().into_iter().flatten() {
        assert_eq!(port["host_ip"], "127.0.0.1", "{}", shown());
    }
}

fn published(services: &Value) -> Vec<&str> {
    let containers = services.as_object().unwrap().values();
    let ports = containers.filter_map(|container| container["ports"].as_array()).flatten();
    ports.map(|port| port["published"].as_str().unwrap()).collect()
}

#[test]
fn containers_are_closed_and_their_ports_differ() {
    for files in [&CLUSTER[..1], &CLUSTER[..]] {
        let services = match composed(files) {
            Ok(services) => services,
            Err(reason) => return skipped("the compose files", &reason),
        };
        services.as_object().unwrap().iter().for_each(|(name, value)| is_closed(name, value));
        let ports = published(&services);
        assert_eq!(ports.iter().collect::<BTreeSet<_>>().len(), ports.len(), "{ports:?}");
    }
}

/// A node without what makes it another one than the first.
fn common(mut node: Value) -> Value {
    node["ports"][0]["published"].take();
    node["command"].take();
    node["healthcheck"]["test"].take();
    for volume in node["volumes"].as_array_mut().unwrap() {
        if volume["target"] == "/data" {
            volume["source"].take();
        }
    }
    node
}

#[test]
fn a_cluster_has_three_nodes_alike_and_two_of_each_service() {
    let (single, cluster) = match (composed(&CLUSTER[..1]), composed(&CLUSTER)) {
        (Ok(single), Ok(cluster)) => (single, cluster),
        (Err(reason), _) | (_, Err(reason)) => return skipped("the compose files", &reason),
    };
    for name in SERVICES {
        let service = &cluster[name];
        assert_eq!(service["deploy"]["replicas"], 2, "{name}");
        assert!(service["ports"].is_null(), "replicas of {name} would share a port");
        assert_eq!(single[name]["deploy"], Value::Null, "{name}");
    }
    for name in SERVICES.iter().chain(&["migrate", "topology"]) {
        assert_eq!(cluster[name]["environment"]["NATS_REPLICAS"], "3", "{name}");
    }
    for name in NODES {
        assert_eq!(common(cluster[name].clone()), common(single["nats"].clone()), "{name}");
        let command = cluster[name]["command"].as_array().unwrap();
        assert_eq!(command[command.len() - 2..], [json!("-n"), json!(name)]);
        assert_eq!(cluster["topology"]["depends_on"][name]["condition"], "service_healthy");
    }
    assert_eq!(cluster["init"]["environment"]["NATS_NODES"], NODES.join(" "));
    let ports: Vec<&Value> = NODES.iter().map(|n| &cluster[n]["ports"][0]["published"]).collect();
    let ports: Vec<&str> = ports.into_iter().map(|port| port.as_str().unwrap()).collect();
    assert_eq!(cluster["init"]["environment"]["NATS_PORTS"], ports.join(" "));
}

/// Each service logs in at NATS as a user that nats/users.conf has.
#[test]
fn each_service_is_a_user_of_nats() {
    let (compose, users) = (file("docker-compose.yml"), file("nats/users.conf"));
    let named = |text: &str| -> BTreeSet<String> {
        let parts = text.split("/nats_url_").skip(1);
        let end = |c: char| !c.is_ascii_lowercase() && c != '-';
        parts.filter_map(|rest| rest.split(end).next()).map(str::to_owned).collect()
    };
    let named = named(&compose);
    let expected: BTreeSet<String> =
        SERVICES.iter().chain(&["setup", "operator"]).map(|name| (*name).to_owned()).collect();
    assert_eq!(named, expected);
    for name in named {
        assert!(users.contains(&format!("user: {name}\n")), "{name}");
    }
}

/// What can be set for the compose files stands in .env.example.
#[test]
fn every_variable_of_the_compose_files_is_explained() {
    let example = file(".env.example");
    for name in CLUSTER {
        let text = file(name);
        for variable in text.split("${").skip(1).filter_map(|rest| rest.split([':', '}']).next()) {
            assert!(example.contains(&format!("#{variable}=")), "{name}: {variable}");
        }
    }
}

#[test]
fn prometheus_scrapes_every_service() {
    let text = file("deploy/monitoring/prometheus/prometheus.yml");
    assert!(text.contains(&format!("names: [{}]", SERVICES.join(", "))), "{text}");
}
