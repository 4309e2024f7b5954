//! Command line of the overhead benchmark.
//!
//! `cargo bench --bench overhead -- --help` prints what can be chosen. Cargo adds `--bench` of its
//! own, which is ignored.

use std::path::PathBuf;
use std::time::Duration;

use crate::Failure;
use crate::payload::Shape;

/// Printed by `--help`.
pub(crate) const HELP: &str = "\
cargo bench --bench overhead -- [OPTIONS]
  --shapes LIST      of chat1,chat64,stream,translate,body   (default: all)
  --subjects LIST    of nginx,pingora,arouter                (default: all)
  --arouter [N=]PATH another arouter binary to compare; N is its column's name; may be repeated
  --rounds N         interleaved rounds                      (default: 5)
  --seconds S        length of one measurement               (default: 1.0)
  --starts N         starts of each subject                  (default: 5)
  --proxy-core N     core of the proxy under test            (default: 0)
  --load-core N      core of the load and the upstream       (default: 1)
  --sleepy-cores     let idle cores sleep";

/// What is measured, and for how long.
#[derive(Debug, Clone)]
pub(crate) struct Args {
    pub(crate) shapes: Vec<Shape>,
    pub(crate) nginx: bool,
    pub(crate) pingora: bool,
    /// Column name and binary of each gateway.
    pub(crate) arouters: Vec<(String, PathBuf)>,
    pub(crate) rounds: usize,
    pub(crate) window: Duration,
    pub(crate) starts: usize,
    pub(crate) proxy_core: String,
    pub(crate) load_core: String,
    /// Keeps idle cores from sleeping, so that waking one costs the same for everybody.
    pub(crate) awake: bool,
}

impl Args {
    /// Reads the command line; `None` asks for help.
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Option<Self>, Failure> {
        let mut args = Self {
            shapes: Shape::ALL.to_vec(),
            nginx: true,
            pingora: true,
            arouters: vec![("arouter".into(), env!("CARGO_BIN_EXE_arouter").into())],
            rounds: 5,
            window: Duration::from_secs(1),
            starts: 5,
            proxy_core: "0".into(),
            load_core: "1".into(),
            awake: true,
        };
        while let Some(word) = words.next() {
            let mut value = || words.next().ok_or(format!("{word} needs a value"));
            match word.as_str() {
                "--bench" => {}
                "--help" | "-h" => return Ok(None),
                "--sleepy-cores" => args.awake = false,
                "--shapes" => args.shapes = shapes(&value()?)?,
                "--subjects" => args.choose(&value()?)?,
                "--arouter" => args.arouters.push(named(&value()?)),
                "--rounds" => args.rounds = value()?.parse()?,
                "--seconds" => args.window = Duration::try_from_secs_f64(value()?.parse()?)?,
                "--starts" => args.starts = value()?.parse()?,
                "--proxy-core" => args.proxy_core = value()?,
                "--load-core" => args.load_core = value()?,
                _ => return Err(format!("unknown option {word}; see --help").into()),
            }
        }
        Ok(Some(args))
    }

    fn choose(&mut self, list: &str) -> Result<(), Failure> {
        let names: Vec<&str> = list.split(',').collect();
        let known = ["nginx", "pingora", "arouter"];
        if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
            return Err(format!("unknown subject {unknown}").into());
        }
        self.nginx = names.contains(&"nginx");
        self.pingora = names.contains(&"pingora");
        if !names.contains(&"arouter") {
            self.arouters.retain(|(name, _)| name != "arouter");
        }
        Ok(())
    }
}

fn shapes(list: &str) -> Result<Vec<Shape>, Failure> {
    let find = |name| Shape::ALL.into_iter().find(|shape| shape.name() == name);
    list.split(',')
        .map(|name| find(name).ok_or_else(|| format!("unknown shape {name}").into()))
        .collect()
}

fn named(text: &str) -> (String, PathBuf) {
    match text.split_once('=') {
        Some((name, path)) => (name.to_owned(), path.into()),
        None => ("other".to_owned(), text.into()),
    }
}
