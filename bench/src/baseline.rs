//! The ratios that the program reached before, kept in the repository: `--check` fails where one
//! has fallen far.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    figures::{Figures, Form, Ratios},
    options::Options,
    output::line,
};

/// What must be left of a ratio of movies per CPU second; a busy machine moves it by a sixth.
const THRIFT_LEFT: f64 = 2.0 / 3.0;
/// What must be left of a ratio of movies per second; a busy machine moves it by a third.
const SPEED_LEFT: f64 = 1.0 / 2.0;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    form: Form,
    ratios: Ratios,
}

/// Compares with the baseline, or makes a new one, as the options say.
///
/// # Errors
/// The file cannot be read or written, or was made with another form.
pub(crate) fn compare(options: &Options, figures: &Figures) -> Result<ExitCode> {
    let path = &options.baseline;
    let measured = Baseline { form: figures.form, ratios: figures.ratios() };
    if options.bless {
        std::fs::write(path, serde_json::to_string_pretty(&measured.rounded())? + "\n")?;
        line(&format!("\n{} is written", path.display()));
        return Ok(ExitCode::SUCCESS);
    }
    if !options.check {
        return Ok(ExitCode::SUCCESS);
    }
    let baseline = read(path)?;
    let Form { movies, rounds, processes, titles } = baseline.form;
    ensure!(
        baseline.form == measured.form,
        "{} was made with --movies {movies} --rounds {rounds} --processes {processes} --titles \
         {titles}: measure the same, or make a new one with --bless",
        path.display()
    );
    let findings = baseline.findings(&measured.ratios);
    for finding in &findings {
        line(&format!("\n{finding}"));
    }
    if findings.is_empty() {
        line("\nno ratio has fallen far below the baseline");
        return Ok(ExitCode::SUCCESS);
    }
    Ok(ExitCode::FAILURE)
}

fn read(path: &Path) -> Result<Baseline> {
    let text = std::fs::read_to_string(path)
        .with_context(|| format!("cannot read {}: make it with --bless", path.display()))?;
    serde_json::from_str(&text).with_context(|| format!("{} is no baseline", path.display()))
}

impl Baseline {
    /// A sentence for each ratio that has fallen too far.
    fn findings(&self, measured: &Ratios) -> Vec<String> {
        let thrift = Fall { of: "movies per CPU second", left: THRIFT_LEFT };
        let speed = Fall { of: "movies per second", left: SPEED_LEFT };
        let mut findings = thrift.findings(&self.ratios.thrift, &measured.thrift);
        findings.extend(speed.findings(&self.ratios.speed, &measured.speed));
        findings
    }

    /// With two digits: more would only be noise.
    fn rounded(mut self) -> Self {
        let Ratios { speed, thrift } = &mut self.ratios;
        for ratio in speed.values_mut().chain(thrift.values_mut()) {
            *ratio = (*ratio * 100.0).round() / 100.0;
        }
        self
    }
}

/// How far one kind of ratio may fall.
struct Fall {
    of: &'static str,
    left: f64,
}

impl Fall {
    fn findings(
        &self,
        baseline: &BTreeMap<String, f64>,
        measured: &BTreeMap<String, f64>,
    ) -> Vec<String> {
        let Self { of, left } = self;
        let fallen = baseline.iter().filter_map(|(kind, before)| {
            let now = measured.get(kind).copied().unwrap_or(0.0);
            (now < before * left).then(|| {
                format!(
                    "{kind}: {of} are {now:.2} of the reference's, less than {left:.2} of the \
                     {before:.2} in the baseline: find the change that made it slower, or say why \
                     it must be so and make a new baseline with --bless"
                )
            })
        });
        fallen.collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ratios(speed: f64, thrift: f64) -> Ratios {
        let of = |ratio| BTreeMap::from([("changed".to_owned(), ratio)]);
        Ratios { speed: of(speed), thrift: of(thrift) }
    }

    #[test]
    fn a_ratio_may_fall_a_little() {
        let form = Form { movies: 300, rounds: 3, processes: 1, titles: 0 };
        let baseline = Baseline { form, ratios: ratios(0.6, 0.9) };
        for (speed, thrift, findings) in
            [(0.7, 1.1, 0), (0.6, 0.9, 0), (0.31, 0.61, 0), (0.29, 0.9, 1), (0.6, 0.59, 1)]
        {
            let found = baseline.findings(&ratios(speed, thrift));
            assert_eq!(found.len(), findings, "{speed} {thrift}: {found:?}");
        }
        let gone = baseline.findings(&Ratios::default());
        assert_eq!(gone.len(), 2, "one that is not measured has fallen");
    }
}
