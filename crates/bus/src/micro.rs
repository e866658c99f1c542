//! A NATS service: requests in, JSON out, errors as `Nats-Service-Error` headers. `nats micro
//! ls|info|stats` shows it.
//!
//! Every process that runs it is a replica: a queue group gives each request to one of them. The
//! library subscribes again after an outage of the broker by itself.

use std::{collections::HashMap, sync::Arc};

use async_nats::{
    Message,
    service::{Service, ServiceExt, error::Error},
};
use futures::{StreamExt, stream};
use ractor::{Actor, ActorProcessingErr, ActorRef};
use runtime::ChildSpec;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::warn;

use crate::{Bus, Namespace, topology};

/// Begins the verbs that are asked for under a user's name.
pub(crate) const AS_USER: &str = "as";
const AS_USER_WORDS: &str = "any verb, under the name of a user: as.<user>.<verb>. Permissions of \
     the server decide who may publish there; the audit names that user";
/// Requests that one process answers at the same time.
const AT_ONCE: usize = 16;

/// Why a request is not answered, with an HTTP-like code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text} ({code})")]
pub struct ServiceError {
    /// 400 wrong request, 404 unknown, 409 cannot be done now, 503 try again.
    pub code: usize,
    /// For people; one line.
    pub text: String,
}

/// What answers.
pub trait Answers: Send + Sync + 'static {
    /// The verbs, each with a sentence for people. A dot makes a group.
    const VERBS: &'static [(&'static str, &'static str)];

    /// Answers one request; both sides are JSON. `user` asks: the server lets nobody else publish
    /// under this name, where its permissions are set so. `None`: nobody is named.
    fn answer(
        &self,
        verb: &'static str,
        user: Option<&str>,
        request: &[u8],
    ) -> impl Future<Output = Result<Vec<u8>, ServiceError>> + Send;
}

/// What a service needs.
pub struct ServiceArgs<A> {
    /// The connection.
    pub bus: Bus,
    /// As `nats micro ls` shows it.
    pub name: &'static str,
    /// For people.
    pub description: &'static str,
    /// The verbs' subjects begin with it.
    pub prefix: &'static str,
    /// What answers.
    pub answers: Arc<A>,
    /// Cancelled when the process drains.
    pub drain: CancellationToken,
}

impl<A> Clone for ServiceArgs<A> {
    fn clone(&self) -> Self {
        Self {
            bus: self.bus.clone(),
            answers: Arc::clone(&self.answers),
            drain: self.drain.clone(),
            ..*self
        }
    }
}

struct ServiceActor<A>(ServiceArgs<A>);

/// The service as a child of a root.
pub fn service_child<A: Answers>(args: ServiceArgs<A>) -> ChildSpec {
    let name = args.name;
    ChildSpec::actor(name, move || ServiceActor(args.clone()), ())
}

/// The service's subscriptions have ended.
#[derive(Debug)]
struct Ended;

impl<A: Answers> Actor for ServiceActor<A> {
    type Msg = Ended;
    type State = ();
    type Arguments = ();

    async fn pre_start(&self, myself: ActorRef<Ended>, (): ()) -> Result<(), ActorProcessingErr> {
        let args = self.0.clone();
        let service = args
            .bus
            .client
            .service_builder()
            .description(args.description)
            .start(args.name, env!("CARGO_PKG_VERSION"))
            .await;
        let service = service.map_err(|e| format!("the NATS service does not start: {e}"))?;
        let group = service.group(args.bus.subject(args.prefix));
        let mut endpoints = Vec::with_capacity(A::VERBS.len() + 1);
        let of_users = (AS_USER, AS_USER_WORDS);
        for (verb, words) in A::VERBS.iter().chain([&of_users]) {
            let metadata = HashMap::from([("description".to_owned(), (*words).to_owned())]);
            let subject =
                if *verb == AS_USER { format!("{AS_USER}.>") } else { (*verb).to_owned() };
            let endpoint = group
                .endpoint_builder()
                .name(verb.replace('.', "-"))
                .metadata(metadata)
                .add(subject)
                .await;
            endpoints
                .push(endpoint.map_err(|e| format!("the endpoint {verb} cannot be served: {e}"))?);
        }
        tokio::spawn(serve(service, stream::select_all(endpoints), args, myself));
        Ok(())
    }

    async fn handle(
        &self,
        myself: ActorRef<Ended>,
        _: Ended,
        (): &mut (),
    ) -> Result<(), ActorProcessingErr> {
        myself.stop(Some("its subscriptions ended".to_owned()));
        Ok(())
    }
}

async fn serve<A: Answers>(
    service: Service,
    mut requests: impl StreamExt<Item = async_nats::service::Request> + Unpin,
    args: ServiceArgs<A>,
    myself: ActorRef<Ended>,
) {
    let (permits, tasks) = (Arc::new(tokio::sync::Semaphore::new(AT_ONCE)), TaskTracker::new());
    loop {
        let next = tokio::select! {
            () = args.drain.cancelled() => None,
            next = requests.next() => next,
        };
        let Some(request) = next else { break };
        let (answers, limit) =
            (Arc::clone(&args.answers), args.bus.client.server_info().max_payload);
        let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { break };
        let (prefix, namespace) = (args.bus.subject(args.prefix), args.bus.namespace.clone());
        tasks.spawn(async move {
            let asked = Asked::of(&request.message.subject, &prefix, A::VERBS);
            let asked = asked.and_then(|asked| asked.unless_relayed(&request.message, &namespace));
            let verb = asked.as_ref().map_or("unknown", |asked| asked.verb);
            let answer = match asked {
                Ok(Asked { verb, user }) => {
                    answers.answer(verb, user.as_deref(), &request.message.payload).await
                }
                Err(error) => Err(error),
            };
            let answer = answer.and_then(|body| fitting(body, limit));
            if !may_be_answered(request.message.reply.as_deref(), &namespace) {
                return;
            }
            let answer = answer
                .map(Into::into)
                .map_err(|e| Error { status: one_line(&e.text), code: e.code });
            if let Err(e) = request.respond(answer).await {
                warn!(verb, error = %e, "an answer could not be sent");
            }
            drop(permit);
        });
    }
    if let Err(e) = service.stop().await {
        warn!(error = %e, "the NATS service did not stop");
    }
    tasks.close();
    tasks.wait().await;
    // The actor may have ended before.
    let _ = myself.cast(Ended);
}

/// What a request's subject says.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    verb: &'static str,
    user: Option<String>,
}

impl Asked {
    /// `<prefix>.<verb>`, or `<prefix>.as.<user>.<verb>`.
    fn of(
        subject: &str,
        prefix: &str,
        verbs: &'static [(&'static str, &'static str)],
    ) -> Result<Self, ServiceError> {
        let rest = subject.strip_prefix(prefix).unwrap_or(subject).trim_start_matches('.');
        let of_user = rest.strip_prefix(AS_USER).and_then(|rest| rest.strip_prefix('.'));
        let (user, name) = match of_user.map(|rest| rest.split_once('.').unwrap_or((rest, ""))) {
            Some((user, name)) => (Some(user.to_owned()), name),
            None => (None, rest),
        };
        match verbs.iter().find(|(verb, _)| *verb == name) {
            Some((verb, _)) => Ok(Self { verb, user }),
            None => Err(ServiceError { code: 404, text: format!("there is no verb '{name}'") }),
        }
    }

    /// A message that the server sends on from a stream was published by somebody else than the
    /// subject says: NATS lets whoever reads a stream choose where the message goes.
    fn unless_relayed(self, message: &Message, names: &Namespace) -> Result<Self, ServiceError> {
        let headers = message.headers.as_ref();
        let of_stream = headers.is_some_and(|h| h.get(async_nats::header::NATS_STREAM).is_some());
        if of_stream || !may_be_answered(message.reply.as_deref(), names) {
            let text = "a message of a stream is no request: publish it yourself".to_owned();
            return Err(ServiceError { code: 403, text });
        }
        Ok(self)
    }
}

/// Whether an answer there is read by who asked: the server's own subjects and those that streams
/// take are no place for answers.
fn may_be_answered(reply: Option<&str>, names: &Namespace) -> bool {
    reply.is_none_or(|reply| !reply.starts_with('$') && !topology::is_taken(names.bare(reply)))
}

fn fitting(body: Vec<u8>, limit: usize) -> Result<Vec<u8>, ServiceError> {
    if body.len() <= limit {
        return Ok(body);
    }
    Err(ServiceError {
        code: 400,
        text: format!(
            "the answer has {} bytes, more than {limit}: ask for less with limit",
            body.len()
        ),
    })
}

/// A header's value has one line.
fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const VERBS: &[(&str, &str)] = &[("jobs.pause", ""), ("status", "")];

    #[test]
    fn no_answer_goes_where_it_would_do_something() {
        let names = Namespace::new("staging");
        for (reply, expected) in [
            (None, true),
            (Some("_INBOX.ann.1"), true),
            (Some("_R_.abc"), true),
            (Some("staging.movies.changed.603"), false),
            (Some("$JS.API.STREAM.DELETE.staging_MOVIES_DEAD"), false),
            (Some("$JS.ACK.MOVIES_EVENTS.index.1.1.1.1.1"), false),
        ] {
            assert_eq!(may_be_answered(reply, &names), expected, "{reply:?}");
        }
    }

    #[test]
    fn a_subject_says_the_verb_and_who_asks() {
        let asked = |subject: &str| Asked::of(subject, "staging.movies.api", VERBS);
        for (subject, verb, user) in [
            ("staging.movies.api.jobs.pause", "jobs.pause", None),
            ("staging.movies.api.status", "status", None),
            ("staging.movies.api.as.ann.jobs.pause", "jobs.pause", Some("ann")),
            ("staging.movies.api.as.ann.status", "status", Some("ann")),
        ] {
            let user = user.map(str::to_owned);
            assert_eq!(asked(subject), Ok(Asked { verb, user }), "{subject}");
        }
        for subject in ["staging.movies.api.as.ann", "staging.movies.api.as.ann.jobs", "x"] {
            assert_eq!(asked(subject).unwrap_err().code, 404, "{subject}");
        }
    }
}
