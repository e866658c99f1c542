//! Certificates: which files prove what, and why a connection is refused, as a person can mend it.

use std::{error::Error, path::PathBuf};

use async_nats::ConnectOptions;
use rustls::{AlertDescription, CertificateError};

/// Files of certificates, PEM. They are read at each connection.
#[derive(Debug, Clone, Default)]
pub struct TlsFiles {
    /// The authority that signed the server's certificate; those of the system where absent.
    pub ca: Option<PathBuf>,
    /// Our own certificate, and its key.
    pub own: Option<Certificate>,
}

/// A certificate with its key.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The certificate, with those that stand between it and its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
}

impl TlsFiles {
    /// Whoever names a file means TLS.
    const fn are_named(&self) -> bool {
        self.ca.is_some() || self.own.is_some()
    }

    /// Fails where a file cannot be read.
    ///
    /// # Errors
    /// Names the setting.
    pub(crate) fn check(&self) -> Result<(), String> {
        let own = self.own.as_ref();
        let named = [
            ("NATS_CA", self.ca.as_ref()),
            ("NATS_CERT", own.map(|own| &own.certificate)),
            ("NATS_KEY", own.map(|own| &own.key)),
        ];
        for (name, path) in named {
            let Some(path) = path else { continue };
            if let Err(e) = std::fs::File::open(path) {
                let path = path.display();
                return Err(format!("{name}: {path} cannot be read ({e}): name a PEM file"));
            }
        }
        Ok(())
    }

    pub(crate) fn applied_to(&self, mut options: ConnectOptions) -> ConnectOptions {
        if let Some(ca) = &self.ca {
            options = options.add_root_certificates(ca.clone());
        }
        if let Some(own) = &self.own {
            options = options.add_client_certificate(own.certificate.clone(), own.key.clone());
        }
        if self.are_named() { options.require_tls(true) } else { options }
    }
}

/// What to do about a connection that TLS refused. `None`: the error is about something else.
pub(crate) fn remedy(error: &(dyn Error + 'static)) -> Option<&'static str> {
    let mut source: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = source {
        if let Some(why) = found_in(error) {
            return Some(of_tls(why));
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

#[expect(clippy::wildcard_enum_match_arm, reason = "rustls adds errors; they get a general remedy")]
fn of_tls(why: &rustls::Error) -> &'static str {
    match why {
        rustls::Error::InvalidCertificate(
            CertificateError::UnknownIssuer | CertificateError::BadSignature,
        ) => {
            "its certificate is signed by nobody who is known here: name the certificate of the \
             authority in NATS_CA"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        ) => {
            "its certificate is for another name: write the host in NATS_URL as the certificate \
             names it, or make a certificate for this host"
        }
        rustls::Error::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        ) => "its certificate has expired: renew it at the server",
        rustls::Error::InvalidCertificate(_) => {
            "its certificate is refused: renew it at the server, signed by the authority in NATS_CA"
        }
        rustls::Error::AlertReceived(AlertDescription::CertificateRequired) => {
            "it wants to see a certificate of ours: set NATS_CERT and NATS_KEY"
        }
        rustls::Error::AlertReceived(_) => {
            "it refuses our certificate: NATS_CERT and NATS_KEY must hold one that its authority \
             signed and that has not expired"
        }
        rustls::Error::InvalidMessage(_) => {
            "it does not speak TLS: leave out NATS_CA and NATS_CERT, or have it speak TLS"
        }
        _ => "the connection could not be secured: check NATS_CA, NATS_CERT and NATS_KEY",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_tls_refuses_has_a_remedy() {
        let refused = |why: rustls::Error| remedy(&std::io::Error::other(why)).unwrap_or_default();
        for (why, words) in [
            (rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer), "NATS_CA"),
            (rustls::Error::InvalidCertificate(CertificateError::Expired), "expired"),
            (rustls::Error::AlertReceived(AlertDescription::CertificateRequired), "NATS_CERT"),
            (rustls::Error::AlertReceived(AlertDescription::UnknownCA), "refuses our"),
        ] {
            assert!(refused(why.clone()).contains(words), "{why}");
        }
        assert_eq!(remedy(&std::io::Error::from(std::io::ErrorKind::ConnectionRefused)), None);
    }

    #[test]
    fn a_file_that_is_not_there_is_named_by_its_setting() {
        let files = TlsFiles { ca: Some("/nowhere/ca.pem".into()), own: None };
        assert!(files.check().unwrap_err().starts_with("NATS_CA: /nowhere/ca.pem"));
        TlsFiles::default().check().unwrap();
    }
}
