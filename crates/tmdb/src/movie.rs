//! Reads TMDB's answer about a movie. Strict about the id; everything else is the matter of
//! [`catalogue`].

use std::sync::Arc;

use catalogue::{Body, Look, MapOptions};
use proto::TmdbId;

use crate::error::TmdbError;

/// Reads the body of `/movie/{id}` with its parts.
///
/// # Errors
/// `Malformed` when it is not a JSON object with an id, `WrongId` when it is about another movie.
pub fn read_movie(body: Body, asked: TmdbId, options: &Arc<MapOptions>) -> Result<Look, TmdbError> {
    let look = Look::read(body, Arc::clone(options))
        .map_err(|e| TmdbError::Malformed { detail: e.to_string() })?;
    if look.tmdb_id != asked {
        return Err(TmdbError::WrongId { asked, got: look.tmdb_id.get() });
    }
    Ok(look)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_movies_body_is_refused() {
        let options = Arc::new(MapOptions {
            language: "en".to_owned(),
            region: "US".to_owned(),
            streaming_regions: Vec::new(),
        });
        let id = TmdbId::try_from(8).unwrap();
        let read =
            |text: &str| read_movie(Body { text: text.to_owned(), packed: None }, id, &options);
        assert!(matches!(read(r#"{"id": 7}"#), Err(TmdbError::WrongId { got: 7, .. })));
        assert!(matches!(read("[]"), Err(TmdbError::Malformed { .. })));
        assert!(read(r#"{"id": 8}"#).is_ok());
    }
}
