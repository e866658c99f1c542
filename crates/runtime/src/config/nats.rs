//! The rows of the settings of NATS.

use std::path::PathBuf;

use super::{
    address,
    names::{NATS_CERT, NATS_JS_API_PREFIX, NATS_JS_DOMAIN, NATS_KEY, NATS_URL},
    secret::Secret,
    setting::{Setting, put, server},
    values::{number, token},
};

pub(super) const URL: Setting = Setting {
    name: NATS_URL,
    default: None,
    read: |config, text| {
        // Several servers of a cluster are joined by commas.
        for server in text.split(',') {
            address::NATS.read(server.trim())?;
        }
        put(&mut config.nats.url, Some(Secret::new(text.to_owned())))
    },
    show: |config| server(config.nats.url.as_ref()),
};

pub(super) const CREDS: Setting = Setting {
    name: "NATS_CREDS",
    default: None,
    read: |config, text| put(&mut config.nats.creds, Some(text.into())),
    show: |config| secret_file(config.nats.creds.as_ref()),
};

pub(super) const NKEY: Setting = Setting {
    name: "NATS_NKEY",
    default: None,
    read: |config, text| put(&mut config.nats.nkey, Some(text.into())),
    show: |config| secret_file(config.nats.nkey.as_ref()),
};

pub(super) const CA: Setting = Setting {
    name: "NATS_CA",
    default: None,
    read: |config, text| put(&mut config.nats.ca, Some(text.into())),
    show: |config| shown(config.nats.ca.as_ref()),
};

pub(super) const CERT: Setting = Setting {
    name: NATS_CERT,
    default: None,
    read: |config, text| put(&mut config.nats.certificate, Some(text.into())),
    show: |config| shown(config.nats.certificate.as_ref()),
};

pub(super) const KEY: Setting = Setting {
    name: NATS_KEY,
    default: None,
    read: |config, text| put(&mut config.nats.key, Some(text.into())),
    show: |config| secret_file(config.nats.key.as_ref()),
};

pub(super) const INBOX_PREFIX: Setting = Setting {
    name: "NATS_INBOX_PREFIX",
    default: None,
    read: |config, text| put(&mut config.nats.inbox_prefix, Some(subject(text)?)),
    show: |config| config.nats.inbox_prefix.clone().unwrap_or_default(),
};

pub(super) const DOMAIN: Setting = Setting {
    name: NATS_JS_DOMAIN,
    default: None,
    read: |config, text| put(&mut config.nats.domain, Some(token(text)?)),
    show: |config| config.nats.domain.clone().unwrap_or_default(),
};

pub(super) const API_PREFIX: Setting = Setting {
    name: NATS_JS_API_PREFIX,
    default: None,
    read: |config, text| put(&mut config.nats.api_prefix, Some(subject(text)?)),
    show: |config| config.nats.api_prefix.clone().unwrap_or_default(),
};

pub(super) const REPLICAS: Setting = Setting {
    name: "NATS_REPLICAS",
    default: Some("1"),
    read: |config, text| match number(text)? {
        copies @ (1 | 3 | 5) => put(&mut config.nats.replicas, copies),
        other => Err(format!("{other} is not a number of copies: use 1, 3 or 5")),
    },
    show: |config| config.nats.replicas.to_string(),
};

pub(super) const NAMESPACE: Setting = Setting {
    name: "MANGOES_NAMESPACE",
    default: None,
    read: |config, text| put(&mut config.nats.namespace, token(text)?),
    show: |config| config.nats.namespace.clone(),
};

/// A subject without wildcards.
fn subject(text: &str) -> Result<String, String> {
    let is_token = |token: &str| {
        !token.is_empty() && token.bytes().all(|b| b.is_ascii_graphic() && b != b'*' && b != b'>')
    };
    if text.split('.').all(is_token) {
        return Ok(text.to_owned());
    }
    Err(format!("'{text}' is not the beginning of a subject: write it as _INBOX.mangoes"))
}

/// A path; where there is no such file, the text may be the secret itself.
fn secret_file(path: Option<&PathBuf>) -> String {
    match path {
        Some(path) if path.exists() => path.display().to_string(),
        Some(_) => "(no such file)".to_owned(),
        None => String::new(),
    }
}

fn shown(path: Option<&PathBuf>) -> String {
    path.map(|path| path.display().to_string()).unwrap_or_default()
}
