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
        app.service.people().set_password(&app.local, app.user_id(username), PASSWORD).await.unwrap();
        Self::again(app, username).await
    }

    /// One more browser of somebody who has a password.
    pub async fn again(app: &App, username: &str) -> Self {
        let mut visit = Self::stranger(app);
        let reply = visit.log_in(username, PASSWORD, "/").await;
        assert_eq!(reply.status, 303, "{}", reply.text);
        visit
    }

    /// Not logged in.
    pub fn stranger(app: &App) -> Self {
        Self { client: app.of(Who::Anonymous), cookies: Vec::new() }
    }

    /// Another tab of the same browser.
    pub fn twin(&self, app: &App) -> Self {
        Self { client: app.of(Who::Anonymous), cookies: self.cookies.clone() }
    }

    pub async fn log_in(&mut self, username: &str, password: &str, next: &str) -> Reply {
        self.get("/accounts/login/").await;
        self.post("/accounts/login/", &[("username", username), ("password", password), ("next", next)]).await
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

    pub fn set_cookie(&mut self, name: &str, value: &str) {
        self.cookies.retain(|(key, _)| key != name);
        self.cookies.push((name.to_owned(), value.to_owned()));
    }

    pub fn cookie(&self, name: &str) -> Option<&str> {
        self.cookies.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    async fn send(&mut self, method: Method, path: &str, form: Option<String>) -> Reply {
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded");
        self.request(request.body(Body::from(form.unwrap_or_default())).unwrap()).await
    }

    /// Any request, with the cookies.
    pub async fn request(&mut self, mut request: Request<Body>) -> Reply {
        let cookies: Vec<String> = self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        request.headers_mut().insert(header::COOKIE, cookies.join("; ").parse().unwrap());
        let reply = self.client.send(request).await;
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
