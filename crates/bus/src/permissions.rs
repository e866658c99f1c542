//! What each user of NATS may publish and subscribe, and nothing else: `nats/users.conf` is written
//! from here.
//!
//! Every process publishes what the outbox holds and answers `movies.api.*`, so every service may
//! do so. What differs is whose work a service may take, and who may make streams.

use delivery::{CONSUMERS, Service};
use proto::API_VERBS;

use crate::{
    Namespace,
    topology::{STREAMS, stream_of, subjects},
};

/// The user with whom the services of one process log in, where all run in one.
const ALL_SERVICES: &str = "mangoes";
/// The stream of what other systems read.
const EVENTS: &str = "MOVIES_EVENTS";
/// Begins where answers come in.
const INBOX: &str = "_INBOX.";
/// Begins what is asked of JetStream, and what others ask of ours.
const API: &str = "$JS.API.";
const API_OF_APPS: &str = "MANGOES.API.";
/// Requests that have many answers: a pull, and a read without a consumer.
const NEXT: &str = "$JS.API.CONSUMER.MSG.NEXT.";
const DIRECT: &str = "$JS.API.DIRECT.GET.";
/// What anyone may ask to be done.
const BY_HAND: [&str; 3] = ["movies.ingest.movie", "movies.ingest.list", "movies.stale.now"];
/// What other systems may hear.
const FOR_EVERYBODY: [&str; 3] = ["movies.refreshed.*", "movies.changed.*", "movies.run.*"];

/// Where a user is: subjects of one account are nothing in the other.
///
/// NATS does not ask whether a user may publish where an answer goes: who may have the server
/// answer can put the answer anywhere in its account. So programs of others have an account of
/// their own, with a door for each subject that they need (docs/adr/0020).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Account {
    Mangoes,
    Apps,
}

/// A user and its rights.
#[derive(Debug, Clone)]
pub struct User {
    /// Its name, and the variable of its password: `$INGEST_PASSWORD`.
    pub name: String,
    account: Account,
    /// For people.
    meaning: &'static str,
    /// Subjects that it may publish.
    pub publish: Vec<String>,
    /// Subjects that it may subscribe.
    pub subscribe: Vec<String>,
    /// Of these, what it never receives.
    pub deaf_to: Vec<String>,
}

/// Every user, with the names of users, streams and subjects in this namespace.
#[must_use]
pub fn users(namespace: &Namespace) -> Vec<User> {
    let names = Names(namespace);
    let mut users: Vec<User> = Service::ALL.iter().map(|service| names.service(*service)).collect();
    users.extend([names.all_services(), names.setup()]);
    let others = users.iter().map(|user| inbox(&user.name)).collect();
    users.extend([names.operator(others), names.publisher(), names.subscriber()]);
    users
}

/// Builds rights for one namespace.
struct Names<'a>(&'a Namespace);

impl Names<'_> {
    fn subject(&self, name: &str) -> String {
        self.0.subject(name)
    }

    fn streams(&self) -> Vec<String> {
        STREAMS.iter().map(|(name, _)| self.0.stream(name)).collect()
    }

    /// A user of ours that may do nothing yet but read its answers.
    fn user(&self, name: &str, meaning: &'static str) -> User {
        let name = self.0.user(name);
        User {
            account: Account::Mangoes,
            meaning,
            publish: Vec::new(),
            subscribe: vec![inbox(&name)],
            deaf_to: Vec::new(),
            name,
        }
    }

    fn service(&self, service: Service) -> User {
        let mut user = self.process(service.as_str(), "the service of this name");
        self.may_work_as(service, &mut user);
        // After a loss of the streams' store one service makes them again, and the others wait.
        if service == Service::Scheduler {
            user.meaning = "the service of this name; makes streams and consumers that are missing";
            user.publish.extend(self.making());
        }
        user
    }

    fn all_services(&self) -> User {
        let mut user = self.process(ALL_SERVICES, "all services in one process");
        Service::ALL.iter().for_each(|service| self.may_work_as(*service, &mut user));
        user.publish.extend(self.making());
        user
    }

    /// What every process of ours does.
    fn process(&self, name: &str, meaning: &'static str) -> User {
        let mut user = self.user(name, meaning);
        user.publish.extend(subjects().map(|subject| self.subject(subject)));
        // Where answers go: to those who ask in this account, and to those in others.
        user.publish.extend(["_INBOX.>".to_owned(), "_R_.>".to_owned()]);
        user.publish.extend(self.looking());
        user.subscribe.extend([self.subject("movies.api.>"), "$SRV.>".to_owned()]);
        user
    }

    /// Takes the work of the service's consumers, and makes them where somebody deleted them.
    fn may_work_as(&self, service: Service, user: &mut User) {
        for consumer in CONSUMERS.iter().filter(|consumer| consumer.service == service) {
            // Every consumer's file was read when its stream was looked for.
            let stream = self.0.stream(&stream_of(consumer.durable).unwrap_or_default());
            let durable = consumer.durable;
            user.publish.extend([
                format!("$JS.API.CONSUMER.CREATE.{stream}.{durable}.>"),
                format!("$JS.API.CONSUMER.MSG.NEXT.{stream}.{durable}"),
                format!("$JS.ACK.{stream}.{durable}.>"),
                // The form of acks with a domain and an account.
                format!("$JS.ACK.*.*.{stream}.{durable}.>"),
            ]);
            for verb in ["GET", "DELETE"] {
                let subject = format!("$JS.API.STREAM.MSG.{verb}.{stream}");
                if !user.publish.contains(&subject) {
                    user.publish.push(subject);
                }
            }
            let advisory = "$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES";
            user.subscribe.push(format!("{advisory}.{stream}.{durable}"));
        }
    }

    /// Looks at streams and consumers.
    fn looking(&self) -> Vec<String> {
        let mut subjects = vec!["$JS.API.INFO".to_owned()];
        for stream in self.streams() {
            subjects.push(format!("$JS.API.STREAM.INFO.{stream}"));
            subjects.push(format!("$JS.API.CONSUMER.INFO.{stream}.*"));
        }
        subjects
    }

    /// Makes streams and our consumers, and sets them right.
    fn making(&self) -> Vec<String> {
        let streams = self.streams().into_iter().flat_map(|stream| {
            ["CREATE", "UPDATE"].map(|verb| format!("$JS.API.STREAM.{verb}.{stream}"))
        });
        let consumers = CONSUMERS.iter().map(|consumer| {
            let stream = self.0.stream(&stream_of(consumer.durable).unwrap_or_default());
            format!("$JS.API.CONSUMER.CREATE.{stream}.{}.>", consumer.durable)
        });
        streams.chain(consumers).collect()
    }

    fn setup(&self) -> User {
        let mut user = self.user("setup", "`mangoes topology`: makes streams and consumers");
        user.publish = self.looking();
        user.publish.extend(self.making());
        user
    }

    /// Its programs may read their answers wherever they like, so that `nats` needs no option, but
    /// for the inboxes of our processes.
    fn operator(&self, inboxes_of_others: Vec<String>) -> User {
        let mut user = self.user(
            "operator",
            "people: every verb of movies.api under its own name, work by hand, a look at \
             streams, consumers, events and dead letters",
        );
        let publish = &mut user.publish;
        publish.extend(self.by_hand());
        publish.push(self.subject(&format!("movies.api.as.{}.>", user.name)));
        // What changes something is asked for under a name that the audit can trust.
        let harmless = API_VERBS.iter().filter(|verb| verb.is_reading);
        publish.extend(harmless.map(|verb| self.subject(&format!("movies.api.{}", verb.name))));
        publish.extend(["$SRV.>".to_owned(), "$JS.API.STREAM.NAMES".to_owned()]);
        publish.push("$JS.API.STREAM.LIST".to_owned());
        publish.extend(self.looking());
        for stream in self.streams() {
            publish.push(format!("$JS.API.CONSUMER.LIST.{stream}"));
            publish.push(format!("$JS.API.CONSUMER.NAMES.{stream}"));
            publish.push(format!("$JS.API.CONSUMER.PAUSE.{stream}.*"));
            publish.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
        }
        for stream in [EVENTS, "MOVIES_DEAD"] {
            publish.extend(reading(&self.0.stream(stream)));
        }
        user.subscribe = vec!["_INBOX.>".to_owned(), self.subject("movies.*.>")];
        user.deaf_to = inboxes_of_others;
        user
    }

    fn publisher(&self) -> User {
        let user = self.user("publisher", "a program that asks for movies, lists and refreshes");
        User { account: Account::Apps, publish: self.by_hand(), ..user }
    }

    fn subscriber(&self) -> User {
        let mut user = self.user(
            "subscriber",
            "a program that lives on the events: its own consumers of MOVIES_EVENTS, replay, cards",
        );
        let stream = self.0.stream(EVENTS);
        user.account = Account::Apps;
        user.publish = reading(&stream);
        user.publish.push(format!("$JS.API.STREAM.INFO.{stream}"));
        user.publish.push(format!("$JS.API.STREAM.MSG.GET.{stream}"));
        // An account without JetStream cannot use the server's own name for it.
        for subject in &mut user.publish {
            *subject = subject.replacen(API, API_OF_APPS, 1);
        }
        user.publish.extend(
            ["movie.show", "movie.get", "movie.cards"]
                .map(|verb| self.subject(&format!("movies.api.{verb}"))),
        );
        user.subscribe.extend(FOR_EVERYBODY.iter().map(|subject| self.subject(subject)));
        user
    }

    fn by_hand(&self) -> Vec<String> {
        BY_HAND.iter().map(|subject| self.subject(subject)).collect()
    }
}

/// Where a user's answers come in; no other user may read them.
fn inbox(name: &str) -> String {
    format!("{INBOX}{name}.>")
}

/// Makes consumers of a stream, and reads it by them.
fn reading(stream: &str) -> Vec<String> {
    vec![
        format!("$JS.API.CONSUMER.CREATE.{stream}.>"),
        format!("$JS.API.CONSUMER.DURABLE.CREATE.{stream}.>"),
        format!("$JS.API.CONSUMER.DELETE.{stream}.*"),
        format!("$JS.API.CONSUMER.INFO.{stream}.*"),
        format!("{NEXT}{stream}.*"),
        format!("{DIRECT}{stream}"),
        format!("{DIRECT}{stream}.>"),
        format!("$JS.ACK.{stream}.>"),
        format!("$JS.ACK.*.*.{stream}.>"),
    ]
}

const HEAD: &str = "# Users of NATS, each with the rights that it needs and no others. Written from
# crates/bus/src/permissions.rs by `make bless`; `mangoes topology --users` prints it for another
# MANGOES_NAMESPACE.
#
# Include it beside server.conf, as nats/secure.conf does. A password comes from the environment of
# the server: letters and digits that begin with a letter, for NATS reads a value that looks like a
# number as one. Each user reads its answers under _INBOX.<user>; mangoes does so by itself, other
# clients are told (NATS_INBOX_PREFIX of the examples). An operator's may read them anywhere else
# below _INBOX, so that `nats` needs no option.
#
# NATS does not ask whether a user may publish where the answer to a request goes. So programs of
# others are in an account of their own, APPS, into which a door leads for each subject; JetStream's
# API is MANGOES.API there (NATS_JS_API_PREFIX, `nats --js-api-prefix`).
";

/// The text of `nats/users.conf`.
#[must_use]
pub fn conf(namespace: &Namespace) -> String {
    let (ours, apps): (Vec<User>, Vec<User>) =
        users(namespace).into_iter().partition(|user| user.account == Account::Mangoes);
    let doors = doors(&apps);
    let mut text = HEAD.to_owned();
    text.push_str("\naccounts {\n  MANGOES {\n    jetstream: enabled\n    users: [\n");
    ours.iter().for_each(|user| text.push_str(&user.conf()));
    text.push_str("    ]\n    exports: [\n");
    for Door { kind, subject } in &doors {
        let ours = subject.replacen(API_OF_APPS, API, 1);
        let answers = many_answers(&ours);
        text.push_str(&format!("      {{ {kind}: \"{ours}\"{answers}, accounts: [APPS] }}\n"));
    }
    text.push_str("    ]\n  }\n\n  APPS {\n    users: [\n");
    apps.iter().for_each(|user| text.push_str(&user.conf()));
    text.push_str("    ]\n    imports: [\n");
    for Door { kind, subject } in &doors {
        let ours = subject.replacen(API_OF_APPS, API, 1);
        let to = if ours == *subject { String::new() } else { format!(", to: \"{subject}\"") };
        text.push_str(&format!(
            "      {{ {kind}: {{ account: MANGOES, subject: \"{ours}\" }}{to} }}\n"
        ));
    }
    text.push_str("    ]\n  }\n\n");
    text.push_str("  # For monitoring and for work on the cluster: `nats server report`.\n");
    text.push_str("  SYS { users: [{ user: system, password: $SYSTEM_PASSWORD }] }\n}\n");
    text.push_str("system_account: SYS\n");
    text
}

/// A subject of ours that the account of others uses.
#[derive(Debug, PartialEq, Eq)]
struct Door {
    /// `service`: others publish it and we answer; `stream`: we publish it and others hear it.
    kind: &'static str,
    subject: String,
}

fn doors(apps: &[User]) -> Vec<Door> {
    let mut doors: Vec<Door> = Vec::new();
    let mut add = |kind, subject: &String| {
        let door = Door { kind, subject: subject.clone() };
        if !subject.starts_with(INBOX) && !doors.contains(&door) {
            doors.push(door);
        }
    };
    for user in apps {
        user.publish.iter().for_each(|subject| add("service", subject));
        user.subscribe.iter().for_each(|subject| add("stream", subject));
    }
    doors
}

/// A request of one of these has more than one answer.
fn many_answers(subject: &str) -> &'static str {
    if subject.starts_with(NEXT) || subject.starts_with(DIRECT) { ", response: stream" } else { "" }
}

impl User {
    fn conf(&self) -> String {
        let lines = |subjects: &[String]| -> String {
            subjects.iter().map(|subject| format!("            \"{subject}\"\n")).collect()
        };
        let list = |name: &str, allow: &[String], deny: &[String]| {
            let mut text = format!("          {name}: {{ allow: [\n{}          ]", lines(allow));
            if !deny.is_empty() {
                text.push_str(&format!(", deny: [\n{}          ]", lines(deny)));
            }
            text + " }\n"
        };
        let variable = self.name.to_uppercase().replace('-', "_");
        let mut text = comment(self.meaning);
        text.push_str(&format!(
            "      {{\n        user: {}\n        password: ${variable}_PASSWORD\n        \
             permissions: {{\n",
            self.name
        ));
        text.push_str(&list("publish", &self.publish, &[]));
        text.push_str(&list("subscribe", &self.subscribe, &self.deaf_to));
        text.push_str("        }\n      }\n");
        text
    }
}

/// Prose in lines of at most 100 columns.
fn comment(words: &str) -> String {
    let mut lines = vec![String::from("      #")];
    for word in words.split_whitespace() {
        let full = lines.last().is_some_and(|line| line.len() + 1 + word.len() > 100);
        if full {
            lines.push(String::from("      #"));
        }
        if let Some(line) = lines.last_mut() {
            line.push(' ');
            line.push_str(word);
        }
    }
    lines.join("\n") + "\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_is_what_this_module_says() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../nats/users.conf");
        let text = conf(&Namespace::default());
        if std::env::var_os("MANGOES_BLESS").is_some() {
            std::fs::write(path, &text).unwrap();
        }
        let stored = std::fs::read_to_string(path).unwrap_or_default();
        assert!(stored == text, "nats/users.conf differs: if that is meant, run `make bless`");
    }

    #[test]
    fn only_our_processes_may_say_what_happened() {
        for user in users(&Namespace::default()) {
            let ours = Service::ALL.iter().map(|service| service.as_str()).chain([ALL_SERVICES]);
            let ours = ours.into_iter().any(|name| name == user.name);
            for subject in ["movies.refreshed.*", "movies.changed.*", "movies.run.*"] {
                let may = user.publish.iter().any(|allowed| allowed == subject);
                assert_eq!(may, ours, "{}: {subject}", user.name);
            }
            assert!(user.publish.iter().all(|s| !s.contains("PURGE")), "{}", user.name);
        }
    }

    /// Two installations in one account have different users.
    #[test]
    fn a_namespace_begins_the_names_of_users() {
        let text = conf(&Namespace::new("staging"));
        for words in [
            "user: staging-operator",
            "$STAGING_OPERATOR_PASSWORD",
            "staging.movies.api.as.staging-operator.>",
            "_INBOX.staging-ingest.>",
        ] {
            assert!(text.contains(words), "{words}");
        }
        assert!(!text.contains("user: operator"));
    }

    #[test]
    fn every_consumer_has_a_service_that_may_work() {
        let users = users(&Namespace::new("staging"));
        for consumer in &CONSUMERS {
            let name = format!("staging-{}", consumer.service.as_str());
            let user = users.iter().find(|user| user.name == name).unwrap();
            let next = format!(".{}", consumer.durable);
            assert!(
                user.publish.iter().any(|s| s.contains("MSG.NEXT.staging_") && s.ends_with(&next)),
                "{}",
                consumer.durable
            );
        }
    }
}
