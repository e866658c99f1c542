//! What the parties used: the program, Postgres, NATS.

use std::ops::Sub;

use anyhow::Result;
use serde::Serialize;

use crate::proc_fs;

/// The processes that are measured, by the id of the first of each party.
#[derive(Debug, Clone)]
pub(crate) struct Parties {
    /// The program's processes, or the reference's.
    pub(crate) program: Vec<i32>,
    pub(crate) postgres: i32,
    pub(crate) nats: i32,
}

/// CPU seconds and bytes, since each process began or between two moments.
#[derive(Debug, Clone, Copy, Default, Serialize)]
pub(crate) struct Usage {
    pub(crate) program_secs: f64,
    pub(crate) postgres_secs: f64,
    pub(crate) nats_secs: f64,
    /// Written to the disk by all parties.
    pub(crate) written_bytes: u64,
    /// Of Postgres' write-ahead log.
    pub(crate) wal_bytes: u64,
}

impl Parties {
    /// What they have used so far; the position in the write-ahead log is the database's to say.
    pub(crate) fn usage(&self, wal_bytes: u64) -> Result<Usage> {
        let mut usage = Usage {
            postgres_secs: proc_fs::cpu_secs(self.postgres)?,
            nats_secs: proc_fs::cpu_secs(self.nats)?,
            written_bytes: proc_fs::written_bytes(self.postgres)?
                + proc_fs::written_bytes(self.nats)?,
            wal_bytes,
            ..Usage::default()
        };
        for pid in &self.program {
            usage.program_secs += proc_fs::cpu_secs(*pid)?;
            usage.written_bytes += proc_fs::written_bytes(*pid)?;
        }
        Ok(usage)
    }

    /// The most memory of one of the program's processes since the last [`Parties::forget_peak`].
    pub(crate) fn peak_bytes(&self) -> u64 {
        self.program.iter().filter_map(|pid| proc_fs::peak_bytes(*pid)).max().unwrap_or(0)
    }

    /// The most memory that one of the program's processes has now.
    pub(crate) fn resident_bytes(&self) -> u64 {
        self.program.iter().filter_map(|pid| proc_fs::resident_bytes(*pid)).max().unwrap_or(0)
    }

    /// The peak counts from now on.
    pub(crate) fn forget_peak(&self) -> Result<()> {
        self.program.iter().try_for_each(|pid| proc_fs::forget_peak(*pid))
    }
}

impl Usage {
    /// CPU seconds of all parties.
    pub(crate) fn total_secs(&self) -> f64 {
        self.program_secs + self.postgres_secs + self.nats_secs
    }
}

impl Sub for Usage {
    type Output = Self;

    fn sub(self, earlier: Self) -> Self {
        Self {
            program_secs: self.program_secs - earlier.program_secs,
            postgres_secs: self.postgres_secs - earlier.postgres_secs,
            nats_secs: self.nats_secs - earlier.nats_secs,
            written_bytes: self.written_bytes.saturating_sub(earlier.written_bytes),
            wal_bytes: self.wal_bytes.saturating_sub(earlier.wal_bytes),
        }
    }
}
