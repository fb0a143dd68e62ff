//! Tests of filters: written and parsed again they are the same, and they match as a plain evaluation does.

use std::collections::{BTreeMap, BTreeSet};

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::domain::{contact::Contact, ids::ContactId};

pub(super) fn written(expression: &Expression) -> String {
    let inner = |part: &Expression| match part {
        Expression::All(_) | Expression::Any(_) => format!("({})", written(part)),
        _ => written(part),
    };
    let join = |parts: &[Expression], with: &str| parts.iter().map(inner).collect::<Vec<_>>().join(with);
    match expression {
        Expression::All(parts) => join(parts, "&"),
        Expression::Any(parts) => join(parts, "|"),
        Expression::Not(part) => match part.as_ref() {
            Expression::Is(Condition { comparison: Comparison::With(..), .. }) => format!("!{}", written(part)),
            _ => format!("!({})", written(part)),
        },
        Expression::Is(Condition { column, comparison }) => {
            let column = encoded(column);
            match comparison {
                Comparison::IsSet => column,
                Comparison::IsEmpty => format!("!{column}"),
                Comparison::With(operator, operand) => {
                    let (sign, _) = OPERATORS.iter().find(|(_, known)| known == operator).unwrap();
                    let operand = match operand {
                        Operand::One(text) => encoded(text),
                        Operand::List(texts) => {
                            format!("({})", texts.iter().map(|t| encoded(t)).collect::<Vec<_>>().join("|"))
                        }
                    };
                    format!("{column}{sign}{operand}")
                }
            }
        }
    }
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

fn operators() -> impl Strategy<Value = Operator> {
    (0..8_usize).prop_map(|index| OPERATORS[index].1)
}

fn conditions(columns: &'static str, texts: &'static str) -> impl Strategy<Value = Expression> {
    let one = texts.prop_map(Operand::One);
    let list = proptest::collection::vec(texts, 1..4).prop_map(Operand::List);
    let comparison = prop_oneof![
        1 => Just(Comparison::IsSet),
        1 => Just(Comparison::IsEmpty),
        4 => (operators(), one).prop_map(|(operator, operand)| Comparison::With(operator, operand)),
        2 => (prop_oneof![Just(Operator::Equal), Just(Operator::Unequal)], list)
            .prop_map(|(operator, operand)| Comparison::With(operator, operand)),
    ];
    (columns, comparison).prop_map(|(column, comparison)| Expression::Is(Condition { column, comparison }))
}

fn expressions(columns: &'static str, texts: &'static str) -> impl Strategy<Value = Expression> {
    conditions(columns, texts).prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            inner.clone().prop_map(|part| Expression::Not(Box::new(part))),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::All),
            proptest::collection::vec(inner, 2..4).prop_map(Expression::Any),
        ]
    })
}

pub(super) fn contact(full_name: &str, username: Option<&str>) -> Contact {
    Contact {
        id: ContactId(1),
        uuid: Uuid::from_u128(7),
        full_name: full_name.to_owned(),
        username: username.map(str::to_owned),
        default_channel: Uuid::nil(),
        groups: BTreeSet::new(),
        addresses: BTreeMap::new(),
        origin: None,
    }
}

/// Evaluates a filter by the table of the contract, without the optimizations of the product.
fn plainly(expression: &Expression, contact: &Contact) -> bool {
    let (column, comparison) = match expression {
        Expression::Not(part) => return !plainly(part, contact),
        Expression::All(parts) => return parts.iter().all(|part| plainly(part, contact)),
        Expression::Any(parts) => return parts.iter().any(|part| plainly(part, contact)),
        Expression::Is(Condition { column, comparison }) => (column, comparison),
    };
    let value = if column == "full_name" { Some(contact.full_name.clone()) } else { contact.username.clone() };
    let value = value.map(|value| value.to_ascii_lowercase());
    let (operator, operands) = match comparison {
        Comparison::IsSet => return value.as_deref() == Some("1"),
        Comparison::IsEmpty => return value.is_none_or(|value| value.is_empty()),
        Comparison::With(operator, Operand::One(text)) => (operator, vec![text.to_ascii_lowercase()]),
        Comparison::With(operator, Operand::List(texts)) => {
            (operator, texts.iter().map(|text| text.to_ascii_lowercase()).collect())
        }
    };
    let Some(value) = value else { return matches!(operator, Operator::Unequal | Operator::Unlike) };
    let other = &operands[0];
    match operator {
        Operator::Equal => operands.contains(&value),
        Operator::Unequal => !operands.contains(&value),
        Operator::Like => like(value.as_bytes(), other.as_bytes()),
        Operator::Unlike => !like(value.as_bytes(), other.as_bytes()),
        Operator::Greater => value > *other,
        Operator::GreaterOrEqual => value >= *other,
        Operator::Less => value < *other,
        Operator::LessOrEqual => value <= *other,
    }
}

fn like(text: &[u8], pattern: &[u8]) -> bool {
    match pattern {
        [] => text.is_empty(),
        [b'*', rest @ ..] => (0..=text.len()).any(|taken| like(&text[taken..], rest)),
        [first, rest @ ..] => text.split_first().is_some_and(|(c, text)| c == first && like(text, rest)),
    }
}

proptest! {
    #[test]
    fn what_is_written_is_read_back(expression in expressions("[a-z_%&=!(]{1,6}", "[^\u{0}]{0,6}")) {
        prop_assert_eq!(parse(&written(&expression)), Ok(expression));
    }

    #[test]
    fn filters_match_what_they_plainly_say(
        expression in expressions("full_name|username", "[abAB1*]{0,3}"),
        full_name in "[abAB1]{0,3}",
        username in proptest::option::of("[abAB1]{1,3}"),
    ) {
        let contact = contact(&full_name, username.as_deref());
        let filter = read(&written(&expression), Endpoint::Contacts).unwrap();
        prop_assert_eq!(filter.matches(&contact), plainly(&expression, &contact), "{}", written(&expression));
    }

    #[test]
    fn nothing_makes_the_parser_panic(query in "[a()|&!=~<>%*3CEe ]{0,40}") {
        if let Ok(expression) = parse(&query) {
            prop_assert_eq!(parse(&written(&expression)), Ok(expression));
        }
    }

    #[test]
    fn no_text_at_all_makes_the_parser_panic(query in "\\PC{0,60}") {
        let _ = read(&query, Endpoint::Channels);
    }
}

fn is(column: &str, operator: Operator, text: &str) -> Expression {
    let comparison = Comparison::With(operator, Operand::One(text.to_owned()));
    Expression::Is(Condition { column: column.to_owned(), comparison })
}

#[test]
fn and_binds_tighter_than_or() {
    let [a, b, c] = ["a", "b", "c"].map(|column| is(column, Operator::Equal, "1"));
    let both = Expression::All(vec![b.clone(), c.clone()]);
    assert_eq!(parse("a=1|b=1&c=1"), Ok(Expression::Any(vec![a.clone(), both])));
    assert_eq!(parse("(a=1|b=1)&c=1"), Ok(Expression::All(vec![Expression::Any(vec![a, b]), c])));
}

#[test]
fn what_is_superfluous_is_skipped() {
    let a = is("a", Operator::Equal, "1");
    for query in ["a=1", "&a=1&", "||a=1|", "(a=1", "((a=1)", "a=1&()", "a=1&!", "%61=1", " a =1", "a=%31"] {
        assert_eq!(parse(query), Ok(a.clone()), "{query}");
    }
    for query in ["", "()", "!", "&", "|", "(())", "!()", "!!", "(", "(&|"] {
        assert_eq!(parse(query), Ok(Expression::All(Vec::new())), "{query}");
    }
    assert_eq!(parse("!!!a=1"), Ok(Expression::Not(Box::new(a))));
}

#[test]
fn values_may_hold_what_is_special_elsewhere() {
    for (query, text) in [
        ("a=b=c!", "b=c!"),
        ("a=b+c", "b+c"),
        ("a=%28b%29%26%7C%25", "(b)&|%"),
        ("a=%3E", ">"),
        ("a=%zz", "%zz"),
        ("a=", ""),
        ("a= b ", " b "),
        ("a=b(c", "b(c"),
    ] {
        assert_eq!(parse(query), Ok(is("a", Operator::Equal, text)), "{query}");
    }
}

#[test]
fn angles_are_operators_also_when_encoded() {
    for (query, operator) in [
        ("a%3Eb", Operator::Greater),
        ("a%3e=b", Operator::GreaterOrEqual),
        ("a%3Cb", Operator::Less),
        ("a%3C=b", Operator::LessOrEqual),
        ("a<=b", Operator::LessOrEqual),
        ("a!~b", Operator::Unlike),
    ] {
        assert_eq!(parse(query), Ok(is("a", operator, "b")), "{query}");
    }
}

#[test]
fn lists_hold_alternatives() {
    let list = |query: &str| match parse(query) {
        Ok(Expression::Is(Condition { comparison: Comparison::With(_, Operand::List(texts)), .. })) => texts,
        other => panic!("{query}: {other:?}"),
    };
    assert_eq!(list("a=(b|c)"), ["b", "c"]);
    assert_eq!(list("a!=(b&<c|%7C)"), ["b&<c", "|"]);
    assert_eq!(list("a=()"), [""]);
}

#[test]
fn says_where_it_is_wrong() {
    for (query, said) in [
        ("a=1)", "unexpected ) at pos 3"),
        ("=1", "unexpected = at pos 0: expected a column"),
        ("a=b<c", "unexpected < at pos 3"),
        ("a!b", "unexpected ! at pos 1: expected an operator"),
        ("a(b)", "unexpected ( at pos 1: expected an operator"),
        ("(a=1)b", "unexpected b at pos 5: expected & or |"),
    ] {
        match parse(query) {
            Err(text) => {
                assert!(text.starts_with(&format!("Invalid filter \"{query}\"")) && text.contains(said), "{text}");
            }
            Ok(found) => panic!("{query}: {found:?}"),
        }
    }
    assert!(parse(&"(".repeat(FILTER_DEPTH + 1)).unwrap_err().contains("too many nested parentheses"));
    assert!(parse(&"(".repeat(FILTER_DEPTH)).is_ok());
    assert!(parse(&"a".repeat(FILTER_QUERY_BYTES + 1)).is_err());
}
