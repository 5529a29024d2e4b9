//! `/reservations`.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, Nothing, Page, Params, cursor, id, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Noun;
use domain::Permission::{OrdersPlace, OrdersView};
use engine::Command;
use engine::access::reach;
use engine::reservations::extend::Extend;
use engine::reservations::read as reads;
use engine::reservations::release::Release;
use engine::reservations::reserve::Reserve;
use engine::views::ReservationView;
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(OrdersView, routes!(list_reservations))
        .may(OrdersView, routes!(get_reservation))
        .may(OrdersPlace, routes!(reserve))
        .may(OrdersPlace, routes!(release))
        .may(OrdersPlace, routes!(extend))
}

/// The newest reservations first.
#[utoipa::path(get, path = "/reservations", tag = "Reservations", params(Page), responses((status = 200, body = List<ReservationView>)))]
async fn list_reservations(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Params(page): Params<Page>,
) -> Result<Response<Body>, Problem> {
    let (limit, before) = (limit(page.limit)?, cursor(page.after.as_deref(), i64::MAX)?);
    let list = app
        .read(move |tx, config| {
            let list = List::new(reads::list(tx, config, before, limit + 1)?, limit, |r| r.id.0.to_string());
            Ok(list.only(|r| reach::reservation(r, &caller.grant, config)))
        })
        .await?;
    Ok(json(StatusCode::OK, &list))
}

/// One reservation.
#[utoipa::path(get, path = "/reservations/{id}", tag = "Reservations", params(("id" = String, Path)), responses((status = 200, body = ReservationView), (status = 404, body = super::ProblemDetails)))]
async fn get_reservation(State(app): State<App>, Extension(caller): Extension<Caller>, Path(text): Path<String>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Reservation, &text)?;
    let reservation =
        app.read(move |tx, config| Ok(Some(reads::one(tx, config, id)?).filter(|r| reach::reservation(r, &caller.grant, config)))).await?;
    let reservation = reservation.ok_or_else(|| domain::Refused::unknown(Noun::Reservation, text, "id"))?;
    Ok(json(StatusCode::OK, &reservation))
}

/// Hold units for a while, all lines or nothing.
#[utoipa::path(post, path = "/reservations", tag = "Reservations", request_body = Reserve, responses((status = 201, body = ReservationView), (status = 409, description = "`insufficient_stock` with `shortfalls`; nothing is held", body = super::ProblemDetails)))]
async fn reserve(State(app): State<App>, change: Change<Reserve>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::Reserve).await
}

/// Give the units back.
#[utoipa::path(post, path = "/reservations/{id}/release", tag = "Reservations", params(("id" = String, Path)), responses((status = 200, body = ReservationView), (status = 409, description = "`reservation_expired`", body = super::ProblemDetails)))]
async fn release(State(app): State<App>, Path(text): Path<String>, change: Change<Nothing>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Reservation, &text)?;
    change.run(&app, |_| Command::Release(Release { id })).await
}

/// Keep the units for longer, counted from now.
#[utoipa::path(post, path = "/reservations/{id}/extend", tag = "Reservations", params(("id" = String, Path)), request_body = Extend, responses((status = 200, body = ReservationView), (status = 409, description = "`reservation_expired`", body = super::ProblemDetails)))]
async fn extend(State(app): State<App>, Path(text): Path<String>, change: Change<Extend>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Reservation, &text)?;
    change.run(&app, |body| Command::Extend(Extend { id, ..body })).await
}
