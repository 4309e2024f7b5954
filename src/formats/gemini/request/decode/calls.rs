//! Which result belongs to which function call.
//!
//! Gemini's ids are optional: results match by id, else by name in the order of
//! the calls, else by order alone. Calls
//! without an id get one that depends on their place alone, so that the same conversation reads
//! the same every time and providers find their prompt cache.

use sha2::{Digest, Sha256};
use std::borrow::Cow;
use std::fmt::Write as _;

const ID_BYTES: usize = 12;

/// The calls of a conversation so far.
#[derive(Debug, Default)]
pub(super) struct Calls<'a> {
    made: Vec<Call<'a>>,
    /// Counts the model's turns.
    step: usize,
}

#[derive(Debug)]
struct Call<'a> {
    id: Cow<'a, str>,
    name: Cow<'a, str>,
    step: usize,
    answered: bool,
}

impl<'a> Calls<'a> {
    /// A turn of the model begins.
    pub(super) fn next_step(&mut self) {
        self.step += 1;
    }

    /// Notes a call and gives its id.
    pub(super) fn make(&mut self, id: Option<Cow<'a, str>>, name: &Cow<'a, str>) -> Cow<'a, str> {
        let id = id.unwrap_or_else(|| made_id(self.made.len(), name).into());
        let call = Call { id: id.clone(), name: name.clone(), step: self.step, answered: false };
        self.made.push(call);
        id
    }

    /// Finds the call that a result answers, and marks it; `None` when there is no such call.
    pub(super) fn answer(
        &mut self,
        id: Option<&str>,
        name: Option<&str>,
    ) -> Option<(Cow<'a, str>, Cow<'a, str>)> {
        let by_id = id.and_then(|id| self.made.iter().rposition(|call| call.id == id));
        // A name that nobody called still answers something: Google counts no more than the parts.
        let by_name = || self.open_call(name).or_else(|| self.open_call(None));
        let at = by_id.or_else(by_name)?;
        let call = self.made.get_mut(at)?;
        call.answered = true;
        Some((call.id.clone(), call.name.clone()))
    }

    /// The first open call of that name in the newest turn that has one.
    fn open_call(&self, name: Option<&str>) -> Option<usize> {
        let fits = |call: &Call<'_>| !call.answered && name.is_none_or(|name| call.name == name);
        let step = self.made.iter().rfind(|call| fits(call))?.step;
        self.made.iter().position(|call| call.step == step && fits(call))
    }
}

fn made_id(order: usize, name: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(order.to_le_bytes());
    hash.update(name);
    let mut id = String::from("call_");
    for byte in hash.finalize().iter().take(ID_BYTES) {
        // Writing to a String cannot fail.
        write!(id, "{byte:02x}").unwrap_or_default();
    }
    id
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_find_their_calls() {
        let name = |name: &'static str| Cow::Borrowed(name);
        let mut calls = Calls::default();
        calls.next_step();
        let old = calls.make(None, &name("f"));
        calls.next_step();
        let first = calls.make(None, &name("f"));
        let given = calls.make(Some(name("x1")), &name("g"));
        let second = calls.make(None, &name("f"));
        assert_eq!(given, "x1");
        assert_eq!(calls.answer(Some("x1"), Some("other")).unwrap(), (given, name("g")));
        assert_eq!(calls.answer(Some("unknown"), Some("f")).unwrap().0, first);
        assert_eq!(calls.answer(None, Some("f")).unwrap().0, second);
        assert_eq!(calls.answer(None, Some("misspelt")).unwrap().0, old);
        assert_eq!(calls.answer(None, Some("f")), None);
        assert_eq!(calls.answer(None, Some("never")), None);
    }

    #[test]
    fn made_ids_are_apart_and_repeatable() {
        assert_eq!(made_id(3, "f"), made_id(3, "f"));
        assert_ne!(made_id(3, "f"), made_id(4, "f"));
        assert_eq!(made_id(0, "f").len(), "call_".len() + 2 * ID_BYTES);
    }
}
