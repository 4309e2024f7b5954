//! Payloads of `smuggling`. `{POST}` is the request line of a chat call, `{H}` its host and
//! credential, `{BODY}` a good body of `{LEN}` (hex `{HEX}`) bytes, `{EVIL}` a whole request that
//! must not be executed of `{EVILLEN}` bytes, `{SECOND}` a whole one that may. Characters are bytes.

/// What must come of a payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// One refusal, or none, and the end of the connection.
    Refused,
    /// So many requests are executed.
    Served(usize),
    /// Refused, or executed as one request: both are legal readings.
    Either,
    /// Answered without a provider.
    Local,
}

use Verdict::{Either, Local, Refused, Served};

/// Name, bytes, verdict.
pub const PAYLOADS: &[(&str, &str, Verdict)] = &[
    ("plain", "{POST}{H}Content-Length: {LEN}\r\n\r\n{BODY}", Served(1)),
    (
        "plain chunked",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\n\r\n",
        Served(1),
    ),
    ("two in a row", "{POST}{H}Content-Length: {LEN}\r\n\r\n{BODY}{SECOND}", Served(2)),
    (
        "two in a row, chunked first",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\n\r\n{SECOND}",
        Served(1),
    ),
    (
        "HTTP/1.0 is answered and closed",
        "POST /v1/chat/completions HTTP/1.0\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Served(1),
    ),
    (
        "close before a second",
        "{POST}{H}Connection: close\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Served(1),
    ),
    (
        "CL and TE",
        "{POST}{H}Content-Length: {LEN}\r\nTransfer-Encoding: chunked\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE and CL",
        "{POST}{H}Transfer-Encoding: chunked\r\nContent-Length: {LEN}\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "CL 0 and TE",
        "{POST}{H}Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "CL hides a request from TE",
        "{POST}{H}Content-Length: {BOTHLEN}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    ("TE identity", "{POST}{H}Transfer-Encoding: identity\r\n\r\n{EVIL}", Refused),
    (
        "TE gzip, chunked",
        "{POST}{H}Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE chunked, identity",
        "{POST}{H}Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE chunked twice in a list",
        "{POST}{H}Transfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE twice",
        "{POST}{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE chunked then identity",
        "{POST}{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    ("TE leading comma", "{POST}{H}Transfer-Encoding: ,chunked\r\n\r\n0\r\n\r\n{EVIL}", Refused),
    ("TE xchunked", "{POST}{H}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n{EVIL}", Refused),
    ("TE quoted", "{POST}{H}Transfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n{EVIL}", Refused),
    (
        "TE with parameter",
        "{POST}{H}Transfer-Encoding: chunked;q=1\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE with vertical tab",
        "{POST}{H}Transfer-Encoding: \u{b}chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE with space before colon",
        "{POST}{H}Transfer-Encoding : chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "TE with tab before value",
        "{POST}{H}Transfer-Encoding:\tchunked\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\n\r\n",
        Either,
    ),
    (
        "TE in capitals",
        "{POST}{H}TRANSFER-ENCODING: CHUNKED\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\n\r\n",
        Either,
    ),
    ("TE empty", "{POST}{H}Transfer-Encoding:\r\n\r\n0\r\n\r\n{EVIL}", Refused),
    (
        "TE in HTTP/1.0",
        "POST /v1/chat/completions HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    ("TE folded", "{POST}{H}Transfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n{EVIL}", Refused),
    (
        "TE hidden behind CR",
        "{POST}{H}X: a\rTransfer-Encoding: chunked\r\nContent-Length: {LEN}\r\n\r\n{BODY}",
        Refused,
    ),
    (
        "TE hidden behind LF",
        "{POST}{H}X: a\nTransfer-Encoding: chunked\r\nContent-Length: {LEN}\r\n\r\n{BODY}",
        Refused,
    ),
    (
        "underscore TE",
        "{POST}{H}Transfer_Encoding: chunked\r\nContent-Length: {LEN}\r\n\r\n{BODY}",
        Either,
    ),
    (
        "two CL that differ",
        "{POST}{H}Content-Length: {LEN}\r\nContent-Length: 5\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "two CL that agree",
        "{POST}{H}Content-Length: {LEN}\r\nContent-Length: {LEN}\r\n\r\n{BODY}",
        Either,
    ),
    ("CL list that differs", "{POST}{H}Content-Length: {LEN}, 5\r\n\r\n{BODY}{EVIL}", Refused),
    ("CL list that agrees", "{POST}{H}Content-Length: {LEN}, {LEN}\r\n\r\n{BODY}", Either),
    ("CL with plus", "{POST}{H}Content-Length: +{LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("CL with minus", "{POST}{H}Content-Length: -1\r\n\r\n{EVIL}", Refused),
    ("CL in hex", "{POST}{H}Content-Length: 0x5\r\n\r\n{EVIL}", Refused),
    ("CL with fraction", "{POST}{H}Content-Length: {LEN}.0\r\n\r\n{BODY}{EVIL}", Refused),
    ("CL with inner space", "{POST}{H}Content-Length: 1 2\r\n\r\n{EVIL}", Refused),
    ("CL with letter", "{POST}{H}Content-Length: {LEN}a\r\n\r\n{BODY}{EVIL}", Refused),
    (
        "CL too large for a number",
        "{POST}{H}Content-Length: 99999999999999999999999\r\n\r\n{BODY}",
        Refused,
    ),
    ("CL empty", "{POST}{H}Content-Length:\r\n\r\n{EVIL}", Refused),
    ("CL with space before colon", "{POST}{H}Content-Length : {LEN}\r\n\r\n{BODY}", Refused),
    ("CL with NUL", "{POST}{H}Content-Length: {LEN}\0\r\n\r\n{BODY}{EVIL}", Refused),
    ("CL with leading zeros", "{POST}{H}Content-Length: 000{LEN}\r\n\r\n{BODY}", Either),
    ("a request in the body", "{POST}{H}Content-Length: {EVILLEN}\r\n\r\n{EVIL}", Either),
    (
        "a request in a chunk",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{EVILHEX}\r\n{EVIL}\r\n0\r\n\r\n",
        Either,
    ),
    (
        "a request in the body of a refused one",
        "POST /nowhere HTTP/1.1\r\n{H}Content-Length: {EVILLEN}\r\n\r\n{EVIL}",
        Either,
    ),
    (
        "a request in the body of an unauthorized one",
        "{POST}Host: gw\r\nContent-Length: {EVILLEN}\r\n\r\n{EVIL}",
        Either,
    ),
    (
        "a request in the body of a GET",
        "GET /v1/models HTTP/1.1\r\n{H}Content-Length: {EVILLEN}\r\n\r\n{EVIL}",
        Local,
    ),
    (
        "chunk size with plus",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n+{HEX}\r\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk size with minus",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n-1\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk size 0x",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n0x{HEX}\r\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    ("chunk size empty", "{POST}{H}Transfer-Encoding: chunked\r\n\r\n\r\n{EVIL}", Refused),
    (
        "chunk size too large",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk size wraps to zero",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n10000000000000000\r\n\r\n{EVIL}",
        Refused,
    ),
    ("chunk size no hex", "{POST}{H}Transfer-Encoding: chunked\r\n\r\nzz\r\n{EVIL}", Refused),
    (
        "chunk size with space inside",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n1 0\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk longer than its size",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n2\r\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk without its CR LF",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{BODY}0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk line ended by LF",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk line ended by CR",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\r{BODY}\r\n0\r\n\r\n{EVIL}",
        Refused,
    ),
    (
        "chunk extension",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX};a=b\r\n{BODY}\r\n0\r\n\r\n",
        Either,
    ),
    (
        "chunk extension with LF",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX};a\nb\r\n{BODY}\r\n0\r\n\r\n{EVIL}",
        Either,
    ),
    (
        "trailers",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\nX-Trailer: v\r\n\r\n",
        Either,
    ),
    (
        "trailer with framing",
        "{POST}{H}Transfer-Encoding: chunked\r\n\r\n{HEX}\r\n{BODY}\r\n0\r\nContent-Length: 5\r\n\r\n",
        Either,
    ),
    ("two hosts", "{POST}{H}Host: other\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    (
        "two hosts that agree",
        "{POST}{H}Host: gw\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    ("no host", "POST /healthz HTTP/1.1\r\nContent-Length: 0\r\n\r\n{EVIL}", Refused),
    (
        "absolute form of another host",
        "POST http://other/v1/chat/completions HTTP/1.1\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "absolute form of this host",
        "POST http://gw/v1/chat/completions HTTP/1.1\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}",
        Either,
    ),
    ("host with space", "{POST}{H}Host: g w\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    (
        "bare LF after the request line",
        "POST /v1/chat/completions HTTP/1.1\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    ("bare LF in the header", "{POST}{H}X: y\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("bare LF at its end", "{POST}{H}Content-Length: {LEN}\r\n\n{BODY}{EVIL}", Refused),
    ("bare CR in the header", "{POST}{H}X: y\rContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("CR CR LF", "{POST}{H}X: y\r\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("folded line", "{POST}{H}X: y\r\n z\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("folded first line", "{POST} X: y\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("NUL in a name", "{POST}{H}X\0: y\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("NUL in a value", "{POST}{H}X: a\0b\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("space in a name", "{POST}{H}X Y: z\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("empty name", "{POST}{H}: z\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    ("no colon", "{POST}{H}Xyz\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}", Refused),
    (
        "control byte in a value",
        "{POST}{H}X: a\u{1}b\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "space in the target",
        "POST /v1/chat/completions x HTTP/1.1\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}",
        Local,
    ),
    (
        "tab after the method",
        "POST\t/v1/chat/completions HTTP/1.1\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "two versions",
        "POST /v1/chat/completions HTTP/1.1 HTTP/1.1\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "no version",
        "POST /v1/chat/completions\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "version 1.2",
        "POST /v1/chat/completions HTTP/1.2\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "version 2.0",
        "POST /v1/chat/completions HTTP/2.0\r\n{H}Content-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    ("version 0.9", "GET /v1/models\r\n\r\n{EVIL}", Refused),
    (
        "line breaks before the request",
        "\r\n\r\n{POST}{H}Content-Length: {LEN}\r\n\r\n{BODY}",
        Either,
    ),
    ("CONNECT", "CONNECT gw:80 HTTP/1.1\r\n{H}\r\n{EVIL}", Refused),
    ("TRACE", "TRACE /v1/models HTTP/1.1\r\n{H}\r\n{EVIL}", Refused),
    ("asterisk", "OPTIONS * HTTP/1.1\r\n{H}Content-Length: {EVILLEN}\r\n\r\n{EVIL}", Either),
    (
        "upgrade to h2c",
        "{POST}{H}Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    (
        "upgrade to a WebSocket",
        "{POST}{H}Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: {LEN}\r\n\r\n{BODY}{EVIL}",
        Refused,
    ),
    ("garbage", "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\u{fc}{EVIL}", Refused),
];
