//! The ratios that the program reached before, kept in the repository: `--check` fails where one
//! has fallen by a third.

use std::{collections::BTreeMap, path::Path, process::ExitCode};

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::{
    figures::{Figures, Form},
    options::Options,
    output::line,
};

/// What may be left of a ratio. The machine's noise moves them by a fifth.
const LEFT: f64 = 2.0 / 3.0;

/// The file.
#[derive(Debug, Serialize, Deserialize)]
struct Baseline {
    form: Form,
    /// Program to reference, more is better.
    ratios: BTreeMap<String, f64>,
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
        line("\nno ratio has fallen by a third below the baseline");
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
    /// A sentence for each ratio that has fallen by a third.
    fn findings(&self, measured: &BTreeMap<String, f64>) -> Vec<String> {
        let fallen = self.ratios.iter().filter_map(|(name, baseline)| {
            let now = measured.get(name).copied().unwrap_or(0.0);
            (now < baseline * LEFT).then(|| {
                format!(
                    "{name}: mangoes reaches {now:.2} of the reference, a third or more below the \
                     {baseline:.2} of the baseline; find the change that made it slower, or say \
                     why it must be so and make a new baseline with --bless"
                )
            })
        });
        fallen.collect()
    }

    /// With two digits: more would only be noise.
    fn rounded(self) -> Self {
        let ratios = self.ratios.into_iter();
        Self { ratios: ratios.map(|(k, v)| (k, (v * 100.0).round() / 100.0)).collect(), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ratio_may_fall_by_less_than_a_third() {
        let form = Form { movies: 300, rounds: 3, processes: 1, titles: 0 };
        let ratios = |value: f64| BTreeMap::from([("changed, movies/s".to_owned(), value)]);
        let baseline = Baseline { form, ratios: ratios(0.6) };
        for (measured, findings) in [(0.7, 0), (0.6, 0), (0.41, 0), (0.39, 1), (0.0, 1)] {
            assert_eq!(baseline.findings(&ratios(measured)).len(), findings, "{measured}");
        }
        assert_eq!(baseline.findings(&BTreeMap::new()).len(), 1, "one that is gone has fallen");
    }
}
