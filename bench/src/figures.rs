//! What was measured, as `--json` writes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{contender::Kind, options::Options, usage::Usage};

/// Everything that was measured.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) form: Form,
    /// Every lap, in order.
    pub(crate) laps: Vec<Lap>,
    pub(crate) paced: Vec<Paced>,
    /// Memory of a process of the program that has done nothing yet.
    pub(crate) idle_bytes: u64,
    /// Growth of the program's database by a movie: the first lap alone, and all.
    pub(crate) disk_bytes_created: u64,
    pub(crate) disk_bytes_per_title: u64,
    pub(crate) weight: Weight,
}

/// What was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Form {
    pub(crate) movies: u32,
    pub(crate) rounds: u32,
    pub(crate) processes: u32,
    pub(crate) titles: u32,
}

impl Form {
    /// What these options ask for.
    pub(crate) fn of(options: &Options) -> Self {
        Self {
            movies: options.movies(),
            rounds: options.rounds(),
            processes: options.processes,
            titles: options.titles,
        }
    }
}

/// What the bodies weigh.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Weight {
    pub(crate) mean_bytes: usize,
    pub(crate) mean_packed_bytes: usize,
}

/// Program to reference by kind of lap; more is better.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(crate) struct Ratios {
    /// Of movies per second.
    pub(crate) speed: BTreeMap<String, f64>,
    /// Of movies per CPU second.
    pub(crate) thrift: BTreeMap<String, f64>,
}

/// What a lap took.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Lap {
    pub(crate) contender: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) movies: usize,
    pub(crate) secs: f64,
    pub(crate) usage: Usage,
    /// The most memory of one process.
    pub(crate) peak_bytes: u64,
    /// CPU seconds of the upstream stand-in, which count nowhere else.
    pub(crate) upstream_secs: f64,
    /// Movies that the upstream was asked for.
    pub(crate) calls: u64,
}

impl Lap {
    /// Movies per second.
    pub(crate) fn speed(&self) -> f64 {
        self.movies as f64 / self.secs
    }

    /// Movies per CPU second of all parties.
    pub(crate) fn thrift(&self) -> f64 {
        self.movies as f64 / self.usage.total_secs()
    }
}

/// How long a movie took while few were asked for.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Paced {
    pub(crate) contender: &'static str,
    pub(crate) movies: usize,
    pub(crate) p50_ms: f64,
    pub(crate) p99_ms: f64,
    /// CPU of all parties while it lasted, per 1,000 movies.
    pub(crate) cpu_secs_per_1000: f64,
}

impl Figures {
    /// Everything as JSON, with the ratios.
    ///
    /// # Errors
    /// A figure is no number: a lap took no time.
    pub(crate) fn json(&self) -> serde_json::Result<String> {
        #[derive(Serialize)]
        struct Whole<'a> {
            #[serde(flatten)]
            figures: &'a Figures,
            ratios: Ratios,
        }
        let whole = Whole { figures: self, ratios: self.ratios() };
        Ok(serde_json::to_string_pretty(&whole)? + "\n")
    }

    /// The fastest lap of a contender.
    pub(crate) fn fastest(&self, contender: &str, kind: &str) -> Option<&Lap> {
        self.of(contender, kind).max_by(|a, b| a.speed().total_cmp(&b.speed()))
    }

    /// The lap of a contender that needed least CPU time.
    fn thriftiest(&self, contender: &str, kind: &str) -> Option<&Lap> {
        self.of(contender, kind).max_by(|a, b| a.thrift().total_cmp(&b.thrift()))
    }

    /// Program to reference; empty where there is no reference. The best lap of each counts: what
    /// disturbs a lap only ever makes it slower. The paced lap is not among them: a movie that
    /// waits for a busy machine says nothing about the program.
    pub(crate) fn ratios(&self) -> Ratios {
        let mut ratios = Ratios::default();
        for kind in Kind::ALL.map(Kind::name) {
            let both = |of: fn(&Self, &str, &str) -> Option<f64>| {
                Some(of(self, "mangoes", kind)? / of(self, "reference", kind)?)
            };
            let speed = both(|figures, who, kind| Some(figures.fastest(who, kind)?.speed()));
            let thrift = both(|figures, who, kind| Some(figures.thriftiest(who, kind)?.thrift()));
            ratios.speed.extend(speed.map(|ratio| (kind.to_owned(), ratio)));
            ratios.thrift.extend(thrift.map(|ratio| (kind.to_owned(), ratio)));
        }
        ratios
    }

    fn of(&self, contender: &str, kind: &str) -> impl Iterator<Item = &Lap> {
        self.laps.iter().filter(move |lap| lap.contender == contender && lap.kind == kind)
    }
}
