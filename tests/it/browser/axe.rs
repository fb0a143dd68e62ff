//! What axe finds wrong with a page for people who use it without a mouse, or without seeing it.

use std::fmt;

use serde::Deserialize;

use super::session::Browser;

const AXE: &str = include_str!("../../vendor/axe.min.js");
const RUN: &str = "const done = arguments[0];
    axe.run(document, {resultTypes: ['violations']}).then(
        (found) => done(found.violations.map((it) => ({
            id: it.id, impact: it.impact || '', help: it.help, nodes: it.nodes.map((node) => node.html.slice(0, 300)),
        }))),
        (error) => done([{id: 'axe', impact: 'critical', help: String(error), nodes: []}]),
    );";

#[derive(Debug, Deserialize)]
pub struct Violation {
    pub id: String,
    /// `minor`, `moderate`, `serious` or `critical`.
    pub impact: String,
    pub help: String,
    /// The beginnings of the elements.
    pub nodes: Vec<String>,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}): {}", self.id, self.impact, self.help)?;
        self.nodes.iter().try_for_each(|node| write!(f, "\n    {node}"))
    }
}

impl Violation {
    pub fn is_grave(&self) -> bool {
        matches!(self.impact.as_str(), "serious" | "critical")
    }
}

impl Browser {
    /// All that axe finds in the page as it is now. Colours are judged in the theme that is on.
    pub async fn violations(&self) -> Vec<Violation> {
        self.run(AXE).await;
        self.driver.execute_async(RUN, Vec::new()).await.unwrap().convert().unwrap()
    }

    /// Fails on what is serious or critical.
    pub async fn axe(&self) {
        let grave = self.violations().await.into_iter().filter(Violation::is_grave).map(|it| it.to_string());
        let grave: Vec<String> = grave.collect();
        assert!(grave.is_empty(), "axe at {}:\n{}", self.path().await, grave.join("\n"));
    }
}
