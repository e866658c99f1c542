//! The database itself: connections, deadlines, its clock, its errors. Below every other room.

pub(crate) mod clock;
pub(crate) mod connect;
pub(crate) mod deadline;
pub(crate) mod error;
pub(crate) mod row;
pub(crate) mod sessions;
pub(crate) mod transaction;
