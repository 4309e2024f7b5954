//! A process under test: started on its core, watched through `/proc`, ended with its children.
//!
//! CPU time and memory are those of the process and its children, because nginx works in a child.
//! CPU time is the scheduler's own count in nanoseconds, user and system together.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::Failure;

/// Longest that a process is waited for until it has caught up with its work.
const QUIET_LIMIT: Duration = Duration::from_secs(5);
/// A process that used less than this in [`QUIET_STEP`] is quiet.
const QUIET_CPU: Duration = Duration::from_millis(1);
const QUIET_STEP: Duration = Duration::from_millis(100);

/// A running process; dropped, it is ended.
#[derive(Debug)]
pub(crate) struct Process(Child);

/// Memory in MiB.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Memory {
    /// Resident now.
    pub(crate) now: f64,
    /// Most that was ever resident.
    pub(crate) peak: f64,
}

impl Process {
    /// Starts `words` on `core`, in `folder`, with its output in `name`.log there.
    pub(crate) fn start<S: AsRef<OsStr>>(
        core: &str,
        folder: &Path,
        name: &str,
        words: &[S],
    ) -> Result<Self, Failure> {
        let log = File::options().create(true).append(true).open(folder.join(name))?;
        let child = Command::new("taskset")
            .args(["-c", core])
            .args(words)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()?;
        Ok(Self(child))
    }

    /// Whether it still runs.
    pub(crate) fn is_running(&mut self) -> bool {
        matches!(self.0.try_wait(), Ok(None))
    }

    fn family(&self) -> Vec<u32> {
        let own = self.0.id();
        let mut family = vec![own];
        for entry in fs::read_dir("/proc").into_iter().flatten().flatten() {
            let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse().ok()) else {
                continue;
            };
            if parent_of(pid) == Some(own) {
                family.push(pid);
            }
        }
        family
    }

    /// CPU time used so far.
    pub(crate) fn cpu(&self) -> Duration {
        self.family().into_iter().map(cpu_of).sum()
    }

    /// Waits until the process has no more work, and returns its CPU time then: what a request
    /// leaves to be done in the background is counted, and does not disturb the next measurement.
    pub(crate) fn cpu_when_quiet(&self) -> Duration {
        let limit = Instant::now() + QUIET_LIMIT;
        let mut before = self.cpu();
        loop {
            sleep(QUIET_STEP);
            let now = self.cpu();
            if now.saturating_sub(before) < QUIET_CPU || Instant::now() > limit {
                return now;
            }
            before = now;
        }
    }

    /// Memory of the process and its children.
    pub(crate) fn memory(&self) -> Memory {
        let mut sum = Memory::default();
        for pid in self.family() {
            let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
            let field = |name: &str| {
                let line = status.lines().find_map(|line| line.strip_prefix(name));
                let kib = line.and_then(|rest| rest.split_whitespace().next()?.parse::<f64>().ok());
                kib.unwrap_or(0.0) / 1024.0
            };
            sum.now += field("VmRSS:");
            sum.peak += field("VmHWM:");
        }
        sum
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Its children first: a master that is killed would leave them behind.
        let family = self.family();
        let children: Vec<String> = family.iter().skip(1).map(u32::to_string).collect();
        if !children.is_empty() {
            // Only asking: whoever is gone already is no failure.
            let _ended = Command::new("kill").arg("-TERM").arg(self.0.id().to_string()).status();
            let limit = Instant::now() + Duration::from_secs(2);
            while self.is_running() && Instant::now() < limit {
                sleep(Duration::from_millis(5));
            }
        }
        let _killed = self.0.kill();
        let _reaped = self.0.wait();
    }
}

fn parent_of(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name in parentheses may hold spaces; state and parent follow it.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}

fn cpu_of(pid: u32) -> Duration {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    threads
        .filter_map(|thread| {
            let text = fs::read_to_string(thread.path().join("schedstat")).ok()?;
            Some(Duration::from_nanos(text.split_whitespace().next()?.parse().ok()?))
        })
        .sum()
}
