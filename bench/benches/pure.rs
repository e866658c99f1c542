//! What a movie costs the program before any server is asked: reading TMDB's answer, mapping it,
//! the fingerprint, the comparison. On bodies that the simulator renders; `make bench-pure`.

use std::{hint::black_box, sync::Arc};

use anyhow::Result;
use catalogue::{AppRow, Body, Look, MapOptions, PARTS, card, details, diff, unpack};
use criterion::{Criterion, Throughput};
use serde_json::Value;
use time::OffsetDateTime;
use tmdb_sim::{Options, Sim};

/// Bodies that each function is measured over.
const BODIES: usize = 32;

fn main() -> Result<()> {
    let bodies = tokio::runtime::Runtime::new()?.block_on(bodies())?;
    let bytes: usize = bodies.iter().map(String::len).sum();
    let options = Arc::new(MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: vec!["US".to_owned()],
    });
    let packed: Vec<Vec<u8>> = bodies.iter().map(|body| catalogue::pack(body)).collect();
    let looks = looks(&bodies, &options)?;
    let edited: Vec<String> = bodies.iter().map(|body| edited(body)).collect();
    let edited_looks = self::looks(&edited, &options)?;
    let row = AppRow::default();

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(format!("{BODIES} movies"));
    group.throughput(Throughput::Bytes(u64::try_from(bytes)?));
    group.bench_function("a tree of JSON, for comparison", |b| {
        b.iter(|| {
            for body in &bodies {
                black_box(serde_json::from_str::<Value>(body).is_ok());
            }
        });
    });
    group.bench_function("unpack", |b| {
        b.iter(|| {
            for body in &packed {
                black_box(unpack(body, usize::MAX).is_ok());
            }
        });
    });
    group.bench_function("read, map and fingerprint", |b| {
        b.iter(|| black_box(self::looks(&bodies, &options).is_ok()));
    });
    group.bench_function("merge and diff of edited movies", |b| {
        b.iter(|| {
            for (old, new) in bodies.iter().zip(&edited_looks) {
                let mut merged_body = None;
                let merged = new.merge(Some(old), &row, &mut merged_body);
                black_box(merged.before.map(|before| diff(&before, &merged.movie)));
            }
        });
    });
    group.bench_function("rows and cards", |b| {
        b.iter(|| {
            for look in &looks {
                let mut merged_body = None;
                let movie = look.merge(None, &row, &mut merged_body).movie;
                black_box(details(&movie, &row, OffsetDateTime::UNIX_EPOCH));
                black_box(card(1, &movie, &row, OffsetDateTime::UNIX_EPOCH));
            }
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn looks(bodies: &[String], options: &Arc<MapOptions>) -> Result<Vec<Look>> {
    let look =
        |body: &String| Look::read(Body { text: body.clone(), packed: None }, Arc::clone(options));
    Ok(bodies.iter().map(look).collect::<Result<_, _>>()?)
}

/// The same movie with another title.
fn edited(body: &str) -> String {
    body.replacen("\"title\":\"", "\"title\":\"Edited ", 1)
}

/// The first movies of the simulator.
async fn bodies() -> Result<Vec<String>> {
    // An error means that another part of this process installed one before: that one will do.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let sim = Sim::start(Options::default()).await?;
    let client = reqwest::Client::builder().build()?;
    let mut bodies = Vec::new();
    for id in 1.. {
        let url = format!("{}/movie/{id}", sim.base_url());
        let request = client.get(url).query(&[("append_to_response", PARTS.join(","))]);
        let answer = request.bearer_auth("bench").send().await?;
        if answer.status() == reqwest::StatusCode::OK {
            bodies.push(answer.text().await?);
        }
        if bodies.len() == BODIES {
            break;
        }
    }
    sim.stop().await;
    Ok(bodies)
}
