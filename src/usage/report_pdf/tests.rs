//! The files are read by another library than the one that writes them.

use super::*;
use crate::money::PicoUsd;
use crate::store::Bucket;
use lopdf::Document;

fn report(names: impl IntoIterator<Item = String>) -> Report {
    let mut total = UsageSums::default();
    let sums = UsageSums {
        requests: 3,
        prompt_tokens: u64::MAX / 20_000,
        completion_tokens: 77,
        cached_tokens: 5,
        reasoning_tokens: 7,
        cost_pico_usd: PicoUsd::from_pico(1_234_567_000_000_000_001),
        byok_cost_pico_usd: PicoUsd::from_pico(1),
    };
    let rows = names.into_iter().map(|name| {
        total.add(&sums);
        Row { start: "2026-09-21".to_owned(), name, title: String::new(), sums }
    });
    let rows: Vec<Row> = rows.collect();
    let (by, bucket) = (GroupKey::User, Bucket::Day);
    Report { by, bucket, from_ms: Some(0), to_ms: None, rows, total }
}

/// The text of every page.
fn pages(report: &Report) -> Vec<String> {
    let document = Document::load_mem(&to_pdf(report).unwrap()).unwrap();
    let numbers: Vec<u32> = document.get_pages().into_keys().collect();
    numbers.into_iter().map(|number| document.extract_text(&[number]).unwrap()).collect()
}

#[test]
fn the_total_has_every_digit_and_stands_on_the_last_page() {
    let report = report((0..100).map(|at| format!("user-{at}")));
    let pages = pages(&report);
    assert_eq!(pages.len(), 3);
    for (at, page) in pages.iter().enumerate() {
        assert!(page.contains(&format!("Page {} of 3", at + 1)), "{page}");
        assert!(page.contains("From 1970-01-01T00:00:00Z to now"), "{page}");
        assert!(page.contains("BYOK cost USD"), "{page}");
    }
    for user in 0..100 {
        let found = pages.iter().filter(|page| page.contains(&format!(" user-{user} ")));
        assert_eq!(found.count(), 1, "user-{user}");
    }
    let last = pages.last().unwrap();
    let total = last.lines().find(|line| line.contains("Total")).unwrap();
    let cells: Vec<&str> = total.split_whitespace().collect();
    let expected = sum_cells(&report.total);
    assert_eq!(cells[1..], expected.iter().map(String::as_str).collect::<Vec<_>>());
    assert_eq!(expected[5], "123456700.0000000001");
}

#[test]
fn no_name_breaks_the_file() {
    let names = [
        "",
        "plain",
        "(un)balanced)) \\ ( %%EOF endstream endobj",
        "Zo\u{eb} \u{a3}",
        "\u{4e2d}\u{6587}",
        "\u{1f600}",
        "\u{202e}\u{0}\r\n\t\u{7f}\u{85}",
        &"x".repeat(5000),
    ];
    let report = report(names.map(str::to_owned));
    let text = pages(&report).join("\n");
    for shown in [
        "(none)",
        " plain ",
        "(un)balanced)) \\ ( %%EOF endstream endobj ",
        "Zo\u{eb} \u{a3}",
        "\\u4E2D\\u6587",
        "\\u1F600",
        "\\u202E\\u0000\\u000D\\u000A\\u0009\\u007F\\u0085",
        "xxx\u{2026} ",
    ] {
        assert!(text.contains(shown), "{shown} in {text}");
    }
    assert_eq!(text.lines().filter(|line| line.contains("2026-09-21")).count(), names.len());
}

#[test]
fn lines_fit_the_page_and_pages_are_bounded() {
    let most = report((0..MAX_ROWS).map(|at| format!("{at}{}", "y".repeat(300))));
    let table = Table::of(&most);
    assert!(most.rows.iter().all(|row| table.row(row).len() <= LINE_CHARS));
    let file = to_pdf(&most).unwrap();
    assert!(file.len() < 4_000_000, "{}", file.len());
    assert_eq!(Document::load_mem(&file).unwrap().get_pages().len(), MAX_ROWS / PAGE_ROWS + 1);
    let more = report((0..=MAX_ROWS).map(|at| at.to_string()));
    assert_eq!(to_pdf(&more), Err(PdfError::TooManyRows));
    assert_eq!(pages(&report([])).len(), 1);
}
