//! Every setting: one row of [`SETTINGS`] each.
//!
//! A new setting is a field of [`Config`], a row here, and a row of the README's table.

use super::{
    address::{self, mask_url},
    names::{
        DATABASE_URL, PGDATABASE, PGHOST, PGPASSWORD, PGPORT, PGSSLMODE, PGSSLROOTCERT, PGUSER,
        TMDB_API_KEY, TMDB_TOKEN,
    },
    nats,
    setting::{Config, LogFormat, RefreshMode, Setting, put, server},
    values::{adult, app_schema, countries, country, language, listen, number, ssl_mode},
};

/// The order is that of `mangoes config`.
pub(super) const SETTINGS: [Setting; 35] = [
    nats::URL,
    nats::CREDS,
    nats::NKEY,
    nats::CA,
    nats::CERT,
    nats::KEY,
    nats::INBOX_PREFIX,
    nats::DOMAIN,
    nats::API_PREFIX,
    nats::REPLICAS,
    nats::NAMESPACE,
    // With the variables of libpq it is put together in `Config::load`.
    Setting {
        name: DATABASE_URL,
        default: None,
        read: |_, _| Ok(()),
        show: |config| server(config.database_url.as_ref()),
    },
    libpq(PGHOST, |config, text| keep(config, PGHOST, text), |config| kept(config, PGHOST)),
    libpq(
        PGPORT,
        |config, text| keep(config, PGPORT, &number::<u16>(text)?.to_string()),
        |config| kept(config, PGPORT),
    ),
    libpq(PGUSER, |config, text| keep(config, PGUSER, text), |config| kept(config, PGUSER)),
    libpq(PGPASSWORD, |_, _| Ok(()), |config| masked(config, PGPASSWORD)),
    libpq(
        PGDATABASE,
        |config, text| keep(config, PGDATABASE, text),
        |config| kept(config, PGDATABASE),
    ),
    libpq(
        PGSSLMODE,
        |config, text| keep(config, PGSSLMODE, &ssl_mode(text)?),
        |config| kept(config, PGSSLMODE),
    ),
    libpq(
        PGSSLROOTCERT,
        |config, text| keep(config, PGSSLROOTCERT, text),
        |config| kept(config, PGSSLROOTCERT),
    ),
    Setting {
        name: "DATABASE_POOL",
        default: None,
        read: |config, text| match number(text)? {
            few @ 0..POOL_MIN => Err(format!(
                "{few} connections are too few: the relay, the listener and the work need \
                 {POOL_MIN} or more"
            )),
            connections => put(&mut config.database_pool, Some(connections)),
        },
        show: |config| {
            config.database_pool.map_or_else(|| "(by services)".to_owned(), |n| n.to_string())
        },
    },
    Setting {
        name: "MANGOES_APP_SCHEMA",
        default: Some("public"),
        read: |config, text| put(&mut config.app_schema, app_schema(text)?),
        show: |config| config.app_schema.clone(),
    },
    // One credential with two names: `Config::load` chooses between them.
    Setting {
        name: TMDB_TOKEN,
        default: None,
        read: |_, _| Ok(()),
        show: |config| masked(config, TMDB_TOKEN),
    },
    Setting {
        name: TMDB_API_KEY,
        default: None,
        read: |_, _| Ok(()),
        show: |config| masked(config, TMDB_API_KEY),
    },
    Setting {
        name: "TMDB_BASE_URL",
        default: Some(TMDB_ITSELF),
        read: |config, text| {
            if !address::TMDB.read(text)?.path().trim_end_matches('/').ends_with("/3") {
                return Err(format!("it must end in /3, as in {TMDB_ITSELF}"));
            }
            put(&mut config.tmdb_base_url, text.to_owned())
        },
        show: |config| mask_url(&config.tmdb_base_url),
    },
    Setting {
        name: "TMDB_RATE",
        default: Some("40"),
        read: |config, text| put(&mut config.tmdb_rate, number(text)?),
        show: |config| config.tmdb_rate.to_string(),
    },
    Setting {
        name: "TMDB_CONCURRENCY",
        default: Some("20"),
        read: |config, text| put(&mut config.tmdb_concurrency, number::<usize>(text)?.max(1)),
        show: |config| config.tmdb_concurrency.to_string(),
    },
    Setting {
        name: "TMDB_LANGUAGE",
        default: Some("en-US"),
        read: |config, text| put(&mut config.tmdb_language, language(text)?),
        show: |config| config.tmdb_language.clone(),
    },
    Setting {
        name: "TMDB_ADULT",
        default: Some("exclude"),
        read: |config, text| put(&mut config.tmdb_adult, adult(text)?),
        show: |config| if config.tmdb_adult { "include" } else { "exclude" }.to_owned(),
    },
    Setting {
        name: "TMDB_REGION",
        default: Some("US"),
        read: |config, text| put(&mut config.tmdb_region, country(text)?),
        show: |config| config.tmdb_region.clone(),
    },
    Setting {
        name: "TMDB_STREAMING_REGIONS",
        default: Some("US"),
        read: |config, text| put(&mut config.tmdb_streaming_regions, countries(text)?),
        show: |config| config.tmdb_streaming_regions.join(","),
    },
    Setting {
        name: "MANGOES_DATA_DIR",
        default: Some(".mangoes"),
        read: |config, text| put(&mut config.data_dir, text.into()),
        show: |config| config.data_dir.display().to_string(),
    },
    Setting {
        name: "MANGOES_LISTEN",
        default: Some("127.0.0.1:8080"),
        read: |config, text| put(&mut config.listen, listen(text)?),
        show: |config| config.listen.clone(),
    },
    Setting {
        name: "MANGOES_REFRESH_MODE",
        default: Some("continuous"),
        read: |config, text| match text {
            "continuous" => put(&mut config.refresh_mode, RefreshMode::Continuous),
            "per_tick" => put(&mut config.refresh_mode, RefreshMode::PerTick),
            other => Err(format!("'{other}' is unknown: use continuous or per_tick")),
        },
        show: |config| match config.refresh_mode {
            RefreshMode::Continuous => "continuous".to_owned(),
            RefreshMode::PerTick => "per_tick".to_owned(),
        },
    },
    Setting {
        name: "MANGOES_LOG",
        default: Some("pretty"),
        read: |config, text| match text {
            "pretty" => put(&mut config.log, LogFormat::Pretty),
            "json" => put(&mut config.log, LogFormat::Json),
            other => Err(format!("'{other}' is unknown: use pretty or json")),
        },
        show: |config| match config.log {
            LogFormat::Pretty => "pretty".to_owned(),
            LogFormat::Json => "json".to_owned(),
        },
    },
    Setting {
        name: "RUST_LOG",
        default: None,
        read: |config, text| put(&mut config.log_filter, Some(text.to_owned())),
        show: |config| config.log_filter.clone().unwrap_or_default(),
    },
];

/// Connections without which a process stands still: one listens, one asks about the others, one
/// holds the relay's lock while another marks what it published.
const POOL_MIN: u32 = 4;

/// A variable that libpq reads too.
const fn libpq(
    name: &'static str,
    read: fn(&mut Config, &str) -> Result<(), String>,
    show: fn(&Config) -> String,
) -> Setting {
    Setting { name, default: None, read, show }
}

fn keep(config: &mut Config, name: &'static str, text: &str) -> Result<(), String> {
    config.libpq.insert(name, text.to_owned());
    Ok(())
}

fn kept(config: &Config, name: &str) -> String {
    config.libpq.get(name).cloned().unwrap_or_default()
}

/// The API of TMDB itself.
const TMDB_ITSELF: &str = "https://api.themoviedb.org/3";

/// Whether this is the name of a setting.
pub(super) fn is_setting(name: &str) -> bool {
    SETTINGS.iter().any(|setting| setting.name == name)
}

/// Whether there is a secret of this name.
fn masked(config: &Config, name: &str) -> String {
    config.origins.get(name).map(|_| "***".to_owned()).unwrap_or_default()
}
