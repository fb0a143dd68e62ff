//! Columns of each endpoint, and the types of their values.

use uuid::Uuid;

use super::{Comparison, Condition, Expression, Operand, Operator};
use crate::domain::contact_filter::{Column, Filter, Order, Test};
use crate::http::icinga::{Problem, fields, request_path::Endpoint};

pub(super) fn resolve(expression: &Expression, endpoint: Endpoint) -> Result<Filter, Problem> {
    let each = |parts: &[Expression]| parts.iter().map(|part| resolve(part, endpoint)).collect::<Result<Vec<_>, _>>();
    Ok(match expression {
        Expression::Not(inner) => Filter::Not(Box::new(resolve(inner, endpoint)?)),
        Expression::All(parts) => Filter::All(each(parts)?),
        Expression::Any(parts) => Filter::Any(each(parts)?),
        Expression::Is(condition) => is(condition, endpoint)?,
    })
}

fn is(Condition { column, comparison }: &Condition, endpoint: Endpoint) -> Result<Filter, Problem> {
    let wanted = test(comparison);
    if column == "id" {
        return Ok(Filter::Id(of_ids(wanted?)?));
    }
    let known = match (endpoint, column.as_str()) {
        (Endpoint::Contacts, "full_name") => Column::FullName,
        (Endpoint::Contacts, "username") => Column::Username,
        (Endpoint::Groups | Endpoint::Channels, "name") => Column::Name,
        (Endpoint::Channels, "type") => Column::Type,
        (Endpoint::Contacts | Endpoint::Groups, "origin") => Column::Origin,
        _ => {
            let message = format!("Invalid request parameter: Filter column {column} is not allowed");
            return Err(Problem::bad_request(message));
        }
    };
    Ok(Filter::Text(known, wanted?))
}

fn test(comparison: &Comparison) -> Result<Test<String>, Problem> {
    let (operator, operand) = match comparison {
        Comparison::IsSet => return Ok(Test::OneOf(vec!["1".to_owned()])),
        Comparison::IsEmpty => return Ok(Test::Empty),
        Comparison::With(operator, operand) => (*operator, operand.clone()),
    };
    let ordered = |order| move |text| Test::Ordered(order, text);
    match (operator, operand) {
        (Operator::Equal, Operand::List(texts)) => Ok(Test::OneOf(texts)),
        (Operator::Unequal, Operand::List(texts)) => Ok(Test::NoneOf(texts)),
        (_, Operand::List(_)) => Err(Problem::bad_request(
            "Unable to render array expressions with operators other than equal/in or not equal/not in",
        )),
        (Operator::Equal, Operand::One(text)) => Ok(Test::OneOf(vec![text])),
        (Operator::Unequal, Operand::One(text)) => Ok(Test::NoneOf(vec![text])),
        (Operator::Like, Operand::One(text)) => Ok(Test::Like(text)),
        (Operator::Unlike, Operand::One(text)) => Ok(Test::Unlike(text)),
        (Operator::Greater, Operand::One(text)) => Ok(ordered(Order::Greater)(text)),
        (Operator::GreaterOrEqual, Operand::One(text)) => Ok(ordered(Order::GreaterOrEqual)(text)),
        (Operator::Less, Operand::One(text)) => Ok(ordered(Order::Less)(text)),
        (Operator::LessOrEqual, Operand::One(text)) => Ok(ordered(Order::LessOrEqual)(text)),
    }
}

/// Converts texts to UUIDs. They must be complete, whatever the operator is.
fn of_ids(test: Test<String>) -> Result<Test<Uuid>, Problem> {
    let id = |text: String| {
        fields::uuid(&text).ok_or_else(|| Problem::bad_request("The given filter id is not a valid UUID"))
    };
    let ids = |texts: Vec<String>| texts.into_iter().map(id).collect::<Result<Vec<_>, _>>();
    Ok(match test {
        Test::OneOf(texts) => Test::OneOf(ids(texts)?),
        Test::NoneOf(texts) => Test::NoneOf(ids(texts)?),
        Test::Like(one) => Test::Like(id(one)?),
        Test::Unlike(one) => Test::Unlike(id(one)?),
        Test::Ordered(order, one) => Test::Ordered(order, id(one)?),
        Test::Empty => Test::OneOf(vec![id(String::new())?]),
    })
}
