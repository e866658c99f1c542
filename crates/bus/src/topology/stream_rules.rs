//! Which settings of a stream are ours, and which are the operator's. Pure.
//!
//! Ours is what the delivery rules need. What an operator may choose (`max_bytes`, a longer
//! `max_age`, copies, compression, placement, tags, republish, `deny_purge`) stays as it is.

use std::time::Duration;

use async_nats::jetstream::{account::Account, stream::Config};

/// Where a stream has no such limit.
const NO_LIMIT: i64 = -1;
/// Of what an account may store, all our streams together take this part where each must have a
/// limit: one in so many.
const SHARE_OF_ACCOUNT: i64 = 2;
/// The same in an account without a limit of its own.
const UNLIMITED_ACCOUNT_BYTES: i64 = 4 << 30;

/// What the settings of a stream that is there have to become.
pub(super) fn required(file: &Config, there: &Config) -> Config {
    Config {
        name: there.name.clone(),
        subjects: if same(&file.subjects, &there.subjects) {
            there.subjects.clone()
        } else {
            file.subjects.clone()
        },
        retention: file.retention,
        storage: file.storage,
        discard: file.discard,
        discard_new_per_subject: file.discard_new_per_subject,
        max_messages: file.max_messages,
        max_messages_per_subject: file.max_messages_per_subject,
        max_consumers: file.max_consumers,
        max_age: longer(file.max_age, there.max_age),
        max_message_size: larger(file.max_message_size, there.max_message_size),
        duplicate_window: file.duplicate_window.max(there.duplicate_window),
        num_replicas: file.num_replicas.max(there.num_replicas),
        allow_direct: file.allow_direct,
        no_ack: file.no_ack,
        sealed: file.sealed,
        // Messages that nobody can read are deleted, and so are those that are worked off.
        deny_delete: file.deny_delete,
        metadata: there.metadata.clone().into_iter().chain(file.metadata.clone()).collect(),
        ..there.clone()
    }
}

fn same(ours: &[String], there: &[String]) -> bool {
    ours.len() == there.len() && ours.iter().all(|subject| there.contains(subject))
}

/// Zero is for ever.
fn longer(ours: Duration, there: Duration) -> Duration {
    if ours.is_zero() || there.is_zero() { Duration::ZERO } else { ours.max(there) }
}

/// Below zero is no limit.
fn larger(ours: i32, there: i32) -> i32 {
    if there < 0 { there } else { ours.max(there) }
}

/// How large a stream may grow where the account demands a limit of each: events for everybody get
/// half of our share, the others an equal part of the rest.
pub(super) fn max_bytes_of(is_for_everybody: bool, others: usize, account: &Account) -> i64 {
    let limits = account.limits;
    let all = limits.max_storage.map_or(UNLIMITED_ACCOUNT_BYTES, |all| all / SHARE_OF_ACCOUNT);
    let part = if is_for_everybody {
        all / 2
    } else {
        all / 2 / i64::try_from(others.max(1)).unwrap_or(i64::MAX)
    };
    // The server writes zero, or less, where there is no such limit.
    let most = limits.storage_max_stream_bytes.filter(|most| *most > 0).unwrap_or(i64::MAX);
    part.clamp(1, most)
}

/// Whether the stream has no limit of its own.
pub(super) const fn is_unlimited(config: &Config) -> bool {
    config.max_bytes == NO_LIMIT || config.max_bytes == 0
}

#[cfg(test)]
mod tests {
    use async_nats::jetstream::{
        account::Limits,
        stream::{Compression, Republish, RetentionPolicy},
    };

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    fn file() -> Config {
        let text = include_str!("../../../../nats/streams/MOVIES_EVENTS.json");
        serde_json::from_str(text).unwrap()
    }

    #[test]
    fn what_an_operator_chose_stays() {
        let republish = Republish {
            source: "movies.>".to_owned(),
            destination: "copy.>".to_owned(),
            headers_only: false,
        };
        let chosen = Config {
            max_bytes: 1 << 30,
            max_age: DAY * 90,
            num_replicas: 3,
            compression: Some(Compression::S2),
            republish: Some(republish),
            deny_purge: true,
            description: Some("ours".to_owned()),
            duplicate_window: DAY,
            max_message_size: -1,
            metadata: [("team".to_owned(), "films".to_owned())].into(),
            ..file()
        };
        assert_eq!(required(&file(), &chosen), chosen);
        assert_eq!(required(&file(), &file()), file());
    }

    #[test]
    fn what_the_delivery_rules_need_is_set_right() {
        for broken in [
            Config { subjects: vec!["movies.>".to_owned()], ..file() },
            Config { max_age: DAY, ..file() },
            Config { max_messages: 10, ..file() },
            Config { max_messages_per_subject: 1, ..file() },
            Config { max_message_size: 100, ..file() },
            Config { duplicate_window: Duration::from_secs(1), ..file() },
            Config { retention: RetentionPolicy::Interest, ..file() },
            Config { allow_direct: false, ..file() },
            Config { deny_delete: true, ..file() },
            Config { num_replicas: 0, ..file() },
        ] {
            assert_eq!(required(&file(), &broken), file(), "{broken:?}");
        }
        let owned = Config { metadata: [("a".to_owned(), "b".to_owned())].into(), ..file() };
        assert_eq!(required(&owned, &file()).metadata, owned.metadata);
    }

    #[test]
    fn where_each_stream_must_have_a_limit_they_share_half_of_the_account() {
        let account = |max_storage, storage_max_stream_bytes| {
            let limits = Limits { max_storage, storage_max_stream_bytes, ..Limits::default() };
            Account { limits, ..Account::default() }
        };
        for (account, events, other) in [
            (account(Some(1_600), None), 400, 100),
            (account(None, None), 2 << 30, 512 << 20),
            (account(Some(1_600), Some(150)), 150, 100),
            (account(Some(0), Some(-1)), 1, 1),
        ] {
            assert_eq!(max_bytes_of(true, 4, &account), events);
            assert_eq!(max_bytes_of(false, 4, &account), other);
        }
    }
}
