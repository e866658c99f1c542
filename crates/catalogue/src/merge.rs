//! Lays an answer over the stored one: what it lacks is taken from there.
//!
//! The answers themselves are merged, part by part, before they are mapped. So what is stored is
//! always what the catalogue shows, and can be mapped again.

use std::{borrow::Cow, collections::BTreeMap};

use serde_json::value::RawValue;

use crate::{
    answer::{Answer, list},
    movie::TRUNCATED_PARTS,
};

/// Lists that tell a truncated answer, by the key of their part.
const TELLING: [&str; 6] = ["credits", "credits", "videos", "keywords", "similar", "genres"];

/// The keys whose stored values stay: the parts that `new` lacks and `stored` has. Where three or
/// more lists that were full are empty at once, nobody did that by hand: the answer counts as
/// truncated, and they stay as well.
pub(crate) fn kept(new: &Answer<'_>, stored: &Answer<'_>) -> Vec<&'static str> {
    let stored_lacks = stored.lacks();
    let mut kept = new.lacks();
    kept.retain(|key| !stored_lacks.contains(key));
    // An empty text erases none.
    let stored_empty = empty_texts(stored);
    kept.extend(empty_texts(new).into_iter().filter(|key| !stored_empty.contains(key)));
    let is_emptied = |(new, stored)| new == Some(0) && stored > Some(0);
    let sizes = lengths(new).into_iter().zip(lengths(stored));
    let emptied: Vec<&str> = TELLING
        .into_iter()
        .zip(sizes)
        .filter(|(_, sizes)| is_emptied(*sizes))
        .map(|(key, _)| key)
        .collect();
    if emptied.len() >= TRUNCATED_PARTS {
        kept.extend(emptied);
    }
    kept
}

/// The texts that are empty in an answer, by their keys.
pub(crate) fn empty_texts(answer: &Answer<'_>) -> Vec<&'static str> {
    let texts =
        [("title", &answer.title), ("overview", &answer.overview), ("tagline", &answer.tagline)];
    texts.into_iter().filter(|(_, text)| text.is_none()).map(|(key, _)| key).collect()
}

/// How long the [`TELLING`] lists are.
fn lengths(answer: &Answer<'_>) -> [Option<usize>; TELLING.len()] {
    let credits = answer.credits.as_ref();
    [
        credits.and_then(|c| c.cast.as_ref()).map(Vec::len),
        credits.and_then(|c| c.crew.as_ref()).map(Vec::len),
        list(answer.videos.as_ref()).map(Vec::len),
        answer.keywords.as_ref().and_then(|k| k.keywords.as_ref()).map(Vec::len),
        list(answer.similar.as_ref()).map(Vec::len),
        answer.genres.as_ref().map(Vec::len),
    ]
}

/// The new body with the stored values of these keys. `None`: one of the two cannot be read.
pub(crate) fn with_kept(new: &str, stored: &str, kept: &[&str]) -> Option<String> {
    type Fields<'a> = BTreeMap<Cow<'a, str>, &'a RawValue>;
    let mut merged: Fields<'_> = serde_json::from_str(new).ok()?;
    let stored: Fields<'_> = serde_json::from_str(stored).ok()?;
    for key in kept {
        let value = stored.get(*key)?;
        merged.insert(Cow::Borrowed(*key), *value);
    }
    serde_json::to_string(&merged).ok()
}
