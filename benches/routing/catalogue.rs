//! The time of the list of models: made anew by every reload, selected and copied by every request.

use std::hint::black_box;

use arouter::api::catalogue::{Catalogue, Lookup, View, answer};

use crate::{Bench, Failure, ROUNDS, median, processor_ns, to_f64};

/// About as many models as the built-in lists of all providers hold together.
const MODELS: usize = 3_200;

/// What is asked: everything, a part in another order, a page, the number alone.
const ASKED: [(Lookup, &str); 5] = [
    (Lookup::Models, ""),
    (Lookup::Models, "sort=pricing-low-to-high"),
    (Lookup::Models, "sort=throughput-high-to-low&offset=0&limit=500"),
    (Lookup::Models, "q=01"),
    (Lookup::Count, ""),
];

/// Measures and prints.
pub(crate) fn report() -> Result<(), Failure> {
    let bench = Bench::new(MODELS)?;
    let runtime = tokio::runtime::Builder::new_current_thread().build()?;
    let mut made = Vec::new();
    for _ in 0..ROUNDS {
        let began_ns = processor_ns().ok_or("no schedstat")?;
        black_box(Catalogue::new(&bench.table));
        made.push(processor_ns().ok_or("no schedstat")? - began_ns);
    }
    let catalogue = Catalogue::new(&bench.table);
    println!("\ncatalogue of {MODELS} models, made in {:.1} ms", median(&mut made) / 1e6);
    println!("{:50}{:>10}{:>12}", "asked", "KiB", "ms");
    for (lookup, query) in &ASKED {
        let view = View {
            catalogue: &catalogue,
            routing: &bench.table,
            key: &bench.key,
            health: &bench.health,
            now_s: 1_800_000_000,
            root: "/v1",
        };
        let query = (!query.is_empty()).then_some(*query);
        let (mut rounds, mut bytes) = (Vec::new(), 0);
        for _ in 0..ROUNDS {
            let began_ns = processor_ns().ok_or("no schedstat")?;
            let body = runtime.block_on(answer(view, lookup, query));
            rounds.push(processor_ns().ok_or("no schedstat")? - began_ns);
            bytes = body.map_err(|error| error.message.to_string())?.len();
        }
        let asked = format!("{} {}", lookup.name(), query.unwrap_or_default());
        println!("{asked:50}{:>10.0}{:>12.2}", to_f64(bytes) / 1024.0, median(&mut rounds) / 1e6);
    }
    Ok(())
}
