//! The judge's own reading of server-sent events.

/// One event: its name and its data.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    pub name: String,
    pub data: String,
}

/// All events; lines end with CR LF, LF or CR, comments are skipped, data lines are joined.
pub fn events(stream: &str) -> Vec<Event> {
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    let mut found = Vec::new();
    let (mut name, mut data) = (String::new(), Vec::new());
    for line in lines.split('\n').chain([""]) {
        if line.is_empty() {
            if !data.is_empty() {
                found.push(Event { name: name.clone(), data: data.join("\n") });
            }
            name.clear();
            data.clear();
            continue;
        }
        let (field, value) = line.split_once(':').unwrap_or((line, ""));
        let value = value.strip_prefix(' ').unwrap_or(value);
        match field {
            "event" => value.clone_into(&mut name),
            "data" => data.push(value.to_owned()),
            _ => {}
        }
    }
    found
}

#[test]
fn every_line_end_gives_the_same_events() {
    let stream = ": hi\n\nevent: a\ndata: 1\ndata: 2\n\ndata:3\nid: 7\n\ndata: 4";
    let expected = [("a", "1\n2"), ("", "3"), ("", "4")];
    for end in ["\n", "\r\n", "\r"] {
        let found = events(&stream.replace('\n', end));
        let found: Vec<_> = found.iter().map(|e| (e.name.as_str(), e.data.as_str())).collect();
        assert_eq!(found, expected);
    }
}
