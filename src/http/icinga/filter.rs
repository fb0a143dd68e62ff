//! Parser of the filters of lists: a query string becomes a tree of conditions (contact API contract section 8).

mod columns;

use percent_encoding::percent_decode_str;

use super::{Problem, request_path::Endpoint};
use crate::domain::{
    contact_filter::Filter,
    limits::{FILTER_DEPTH, FILTER_QUERY_BYTES},
};

/// Parsed filter, with decoded texts.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Not(Box<Self>),
    /// Two or more parts, or none, which matches everything.
    All(Vec<Self>),
    /// Two or more parts.
    Any(Vec<Self>),
    Is(Condition),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Condition {
    column: String,
    comparison: Comparison,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Comparison {
    /// A column without an operator.
    IsSet,
    /// A column without an operator, after a `!`.
    IsEmpty,
    With(Operator, Operand),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Operand {
    One(String),
    List(Vec<String>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Operator {
    Equal,
    Unequal,
    Like,
    Unlike,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

/// Operators, longer ones first. `<` and `>` are also accepted encoded, as many clients send them.
const OPERATORS: [(&str, Operator); 16] = [
    ("!=", Operator::Unequal),
    ("!~", Operator::Unlike),
    ("=", Operator::Equal),
    ("~", Operator::Like),
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("%3E=", Operator::GreaterOrEqual),
    ("%3e=", Operator::GreaterOrEqual),
    ("%3C=", Operator::LessOrEqual),
    ("%3c=", Operator::LessOrEqual),
    ("%3E", Operator::Greater),
    ("%3e", Operator::Greater),
    ("%3C", Operator::Less),
    ("%3c", Operator::Less),
];

/// Parses the raw query string of a list of `endpoint`.
pub(super) fn read(query: &str, endpoint: Endpoint) -> Result<Filter, Problem> {
    let expression = parse(query).map_err(Problem::bad_request)?;
    columns::resolve(&expression, endpoint)
}

fn parse(query: &str) -> Result<Expression, String> {
    if query.len() > FILTER_QUERY_BYTES {
        return Err(format!("Invalid filter, it has more than {FILTER_QUERY_BYTES} bytes"));
    }
    let mut parser = Parser { query, at: 0, depth: 0 };
    let found = parser.alternatives()?;
    if parser.rest().is_empty() {
        return Ok(found.unwrap_or(Expression::All(Vec::new())));
    }
    Err(parser.unexpected(""))
}

struct Parser<'q> {
    query: &'q str,
    at: usize,
    depth: usize,
}

impl<'q> Parser<'q> {
    /// Parses up to the end or a `)`. Empty parts between operators and at both ends are skipped. `None` if there is
    /// nothing else.
    fn alternatives(&mut self) -> Result<Option<Expression>, String> {
        let (mut alternatives, mut terms) = (Vec::new(), Vec::new());
        loop {
            match self.peek() {
                None | Some(')') => break,
                Some('&') => self.at += 1,
                Some('|') => {
                    self.at += 1;
                    alternatives.extend(joined(std::mem::take(&mut terms), Expression::All));
                }
                Some(_) => {
                    terms.extend(self.term()?);
                    if !matches!(self.peek(), None | Some('&' | '|' | ')')) {
                        return Err(self.unexpected("expected & or |"));
                    }
                }
            }
        }
        alternatives.extend(joined(terms, Expression::All));
        Ok(joined(alternatives, Expression::Any))
    }

    /// Parses one term. `None` for empty parentheses and for a `!` alone.
    fn term(&mut self) -> Result<Option<Expression>, String> {
        let mut negated = false;
        while self.eat("!") {
            negated = true;
        }
        match self.peek() {
            None | Some('&' | '|' | ')') => Ok(None),
            Some('(') => {
                if self.depth >= FILTER_DEPTH {
                    return Err(self.unexpected("too many nested parentheses"));
                }
                self.at += 1;
                self.depth += 1;
                let inner = self.alternatives()?;
                self.depth -= 1;
                // It may be missing at the end of the query.
                self.eat(")");
                Ok(inner.map(|inner| if negated { Expression::Not(Box::new(inner)) } else { inner }))
            }
            Some(_) => self.condition(negated).map(Some),
        }
    }

    fn condition(&mut self, negated: bool) -> Result<Expression, String> {
        let start = self.at;
        while let Some(next) = self.peek() {
            let is_operator = ["%3C", "%3E", "%3c", "%3e"].iter().any(|code| self.rest().starts_with(code));
            if is_operator || "~=()&|><!".contains(next) {
                break;
            }
            self.at += next.len_utf8();
        }
        let column = decoded(self.query.get(start..self.at).unwrap_or_default()).trim().to_owned();
        if column.is_empty() {
            return Err(self.unexpected("expected a column"));
        }
        let Some(operator) = self.operator()? else {
            let comparison = if negated { Comparison::IsEmpty } else { Comparison::IsSet };
            return Ok(Expression::Is(Condition { column, comparison }));
        };
        let operand = if self.eat("(") { Operand::List(self.list()?) } else { Operand::One(self.single(")&|><")) };
        let is = Expression::Is(Condition { column, comparison: Comparison::With(operator, operand) });
        Ok(if negated { Expression::Not(Box::new(is)) } else { is })
    }

    /// Parses an operator. `None` if the condition ends here.
    fn operator(&mut self) -> Result<Option<Operator>, String> {
        for (text, operator) in OPERATORS {
            if self.eat(text) {
                return Ok(Some(operator));
            }
        }
        match self.peek() {
            None | Some('&' | '|' | ')') => Ok(None),
            Some(_) => Err(self.unexpected("expected an operator")),
        }
    }

    /// Parses a list after its `(`. Unlike in an expression, the `)` is required.
    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut items = vec![self.single("|)")];
        while self.eat("|") {
            items.push(self.single("|)"));
        }
        if self.eat(")") { Ok(items) } else { Err(self.unexpected("expected )")) }
    }

    /// Reads a value up to one of `ends`.
    fn single(&mut self, ends: &str) -> String {
        let rest = self.rest();
        let raw = rest.split(|c| ends.contains(c)).next().unwrap_or_default();
        self.at += raw.len();
        decoded(raw)
    }

    fn rest(&self) -> &'q str {
        self.query.get(self.at..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn eat(&mut self, text: &str) -> bool {
        let is_there = self.rest().starts_with(text);
        if is_there {
            self.at += text.len();
        }
        is_there
    }

    fn unexpected(&self, detail: &str) -> String {
        let found = self.peek().map_or_else(|| "EOL".to_owned(), String::from);
        let detail = if detail.is_empty() { String::new() } else { format!(": {detail}") };
        format!("Invalid filter \"{}\", unexpected {found} at pos {}{detail}", self.query, self.at)
    }
}

fn joined(mut parts: Vec<Expression>, join: fn(Vec<Expression>) -> Expression) -> Option<Expression> {
    if parts.len() > 1 { Some(join(parts)) } else { parts.pop() }
}

fn decoded(raw: &str) -> String {
    percent_decode_str(raw).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod fuzz;
#[cfg(test)]
mod tests;
