//! Where the database is: `DATABASE_URL`, and the `PG…` variables for what it leaves out, as libpq
//! reads them. Both become one address, in which every part stands once.
//!
//! A password that comes from a file may change there while the process runs: the address is read
//! again.

use super::{
    address,
    error::ConfigError,
    names::{
        DATABASE_URL, PGDATABASE, PGHOST, PGPASSWORD, PGPORT, PGSSLMODE, PGSSLROOTCERT, PGUSER,
    },
    secret::{Secret, SecretSource},
    sources::Sources,
};

/// Those that say where a database is. The others say how to reach one: without an address they
/// mean nothing.
const PLACES: [&str; 3] = [PGHOST, PGPORT, PGDATABASE];
/// Folders in which a server of this machine has its socket.
const SOCKET_FOLDERS: [&str; 2] = ["/var/run/postgresql", "/tmp"];
const PORT: &str = "5432";
/// Stands where a URL has no host, so that it can be read.
const NO_HOST: &str = "no-host.invalid";

/// The database that the settings name.
pub(super) struct Found {
    pub(super) url: Secret,
    /// The settings that it comes from, where `DATABASE_URL` is none of them.
    pub(super) origin: Option<String>,
    /// Where a file is among them.
    pub(super) source: Option<SecretSource>,
}

/// `None`: no database is named, an embedded one is meant.
pub(super) fn read(sources: &Sources) -> Result<Option<Found>, ConfigError> {
    let url = sources.get(DATABASE_URL)?;
    let password = sources.get(PGPASSWORD)?;
    let mut places = Vec::new();
    for name in PLACES {
        places.extend(sources.get(name)?.map(|_| name));
    }
    if url.is_none() && places.is_empty() {
        return Ok(None);
    }
    let is_file = [&url, &password].into_iter().flatten().any(|found| found.is_pointed_to);
    let mut parts = match &url {
        Some(found) => {
            Parts::of(&found.value).map_err(|why| ConfigError(format!("{DATABASE_URL}: {why}")))?
        }
        None => Parts::default(),
    };
    parts.fill(sources, password.map(|found| found.value))?;
    Ok(Some(Found {
        url: Secret::new(parts.url()),
        origin: url.is_none().then(|| places.join(", ")),
        source: is_file.then(|| source(sources.clone())),
    }))
}

fn source(sources: Sources) -> SecretSource {
    SecretSource::new(move || Ok(read(&sources)?.map(|found| found.url)))
}

/// The parts of an address, each as a URL writes it.
#[derive(Debug, Default, PartialEq, Eq)]
struct Parts {
    user: Option<String>,
    password: Option<String>,
    /// A path is the folder of a socket.
    host: Option<String>,
    port: Option<String>,
    database: Option<String>,
    /// `name=value`.
    options: Vec<String>,
}

impl Parts {
    /// Of a `postgres://` address. A part stands in its place or behind the `?`, as libpq allows.
    fn of(text: &str) -> Result<Self, String> {
        let url = address::POSTGRES.read(&with_some_host(text))?;
        let some = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
        let mut parts = Self {
            user: some(url.username()),
            password: url.password().and_then(some),
            host: url.host_str().filter(|host| *host != NO_HOST).and_then(some),
            port: url.port().map(|port| port.to_string()),
            database: some(url.path().trim_start_matches('/')),
            options: Vec::new(),
        };
        for option in url.query().unwrap_or_default().split('&').filter(|text| !text.is_empty()) {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            let part = match name {
                "user" => &mut parts.user,
                "password" => &mut parts.password,
                "host" => &mut parts.host,
                "port" => &mut parts.port,
                "dbname" => &mut parts.database,
                _ => {
                    parts.options.push(option.to_owned());
                    continue;
                }
            };
            *part = some(value);
        }
        Ok(parts)
    }

    /// Takes what is missing from the variables.
    fn fill(&mut self, sources: &Sources, password: Option<String>) -> Result<(), ConfigError> {
        let set = |name| Ok(sources.get(name)?.map(|found| encoded(&found.value)));
        for (part, name) in [
            (&mut self.host, PGHOST),
            (&mut self.port, PGPORT),
            (&mut self.user, PGUSER),
            (&mut self.database, PGDATABASE),
        ] {
            if part.is_none() {
                *part = set(name)?;
            }
        }
        if self.password.is_none() {
            self.password = password.map(|text| encoded(&text));
        }
        for (option, name) in [("sslmode", PGSSLMODE), ("sslrootcert", PGSSLROOTCERT)] {
            let has = |text: &String| text.replace('-', "").starts_with(&format!("{option}="));
            if !self.options.iter().any(has) {
                self.options.extend(set(name)?.map(|value| format!("{option}={value}")));
            }
        }
        if self.host.is_none() && !self.options.iter().any(|text| text.starts_with("hostaddr=")) {
            self.host = socket_folder(self.port.as_deref().unwrap_or(PORT)).map(encoded);
        }
        Ok(())
    }

    fn url(&self) -> String {
        let mut url = "postgres://".to_owned();
        if let Some(user) = &self.user {
            url.push_str(user);
        }
        if let Some(password) = &self.password {
            url = format!("{url}:{password}");
        }
        if self.user.is_some() || self.password.is_some() {
            url.push('@');
        }
        // A socket's path has no place of its own in a URL: its slashes are written as %2F.
        let host = self.host.as_deref().unwrap_or("localhost").replace('/', "%2F");
        url.push_str(&host);
        if let Some(port) = &self.port {
            url = format!("{url}:{port}");
        }
        if let Some(database) = &self.database {
            url = format!("{url}/{database}");
        }
        if self.options.is_empty() { url } else { format!("{url}?{}", self.options.join("&")) }
    }
}

/// `postgres:///name` and `postgres://user@/name` have no host, which libpq allows and a URL's
/// grammar does not.
fn with_some_host(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, behind) = rest.split_at(end);
    let has_host = !(authority.is_empty() || authority.ends_with('@') || authority.contains("@:"));
    if has_host || text.len() == scheme.len() + 3 {
        return text.to_owned();
    }
    let (credentials, port) = authority.rsplit_once('@').map_or(("", authority), |(c, p)| (c, p));
    let at = if authority.contains('@') { "@" } else { "" };
    format!("{scheme}://{credentials}{at}{NO_HOST}{port}{behind}")
}

/// Where a server of this machine listens, as libpq finds it. `None`: there is no socket.
fn socket_folder(port: &str) -> Option<&'static str> {
    let socket = format!(".s.PGSQL.{port}");
    SOCKET_FOLDERS.into_iter().find(|folder| std::path::Path::new(folder).join(&socket).exists())
}

/// Any text as a URL writes it. An address of version 6 stands in brackets there.
fn encoded(text: impl AsRef<str>) -> String {
    let text = text.as_ref();
    if text.parse::<std::net::Ipv6Addr>().is_ok() {
        return format!("[{text}]");
    }
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_plain(byte) { char::from(byte).into() } else { format!("%{byte:02X}") })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sources(pairs: &[(&str, &str)]) -> Sources {
        let env = pairs.iter().map(|(name, value)| ((*name).to_owned(), value.into())).collect();
        Sources { env, ..Sources::default() }
    }

    fn url(pairs: &[(&str, &str)]) -> Option<String> {
        read(&sources(pairs)).unwrap().map(|found| found.url.reveal().to_owned())
    }

    #[test]
    fn each_part_stands_once_wherever_it_was_written() {
        for (text, expected) in [
            ("postgres://u:p@h:1/d", "postgres://u:p@h:1/d"),
            ("postgresql://u@h/d?sslmode=require", "postgres://u@h/d?sslmode=require"),
            ("postgres:///d?host=/run/pg&user=u", "postgres://u@%2Frun%2Fpg/d"),
            ("postgres://u:p@/d?host=/run/pg", "postgres://u:p@%2Frun%2Fpg/d"),
            ("postgres://u:p@:1/d?host=h", "postgres://u:p@h:1/d"),
            ("postgres://%2Frun%2Fpg/d", "postgres://%2Frun%2Fpg/d"),
            ("postgres://h?password=a%26b&port=2&dbname=d", "postgres://:a%26b@h:2/d"),
            ("postgres://u:p@[::1]:5/d", "postgres://u:p@[::1]:5/d"),
            ("postgres://u:a%23b@h/d", "postgres://u:a%23b@h/d"),
        ] {
            assert_eq!(url(&[("DATABASE_URL", text)]).as_deref(), Some(expected), "{text}");
        }
    }

    #[test]
    fn the_variables_name_a_database_and_fill_what_a_url_leaves_out() {
        assert_eq!(url(&[("PGUSER", "u"), ("PGPASSWORD", "p"), ("PGSSLMODE", "require")]), None);
        let socket = [("PGHOST", "/run/pg"), ("PGUSER", "u"), ("PGDATABASE", "d")];
        assert_eq!(url(&socket).unwrap(), "postgres://u@%2Frun%2Fpg/d");
        let all = [
            ("PGHOST", "::1"),
            ("PGPORT", "6"),
            ("PGUSER", "a@b"),
            ("PGPASSWORD", "p/#? %é"),
            ("PGDATABASE", "d e"),
            ("PGSSLMODE", "verify-full"),
            ("PGSSLROOTCERT", "/ca.pem"),
        ];
        assert_eq!(
            url(&all).unwrap(),
            "postgres://a%40b:p%2F%23%3F%20%25%C3%A9@[::1]:6/d%20e\
             ?sslmode=verify-full&sslrootcert=%2Fca.pem"
        );
        let mut with_url = all.to_vec();
        with_url.push(("DATABASE_URL", "postgres://ann@db/movies?ssl-mode=disable"));
        assert_eq!(
            url(&with_url).unwrap(),
            "postgres://ann:p%2F%23%3F%20%25%C3%A9@db:6/movies\
             ?ssl-mode=disable&sslrootcert=%2Fca.pem",
            "the URL wins"
        );
    }

    #[test]
    fn a_file_is_read_again() {
        let path = std::env::temp_dir().join(format!("mangoes-password-{}", std::process::id()));
        std::fs::write(&path, " first \n").unwrap();
        let path_text = path.display().to_string();
        let found = read(&sources(&[("PGHOST", "h"), ("PGPASSWORD_FILE", &path_text)]));
        let found = found.unwrap().unwrap();
        assert_eq!(found.url.reveal(), "postgres://:%20first%20@h", "only the newline goes");
        let again = found.source.unwrap();
        std::fs::write(&path, "second").unwrap();
        assert_eq!(again.read().unwrap().unwrap().reveal(), "postgres://:second@h");
        assert!(!format!("{again:?}").contains("second"));
        std::fs::remove_file(path).unwrap();
        assert!(again.read().unwrap_err().to_string().contains("PGPASSWORD_FILE"));
        let plain = read(&sources(&[("PGHOST", "h"), ("PGPASSWORD", "p")])).unwrap().unwrap();
        assert!(plain.source.is_none(), "nothing would change");
    }
}
