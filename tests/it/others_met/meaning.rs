//! Bytes instead of meaning: what is written in another way is no change, what is left out by a
//! rule is counted.

use serde_json::{Value, json};
use tests::World;
use tmdb_sim::Sim;

use super::{no_message_paid, world, world_with};

/// The same movie in two notations.
struct Notations {
    id: u64,
    before: Value,
    after: Value,
}

/// Reads each movie in its first notation, then in the other one, then in the first one again: none
/// is a change.
async fn are_no_change(sim: &Sim, world: &World, notations: &[Notations]) {
    for Notations { id, before, .. } in notations {
        sim.control().edit(*id, before.clone());
        world.ingest(id.cast_signed()).await;
        world.complete(id.cast_signed()).await;
    }
    for (looks, is_back) in [(2, false), (3, true)] {
        for Notations { id, before, after } in notations {
            sim.control().edit(*id, if is_back { before.clone() } else { after.clone() });
            world.stale(id.cast_signed()).await;
            world.events(&format!("movies.refreshed.{id}")).becomes(looks).await;
        }
    }
    let mut changed = Vec::new();
    for Notations { id, .. } in notations {
        let subject = format!("movies.changed.{id}");
        if world.events(&subject).saying("change", "updated").await > 0 {
            changed.push((*id, world.newest_event(&subject).await["diff"].clone()));
        }
    }
    assert!(changed.is_empty(), "changes of notation are told as changes: {changed:?}");
    no_message_paid(world).await;
}

fn video(key: &str, published_at: &str) -> Value {
    json!({
        "iso_639_1": "en", "iso_3166_1": "US", "name": "Official Trailer", "key": key,
        "site": "YouTube", "size": 1080, "type": "Trailer", "official": true,
        "published_at": published_at, "id": format!("64e5b1a2{key}"),
    })
}

/// A date in another notation, and keys that are new everywhere.
#[tokio::test(flavor = "multi_thread")]
async fn T3_another_notation_and_a_new_key_are_no_change() {
    let (sim, world) = world("t3").await;
    let videos = |at: &str| json!({"videos": {"results": [video("k1", at)]}});
    let poster = |more: Value| {
        let mut poster = json!({
            "file_path": "/a.jpg", "iso_639_1": "en", "vote_average": 5.0, "vote_count": 3,
            "width": 1000, "height": 1500, "aspect_ratio": 0.667,
        });
        if let (Some(poster), Value::Object(more)) = (poster.as_object_mut(), more) {
            poster.extend(more);
        }
        json!({"images": {"posters": [poster]}})
    };
    let notations = [
        Notations {
            id: 603,
            before: videos("2024-07-05T19:01:08.000Z"),
            after: videos("2024-07-05 19:01:08 UTC"),
        },
        Notations { id: 550, before: json!({"softcore": null}), after: json!({"softcore": false}) },
        Notations { id: 13, before: poster(json!({})), after: poster(json!({"iso_3166_1": "US"})) },
    ];
    are_no_change(&sim, &world, &notations).await;
}

/// Siblings of T3: another order, other spellings of a number and a date, other ends of lines.
#[tokio::test(flavor = "multi_thread")]
async fn T3_another_order_and_other_spellings_are_no_change() {
    let (sim, world) = world("t3-siblings").await;
    let (one, other) =
        (video("k1", "2024-07-05T19:01:08.000Z"), video("k2", "2024-07-06T19:01:08.000Z"));
    let videos = |list: [&Value; 2]| json!({"videos": {"results": list}});
    let notations = [
        Notations { id: 603, before: videos([&one, &other]), after: videos([&other, &one]) },
        Notations { id: 550, before: json!({"runtime": 139}), after: json!({"runtime": 139.0}) },
        Notations {
            id: 13,
            before: json!({"release_date": "1994-06-23"}),
            after: json!({"release_date": "1994-06-23T00:00:00.000Z"}),
        },
        Notations {
            id: 155,
            before: json!({"overview": "One.\nTwo."}),
            after: json!({"overview": "One.\r\nTwo. "}),
        },
    ];
    are_no_change(&sim, &world, &notations).await;
}

/// JustWatch moves the rank, the logo or the name of a provider for all its movies. One that comes
/// or goes is a change.
#[tokio::test(flavor = "multi_thread")]
async fn T6_offers_are_compared_by_provider_and_kind() {
    let (sim, world) = world("t6").await;
    let provider = |id: u64, name: &str, rank: u64| {
        json!({
            "provider_id": id, "provider_name": name, "display_priority": rank,
            "logo_path": format!("/{rank}.jpg"),
        })
    };
    let offers = |providers: Value| {
        let us = json!({"link": "https://movies.example/us", "flatrate": providers});
        json!({"watch/providers": {"results": {"US": us}}})
    };
    let (one, other) = (provider(8, "Netflix", 7), provider(10, "Amazon Video", 3));
    let notations = [
        Notations {
            id: 603,
            before: offers(json!([one, other])),
            after: offers(json!([provider(8, "Netflix", 8), other])),
        },
        Notations {
            id: 550,
            before: offers(json!([one, other])),
            after: offers(json!([provider(8, "Netflix Standard", 7), other])),
        },
        Notations {
            id: 13,
            before: offers(json!([one, other])),
            after: offers(json!([other, one])),
        },
    ];
    are_no_change(&sim, &world, &notations).await;
    sim.control().edit(603, offers(json!([one])));
    world.stale(603).await;
    world.events("movies.changed.603").saying("change", "updated").becomes(1).await;
}

/// A German film with a German trailer has it, whatever language texts are asked for in; one in
/// a language of others has none.
#[tokio::test(flavor = "multi_thread")]
async fn T4_a_film_has_the_trailer_of_its_own_language() {
    let (sim, world) = world("t4").await;
    for (id, own, spoken) in [(603, "de", "de"), (550, "de", "en"), (13, "de", "fr")] {
        let mut trailer = video(&format!("trailer{id}"), "2024-07-05T19:01:08.000Z");
        trailer["iso_639_1"] = json!(spoken);
        let film = json!({"original_language": own, "videos": {"results": [trailer]}});
        sim.control().edit(id, film);
        world.ingest(id.cast_signed()).await;
    }
    world.all_complete(&[603, 550, 13]).await;
    for (key, expected) in [("trailer603", 1), ("trailer550", 1), ("trailer13", 0)] {
        assert_eq!(world.details().with_trailer(key).await, expected, "{key}");
    }
}

/// Rows that a list flags as adult or softcore are left out and counted, unless they are asked for.
#[tokio::test(flavor = "multi_thread")]
async fn T8_rows_for_adults_come_in_by_setting_only() {
    let flagged = |sim: &Sim| {
        sim.control().edit(603, json!({"adult": true}));
        sim.control().edit(550, json!({"softcore": true}));
    };
    let (sim, world) = world("t8-out").await;
    flagged(&sim);
    world.ingest_list_as("out", "popular", 10).await;
    world.list_runs().of_run("out").ingested(10).that_add_up().becomes(1).await;
    assert_eq!(world.movies_of(&[603, 550]).await, 0);
    assert_eq!(world.run_with_id("out").that_left_out_for_adults(2).await, 1);
    drop(world);
    let (sim, world) = world_with("t8-in", &[("TMDB_ADULT", "include")]).await;
    flagged(&sim);
    world.ingest_list("popular", 10).await;
    world.all_complete(&[603, 550]).await;
}
