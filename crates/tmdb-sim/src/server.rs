//! The listener and its connections.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use crate::api;
use crate::catalogue::Catalogue;
use crate::control::Control;
use crate::error::SimError;
use crate::http::Request;
use crate::options::Options;
use crate::recorded::Recorded;
use crate::render::Renderer;
use crate::reply::Reply;
use crate::settings::Settings;
use crate::sim_clock::SimClock;
use crate::source::Source;
use crate::state::State;
use crate::{control_http, export};

/// Longest time a stalled request is held open.
const STALL: Duration = Duration::from_secs(600);

/// A running simulator; it stops when dropped.
#[derive(Debug)]
pub struct Sim {
    address: SocketAddr,
    control: Control,
    tasks: TaskTracker,
    cancel: DropGuard,
}

impl Sim {
    /// Starts listening and serves until stopped or dropped.
    ///
    /// # Errors
    /// Where the address cannot be bound, or recorded answers were asked for and cannot be used.
    pub async fn start(options: Options) -> Result<Self, SimError> {
        let clock = SimClock::new();
        let source = match &options.recorded {
            Some(path) => Source::Recorded(Recorded::open(path).await?),
            None => {
                let catalogue = Catalogue::new(options.seed, options.movies, clock.now().date());
                let renderer = Box::new(Renderer::new(&catalogue, options.obscure));
                Source::Generated(catalogue, renderer)
            }
        };
        let listen = |source| SimError::Listen { address: options.listen, source };
        let listener = TcpListener::bind(options.listen).await.map_err(listen)?;
        let address = listener.local_addr().map_err(listen)?;
        let settings = Settings {
            latency_ms: options.latency.as_secs_f64() * 1_000.0,
            rate_limit: options.rate_limit,
            retry_after: options.retry_after,
            ..Settings::default()
        };
        let state = State::new(source, options.seed, clock, settings);
        state.set_credential(options.credential);
        let control = Control { state: Arc::new(state) };
        let (tasks, cancel) = (TaskTracker::new(), CancellationToken::new());
        tasks.spawn(accept(listener, control.clone(), tasks.clone(), cancel.clone()));
        tasks.close();
        Ok(Self { address, control, tasks, cancel: cancel.drop_guard() })
    }

    /// The base address of the API: `http://127.0.0.1:PORT/3`.
    pub fn base_url(&self) -> String {
        format!("http://{}/3", self.address)
    }

    /// The handle that steers this simulator.
    pub fn control(&self) -> Control {
        self.control.clone()
    }

    /// Hangs up on every client and waits until the port is free.
    pub async fn stop(self) {
        let Self { tasks, cancel, .. } = self;
        drop(cancel);
        tasks.wait().await;
    }
}

async fn accept(
    listener: TcpListener,
    control: Control,
    tasks: TaskTracker,
    cancel: CancellationToken,
) {
    loop {
        let accepted = tokio::select! {
            () = cancel.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, _)) => {
                let (control, cancel) = (control.clone(), cancel.clone());
                tasks.spawn(async move {
                    tokio::select! {
                        () = cancel.cancelled() => {}
                        _ = serve(stream, &control) => {}
                    }
                });
            }
            Err(error) => {
                // Out of file descriptors, most likely: waiting lets some connections end.
                tracing::warn!(%error, "the simulator cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        }
    }
}

/// Answers the requests of one connection in turn; ends with it.
async fn serve(mut stream: TcpStream, control: &Control) -> std::io::Result<()> {
    stream.set_nodelay(true)?;
    let mut buffer = Vec::with_capacity(4_096);
    while let Some(request) = Request::read(&mut stream, &mut buffer).await {
        let reply = match request.path.strip_prefix("/_sim/") {
            Some(path) => Reply::Whole(control_http::answer(control, path, &request)),
            None => api::answer(&control.state, &request).await,
        };
        match reply {
            Reply::Whole(response) => stream.write_all(&response.encode(request.gzip)).await?,
            Reply::Half(response) => {
                let bytes = response.encode(request.gzip);
                let half = bytes.len() - bytes.len().min(1_000) / 2;
                stream.write_all(bytes.get(..half).unwrap_or_default()).await?;
                return stream.shutdown().await;
            }
            Reply::Export { whole } => {
                export::send(&mut stream, &control.state, whole).await?;
                if !whole {
                    return stream.shutdown().await;
                }
            }
            // Closing with no time to linger makes the system send a reset.
            Reply::Reset => return stream.set_zero_linger(),
            Reply::Stall => {
                // The client went away, or waited longer than the simulator does: both end here.
                let _ = tokio::time::timeout(STALL, stream.read_u8()).await;
                return Ok(());
            }
        }
        if request.close {
            return stream.shutdown().await;
        }
    }
    Ok(())
}
