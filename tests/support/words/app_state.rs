//! The app's database as it stands: every object and every row, to compare before and after.

use std::collections::BTreeMap;

use sqlx::Row;

use super::app::{HostedApp, Login};

/// Everything but schema `mangoes`: objects as `pg_dump` writes them, rows as sums.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AppState {
    /// By kind, schema and name.
    objects: BTreeMap<String, String>,
    /// By schema and name.
    tables: BTreeMap<String, Rows>,
    /// Members of publications, and where sequences stand.
    others: BTreeMap<String, String>,
}

/// The rows of a table: how many, and a sum over what they hold, where they lie and who wrote them.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Rows {
    count: i64,
    content: String,
    versions: String,
    file: i64,
}

impl HostedApp {
    /// All of it, at this moment.
    pub async fn state(&self) -> AppState {
        let mut dump = self.server_program("pg_dump");
        dump.args(["--schema-only", "--exclude-schema=mangoes", "--dbname"]);
        let done = dump.arg(self.url_as(Login::Superuser)).output().unwrap();
        assert!(done.status.success(), "pg_dump: {}", String::from_utf8_lossy(&done.stderr));
        let objects = objects(&String::from_utf8(done.stdout).unwrap());
        assert!(objects.len() > 40, "the dump was not understood: {:?}", objects.keys());
        AppState { objects, tables: self.tables().await, others: self.others().await }
    }

    async fn tables(&self) -> BTreeMap<String, Rows> {
        let names = self
            .rows(
                "select format('%I.%I', schemaname, tablename) as name
                 from pg_tables
                 where schemaname in ('public', 'auth', 'cron')",
            )
            .await;
        let mut tables = BTreeMap::new();
        for row in &names {
            let name: String = row.get("name");
            let sums = self
                .rows(&format!(
                    "select count(*) as count,
                         md5(coalesce(string_agg(t::text, chr(10) order by t::text), ''))
                             as content,
                         md5(coalesce(string_agg(t.ctid::text || t.xmin, ' ' order by t.ctid), ''))
                             as versions,
                         pg_relation_filenode('{name}')::bigint as file
                     from {name} t"
                ))
                .await;
            let sums = sums.first().unwrap();
            let rows = Rows {
                count: sums.get("count"),
                content: sums.get("content"),
                versions: sums.get("versions"),
                file: sums.get("file"),
            };
            tables.insert(name, rows);
        }
        tables
    }

    async fn others(&self) -> BTreeMap<String, String> {
        let rows = self
            .rows(
                "select 'member of ' || pubname || ' ' || schemaname || '.' || tablename as name,
                     '' as value
                 from pg_publication_tables
                 where schemaname <> 'mangoes'
                 union all
                 select 'sequence ' || schemaname || '.' || sequencename,
                     coalesce(last_value::text, '')
                 from pg_sequences
                 where schemaname <> 'mangoes'",
            )
            .await;
        rows.iter().map(|row| (row.get("name"), row.get("value"))).collect()
    }
}

impl AppState {
    /// What is there in another way in the later state: `+` new, `-` gone, `~` different; each with
    /// kind and name. Empty: nobody could tell that anything happened.
    pub fn changes(&self, later: &Self) -> Vec<String> {
        let mut changes = differences("", &self.objects, &later.objects);
        changes.extend(differences("rows of ", &self.tables, &later.tables));
        changes.extend(differences("", &self.others, &later.others));
        changes
    }
}

fn differences<T: PartialEq>(
    kind: &str,
    before: &BTreeMap<String, T>,
    after: &BTreeMap<String, T>,
) -> Vec<String> {
    let gone = before.keys().filter(|name| !after.contains_key(*name));
    let gone = gone.map(|name| format!("- {kind}{name}"));
    let others = after.iter().filter(|(name, value)| before.get(*name) != Some(value));
    let others = others.map(|(name, _)| {
        let sign = if before.contains_key(name) { '~' } else { '+' };
        format!("{sign} {kind}{name}")
    });
    gone.chain(others).collect()
}

/// The objects of a dump: each stands under a comment with its name, its kind and its schema.
fn objects(dump: &str) -> BTreeMap<String, String> {
    let mut objects: BTreeMap<String, String> = BTreeMap::new();
    let mut at = String::new();
    for line in dump.lines().filter(|line| !line.starts_with("\\")) {
        if let Some(name) = heading(line) {
            at = name;
            objects.entry(at.clone()).or_default();
        } else if !at.is_empty() && line != "--" {
            let text = objects.entry(at.clone()).or_default();
            text.push_str(line);
            text.push('\n');
        }
    }
    objects
}

/// `-- Name: works; Type: TABLE; Schema: public; Owner: app_owner` as `TABLE public.works`.
fn heading(line: &str) -> Option<String> {
    let rest = line.strip_prefix("-- Name: ")?;
    let (name, rest) = rest.split_once("; Type: ")?;
    let (kind, rest) = rest.split_once("; Schema: ")?;
    let (schema, _) = rest.split_once("; Owner: ")?;
    Some(format!("{kind} {schema}.{name}"))
}
