//! `/orders` and `/fulfillments`.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, Params, cursor, id, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Noun;
use domain::Permission::{OrdersCancel, OrdersNote, OrdersPlace, OrdersReroute, OrdersShip, OrdersView};
use engine::Command;
use engine::access::reach;
use engine::events::{self, EventView};
use engine::orders::cancel::CancelOrder;
use engine::orders::notes::{self, AddNote, NoteView};
use engine::orders::place::PlaceOrder;
use engine::orders::read::{self as reads, Filter};
use engine::orders::reroute::Reroute;
use engine::orders::r#return::ReturnOrder;
use engine::orders::ship::Ship;
use engine::views::OrderView;
use serde::Deserialize;
use utoipa_axum::routes;

/// Most events of one order's timeline.
const MAX_TIMELINE: i64 = 1_000;
/// Most notes of one order.
const MAX_NOTES: i64 = 250;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(OrdersView, routes!(list_orders))
        .may(OrdersView, routes!(get_order))
        .may(OrdersView, routes!(get_decision))
        .may(OrdersView, routes!(get_timeline))
        .may(OrdersView, routes!(list_notes))
        .may(OrdersNote, routes!(add_note))
        .may(OrdersPlace, routes!(place))
        .may(OrdersCancel, routes!(cancel))
        .may(OrdersCancel, routes!(return_order))
        .may(OrdersShip, routes!(ship))
        .may(OrdersReroute, routes!(reroute))
}

#[derive(Deserialize, Default, utoipa::IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
struct Query {
    /// 1 to 250; 50 if left out.
    limit: Option<i64>,
    /// `next` of the page before.
    after: Option<String>,
    /// queued, open, backordered, partially_fulfilled, fulfilled or canceled
    status: Option<String>,
    channel: Option<String>,
    /// With `channel`: the one order of that name.
    reference: Option<String>,
}

/// The newest orders first.
#[utoipa::path(get, path = "/orders", tag = "Orders", params(Query), responses((status = 200, body = List<OrderView>)))]
async fn list_orders(State(app): State<App>, Extension(caller): Extension<Caller>, Params(query): Params<Query>) -> Result<Response<Body>, Problem> {
    let (limit, before) = (limit(query.limit)?, cursor(query.after.as_deref(), i64::MAX)?);
    let filter = Filter {
        status: query.status.unwrap_or_default(),
        channel: query.channel.unwrap_or_default(),
        reference: query.reference.unwrap_or_default(),
    };
    let list = app
        .read(move |tx, config| {
            let list = List::new(reads::list(tx, config, &filter, before, limit + 1)?, limit, |o| o.id.0.to_string());
            Ok(list.only(|o| reach::order(o, &caller.grant, config)))
        })
        .await?;
    Ok(json(StatusCode::OK, &list))
}

/// An order that the caller may see.
async fn find(app: &App, caller: Caller, id: i64) -> Result<OrderView, Problem> {
    let found = app.read(move |tx, config| Ok(Some(reads::one(tx, config, id)?).filter(|o| reach::order(o, &caller.grant, config)))).await?;
    Ok(found.ok_or_else(|| domain::Refused::unknown(Noun::Order, id.to_string(), "id"))?)
}

/// One order.
#[utoipa::path(get, path = "/orders/{id}", tag = "Orders", params(("id" = String, Path)), responses((status = 200, body = OrderView), (status = 404, body = super::ProblemDetails)))]
async fn get_order(State(app): State<App>, Extension(caller): Extension<Caller>, Path(text): Path<String>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    let order = find(&app, caller, id).await?;
    Ok(json(StatusCode::OK, &order))
}

/// Why the order was routed so: the rule, and each location with why it won or lost.
#[utoipa::path(get, path = "/orders/{id}/decision", tag = "Orders", params(("id" = String, Path)), responses((status = 200, body = Object), (status = 404, body = super::ProblemDetails)))]
async fn get_decision(State(app): State<App>, Extension(caller): Extension<Caller>, Path(text): Path<String>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    let order = find(&app, caller, id).await?;
    Ok(json(StatusCode::OK, &order.decision))
}

/// Everything that happened to the order, the oldest first.
#[utoipa::path(get, path = "/orders/{id}/events", tag = "Orders", params(("id" = String, Path)), responses((status = 200, body = List<EventView>), (status = 404, body = super::ProblemDetails)))]
async fn get_timeline(State(app): State<App>, Extension(caller): Extension<Caller>, Path(text): Path<String>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    find(&app, caller, id).await?;
    let data = app.engine.read(move |tx| events::of_order(tx, id, MAX_TIMELINE)).await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// What people wrote beside the order, the newest first.
#[utoipa::path(get, path = "/orders/{id}/notes", tag = "Orders", params(("id" = String, Path)), responses((status = 200, body = List<NoteView>), (status = 404, body = super::ProblemDetails)))]
async fn list_notes(State(app): State<App>, Path(text): Path<String>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    let data = app
        .read(move |tx, config| {
            reads::one(tx, config, id)?;
            notes::of_order(tx, id, MAX_NOTES)
        })
        .await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// Write a note beside the order. Its text is neither in events nor in the audit log.
#[utoipa::path(post, path = "/orders/{id}/notes", tag = "Orders", params(("id" = String, Path)), request_body = AddNote, responses((status = 201, description = "`note` is its id"), (status = 404, body = super::ProblemDetails)))]
async fn add_note(State(app): State<App>, Path(text): Path<String>, change: Change<AddNote>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    change.run(&app, |body| Command::AddNote(AddNote { id, ..body })).await
}

/// Place an order: accepted, promised and routed in one step. The same channel and reference again answer the same order.
#[utoipa::path(post, path = "/orders", tag = "Orders", request_body = PlaceOrder, responses((status = 201, body = OrderView), (status = 200, description = "the order was there already", body = OrderView), (status = 409, description = "`insufficient_stock`, `not_routable` or `reservation_expired`", body = super::ProblemDetails)))]
async fn place(State(app): State<App>, change: Change<PlaceOrder>) -> Result<Response<Body>, Problem> {
    change.run(&app, |body| Command::PlaceOrder(Box::new(body))).await
}

/// Cancel an order or some of its lines; the units can be promised again at once.
#[utoipa::path(post, path = "/orders/{id}/cancel", tag = "Orders", params(("id" = String, Path)), request_body = CancelOrder, responses((status = 200, body = OrderView), (status = 409, body = super::ProblemDetails)))]
async fn cancel(State(app): State<App>, Path(text): Path<String>, change: Change<CancelOrder>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    change.run(&app, |body| Command::CancelOrder(CancelOrder { id, ..body })).await
}

/// Take shipped units back.
#[utoipa::path(post, path = "/orders/{id}/return", tag = "Orders", params(("id" = String, Path)), request_body = ReturnOrder, responses((status = 200, body = OrderView), (status = 409, body = super::ProblemDetails)))]
async fn return_order(State(app): State<App>, Path(text): Path<String>, change: Change<ReturnOrder>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Order, &text)?;
    change.run(&app, |body| Command::ReturnOrder(ReturnOrder { id, ..body })).await
}

/// Ship a fulfillment, whole or in parts.
#[utoipa::path(post, path = "/fulfillments/{id}/ship", tag = "Orders", params(("id" = String, Path)), request_body = Ship, responses((status = 200, body = OrderView), (status = 409, body = super::ProblemDetails)))]
async fn ship(State(app): State<App>, Path(text): Path<String>, change: Change<Ship>) -> Result<Response<Body>, Problem> {
    let fulfillment = id(Noun::Fulfillment, &text)?;
    change.run(&app, |body| Command::Ship(Ship { fulfillment, ..body })).await
}

/// Let another location send what is open of a fulfillment: the one that is named, or the one that the rules choose among the others.
/// If somebody else's warehouse has it, it is asked back first, and rerouted when the warehouse says that it stays.
#[utoipa::path(post, path = "/fulfillments/{id}/reroute", tag = "Orders", params(("id" = String, Path)), request_body = Reroute, responses((status = 200, body = OrderView), (status = 409, description = "`insufficient_stock` or `not_routable`: nothing was changed", body = super::ProblemDetails)))]
async fn reroute(State(app): State<App>, Path(text): Path<String>, change: Change<Reroute>) -> Result<Response<Body>, Problem> {
    let fulfillment = id(Noun::Fulfillment, &text)?;
    let ship_to = app.read(move |tx, _| engine::orders::reroute::ship_to(tx, fulfillment)).await?;
    change.run(&app, |body| Command::Reroute(Box::new(Reroute { fulfillment, ship_to, ..body }))).await
}
