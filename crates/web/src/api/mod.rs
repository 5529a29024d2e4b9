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
use crate::auth;
use crate::problem::Problem;
use axum::http::{StatusCode, Uri};
use axum::middleware::from_fn_with_state;
use axum::{Json, Router};
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::{Modify, OpenApi};
use utoipa_axum::router::OpenApiRouter;
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

/// The routes, each behind the role it needs, and the document that describes them.
fn routes(app: &App) -> (Router<App>, utoipa::openapi::OpenApi) {
    let read = OpenApiRouter::new()
        .merge(catalog::read())
        .merge(stock::read())
        .merge(reservations::read())
        .merge(orders::read())
        .merge(events::read())
        .merge(routing::read())
        .merge(imports::read())
        .merge(channels::read())
        .merge(contracts::read())
        .merge(exceptions::read())
        .merge(alerts::read())
        .route_layer(from_fn_with_state(app.clone(), auth::read));
    let operate = OpenApiRouter::new()
        .merge(stock::operate())
        .merge(reservations::operate())
        .merge(orders::operate())
        .merge(routing::operate())
        .merge(channels::operate())
        .merge(contracts::operate())
        .merge(exceptions::operate())
        .route_layer(from_fn_with_state(app.clone(), auth::operate));
    let admin = OpenApiRouter::new()
        .merge(catalog::admin())
        .merge(imports::admin())
        .merge(keys::admin())
        .merge(routing::admin())
        .merge(channels::admin())
        .merge(alerts::admin())
        .route_layer(from_fn_with_state(app.clone(), auth::admin));
    let (router, document) =
        OpenApiRouter::with_openapi(Document::openapi()).merge(read).merge(operate).merge(admin).merge(channels::open()).split_for_parts();
    let router = router
        .fallback(|uri: Uri| async move { Problem::new(StatusCode::NOT_FOUND, "unknown_path", format!("There is nothing at {}.", uri.path())) })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "method_not_allowed", "This address does not take this method.")
        });
    (router, document)
}

pub fn router(app: &App) -> Router<App> {
    let (router, document) = routes(app);
    let served = document.clone();
    Router::new()
        .nest("/api/v1", router)
        .route("/openapi.json", axum::routing::get(move || async move { Json(served) }))
        .merge(SwaggerUi::new("/docs").url("/docs/openapi.json", document))
}

/// The OpenAPI document, for tests.
pub fn document(app: &App) -> utoipa::openapi::OpenApi {
    routes(app).1
}
