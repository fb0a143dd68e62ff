//! Filters of lists: the query string as a tree of conditions (contact API contract section 8).

mod columns;

use percent_encoding::percent_decode_str;

use super::{Problem, request_path::Endpoint};
use crate::domain::{
    contact_filter::Filter,
    limits::{FILTER_DEPTH, FILTER_QUERY_BYTES},
};

/// As it was written, with texts decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Expression {
    Not(Box<Self>),
    /// Never of one; of none: everything.
    All(Vec<Self>),
    /// Of two or more.
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
    /// A column alone.
    IsSet,
    /// The same behind a `!`.
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

/// Longer ones first. Many clients encode `<` and `>`, and HTTP does not carry them otherwise.
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

/// The raw query string of a list of `endpoint`.
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
    /// Up to the end or to a `)`. Nothing between two operators, or at either end, is skipped; `None`: there was nothing
    /// else.
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

    /// `None`: empty parentheses, or a `!` alone.
    fn term(&mut self) -> Result<Option<Expression>, String> {
        let mut negated = false;
        while self.eat("!") {
            negated = true;
        }
        match self.peek() {
            None | Some('&' | '|' | ')') => Ok(None),
            Some('(') => {
                if self.depth >= FILTER_DEPTH {
                    return Err(self.unexpected("too many parentheses in each other"));
                }
                self.at += 1;
                self.depth += 1;
                let inner = self.alternatives()?;
                self.depth -= 1;
                // At the end it may be missing.
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

    /// `None`: the condition ends here.
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

    /// Behind its `(`. Unlike that of an expression, its `)` may not be missing.
    fn list(&mut self) -> Result<Vec<String>, String> {
        let mut items = vec![self.single("|)")];
        while self.eat("|") {
            items.push(self.single("|)"));
        }
        if self.eat(")") { Ok(items) } else { Err(self.unexpected("expected )")) }
    }

    /// Up to one of `ends`.
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
