//! From a payload to an event; the error names the field and says what is wanted.

/// U+0000 as JSON writes it.
const NUL: &[u8] = br"\u0000";

pub(super) fn decode<E: proto::Event>(payload: &[u8]) -> Result<E, String> {
    let is_object = payload.trim_ascii_start().starts_with(b"{");
    let is_suspect = payload.windows(NUL.len()).any(|bytes| bytes == NUL);
    match serde_json::from_slice(payload) {
        Ok(event) if is_object && !is_suspect => Ok(event),
        // The decoder that names the field costs twice as much.
        Ok(_) | Err(_) => decode_with_reasons(payload),
    }
}

fn decode_with_reasons<E: proto::Event>(payload: &[u8]) -> Result<E, String> {
    let text = std::str::from_utf8(payload)
        .map_err(|_| "the payload is not UTF-8 text; send a JSON object".to_owned())?;
    if !text.trim_start().starts_with('{') {
        return Err(format!(
            "the payload is not a JSON object but {}; send a JSON object",
            found(text)
        ));
    }
    let mut json = serde_json::Deserializer::from_str(text);
    let event = serde_path_to_error::deserialize(&mut json).map_err(|e| {
        match e.path().to_string().as_str() {
            "." => format!("the payload does not fit: {}", e.inner()),
            field => format!("field '{field}' does not fit: {}", e.inner()),
        }
    })?;
    if text.contains("\\u0000") && holds_nul(&serde_json::from_str(text).unwrap_or_default()) {
        return Err(
            "the payload holds the character U+0000, which no table can hold; leave it out"
                .to_owned(),
        );
    }
    json.end().map_err(|e| format!("the payload has text after its JSON object: {e}"))?;
    Ok(event)
}

fn holds_nul(value: &serde_json::Value) -> bool {
    match value {
        serde_json::Value::String(text) => text.contains('\0'),
        serde_json::Value::Array(list) => list.iter().any(holds_nul),
        serde_json::Value::Object(map) => {
            map.iter().any(|(key, value)| key.contains('\0') || holds_nul(value))
        }
        serde_json::Value::Null | serde_json::Value::Bool(_) | serde_json::Value::Number(_) => {
            false
        }
    }
}

fn found(text: &str) -> &'static str {
    match text.trim_start().chars().next() {
        None => "empty",
        Some('[') => "an array",
        Some('"') => "a string",
        Some(_) => "something else",
    }
}

#[cfg(test)]
mod tests {
    use proto::{IngestList, IngestMovie};

    use super::*;

    #[test]
    fn errors_name_the_field() {
        for (payload, expected) in [
            ("hello", "not a JSON object"),
            ("[1]", "an array"),
            ("", "empty"),
            (r#"{"tmdb_id": "tt0133093"}"#, "tmdb_id"),
            (r#"{"tmdb_id": -1}"#, "1 to 2147483647"),
            ("{}", "missing field `tmdb_id`"),
            (r#"{"tmdb_id": 1, "run_id": "a\u0000b"}"#, "control character"),
            (r#"{"tmdb_id": 1, "more": "a\u0000b"}"#, "U+0000"),
            (r#"{"tmdb_id": 1, "run_id": ""}"#, "run_id"),
            (r#"{"tmdb_id": 1} {}"#, "after its JSON object"),
        ] {
            let error = decode::<IngestMovie>(payload.as_bytes()).unwrap_err();
            assert!(error.contains(expected), "{payload}: {error}");
        }
        let error = decode::<IngestList>(br#"{"source": "best", "max_movies": 1}"#).unwrap_err();
        assert!(error.contains("source") && error.contains("mixed_daily"), "{error}");
        let error = decode::<IngestList>(br#"{"source": "popular", "max_movies": 0}"#).unwrap_err();
        assert!(error.contains("max_movies") && error.contains("1 to 10000"), "{error}");
    }
}
