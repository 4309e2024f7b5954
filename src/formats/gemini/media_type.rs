//! MIME types that nothing states: told by the first bytes or by an address.

/// The type by the first bytes, which are known in base64 too.
pub(super) fn sniff(data: &str) -> Option<&'static str> {
    let known = [
        ("iVBORw0KGgo", "image/png"),
        ("/9j/", "image/jpeg"),
        ("R0lGOD", "image/gif"),
        ("JVBERi", "application/pdf"),
        ("SUQz", "audio/mp3"),
    ];
    // A RIFF file names its kind in bytes 8 to 11, which base64 writes from character 11 on.
    if data.starts_with("UklGR") {
        return match data.get(11..16)? {
            "XQVZF" => Some("audio/wav"),
            _ => Some("image/webp"),
        };
    }
    known.iter().find(|(start, _)| data.starts_with(start)).map(|(_, mime)| *mime)
}

/// The type by the ending of the address's path.
pub(super) fn of_url(url: &str) -> Option<&'static str> {
    let path = url.split(['?', '#']).next().unwrap_or(url);
    let name = path.rsplit('/').next().unwrap_or(path);
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending).to_ascii_lowercase();
    Some(match ending.as_str() {
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "webp" => "image/webp",
        "gif" => "image/gif",
        "heic" => "image/heic",
        "heif" => "image/heif",
        "pdf" => "application/pdf",
        "txt" => "text/plain",
        "md" => "text/markdown",
        "csv" => "text/csv",
        "html" | "htm" => "text/html",
        "json" => "application/json",
        "mp3" => "audio/mp3",
        "wav" => "audio/wav",
        "flac" => "audio/flac",
        "ogg" => "audio/ogg",
        "mp4" => "video/mp4",
        "mpeg" | "mpg" => "video/mpeg",
        "mov" => "video/quicktime",
        "webm" => "video/webm",
        "avi" => "video/x-msvideo",
        _ => return None,
    })
}

/// Whether the address is a film on YouTube, which Gemini watches itself.
pub(super) fn is_youtube(url: &str) -> bool {
    let host = host(url);
    host == "youtu.be" || is_within(&host, "youtube.com")
}

/// Whether the bytes at an address have to be put into a request to Gemini: it reads its own
/// storage, files uploaded to it and films on YouTube itself, other addresses only with some
/// models.
pub fn needs_bytes(url: &str) -> bool {
    let on_the_web = starts_with(url, "https://") || starts_with(url, "http://");
    on_the_web && !is_googles(url) && !is_youtube(url)
}

/// Whether only Google can read what is at the address: its storage, or a file uploaded to it.
fn is_googles(url: &str) -> bool {
    starts_with(url, "gs://") || host(url) == "generativelanguage.googleapis.com"
}

/// Whether `text` begins with `start`, letter case aside.
pub(super) fn starts_with(text: &str, start: &str) -> bool {
    text.get(..start.len()).is_some_and(|head| head.eq_ignore_ascii_case(start))
}

/// The host an address names, in lower case, without user and port.
fn host(url: &str) -> String {
    let rest = url.split_once("://").map_or("", |(_, rest)| rest);
    let authority = rest.split(['/', '?', '#', '\\']).next().unwrap_or_default();
    let host = authority.rsplit('@').next().unwrap_or_default();
    host.split(':').next().unwrap_or_default().to_ascii_lowercase()
}

fn is_within(host: &str, domain: &str) -> bool {
    host.strip_suffix(domain).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_reads_an_address() {
        for (url, needed) in [
            ("https://example.org/a.png", true),
            ("http://example.org/a.png", true),
            ("HTTPS://Example.org/a.png", true),
            ("gs://bucket/a.png", false),
            ("https://generativelanguage.googleapis.com/v1beta/files/abc", false),
            ("https://www.youtube.com/watch?v=x", false),
            ("https://YouTube.com/watch?v=x", false),
            ("https://youtu.be/x", false),
            ("https://youtube.com.evil.org/x", true),
            ("https://notyoutube.com/x", true),
            ("https://youtube.com@evil.org/x", true),
            ("https://evil.org\\@youtube.com/x", true),
            ("https://example.org/?u=https://youtube.com/x", true),
            ("data:image/png;base64,AA==", false),
            ("file-123", false),
        ] {
            assert_eq!(needs_bytes(url), needed, "{url}");
        }
    }

    #[test]
    fn first_bytes_tell() {
        for (data, mime) in [
            ("iVBORw0KGgoAAA", Some("image/png")),
            ("UklGRiQAAABXQVZF", Some("audio/wav")),
            ("UklGRiQAAABXRUJQ", Some("image/webp")),
            ("AAAA", None),
            ("", None),
        ] {
            assert_eq!(sniff(data), mime, "{data}");
        }
    }
}
