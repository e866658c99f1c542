//! What the `{parameters}` of the subjects stand for.

use crate::{Action, Lane};

/// A part of a subject that differs from message to message.
pub struct Parameter {
    /// How the subject names it.
    pub name: &'static str,
    /// What it stands for.
    pub meaning: &'static str,
    /// Whether the payload has a field of this name and value.
    pub in_payload: bool,
    /// The only values that it can have; empty where there are too many to list.
    pub words: Vec<&'static str>,
}

fn of_payload(name: &'static str, meaning: &'static str) -> Parameter {
    Parameter { name, meaning, in_payload: true, words: Vec::new() }
}

pub(super) fn action() -> Parameter {
    let words = Action::ALL.map(Action::as_str).to_vec();
    Parameter { words, ..of_payload("action", "What is to be done.") }
}

pub(super) fn consumer() -> Parameter {
    of_payload("consumer", "The consumer that gave the message up.")
}

pub(super) fn job() -> Parameter {
    of_payload("job", "The job's name.")
}

pub(super) fn lane() -> Parameter {
    let words = Lane::ALL.map(Lane::as_str).to_vec();
    Parameter { name: "lane", meaning: "How urgent the refresh is.", in_payload: false, words }
}

pub(super) fn queue() -> Parameter {
    Parameter {
        name: "queue",
        meaning: "`movie`: sent by anyone; `listed`: an item of a run, sent by mangoes.",
        in_payload: false,
        words: vec!["movie", "listed"],
    }
}

pub(super) fn tmdb_id() -> Parameter {
    of_payload("tmdb_id", "The movie's number at TMDB.")
}
