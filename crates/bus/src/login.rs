//! Who we are, to the server. Files are read at each connection, so that what changes in them needs
//! no restart.

use std::{path::PathBuf, sync::Arc};

use async_nats::{Auth, AuthError, ServerAddr};
use nkeys::{KeyPair, KeyPairType};
use runtime::{Secret, config::SecretSource};

/// Begins the token of a user in a credentials file.
const JWT_BEGINS: &str = "-----BEGIN NATS USER JWT-----";
/// Begins the seed of a user in a credentials file.
const SEED_BEGINS: &str = "-----BEGIN USER NKEY SEED-----";

/// What proves who we are. Of several that are given, the first one that is named here counts.
#[derive(Debug, Clone, Default)]
pub struct Login {
    /// A credentials file, as an operator of NATS hands it out: a token and a seed.
    pub creds: Option<PathBuf>,
    /// A file with the seed of a user, `SU…`.
    pub nkey: Option<PathBuf>,
    /// An address with user and password, or with a token alone.
    pub url: Secret,
    /// Where the address is read again, because it stands in a file.
    pub source: Option<SecretSource>,
}

/// What an address says of who we are.
#[derive(Debug, PartialEq, Eq)]
enum Named {
    User { name: String, password: String },
    Token(String),
}

impl Login {
    /// What the library sends; `nonce` is the server's question.
    ///
    /// # Errors
    /// A file cannot be read, or holds something else. Nothing of its content is repeated.
    pub(crate) fn answer(&self, nonce: &[u8]) -> Result<Auth, AuthError> {
        self.auth(nonce).map_err(AuthError::new)
    }

    fn auth(&self, nonce: &[u8]) -> Result<Auth, String> {
        let mut auth = Auth::new();
        if let Some(path) = &self.creds {
            let text = read("NATS_CREDS", "a credentials file", path)?;
            let (jwt, key) = jwt_and_key(&text)?;
            auth.signature = Some(signed(&key, nonce)?);
            auth.jwt = Some(jwt);
        } else if let Some(path) = &self.nkey {
            let key = user_key("NATS_NKEY", &read("NATS_NKEY", "a file with a seed", path)?)?;
            auth.signature = Some(signed(&key, nonce)?);
            auth.nkey = Some(key.public_key());
        } else {
            match named(self.current_url()?.reveal())? {
                Some(Named::User { name, password }) => {
                    (auth.username, auth.password) = (Some(name), Some(password));
                }
                Some(Named::Token(token)) => auth.token = Some(token),
                None => {}
            }
        }
        Ok(auth)
    }

    /// The name by which the server knows us, where it can be known: that of the address, or the
    /// public key of the seed.
    pub(crate) fn user(&self) -> Option<String> {
        if self.creds.is_some() {
            return None;
        }
        if let Some(path) = &self.nkey {
            let text = read("NATS_NKEY", "a file with a seed", path).ok()?;
            return Some(user_key("NATS_NKEY", &text).ok()?.public_key());
        }
        match named(self.current_url().ok()?.reveal()).ok()? {
            Some(Named::User { name, .. }) => Some(name),
            Some(Named::Token(_)) | None => None,
        }
    }

    fn current_url(&self) -> Result<Secret, String> {
        let Some(source) = &self.source else { return Ok(self.url.clone()) };
        let read = source.read().map_err(|e| e.to_string())?;
        Ok(read.unwrap_or_else(|| self.url.clone()))
    }
}

/// Why there is no login, without the library's name for it.
pub(crate) fn words(error: &AuthError) -> String {
    let text = error.to_string();
    let inner = text.strip_prefix("AuthError(").and_then(|text| text.strip_suffix(')'));
    inner.map_or(text.clone(), ToOwned::to_owned)
}

/// The path is not repeated: it may be the secret itself, put there by mistake.
fn read(name: &str, what: &str, path: &PathBuf) -> Result<String, String> {
    std::fs::read_to_string(path).map_err(|e| format!("{name} must be the path of {what}: {e}"))
}

fn jwt_and_key(text: &str) -> Result<(String, KeyPair), String> {
    let behind = |mark: &str| {
        let (_, rest) = text.split_once(mark)?;
        rest.lines().map(str::trim).find(|line| !line.is_empty())
    };
    let (Some(jwt), Some(seed)) = (behind(JWT_BEGINS), behind(SEED_BEGINS)) else {
        return Err("NATS_CREDS must be the path of a credentials file: this one has no token or \
                    no seed"
            .to_owned());
    };
    Ok((jwt.to_owned(), user_key("NATS_CREDS", seed)?))
}

fn user_key(name: &str, seed: &str) -> Result<KeyPair, String> {
    let wrong = || format!("{name}: its file holds no seed of a user (SU…)");
    let key = KeyPair::from_seed(seed.trim()).map_err(|_| wrong())?;
    if key.key_pair_type() == KeyPairType::User { Ok(key) } else { Err(wrong()) }
}

fn signed(key: &KeyPair, nonce: &[u8]) -> Result<Vec<u8>, String> {
    key.sign(nonce).map_err(|e| format!("the server's question cannot be signed: {e}"))
}

/// The first login among addresses that are joined by commas. A name without a password is a token.
fn named(urls: &str) -> Result<Option<Named>, String> {
    for url in urls.split(',') {
        let server: ServerAddr = url.trim().parse().map_err(unusable)?;
        let Some(name) = server.username().map(plain) else { continue };
        return Ok(Some(match server.password() {
            Some(password) => Named::User { name, password: plain(password) },
            None => Named::Token(name),
        }));
    }
    Ok(None)
}

fn plain(text: &str) -> String {
    percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned()
}

fn unusable(error: impl std::fmt::Display) -> String {
    format!("NATS_URL is not a usable URL: {error}")
}

/// The addresses, which hold no login any more: the library writes them into its log.
///
/// # Errors
/// One cannot be read.
pub(crate) fn servers(urls: &str) -> Result<Vec<ServerAddr>, String> {
    let bare = |url: &str| {
        let mut url = url.trim().parse::<ServerAddr>().map_err(unusable)?.into_inner();
        if url.set_password(None).and_then(|()| url.set_username("")).is_err() {
            return Err(unusable("its user and password cannot be told apart from its host"));
        }
        ServerAddr::from_url(url).map_err(unusable)
    };
    urls.split(',').map(bare).collect()
}

/// Gives the login whenever the library connects.
pub(crate) fn callback(
    login: &Arc<Login>,
) -> impl Fn(Vec<u8>) -> std::future::Ready<Result<Auth, AuthError>> + Send + Sync + 'static {
    let login = Arc::clone(login);
    move |nonce| std::future::ready(login.answer(&nonce))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of_url(url: &str) -> Login {
        Login { url: Secret::new(url.to_owned()), ..Login::default() }
    }

    #[test]
    fn user_and_password_or_a_token_come_from_the_url() {
        let user = |name: &str, password: &str| {
            Some(Named::User { name: name.to_owned(), password: password.to_owned() })
        };
        for (url, expected) in [
            ("nats://ann:p%40ss@host:4222", user("ann", "p@ss")),
            ("nats://a:4222, nats://bob:x@b:4222", user("bob", "x")),
            ("nats://s%2Fesame@host:4222", Some(Named::Token("s/esame".to_owned()))),
            ("host:4222", None),
        ] {
            assert_eq!(named(url).unwrap(), expected, "{url}");
        }
        let shown = format!("{:?}", servers("nats://ann:sesame@a:1,nats://sesame@b:2").unwrap());
        assert!(!shown.contains("sesame"), "{shown}");
        assert!(servers("http://host").is_err());
        assert_eq!(of_url("nats://ann:x@a").user().as_deref(), Some("ann"));
        assert_eq!(of_url("nats://token@a").user(), None);
    }

    #[test]
    fn files_are_read_at_each_connection_and_not_repeated() {
        let path = std::env::temp_dir().join(format!("mangoes-login-{}", std::process::id()));
        let (one, other) = (KeyPair::new_user(), KeyPair::new_user());
        let nkey = Login { nkey: Some(path.clone()), ..Login::default() };
        for key in [&one, &other] {
            std::fs::write(&path, key.seed().unwrap() + "\n").unwrap();
            let auth = nkey.auth(b"nonce").unwrap();
            assert_eq!(auth.nkey, Some(key.public_key()));
            key.verify(b"nonce", &auth.signature.unwrap()).unwrap();
        }
        let seed = one.seed().unwrap();
        let creds = Login { creds: Some(path.clone()), ..Login::default() };
        std::fs::write(
            &path,
            format!(
                "{JWT_BEGINS}\neyJ0.token\n------END NATS USER JWT------\n\n{SEED_BEGINS}\n\
                 {seed}\n------END USER NKEY SEED------\n"
            ),
        )
        .unwrap();
        assert_eq!(creds.auth(b"n").unwrap().jwt.as_deref(), Some("eyJ0.token"));
        for text in
            ["sesame", &KeyPair::new_account().seed().unwrap(), &format!("{SEED_BEGINS}\nsesame")]
        {
            std::fs::write(&path, text).unwrap();
            for login in [&nkey, &creds] {
                let error = login.auth(b"n").map(|_| ()).unwrap_err();
                assert!(error.contains("NATS_") && !error.contains(text), "{error}");
            }
        }
        std::fs::remove_file(&path).unwrap();
        assert!(nkey.auth(b"n").is_err());
    }
}
