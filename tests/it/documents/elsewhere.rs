//! Which commands of documents are not run by the test, and why. What they name is compared with
//! what there is.

/// Commands that begin so.
#[derive(Debug)]
pub(super) struct Elsewhere {
    pub(super) begins: &'static str,
    pub(super) why: &'static str,
}

const fn row(begins: &'static str, why: &'static str) -> Elsewhere {
    Elsewhere { begins, why }
}

/// Every one of them stands in a document.
pub(super) const ELSEWHERE: [Elsewhere; 14] = [
    row("mangoes up --demo", "goes on until it is stopped: the test starts it before the others"),
    row("make ", "builds, and takes minutes: CI runs setup, test, demo and bench"),
    row("docker ", "needs Docker: make compose-test and make cluster-test"),
    row("eval \"$(docker ", "the same"),
    row("nats-server ", "listens on the port of all, and stores below /var"),
    row("psql \"$ADMIN_URL\" -c '\\password", "asks at the terminal"),
    row("kubectl ", "needs Kubernetes; the tests render the chart and decode it"),
    row("helm ", "the same"),
    row("apt-get ", "needs root, and changes the machine"),
    row("install ", "the same"),
    row("useradd ", "the same"),
    row("systemctl ", "the same"),
    row("sudo ", "the same"),
    row("journalctl ", "shows a service of the machine"),
];

/// Why this command is not run here.
pub(super) fn why_elsewhere(command: &str) -> Option<&'static str> {
    ELSEWHERE.iter().find(|row| command.starts_with(row.begins)).map(|row| row.why)
}
