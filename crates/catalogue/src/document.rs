//! TMDB's answer as it is stored: compressed with gzip, as it was received wherever it came so.

use std::io::{self, Read, Write};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};

/// Why a compressed body cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum UnpackError {
    #[error("it is not gzip: {0}")]
    Broken(#[source] io::Error),
    #[error("it holds more than {limit_bytes} bytes")]
    TooLarge { limit_bytes: usize },
    #[error("it is not UTF-8")]
    NotText,
}

/// The text in a compressed body, of at most `limit_bytes`.
///
/// # Errors
/// See [`UnpackError`].
pub fn unpack(packed: &[u8], limit_bytes: usize) -> Result<String, UnpackError> {
    // Four times is what TMDB's bodies grow by.
    let mut body = Vec::with_capacity((packed.len() * 4 + 1_024).min(limit_bytes));
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(limit).read_to_end(&mut body).map_err(UnpackError::Broken)?;
    if body.len() > limit_bytes {
        return Err(UnpackError::TooLarge { limit_bytes });
    }
    String::from_utf8(body).map_err(|_| UnpackError::NotText)
}

/// The compressed body of a text, for one that came uncompressed or was put together.
#[must_use]
pub fn pack(body: &str) -> Vec<u8> {
    let mut packed = GzEncoder::new(Vec::new(), Compression::fast());
    // Memory takes everything.
    let _ = packed.write_all(body.as_bytes());
    packed.finish().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_within_its_limit() {
        let body = "żółw ".repeat(1_000);
        let packed = pack(&body);
        assert!(packed.len() < body.len() / 10);
        assert_eq!(unpack(&packed, body.len()).unwrap(), body);
        assert!(matches!(unpack(&packed, body.len() - 1), Err(UnpackError::TooLarge { .. })));
        assert!(matches!(unpack(b"{}", 10), Err(UnpackError::Broken(_))));
        assert!(matches!(
            unpack(&packed[..packed.len() / 2], 1 << 20),
            Err(UnpackError::Broken(_))
        ));
    }
}
