//! A browser without scripts, over the in-process app: cookies, forms, and what is on the page.

use axum::{
    body::Body,
    http::{Method, Request, header},
};

use crate::support::{App, Client, PASSWORD, Reply, Who};

/// Somebody who is logged in.
pub struct Visit {
    client: Client,
    cookies: Vec<(String, String)>,
}

impl Visit {
    pub async fn of(app: &App, username: &str) -> Self {
        app.service.set_password(&app.local, app.user_id(username), PASSWORD).await.unwrap();
        let mut visit = Self { client: app.of(Who::Anonymous), cookies: Vec::new() };
        visit.get("/accounts/login/").await;
        let form = [("username", username), ("password", PASSWORD), ("next", "/")];
        let reply = visit.post("/accounts/login/", &form).await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        visit
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(Method::GET, path, None).await
    }

    /// With the proof that the form is ours.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.cookie("csrftoken").unwrap_or_default().to_owned();
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("csrf", &csrf).extend_pairs(fields);
        self.send(Method::POST, path, Some(form.finish())).await
    }

    pub async fn post_without_proof(&mut self, path: &str) -> Reply {
        self.send(Method::POST, path, Some(String::new())).await
    }

    /// Sends the form, and looks at where it leads.
    pub async fn submit(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let reply = self.post(path, fields).await;
        assert_eq!(reply.status, 303, "{path}: {}", reply.text);
        let to = reply.header("location").to_owned();
        self.get(&to).await
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    async fn send(&mut self, method: Method, path: &str, form: Option<String>) -> Reply {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::COOKIE, cookies.join("; "))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        let reply = self.client.send(request.body(Body::from(form.unwrap_or_default())).unwrap()).await;
        for cookie in reply.headers.get_all(header::SET_COOKIE) {
            let (pair, _) = cookie.to_str().unwrap().split_once(';').unwrap();
            let (name, value) = pair.split_once('=').unwrap();
            self.cookies.retain(|(key, _)| key != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }
}
