//! What a provider says when all is well, in the format that it was asked in: `one two`, in pieces
//! that a script can break.

/// How a provider was asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Talk {
    format: Format,
    /// Whether a stream was asked for.
    pub stream: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    OpenAi,
    Anthropic,
    Gemini,
}

/// An error in the words of each format.
#[derive(Debug, Clone, Copy)]
pub struct Told {
    openai: &'static str,
    anthropic: &'static str,
    gemini: (u16, &'static str),
    text: &'static str,
}

/// A provider that has too much to do.
pub const OVERLOADED: Told = Told {
    openai: "overloaded",
    anthropic: "overloaded_error",
    gemini: (503, "UNAVAILABLE"),
    text: "POISON",
};
/// A provider that failed.
pub const FAILED: Told = Told {
    openai: "server_error",
    anthropic: "api_error",
    gemini: (500, "INTERNAL"),
    text: "POISON",
};
/// A provider that was asked too often.
pub const LIMITED: Told = Told {
    openai: "rate_limit_exceeded",
    anthropic: "rate_limit_error",
    gemini: (429, "RESOURCE_EXHAUSTED"),
    text: "POISON",
};
/// A provider that does not take the gateway's key.
pub const BAD_KEY: Told = Told {
    openai: "invalid_api_key",
    anthropic: "authentication_error",
    gemini: (401, "UNAUTHENTICATED"),
    text: "POISON",
};
/// A provider that was asked for what it cannot do.
pub const BAD_REQUEST: Told = Told {
    openai: "invalid_value",
    anthropic: "invalid_request_error",
    gemini: (400, "INVALID_ARGUMENT"),
    text: "no such thing",
};

const OPENAI: &str = r#"{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"one two"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":2,"total_tokens":5}}"#;
const ANTHROPIC: &str = r#"{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[{"type":"text","text":"one two"}],"stop_reason":"end_turn","stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":2}}"#;
const GEMINI: &str = r#"{"candidates":[{"content":{"role":"model","parts":[{"text":"one two"}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"m","responseId":"r"}"#;

impl Talk {
    /// How this request asks.
    pub fn of(request: &str) -> Self {
        let (head, body) = request.split_once("\r\n\r\n").unwrap();
        let target = head.lines().next().unwrap();
        let format = if target.contains(":generateContent") || target.contains(":stream") {
            Format::Gemini
        } else if target.contains("/messages") {
            Format::Anthropic
        } else {
            Format::OpenAi
        };
        let stream = target.contains(":stream") || body.contains("\"stream\":true");
        Self { format, stream }
    }

    /// The media type of the answer.
    pub fn media_type(self) -> &'static str {
        if self.stream { "text/event-stream" } else { "application/json" }
    }

    /// The beginning: nothing of a whole answer, of a stream what comes before the first word.
    pub fn opening(self) -> String {
        match (self.stream, self.format) {
            (true, Format::OpenAi) => openai(r#"{"role":"assistant","content":""}"#, "null"),
            (true, Format::Anthropic) => [
                anthropic("message_start", r#","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":3,"output_tokens":1}}"#),
                anthropic("content_block_start", r#","index":0,"content_block":{"type":"text","text":""}"#),
            ]
            .concat(),
            _ => String::new(),
        }
    }

    /// The event with a word; half of a whole answer.
    pub fn one(self) -> String {
        if self.stream {
            self.word("one")
        } else {
            let all = self.whole();
            let (half, _) = all.split_once(" two").unwrap();
            half.to_owned()
        }
    }

    /// What follows [`one`](Self::one).
    pub fn rest(self) -> String {
        if !self.stream {
            let all = self.whole();
            let (_, half) = all.split_once(" two").unwrap();
            return format!(" two{half}");
        }
        [self.word(" two"), self.closing()].concat()
    }

    /// The event of a stream with this text.
    pub fn word(self, text: &str) -> String {
        match self.format {
            Format::OpenAi => openai(&format!(r#"{{"content":"{text}"}}"#), "null"),
            Format::Anthropic => {
                let delta =
                    format!(r#","index":0,"delta":{{"type":"text_delta","text":"{text}"}}"#);
                anthropic("content_block_delta", &delta)
            }
            Format::Gemini => gemini(&format!(
                r#"{{"candidates":[{{"content":{{"role":"model","parts":[{{"text":"{text}"}}]}},"index":0}}],"modelVersion":"m"}}"#
            )),
        }
    }

    /// The end of a stream, with the reason for it and the usage.
    pub fn closing(self) -> String {
        match self.format {
            Format::OpenAi => [
                &openai("{}", "\"stop\""),
                "data: {\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n",
                "data: [DONE]\n\n",
            ]
            .concat(),
            Format::Anthropic => [
                anthropic("content_block_stop", r#","index":0"#),
                anthropic("message_delta", r#","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}"#),
                anthropic("message_stop", ""),
            ]
            .concat(),
            Format::Gemini => gemini(
                r#"{"candidates":[{"content":{"role":"model","parts":[{"text":""}]},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":3,"candidatesTokenCount":2,"totalTokenCount":5},"modelVersion":"m"}"#,
            ),
        }
    }

    /// The format's own error, as an event or as a body.
    pub fn error(self, told: Told) -> String {
        let Told { openai, anthropic, gemini: (code, status), text } = told;
        let body = match self.format {
            Format::OpenAi => {
                format!(r#"{{"error":{{"message":"{text}","type":"{openai}","code":"{openai}"}}}}"#)
            }
            Format::Anthropic => {
                format!(r#"{{"type":"error","error":{{"type":"{anthropic}","message":"{text}"}}}}"#)
            }
            Format::Gemini => {
                format!(r#"{{"error":{{"code":{code},"message":"{text}","status":"{status}"}}}}"#)
            }
        };
        match (self.stream, self.format) {
            (false, _) => body,
            (true, Format::Anthropic) => format!("event: error\ndata: {body}\n\n"),
            (true, _) => format!("data: {body}\n\n"),
        }
    }

    /// The whole answer.
    pub fn all(self) -> String {
        if self.stream { [self.opening(), self.one(), self.rest()].concat() } else { self.whole() }
    }

    fn whole(self) -> String {
        match self.format {
            Format::OpenAi => OPENAI,
            Format::Anthropic => ANTHROPIC,
            Format::Gemini => GEMINI,
        }
        .to_owned()
    }

    /// A header of status 200 with these fields besides the media type.
    pub fn head(self, fields: &str) -> String {
        format!("HTTP/1.1 200 OK\r\ncontent-type: {}\r\n{fields}\r\n", self.media_type())
    }

    /// A header that announces chunks.
    pub fn chunked(self) -> String {
        self.head("transfer-encoding: chunked\r\n")
    }

    /// A whole message with a body of known length.
    pub fn sized(self, body: &str) -> String {
        [self.head(&format!("content-length: {}\r\n", body.len())), body.to_owned()].concat()
    }

    /// The header and the first word in a chunk of its own.
    pub fn begun(self) -> String {
        [self.chunked(), chunk(&self.opening()), chunk(&self.one())].concat()
    }
}

/// Text as a chunk; nothing for no text, which would be the end.
pub fn chunk(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{:x}\r\n{text}\r\n", text.len()) }
}

/// The end of the chunks.
pub const LAST_CHUNK: &str = "0\r\n\r\n";

fn openai(delta: &str, finish: &str) -> String {
    format!(
        "data: {{\"id\":\"c1\",\"object\":\"chat.completion.chunk\",\"created\":1,\"model\":\"m\",\
         \"choices\":[{{\"index\":0,\"delta\":{delta},\"finish_reason\":{finish}}}]}}\n\n"
    )
}

fn anthropic(kind: &str, members: &str) -> String {
    format!("event: {kind}\ndata: {{\"type\":\"{kind}\"{members}}}\n\n")
}

fn gemini(body: &str) -> String {
    format!("data: {body}\r\n\r\n")
}
