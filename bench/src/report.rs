//! The tables.

use comfy_table::{ContentArrangement, Table, presets};

use crate::{
    contender::Kind,
    figures::{Figures, Lap, Paced},
    output::line,
};

const LAPS: [&str; 11] = [
    "LAP",
    "WHO",
    "MOVIES/S",
    "PROCESS",
    "POSTGRES",
    "NATS",
    "SUM",
    "RSS MB",
    "WRITTEN KB",
    "WAL KB",
    "UPSTREAM",
];
const PACED: [&str; 5] = ["20 A SECOND", "MOVIES", "P50 MS", "P99 MS", "CPU"];
const RATIOS: [&str; 3] = ["MANGOES / REFERENCE", "MOVIES/S", "MOVIES PER CPU SECOND"];
const MB: f64 = 1e6;
const KB: f64 = 1e3;

/// Prints what was measured: of each kind of lap the fastest one.
pub(crate) fn print(figures: &Figures) {
    line("\nCPU (PROCESS to SUM, UPSTREAM) in seconds per 1,000 movies; RSS is the peak of one");
    line("process; WRITTEN (all servers and the process) and WAL in KB per movie.\n");
    let fastest = Kind::ALL.iter().flat_map(|kind| {
        ["mangoes", "reference"].iter().filter_map(|who| figures.fastest(who, kind.name()))
    });
    table(&LAPS, fastest.map(lap).collect());
    line("");
    table(&PACED, figures.paced.iter().map(paced).collect());
    let ratios = figures.ratios();
    if !ratios.speed.is_empty() {
        line("");
        let both = ratios.speed.iter().zip(ratios.thrift.values());
        let row = both.map(|((kind, speed), thrift)| {
            vec![kind.clone(), format!("{speed:.2}"), format!("{thrift:.2}")]
        });
        table(&RATIOS, row.collect());
    }
    let Figures { idle_bytes, disk_bytes_created, disk_bytes_per_title, weight, form, .. } =
        figures;
    line(&format!(
        "\n{} movies a lap, {} round(s), {} process(es), {} titles before; bodies of {:.1} KB, \
         {:.1} KB as sent",
        form.movies,
        form.rounds,
        form.processes,
        form.titles,
        weight.mean_bytes as f64 / KB,
        weight.mean_packed_bytes as f64 / KB,
    ));
    line(&format!(
        "mangoes before its first movie: {:.0} MB; disk per title: {:.1} KB created, {:.1} KB \
         after all laps",
        *idle_bytes as f64 / MB,
        *disk_bytes_created as f64 / KB,
        *disk_bytes_per_title as f64 / KB,
    ));
}

fn table(head: &[&str], rows: Vec<Vec<String>>) {
    let mut table = Table::new();
    table
        .load_style(presets::NOTHING)
        .set_content_arrangement(ContentArrangement::Disabled)
        .set_header(head.to_vec());
    for row in rows {
        table.add_row(row);
    }
    for row in table.to_string().lines() {
        line(row.trim_end());
    }
}

fn lap(lap: &Lap) -> Vec<String> {
    let movies = lap.movies as f64;
    let cpu = |secs: f64| format!("{:.2}", secs / movies * 1_000.0);
    let per_movie = |bytes: u64| format!("{:.1}", bytes as f64 / movies / KB);
    vec![
        lap.kind.to_owned(),
        lap.contender.to_owned(),
        format!("{:.0}", lap.speed()),
        cpu(lap.usage.program_secs),
        cpu(lap.usage.postgres_secs),
        cpu(lap.usage.nats_secs),
        cpu(lap.usage.total_secs()),
        format!("{:.0}", lap.peak_bytes as f64 / MB),
        per_movie(lap.usage.written_bytes),
        per_movie(lap.usage.wal_bytes),
        cpu(lap.upstream_secs),
    ]
}

fn paced(paced: &Paced) -> Vec<String> {
    vec![
        paced.contender.to_owned(),
        paced.movies.to_string(),
        format!("{:.1}", paced.p50_ms),
        format!("{:.1}", paced.p99_ms),
        format!("{:.2}", paced.cpu_secs_per_1000),
    ]
}
