use time::macros::date;

use super::*;

fn catalogue(movies: u64) -> Catalogue {
    Catalogue::new(7, movies, date!(2026 - 05 - 01))
}

#[test]
fn ids_and_numbers_undo_each_other() {
    let catalogue = catalogue(5_000);
    for index in 0..5_000 {
        assert_eq!(catalogue.index_of(catalogue.nth(index)), Some(index));
    }
    let valid = (1..=catalogue.nth(4_999)).filter(|id| catalogue.index_of(*id).is_some()).count();
    assert_eq!(valid, 5_000);
}

#[test]
fn well_known_ids_exist_in_any_catalogue() {
    for movies in [1, 10, 1_000, 1_200_000] {
        let catalogue = catalogue(movies);
        for known in KNOWN {
            assert!(catalogue.exists(known.id));
            assert_eq!(catalogue.movie(known.id).title, known.title);
            assert_eq!(catalogue.by_imdb(known.imdb_id), [known.id]);
        }
        assert!(!catalogue.exists(0) && !catalogue.exists(999_999_999));
    }
}

#[test]
fn odd_values_come_at_their_rates() {
    let catalogue = catalogue(20_000);
    let movies: Vec<Movie> =
        (0..20_000).map(|index| catalogue.movie(catalogue.nth(index))).collect();
    let share =
        |odd: fn(&Movie) -> bool| movies.iter().filter(|movie| odd(movie)).count() as f64 / 200.0;
    let check = |name: &str, percent: f64, expected: std::ops::Range<f64>| {
        assert!(expected.contains(&percent), "{name}: {percent} % is outside {expected:?}");
    };
    check("no imdb_id", share(|movie| movie.imdb_id == Imdb::Null), 2.5..4.0);
    check("empty imdb_id", share(|movie| movie.imdb_id == Imdb::Empty), 0.2..0.9);
    check("no poster", share(|movie| movie.poster.is_none()), 1.8..3.0);
    check("no release date", share(|movie| movie.release_date.is_none()), 0.1..0.6);
    check("no budget", share(|movie| movie.budget == 0), 48.0..54.0);
    check("no runtime", share(|movie| movie.runtime == 0), 3.8..5.4);
    check("no genre", share(|movie| movie.genres.is_empty()), 0.6..1.4);
    check("no votes", share(|movie| movie.vote_count == 0), 7.0..9.5);
    check("not English", share(|movie| movie.language.code != "en"), 30.0..45.0);
}

#[test]
fn two_movies_share_an_imdb_id_now_and_then() {
    let catalogue = catalogue(20_000);
    let shared = (0..20_000).filter_map(|index| {
        let movie = catalogue.movie(catalogue.nth(index));
        movie.imdb_id.text().map(|imdb_id| catalogue.by_imdb(imdb_id).len())
    });
    let counts: Vec<usize> = shared.collect();
    assert!(counts.iter().all(|found| *found >= 1), "every IMDb id leads back to its movie");
    assert!(counts.contains(&2));
}
