//! From a failing run to the few faults that matter: halves, quarters, … of the seed's faults are
//! left out as long as it still fails.
//!
//! Time decides as well as faults do, so a part that passes once may be to blame all the same: the
//! result is what failed last.

use std::time::Duration;

use crate::{
    Report,
    faults::Fault,
    plan,
    run::{Plan, finish, run},
    scene::{Props, Scene},
    setting, words,
};

/// Runs at most; each takes about as long as its faults.
const RUNS: usize = 24;
const QUIET: Duration = Duration::from_secs(60);

/// A run that failed.
struct Failure {
    /// The faults that were injected, by their numbers.
    faults: Vec<usize>,
    /// Timeline, violations, open obligations.
    story: String,
}

/// `None`: all was well.
async fn fails(number: usize, plan: &Plan, servers: usize) -> Option<Failure> {
    let (without, name) = (words("WITHOUT"), format!("shrink-{number}"));
    let mut scene = Scene::set(Props { name: &name, without: &without, servers }).await;
    let mut report = Report::default();
    run(&mut scene, &mut report, plan).await;
    let violations = finish(&mut scene, &mut report, QUIET).await;
    let stories = crate::explain::open_obligations(&scene, &report).await;
    let faults = report.injected.iter().map(|i| i.step.number).collect();
    let story =
        format!("{}\n\nVIOLATIONS\n{}\n{stories}", report.timeline(), violations.join("\n"));
    (!violations.is_empty()).then_some(Failure { faults, story })
}

/// Leaves out one part after the other; smaller parts when none can go (Zeller's ddmin without its
/// subsets).
async fn smallest(
    mut faults: Vec<usize>,
    mut still_fails: impl AsyncFnMut(&[usize]) -> bool,
) -> Vec<usize> {
    let mut parts = 2;
    while faults.len() > 1 {
        let size = faults.len().div_ceil(parts);
        let mut left_out = None;
        for at in (0..faults.len()).step_by(size) {
            let rest: Vec<usize> = faults
                .iter()
                .enumerate()
                .filter(|(n, _)| !(at..at + size).contains(n))
                .map(|(_, f)| *f)
                .collect();
            if !rest.is_empty() && still_fails(&rest).await {
                left_out = Some(rest);
                break;
            }
        }
        match left_out {
            Some(rest) => (faults, parts) = (rest, parts.saturating_sub(1).max(2)),
            None if size == 1 => break,
            None => parts = (parts * 2).min(faults.len()),
        }
    }
    faults
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "make shrink SEED=n MINUTES=m"]
async fn shrink() {
    let (seed, servers) = (setting("SEED", 1.0) as u64, setting("SERVERS", 1.0) as usize);
    let mut plan = Plan {
        span: Duration::from_secs_f64(setting("MINUTES", 1.0) * 60.0),
        seed,
        kinds: Fault::kinds(servers),
        only: plan::only(&words("ONLY")),
    };
    let Some(mut last) = fails(0, &plan, servers).await else {
        return println!("seed {seed} does not fail: nothing to shrink");
    };
    let mut runs = 0;
    let few = smallest(last.faults.clone(), async |some: &[usize]| {
        runs += 1;
        plan.only = some.to_vec();
        println!("run {runs} of at most {RUNS}: faults {some:?}");
        let failure = if runs > RUNS { None } else { fails(runs, &plan, servers).await };
        let still_fails = failure.is_some();
        if let Some(failure) = failure {
            last = failure;
        }
        still_fails
    })
    .await;
    let numbers = few.iter().map(ToString::to_string).collect::<Vec<_>>().join(",");
    panic!(
        "it still fails with the faults {numbers} alone: \
         make chaos SEED={seed} ONLY={numbers}\n\n{}",
        last.story
    );
}

#[tokio::test]
async fn what_matters_is_found_among_the_rest() {
    for guilty in [vec![7], vec![3, 11], vec![1, 12]] {
        let found = smallest((1..=12).collect(), async |some: &[usize]| {
            guilty.iter().all(|g| some.contains(g))
        })
        .await;
        assert_eq!(found, guilty);
    }
}
