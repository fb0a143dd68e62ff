//! The page of one source: its settings and tokens.

use askama::Template;
use axum::{
    extract::{Path, State},
    response::Response,
};

use super::{
    TokenLine, default_life,
    sources::{frame, frequency, parse_frequency},
    token_life,
};
use crate::domain::{
    SourceDraft, SourceId, TokenId,
    limits::{SOURCE_NAME, URL},
};
use crate::service::{Action, Model, SourceView};
use crate::web::{
    Ask, FormError, FormFields, FormPage, Frame, PageError, PageResult, Posted, Problem, Site, Visitor,
    answer::page_once,
    done,
    form_input::{FormInput, Line, Url, filled},
    missing,
};

#[derive(Template)]
#[template(path = "admin/source.html")]
pub struct SourcePage {
    frame: Frame,
    view: SourceView,
    tokens: Vec<TokenLine>,
    token_life: String,
    inputs: Vec<FormInput>,
    problem: Option<Problem>,
    /// New token, which is shown only once.
    new_token: Option<NewToken>,
}

struct NewToken {
    secret: String,
    /// Command that posts a first incident.
    curl: String,
}

impl FormPage for SourcePage {
    const CHANGE: Action = Action::ManageSources;
    type Id = u64;
    type Known = SourceView;
    type Draft = Option<FormFields>;

    async fn find(site: &Site, visitor: &Visitor, id: u64) -> Result<SourceView, PageError> {
        Ok(site.service.sources().source_view(&visitor.caller, SourceId(id)).await?)
    }

    fn read(ask: &Ask<Self>) -> Option<FormFields> {
        Some(ask.fields.clone())
    }

    async fn view(ask: &Ask<Self>, typed: Option<FormFields>, problem: Option<Problem>) -> Result<Self, PageError> {
        let (view, now) = (ask.known()?.clone(), ask.site.service.now());
        let frame = frame(&ask.site, &ask.visitor, format!("Source {}", view.source.name));
        let tokens = view.tokens.iter().map(|token| TokenLine::new(token, now)).collect();
        let token_life = default_life(&ask.site);
        let source = &view.source;
        let seconds = source.heartbeat_frequency.map(|seconds| seconds.to_string()).unwrap_or_default();
        let inputs = vec![
            FormInput::new(Line, "name", "Name").up_to(SOURCE_NAME).required().holding(&*source.name),
            FormInput::new(Url, "base_url", "Base URL").up_to(URL).holding(&*source.base_url),
            frequency("60 to 86400. Empty: not watched.").holding(seconds),
        ];
        let inputs = filled(inputs, typed.as_ref());
        Ok(Self { frame, view, tokens, token_life, inputs, problem, new_token: None })
    }

    async fn save(ask: &Ask<Self>, _: &mut Option<FormFields>) -> Result<Response, FormError> {
        let (id, fields) = (ask.known()?.source.id, &ask.fields);
        let edit = SourceDraft {
            name: Some(fields.text("name")),
            base_url: Some(fields.text("base_url")),
            heartbeat_frequency: Some(parse_frequency(&fields.text("frequency"))?),
            ..SourceDraft::default()
        };
        ask.site.service.sources().edit_source(&ask.visitor.caller, id, edit).await?;
        Ok(done(&format!("/sources/{id}/"), "Saved."))
    }
}

/// Creates a token. Only this answer ever shows it.
pub async fn create_token(
    State(site): State<Site>,
    Path(id): Path<u64>,
    Posted { visitor, fields }: Posted,
) -> PageResult {
    let source = site.service.directory().source(SourceId(id)).cloned().ok_or_else(|| missing(Model::Source))?;
    let made =
        site.service.people().issue_token(&visitor.caller, source.user, token_life(&fields), fields.text("note")).await;
    let ask = Ask::<SourcePage>::about(site, visitor, id).await?;
    match made {
        Ok(secret) => {
            let page = ask.page().await?;
            let curl = curl(&ask.visitor.origin, &secret, &page.frame.show.machine(&page.frame.show.now));
            page_once(&SourcePage { new_token: Some(NewToken { secret, curl }), ..page })
        }
        Err(error) => ask.refuse(error).await,
    }
}

pub async fn revoke(
    State(site): State<Site>,
    Path((id, token)): Path<(u64, u64)>,
    Posted { visitor, .. }: Posted,
) -> PageResult {
    site.service.people().revoke_token(&visitor.caller, TokenId(token)).await?;
    Ok(done(&format!("/sources/{id}/"), "Token revoked."))
}

/// Returns a command for a shell. Everything is in single quotes, and none of the values contains one.
fn curl(origin: &str, token: &str, now: &str) -> String {
    let origin = origin.replace('\'', "%27");
    format!(
        "curl '{origin}/api/v2/incidents/' \\\n  -H 'Authorization: Token {token}' -H 'Content-Type: \
         application/json' \\\n  -d '{{\"start_time\": \"{now}\", \"source_incident_id\": \"1\", \"level\": 2,\n       \
         \"description\": \"The fan of sw1 has failed\", \"tags\": [{{\"tag\": \"host=sw1\"}}, {{\"tag\": \"location=oslo\"}}]}}'"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_for_a_shell_has_json_in_it() {
        let line = curl("http://h'; rm -rf /", "abc", "2026-01-01T00:00:00Z");
        assert!(line.starts_with("curl 'http://h%27; rm -rf //api/v2/incidents/' \\\n"), "{line}");
        let json = line.split_once("-d '").unwrap().1.trim_end_matches('\'');
        let body: serde_json::Value = serde_json::from_str(json).unwrap();
        assert_eq!(body["level"], 2);
    }
}
