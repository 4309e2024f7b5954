//! What the gateway costs, against nginx and a bare Pingora proxy, in one run on one machine.
//!
//! `cargo bench --bench overhead [-- OPTIONS]`; needs nginx, `taskset` and two cores. The proxy
//! under test has one core for itself, the load and the upstream share the other. Subjects take
//! turns within each round, so that ratios hold even when the machine is not quiet. Every answer is
//! checked and a wrong one fails the run; times are printed and never judged. How to read the
//! figures: `docs/performance.md`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the table is the result")]
#![expect(
    clippy::disallowed_methods,
    reason = "a program of its own, without the gateway's clock, drain and resolver"
)]

mod args;
mod bare_pingora;
mod gate;
mod http1;
mod load;
mod payload;
mod process;
mod report;
mod rounds;
mod subjects;
mod upstream;
mod verify;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use args::Args;
use gate::Gates;
use payload::Shape;
use process::Process;
use report::{Columns, Row};
use rounds::Bench;
use subjects::{Setting, Subject};

#[cfg(feature = "jemalloc")]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// Whatever ends a run.
type Failure = Box<dyn std::error::Error>;

/// Aims for a start, in milliseconds, and for idle memory, in MiB.
const START_AIM_MS: f64 = 25.0;
const IDLE_AIM_MIB: f64 = 15.0;
/// Time for a process to come to rest before its idle memory is read.
const REST: Duration = Duration::from_millis(500);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    let result = match words.next().as_deref() {
        Some("bare-pingora") => {
            let (port, upstream) = (words.next(), words.next());
            bare_pingora::serve(&port.unwrap_or_default(), &upstream.unwrap_or_default())
        }
        Some("spin") => {
            spin();
            Ok(())
        }
        _ => run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("overhead: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<(), Failure> {
    let Some(args) = Args::parse(std::env::args().skip(1))? else {
        println!("{}", args::HELP);
        return Ok(());
    };
    let pinned = Command::new("taskset")
        .args(["-a", "-p", "-c", &args.load_core, &std::process::id().to_string()])
        .output()?;
    if !pinned.status.success() {
        return Err(String::from_utf8_lossy(&pinned.stderr).into());
    }
    let began = Instant::now();
    let folder = tempfile::tempdir()?;
    let gates = Gates::new(payload::Shape::ALL.iter().map(|s| s.lanes()).max().unwrap_or(1));
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let upstream = listener.local_addr()?;
    let upstream_gates = gates.clone();
    std::thread::spawn(move || {
        if let Err(error) = upstream::serve(listener, upstream_gates) {
            eprintln!("upstream: {error}");
        }
    });
    let spinners = keep_awake(&args, folder.path())?;
    let setting = Setting { folder: folder.path(), upstream, core: &args.proxy_core };
    let mut subjects = subjects(&args, &setting)?;
    let mut rows = Vec::new();
    measure_starts(&args, &mut subjects, &mut rows)?;
    let mut bench = Bench::new(&args, upstream, &subjects, gates);
    bench.run()?;
    rows.extend(bench.rows());
    rows.push(Row {
        title: "RSS peak over all loads, MiB".into(),
        values: subjects.iter().map(|subject| vec![subject.memory().peak]).collect(),
        has_ratio: false,
        aim: None,
    });
    drop(spinners);
    let position = |name: &str| subjects.iter().position(|subject| subject.name == name);
    let columns = Columns {
        nginx: position("nginx"),
        pingora: position("pingora"),
        names: subjects.iter().map(|subject| subject.name.clone()).collect(),
    };
    print!("{}", report::table(&columns, &rows));
    println!(
        "{} rounds of {:?} each; {} answers checked; {:.0?}",
        args.rounds,
        args.window,
        bench.answers(),
        began.elapsed()
    );
    bench.verdict()
}

fn subjects(args: &Args, setting: &Setting<'_>) -> Result<Vec<Subject>, Failure> {
    let mut subjects = Vec::new();
    if args.nginx && Command::new("nginx").arg("-v").output().is_ok() {
        subjects.push(Subject::nginx(setting)?);
    } else if args.nginx {
        eprintln!("nginx is not installed: nothing is compared with it");
    }
    if args.pingora {
        subjects.push(Subject::pingora(setting)?);
    }
    for (name, binary) in &args.arouters {
        subjects.push(Subject::arouter(setting, name, binary)?);
    }
    Ok(subjects)
}

/// Starts every subject several times and leaves it running.
fn measure_starts(
    args: &Args,
    subjects: &mut [Subject],
    rows: &mut Vec<Row>,
) -> Result<(), Failure> {
    let mut starts = vec![Vec::new(); subjects.len()];
    for _ in 0..args.starts.max(1) {
        for (subject, starts) in subjects.iter_mut().zip(&mut starts) {
            starts.push(subject.start()?.as_secs_f64() * 1e3);
        }
    }
    std::thread::sleep(REST);
    rows.push(Row {
        title: "start to first answer, ms".into(),
        values: starts,
        has_ratio: false,
        aim: Some(START_AIM_MS),
    });
    rows.push(Row {
        title: "RSS idle, MiB".into(),
        values: subjects.iter().map(|subject| vec![subject.memory().now]).collect(),
        has_ratio: false,
        aim: Some(IDLE_AIM_MIB),
    });
    Ok(())
}

/// Gives each core something to do that yields to everything else.
fn keep_awake(args: &Args, folder: &std::path::Path) -> Result<Vec<Process>, Failure> {
    if !args.awake {
        return Ok(Vec::new());
    }
    let program = std::env::current_exe()?.into_os_string();
    let words = ["chrt".into(), "-i".into(), "0".into(), program, "spin".into()];
    let start = |core: &String| Process::start(core, folder, "spin.log", &words);
    [&args.proxy_core, &args.load_core].into_iter().map(start).collect()
}

/// Keeps a core busy until the benchmark ends.
fn spin() {
    let parent = std::os::unix::process::parent_id();
    while std::os::unix::process::parent_id() == parent {
        for _ in 0..100_000 {
            std::hint::spin_loop();
        }
    }
}

/// The aim for a shape's CPU time, as a ratio to nginx.
fn aim(shape: Shape) -> f64 {
    match shape {
        Shape::Chat1 | Shape::Chat64 => 2.2,
        Shape::Stream | Shape::Body => 1.3,
        Shape::Translate => 1.7,
    }
}
