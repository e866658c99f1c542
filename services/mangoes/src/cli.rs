//! The command line.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, time::Duration};

use anyhow::Result;
use clap::{CommandFactory, Parser, Subcommand};
use proto::{ListSource, TmdbId};
use runtime::{Config, config::Sources};
use serde_json::Value;

use crate::{dead, demo, jobs, serve, show, verbs};

/// Keeps a movie app's catalogue fresh from TMDB, on NATS JetStream and Postgres.
#[derive(Debug, Parser)]
#[command(version, arg_required_else_help = true, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Machine-readable output.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// Instants instead of spans, as 2026-11-24T11:00:00Z.
    #[arg(long, global = true)]
    pub(crate) absolute: bool,
    /// Where embedded servers keep their data [env: MANGOES_DATA_DIR] [default: .mangoes].
    #[arg(long, global = true, value_name = "DIR")]
    pub(crate) data_dir: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Everything in one process; embedded servers unless NATS_URL and DATABASE_URL are set.
    Up {
        /// Use the built-in TMDB simulator; no credential is needed.
        #[arg(long)]
        demo: bool,
        /// The simulator serves the recorded answers of this directory.
        #[arg(long, value_name = "DIR", requires = "demo")]
        recorded: Option<PathBuf>,
    },
    /// The main job end to end on embedded servers and the TMDB simulator, then exits.
    Demo {
        /// Serve the recorded answers of this directory instead of generated ones.
        #[arg(long, value_name = "DIR")]
        recorded: Option<PathBuf>,
        /// Also measure the hot path: refresh this many due movies without a limit.
        #[arg(long, value_name = "N")]
        hot_path: Option<u32>,
    },
    /// The scheduler alone.
    Scheduler,
    /// The ingest service alone; with options: bring movies or a list in.
    Ingest {
        /// TMDB ids.
        #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "list")]
        movie: Vec<TmdbId>,
        /// A list: mixed_daily, mixed_weekly, now_playing, popular, trending, upcoming, top_rated, all.
        #[arg(long, value_name = "SOURCE", requires = "max")]
        list: Option<ListSource>,
        /// New titles at most.
        #[arg(long, value_name = "N", requires = "list")]
        max: Option<i64>,
        /// Fetch also what the catalogue has.
        #[arg(long, requires = "movie")]
        force: bool,
        /// Wait for the end.
        #[arg(long)]
        follow: bool,
    },
    /// The staleness scanner alone.
    StalenessScanner,
    /// The refresh service alone; with options: refresh movies now.
    Refresh {
        /// TMDB ids.
        #[arg(long, value_name = "ID", num_args = 1.., conflicts_with = "due")]
        movie: Vec<TmdbId>,
        /// All movies that are due.
        #[arg(long)]
        due: bool,
        /// Wait for the end.
        #[arg(long)]
        follow: bool,
    },
    /// Apply the migrations.
    Migrate,
    /// Make streams and consumers as nats/*.json says.
    Topology {
        /// Only compare; exit 1 when something differs.
        #[arg(long)]
        check: bool,
    },
    /// Jobs and their runs.
    Jobs {
        #[command(subcommand)]
        verb: Jobs,
    },
    /// One movie.
    Movie {
        #[command(subcommand)]
        verb: Movie,
    },
    /// Dead letters: messages that were given up.
    Dead {
        #[command(subcommand)]
        verb: Dead,
    },
    /// Freshness, backlog, TMDB calls, dead letters.
    Status {
        /// Exit 3 when a title is older than its policy allows, or TMDB refuses the credential.
        #[arg(long)]
        check: bool,
    },
    /// Status, jobs and latest runs, live. With --json: one object per line.
    Watch {
        /// Seconds between two looks.
        #[arg(long, default_value_t = 2)]
        every: u64,
    },
    /// The TMDB simulator alone.
    TmdbSim {
        /// Address to listen on.
        #[arg(long, default_value = "127.0.0.1:8090")]
        listen: SocketAddr,
        /// Seed of the catalogue.
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// Movies in the catalogue, up to 1,200,000.
        #[arg(long, default_value_t = 100_000)]
        movies: u64,
        /// Added latency in milliseconds.
        #[arg(long, default_value_t = 0)]
        latency_ms: u64,
        /// Refuse more requests than this in any second; 0 = never.
        #[arg(long, default_value_t = 0)]
        rate_limit: u32,
        /// Refusals carry Retry-After.
        #[arg(long)]
        retry_after: bool,
        /// A setting: latency_min_ms, slow_share, slow_ms, old_429_body, cache_secs, credential. Repeatable.
        #[arg(long, value_name = "NAME=VALUE", value_parser = pair)]
        set: Vec<(String, Value)>,
        /// A share of requests that fails, 0 to 1: http_500, http_502, http_503, http_504, http_429, html, invalid_json,
        /// truncated, reset, stall, wrong_id, bad_id. Repeatable.
        #[arg(long, value_name = "KIND=SHARE", value_parser = pair)]
        fault: Vec<(String, Value)>,
        /// Begin with an outage of this many seconds.
        #[arg(long, value_name = "SECONDS")]
        outage: Option<u64>,
        /// Serve recorded answers.
        #[arg(long, value_name = "DIR")]
        recorded: Option<PathBuf>,
    },
    /// The settings in effect, secrets masked.
    Config,
    /// Shell completions.
    Completions {
        /// bash, zsh, fish, elvish or powershell.
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum Jobs {
    /// All jobs with their last and next run.
    List,
    /// One job with its policies.
    Show {
        /// Its name.
        name: String,
    },
    /// When it fires next, in its zone and in UTC.
    Next {
        /// Its name.
        name: String,
        /// How many times.
        #[arg(short = 'n', default_value_t = 10)]
        count: usize,
    },
    /// Stop firing; the nominal times that pass leave rows that say so.
    Pause {
        /// Its name.
        name: String,
        /// Why.
        #[arg(long)]
        note: Option<String>,
        /// Go on by itself then: an instant, or a span such as 2h.
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
    },
    /// Fire again, from the next nominal time on.
    Resume {
        /// Its name.
        name: String,
    },
    /// Change a job; it takes effect from now on and fires nothing by itself.
    Set {
        /// Its name.
        name: String,
        #[command(flatten)]
        edit: Edit,
    },
    /// Make a new job.
    Create {
        /// 1 to 64 of a-z, 0-9, _ and -.
        name: String,
        /// ingest, scan, refresh or maintain.
        #[arg(long)]
        action: proto::Action,
        #[command(flatten)]
        edit: Edit,
    },
    /// Remove a job; its runs stay.
    Delete {
        /// Its name.
        name: String,
    },
    /// Hold all jobs.
    Hold {
        /// Let them go on.
        #[arg(long)]
        off: bool,
        /// Why.
        #[arg(long)]
        note: Option<String>,
    },
    /// Say what is wrong with any job; exit 1 when something is.
    Lint,
    /// Run a job now; its schedule stays as it is.
    Run {
        /// Its name.
        name: String,
        /// Also while a run of it is not over.
        #[arg(long)]
        force: bool,
        /// Fields that replace those of its payload, as JSON.
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
        /// Wait for the end.
        #[arg(long)]
        follow: bool,
        /// Only say what it would do.
        #[arg(long, conflicts_with = "follow")]
        dry_run: bool,
    },
    /// End a run; its requests stop within two seconds.
    Cancel {
        /// A run's id, or a job whose open run is meant.
        run: String,
        /// Why.
        #[arg(long)]
        note: Option<String>,
    },
    /// Run the nominal times of a past span that did not run.
    Backfill {
        /// Its name.
        name: String,
        /// First instant, as 2026-11-01T00:00:00Z.
        #[arg(long)]
        from: String,
        /// Last instant.
        #[arg(long, default_value = "now")]
        to: String,
        /// Only say which.
        #[arg(long)]
        dry_run: bool,
    },
    /// Latest runs.
    Runs {
        /// Of this job only.
        name: Option<String>,
        /// How many.
        #[arg(short = 'n', default_value_t = 20)]
        limit: i64,
    },
}

/// Which dead letters.
#[derive(Debug, clap::Args)]
pub(crate) struct Which {
    /// Their numbers.
    ids: Vec<i64>,
    /// All of this consumer, as ingest-movie.
    #[arg(long)]
    consumer: Option<String>,
    /// All with this reason, as not-found.
    #[arg(long)]
    reason: Option<String>,
    /// All.
    #[arg(long)]
    all: bool,
}

impl Which {
    fn filter(&self) -> store::DeadFilter {
        let ids = Some(self.ids.clone()).filter(|ids| !ids.is_empty());
        store::DeadFilter { ids, consumer: self.consumer.clone(), reason: self.reason.clone() }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Dead {
    /// By reason; or one by one, of a consumer or a reason.
    List {
        /// Of this consumer, as ingest-movie.
        #[arg(long)]
        consumer: Option<String>,
        /// With this reason, as not-found.
        #[arg(long)]
        reason: Option<String>,
        /// How many.
        #[arg(short = 'n', default_value_t = 50)]
        limit: i64,
    },
    /// One with everything that is known about it.
    Show {
        /// Its number.
        id: i64,
    },
    /// Send them again, each under an id of its own.
    Replay {
        #[command(flatten)]
        which: Which,
        /// Another payload, for one id.
        #[arg(long, value_name = "JSON")]
        payload: Option<String>,
        /// At most so many per second; 0 = as fast as it goes.
        #[arg(long, default_value_t = 50)]
        rate: u32,
        /// Also those that were replayed before.
        #[arg(long)]
        again: bool,
    },
    /// Remove them.
    Drop {
        #[command(flatten)]
        which: Which,
    },
}

/// What can be said about a job.
#[derive(Debug, clap::Args)]
pub(crate) struct Edit {
    /// Cron with 5 to 7 fields, @daily, `every 10m`, `at 2026-12-24T18:00:00Z`; several joined by |.
    #[arg(long)]
    schedule: Option<String>,
    /// IANA name, as America/Los_Angeles.
    #[arg(long)]
    timezone: Option<String>,
    /// What its action needs, as JSON.
    #[arg(long, value_name = "JSON")]
    payload: Option<String>,
    /// When the clock skips its time: skip, run_after or run_before.
    #[arg(long, value_name = "RULE")]
    gap: Option<String>,
    /// When the clock repeats its time: first, second or both.
    #[arg(long, value_name = "RULE")]
    overlap: Option<String>,
    /// While a run of it is not over: skip, queue_one, queue_all, allow or cancel_other.
    #[arg(long, value_name = "RULE")]
    overlap_policy: Option<String>,
    /// Make up for what was missed by at most so many seconds.
    #[arg(long, value_name = "SECONDS")]
    catch_up: Option<i32>,
    /// Of what was missed, at most so many run; with 1 the latest stands for all.
    #[arg(long, value_name = "N")]
    catch_up_max: Option<i32>,
    /// Not in the minutes that this schedule matches, as '* * 25 12 *'.
    #[arg(long, value_name = "SCHEDULE")]
    except: Option<String>,
    /// Fire up to so many seconds later, always the same for the same time.
    #[arg(long, value_name = "SECONDS")]
    jitter: Option<i32>,
    /// Not before: an instant, or a span such as 2h.
    #[arg(long, value_name = "WHEN")]
    starts: Option<String>,
    /// Not after.
    #[arg(long, value_name = "WHEN")]
    ends: Option<String>,
    /// End after so many runs.
    #[arg(long, value_name = "N")]
    max_runs: Option<i32>,
    /// Say `overdue` after so many seconds without a success.
    #[arg(long, value_name = "SECONDS")]
    overdue_after: Option<i32>,
    /// Take a run for lost after so many seconds without a sign of it.
    #[arg(long, value_name = "SECONDS")]
    lost_after: Option<i32>,
    /// Begin a lost run anew so often.
    #[arg(long, value_name = "N")]
    lost_retries: Option<i32>,
    /// Pause after so many failed runs in a row.
    #[arg(long, value_name = "N")]
    pause_after_failures: Option<i32>,
    /// Take a limit away: exclusions, max_runs, starts_at, ends_at, pause_after_failures or overdue_after_secs. Repeatable.
    #[arg(long, value_name = "LIMIT")]
    clear: Vec<String>,
}

impl Edit {
    fn job_edit(&self) -> Result<store::JobEdit> {
        let payload = self.payload.as_deref().map(serde_json::from_str).transpose();
        let instant = |text: &Option<String>| text.as_deref().map(api::jobs::instant).transpose();
        Ok(store::JobEdit {
            schedule: self.schedule.clone(),
            timezone: self.timezone.clone(),
            payload: payload.map_err(|e| runtime::ConfigError(format!("--payload is no JSON: {e}")))?,
            dst_gap: self.gap.clone(),
            dst_overlap: self.overlap.clone(),
            overlap_policy: self.overlap_policy.clone(),
            catch_up_secs: self.catch_up,
            catch_up_max: self.catch_up_max,
            exclusions: self.except.clone(),
            jitter_secs: self.jitter,
            max_runs: self.max_runs,
            starts_at: instant(&self.starts)?,
            ends_at: instant(&self.ends)?,
            pause_after_failures: self.pause_after_failures,
            overdue_after_secs: self.overdue_after,
            lost_after_secs: self.lost_after,
            lost_retries: self.lost_retries,
            clear: self.clear.clone(),
        })
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Movie {
    /// Its state, and why it is due or not.
    Show {
        /// TMDB id.
        id: TmdbId,
    },
    /// What changed and when, the newest first.
    History {
        /// TMDB id.
        id: TmdbId,
        /// How many.
        #[arg(short = 'n', default_value_t = 20)]
        limit: i64,
    },
}

/// `name=value`; a value that is no JSON is a text.
fn pair(text: &str) -> Result<(String, Value), String> {
    let (name, value) = text.split_once('=').ok_or("NAME=VALUE is wanted")?;
    Ok((name.to_owned(), serde_json::from_str(value).unwrap_or_else(|_| value.into())))
}

fn config(cli: &Cli) -> Result<Config> {
    let mut sources = Sources::of_process()?;
    if let Some(dir) = &cli.data_dir {
        sources.env.insert("MANGOES_DATA_DIR".to_owned(), dir.display().to_string());
    }
    Ok(Config::load(&sources)?)
}

async fn dead_verb(config: &Config, verb: Dead, out: show::Out) -> Result<ExitCode> {
    match verb {
        Dead::List { consumer, reason, limit } => {
            let filter = store::DeadFilter { ids: None, consumer, reason };
            dead::list(config, (&filter, limit), out).await?;
        }
        Dead::Show { id } => dead::show(config, id, out).await?,
        Dead::Replay { which, payload, rate, again } => {
            let how = dead::How { all: which.all, payload: payload.as_deref(), rate, again };
            return dead::replay(config, &which.filter(), &how, out).await;
        }
        Dead::Drop { which } => dead::drop(config, (&which.filter(), which.all), out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn job_verb(config: &Config, verb: Jobs, out: show::Out) -> Result<ExitCode> {
    match verb {
        Jobs::List => jobs::list(config, out).await?,
        Jobs::Show { name } => jobs::show(config, &name, out).await?,
        Jobs::Next { name, count } => jobs::next(config, (&name, count), out).await?,
        Jobs::Pause { name, note, until } => jobs::pause(config, &name, (note.as_deref(), until.as_deref()), out).await?,
        Jobs::Resume { name } => jobs::resume(config, &name, out).await?,
        Jobs::Set { name, edit } => jobs::set(config, &name, &edit.job_edit()?, out).await?,
        Jobs::Create { name, action, edit } => jobs::create(config, (&name, action.as_str()), &edit.job_edit()?, out).await?,
        Jobs::Delete { name } => jobs::delete(config, &name, out).await?,
        Jobs::Hold { off, note } => jobs::hold(config, (off, note.as_deref()), out).await?,
        Jobs::Lint => return jobs::lint(config, out).await,
        Jobs::Run { name, force, payload, follow, dry_run } => {
            return jobs::run(config, (&name, payload.as_deref()), jobs::How { follow, force, dry_run }, out).await;
        }
        Jobs::Cancel { run, note } => jobs::cancel(config, (&run, note.as_deref()), out).await?,
        Jobs::Backfill { name, from, to, dry_run } => jobs::backfill(config, (&name, &from, &to), dry_run, out).await?,
        Jobs::Runs { name, limit } => jobs::runs(config, (name.as_deref(), limit), out).await?,
    }
    Ok(ExitCode::SUCCESS)
}

/// Does what the command line says.
pub(crate) async fn run(cli: Cli) -> Result<ExitCode> {
    let config = config(&cli)?;
    show::ABSOLUTE.store(cli.absolute, std::sync::atomic::Ordering::Relaxed);
    let quiet = !matches!(
        cli.command,
        Command::Up { .. } | Command::Scheduler | Command::StalenessScanner | Command::Ingest { .. } | Command::Refresh { .. }
    );
    runtime::telemetry::init(
        &config.log,
        if quiet { "error,mangoes=warn" } else { "info,ractor=warn,async_nats=warn,tokio_cron_scheduler=warn" },
    );
    let out = show::Out { json: cli.json };
    match cli.command {
        Command::Up { demo, recorded } => serve::up(config, demo, recorded).await?,
        Command::Demo { recorded, hot_path } => return demo::run(config, demo::Options { recorded, hot_path }, out).await,
        Command::Scheduler => serve::alone(config, serve::Part::Scheduler).await?,
        Command::StalenessScanner => serve::alone(config, serve::Part::Scanner).await?,
        Command::Ingest { movie, list: None, force, follow, .. } if !movie.is_empty() => {
            return verbs::ingest_movies(&config, &movie, (force, follow), out).await;
        }
        Command::Ingest { list: Some(list), max, follow, .. } => {
            return verbs::ingest_list(&config, (list, max.unwrap_or(1)), follow, out).await;
        }
        Command::Ingest { .. } => serve::alone(config, serve::Part::Ingest).await?,
        Command::Refresh { movie, follow, .. } if !movie.is_empty() => {
            return verbs::refresh_movies(&config, &movie, follow, out).await;
        }
        Command::Refresh { due: true, follow, .. } => return verbs::refresh_due(&config, follow, out).await,
        Command::Refresh { .. } => serve::alone(config, serve::Part::Refresh).await?,
        Command::Migrate => verbs::migrate(&config).await?,
        Command::Topology { check } => return verbs::topology(&config, check, out).await,
        Command::Dead { verb } => return dead_verb(&config, verb, out).await,
        Command::Jobs { verb } => return job_verb(&config, verb, out).await,
        Command::Movie { verb: Movie::Show { id } } => return verbs::movie_show(&config, id, out).await,
        Command::Movie { verb: Movie::History { id, limit } } => verbs::movie_history(&config, (id, limit), out).await?,
        Command::Status { check } => return verbs::status(&config, check, out).await,
        Command::Watch { every } => verbs::watch(&config, Duration::from_secs(every.max(1)), out).await?,
        Command::TmdbSim { listen, seed, movies, latency_ms, rate_limit, retry_after, set, fault, outage, recorded } => {
            let latency = Duration::from_millis(latency_ms);
            let options =
                tmdb_sim::Options { listen, seed, movies, latency, rate_limit, retry_after, recorded, ..Default::default() };
            verbs::tmdb_sim(options, (set, fault, outage.map(Duration::from_secs))).await?;
        }
        Command::Config => out.pairs(&config.shown()),
        Command::Completions { shell } => clap_complete::generate(shell, &mut Cli::command(), "mangoes", &mut std::io::stdout()),
    }
    Ok(ExitCode::SUCCESS)
}
