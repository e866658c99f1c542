//! Addresses of servers: what is accepted, and what of them may be shown.
//!
//! An address holds a password, and a password may hold any character: also those with which a URL
//! ends its host or begins its path. So nothing here shows a part that could belong to a password.

/// Schemes of the addresses that this program knows.
const SCHEMES: [&str; 8] = ["nats", "tls", "ws", "wss", "postgres", "postgresql", "http", "https"];

/// The remedy where a password makes the address unreadable.
const ENCODE: &str = "in user and password write @ as %40, : as %3A, / as %2F, ? as %3F, # as %23, \
                      % as %25, a comma as %2C";

/// The form of an address.
pub(super) struct Form {
    /// Schemes that are accepted.
    schemes: &'static [&'static str],
    /// An address of this form, for messages.
    example: &'static str,
}

/// One NATS server.
pub(super) const NATS: Form =
    Form { schemes: &["nats", "tls", "ws", "wss"], example: "nats://127.0.0.1:4222" };
pub(super) const POSTGRES: Form = Form {
    schemes: &["postgres", "postgresql"],
    example: "postgres://user:password@127.0.0.1:5432/mangoes",
};
pub(super) const TMDB: Form =
    Form { schemes: &["http", "https"], example: "https://api.themoviedb.org/3" };

impl Form {
    /// Reads one address.
    ///
    /// # Errors
    /// A sentence with a right example. It repeats nothing of the text.
    pub(super) fn read(&self, text: &str) -> Result<url::Url, String> {
        let wrong = |why: &str| format!("not a usable URL ({why}): write it as {}", self.example);
        let url = match url::Url::parse(text) {
            Ok(url) => url,
            Err(e) if text.contains('@') => return Err(wrong(&format!("{e}; {ENCODE}"))),
            Err(e) => return Err(wrong(&e.to_string())),
        };
        if !self.schemes.contains(&url.scheme()) {
            return Err(wrong(&format!("its scheme is not {}", self.schemes.join(" or "))));
        }
        if url.host_str().is_none_or(str::is_empty) {
            return Err(wrong("it has no host"));
        }
        // What was meant as user and password was read as host, path or fragment.
        let misread = text.contains('@') && url.username().is_empty() && url.password().is_none();
        let behind =
            url.path().contains('@') || url.query().is_some_and(|query| query.contains('@'));
        if misread || behind || url.fragment().is_some() {
            return Err(wrong(ENCODE));
        }
        Ok(url)
    }
}

/// An address, or several joined by commas, without passwords and tokens: for messages and logs.
/// Where it is not clear what is a password, no more than the scheme is left.
#[must_use]
pub fn mask_url(text: &str) -> String {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    if !parts.iter().all(|part| scheme_of(part).is_some()) {
        // A comma that does not separate addresses: it is in a password, or in a list of hosts.
        return mask_one(text.trim());
    }
    // A part without credentials that comes before one with them may be the beginning of a
    // password.
    let last = parts.iter().rposition(|part| part.contains('@')).unwrap_or(0);
    let masked = parts.iter().enumerate().map(|(n, part)| match scheme_of(part) {
        Some((scheme, _)) if n < last && !part.contains('@') => format!("{scheme}://***"),
        Some(_) | None => mask_one(part),
    });
    masked.collect::<Vec<_>>().join(",")
}

fn scheme_of(text: &str) -> Option<(&str, &str)> {
    text.split_once("://").filter(|(scheme, _)| SCHEMES.contains(scheme))
}

fn mask_one(text: &str) -> String {
    let Some((scheme, rest)) = scheme_of(text) else { return "***".to_owned() };
    let (credentials, server) =
        rest.rsplit_once('@').map_or((None, rest), |(c, server)| (Some(c), server));
    let server = server.split(['?', '#']).next().unwrap_or_default();
    let credentials = match credentials {
        None => String::new(),
        Some(text) if text.contains(['/', '?', '#', ',']) => return format!("{scheme}://***"),
        Some(text) => match text.split_once(':') {
            Some((user, _)) if is_plain(user) => format!("{user}:***@"),
            // A name without a password is a token of NATS.
            None if scheme.starts_with("postgres") && is_plain(text) => format!("{text}@"),
            Some(_) | None => "***@".to_owned(),
        },
    };
    if is_server(server) {
        format!("{scheme}://{credentials}{server}")
    } else {
        format!("{scheme}://***")
    }
}

fn is_plain(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-%".contains(&b))
}

/// `host:port`, several joined by commas, and a path.
fn is_server(text: &str) -> bool {
    let (hosts, path) = text.split_once('/').unwrap_or((text, ""));
    let is_host = |host: &str| match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|b| b.is_ascii_digit()) => is_name(name),
        Some(_) => is_bracketed(host),
        None => is_plain(host),
    };
    hosts.split(',').all(is_host) && path.split('/').all(is_plain)
}

fn is_name(name: &str) -> bool {
    is_plain(name) || is_bracketed(name)
}

/// An IPv6 address.
fn is_bracketed(host: &str) -> bool {
    let inside = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    inside.is_some_and(|text| text.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_shown_of_an_address() {
        for (text, shown) in [
            ("postgres://ann:sesame@h/d", "postgres://ann:***@h/d"),
            ("postgres://ann@h:5432/d?sslmode=require", "postgres://ann@h:5432/d"),
            ("postgres://h/d?password=sesame", "postgres://h/d"),
            ("postgres://ann:#sesame@h/db", "postgres://***"),
            ("postgres://ann:12/sesame@h/db", "postgres://***"),
            ("postgres://ann:?sesame@h/db", "postgres://***"),
            ("postgres://ann:ses@me@h/db", "postgres://ann:***@h/db"),
            ("postgres://ann:sesame@a:1,b:2/db", "postgres://ann:***@a:1,b:2/db"),
            ("postgres://ann:sesame", "postgres://***"),
            ("nats://ann:sesame@a:4222, nats://b:4223", "nats://ann:***@a:4222,nats://b:4223"),
            ("nats://a:4222,nats://ann:sesame@b", "nats://***,nats://ann:***@b"),
            ("nats://ann:ses,ame@a:4222", "nats://***"),
            ("nats://sesame@[::1]:4222", "nats://***@[::1]:4222"),
            ("nats://127.0.0.1:4222", "nats://127.0.0.1:4222"),
            ("https://api.themoviedb.org/3", "https://api.themoviedb.org/3"),
            ("sesame", "***"),
            ("sesame://x", "***"),
            ("", "***"),
        ] {
            assert_eq!(mask_url(text), shown, "{text}");
        }
    }

    /// Every password of up to four of the characters that mean something in a URL, and of digits.
    #[test]
    fn no_password_is_shown_whatever_its_characters() {
        let specials = ['@', ':', '/', '?', '#', ',', '%', '[', ']', ' ', '1', '\\', '&', '=', 'é'];
        let mut passwords = vec![String::new()];
        for _ in 0..3 {
            let longer = passwords
                .iter()
                .flat_map(|p| specials.map(|l| format!("{p}{l}")))
                .collect::<Vec<_>>();
            passwords.extend(longer);
        }
        passwords.sort();
        passwords.dedup();
        for odd in passwords {
            // The word comes before, between and after the odd characters.
            for password in
                [format!("{odd}sesame"), format!("sesame{odd}"), format!("se{odd}sesame{odd}same")]
            {
                for text in [
                    format!("postgres://ann:{password}@h/db"),
                    format!("nats://ann:{password}@h:4222,nats://b"),
                ] {
                    assert!(!mask_url(&text).contains("sesame"), "{text} -> {}", mask_url(&text));
                    for form in [&POSTGRES, &NATS] {
                        let error = form.read(&text).err().unwrap_or_default();
                        assert!(!error.contains("sesame"), "{text}: {error}");
                    }
                }
            }
        }
    }

    #[test]
    fn an_address_whose_password_is_misread_is_refused_with_the_remedy() {
        for password in
            ["#sesame", "12/sesame", "?sesame", "1#sesame", "/", "p@h/sesame", "p@h?sesame"]
        {
            let error = POSTGRES.read(&format!("postgres://ann:{password}@h/db")).unwrap_err();
            assert!(error.contains("postgres://user") && error.contains("%23"), "{error}");
        }
        for text in ["sesame:x", "mysql://ann:sesame@h/d", "postgres//x"] {
            let error = POSTGRES.read(text).unwrap_err();
            assert!(error.contains("postgres://user") && !error.contains("sesame"), "{error}");
        }
        assert_eq!(POSTGRES.read("postgres://ann:a%23b@h/db").unwrap().host_str(), Some("h"));
    }
}
