//! Which route needs what: every route of the API and of the pages is added here with its rule, and there is no other way to add
//! one, so that a route without a rule cannot be.

use crate::App;
use crate::auth::{self, Caller};
use crate::console;
use crate::problem::Problem;
use crate::visit::{Visit, is_own_page};
use axum::Router;
use axum::extract::{MatchedPath, Request, State};
use axum::http::{Method, StatusCode};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodRouter, on};
use domain::{Permission, Refused};
use engine::people::sign_in::Standing;
use std::sync::Arc;
use utoipa_axum::router::{OpenApiRouter, UtoipaMethodRouter};

/// What a route asks of whoever calls it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Nothing: signing in, health, signed webhooks of marketplaces.
    Open,
    /// A session, though its second factor is still to be shown.
    HalfSignedIn,
    /// A session, whatever the role.
    SignedIn,
    May(Permission),
}

/// A route and its rule, for whoever wants to check them.
#[derive(Debug, Clone)]
pub struct Known {
    pub method: String,
    /// As axum writes it: `/items/{sku}`.
    pub path: String,
    pub rule: Rule,
}

/// The pages, as they are added.
pub struct Pages {
    app: App,
    router: Router<App>,
    known: Vec<Known>,
}

impl Pages {
    pub fn new(app: &App) -> Pages {
        Pages { app: app.clone(), router: Router::new(), known: Vec::new() }
    }

    pub fn get<H, T>(self, path: &str, rule: Rule, handler: H) -> Pages
    where
        H: axum::handler::Handler<T, App>,
        T: 'static,
    {
        self.on(Method::GET, path, rule, axum::routing::get(handler))
    }

    pub fn post<H, T>(self, path: &str, rule: Rule, handler: H) -> Pages
    where
        H: axum::handler::Handler<T, App>,
        T: 'static,
    {
        self.on(Method::POST, path, rule, axum::routing::post(handler))
    }

    fn on(mut self, method: Method, path: &str, rule: Rule, handler: MethodRouter<App>) -> Pages {
        let guarded = handler.layer(from_fn_with_state((self.app.clone(), rule), page));
        self.router = self.router.route(path, guarded);
        self.known.push(Known { method: method.to_string(), path: path.to_owned(), rule });
        self
    }

    pub fn finish(self) -> (Router<App>, Vec<Known>) {
        (self.router, self.known)
    }
}

/// The calls of the API, as they are added.
pub struct Calls {
    app: App,
    router: OpenApiRouter<App>,
    known: Vec<Known>,
}

impl Calls {
    pub fn new(app: &App, document: utoipa::openapi::OpenApi) -> Calls {
        Calls { app: app.clone(), router: OpenApiRouter::with_openapi(document), known: Vec::new() }
    }

    /// Calls that need a permission.
    pub fn may(self, permission: Permission, route: UtoipaMethodRouter<App>) -> Calls {
        self.add(Rule::May(permission), route)
    }

    /// Calls that say by themselves who they are from.
    pub fn open(self, route: UtoipaMethodRouter<App>) -> Calls {
        self.add(Rule::Open, route)
    }

    fn add(mut self, rule: Rule, route: UtoipaMethodRouter<App>) -> Calls {
        let one = OpenApiRouter::new().routes(route);
        for (path, item) in &one.get_openapi().paths.paths {
            let methods = [("GET", &item.get), ("POST", &item.post), ("PATCH", &item.patch), ("PUT", &item.put), ("DELETE", &item.delete)];
            for (method, _) in methods.into_iter().filter(|(_, operation)| operation.is_some()) {
                self.known.push(Known { method: method.into(), path: format!("/api/v1{path}"), rule });
            }
        }
        self.router = self.router.merge(one.route_layer(from_fn_with_state((self.app.clone(), rule), call)));
        self
    }

    pub fn finish(self) -> (OpenApiRouter<App>, Vec<Known>) {
        (self.router, self.known)
    }
}

/// A single route with a rule of the API's manner, outside of `/api/v1`.
pub fn plain<H, T>(app: &App, path: &str, rule: Rule, handler: H, known: &mut Vec<Known>) -> Router<App>
where
    H: axum::handler::Handler<T, App>,
    T: 'static,
{
    known.push(Known { method: "GET".into(), path: path.into(), rule });
    Router::new().route(path, on(axum::routing::MethodFilter::GET, handler).layer(from_fn_with_state((app.clone(), rule), call)))
}

/// Who is told of what tells of every location and channel, so that it is for nobody who sees some of them only.
fn beyond(rule: Rule, caller: &Caller) -> Option<Problem> {
    let tells_all = matches!(rule, Rule::May(Permission::WebhooksView | Permission::WebhooksEdit));
    let why = "Webhooks and mail tell of all locations and channels, and you see some of them only.";
    (tells_all && caller.grant.is_limited()).then(|| Problem::new(StatusCode::FORBIDDEN, "out_of_scope", why))
}

fn overloaded() -> Problem {
    Refused::Overloaded { retry_after_seconds: 1 }.into()
}

/// What the log says of a request that is turned away: never what was sent with it.
struct Knock {
    visit: Visit,
    method: Method,
    /// The route, as axum writes it, and not what stands in its place: that may be as long as a caller likes.
    path: Option<MatchedPath>,
    /// Who asks, once that is known.
    actor: Option<Arc<str>>,
}

impl Knock {
    fn new(app: &App, request: &Request) -> Knock {
        let visit = Visit::from(app, request.headers(), request.extensions());
        Knock { visit, method: request.method().clone(), path: request.extensions().get().cloned(), actor: None }
    }

    fn tell(&self, response: &Response) {
        if matches!(response.status(), StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            let (status, actor) = (response.status().as_u16(), self.actor.as_deref().unwrap_or("nobody known"));
            let path = self.path.as_ref().map_or("", MatchedPath::as_str);
            tracing::info!(status, actor, address = %self.visit.address, method = %self.method, path, "turned away");
        }
    }
}

async fn call(State((app, rule)): State<(App, Rule)>, request: Request, next: Next) -> Response {
    let mut knock = Knock::new(&app, &request);
    let response = call_if_allowed(&app, rule, request, next, &mut knock).await.into_response();
    knock.tell(&response);
    response
}

async fn page(State((app, rule)): State<(App, Rule)>, request: Request, next: Next) -> Response {
    let mut knock = Knock::new(&app, &request);
    let response = page_if_allowed(&app, rule, request, next, &mut knock).await.into_response();
    knock.tell(&response);
    response
}

/// Lets a call pass if its key allows it, and tells the handler who asks.
async fn call_if_allowed(app: &App, rule: Rule, mut request: Request, next: Next, knock: &mut Knock) -> Result<Response, Problem> {
    let Some(_place) = app.enter() else { return Err(overloaded()) };
    let permission = match rule {
        Rule::Open => return Ok(next.run(request).await),
        Rule::May(permission) => Some(permission),
        Rule::HalfSignedIn | Rule::SignedIn => None,
    };
    let Some(text) = auth::bearer(request.headers()) else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_required", "Send an API key: Authorization: Bearer hf_…"));
    };
    let Some(caller) = app.callers.program(text, &knock.visit).await? else {
        return Err(Problem::new(StatusCode::UNAUTHORIZED, "key_invalid", "This API key is unknown, expired or revoked."));
    };
    knock.actor = Some(caller.actor.clone());
    if let Some(permission) = permission.filter(|p| !caller.may(*p)) {
        return Err(Refused::NotAllowed { permission: permission.word().into() }.into());
    }
    if let Some(problem) = beyond(rule, &caller) {
        return Err(problem);
    }
    request.extensions_mut().insert(caller);
    Ok(next.run(request).await)
}

/// Lets a page be seen, or a form be sent, if the session allows it, and tells the handler who asks.
async fn page_if_allowed(app: &App, rule: Rule, mut request: Request, next: Next, knock: &mut Knock) -> Result<Response, Problem> {
    let Some(_place) = app.enter() else { return Err(overloaded()) };
    if !request.method().is_safe() && !is_own_page(request.headers()) {
        return Err(Problem::new(StatusCode::FORBIDDEN, "cross_site", "This form was sent from another site."));
    }
    let caller = match auth::cookie(request.headers()) {
        Some(text) => app.callers.person(text, &knock.visit).await?,
        None => None,
    };
    knock.actor = caller.as_ref().map(|caller| caller.actor.clone());
    let Some(caller) = caller else {
        if rule == Rule::Open {
            return Ok(next.run(request).await);
        }
        return Ok(console::sign_in::redirect(&request));
    };
    let standing = caller.signed_in.as_ref().map_or(Standing::Full, |s| s.standing);
    if standing != Standing::Full && !matches!(rule, Rule::Open | Rule::HalfSignedIn) {
        return Ok(console::sign_in::finish_first(standing));
    }
    if let Rule::May(permission) = rule
        && !caller.may(permission)
    {
        let (mut parts, _) = request.into_parts();
        parts.extensions.insert(caller);
        return Ok(console::not_allowed(app, &mut parts, permission).await.into_response());
    }
    let problem = beyond(rule, &caller);
    request.extensions_mut().insert(caller);
    let asked = console::Asked::of(&request);
    let response = match problem {
        Some(problem) => problem.into_response(),
        None => next.run(request).await,
    };
    Ok(asked.answer(app, response).await)
}

/// What is answered where there is nothing: a page to people, a problem to programs.
pub async fn nowhere(State(app): State<App>, mut request: Request) -> Response {
    let visit = Visit::from(&app, request.headers(), request.extensions());
    if let Some(text) = auth::cookie(request.headers())
        && let Ok(Some(caller)) = app.callers.person(text, &visit).await
    {
        request.extensions_mut().insert(caller);
    }
    let asked = console::Asked::of(&request);
    let detail = format!("There is nothing at {}.", request.uri().path());
    asked.answer(&app, Problem::new(StatusCode::NOT_FOUND, "unknown_path", detail).into_response()).await
}
