//! The clients: each sends a request, checks the answer, and sends the next.
//!
//! All run on the calling thread. A measurement ends when its time is over and every client has
//! finished the request it was at; all finished requests count.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use crate::Failure;
use crate::gate::Gates;
use crate::http1::{Body, Connection};
use crate::payload::{self, Shape, Via};
use crate::verify::{Events, Progress, Whole};

/// Longest that one answer may take.
const ANSWER_LIMIT: Duration = Duration::from_secs(10);

/// What one measurement found.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// Requests answered correctly.
    pub(crate) done: u32,
    /// From the first request to the last answer.
    pub(crate) took: Duration,
    /// Latency of each request, sorted.
    pub(crate) latencies: Vec<Duration>,
    /// What went wrong first.
    pub(crate) wrong: Option<String>,
}

impl Found {
    /// The latency that a share of the requests did not exceed, in microseconds.
    pub(crate) fn percentile_us(&self, share: usize) -> f64 {
        let last = self.latencies.len().saturating_sub(1);
        let at = self.latencies.len() * share / 100;
        self.latencies.get(at.min(last)).map_or(f64::NAN, |l| l.as_secs_f64() * 1e6)
    }
}

/// Where the clients connect to, and what they ask.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target {
    pub(crate) address: SocketAddr,
    pub(crate) via: Via,
    pub(crate) shape: Shape,
}

/// Connects all clients, lets each ask once unmeasured, and calls `at_start` before the rest.
pub(crate) async fn measure(
    target: Target,
    gates: &Gates,
    window: Duration,
    at_start: impl FnOnce(),
) -> Found {
    let local = LocalSet::new();
    local.run_until(measure_here(target, gates, window, at_start)).await
}

async fn measure_here(
    target: Target,
    gates: &Gates,
    window: Duration,
    at_start: impl FnOnce(),
) -> Found {
    let found = Rc::new(RefCell::new(Found::default()));
    let mut clients = Vec::new();
    for lane in 0..target.shape.lanes() {
        let mut client = match Client::new(target, lane, gates.clone()) {
            Ok(client) => client,
            Err(error) => return failed(&error),
        };
        match client.ask().await {
            Ok(()) => clients.push(client),
            Err(error) => return failed(&error),
        }
    }
    at_start();
    let started = Instant::now();
    let ends = started + window;
    let asking = clients.into_iter().map(|mut client| {
        let found = Rc::clone(&found);
        tokio::task::spawn_local(async move { client.ask_until(ends, &found).await })
    });
    let asking: Vec<_> = asking.collect();
    for client in asking {
        if let Err(error) = client.await {
            found.borrow_mut().wrong = Some(error.to_string());
        }
    }
    let mut found = found.take();
    found.took = started.elapsed();
    found.latencies.sort_unstable();
    found
}

fn failed(error: &Failure) -> Found {
    Found { wrong: Some(error.to_string()), ..Found::default() }
}

/// One client with its connection.
struct Client {
    target: Target,
    lane: usize,
    gates: Gates,
    request: Vec<u8>,
    connection: Option<Connection>,
    whole: Whole,
    events: Events,
    /// Bytes of a stream not yet read as events.
    pending: Vec<u8>,
}

impl Client {
    fn new(target: Target, lane: usize, gates: Gates) -> Result<Self, Failure> {
        let is_native = target.shape == Shape::Translate && target.via == Via::Plain;
        Ok(Self {
            target,
            lane,
            gates,
            request: payload::request(target.shape, target.via, lane),
            connection: None,
            whole: Whole::new()?,
            events: if is_native { Events::anthropic() } else { Events::openai() },
            pending: Vec::new(),
        })
    }

    async fn ask_until(&mut self, ends: Instant, found: &RefCell<Found>) {
        loop {
            let asked = Instant::now();
            if asked >= ends || found.borrow().wrong.is_some() {
                return;
            }
            let answered = self.ask().await;
            let mut found = found.borrow_mut();
            match answered {
                Ok(()) => {
                    found.done += 1;
                    found.latencies.push(asked.elapsed());
                }
                Err(error) => found.wrong = Some(error.to_string()),
            }
        }
    }

    /// One request and its answer.
    async fn ask(&mut self) -> Result<(), Failure> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => Connection::new(TcpStream::connect(self.target.address).await?)?,
        };
        let exchange = tokio::time::timeout(ANSWER_LIMIT, self.exchange(&mut connection));
        let closes = exchange.await.map_err(|_| "no whole answer in time")??;
        if !connection.is_clean() {
            return Err("bytes after the end of an answer".into());
        }
        if !closes {
            self.connection = Some(connection);
        }
        Ok(())
    }

    async fn exchange(&mut self, connection: &mut Connection) -> Result<bool, Failure> {
        let gate = if self.target.shape.is_stream() { self.gates.renew(self.lane) } else { None };
        connection.stream.write_all(&self.request).await?;
        let head = connection.head().await?.ok_or("closed without an answer")?;
        let is_fine = head.status == 200;
        match (head.body, gate) {
            (Body::Sized(length), None) if is_fine => {
                self.whole.check(connection.sized(length).await?)?;
            }
            (Body::Chunked, Some(gate)) if is_fine => {
                let mut progress = Progress::default();
                self.pending.clear();
                let mut more = true;
                while more {
                    more = connection.chunks(&mut self.pending).await?;
                    gate.add_permits(self.events.take(&mut self.pending, &mut progress)?);
                }
                progress.check()?;
            }
            (Body::Sized(length), _) => {
                let text = String::from_utf8_lossy(connection.sized(length).await?).into_owned();
                return Err(format!("status {}: {text}", head.status).into());
            }
            (Body::Chunked, _) => return Err(format!("chunked, status {}", head.status).into()),
        }
        Ok(head.closes)
    }
}
