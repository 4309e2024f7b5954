//! A report as a PDF: a plain table with numbered pages and the total at its end.
//!
//! Used by the export of the management API and by `arouter usage export`. The font is one that
//! every reader of PDF has, with Western European letters; of any other text, which clients may
//! choose freely, the code points are shown. Nothing a client says can break the file, and the
//! number of pages is bounded.

use super::report::{Report, Row, SUM_COLUMNS, sum_cells};
use crate::store::{GroupKey, UsageSums};
use jiff::Timestamp;
use pdf_writer::{Content, Finish, Name, Pdf, Rect, Ref, Str, TextStr};

/// Most rows of a PDF.
pub const MAX_ROWS: usize = 10_000;

/// A4, lying, in points.
const PAGE: (f32, f32) = (842.0, 595.0);
const MARGIN: f32 = 36.0;
const FONT: Name<'static> = Name(b"F1");
const FONT_SIZE: f32 = 7.5;
const LEADING: f32 = 10.0;
/// Characters of a line: each is six tenths of the size of the font wide.
const LINE_CHARS: usize = 171;
/// Rows of a page, below its head and above its foot.
const PAGE_ROWS: usize = 46;
/// Between two columns.
const GAP: usize = 2;
/// The narrowest that a name is cut to.
const MIN_NAME_CHARS: usize = 12;

/// What the columns of the sums are called here.
const HEADINGS: [&str; SUM_COLUMNS.len()] =
    ["Requests", "Prompt", "Cached", "Completion", "Reasoning", "Cost USD", "BYOK cost USD"];

/// Why there is no PDF.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PdfError {
    /// More than [`MAX_ROWS`].
    #[error("a PDF has room for {MAX_ROWS} rows: ask for a shorter time, longer steps or CSV")]
    TooManyRows,
}

/// The report as a file.
pub fn to_pdf(report: &Report) -> Result<Vec<u8>, PdfError> {
    if report.rows.len() > MAX_ROWS {
        return Err(PdfError::TooManyRows);
    }
    let table = Table::of(report);
    let mut lines: Vec<Line> = report.rows.iter().map(|row| table.row(row)).collect();
    lines.push(table.line("", "Total", &sum_cells(&report.total)));
    let pages: Vec<&[Line]> = lines.chunks(PAGE_ROWS).collect();
    let head = [title(report), period(report)];
    Ok(file(&pages, |number, rows| page(&head, &table, rows, (number, pages.len()))))
}

/// Text in the encoding of the font.
type Line = Vec<u8>;

/// How wide the columns are, in characters.
struct Table {
    start: usize,
    name: usize,
    sums: [usize; SUM_COLUMNS.len()],
    heading: &'static str,
}

impl Table {
    fn of(report: &Report) -> Self {
        let start = report.rows.iter().map(|row| row.start.len()).max().unwrap_or(0);
        let mut sums = HEADINGS.map(str::len);
        let mut widen = |of: &UsageSums| {
            for (width, cell) in sums.iter_mut().zip(sum_cells(of)) {
                *width = (*width).max(cell.len());
            }
        };
        report.rows.iter().for_each(|row| widen(&row.sums));
        widen(&report.total);
        let taken = start + sums.iter().sum::<usize>() + (sums.len() + 1) * GAP;
        let name = LINE_CHARS.saturating_sub(taken).max(MIN_NAME_CHARS);
        let heading = match report.by {
            GroupKey::Model => "Model",
            GroupKey::Key => "Key",
            GroupKey::User => "User",
            GroupKey::App => "App",
            GroupKey::Provider => "Provider",
        };
        Self { start, name, sums, heading }
    }

    fn row(&self, row: &Row) -> Line {
        let name = match (row.title.as_str(), row.name.as_str()) {
            ("", "") => "(none)".to_owned(),
            ("", name) => name.to_owned(),
            (title, name) if title == name => name.to_owned(),
            (title, name) => format!("{title} ({name})"),
        };
        self.line(&row.start, &name, &sum_cells(&row.sums))
    }

    fn heading(&self) -> Line {
        let start = if self.start == 0 { "" } else { "Start" };
        self.line(start, self.heading, &HEADINGS)
    }

    fn line(&self, start: &str, name: &str, sums: &[impl AsRef<str>]) -> Line {
        let mut line = cut(encoded(start), self.start);
        line.resize(self.start + if self.start == 0 { 0 } else { GAP }, b' ');
        let end = line.len() + self.name;
        line.extend(cut(encoded(name), self.name));
        line.resize(end, b' ');
        for (cell, width) in sums.iter().zip(self.sums) {
            let cell = cell.as_ref().as_bytes();
            line.resize(line.len() + GAP + width.saturating_sub(cell.len()), b' ');
            line.extend(cell);
        }
        line
    }
}

fn title(report: &Report) -> Line {
    let by = Table::of(report).heading.to_lowercase();
    encoded(&format!("Usage by {by}. Amounts in USD, tokens as counted by the providers."))
}

fn period(report: &Report) -> Line {
    let time = |ms: i64| {
        Timestamp::from_millisecond(ms).map_or_else(|_| ms.to_string(), |time| time.to_string())
    };
    let from = report.from_ms.map_or("the beginning".to_owned(), time);
    let to = report.to_ms.map_or("now".to_owned(), time);
    encoded(&format!("From {from} to {to}, UTC. Completion tokens include reasoning tokens."))
}

/// What a page shows.
fn page(head: &[Line; 2], table: &Table, rows: &[Line], (number, of): (usize, usize)) -> Content {
    let mut content = Content::new();
    content.begin_text();
    content.set_font(FONT, FONT_SIZE);
    content.set_leading(LEADING);
    content.next_line(MARGIN, PAGE.1 - MARGIN - FONT_SIZE);
    let [title, period] = head;
    let heading = table.heading();
    for line in [title, period, &Line::new(), &heading].into_iter().chain(rows) {
        content.show(Str(line));
        content.next_line_using_leading();
    }
    content.end_text();
    content.begin_text();
    content.set_font(FONT, FONT_SIZE);
    content.next_line(MARGIN, MARGIN / 2.0);
    content.show(Str(format!("Page {number} of {of}").as_bytes()));
    content.end_text();
    content
}

/// Puts pages into a file, each with its number from 1 on.
fn file(pages: &[&[Line]], draw: impl Fn(usize, &[Line]) -> Content) -> Vec<u8> {
    let mut next = Ref::new(1);
    let [catalog, tree, font, info] = std::array::from_fn(|_| next.bump());
    let ids: Vec<(Ref, Ref)> = pages.iter().map(|_| (next.bump(), next.bump())).collect();
    let mut pdf = Pdf::new();
    pdf.catalog(catalog).pages(tree);
    let count = i32::try_from(ids.len()).unwrap_or(i32::MAX);
    pdf.pages(tree).kids(ids.iter().map(|(page, _)| *page)).count(count);
    for (number, (rows, (id, content))) in pages.iter().zip(&ids).enumerate() {
        let mut page = pdf.page(*id);
        page.media_box(Rect::new(0.0, 0.0, PAGE.0, PAGE.1)).parent(tree).contents(*content);
        page.resources().fonts().pair(FONT, font);
        page.finish();
        pdf.stream(*content, &draw(number + 1, rows).finish());
    }
    pdf.type1_font(font).base_font(Name(b"Courier")).encoding_predefined(Name(b"WinAnsiEncoding"));
    pdf.document_info(info).title(TextStr("Usage")).producer(TextStr("arouter"));
    pdf.finish()
}

/// Text in the encoding of the font: ASCII and Latin-1 as they are, everything else as `\u4E2D`.
fn encoded(text: &str) -> Line {
    let mut line = Line::with_capacity(text.len());
    for char in text.chars() {
        match u8::try_from(char) {
            Ok(byte) if !char.is_control() => line.push(byte),
            _ => line.extend(format!("\\u{:04X}", u32::from(char)).bytes()),
        }
    }
    line
}

/// Makes a text at most `width` long; what is cut ends in an ellipsis.
fn cut(mut line: Line, width: usize) -> Line {
    const ELLIPSIS: u8 = 0x85;
    if line.len() > width {
        line.truncate(width.saturating_sub(1));
        line.push(ELLIPSIS);
    }
    line
}

#[cfg(test)]
#[path = "report_pdf/tests.rs"]
mod tests;
