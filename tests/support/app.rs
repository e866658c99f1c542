//! The app that reads the catalogue's tables.

mod decoders;

pub use decoders::{
    Card, CastMember, Clip, CrewMember, Details, Posters, Provider, Region, ScoreDetail, ShortCard,
    SourceScores, Streaming, decode,
};
