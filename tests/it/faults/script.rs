//! A provider on a raw socket that plays a script for each request, and the questions that lead to
//! it.
//!
//! The model's name says which script is played, so that all cases of a table share one gateway and
//! run at once, and no case makes the gateway think badly of another one's endpoint.

use super::words::Talk;
use crate::asks::{Ask, Client};
use crate::peer::{read_request, until_closed};
use crate::rig::{Http, Plan, Rig};
use crate::wire::Call;
use futures::StreamExt;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};

/// The time limits of every provider in these tests.
pub const TIMES: &str = "timeouts = { connect_ms = 3000, first_byte_ms = 1500, \
first_token_ms = 1500, idle_ms = 1500, total_ms = 5000 }";
/// Longest time until an answer is there, or the provider is let go, whatever happens.
const PATIENCE: Duration = Duration::from_secs(8);
/// Cases that run at once.
const AT_ONCE: usize = 24;
/// The model that always answers.
const RESCUE: &str = "rescue/model";

/// One thing that the peer does.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Say(Vec<u8>),
    /// Waits.
    Wait(u64),
    /// Waits until the gateway closes; that it never does is a mistake.
    Hold,
    /// Closes.
    End,
    /// Closes with a reset.
    Reset,
}

/// Text as a step.
pub fn say(text: impl AsRef<[u8]>) -> Step {
    Step::Say(text.as_ref().to_vec())
}

/// What a client is to get.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// All of it, `one two`.
    Fine,
    /// `one`, and then one error event.
    Broken,
    /// This status with an error, and an answer if there is another provider.
    Status(u16),
    /// A status that does not tell whose key was refused, and an answer if there is another
    /// provider; what is known of the key is remembered.
    KeyRefused,
    /// It is not asked.
    Nothing,
}

/// A fault.
pub struct Case {
    /// What happens.
    pub name: &'static str,
    /// What the peer does.
    pub script: fn(Talk) -> Vec<Step>,
    /// What comes of a whole answer.
    pub whole: Expect,
    /// What comes of a stream.
    pub stream: Expect,
}

/// A case in which both kinds of answer end alike.
pub const fn both(name: &'static str, script: fn(Talk) -> Vec<Step>, expect: Expect) -> Case {
    Case { name, script, whole: expect, stream: expect }
}

/// A case of streams.
pub const fn streamed(name: &'static str, script: fn(Talk) -> Vec<Step>, expect: Expect) -> Case {
    Case { name, script, whole: Expect::Nothing, stream: expect }
}

/// Where the scripts are played.
pub struct Stage {
    pub rig: Rig,
    peer: Arc<Peer>,
}

struct Peer {
    cases: &'static [Case],
    /// The cases of the requests that came, if they are of one, and on which connection.
    seen: Mutex<Vec<(Option<usize>, usize)>>,
    /// Cases whose connection the gateway kept although it had to close it.
    held: Mutex<Vec<&'static str>>,
}

/// Providers without keys, so that no case spoils a key for another one, and one that is fine.
const PROVIDERS: &str = r#"
[providers.by-openai]
format = "openai"
base_url = "http://MOCK_ADDRESS/v1"
TIMES
[providers.by-anthropic]
format = "anthropic"
base_url = "http://MOCK_ADDRESS"
TIMES
[providers.by-google]
format = "gemini"
base_url = "http://MOCK_ADDRESS"
TIMES
[providers.rescue]
format = "gemini"
base_url = "http://MOCK_ADDRESS"
"#;

/// The formats that a provider can be asked in, and by whom.
fn asks(model: &str) -> [Ask; 5] {
    // Every ask has an endpoint of its own: what one finds out of it would spare the next one.
    let at = |client, provider| {
        let name: &'static str = format!("by-{provider}/{model}-{client:?}").leak();
        Ask::of(client, name)
    };
    [
        at(Client::OpenAi, "openai"),
        at(Client::OpenAi, "anthropic"),
        at(Client::OpenAi, "google"),
        at(Client::Anthropic, "anthropic"),
        at(Client::Gemini, "google"),
    ]
}

impl Stage {
    /// A gateway before a peer that plays these cases.
    pub async fn of(cases: &'static [Case]) -> Self {
        let peer = Arc::new(Peer { cases, seen: Mutex::default(), held: Mutex::default() });
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(accept(listener, Arc::clone(&peer)));
        Self { rig: rig(address).await, peer }
    }

    /// Plays everything to every kind of client; panics with all mistakes.
    pub async fn play(&self) {
        let cases = self.peer.cases.iter().enumerate();
        let all = cases.flat_map(|(number, case)| {
            let kinds = [(false, case.whole), (true, case.stream)];
            kinds.into_iter().filter(|(_, expect)| *expect != Expect::Nothing).flat_map(
                move |(stream, expect)| {
                    let kind = if stream { "s" } else { "w" };
                    let asks = asks(&format!("case-{number}-{kind}"));
                    asks.into_iter().map(move |ask| (case, ask, stream, expect))
                },
            )
        });
        let all = all.map(|(case, ask, stream, expect)| async move {
            let found = self.one((case, expect), ask, stream).await;
            let found = found.err().or(self.rescued((case, expect), ask, stream).await.err());
            found.map(|found| format!("{} {ask:?} stream {stream}: {found}", case.name))
        });
        let found = futures::stream::iter(all).buffer_unordered(AT_ONCE);
        let found: Vec<String> = found.filter_map(std::future::ready).collect().await;
        assert!(found.is_empty(), "{} mistakes:\n{}", found.len(), found.join("\n"));
        // A hold is noticed when it is over.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let held = self.peer.held.lock().unwrap().clone();
        assert!(held.is_empty(), "not closed by the gateway: {held:?}");
        assert!(self.peer.seen.lock().unwrap().len() >= self.peer.cases.len());
        self.rig.assert_alive().await;
    }

    /// How many requests of a case came, and the connections that carried another one afterwards.
    pub fn followed(&self, name: &str) -> (usize, Vec<usize>) {
        let seen = self.peer.seen.lock().unwrap();
        let is_of =
            |case: Option<usize>| case.is_some_and(|case| self.peer.cases[case].name == name);
        let of: Vec<_> = seen.iter().enumerate().filter(|(_, (case, _))| is_of(*case)).collect();
        let followed = of.iter().filter(|(at, (_, connection))| {
            seen[at + 1..].iter().any(|(_, later)| later == connection)
        });
        (of.len(), followed.map(|(_, (_, connection))| *connection).collect())
    }

    async fn one(
        &self,
        (case, expect): (&Case, Expect),
        ask: Ask,
        stream: bool,
    ) -> Result<(), String> {
        let started = Instant::now();
        let body = ask.body(stream, case.name);
        let mut call = Call::post(self.rig.gateway, Http::One, &ask.path(stream), &body).await;
        let id = call.header("x-generation-id").to_owned();
        let text = call.text().await;
        if started.elapsed() > PATIENCE {
            return Err(format!("took {:?}", started.elapsed()));
        }
        judge(expect, (ask, stream), (call.status, &text))?;
        let record = self.rig.generation(&id).await;
        let outcome = record["data"]["outcome"].as_str().unwrap_or_default();
        let expected = match expect {
            Expect::Fine => "complete",
            Expect::Broken => "partial",
            Expect::Status(_) | Expect::KeyRefused | Expect::Nothing => "failed",
        };
        let is_free = record["data"]["total_cost"] == 0;
        if outcome != expected || (expected == "failed" && !is_free) {
            return Err(format!("recorded as {record}"));
        }
        Ok(())
    }

    /// The same with another provider to go to.
    async fn rescued(
        &self,
        (case, expect): (&Case, Expect),
        ask: Ask,
        stream: bool,
    ) -> Result<(), String> {
        let fails_over = match expect {
            Expect::Status(status) => status >= 429,
            Expect::KeyRefused => true,
            Expect::Fine | Expect::Broken | Expect::Nothing => false,
        };
        if !fails_over || ask.client != Client::OpenAi {
            return Ok(());
        }
        let messages = json!([{ "role": "user", "content": case.name }]);
        let model = ask.model().replace("case-", "case-r");
        let body = json!({ "models": [model, RESCUE], "messages": messages, "stream": stream });
        let path = ask.path(stream);
        let mut call = Call::post(self.rig.gateway, Http::One, &path, &body.to_string()).await;
        let text = call.text().await;
        judge(Expect::Fine, (ask, stream), (call.status, &text)).map_err(|e| format!("rescue: {e}"))
    }
}

/// What is wrong with an answer.
pub fn judge(
    expect: Expect,
    (ask, stream): (Ask, bool),
    (status, text): (u16, &str),
) -> Result<(), String> {
    let wrong = || Err(format!("not {expect:?}: {status} {}", shortened(text)));
    let leaks = text.contains("POISON");
    let content = || if stream && status == 200 { ask.stream_text(text) } else { text.to_owned() };
    let right = match expect {
        Expect::Status(expected) => {
            let expected =
                if ask.client == Client::Anthropic && expected == 503 { 529 } else { expected };
            status == expected && text.contains("\"error\"") && !text.contains("one")
        }
        Expect::KeyRefused => matches!(status, 502 | 503 | 529) && text.contains("\"error\""),
        Expect::Fine => {
            status == 200 && content().contains("one two") && !text.contains("\"error\"")
        }
        Expect::Broken => {
            if status != 200 || !content().starts_with("one") || text.contains("two") {
                return wrong();
            }
            let caught = std::panic::catch_unwind(|| {
                crate::failures::assert_one_error(ask, text, "fault");
            });
            caught.is_ok()
        }
        Expect::Nothing => true,
    };
    if right && !leaks { Ok(()) } else { wrong() }
}

fn shortened(text: &str) -> String {
    text.chars().take(600).collect()
}

async fn rig(address: SocketAddr) -> Rig {
    let more = PROVIDERS.replace("TIMES", TIMES);
    Rig::with(Plan { upstream: Some(address), more: &more, ..Plan::default() }).await
}

async fn accept(listener: TcpListener, peer: Arc<Peer>) {
    for number in 0.. {
        let (stream, _) = listener.accept().await.unwrap();
        stream.set_nodelay(true).unwrap();
        let peer = Arc::clone(&peer);
        tokio::spawn(async move { peer.serve(stream, number).await });
    }
}

impl Peer {
    async fn serve(&self, mut stream: TcpStream, connection: usize) {
        while let Some(request) = read_request(&mut stream).await {
            let request = String::from_utf8_lossy(&request).into_owned();
            let talk = Talk::of(&request);
            let case = case_of(&request);
            self.seen.lock().unwrap().push((case, connection));
            let steps = match case {
                Some(number) => (self.cases[number].script)(talk),
                None => vec![say(talk.sized(&talk.all()))],
            };
            for step in steps {
                // What the gateway did not stay for is its own business.
                let gone = match step {
                    Step::Say(bytes) => stream.write_all(&bytes).await.is_err(),
                    Step::Wait(ms) => {
                        tokio::time::sleep(Duration::from_millis(ms)).await;
                        false
                    }
                    Step::Hold => {
                        let limit = PATIENCE;
                        let held = tokio::time::timeout(limit, until_closed(&mut stream)).await;
                        if held.is_err() {
                            self.held.lock().unwrap().push(case.map_or("", |n| self.cases[n].name));
                        }
                        true
                    }
                    Step::End => true,
                    Step::Reset => {
                        // What was said before has to be there before.
                        tokio::time::sleep(Duration::from_millis(30)).await;
                        stream.set_zero_linger().unwrap();
                        true
                    }
                };
                if gone {
                    return;
                }
            }
        }
    }
}

/// The case that a request asks for by its model's name.
fn case_of(request: &str) -> Option<usize> {
    let (_, rest) = request.split_once("case-")?;
    rest.trim_start_matches('r').split('-').next()?.parse().ok()
}
