//! Texts for people, made from a movie's fields.

/// Longest `overview_short`, in characters.
const OVERVIEW_SHORT_MAX_CHARS: usize = 150;

/// "2h 16m", "2h", "45m".
pub(super) fn runtime_display(minutes: Option<i32>) -> Option<String> {
    let minutes = minutes?;
    Some(match (minutes / 60, minutes % 60) {
        (0, minutes) => format!("{minutes}m"),
        (hours, 0) => format!("{hours}h"),
        (hours, minutes) => format!("{hours}h {minutes}m"),
    })
}

/// At most [`OVERVIEW_SHORT_MAX_CHARS`] characters, cut at a word.
pub(super) fn overview_short(overview: Option<&str>) -> Option<String> {
    let text = overview?;
    if text.chars().count() <= OVERVIEW_SHORT_MAX_CHARS {
        return Some(text.to_owned());
    }
    let head: String = text.chars().take(OVERVIEW_SHORT_MAX_CHARS - 1).collect();
    let cut = head
        .rfind(char::is_whitespace)
        .and_then(|at| head.get(..at))
        .filter(|c| !c.is_empty())
        .unwrap_or(&head);
    Some(format!("{}…", cut.trim_end_matches([' ', ',', '.', ';', ':'])))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_runtime_is_shown_in_hours_and_minutes() {
        for (minutes, shown) in [(136, "2h 16m"), (120, "2h"), (45, "45m"), (60, "1h"), (1, "1m")] {
            assert_eq!(runtime_display(Some(minutes)).as_deref(), Some(shown));
        }
        assert_eq!(runtime_display(None), None);
    }

    #[test]
    fn a_long_overview_is_cut_at_a_word() {
        assert_eq!(overview_short(Some("short")).as_deref(), Some("short"));
        let long = overview_short(Some(&"żółw ".repeat(60))).unwrap();
        assert!(
            long.chars().count() <= OVERVIEW_SHORT_MAX_CHARS && long.ends_with("żółw…"),
            "{long}"
        );
        let one_word = overview_short(Some(&"長".repeat(300))).unwrap();
        assert_eq!(one_word.chars().count(), OVERVIEW_SHORT_MAX_CHARS);
    }
}
