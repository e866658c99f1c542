//! A server that knows accounts by their signed tokens, as hosted NATS does, and an account that
//! has JetStream only by another's leave.

use std::fs;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD as BASE64};
use nkeys::KeyPair;
use serde_json::{Value, json};
use tests::{Said, SecuredNats};

use super::Stage;

/// A token about `subject`, signed by `issuer`: JSON Web Token version 2 of NATS.
fn token(issuer: &KeyPair, subject: &KeyPair, nats: Value) -> String {
    let head = json!({"typ": "JWT", "alg": "ed25519-nkey"});
    let claims = json!({
        "jti": subject.public_key(),
        "iat": 1_700_000_000,
        "iss": issuer.public_key(),
        "sub": subject.public_key(),
        "name": "a",
        "nats": nats,
    });
    let [head, claims] = [head, claims].map(|part| BASE64.encode(part.to_string()));
    let signed = format!("{head}.{claims}");
    let signature = BASE64.encode(issuer.sign(signed.as_bytes()).unwrap());
    format!("{signed}.{signature}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credentials_file_logs_in() {
    let (operator, user) = (KeyPair::new_operator(), KeyPair::new_user());
    let [account, system] = std::array::from_fn(|_| KeyPair::new_account());
    let may_store = json!({
        "mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1,
        "subs": -1, "data": -1, "payload": -1, "imports": -1, "exports": -1, "wildcards": true,
        "conn": -1, "leaf": -1,
    });
    // The server wants an account for itself, which stores nothing.
    let of_account = |account: &KeyPair, limits: Value| {
        let claims = json!({"type": "account", "version": 2, "limits": limits});
        format!("{}: {}", account.public_key(), token(&operator, account, claims))
    };
    let (known, of_system) =
        (of_account(&account, may_store), of_account(&system, json!({"conn": -1, "subs": -1})));
    let settings = format!(
        "operator: {}\nsystem_account: {}\nresolver: MEMORY\n\
         resolver_preload: {{\n{known}\n{of_system}\n}}\n",
        token(&operator, &operator, json!({"type": "operator", "version": 2})),
        system.public_key(),
    );
    let of_user = json!({"type": "user", "version": 2, "subs": -1, "data": -1, "payload": -1});
    let stage = Stage::new("credentials").await;
    let nats = SecuredNats::with_settings(&stage.folder, &settings).await;
    let file = stage.folder.0.join("mangoes.creds");
    let (seed, jwt) = (user.seed().unwrap(), token(&account, &user, of_user));
    let of = |kind: &str, text: &str| {
        format!("-----BEGIN {kind}-----\n{text}\n------END {kind}------\n\n")
    };
    fs::write(&file, of("NATS USER JWT", &jwt) + &of("USER NKEY SEED", &seed)).unwrap();
    let (url, file) = (format!("nats://{}", nats.address()), file.display().to_string());
    let settings = [("NATS_URL", url.as_str()), ("NATS_CREDS", file.as_str())];
    let _up = stage.up(&settings).await;
    let follow = ["ingest", "--movie", "603", "--follow"];
    let said = Said::by(&mut stage.command(&follow, &settings));
    assert!(said.succeeded(), "{}", said.text);
    let seed_of_another = KeyPair::new_user().seed().unwrap();
    fs::write(&file, of("NATS USER JWT", &jwt) + &of("USER NKEY SEED", &seed_of_another)).unwrap();
    let said = Said::by(&mut stage.command(&["topology"], &settings));
    assert!(said.code == Some(1) && said.text.contains("NATS_CREDS"), "{}", said.text);
    assert!(!said.text.contains(&seed_of_another), "{}", said.text);
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
