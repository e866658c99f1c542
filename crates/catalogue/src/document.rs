//! TMDB's answer as it is stored: compressed with gzip, as it was received wherever it came so.

use std::io::{self, Read, Write};

use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use libdeflater::{Decompressor, crc32};

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
    let body = match at_once(packed, limit_bytes) {
        Some(body) => body,
        None => as_stream(packed, limit_bytes)?,
    };
    String::from_utf8(body).map_err(|_| UnpackError::NotText)
}

/// Takes half the time of a stream. `None`: the body is too large, is of several members that are
/// not all the same, or is broken.
fn at_once(packed: &[u8], limit_bytes: usize) -> Option<Vec<u8>> {
    // What gzip ends with: checksum and size of its last member (RFC 1952, section 2.3.1).
    let (rest, size) = packed.split_last_chunk()?;
    let (size, checksum) = (u32::from_le_bytes(*size), u32::from_le_bytes(*rest.last_chunk()?));
    let size = usize::try_from(size).ok().filter(|size| *size <= limit_bytes)?;
    // No body shrinks more (RFC 1951): a size that somebody made up takes no memory.
    if size / 1_032 > packed.len() {
        return None;
    }
    let mut body = vec![0; size];
    let written = Decompressor::new().gzip_decompress(packed, &mut body).ok()?;
    // The size may be that of another member than the one that was unpacked.
    (written == size && crc32(&body) == checksum).then_some(body)
}

fn as_stream(packed: &[u8], limit_bytes: usize) -> Result<Vec<u8>, UnpackError> {
    // Four times is what TMDB's bodies grow by.
    let mut body = Vec::with_capacity((packed.len() * 4 + 1_024).min(limit_bytes));
    let limit = u64::try_from(limit_bytes).unwrap_or(u64::MAX).saturating_add(1);
    MultiGzDecoder::new(packed).take(limit).read_to_end(&mut body).map_err(UnpackError::Broken)?;
    if body.len() > limit_bytes {
        return Err(UnpackError::TooLarge { limit_bytes });
    }
    Ok(body)
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

    #[test]
    fn a_body_of_several_members_is_one_text() {
        for (first, second) in [("żółw", " i zając"), ("", "a"), ("a", ""), ("same", "size")] {
            let both = [pack(first), pack(second)].concat();
            assert_eq!(unpack(&both, 100).unwrap(), format!("{first}{second}"));
        }
    }

    #[test]
    fn a_size_that_is_made_up_takes_no_memory() {
        let mut packed = pack("żółw");
        let size = packed.len() - 4;
        packed[size..].copy_from_slice(&u32::MAX.to_le_bytes());
        assert!(matches!(unpack(&packed, usize::MAX), Err(UnpackError::Broken(_))));
    }
}
