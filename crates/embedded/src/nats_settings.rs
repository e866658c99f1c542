//! The settings of a `nats-server`: `nats/server.conf`, the same file that compose uses, with a
//! password and, for a member of a cluster, the addresses of its peers.

use std::{fs, io};

use crate::{data_dir::ServerDir, error::EmbeddedError, system::new_password};

/// Name of clients, and of peers to each other.
pub(crate) const USER: &str = "mangoes";

const SETTINGS: &str = include_str!("../../../nats/server.conf");
const CLUSTER: &str = "mangoes";

/// A server's part in a cluster.
#[derive(Debug, Clone)]
pub struct Member {
    /// The same at every start and different from the others': its peers know it by that.
    pub name: String,
    /// Where it listens for its peers, on loopback.
    pub port: u16,
    /// Where its peers listen.
    pub peers: Vec<u16>,
    /// Of clients and of peers, the same for all servers: letters and digits.
    pub password: String,
}

impl Member {
    /// Clients do not hear of the other servers: they know those that they were given.
    fn settings(&self) -> String {
        let Self { port, password, .. } = self;
        let route = |port: &u16| format!("\"nats://{USER}:{password}@127.0.0.1:{port}\"");
        let routes: Vec<String> = self.peers.iter().map(route).collect();
        format!(
            "cluster {{\n  name: {CLUSTER}\n  listen: \"127.0.0.1:{port}\"\n  \
             no_advertise: true\n  {}  routes: [{}]\n}}\n",
            authorization(password),
            routes.join(", ")
        )
    }
}

/// The whole text of the settings file. A server that is not durable does without the costly sync
/// to the disk.
pub(crate) fn settings(durable: bool, password: &str, member: Option<&Member>) -> String {
    let keep = |line: &&str| durable || !line.trim_start().starts_with("sync_interval");
    let mut text: String = SETTINGS.lines().filter(keep).flat_map(|line| [line, "\n"]).collect();
    text.push_str(&authorization(password));
    text.push_str(&member.map_or_else(String::new, Member::settings));
    text
}

/// The password of this folder's server, made at the first start.
pub(crate) fn kept_password(dir: &ServerDir) -> Result<String, EmbeddedError> {
    let path = dir.join("nats.password");
    match fs::read_to_string(&path) {
        Ok(text) if !text.trim().is_empty() => return Ok(text.trim().to_owned()),
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(EmbeddedError::file("read", &path)(error));
        }
        Ok(_) | Err(_) => {}
    }
    let password = new_password()?;
    dir.write_private("nats.password", &format!("{password}\n"))?;
    Ok(password)
}

fn authorization(password: &str) -> String {
    format!("authorization {{ user: {USER}, password: \"{password}\" }}\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_durable_servers_sync_always() {
        let durable = settings(true, "sesame", None);
        assert!(durable.lines().any(|line| line.trim() == "sync_interval: always"));
        assert!(!settings(false, "sesame", None).contains("\n  sync_interval"));
    }
}
