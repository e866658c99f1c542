//! A message becomes exactly one effect: attempts and handled messages, the outbox and its relay,
//! dead letters.

pub(crate) mod attempts;
pub(crate) mod dead_letters;
pub(crate) mod old_rows;
pub(crate) mod outbox;
pub(crate) mod relay;
pub(crate) mod subjects;
pub(crate) mod wake;
