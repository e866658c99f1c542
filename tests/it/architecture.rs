//! The walls between the rooms and the rules of the house, held mechanically.

mod crates;
mod documents;
mod modules;
pub(crate) mod source;
mod style;
