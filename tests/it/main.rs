//! The one test binary: the real program on real servers, with faults.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

mod adoption;
mod api;
mod app_adoption;
mod app_day;
mod app_rights;
mod app_shapes;
mod app_values;
mod architecture;
mod backup;
mod bad_input;
mod broker;
mod budget;
mod catalogue;
mod configuration;
mod connections;
mod contract;
mod control;
mod crash;
mod day_of_trouble;
mod dead;
mod deploy;
mod documents;
mod doors;
mod events;
mod examples;
mod fates;
mod freshness;
mod hostile;
mod jobs;
mod least_privilege;
mod looks;
mod main_flow;
mod maintenance;
mod migrate;
mod nats_accounts;
mod others_met;
mod output;
mod pooler;
mod postgres_versions;
mod readiness;
mod recorded;
mod regressions;
mod remap;
mod schedulers;
mod schedules;
mod schema;
mod secrets;
mod upstream;
mod webhook;
