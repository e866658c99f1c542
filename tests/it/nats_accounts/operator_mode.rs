//! A server that knows accounts by their signed tokens, as hosted NATS does, and an account that
//! has JetStream only by another's leave.

use std::{
    fs,
    time::{Duration, UNIX_EPOCH},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tests::{PATIENCE, Said, SecuredNats, Wait, program};

use super::Stage;

/// A token about `subject`, signed by `issuer`: JSON Web Token version 2 of NATS.
fn token(issuer: &KeyPair, subject: &KeyPair, claims: Value) -> String {
    let head = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let mut all = json!({
        "jti": subject.public_key(),
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "name": "a",
    });
    all.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
    let [head, claims] = [head, all].map(|part| BASE64.encode(part.to_string()));
    let signed = format!("{head}.{claims}");
    let signature = BASE64.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

/// Settings of a server that knows this account, and one for itself, which stores nothing.
fn settings(account: &KeyPair) -> String {
    let (operator, system) = (KeyPair::new_operator(), KeyPair::new_account());
    let may_store = json!({
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    let of_account = |account: &KeyPair, limits: Value| {
        let claims = json!({"nats": {"type": "account", "version": 2, "limits": limits}});
        format!("{}: {}", account.public_key(), token(&operator, account, claims))
    };
    format!(
        "debug: true\noperator: {}\nsystem_account: {}\nresolver: MEMORY\n\
         resolver_preload: {{\n{}\n{}\n}}\n",
        token(&operator, &operator, json!({"nats": {"type": "operator", "version": 2}})),
        system.public_key(),
        of_account(account, may_store),
        of_account(&system, json!({"conn": -1, "subs": -1})),
    )
}

/// A user of the account. With a time in seconds since 1970 it expires then.
struct User {
    key: KeyPair,
    jwt: String,
}

impl User {
    fn of(account: &KeyPair, expires_at: Option<u64>) -> Self {
        let nats = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
        let mut claims = json!({ "nats": nats });
        if let Some(at) = expires_at {
            claims["exp"] = json!(at);
        }
        let key = KeyPair::new_user();
        Self { jwt: token(account, &key, claims), key }
    }

    /// A credentials file, as an operator hands it out, with the seed of this key.
    fn file_with_seed_of(&self, key: &KeyPair) -> String {
        let of = |kind: &str, text: &str| {
            format!("-----BEGIN {kind}-----\n{text}\n------END {kind}------\n\n")
        };
        of("NATS USER JWT", &self.jwt) + &of("USER NKEY SEED", &key.seed().unwrap())
    }

    fn file(&self) -> String {
        self.file_with_seed_of(&self.key)
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credentials_file_logs_in() {
    let account = KeyPair::new_account();
    let user = User::of(&account, None);
    let stage = Stage::new("credentials").await;
    let nats = SecuredNats::with_settings(&stage.folder, &settings(&account)).await;
    let file = stage.folder.0.join("mangoes.creds");
    fs::write(&file, user.file()).unwrap();
    let (url, path) = (format!("nats://{}", nats.address()), file.display().to_string());
    let settings = [("NATS_URL", url.as_str()), ("NATS_CREDS", path.as_str())];
    let _up = stage.up(&settings).await;
    let follow = ["ingest", "--movie", "603", "--follow"];
    let said = Said::by(&mut stage.command(&follow, &settings));
    assert!(said.succeeded(), "{}", said.text);
    let another = KeyPair::new_user();
    fs::write(&file, user.file_with_seed_of(&another)).unwrap();
    let said = Said::by(&mut stage.command(&["topology"], &settings));
    assert!(said.code == Some(1) && said.text.contains("NATS_CREDS"), "{}", said.text);
    assert!(!said.text.contains(&another.seed().unwrap()), "{}", said.text);
}

/// Users are handed out for a while. The file holds the next one before the first expires: what
/// runs goes on with it, without a restart.
#[tokio::test(flavor = "multi_thread")]
async fn N2_a_credentials_file_is_rotated_while_the_process_runs() {
    // Long enough to start and to work once, on a busy machine too.
    const VALID: Duration = Duration::from_secs(30);
    let account = KeyPair::new_account();
    let stage = Stage::new("rotated-credentials").await;
    let nats = SecuredNats::with_settings(&stage.folder, &settings(&account)).await;
    let file = stage.folder.0.join("mangoes.creds");
    // Built by now: that time is not to be of those seconds.
    program();
    let expires_at = UNIX_EPOCH.elapsed().unwrap() + VALID;
    fs::write(&file, User::of(&account, Some(expires_at.as_secs())).file()).unwrap();
    let (url, path) = (format!("nats://{}", nats.address()), file.display().to_string());
    let settings = [("NATS_URL", url.as_str()), ("NATS_CREDS", path.as_str())];
    let mut up = stage.up(&settings).await;
    let ingests = async |movie: i64| {
        let arguments = ["ingest", "--movie", &movie.to_string()];
        let said = Said::by(&mut stage.command(&arguments, &settings));
        assert!(said.succeeded(), "{}", said.text);
        stage.database.complete(movie).await;
    };
    ingests(603).await;
    fs::write(&file, User::of(&account, None).file()).unwrap();
    let look = async || stage.folder.read("secured/log");
    let is_over = |log: &String| log.contains("User Authentication Expired");
    Wait::within(VALID + PATIENCE).until("the first user expires", look, is_over).await;
    ingests(550).await;
    stage.database.all_published().await;
    assert!(up.end().is_none(), "{}", stage.folder.read("log"));
}

/// An account without JetStream uses that of the account `hub`, which exports its API.
#[tokio::test(flavor = "multi_thread")]
async fn an_exported_api_is_used_by_its_prefix() {
    let settings = "accounts {
  HUB {
    jetstream: enabled
    users: [{ user: hub, password: old }]
    exports: [
      { service: \"$JS.API.>\", response: stream }
      { service: \"$JS.ACK.>\" }
      { service: \"movies.>\" }
      { stream: \"$JS.EVENT.>\" }
    ]
  }
  APP {
    users: [{ user: a, password: old }]
    imports: [
      { service: { account: HUB, subject: \"$JS.API.>\" }, to: \"hub.API.>\" }
      { service: { account: HUB, subject: \"$JS.ACK.>\" } }
      { service: { account: HUB, subject: \"movies.>\" } }
      { stream: { account: HUB, subject: \"$JS.EVENT.>\" } }
    ]
  }
}\n";
    let stage = Stage::new("api-prefix").await;
    let nats = SecuredNats::with_settings(&stage.folder, settings).await;
    let url = format!("nats://a:old@{}", nats.address());
    let settings = [("NATS_URL", url.as_str()), ("NATS_JS_API_PREFIX", "hub.API")];
    let _up = stage.up(&settings).await;
    let follow = ["ingest", "--movie", "603", "--follow"];
    let said = Said::by(&mut stage.command(&follow, &settings));
    assert!(said.succeeded(), "{}", said.text);
    let without = Said::by(&mut stage.command(&["topology"], &settings[..1]));
    assert!(without.code == Some(1) && without.text.contains("JetStream"), "{}", without.text);
}
