//! The HTTP API under `/api/v1`, one file a noun, and its OpenAPI document, made from the handlers.

mod alerts;
mod catalog;
mod channels;
mod contracts;
mod events;
mod exceptions;
mod imports;
mod keys;
mod orders;
mod reservations;
mod routing;
mod stock;

use crate::App;
use crate::problem::Problem;
use crate::rules::{Calls, Known, Rule, plain};
use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, Uri, header};
use axum::middleware::map_response;
use axum::{Json, Router};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, Ref, RefOr, ResponseBuilder};
use utoipa::{Modify, OpenApi};
use utoipa_swagger_ui::SwaggerUi;

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Holdfast",
        description = "Stock that cannot be oversold. Every POST takes an `Idempotency-Key`: the same key and body answer again with the first answer. \
            Times are RFC 3339 in UTC, money is a decimal in a string with a currency. Refusals are problem details (RFC 9457) with a stable `code`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    servers((url = "/api/v1")),
    components(schemas(ProblemDetails)),
    modifiers(&Bearer),
    security(("key" = []))
)]
struct Document;

/// A refusal: problem details (RFC 9457).
#[derive(serde::Serialize, utoipa::ToSchema)]
#[allow(dead_code)]
struct ProblemDetails {
    r#type: String,
    title: String,
    status: u16,
    /// A sentence for people.
    detail: String,
    /// For programs; never changes.
    #[schema(example = "insufficient_stock")]
    code: String,
}

struct Bearer;

impl Modify for Bearer {
    fn modify(&self, document: &mut utoipa::openapi::OpenApi) {
        let scheme = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).bearer_format("hf_…").build());
        document.components.get_or_insert_default().add_security_scheme("key", scheme);
    }
}

/// The calls, each behind its permission, and the document that describes them.
fn routes(app: &App) -> (Router<App>, utoipa::openapi::OpenApi, Vec<Known>) {
    let nouns = [
        catalog::calls,
        stock::calls,
        reservations::calls,
        orders::calls,
        events::calls,
        routing::calls,
        imports::calls,
        channels::calls,
        contracts::calls,
        exceptions::calls,
        alerts::calls,
        keys::calls,
    ];
    let calls = nouns.into_iter().fold(Calls::new(app, Document::openapi()), |calls, noun| noun(calls));
    let (router, known) = calls.finish();
    let (router, mut document) = router.split_for_parts();
    tell_refusals(&mut document);
    let router = router
        .fallback(|uri: Uri| async move { Problem::new(StatusCode::NOT_FOUND, "unknown_path", format!("There is nothing at {}.", uri.path())) })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take this method.")
        });
    (router, document, known)
}

/// Any call may be refused: for want of a key or a permission, for a malformed body, because too much is under way.
fn tell_refusals(document: &mut utoipa::openapi::OpenApi) {
    let schema = RefOr::Ref(Ref::from_schema_name("ProblemDetails"));
    let content = ContentBuilder::new().schema(Some(schema)).build();
    let refusal =
        ResponseBuilder::new().description("refused: problem details with a stable `code`").content("application/problem+json", content).build();
    for item in document.paths.paths.values_mut() {
        for operation in [&mut item.get, &mut item.post, &mut item.patch, &mut item.put, &mut item.delete].into_iter().flatten() {
            for (status, response) in &mut operation.responses.responses {
                // Refusals that are named go out as problem details, too.
                if let (true, RefOr::T(response)) = (status.starts_with(['4', '5']), response)
                    && let Some(content) = response.content.shift_remove("application/json")
                {
                    response.content.insert("application/problem+json".into(), content);
                }
            }
            operation.responses.responses.insert("default".into(), RefOr::T(refusal.clone()));
        }
    }
}

pub fn router(app: &App) -> (Router<App>, Vec<Known>) {
    let (router, document, mut known) = routes(app);
    let served = document.clone();
    let described = plain(app, "/openapi.json", Rule::Open, move || async move { Json(served) }, &mut known);
    // Nobody elsewhere is asked whether the document is valid.
    let ui = SwaggerUi::new("/docs").config(utoipa_swagger_ui::Config::default().validator_url("none")).url("/docs/openapi.json", document);
    let browsable = Router::from(ui).layer(map_response(own_scripts));
    (Router::new().nest("/api/v1", router).merge(described).merge(browsable), known)
}

/// The browsable document runs no scripts but its own. It writes styles into its elements.
async fn own_scripts(mut response: Response<Body>) -> Response<Body> {
    let policy = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; font-src 'self' data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
    response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    response
}

/// The OpenAPI document, for tests.
pub fn document(app: &App) -> utoipa::openapi::OpenApi {
    routes(app).1
}
