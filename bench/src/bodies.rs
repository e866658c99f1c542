//! The movies that the upstream serves: what the simulator renders of 60 to 140 KB, packed once.
//!
//! An edition is what TMDB says of all movies at one moment. The first is what the simulator
//! renders; a later one differs from it in the title and the overview of every movie.

use std::{
    collections::HashMap,
    io::{Read, Write},
    ops::{Range, RangeInclusive},
};

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use flate2::{Compression, read::GzDecoder, write::GzEncoder};
use futures::{StreamExt, TryStreamExt, stream};
use tmdb_sim::{Options, Sim};

use crate::{figures::Weight, upstream::Answers};

/// Sizes of the bodies that are taken, unpacked. Their mean is about 82 KB, as TMDB's is.
const BYTES: RangeInclusive<usize> = 64_000..=140_000;
/// Bodies that are rendered or packed at once.
const AT_ONCE: usize = 4;

/// The packed bodies of the first edition.
#[derive(Debug)]
pub(crate) struct Bodies {
    packed: Vec<Body>,
}

/// One movie.
#[derive(Debug, Clone)]
struct Body {
    id: i64,
    /// Gzipped JSON.
    packed: Bytes,
    bytes: usize,
}

impl Bodies {
    /// Lets the simulator render this many movies of a fitting size.
    pub(crate) async fn render(count: usize) -> Result<Self> {
        // More than one in five of its movies has a fitting size.
        let least = u64::try_from(count)? * 5;
        let options = Options::default();
        let movies = options.movies.max(least);
        let sim = Sim::start(Options { movies, ..options }).await?;
        let client = reqwest::Client::builder().no_gzip().build()?;
        let base_url = sim.base_url();
        let mut bodies = stream::iter(1..=i64::try_from(movies)?)
            .map(|id| body(&client, &base_url, id))
            .buffered(AT_ONCE)
            .try_filter_map(async |body| Ok(body.filter(|body| BYTES.contains(&body.bytes))))
            .take(count)
            .boxed();
        let mut packed = Vec::with_capacity(count);
        while let Some(body) = bodies.next().await {
            packed.push(body?);
        }
        drop(bodies);
        sim.stop().await;
        ensure!(packed.len() == count, "only {} movies have a fitting size", packed.len());
        Ok(Self { packed })
    }

    /// The ids of the movies at these places.
    pub(crate) fn ids(&self, places: Range<usize>) -> Vec<i64> {
        self.at(places).iter().map(|body| body.id).collect()
    }

    /// What they weigh.
    pub(crate) fn weight(&self) -> Weight {
        let count = self.packed.len().max(1);
        let bytes: usize = self.packed.iter().map(|body| body.bytes).sum();
        let packed: usize = self.packed.iter().map(|body| body.packed.len()).sum();
        Weight { mean_bytes: bytes / count, mean_packed_bytes: packed / count }
    }

    /// The answers of an edition; number 0 is the first.
    pub(crate) async fn edition(&self, places: Range<usize>, number: u32) -> Result<Answers> {
        let bodies = self.at(places);
        if number == 0 {
            let answers = bodies.iter().map(|body| (body.id, answer(&body.packed)));
            return Ok(answers.collect());
        }
        let edited = stream::iter(bodies.to_vec()).map(|body| async move {
            let id = body.id;
            let packed = tokio::task::spawn_blocking(move || edited(&body, number)).await??;
            anyhow::Ok((id, answer(&packed)))
        });
        edited.buffer_unordered(AT_ONCE).try_collect::<HashMap<_, _>>().await
    }

    fn at(&self, places: Range<usize>) -> &[Body] {
        self.packed.get(places).unwrap_or_default()
    }
}

/// Asks the simulator for a movie as the program would; `None`: there is no such id.
async fn body(client: &reqwest::Client, base_url: &str, id: i64) -> Result<Option<Body>> {
    let url = format!("{base_url}/movie/{id}");
    let parts = tmdb::PARTS.join(",");
    let query = [("language", "en-US"), ("append_to_response", &parts)];
    let request = client.get(url).query(&query).bearer_auth("bench");
    let answer = request.header("accept-encoding", "gzip").send().await?;
    if answer.status() == reqwest::StatusCode::NOT_FOUND {
        return Ok(None);
    }
    let packed = answer.error_for_status()?.bytes().await?;
    Ok(Some(Body { id, bytes: unpacked_bytes(&packed)?, packed }))
}

/// A gzip file ends with the length of what it holds.
fn unpacked_bytes(packed: &[u8]) -> Result<usize> {
    let length = packed.last_chunk().map(|bytes| u32::from_le_bytes(*bytes));
    Ok(usize::try_from(length.context("the simulator sent no body")?)?)
}

fn edited(body: &Body, edition: u32) -> Result<Bytes> {
    let mut text = String::with_capacity(body.bytes + 64);
    GzDecoder::new(body.packed.as_ref()).read_to_string(&mut text)?;
    // The parts, which have titles of their own, come after the movie's own fields.
    for field in [",\"title\":\"", ",\"overview\":\""] {
        let Some(at) = text.find(field) else { bail!("movie {} has no {field}", body.id) };
        text.insert_str(at + field.len(), &format!("Edition {edition}: "));
    }
    ensure!(text.len() > body.bytes, "movie {} was not edited", body.id);
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.packed.len()), Compression::fast());
    encoder.write_all(text.as_bytes())?;
    Ok(encoder.finish()?.into())
}

fn answer(packed: &[u8]) -> Bytes {
    let mut answer = format!(
        "HTTP/1.1 200 OK\r\nContent-Type: application/json;charset=utf-8\r\n\
         Content-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        packed.len()
    )
    .into_bytes();
    answer.extend_from_slice(packed);
    answer.into()
}
