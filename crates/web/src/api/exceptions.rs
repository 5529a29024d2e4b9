//! `/exceptions`: what a person must look at, and what can be done about it.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, Page, Params, cursor, id as number, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Noun;
use domain::Permission::{ExceptionsSolve, ExceptionsView};
use engine::Command;
use engine::access::reach;
use engine::exceptions::read::{self, ExceptionDetail, ExceptionView};
use engine::exceptions::solve::{self, Solve};
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls.may(ExceptionsView, routes!(list)).may(ExceptionsView, routes!(solved)).may(ExceptionsView, routes!(one)).may(ExceptionsSolve, routes!(act))
}

async fn page(app: App, caller: Caller, open: bool, params: Page) -> Result<Response<Body>, Problem> {
    let limit = limit(params.limit)?;
    let after = params.after.as_deref().map(|text| cursor(Some(text), 0)).transpose()?;
    let found = app.read(move |tx, config| read::list(tx, config, open, after, limit + 1)).await?;
    let list = List::new(found, limit, |e| e.id.0.to_string()).only(|e| reach::exception(e, &caller.grant));
    Ok(json(StatusCode::OK, &list))
}

/// Open exceptions, the earliest due first.
#[utoipa::path(get, path = "/exceptions", tag = "Exceptions", params(Page), responses((status = 200, body = List<ExceptionView>)))]
async fn list(State(app): State<App>, Extension(caller): Extension<Caller>, Params(params): Params<Page>) -> Result<Response<Body>, Problem> {
    page(app, caller, true, params).await
}

/// Solved exceptions.
#[utoipa::path(get, path = "/exceptions/solved", tag = "Exceptions", params(Page), responses((status = 200, body = List<ExceptionView>)))]
async fn solved(State(app): State<App>, Extension(caller): Extension<Caller>, Params(params): Params<Page>) -> Result<Response<Body>, Problem> {
    page(app, caller, false, params).await
}

/// An exception with what the marketplace said and its history.
#[utoipa::path(get, path = "/exceptions/{id}", tag = "Exceptions", params(("id" = String, Path)), responses((status = 200, body = ExceptionDetail), (status = 404, body = super::ProblemDetails)))]
async fn one(State(app): State<App>, Extension(caller): Extension<Caller>, Path(id): Path<String>) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Exception, &id)?;
    let found = app.read(move |tx, config| read::detail(tx, config, id)).await?;
    if !reach::exception(&found.exception, &caller.grant) {
        return Err(domain::Refused::unknown(Noun::Exception, id.to_string(), "id").into());
    }
    Ok(json(StatusCode::OK, &found))
}

/// Do something about it: one of the exception's `actions`.
#[utoipa::path(post, path = "/exceptions/{id}", tag = "Exceptions", params(("id" = String, Path)), request_body = Solve, responses((status = 200, body = ExceptionView), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn act(State(app): State<App>, Path(id): Path<String>, change: Change<Solve>) -> Result<Response<Body>, Problem> {
    let id = number(Noun::Exception, &id)?;
    let solve = Solve { id, ..change.body.clone() };
    let solve = app.read(move |tx, config| solve::with_subject(tx, config, solve)).await?;
    change.run(&app, |_| Command::Solve(Box::new(solve))).await
}
