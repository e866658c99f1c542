//! The NATS cluster of compose.cluster.yml: its settings are those that `docker/init` writes.

use std::{fs, process::Command};

use embedded::{free_port, nats_server};
use tests::{Folder, Process, Said, eventually, http_get, mangoes};

use super::{NODES, file, root};

/// What a node's container is asked for its health: whether it has found a leader.
const HEALTH: &str = "/healthz?js-meta-only=true";

/// `docker/init` in a folder of ours, as it runs for a cluster.
fn init(folder: &Folder) {
    let script = file("docker/init");
    let script = script.replace("cd /run/mangoes", &format!("cd '{}'", folder.0.display()));
    let share = format!("share='{}'", root().join("nats").display());
    let script = script.replace("share=/usr/local/share/mangoes", &share);
    let mut sh = Command::new("sh");
    sh.args(["-c", &script]).env_clear().envs(std::env::var_os("PATH").map(|path| ("PATH", path)));
    let said = Said::by(sh.env("NATS_NODES", NODES.join(" ")).env("NATS_PORTS", "1 2 3"));
    assert!(said.succeeded(), "{}", said.text);
}

/// A node as its container runs it, on ports of this machine.
struct Node {
    name: &'static str,
    client: u16,
    route: u16,
    monitor: u16,
}

impl Node {
    fn new(name: &'static str) -> Self {
        let [client, route, monitor] = std::array::from_fn(|_| free_port().unwrap());
        Self { name, client, route, monitor }
    }

    fn start(&self, folder: &Folder, nodes: &[Self]) -> Process {
        let mut conf = folder.read("nats.conf");
        conf = conf.replace("0.0.0.0:6222", &format!("127.0.0.1:{}", self.route));
        for Self { name, route, .. } in nodes {
            conf = conf.replace(&format!("@{name}:6222"), &format!("@127.0.0.1:{route}"));
        }
        let path = folder.0.join(format!("node-{}.conf", self.name));
        fs::write(&path, conf).unwrap();
        let mut server = Command::new(nats_server(&folder.0).unwrap());
        server.arg("-c").arg(&path).arg("-sd").arg(folder.0.join(self.name));
        server.args(["-n", self.name, "-a", "127.0.0.1", "-p", &self.client.to_string()]);
        server.args(["-m", &self.monitor.to_string()]);
        Process::start(&mut server, &folder.0.join(format!("{}.log", self.name)))
    }

    /// The status of its answer about its health; `None` while it does not answer.
    async fn health(&self) -> Option<u16> {
        let monitor = ([127, 0, 0, 1], self.monitor).into();
        http_get(monitor, HEALTH, "").await.map(|(status, _)| status)
    }

    async fn becomes(&self, status: u16) {
        let look = async || self.health().await;
        eventually(self.name, look, |seen| *seen == Some(status)).await;
    }
}

/// The settings that init writes make a cluster, and streams with three copies outlive a node.
#[tokio::test]
async fn the_settings_of_init_make_a_cluster() {
    let folder = Folder::new("init-cluster");
    init(&folder);
    assert!(file("compose.cluster.yml").contains(HEALTH), "the containers are asked {HEALTH}");
    let nodes = NODES.map(Node::new);
    let mut first = nodes[0].start(&folder, &nodes);
    nodes[0].becomes(503).await;
    let _others = [1, 2].map(|n: usize| nodes[n].start(&folder, &nodes));
    for node in &nodes {
        node.becomes(200).await;
    }
    let mut urls = folder.read("nats_url_setup").trim().to_owned();
    for Node { name, client, .. } in &nodes {
        urls = urls.replace(&format!("@{name}:4222"), &format!("@127.0.0.1:{client}"));
    }
    let topology = |args: &[&str]| {
        let mut command = mangoes(&folder.0);
        command.env("NATS_URL", &urls).env("NATS_REPLICAS", "3").arg("topology").args(args);
        Said::by(&mut command)
    };
    let made = topology(&[]);
    assert!(made.succeeded(), "{}", made.text);
    first.kill();
    let look = async || topology(&["--check"]);
    eventually("two nodes carry all streams", look, Said::succeeded).await;
}
