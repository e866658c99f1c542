//! `migrations/schema.txt` is the schema that the migrations make: a review sees each change of it.

use std::path::Path;

use tests::{Database, Folder, Said, mangoes, postgres};

/// Functions that run with the rights of their owner: one more needs a look at each name in it.
const WITH_RIGHTS: usize = 7;
/// It has no path, because each name in it has its schema.
const WITH_FULL_NAMES: &str = "public.is_stale(";

/// A new database has the schema of the file; `make bless` writes the file.
#[tokio::test]
async fn the_schema_is_that_of_the_file() {
    let folder = Folder::new("schema");
    let postgres = postgres(&folder).await;
    let url = postgres.database_url();
    let said = Said::by(mangoes(&folder.0).arg("migrate").env("DATABASE_URL", &url));
    assert!(said.succeeded(), "{}", said.text);
    let database = Database::connect(&url, &folder.0.join("no.log")).await;
    let made = "What the migrations make in a new database. Written by `make bless`.\n".to_owned()
        + &database.schema_as_text().await;
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../migrations/schema.txt");
    if std::env::var_os("MANGOES_BLESS").is_some() {
        std::fs::write(&path, &made).unwrap();
    }
    let file = std::fs::read_to_string(&path).unwrap_or_default();
    let differs = made.lines().zip(file.lines()).find(|(made, file)| made != file);
    assert!(made == file, "migrations/schema.txt differs at {differs:?}: run `make bless`");
    // They run with the rights of their owner: nobody else may put a name into their way.
    let with_rights: Vec<&str> =
        made.lines().filter(|line| line.contains("security definer")).collect();
    assert_eq!(with_rights.len(), WITH_RIGHTS, "{with_rights:#?}");
    for line in with_rights.iter().filter(|line| !line.starts_with(WITH_FULL_NAMES)) {
        let path = line.split("search_path=").nth(1).unwrap_or_default();
        let path = path.split("; ").next().unwrap_or_default();
        let expected = if line.starts_with("public.") { "pg_catalog" } else { "mangoes" };
        assert_eq!(path, format!("{expected}, pg_temp"), "{line}");
    }
    database.close().await;
    postgres.stop().await.unwrap();
}
