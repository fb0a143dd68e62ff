//! Fuzz target for filters of lists.

use super::{
    Expression, parse, read,
    tests::{contact, written},
};
use crate::{
    domain::limits::{FILTER_DEPTH, FILTER_QUERY_BYTES},
    fuzz::{run_texts, within_memory},
    http::icinga::{
        Dialect,
        request_path::{Endpoint, RequestPath},
    },
};

const EXAMPLES: &[&str] = &[
    "full_name~*C*&(username=c|username=d)&!origin",
    "id=0817d973-398e-41d7-9cd2-61cdb7ef41a1",
    "id!=(0817d973-398e-41d7-9cd2-61cdb7ef41a1|0817d973-398e-41d7-9cd2-61cdb7ef41a2)",
    "!username&full_name%3Ea&full_name%3c=z",
    "name!~a*b*c|(type=email&!(name=x|name>=y))",
    "((((((full_name=%28b%29%26%7C%25))))))",
    "a=%zz&b=%ff&!!!c",
    "full_name~*a*a*a*a*a*a*a*a*b",
];

fn depth(expression: &Expression) -> usize {
    match expression {
        Expression::Not(inner) => 1 + depth(inner),
        Expression::All(parts) | Expression::Any(parts) => 1 + parts.iter().map(depth).max().unwrap_or_default(),
        Expression::Is(_) => 0,
    }
}

/// Returns how deeply parentheses are nested. A written filter has some that its query did not need.
fn nesting(written: &str) -> usize {
    let (mut depth, mut deepest) = (0_usize, 0);
    for character in written.chars() {
        match character {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

#[test]
fn filters_of_the_contact_api() {
    let somebody = contact(&"a".repeat(200), Some("c"));
    run_texts("filters_of_the_contact_api", EXAMPLES, |query| {
        let memory = (64 << 10) + 512 * query.len().min(FILTER_QUERY_BYTES);
        match within_memory(memory, || parse(query)) {
            Ok(expression) => {
                assert!(query.len() <= FILTER_QUERY_BYTES);
                assert!(depth(&expression) <= 3 * (FILTER_DEPTH + 1), "{}", depth(&expression));
                let again = written(&expression);
                if again.len() <= FILTER_QUERY_BYTES && nesting(&again) <= FILTER_DEPTH {
                    assert_eq!(parse(&again).as_ref(), Ok(&expression), "{again}");
                }
            }
            Err(error) => assert!(error.starts_with("Invalid filter") && error.len() <= query.len() + 256, "{error}"),
        }
        for endpoint in [Endpoint::Contacts, Endpoint::Groups, Endpoint::Channels] {
            if let Ok(filter) = within_memory(2 * memory, || read(query, endpoint)) {
                let _ = (filter.matches(&somebody), filter.only_id());
            }
        }
        let _ = RequestPath::read(query, Dialect::Current);
    });
}
