//! Why a server's certificate is refused, as a person can mend it.
//!
//! rustls judges more strictly than libpq, and sqlx leaves the judgement to it.

use std::error::Error;

use rustls::CertificateError;

/// A certificate that is its own authority, which rustls takes.
const OWN: &str = "`openssl req -x509 … -addext basicConstraints=critical,CA:FALSE -addext \
                   subjectAltName=DNS:<host>`";

/// What to do about a refused certificate. `None`: the error is about something else.
pub(super) fn remedy(error: &sqlx::Error) -> Option<String> {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(rustls::Error::InvalidCertificate(why)) = found_in(error) {
            return Some(of_certificate(why));
        }
        source = error.source();
    }
    None
}

/// An error of the system hides what it stands for: its source is that one's source.
fn found_in<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a rustls::Error> {
    let of_system = error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
    error.downcast_ref().or_else(|| of_system?.downcast_ref())
}

fn of_certificate(why: &CertificateError) -> String {
    if let CertificateError::UnknownIssuer | CertificateError::BadSignature = why {
        return "its certificate is signed by nobody who is known here: name the certificate of \
                the authority, or the server's own, in sslrootcert"
            .to_owned();
    }
    if let CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } = why
    {
        return "its certificate is for another name: make it with `-addext \
                subjectAltName=DNS:<host>` (IP:<address> for an address), or use sslmode=verify-ca"
            .to_owned();
    }
    if let CertificateError::Other(_) = why {
        // Above all: it is marked as an authority, as `openssl req -x509` marks what it makes.
        return format!(
            "its certificate is refused ({why}): a certificate that is marked as an authority \
             is none for a server; make one with {OWN} and name it in sslrootcert, or let an \
             authority of your own sign it and name that"
        );
    }
    format!("its certificate is refused ({why}): make a new one, for example with {OWN}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_that_is_refused_has_a_remedy() {
        let refused = |why| {
            let error = std::io::Error::other(rustls::Error::InvalidCertificate(why));
            remedy(&sqlx::Error::Io(error)).unwrap_or_default()
        };
        assert!(refused(CertificateError::UnknownIssuer).contains("sslrootcert"));
        assert!(refused(CertificateError::NotValidForName).contains("subjectAltName"));
        assert!(refused(CertificateError::Expired).contains("make a new one"));
        assert_eq!(remedy(&sqlx::Error::Io(std::io::ErrorKind::ConnectionRefused.into())), None);
        assert_eq!(remedy(&sqlx::Error::PoolTimedOut), None);
    }
}
