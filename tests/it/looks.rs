//! Looks that cost nothing: what is shown of a large catalogue is not counted by whoever looks.

use tests::{Database, Folder, Said, mangoes, postgres};

/// Enough that a look which reads the catalogue, a history or a queue is found.
const TITLES: i64 = 100_000;
/// Rows that a look may read, whatever there is: some capped counts, and the catalogs of Postgres.
const READ_BY_A_LOOK: i64 = 12_000;
/// Rows that a hundred due movies may cost, some of each table.
const READ_FOR_A_HUNDRED: i64 = 1_500;

/// However large the catalogue: rows read, and not times, which a busy machine would spoil.
#[tokio::test]
async fn a_look_reads_little_of_a_large_catalogue() {
    let folder = Folder::new("looks");
    let postgres = postgres(&folder).await;
    let url = postgres.database_url();
    let verb = |args: &[&str]| {
        let said = Said::by(mangoes(&folder.0).args(args).env("DATABASE_URL", &url));
        assert!(said.code == Some(0) || args.contains(&"--check"), "{args:?}: {}", said.text);
        said.text
    };
    verb(&["migrate"]);
    let database = Database::connect(&url, &folder.0.join("no.log")).await;
    database.add_many_titles(TITLES).await;
    let first = verb(&["status"]);
    assert!(first.contains("of 99500 titles within policy, counted"), "no service counts: {first}");
    for look in [
        &["status"][..],
        &["status", "--check"],
        &["status", "--json"],
        &["jobs", "list"],
        &["movie", "show", "5000"],
        &["movie", "history", "5000"],
        &["dead", "list"],
    ] {
        let read = database.rows_read_by(|| drop(verb(look))).await;
        assert!((1..READ_BY_A_LOOK).contains(&read), "{look:?} read {read} rows");
    }
    let due = "select * from get_stale_movies(100)";
    let read = database.rows_read_for(due).await;
    assert!((100..READ_FOR_A_HUNDRED).contains(&read), "{due} read {read} rows");
    let stale = "select is_stale(id) from generate_series(1, 100) id";
    let read = database.rows_read_for(stale).await;
    assert!((100..READ_FOR_A_HUNDRED).contains(&read), "{stale} read {read} rows");
    database.close().await;
    postgres.stop().await.unwrap();
}
