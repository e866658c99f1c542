//! Schedules by SQL: the functions that people call, edits of `job`, and jobs added in bulk.

use crate::database::{Database, quoted};

impl Database {
    /// Pauses the job as a person with SQL does.
    pub async fn pause_by_sql(&self, job: &str, note: &str) {
        self.execute(&format!("select mangoes.job_pause('{job}', {})", quoted(note))).await;
    }

    /// Pauses it until then; refused: with these words.
    pub async fn try_pause_until(&self, job: &str, note: &str, until: &str) -> Result<(), String> {
        let note = quoted(note);
        self.try_execute(&format!("select mangoes.job_pause('{job}', {note}, '{until}')")).await
    }

    /// Lets the job go on as a person with SQL does.
    pub async fn resume_by_sql(&self, job: &str) {
        self.execute(&format!("select mangoes.job_resume('{job}')")).await;
    }

    /// Gives the job this schedule as a person with SQL does.
    pub async fn schedule_by_sql(&self, job: &str, schedule: &str) {
        self.try_schedule(job, schedule).await.unwrap();
    }

    /// As `schedule_by_sql`; refused: with these words.
    pub async fn try_schedule(&self, job: &str, schedule: &str) -> Result<(), String> {
        self.try_execute(&format!("select mangoes.job_schedule('{job}', {})", quoted(schedule)))
            .await
    }

    /// Runs the job as a person with SQL does; returns the run's id.
    pub async fn run_by_sql(&self, job: &str, payload: &serde_json::Value) -> String {
        let payload = quoted(&payload.to_string());
        self.value(&format!("select mangoes.job_run('{job}', {payload})")).await
    }

    /// Cancels all runs of the job as a person with SQL does.
    pub async fn cancel_by_sql(&self, job: &str) {
        self.execute(&format!(
            "select mangoes.run_cancel(run_id)
             from job_run
             where job = '{job}'"
        ))
        .await;
    }

    /// Writes these columns of the job, beside all functions; values as text.
    pub async fn edit_job(&self, job: &str, columns: &[(&str, &str)]) {
        self.try_edit_job(job, columns).await.unwrap();
    }

    /// As `edit_job`; refused: with these words.
    pub async fn try_edit_job(&self, job: &str, columns: &[(&str, &str)]) -> Result<(), String> {
        let sets: Vec<String> =
            columns.iter().map(|(name, value)| format!("{name} = {}", quoted(value))).collect();
        self.try_execute(&format!("update job set {} where name = '{job}'", sets.join(", "))).await
    }

    /// Writes every job once, as it is.
    pub async fn touch_all_jobs(&self) {
        self.execute("update job set catch_up_secs = catch_up_secs").await;
    }

    /// No job runs at its times.
    pub async fn pause_all_jobs_by_hand(&self) {
        self.execute("update job set enabled = false").await;
    }

    /// Gives the job a schedule that SQL refuses today, as an older version took it.
    pub async fn force_schedule(&self, job: &str, schedule: &str) {
        self.execute(&format!(
            "alter table job disable trigger check_job_schedule;
             update job set schedule = {} where name = '{job}';
             alter table job enable trigger check_job_schedule",
            quoted(schedule)
        ))
        .await;
    }

    /// Moves the job's next nominal time back: so many minutes before now, rounded down to a
    /// multiple of `every_minutes`.
    pub async fn set_back(&self, job: &str, minutes: i32, every_minutes: i32) {
        self.execute(&format!(
            "update job
             set next_at = date_bin('{every_minutes} minutes', now(), 'epoch')
                 - interval '{minutes} minutes'
             where name = '{job}'"
        ))
        .await;
    }

    /// What SQL says against the schedule; `None`: it takes it.
    pub async fn schedule_problem(&self, schedule: &str) -> Option<String> {
        let query = sqlx::query_scalar("select schedule_problem($1)").bind(schedule);
        query.fetch_one(&self.pool).await.unwrap()
    }

    /// A job whose ticks ask for one movie.
    pub async fn add_beat(&self, schedule: &str) {
        self.execute(&format!(
            "insert into job (name, action, payload, schedule)
             values ('beat', 'refresh', '{{\"max_items\": 1}}', {})",
            quoted(schedule)
        ))
        .await;
    }

    /// Jobs `job-1` and so on that fire at each of so many minutes, which begin in two minutes, and
    /// catch up with all that they missed.
    pub async fn add_minutely_jobs(&self, jobs: i64, minutes: i64) {
        self.execute(&format!(
            "insert into job (name, action, payload, schedule, overlap_policy,
                 catch_up_secs, catch_up_max, starts_at, ends_at)
             select 'job-' || n, 'scan', '{{\"limit\": 1}}', '* * * * *', 'allow',
                 86400, 1000, t, t + interval '{} minutes'
             from generate_series(1, {jobs}) n,
                 (select date_trunc('minute', now()) + interval '2 minutes' as t) start",
            minutes - 1
        ))
        .await;
    }

    /// Of those jobs the ones with another number of nominal times that have a row.
    pub async fn jobs_without_all_minutes(&self, minutes: i64) -> i64 {
        self.value(&format!(
            "select count(*)
             from job j
             where name like 'job-%'
               and (select count(distinct scheduled_for)
                   from job_run
                   where job = j.name
                     and scheduled_for between j.starts_at and j.ends_at) <> {minutes}"
        ))
        .await
    }

    /// Ten thousand jobs that fire once a year each.
    pub async fn add_ten_thousand_yearly_jobs(&self) {
        self.execute(
            "insert into job (name, action, payload, schedule)
             select 'yearly-' || n, 'scan', '{\"limit\": 1}',
                 format('%s %s %s %s *', n % 60, n % 24, n % 28 + 1, n % 12 + 1)
             from generate_series(1, 10000) n",
        )
        .await;
    }

    /// Fifty jobs `often-1` and so on that fire every two seconds.
    pub async fn add_fifty_frequent_jobs(&self) {
        self.execute(
            "insert into job (name, action, payload, schedule, overlap_policy)
             select 'often-' || n, 'scan', '{\"limit\": 1}', '*/2 * * * * *', 'allow'
             from generate_series(1, 50) n",
        )
        .await;
    }
}
