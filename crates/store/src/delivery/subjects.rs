//! Subjects of streams as patterns of SQL `like`.

/// NATS patterns such as `movies.tick.*.*` for `like any (…)`: a wildcard stands for any text.
pub(crate) fn like_patterns(subjects: &[String]) -> Vec<String> {
    subjects.iter().map(|subject| subject.replace(['*', '>'], "%")).collect()
}
