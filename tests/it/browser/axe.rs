//! What axe finds wrong with a page for people who use it without a mouse, or without seeing it.

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

impl Browser {
    /// Fails on what is serious or critical, and returns the rest. Colours are judged in the theme that is on.
    pub async fn axe(&self) -> Vec<Violation> {
        self.run(AXE).await;
        let found = self.driver.execute_async(RUN, Vec::new()).await.unwrap();
        let found: Vec<Violation> = found.convert().unwrap();
        let (grave, rest): (Vec<_>, Vec<_>) =
            found.into_iter().partition(|it| matches!(it.impact.as_str(), "serious" | "critical"));
        assert!(grave.is_empty(), "axe at {}: {grave:#?}", self.path().await);
        rest
    }
}
