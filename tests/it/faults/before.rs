//! Providers that break before they answered: u05 to u08, u31, u33 and u34. Nothing was relayed, so
//! another provider answers, or the status says what happened, within the time limits.

use super::script::{Case, Expect, Stage, Step, both, say};
use super::words::Talk;

const BAD: Expect = Expect::Status(502);
const LATE: Expect = Expect::Status(504);

/// The usual answer behind other bytes.
fn after(bytes: &str, talk: Talk) -> Vec<Step> {
    vec![say([bytes, &talk.sized(&talk.all())].concat()), Step::Wait(200), Step::End]
}

/// The usual answer with one more line in its header.
fn with_line(line: &str, talk: Talk) -> Vec<Step> {
    let body = talk.all();
    let fields = format!("content-length: {}\r\n{line}", body.len());
    vec![say([talk.head(&fields), body].concat()), Step::Wait(200), Step::End]
}

/// An answer with this first line.
fn with_status(line: &str, talk: Talk) -> Vec<Step> {
    let usual = talk.sized(&talk.all());
    vec![say(usual.replacen("HTTP/1.1 200 OK", line, 1)), Step::Wait(200), Step::End]
}

const BROKEN_OFF: &[Case] = &[
    both("u06 a close at once", |_| vec![Step::End], BAD),
    both("u06 a reset at once", |_| vec![Step::Reset], BAD),
    both("u06 a close after a while", |_| vec![Step::Wait(300), Step::End], BAD),
    both("u06 a close within the header", |talk| vec![say(&talk.chunked()[..40]), Step::End], BAD),
    both("u06 a reset within the header", |t| vec![say(&t.chunked()[..40]), Step::Reset], BAD),
    both(
        "u07 bytes of another kind",
        |_| vec![say([0, 1, 2, 255, 13, 10, 13, 10]), Step::Hold],
        BAD,
    ),
    both("u07 an alert of TLS", |_| vec![say([21, 3, 1, 0, 2, 2, 70]), Step::End], BAD),
    both("u07 another protocol", |_| vec![say("SSH-2.0-OpenSSH_9.2\r\n"), Step::Hold], BAD),
    both("u07 frames of HTTP/2", |_| vec![say([0, 0, 0, 4, 0, 0, 0, 0, 0]), Step::End], BAD),
    both("u07 half a first line", |_| vec![say("HTTP/1.1 2"), Step::End], BAD),
    both("u07 a first line alone", |_| vec![say("HTTP/1.1 200 OK\r\n"), Step::End], BAD),
    both(
        "u07 an answer in the first line's place",
        |_| vec![say("{\"id\":1}\r\n\r\n"), Step::End],
        BAD,
    ),
    both("u08 silence", |_| vec![Step::Hold], LATE),
    both("u08 silence within the first line", |_| vec![say("HTTP/1.1 200"), Step::Hold], LATE),
    both("u08 silence within the header", |t| vec![say(&t.chunked()[..40]), Step::Hold], LATE),
    both("u08 a header byte by byte", dripping, LATE),
];

/// A header of which a byte comes in time, again and again, but never the end.
fn dripping(_: Talk) -> Vec<Step> {
    let mut steps = vec![say("HTTP/1.1 200 OK\r\nx: ")];
    for _ in 0..40 {
        steps.extend([say("a"), Step::Wait(50)]);
    }
    steps.push(Step::Hold);
    steps
}

#[tokio::test]
async fn broken_off_before_the_header() {
    Stage::of(BROKEN_OFF).await.play().await;
}

const CONTINUE: &str = "HTTP/1.1 100 Continue\r\n\r\n";
const HINTS: &str = "HTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\n";
const SWITCH: &str =
    "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n";

const STATUSES: &[Case] = &[
    both("u31 one 100", |talk| after(CONTINUE, talk), Expect::Fine),
    both("u31 eight 103", |talk| after(&HINTS.repeat(8), talk), Expect::Fine),
    both("u31 a thousand 100", |talk| after(&CONTINUE.repeat(1000), talk), BAD),
    both("u31 a thousand 103", |talk| after(&HINTS.repeat(1000), talk), BAD),
    both("u31 an unasked 101", |_| vec![say(SWITCH), Step::Hold], BAD),
    both("u31 an answer behind an unasked 101", |talk| after(SWITCH, talk), BAD),
    both(
        "u33 204 without a body",
        |_| vec![say("HTTP/1.1 204 No Content\r\n\r\n"), Step::Wait(100)],
        BAD,
    ),
    both("u33 204 with a body", |talk| with_status("HTTP/1.1 204 No Content", talk), BAD),
    both("u33 205 with a body", |talk| with_status("HTTP/1.1 205 Reset Content", talk), BAD),
    both("u33 206", |talk| with_status("HTTP/1.1 206 Partial Content", talk), BAD),
    both("u33 304 with a body", |talk| with_status("HTTP/1.1 304 Not Modified", talk), BAD),
    both("u33 status 999", |talk| with_status("HTTP/1.1 999 What", talk), BAD),
    both("u33 status 600", |talk| with_status("HTTP/1.1 600 What", talk), BAD),
    both("u33 status 099", |talk| with_status("HTTP/1.1 099 What", talk), BAD),
    both("u33 status 0", |talk| with_status("HTTP/1.1 0 What", talk), BAD),
    both("u33 status 2000", |talk| with_status("HTTP/1.1 2000 What", talk), BAD),
    both("u33 no status", |talk| with_status("HTTP/1.1 OK", talk), BAD),
    both("u33 HTTP/1.0", |talk| with_status("HTTP/1.0 200 OK", talk), Expect::Fine),
    both("u33 HTTP/1.0 without a length", old, Expect::Fine),
    both("u33 HTTP/0.9", |talk| vec![say(talk.all()), Step::End], BAD),
    both("u33 HTTP/3.0 in text", |talk| with_status("HTTP/3.0 200 OK", talk), BAD),
];

fn old(talk: Talk) -> Vec<Step> {
    let head = talk.head("").replacen("HTTP/1.1", "HTTP/1.0", 1);
    vec![say([head, talk.all()].concat()), Step::End]
}

#[tokio::test]
async fn statuses_that_are_no_answer() {
    Stage::of(STATUSES).await.play().await;
}

const HEADERS: &[Case] = &[
    both("u34 a field of 50 KiB", |talk| with_line(&field(50 << 10), talk), Expect::Fine),
    both("u34 a field of 70 KiB", |talk| with_line(&field(70 << 10), talk), BAD),
    both("u34 a field of 1 MiB", |talk| with_line(&field(1 << 20), talk), BAD),
    both("u34 a field without an end", |_| vec![say(field(2 << 20)), Step::Hold], BAD),
    both("u34 90 fields", |talk| with_line(&"x-a: b\r\n".repeat(89), talk), Expect::Fine),
    both("u34 120 fields", |talk| with_line(&"x-a: b\r\n".repeat(120), talk), BAD),
    both("u34 300 fields", |talk| with_line(&"x-a: b\r\n".repeat(300), talk), BAD),
    both("u34 fields of 200 KiB together", |talk| with_line(&field(4 << 10).repeat(50), talk), BAD),
    both("u34 a bare CR", |talk| with_line("x-a: b\rx-c: d\r\n", talk), BAD),
    both("u34 a folded line", |talk| with_line("x-a: b\r\n c\r\n", talk), Expect::Fine),
    both("u34 a NUL", |talk| with_line("x-a: b\0c\r\n", talk), BAD),
    both("u34 a line without a colon", |talk| with_line("x-a b\r\n", talk), BAD),
    both("u34 a name with a space", |talk| with_line("x a: b\r\n", talk), BAD),
    both("u34 no name", |talk| with_line(": b\r\n", talk), BAD),
];

fn field(bytes: usize) -> String {
    format!("x-large: {}\r\n", "v".repeat(bytes))
}

#[tokio::test]
async fn headers_that_are_too_large_or_broken() {
    Stage::of(HEADERS).await.play().await;
}
