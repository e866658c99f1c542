//! The way to the database: how many connections, what they set, passwords, sockets, certificates.

#![expect(non_snake_case, reason = "a test is found by the id of the rule that it holds")]

use std::{
    os::unix::fs::{MetadataExt, PermissionsExt, chown},
    path::Path,
    process::Command,
};

use tests::{Database, Folder, Given, Said, SocketDoor, mangoes, postgres};

/// With characters that mean something in a URL, a shell, SQL and a file.
const ODD: &str = "p@:/?#% é\"\\'&=+";

/// The ODD password as a URL writes it.
const ODD_IN_URL: &str = "p%40%3A%2F%3F%23%25%20%C3%A9%22%5C%27%26%3D%2B";

/// All services in one process hold no more connections than they may, whatever they are for.
#[tokio::test(flavor = "multi_thread")]
async fn a_process_holds_no_more_connections_than_it_may() {
    let given = Given::start("five-connections").await;
    let running = given.up(&[("DATABASE_POOL", "5")]).await;
    let database = given.database().await;
    let work = given.works_off_the_main_job(&database);
    let mut most = 0;
    let watch = async {
        loop {
            most = most.max(database.connections_of("mangoes").await);
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = watch => {}
    }
    drop(running);
    assert!((3..=5).contains(&most), "{most} connections");
}

/// What an owner sets for the database and the role changes nothing for us.
#[tokio::test(flavor = "multi_thread")]
async fn S8_settings_of_the_database_and_the_role_change_nothing() {
    let given = Given::start("owners-settings").await;
    given.verb(&["migrate"]).await;
    given.database().await.set_everything_against_us().await;
    // The test's own sessions say where they look.
    let url = given.servers.database_url() + "?options=-csearch_path%3Dpublic";
    let database = Database::connect(&url, &given.folder.0.join("up.log")).await;
    database.note_settings_of_writers().await;
    let _running = given.up(&[]).await;
    given.works_off_the_main_job(&database).await;
    for (name, expected) in [
        ("search_path", "mangoes, public, pg_temp"),
        ("default_transaction_isolation", "read committed"),
        ("statement_timeout", "360000"),
        ("lock_timeout", "0"),
        ("idle_session_timeout", "0"),
        ("idle_in_transaction_session_timeout", "5000"),
        ("TimeZone", "UTC"),
        ("DateStyle", "ISO, MDY"),
        ("IntervalStyle", "postgres"),
        ("bytea_output", "hex"),
        ("extra_float_digits", "1"),
        ("synchronous_commit", "on"),
        ("mangoes.writer", "on"),
        ("mangoes.app_schema", "public"),
    ] {
        assert_eq!(database.seen_setting(name).await, expected, "{name}");
    }
}

/// `DATABASE_URL`, the variables, a file, a socket: each carries any password, and none shows it.
#[tokio::test(flavor = "multi_thread")]
async fn P4_every_way_to_name_the_database_carries_any_password() {
    let folder = Folder::new("odd-password");
    let postgres = postgres(&folder).await;
    let url = postgres.database_url();
    let host = url.rsplit_once('@').unwrap().1.split('/').next().unwrap();
    let port = host.rsplit_once(':').unwrap().1;
    let database = Database::connect(&url, &folder.0.join("log")).await;
    database.change_password(ODD).await;
    let file = folder.0.join("password");
    std::fs::write(&file, format!("{ODD}\n")).unwrap();
    let file = file.display().to_string();
    let door = SocketDoor::open(&folder, port);
    let socket = door.folder.display().to_string();
    let in_url = format!("postgres://mangoes:{ODD_IN_URL}@{host}/mangoes");
    let by_socket = format!("postgres://mangoes:{ODD_IN_URL}@/mangoes?host={socket}&port={port}");
    let parts = |host, secret: (&'static str, &'static str)| {
        let mut all = vec![("PGHOST", host), ("PGPORT", port), ("PGUSER", "mangoes"), secret];
        all.push(("PGDATABASE", "mangoes"));
        all
    };
    let mut of_file = parts("127.0.0.1", ("PGSSLMODE", "disable"));
    of_file.push(("PGPASSWORD_FILE", &file));
    for env in [
        vec![("DATABASE_URL", &*in_url)],
        parts("127.0.0.1", ("PGPASSWORD", ODD)),
        of_file,
        vec![("DATABASE_URL", &*by_socket)],
        parts(&socket, ("PGPASSWORD", ODD)),
    ] {
        let run = |args: &[&str]| Said::by(mangoes(&folder.0).args(args).envs(env.iter().copied()));
        let said = run(&["migrate"]);
        assert!(said.succeeded(), "{env:?}: {}", said.text);
        let shown = run(&["config"]).text;
        assert!(!shown.contains("p@:") && !shown.contains("p%40"), "{env:?}: {shown}");
        assert!(shown.contains("postgres://mangoes:***@"), "{env:?}: {shown}");
    }
    assert!(door.visits() > 0, "the socket was");
    database.close().await;
    postgres.stop().await.unwrap();
}

/// The ways in which libpq's manual writes the socket of a server of this machine into a URL.
#[tokio::test(flavor = "multi_thread")]
async fn P11_a_socket_is_named_as_libpq_names_it() {
    let folder = Folder::new("socket-urls");
    let postgres = postgres(&folder).await;
    let url = postgres.database_url();
    let (account, server) = url.rsplit_once('@').unwrap();
    let password = account.rsplit_once(':').unwrap().1;
    let port = server.split('/').next().unwrap().rsplit_once(':').unwrap().1;
    let door = SocketDoor::open(&folder, port);
    let socket = door.folder.display().to_string();
    let in_url = socket.replace('/', "%2F");
    let user = format!("mangoes:{password}");
    let login = format!("user=mangoes&password={password}");
    for url in [
        format!("postgresql://{user}@/mangoes?host={socket}&port={port}"),
        format!("postgresql://{user}@/mangoes?port={port}&host={in_url}"),
        format!("postgresql:///mangoes?host={socket}&port={port}&{login}"),
        format!("postgresql:///?host={socket}&port={port}&dbname=mangoes&{login}"),
        format!("postgres://{user}@{in_url}:{port}/mangoes"),
        format!("postgresql://{user}@:{port}/mangoes?host={socket}"),
    ] {
        let before = door.visits();
        let said = Said::by(mangoes(&folder.0).arg("migrate").env("DATABASE_URL", &url));
        assert!(said.succeeded(), "{url}: {}", said.text);
        assert!(door.visits() > before, "{url} does not go by the socket");
    }
    let nowhere = format!("postgresql://{user}@/mangoes?host=/nowhere&port={port}");
    let said = Said::by(mangoes(&folder.0).arg("migrate").env("DATABASE_URL", nowhere));
    assert!(said.code == Some(1) && !said.errors.contains("no host"), "{}", said.text);
    postgres.stop().await.unwrap();
}

/// A role gets another password while everything runs. From a file it is read again; else it is an
/// outage with a line that says what to do, and no message is given up.
#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_changes_is_an_outage_at_most() {
    let given = Given::start("rotated").await;
    let url = given.servers.database_url();
    let (account, server) = url.rsplit_once('@').unwrap();
    let first = account.rsplit_once(':').unwrap().1;
    let without = format!("postgres://mangoes@{server}");
    let file = given.folder.0.join("password");
    std::fs::write(&file, first).unwrap();
    let path = file.display().to_string();
    let mut running = given.up(&[("DATABASE_URL", &without), ("PGPASSWORD_FILE", &path)]).await;
    let database = given.database().await;
    database.change_password("opensesame2").await;
    std::fs::write(&file, "opensesame2\n").unwrap();
    let database = given.database_with("opensesame2").await;
    database.end_sessions().await;
    given.ingests(&database, 603).await;
    running.until(200, "ready").await;
    drop(running);
    let mut running = given.up(&[("DATABASE_URL", &without), ("PGPASSWORD", "opensesame2")]).await;
    database.change_password("opensesame3").await;
    let database = given.database_with("opensesame3").await;
    database.end_sessions().await;
    given.nats.publish("movies.ingest.movie", br#"{"tmdb_id": 604}"#).await;
    running.until(503, "it refuses this user").await;
    database.change_password("opensesame2").await;
    let database = given.database_with("opensesame2").await;
    given.ingests(&database, 604).await;
    running.until(200, "ready").await;
    assert_eq!(database.dead_letters().await, 0);
    let said = given.said();
    assert!(said.contains("read again, for the connections to come"), "{said}");
    assert!(said.contains("name a file in PGPASSWORD_FILE"), "{said}");
    assert!(!said.contains("opensesame") && !said.contains(first), "no password is in the log");
}

/// A table changes under prepared statements, as by the migration of a newer version: nothing is
/// given up, and the sessions with old plans are not used again.
#[tokio::test(flavor = "multi_thread")]
async fn plans_of_a_changed_table_are_an_outage_for_a_moment() {
    let given = Given::start("old-plans").await;
    let mut running = given.up(&[("DATABASE_POOL", "5")]).await;
    let database = given.database().await;
    given.works_off_the_main_job(&database).await;
    database.change_a_table_under_it().await;
    given.works_off_the_main_job(&database).await;
    running.until(200, "ready").await;
    assert_eq!(database.dead_letters().await, 0);
}

/// Schema mangoes was dropped and made again under the services: they end, and say why.
#[tokio::test(flavor = "multi_thread")]
async fn another_installation_under_the_services_ends_them() {
    let given = Given::start("another-installation").await;
    let mut running = given.up(&[]).await;
    given.database().await.be_another_installation().await;
    assert_eq!(running.process.ended().await.code(), Some(1), "{}", given.said());
    assert!(given.said().contains("belongs to another installation now"), "{}", given.said());
}

/// A port where nobody listens is named as such, and no place in the source of Postgres is.
#[tokio::test]
async fn what_the_database_says_is_said_once() {
    let folder = Folder::new("closed-port");
    let run = |url: &str| Said::by(mangoes(&folder.0).arg("migrate").env("DATABASE_URL", url));
    let said = run("postgres://u:p@127.0.0.1:9/mangoes");
    assert!(said.errors.to_lowercase().contains("connection refused"), "{}", said.text);
    let postgres = postgres(&folder).await;
    let url = postgres.database_url();
    let (server, _) = url.rsplit_once('/').unwrap();
    let said = run(&format!("{server}/nowhere"));
    assert_eq!(said.code, Some(1), "{}", said.text);
    assert!(said.errors.contains("\"nowhere\" does not exist"), "{}", said.text);
    for words in ["at line", "error returned"] {
        assert!(!said.errors.contains(words), "{}", said.text);
    }
    postgres.stop().await.unwrap();
}

/// A certificate that is its own authority: as `openssl req -x509` makes it rustls refuses it, and
/// the sentence says how to make one that works.
#[tokio::test(flavor = "multi_thread")]
async fn S10_certificates_that_are_refused_have_a_remedy() {
    let folder = Folder::new("certificates");
    let mut postgres = postgres(&folder).await;
    let host = postgres.database_url().replace("127.0.0.1", "localhost");
    let migrate = |mode: &str, certificate: &Path| {
        let root = certificate.display();
        let url = format!("{host}?sslmode={mode}&sslrootcert={root}");
        Said::by(mangoes(&folder.0).arg("migrate").env("DATABASE_URL", url))
    };
    let refused = |said: Said, word: &str| {
        assert!(said.code == Some(1) && said.errors.contains(word), "{word}: {said:?}");
    };
    let data = data_of(&folder);
    let authority = certificate(&folder, "authority", &[]);
    use_certificate(&data, &authority);
    postgres.restart().await.unwrap();
    refused(migrate("verify-full", &authority.with_extension("crt")), "CA:FALSE");
    assert!(migrate("require", &authority.with_extension("crt")).succeeded());
    refused(migrate("verify-full", &folder.0.join("nowhere.crt")), "nowhere.crt");
    let name = "subjectAltName=DNS:localhost";
    let own = certificate(
        &folder,
        "own",
        &["-addext", "basicConstraints=critical,CA:FALSE", "-addext", name],
    );
    use_certificate(&data, &own);
    postgres.restart().await.unwrap();
    for mode in ["verify-ca", "verify-full"] {
        let said = migrate(mode, &own.with_extension("crt"));
        assert!(said.succeeded(), "{mode}: {said:?}");
    }
    refused(migrate("verify-full", &authority.with_extension("crt")), "sslrootcert");
    postgres.stop().await.unwrap();
}

/// Where the server keeps its data.
fn data_of(folder: &Folder) -> std::path::PathBuf {
    let servers = folder.0.join("servers");
    let elsewhere = std::fs::read_to_string(servers.join("servers-are-in")).ok();
    let base = elsewhere.map_or(servers, |path| path.trim().into());
    base.join("postgres/data")
}

/// A key and a certificate of it, by the command that people type. Returns their path without an
/// ending.
fn certificate(folder: &Folder, name: &str, more: &[&str]) -> std::path::PathBuf {
    let path = folder.0.join(name);
    let done = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost"])
        .args(more)
        .arg("-keyout")
        .arg(path.with_extension("key"))
        .arg("-out")
        .arg(path.with_extension("crt"))
        .output()
        .unwrap();
    assert!(done.status.success(), "{done:?}");
    path
}

/// The server shows this certificate from its next start on.
fn use_certificate(data: &Path, certificate: &Path) {
    let owner = std::fs::metadata(data).unwrap();
    for (from, to) in [("key", "server.key"), ("crt", "server.crt")] {
        let to = data.join(to);
        std::fs::copy(certificate.with_extension(from), &to).unwrap();
        std::fs::set_permissions(&to, std::fs::Permissions::from_mode(0o600)).unwrap();
        chown(&to, Some(owner.uid()), Some(owner.gid())).unwrap();
    }
    let settings = data.join("postgresql.auto.conf");
    let text = std::fs::read_to_string(&settings).unwrap();
    if !text.contains("ssl = on") {
        std::fs::write(&settings, text + "ssl = on\n").unwrap();
    }
}
