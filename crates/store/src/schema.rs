//! The schema of the database: `migrations/`, applied in one transaction, and works that were there
//! before us.

pub(crate) mod adopt;
pub(crate) mod apply;
