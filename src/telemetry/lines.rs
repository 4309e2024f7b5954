//! Log lines on their way out, many to a write.
//!
//! Used by `logging`. A request only copies its line; a thread of its own wakes once for all lines
//! of a moment, because waking it for every line costs more than the line. What waits is bounded:
//! beyond that lines are dropped and counted, so that a reader who is stuck stops no request.

use std::io::{self, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;
use tracing_subscriber::fmt::MakeWriter;

/// Bytes that may wait to be written.
const MAX_WAITING_BYTES: usize = 4 * 1024 * 1024;
/// Buffers beyond this are given back once they are empty.
const KEPT_BYTES: usize = 256 * 1024;
/// How long the first line waits for others.
const GATHER: Duration = Duration::from_millis(20);

/// Where log lines are put; cheap to clone.
#[derive(Debug, Clone)]
pub(super) struct Lines(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<u8>,
    dropped_lines: u64,
    closed: bool,
}

/// Writes what is waiting when it is dropped, and ends the thread.
#[derive(Debug)]
pub(super) struct LinesGuard {
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

/// Starts a thread that writes lines to `target`.
pub(super) fn start(target: impl Write + Send + 'static) -> io::Result<(Lines, LinesGuard)> {
    let shared = Arc::new(Shared::default());
    let source = Arc::clone(&shared);
    let thread =
        std::thread::Builder::new().name("log".into()).spawn(move || source.drain(target))?;
    Ok((Lines(Arc::clone(&shared)), LinesGuard { shared, thread: Some(thread) }))
}

impl Write for &Lines {
    /// Takes one line.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.0.queue();
        if queue.waiting.len().saturating_add(line.len()) > MAX_WAITING_BYTES {
            queue.dropped_lines = queue.dropped_lines.saturating_add(1);
            return Ok(line.len());
        }
        let first = queue.waiting.is_empty();
        queue.waiting.extend_from_slice(line);
        drop(queue);
        if first {
            self.0.changed.notify_one();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'l> MakeWriter<'l> for Lines {
    type Writer = &'l Self;

    fn make_writer(&'l self) -> &'l Self {
        self
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn drain(&self, mut target: impl Write) {
        let mut batch = Vec::new();
        loop {
            let (dropped_lines, closed) = self.take(&mut batch);
            // There is nobody left to tell that the log cannot be written.
            let _written = target.write_all(&batch).and_then(|()| {
                if dropped_lines > 0 {
                    writeln!(target, "{{\"level\":\"WARN\",\"dropped_lines\":{dropped_lines}}}")?;
                }
                target.flush()
            });
            batch.clear();
            batch.shrink_to(KEPT_BYTES);
            if closed {
                return;
            }
        }
    }

    /// Waits for lines and their company, and swaps them with the empty `batch`.
    fn take(&self, batch: &mut Vec<u8>) -> (u64, bool) {
        let wait = self.changed.wait_while(self.queue(), |queue| {
            queue.waiting.is_empty() && queue.dropped_lines == 0 && !queue.closed
        });
        let queue = wait.unwrap_or_else(PoisonError::into_inner);
        let gather = self.changed.wait_timeout_while(queue, GATHER, |queue| !queue.closed);
        let (mut queue, _) = gather.unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(&mut queue.waiting, batch);
        (std::mem::take(&mut queue.dropped_lines), queue.closed)
    }
}

impl Drop for LinesGuard {
    fn drop(&mut self) {
        self.shared.queue().closed = true;
        self.shared.changed.notify_one();
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has written what it could.
            let _ended = thread.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[derive(Clone, Default)]
    struct Target(Arc<Mutex<Vec<Vec<u8>>>>);

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().push(bytes.to_vec());
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Takes nothing until the sender is gone.
    struct Stuck(mpsc::Receiver<()>, Target);

    impl Write for Stuck {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let _never_sent = self.0.recv();
            self.1.write(bytes)
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn all_lines_come_out_in_order_and_in_few_writes() {
        let target = Target::default();
        let (lines, guard) = start(target.clone()).unwrap();
        for number in 0..1_000 {
            writeln!(&lines, "line {number}").unwrap();
        }
        drop(guard);
        let writes = target.0.lock().unwrap();
        let written = String::from_utf8(writes.concat()).unwrap();
        assert_eq!(written.lines().count(), 1_000);
        for (number, line) in written.lines().enumerate() {
            assert_eq!(line, format!("line {number}"));
        }
        assert!(writes.len() < 100, "{} writes", writes.len());
    }

    #[test]
    fn a_line_comes_out_without_another_one() {
        let target = Target::default();
        let (lines, _guard) = start(target.clone()).unwrap();
        for number in 1..3 {
            writeln!(&lines, "alone").unwrap();
            let started = std::time::Instant::now();
            while target.0.lock().unwrap().len() < number {
                assert!(started.elapsed() < Duration::from_secs(5), "line {number} stays inside");
                std::thread::yield_now();
            }
        }
    }

    #[test]
    fn a_stuck_reader_costs_lines_and_not_memory() {
        let (unstick, stuck) = mpsc::channel();
        let target = Target::default();
        let (lines, guard) = start(Stuck(stuck, target.clone())).unwrap();
        let line = vec![b'x'; 64 * 1024];
        for _ in 0..1_000 {
            (&lines).write_all(&line).unwrap();
        }
        assert!(lines.0.queue().waiting.len() <= MAX_WAITING_BYTES);
        drop(unstick);
        drop(guard);
        let written = target.0.lock().unwrap().concat();
        assert!(written.len() < 3 * MAX_WAITING_BYTES, "{}", written.len());
        assert!(memchr::memmem::find(&written, b"\"dropped_lines\":").is_some());
    }
}
