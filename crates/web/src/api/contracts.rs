//! `/contracts`: what was agreed with business customers, who order over this API with the contract as their channel.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, json};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Permission::{ContractsEdit, ContractsView};
use engine::Command;
use engine::contracts::agree::{ChangeContract, NewContract};
use engine::contracts::read::{self, ContractView};
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls.may(ContractsView, routes!(list)).may(ContractsView, routes!(one)).may(ContractsEdit, routes!(agree)).may(ContractsEdit, routes!(change))
}

/// All contracts: what was agreed, ordered and set aside.
#[utoipa::path(get, path = "/contracts", tag = "Contracts", responses((status = 200, body = List<ContractView>)))]
async fn list(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response<Body>, Problem> {
    let data = app.read(read::all).await?;
    Ok(json(StatusCode::OK, &List { data, next: None }.only(|c: &ContractView| caller.grant.on(&c.code))))
}

/// Refuses a contract beyond the caller's channels as one that is not there.
fn within(caller: &Caller, code: &str) -> Result<(), Problem> {
    if caller.grant.on(code) { Ok(()) } else { Err(domain::Refused::unknown(domain::Noun::Contract, code, "code").into()) }
}

/// One contract.
#[utoipa::path(get, path = "/contracts/{code}", tag = "Contracts", params(("code" = String, Path)), responses((status = 200, body = ContractView), (status = 404, body = super::ProblemDetails)))]
async fn one(State(app): State<App>, Extension(caller): Extension<Caller>, Path(code): Path<String>) -> Result<Response<Body>, Problem> {
    within(&caller, &code)?;
    let found = app.read(move |tx, config| read::one(tx, config, &code)).await?;
    Ok(json(StatusCode::OK, &found))
}

/// Make a contract. Its units are set aside at once, as far as there are enough; the rest as they come. Orders under it are placed with its
/// code as their `channel`: at the agreed price, from what is set aside and then from what is free, up to the agreed quantity.
#[utoipa::path(post, path = "/contracts", tag = "Contracts", request_body = NewContract, responses((status = 201, body = ContractView), (status = 409, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn agree(State(app): State<App>, change: Change<NewContract>) -> Result<Response<Body>, Problem> {
    change.run(&app, |body| Command::AgreeContract(Box::new(body))).await
}

/// Change when a contract ends, or how much is set aside under it. A contract that has ended holds nothing.
#[utoipa::path(patch, path = "/contracts/{code}", tag = "Contracts", params(("code" = String, Path)), request_body = ChangeContract, responses((status = 200, body = ContractView), (status = 404, body = super::ProblemDetails), (status = 422, body = super::ProblemDetails)))]
async fn change(State(app): State<App>, Path(code): Path<String>, change: Change<ChangeContract>) -> Result<Response<Body>, Problem> {
    let wanted = code.clone();
    let listings = app.read(move |tx, config| read::listings(tx, config, &wanted)).await?;
    change.run(&app, |body| Command::ChangeContract(Box::new(ChangeContract { code, listings, ..body }))).await
}
