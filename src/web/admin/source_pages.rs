//! One source: its settings, and the tokens that it posts with.

use askama::Template;
use axum::{
    extract::{Path, State},
    http::StatusCode,
};

use super::{
    Staff, TokenLine, problem,
    sources::{SourceForm, frame},
    token_life,
};
use crate::{
    domain::{
        ids::{SourceId, TokenId},
        source::SourceDraft,
    },
    service::{Action, Model, SourceView},
    web::{
        Site,
        answer::{Answer, PageError, done, missing, page, page_once, page_with},
        frame::Frame,
        problem::Problem,
        visitor::{Posted, Visitor},
    },
};

#[derive(Template)]
#[template(path = "admin/source.html")]
struct SourcePage {
    frame: Frame,
    view: SourceView,
    tokens: Vec<TokenLine>,
    form: SourceForm,
    problem: Option<Problem>,
    /// Shown once.
    new_token: Option<NewToken>,
}

struct NewToken {
    secret: String,
    /// Posts a first incident.
    curl: String,
}

impl SourcePage {
    async fn new(site: &Site, visitor: &Visitor, id: SourceId) -> Result<Self, PageError> {
        let view = site.service.source_view(&visitor.caller, id).await?;
        let source = &view.source;
        let form = SourceForm {
            name: source.name.clone(),
            base_url: source.base_url.clone(),
            frequency: source.heartbeat_frequency.map(|seconds| seconds.to_string()).unwrap_or_default(),
            ..SourceForm::default()
        };
        let now = site.service.now();
        Ok(Self {
            frame: frame(site, visitor, format!("Source {}", source.name)),
            tokens: view.tokens.iter().map(|token| TokenLine::new(token, now)).collect(),
            form,
            view,
            problem: None,
            new_token: None,
        })
    }
}

pub async fn show(State(site): State<Site>, Path(id): Path<u64>, staff: Staff) -> Answer {
    page(&SourcePage::new(&site, &staff.visitor, SourceId(id)).await?)
}

pub async fn save(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    visitor.caller.require(Action::ManageSources)?;
    let form = SourceForm::read(&fields);
    let problem = match form.parse_frequency() {
        Err(problem) => problem,
        Ok(frequency) => {
            let edit = SourceDraft {
                name: Some(form.name.clone()),
                base_url: Some(form.base_url.clone()),
                heartbeat_frequency: Some(frequency),
                ..SourceDraft::default()
            };
            match site.service.edit_source(&visitor.caller, SourceId(id), edit).await {
                Ok(_) => return Ok(done(&format!("/sources/{id}/"), "Saved.")),
                Err(error) => problem(error)?,
            }
        }
    };
    let mut again = SourcePage::new(&site, &visitor, SourceId(id)).await?;
    (again.form, again.problem) = (form, Some(problem));
    page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
}

/// The only answer that ever shows this token.
pub async fn create_token(State(site): State<Site>, Path(id): Path<u64>, Posted { visitor, fields }: Posted) -> Answer {
    let source = site.service.directory().source(SourceId(id)).cloned().ok_or_else(|| missing(Model::Source))?;
    let made = site.service.issue_token(&visitor.caller, source.user, token_life(&fields), fields.text("note")).await;
    match made {
        Ok(secret) => {
            let mut again = SourcePage::new(&site, &visitor, source.id).await?;
            let curl = curl(&visitor.origin, &secret, &again.frame.show.machine(&again.frame.show.now));
            again.new_token = Some(NewToken { secret, curl });
            page_once(&again)
        }
        Err(error) => {
            let problem = problem(error)?;
            let mut again = SourcePage::new(&site, &visitor, source.id).await?;
            again.problem = Some(problem);
            page_with(StatusCode::UNPROCESSABLE_ENTITY, &again)
        }
    }
}

pub async fn revoke(
    State(site): State<Site>,
    Path((id, token)): Path<(u64, u64)>,
    Posted { visitor, .. }: Posted,
) -> Answer {
    site.service.revoke_token(&visitor.caller, TokenId(token)).await?;
    Ok(done(&format!("/sources/{id}/"), "The token can no longer be used."))
}

/// For a shell: everything is in single quotes, and nothing in it has any.
fn curl(origin: &str, token: &str, now: &str) -> String {
    let origin = origin.replace('\'', "%27");
    format!(
        "curl -X POST '{origin}/api/v2/incidents/' \\\n  -H 'Authorization: Token {token}' \\\n  -H 'Content-Type: \
         application/json' \\\n  -d '{{\"start_time\": \"{now}\", \"end_time\": \"infinity\", \"description\": \"My \
         first incident\", \"level\": 3, \"tags\": [{{\"tag\": \"host=example\"}}]}}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_a_shell_has_json_in_it() {
        let line = curl("http://h'; rm -rf /", "abc", "2026-01-01T00:00:00Z");
        assert!(line.starts_with("curl -X POST 'http://h%27; rm -rf //api/v2/incidents/' \\\n"), "{line}");
        let json = line.split_once("-d '").unwrap().1.trim_end_matches('\'');
        let body: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(body["end_time"], "infinity");
    }
}
