//! What a movie costs the program before any server is asked: reading TMDB's answer, mapping it,
//! the fingerprint, the comparison. On bodies that the simulator renders; `make bench-pure`.

use std::hint::black_box;

use anyhow::Result;
use catalogue::{Movie, diff};
use criterion::{Criterion, Throughput};
use proto::TmdbId;
use serde_json::Value;
use tmdb::{MapOptions, PARTS, map};
use tmdb_sim::{Options, Sim};

/// Bodies that each function is measured over.
const BODIES: usize = 32;

/// A movie as TMDB sends it.
struct Body {
    id: TmdbId,
    text: String,
}

fn main() -> Result<()> {
    let bodies = tokio::runtime::Runtime::new()?.block_on(bodies())?;
    let bytes: usize = bodies.iter().map(|body| body.text.len()).sum();
    let options = options();
    let movies = mapped(&bodies, &options)?;
    let edited: Vec<Movie> = movies.iter().map(edited).collect();

    let mut criterion = Criterion::default().configure_from_args();
    let mut group = criterion.benchmark_group(format!("{BODIES} movies"));
    group.throughput(Throughput::Bytes(u64::try_from(bytes)?));
    group.bench_function("a tree of JSON, for comparison", |b| {
        b.iter(|| {
            for body in &bodies {
                black_box(serde_json::from_str::<Value>(&body.text).is_ok());
            }
        });
    });
    group.bench_function("map", |b| b.iter(|| black_box(mapped(&bodies, &options).is_ok())));
    group.bench_function("content_hash", |b| {
        b.iter(|| {
            for movie in &movies {
                black_box(movie.content_hash());
            }
        });
    });
    group.bench_function("diff of edited movies", |b| {
        b.iter(|| {
            for (old, new) in movies.iter().zip(&edited) {
                black_box(diff(old, new));
            }
        });
    });
    group.finish();
    criterion.final_summary();
    Ok(())
}

fn options() -> MapOptions {
    MapOptions {
        language: "en-US".to_owned(),
        region: "US".to_owned(),
        streaming_regions: vec!["US".to_owned()],
    }
}

fn mapped(bodies: &[Body], options: &MapOptions) -> Result<Vec<Movie>> {
    let movies = bodies.iter().map(|body| map(body.text.as_bytes(), body.id, options));
    Ok(movies.collect::<Result<_, _>>()?)
}

fn edited(movie: &Movie) -> Movie {
    let mut edited = movie.clone();
    edited.title.push_str(" (edited)");
    edited.overview = Some("Another plot.".to_owned());
    edited
}

/// The first movies of the simulator.
async fn bodies() -> Result<Vec<Body>> {
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
            bodies.push(Body { id: TmdbId::try_from(id)?, text: answer.text().await? });
        }
        if bodies.len() == BODIES {
            break;
        }
    }
    sim.stop().await;
    Ok(bodies)
}
