//! Instructions to the mock inside a prompt: `[[mock {json}]]` and `[[mock tools]]`.
//!
//! A gateway forwards few request headers, so a test that talks through one hides the instruction
//! in the text of the last user message. Used by `script`.
//!
//! Invariant: text without `[[mock ` costs one substring search.

use super::script::Reply;

const OPENING: &str = "[[mock ";
const CLOSING: &str = "]]";

/// What a prompt asks of the mock.
#[derive(Debug, Clone)]
pub(super) enum Directive {
    /// Answer like this.
    Reply(Box<Reply>),
    /// Call the first declared tool with arguments made from its schema.
    CallFirstTool,
}

/// The first directive in the text. `Err` says what is wrong with it.
pub(super) fn find(text: &str) -> Option<Result<Directive, String>> {
    let (_, rest) = text.split_once(OPENING)?;
    let rest = rest.trim_start();
    if let Some(after) = rest.strip_prefix("tools") {
        let closed = after.trim_start().starts_with(CLOSING);
        return Some(closed.then_some(Directive::CallFirstTool).ok_or_else(not_closed));
    }
    // The JSON may itself contain "]]", so the parser decides where it ends.
    let mut values = serde_json::Deserializer::from_str(rest).into_iter::<Reply>();
    let reply = match values.next()? {
        Ok(reply) => reply,
        Err(error) => return Some(Err(error.to_string())),
    };
    let after = rest.get(values.byte_offset()..).unwrap_or_default();
    let closed = after.trim_start().starts_with(CLOSING);
    Some(if closed { Ok(Directive::Reply(Box::new(reply))) } else { Err(not_closed()) })
}

fn not_closed() -> String {
    "the directive is not closed by ]]".to_owned()
}
