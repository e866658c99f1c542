//! Signatures as Standard Webhooks 1.0 has them: `v1,<base64 of HMAC-SHA256 over id.time.body>`.

use base64::{Engine, prelude::BASE64_STANDARD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Begins a secret.
const PREFIX: &str = "whsec_";
/// Bytes of a key: the range that the standard gives.
const KEY_BYTES: std::ops::RangeInclusive<usize> = 24..=64;

/// Signs what is sent; the receiver has the same.
#[derive(Clone)]
pub struct Secret(Vec<u8>);

/// It is no secret of Standard Webhooks.
#[derive(Debug, thiserror::Error)]
#[error(
    "it is no secret of Standard Webhooks: write whsec_ and 24 to 64 bytes in base64, such as \
     `echo whsec_$(openssl rand -base64 32)` prints"
)]
pub struct SecretError;

impl std::str::FromStr for Secret {
    type Err = SecretError;

    fn from_str(text: &str) -> Result<Self, SecretError> {
        let key = text.trim().strip_prefix(PREFIX).ok_or(SecretError)?;
        let key = BASE64_STANDARD.decode(key).map_err(|_| SecretError)?;
        if KEY_BYTES.contains(&key.len()) { Ok(Self(key)) } else { Err(SecretError) }
    }
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("***")
    }
}

impl Secret {
    /// The value of `webhook-signature`. `at`: seconds since 1970, as `webhook-timestamp` says.
    #[must_use]
    pub fn sign(&self, id: &str, at: i64, body: &[u8]) -> String {
        // A key of any length will do.
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(&self.0) else { return String::new() };
        mac.update(format!("{id}.{at}.").as_bytes());
        mac.update(body);
        format!("v1,{}", BASE64_STANDARD.encode(mac.finalize().into_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the standard's own libraries.
    #[test]
    fn a_signature_is_that_of_the_standard() {
        let secret: Secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw".parse().unwrap();
        let (id, at) = ("msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330);
        assert_eq!(
            secret.sign(id, at, br#"{"test": 2432232314}"#),
            "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
        );
        assert_eq!(format!("{secret:?}"), "***");
        for wrong in ["", "sesame", "whsec_", "whsec_c2hvcnQ=", "whsec_*"] {
            assert!(wrong.parse::<Secret>().is_err(), "{wrong}");
        }
    }
}
