//! The table.

use comfy_table::{ContentArrangement, Table, presets};

use crate::{lap::Lap, output::line, scene::Measured};

const HEAD: [&str; 11] = [
    "LAP",
    "MOVIES/S",
    "PROGRAM",
    "POSTGRES",
    "NATS",
    "SUM",
    "RSS MB",
    "WRITTEN KB",
    "WAL KB",
    "UPSTREAM",
    "CALLS",
];
const MB: f64 = 1e6;
const KB: f64 = 1e3;

/// Prints what was measured.
pub(crate) fn print(measured: &Measured) {
    line("\nCPU is in seconds per 1,000 movies; RSS is the peak; written and WAL are per movie.\n");
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(HEAD);
    for lap in &measured.laps {
        table.add_row(row(lap));
    }
    for row in table.to_string().lines() {
        line(row.trim_end());
    }
    let Measured { idle_bytes, created_bytes, grown_bytes, weight, laps } = measured;
    let movies = laps.first().map_or(1, |lap| lap.movies) as f64;
    let per_title = |bytes: &u64| *bytes as f64 / movies / KB;
    line(&format!(
        "\nidle before the first lap: {:.0} MB   disk per title: {:.1} KB after the first lap, \
         {:.1} KB after all\nbodies: {:.1} KB, {:.1} KB as sent",
        *idle_bytes as f64 / MB,
        per_title(created_bytes),
        per_title(grown_bytes),
        weight.mean_bytes as f64 / KB,
        weight.mean_packed_bytes as f64 / KB,
    ));
}

fn row(lap: &Lap) -> Vec<String> {
    let movies = lap.movies as f64;
    let cpu = |secs: f64| format!("{:.2}", secs / movies * 1_000.0);
    let per_movie = |bytes: u64| format!("{:.1}", bytes as f64 / movies / KB);
    vec![
        lap.kind.name().to_owned(),
        format!("{:.0}", movies / lap.secs),
        cpu(lap.usage.program_secs),
        cpu(lap.usage.postgres_secs),
        cpu(lap.usage.nats_secs),
        cpu(lap.usage.total_secs()),
        format!("{:.0}", lap.peak_bytes as f64 / MB),
        per_movie(lap.usage.written_bytes),
        per_movie(lap.usage.wal_bytes),
        cpu(lap.upstream_secs),
        lap.calls.to_string(),
    ]
}
