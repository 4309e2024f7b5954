//! Reasoning of earlier turns, and whose it is.
//!
//! A client of this format has one place for signatures, where the gateway packs those of other
//! makers (`formats::carried`). Here they get their maker back; what was not packed is Claude's own.
//! A packed signature of a tool call goes to the call it stands before.

use crate::chat::message::{Part, Reasoning, ReasoningKind};
use crate::formats::anthropic::{CALL_SIGNATURE_FORMAT, REASONING_FORMAT};
use crate::formats::carried::Carried;
use std::borrow::Cow;

/// A `thinking` block.
pub(super) fn thinking<'a>(text: Cow<'a, str>, signature: Option<Cow<'a, str>>) -> Part<'a> {
    let Some(signature) = signature else {
        // Nobody signs for it, so nobody knows whose it is.
        return piece(ReasoningKind::Text, text, None, None);
    };
    match Carried::unpack(&signature) {
        Some(carried) => unpacked(text, carried),
        None => piece(ReasoningKind::Text, text, Some(signature), Some(REASONING_FORMAT.into())),
    }
}

/// A `redacted_thinking` block.
pub(super) fn redacted(data: Cow<'_, str>) -> Part<'_> {
    match Carried::unpack(&data) {
        Some(carried) => unpacked("".into(), carried),
        None => {
            piece(ReasoningKind::Encrypted, "".into(), Some(data), Some(REASONING_FORMAT.into()))
        }
    }
}

fn piece<'a>(
    kind: ReasoningKind,
    text: Cow<'a, str>,
    signature: Option<Cow<'a, str>>,
    format: Option<Cow<'a, str>>,
) -> Part<'a> {
    Part::Reasoning(Reasoning { kind, text, signature, format, id: None })
}

fn unpacked(text: Cow<'_, str>, carried: Carried) -> Part<'_> {
    let filled = |text: String| (!text.is_empty()).then_some(Cow::Owned(text));
    // What is encrypted but has text beside it is a summary of what is encrypted.
    let kind = match (carried.encrypted, text.is_empty()) {
        (false, _) => ReasoningKind::Text,
        (true, true) => ReasoningKind::Encrypted,
        (true, false) => ReasoningKind::Summary,
    };
    Part::Reasoning(Reasoning {
        kind,
        text,
        signature: filled(carried.data),
        format: filled(carried.format),
        id: filled(carried.id),
    })
}

/// Moves the signatures that belong to tool calls to their calls.
pub(super) fn sign_calls(parts: Vec<Part<'_>>) -> Vec<Part<'_>> {
    let mut signed: Vec<Part<'_>> = Vec::with_capacity(parts.len());
    for mut part in parts {
        if let Part::ToolCall(call) = &mut part {
            let thoughts =
                signed.iter().rev().take_while(|before| matches!(before, Part::Reasoning(_)));
            let place = thoughts.enumerate().find(|(_, before)| signs(before, &call.id));
            let place = place.map(|(back, _)| signed.len() - 1 - back);
            if let Some(Part::Reasoning(piece)) = place.map(|at| signed.remove(at)) {
                call.signature = piece.signature;
            }
        }
        signed.push(part);
    }
    signed
}

fn signs(part: &Part<'_>, call_id: &str) -> bool {
    let Part::Reasoning(piece) = part else { return false };
    piece.kind == ReasoningKind::Encrypted
        && piece.format.as_deref() == Some(CALL_SIGNATURE_FORMAT)
        && piece.id.as_deref() == Some(call_id)
}
