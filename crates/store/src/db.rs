//! The database itself: connections, deadlines, its clock, its errors. Below every other room.

pub(crate) mod clock;
pub(crate) mod connect;
pub(crate) mod deadline;
pub(crate) mod error;
pub(crate) mod group_commit;
pub(crate) mod notifications;
mod password;
mod pooler;
pub(crate) mod row;
mod session_settings;
pub(crate) mod sessions;
pub(crate) mod target;
mod tls;
pub(crate) mod transaction;
