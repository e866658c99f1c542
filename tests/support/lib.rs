//! What the test binaries share: a World with words for what is in it, the program under test,
//! servers, private folders, a proxy, dice, a clock that is wrong.
//!
//! A test reads as a story: it starts a [`World`], does something in its words, waits for a
//! condition ([`Rows::becomes`], [`World::complete`](Database::complete), [`eventually`]) and
//! compares what it finds. No test sleeps to see that nothing happens, and none holds SQL: a
//! question that no word asks yet becomes a word in `words/`, in the file of its room.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails loudly"
)]

pub mod app;
mod clock;
mod database;
mod dice;
mod eventually;
mod folder;
mod given;
mod http;
mod nats;
mod pooler;
mod program;
mod proxy;
mod secured_nats;
mod servers;
pub mod shapes;
mod socket;
mod superuser;
mod words;
mod world;

pub use clock::{build_shim, now};
pub use database::{Database, Rows};
pub use dice::Dice;
pub use eventually::{PATIENCE, Wait, eventually};
pub use folder::Folder;
pub use given::{Given, Running};
pub use http::http_get;
pub use nats::{PlainNats, nats_login};
pub use pooler::Pooler;
pub use program::{Process, Said, last_lines, mangoes, program};
pub use proxy::{Mode, Proxy};
pub use secured_nats::SecuredNats;
pub use servers::{CREDENTIAL, options, postgres, servers, simulator};
pub use socket::SocketDoor;
pub use superuser::superuser;
pub use words::{
    Any, AppDatabase, AppState, Audit, Budgets, CachedCard, Calls, CardDetails, DeadLetters, Deeds,
    Details, Events, HostedApp, IngestionRun, Jobs, ListRuns, Lock, Login, Movies, Oddity,
    OpenTransaction, QueueRows, Runs, Seen, SimilarMovie, Stalls, StoredMovie, Tried, Writer,
};
pub use world::World;
