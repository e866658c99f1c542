//! Reads TMDB's answer about a movie. Strict about the id; everything else is the matter of
//! [`catalogue`].

use std::sync::Arc;

use catalogue::{Body, Look, MapOptions};
use proto::TmdbId;

use crate::error::TmdbError;

/// Reads the body of `/movie/{id}` with its parts.
///
/// # Errors
/// `Unavailable` when it is not a JSON object with an id, or is about another movie.
pub fn read_movie(body: Body, asked: TmdbId, options: &Arc<MapOptions>) -> Result<Look, TmdbError> {
    let look = Look::read(body, Arc::clone(options))
        .map_err(|e| TmdbError::odd(format!("the answer cannot be read: {e}")))?;
    if look.tmdb_id != asked {
        let got = look.tmdb_id;
        return Err(TmdbError::odd(format!("it was asked for movie {asked}, and this is {got}")));
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
        for (text, words) in [(r#"{"id": 7}"#, "asked for movie 8"), ("[]", "cannot be read")] {
            let error = read(text).unwrap_err();
            assert!(error.to_string().contains(words), "{error}");
        }
        assert!(read(r#"{"id": 8}"#).is_ok());
    }
}
