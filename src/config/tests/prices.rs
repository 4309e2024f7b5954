//! Tiers and factors of a price: what is taken and what is refused, and where.

use super::load_text;

/// The only problem of an endpoint with this price; none if it is taken.
fn problem(price: &str) -> Option<String> {
    let text = format!(
        "[providers.a]\nformat = 'openai'\nbase_url = 'https://a.example'\n[models.\"a/m\"]\n\
         endpoints = [{{ provider = 'a', price = {{ prompt = '2', completion = '4', {price} }} }}]\n"
    );
    let problems = load_text(&text).err()?.problems;
    assert_eq!(problems.len(), 1, "{price}: {problems:?}");
    problems.first().map(|problem| problem.message.clone())
}

#[test]
fn tiers_rise() {
    for (tiers, expected) in [
        ("", None),
        ("{ above_prompt_tokens = 200000, prompt = '2', completion = '6' }", None),
        ("{ above_prompt_tokens = 9, prompt = '3' }, { above_prompt_tokens = 10 }", None),
        ("{ above_prompt_tokens = 9, prompt = '1.9' }", Some("a tier is below the one before it")),
        // Cached tokens cost what the others do until a price says otherwise.
        (
            "{ above_prompt_tokens = 9, cache_read = '1' }",
            Some("a tier is below the one before it"),
        ),
        (
            "{ above_prompt_tokens = 9, prompt = '3' }, { above_prompt_tokens = 10, prompt = '2' }",
            Some("a tier is below the one before it"),
        ),
        (
            "{ above_prompt_tokens = 9 }, { above_prompt_tokens = 9 }",
            Some("the bound is not above the last"),
        ),
        ("{ above_prompt_tokens = 0 }", Some("the bound is not above the last")),
        ("{ above_prompt_tokens = 9, audio = '1000001' }", Some("more than 1 USD for one token")),
        ("{ prompt = '3' }", Some("missing key `above_prompt_tokens`")),
    ] {
        assert_eq!(problem(&format!("tiers = [{tiers}]")).as_deref(), expected, "{tiers}");
    }
    let nine: Vec<String> = (1..10).map(|n| format!("{{ above_prompt_tokens = {n} }}")).collect();
    let found = problem(&format!("tiers = [{}]", nine.join(", ")));
    assert_eq!(found.as_deref(), Some("more than 8 tiers"));
}

#[test]
fn factors_are_decimals_or_fractions() {
    for factors in ["flex = '0.5'", "priority = '20/11', batch = '0'", "flex = 2"] {
        assert_eq!(problem(&format!("factors = {{ {factors} }}")), None, "{factors}");
    }
    for factors in ["flex = '1/0'", "flex = '-1'", "flex = '101'", "flex = 0.5", "flx = '1'"] {
        assert!(problem(&format!("factors = {{ {factors} }}")).is_some(), "{factors}");
    }
}
