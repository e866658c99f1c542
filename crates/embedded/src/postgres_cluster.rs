//! Makes a Postgres cluster: `initdb`, the role and the database, before the server listens
//! anywhere.
//!
//! A cluster is a folder with `data` and `password`. It is made under another name and renamed when
//! it is complete. Clusters of tests are copies of one template in the system's folder for
//! temporary files.

use std::{
    fs::{self, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::Stdio,
};

use tokio::{io::AsyncWriteExt, process::Command};

use crate::{
    binaries::PostgresBin,
    data_dir::ServerDir,
    error::EmbeddedError,
    files::remove_dir,
    log::telling_line,
    system::{new_password, random_hex},
};

/// Name of the role and of the database it owns.
pub(crate) const NAME: &str = "mangoes";

/// Makes the cluster `<dir>/postgres` unless it exists, and returns the password of its role.
pub(crate) async fn ensure(
    bin: &PostgresBin,
    dir: &ServerDir,
    durable: bool,
) -> Result<String, EmbeddedError> {
    let cluster = dir.join("postgres");
    if !cluster.join("data/PG_VERSION").exists() {
        remove_dir(&cluster)?;
        let fresh = dir.join("postgres.new");
        remove_dir(&fresh)?;
        dir.account.own_dir(&fresh)?;
        match template(bin, dir, durable).await? {
            Some(template) => copy(&template, &fresh, dir).await?,
            None => create(bin, &fresh, dir, durable).await?,
        }
        fs::rename(&fresh, &cluster).map_err(EmbeddedError::file("create", &cluster))?;
    }
    let password = cluster.join("password");
    let text = fs::read_to_string(&password).map_err(EmbeddedError::file("read", &password))?;
    Ok(text.trim().to_owned())
}

/// The template, made if need be; `None` for a durable server, or where the temporary folder cannot
/// be trusted.
async fn template(
    bin: &PostgresBin,
    dir: &ServerDir,
    durable: bool,
) -> Result<Option<PathBuf>, EmbeddedError> {
    let account = dir.account;
    let Ok(temp) = std::env::temp_dir().canonicalize() else { return Ok(None) };
    if durable || !account.reaches(&temp) {
        return Ok(None);
    }
    let template = temp.join(format!("mangoes-pg-template-{}-{}", bin.version, account.uid()));
    // One process makes it, the others wait. A process that may not open the lock does without.
    let open = OpenOptions::new()
        .create(true)
        .truncate(false)
        .write(true)
        .mode(0o600)
        .open(template.with_added_extension("lock"));
    let Ok(lock) = open else { return Ok(None) };
    let Ok(Ok(_lock)) = tokio::task::spawn_blocking(move || lock.lock().map(|()| lock)).await
    else {
        return Ok(None);
    };
    if !template.exists() {
        let fresh = temp.join(format!("mangoes-pg-template-new-{}", random_hex(8)?));
        account.own_dir(&fresh)?;
        if let Err(error) = create(bin, &fresh, dir, durable).await {
            remove_dir(&fresh)?;
            return Err(error);
        }
        fs::rename(&fresh, &template).map_err(EmbeddedError::file("create", &template))?;
    }
    // Anybody may write to that folder: only what the server's own user keeps for itself is a
    // template.
    let is_ours = fs::symlink_metadata(&template)
        .is_ok_and(|meta| meta.is_dir() && meta.uid() == account.uid() && meta.mode() & 0o077 == 0);
    Ok(is_ours.then_some(template))
}

/// Copies a cluster into the empty folder `to`.
async fn copy(from: &Path, to: &Path, dir: &ServerDir) -> Result<(), EmbeddedError> {
    let source = from.join(".");
    let mut command = as_account("cp".as_ref(), dir);
    command.args(["-a", "--reflink=auto"]).arg(&source).arg(to);
    if run(command, "").await.is_ok() {
        return Ok(());
    }
    // Not every `cp` knows reflinks.
    let mut command = as_account("cp".as_ref(), dir);
    command.arg("-a").arg(&source).arg(to);
    run(command, "").await
}

/// Makes a cluster in the empty folder `cluster`, with a random password.
async fn create(
    bin: &PostgresBin,
    cluster: &Path,
    dir: &ServerDir,
    durable: bool,
) -> Result<(), EmbeddedError> {
    let data = cluster.join("data");
    let mut initdb = as_account(&bin.dir.join("initdb"), dir);
    initdb.args([
        "-U",
        "postgres",
        "-E",
        "UTF8",
        "--no-locale",
        "--auth-host=scram-sha-256",
        "--auth-local=reject",
        "-D",
    ]);
    initdb.arg(&data).arg(if durable { "--data-checksums" } else { "--no-sync" });
    run(initdb, "").await?;

    let password = new_password()?;
    let mut single = as_account(&bin.dir.join("postgres"), dir);
    single
        .args([
            "--single",
            "-c",
            "exit_on_error=on",
            "-c",
            "password_encryption=scram-sha-256",
            "-D",
        ])
        .arg(&data)
        .arg("postgres");
    if !durable {
        single.arg("-F");
    }
    // One statement a line. Nobody can log in as the superuser: it has no password.
    run(
        single,
        &format!(
            "create role {NAME} login password '{password}'\ncreate database {NAME} owner {NAME}\n"
        ),
    )
    .await?;

    let path = cluster.join("password");
    let file = OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path);
    let written = file
        .and_then(|mut file| writeln!(file, "{password}"))
        .and_then(|()| dir.account.own(&path));
    written.map_err(EmbeddedError::file("write", &path))
}

/// A command that runs as the server's user.
fn as_account(program: &Path, dir: &ServerDir) -> Command {
    let mut command = std::process::Command::new(program);
    dir.account.apply(&mut command);
    command.current_dir("/").env("LC_ALL", "C").env_remove("PGDATA").env_remove("PGOPTIONS");
    command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped());
    let mut command = Command::from(command);
    command.kill_on_drop(true);
    command
}

/// Runs `command` with `input`; the error holds the telling line of its output.
async fn run(mut command: Command, input: &str) -> Result<(), EmbeddedError> {
    let program = PathBuf::from(command.as_std().get_program());
    let spawn_error = |source| EmbeddedError::Spawn { program: program.clone(), source };
    let mut child = command.spawn().map_err(spawn_error)?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early does not read; its exit status says so.
        let _ = stdin.write_all(input.as_bytes()).await;
    }
    let output = child.wait_with_output().await.map_err(spawn_error)?;
    if output.status.success() {
        return Ok(());
    }
    let said = telling_line(&String::from_utf8_lossy(&output.stderr));
    Err(EmbeddedError::Prepare { program: program.display().to_string(), said })
}
