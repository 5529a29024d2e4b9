//! `/stock` and `/transfers`.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, Nothing, Page, Params, cursor, id, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Permission::{self, StockAdjust, StockReceive, StockTransfer};
use domain::{Noun, Refused};
use engine::Command;
use engine::access::reach;
use engine::orders::read as order_reads;
use engine::stock::adjust::Adjust;
use engine::stock::count::Count;
use engine::stock::r#move::Move;
use engine::stock::read::{self as reads, EntryView, StockTotal};
use engine::stock::receive::Receive;
use engine::stock::transfer::{CancelTransfer, ReceiveTransfer, SendTransfer};
use engine::views::{MovementView, StockView, TransferView};
use serde::Deserialize;
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(Permission::StockView, routes!(list_stock))
        .may(Permission::StockView, routes!(get_stock))
        .may(Permission::StockView, routes!(list_entries))
        .may(Permission::StockView, routes!(list_transfers))
        .may(Permission::StockView, routes!(get_transfer))
        .may(StockReceive, routes!(receive))
        .may(StockAdjust, routes!(adjust))
        .may(StockAdjust, routes!(move_stock))
        .may(StockAdjust, routes!(count))
        .may(StockTransfer, routes!(send_transfer))
        .may(StockTransfer, routes!(receive_transfer))
        .may(StockTransfer, routes!(cancel_transfer))
}

/// Totals of plain items over all locations, in the order of their SKUs.
#[utoipa::path(get, path = "/stock", tag = "Stock", params(Page), responses((status = 200, body = List<StockTotal>)))]
async fn list_stock(State(app): State<App>, Extension(caller): Extension<Caller>, Params(page): Params<Page>) -> Result<Response<Body>, Problem> {
    let limit = limit(page.limit)?;
    let after = page.after.unwrap_or_default();
    let rows = app
        .read(move |tx, config| {
            let mut rows = reads::list(tx, &after, limit + 1)?;
            // Whoever is limited to locations gets the sums over those.
            for row in rows.iter_mut().filter(|_| caller.grant.locations.is_some()) {
                row.balances = reach::stock(reads::stock(tx, config, &row.sku, None)?, &caller.grant, config).total;
            }
            Ok(rows)
        })
        .await?;
    Ok(json(StatusCode::OK, &List::new(rows, limit, |r| r.sku.clone())))
}

#[derive(Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct AsOf {
    /// RFC 3339: the stock as it was at this instant.
    as_of: Option<String>,
}

/// The stock of an item in every state, in all and by location. For a kit, available is derived from its components.
#[utoipa::path(get, path = "/stock/{sku}", tag = "Stock", params(("sku" = String, Path), AsOf), responses((status = 200, body = StockView), (status = 404, body = super::ProblemDetails)))]
async fn get_stock(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(sku): Path<String>,
    Params(query): Params<AsOf>,
) -> Result<Response<Body>, Problem> {
    let as_of = match query.as_of {
        // A plus in a query is a blank unless it is escaped, and people forget.
        Some(text) => Some(
            text.replace(' ', "+")
                .parse::<jiff::Timestamp>()
                .map_err(|_| Refused::invalid("as_of", "must be a time such as 2026-11-21T09:00:00Z"))?
                .as_microsecond(),
        ),
        None => None,
    };
    let stock = app.read(move |tx, config| Ok(reach::stock(reads::stock(tx, config, &sku, as_of)?, &caller.grant, config))).await?;
    Ok(json(StatusCode::OK, &stock))
}

/// The double entries behind an item's numbers, by location and number.
#[utoipa::path(get, path = "/stock/{sku}/entries", tag = "Stock", params(("sku" = String, Path), Page), responses((status = 200, body = List<EntryView>), (status = 404, body = super::ProblemDetails)))]
async fn list_entries(
    State(app): State<App>,
    Extension(caller): Extension<Caller>,
    Path(sku): Path<String>,
    Params(page): Params<Page>,
) -> Result<Response<Body>, Problem> {
    let limit = limit(page.limit)?;
    let after = page.after.as_deref().unwrap_or("0.0");
    let (location, number) = after.split_once('.').unwrap_or((after, "0"));
    let after = (cursor(Some(location), 0)?, cursor(Some(number), 0)?);
    let rows = app.read(move |tx, config| reads::entries(tx, config, &sku, after, limit + 1)).await?;
    let list = List::new(rows, limit, |(_, (location, number))| format!("{location}.{number}"));
    let own = list.data.into_iter().filter(|(_, (location, _))| caller.grant.at(*location));
    Ok(json(StatusCode::OK, &List { data: own.map(|(view, _)| view).collect(), next: list.next }))
}

/// Receive units from a supplier. Orders that wait for them are filled in the same step.
#[utoipa::path(post, path = "/stock/receive", tag = "Stock", request_body = Receive, responses((status = 201, body = MovementView), (status = 422, body = super::ProblemDetails)))]
async fn receive(State(app): State<App>, change: Change<Receive>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::Receive).await
}

/// Correct the books, with a reason.
#[utoipa::path(post, path = "/stock/adjust", tag = "Stock", request_body = Adjust, responses((status = 201, body = MovementView), (status = 409, description = "`insufficient_stock`", body = super::ProblemDetails)))]
async fn adjust(State(app): State<App>, change: Change<Adjust>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::Adjust).await
}

/// Move units between states or locations: damage, quarantine, safety stock.
#[utoipa::path(post, path = "/stock/move", tag = "Stock", request_body = Move, responses((status = 201, body = MovementView), (status = 409, description = "`insufficient_stock`", body = super::ProblemDetails)))]
async fn move_stock(State(app): State<App>, change: Change<Move>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::Move).await
}

/// Set what was really found; the difference is booked on available.
#[utoipa::path(post, path = "/stock/count", tag = "Stock", request_body = Count, responses((status = 201, body = MovementView), (status = 409, description = "`count_below_promised`", body = super::ProblemDetails)))]
async fn count(State(app): State<App>, change: Change<Count>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::Count).await
}

/// The newest transfers first.
#[utoipa::path(get, path = "/transfers", tag = "Transfers", params(Page), responses((status = 200, body = List<TransferView>)))]
async fn list_transfers(State(app): State<App>, Extension(caller): Extension<Caller>, Params(page): Params<Page>) -> Result<Response<Body>, Problem> {
    let (limit, before) = (limit(page.limit)?, cursor(page.after.as_deref(), i64::MAX)?);
    let list = app
        .read(move |tx, config| {
            let list = List::new(order_reads::transfers(tx, config, before, limit + 1)?, limit, |t| t.id.0.to_string());
            Ok(list.only(|t| reach::transfer(t, &caller.grant, config)))
        })
        .await?;
    Ok(json(StatusCode::OK, &list))
}

/// One transfer.
#[utoipa::path(get, path = "/transfers/{id}", tag = "Transfers", params(("id" = String, Path)), responses((status = 200, body = TransferView), (status = 404, body = super::ProblemDetails)))]
async fn get_transfer(State(app): State<App>, Extension(caller): Extension<Caller>, Path(text): Path<String>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Transfer, &text)?;
    let transfer =
        app.read(move |tx, config| Ok(Some(order_reads::transfer(tx, config, id)?).filter(|t| reach::transfer(t, &caller.grant, config)))).await?;
    let transfer = transfer.ok_or_else(|| Refused::unknown(Noun::Transfer, text, "id"))?;
    Ok(json(StatusCode::OK, &transfer))
}

/// Send units to another location; they are incoming there until they are received.
#[utoipa::path(post, path = "/transfers", tag = "Transfers", request_body = SendTransfer, responses((status = 201, body = TransferView), (status = 409, description = "`insufficient_stock`", body = super::ProblemDetails)))]
async fn send_transfer(State(app): State<App>, change: Change<SendTransfer>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::SendTransfer).await
}

/// Receive a transfer, whole or in parts, with what was lost.
#[utoipa::path(post, path = "/transfers/{id}/receive", tag = "Transfers", params(("id" = String, Path)), request_body = ReceiveTransfer, responses((status = 200, body = TransferView), (status = 409, body = super::ProblemDetails)))]
async fn receive_transfer(State(app): State<App>, Path(text): Path<String>, change: Change<ReceiveTransfer>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Transfer, &text)?;
    change.run(&app, |body| Command::ReceiveTransfer(ReceiveTransfer { id, ..body })).await
}

/// Take a transfer back: what has not arrived is available again where it came from.
#[utoipa::path(post, path = "/transfers/{id}/cancel", tag = "Transfers", params(("id" = String, Path)), responses((status = 200, body = TransferView), (status = 409, description = "`step_not_allowed`", body = super::ProblemDetails)))]
async fn cancel_transfer(State(app): State<App>, Path(text): Path<String>, change: Change<Nothing>) -> Result<Response<Body>, Problem> {
    let id = id(Noun::Transfer, &text)?;
    change.run(&app, |_| Command::CancelTransfer(CancelTransfer { id })).await
}
