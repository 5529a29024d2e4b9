//! `/routing`: the rules, runs over the queue, and what-if.

use crate::App;
use crate::problem::Problem;
use crate::request::{Change, List, json};
use crate::rules::Calls;
use axum::body::Body;
use axum::extract::State;
use axum::http::{Response, StatusCode};
use domain::Permission::{OrdersReroute, RoutingEdit, RoutingView};
use engine::routing::rules::{RuleSetView, SetRules, check, list};
use engine::routing::run::Routed;
use engine::routing::whatif::{WhatIf, what_if};
use engine::{Command, jobs};
use serde::Deserialize;
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(RoutingView, routes!(list_rules))
        .may(RoutingView, routes!(ask_what_if))
        .may(OrdersReroute, routes!(run))
        .may(RoutingEdit, routes!(set_rules))
}

/// The rule sets, the active one first.
#[utoipa::path(get, path = "/routing/rules", tag = "Routing", responses((status = 200, body = List<RuleSetView>)))]
async fn list_rules(State(app): State<App>) -> Result<Response<Body>, Problem> {
    let data = app.read(|tx, _| list(tx)).await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// Put a rule set in force.
#[utoipa::path(post, path = "/routing/rules", tag = "Routing", request_body = SetRules, responses((status = 201, body = RuleSetView), (status = 422, body = super::ProblemDetails)))]
async fn set_rules(State(app): State<App>, change: Change<SetRules>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::SetRules).await
}

/// Route the waiting orders together now.
#[utoipa::path(post, path = "/routing/runs", tag = "Routing", responses((status = 200, body = Routed)))]
async fn run(State(app): State<App>) -> Result<Response<Body>, Problem> {
    let routed = jobs::route_queued(&app.engine).await?;
    Ok(json(StatusCode::OK, &routed))
}

#[derive(Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Ask {
    /// The rules to try; see the routing guide.
    #[schema(value_type = Object)]
    rules: domain::routing::RuleSet,
    /// How many of the last orders: 1 to 100,000; 1,000 if left out.
    #[serde(default)]
    orders: Option<i64>,
}

/// Replay past orders under other rules, beside the active ones. Nothing is written.
#[utoipa::path(post, path = "/routing/what-if", tag = "Routing", request_body = Ask, responses((status = 200, body = WhatIf), (status = 422, body = super::ProblemDetails)))]
async fn ask_what_if(State(app): State<App>, change: Change<Ask>) -> Result<Response<Body>, Problem> {
    let Ask { rules, orders } = change.body;
    let orders = orders.unwrap_or(1_000);
    if !(1..=100_000).contains(&orders) {
        return Err(domain::Refused::QuantityOutOfRange { field: "orders".into(), quantity: orders, min: 1, max: 100_000 }.into());
    }
    let outcome = app
        .read(move |tx, config| {
            check(&rules, |code| config.by_code(code).is_some())?;
            what_if(tx, config, &rules, orders)
        })
        .await?;
    Ok(json(StatusCode::OK, &outcome))
}
