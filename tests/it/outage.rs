//! The store is a PostgreSQL server that hangs, and later is gone: requests do not notice, and in
//! the end each is stored once.

use crate::postgres_server::new_database;
use crate::rig::{Plan, Rig, free_address};
use crate::traffic::{Got, Traffic, ids, p99};
use arouter::store::{Outcome, Store, UsageFilter};
use std::collections::HashSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, UnixStream};
use tokio::sync::watch;

/// What lies between the gateway and its store.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Line {
    Open,
    /// Nothing passes, and nothing is closed: the server is stopped.
    Silent,
    /// Connections are closed, and new ones too: the server is gone.
    Cut,
}

/// Passes connections on to the server's socket.
async fn relay(listener: TcpListener, server: String, line: watch::Receiver<Line>) {
    while let Ok((client, _)) = listener.accept().await {
        if *line.borrow() == Line::Cut {
            continue;
        }
        let Ok(server) = UnixStream::connect(&server).await else { continue };
        let (up, down) = (line.clone(), line.clone());
        tokio::spawn(async move {
            let (from_client, to_client) = client.into_split();
            let (from_server, to_server) = server.into_split();
            tokio::select! {
                () = pump(from_client, to_server, up) => {}
                () = pump(from_server, to_client, down) => {}
            }
        });
    }
}

async fn pump(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    mut line: watch::Receiver<Line>,
) {
    let mut buffer = vec![0; 16 * 1024];
    loop {
        let read = tokio::select! {
            _cut = line.wait_for(|line| *line == Line::Cut) => return,
            read = from.read(&mut buffer) => read.unwrap_or(0),
        };
        let passes =
            line.wait_for(|line| *line != Line::Silent).await.is_ok_and(|line| *line == Line::Open);
        if read == 0 || !passes || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_server_that_hangs_or_is_gone_delays_no_request() {
    let direct = new_database().await;
    // `postgres:///<database>?host=<folder>&user=postgres`
    let (database, folder) =
        direct.strip_prefix("postgres:///").unwrap().split_once("?host=").unwrap();
    let (folder, _) = folder.split_once('&').unwrap();
    let address: SocketAddr = free_address();
    let (line, watched) = watch::channel(Line::Open);
    let listener = TcpListener::bind(address).await.unwrap();
    tokio::spawn(relay(listener, format!("{folder}/.s.PGSQL.5432"), watched));
    let url = format!("postgres://postgres@{address}/{database}?sslmode=disable");
    let mut rig = Rig::with(Plan { store_url: Some(&url), ..Plan::default() }).await;

    let traffic = Traffic::start(rig.gateway, 4, Duration::from_millis(20));
    tokio::time::sleep(Duration::from_secs(4)).await;
    let disturbed = Instant::now();
    for state in [Line::Silent, Line::Open, Line::Cut] {
        line.send_replace(state);
        tokio::time::sleep(Duration::from_secs(if state == Line::Open { 1 } else { 5 })).await;
    }
    let restored = Instant::now();
    line.send_replace(Line::Open);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let got = traffic.stop().await;
    assert!(got.iter().all(|got| got.status == 200));

    let during = |got: &&Got| got.at > disturbed && got.at < restored;
    let usual = p99(got.iter().filter(|got| got.at < disturbed));
    let held = p99(got.iter().filter(during));
    let store = Store::open(&direct).await.unwrap();
    let rows = async || store.usage_page(&UsageFilter::default(), None, 100_000).await.unwrap();
    while rows().await.len() < got.len() && restored.elapsed() < Duration::from_secs(30) {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let caught_up = restored.elapsed();
    let count = got.iter().filter(during).count();
    eprintln!(
        "store gone: {count} answers, p99 {held:?} against {usual:?}, stored {caught_up:?} after"
    );
    assert!(held < usual * 3 + Duration::from_millis(50), "{held:?} against {usual:?}");

    rig.signal("TERM");
    rig.wait_for_exit(Duration::from_secs(20)).await;
    let rows = rows().await;
    assert!(rows.iter().all(|row| row.outcome == Outcome::Complete), "{rows:?}");
    let stored: HashSet<&str> = rows.iter().map(|row| row.id.as_str()).collect();
    assert_eq!(stored, ids(&got).into_iter().collect());
    assert_eq!(rows.len(), got.len());
    let totals = store.key_totals(0).await.unwrap();
    assert_eq!(totals.iter().map(|total| total.requests).sum::<u64>(), got.len() as u64);
    assert!(store.processes_with_open_requests().await.unwrap().is_empty());
    store.close().await;
}
