//! `/items` and `/locations`.

use crate::App;
use crate::auth::Caller;
use crate::problem::Problem;
use crate::request::{Change, List, Page, Params, json, limit};
use crate::rules::Calls;
use axum::Extension;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Response, StatusCode};
use domain::Permission::{ItemsEdit, LocationsEdit, StockView};
use engine::Command;
use engine::catalog::items::{NewItem, UpdateItem};
use engine::catalog::locations::{NewLocation, UpdateLocation};
use engine::catalog::read as reads;
use engine::views::{ItemView, LocationView};
use utoipa_axum::routes;

pub fn calls(calls: Calls) -> Calls {
    calls
        .may(StockView, routes!(list_items))
        .may(StockView, routes!(get_item))
        .may(StockView, routes!(list_locations))
        .may(StockView, routes!(get_location))
        .may(ItemsEdit, routes!(create_item))
        .may(ItemsEdit, routes!(update_item))
        .may(LocationsEdit, routes!(create_location))
        .may(LocationsEdit, routes!(update_location))
}

/// Items in the order of their SKUs.
#[utoipa::path(get, path = "/items", tag = "Items", params(Page), responses((status = 200, body = List<ItemView>)))]
async fn list_items(State(app): State<App>, Params(page): Params<Page>) -> Result<Response<Body>, Problem> {
    let limit = limit(page.limit)?;
    let after = page.after.unwrap_or_default();
    let items = app.read(move |tx, config| reads::items(tx, config, &after, limit + 1)).await?;
    Ok(json(StatusCode::OK, &List::new(items, limit, |i| i.sku.to_string())))
}

/// One item.
#[utoipa::path(get, path = "/items/{sku}", tag = "Items", params(("sku" = String, Path)), responses((status = 200, body = ItemView), (status = 404, body = super::ProblemDetails)))]
async fn get_item(State(app): State<App>, Path(sku): Path<String>) -> Result<Response<Body>, Problem> {
    let item = app.read(move |tx, config| reads::item(tx, config, &sku)).await?;
    Ok(json(StatusCode::OK, &item))
}

/// Create an item, or a kit of other items.
#[utoipa::path(post, path = "/items", tag = "Items", request_body = NewItem, responses((status = 201, body = ItemView), (status = 409, description = "`item_exists`", body = super::ProblemDetails)))]
async fn create_item(State(app): State<App>, change: Change<NewItem>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::CreateItem).await
}

/// Change fields of an item; those left out stay.
#[utoipa::path(patch, path = "/items/{sku}", tag = "Items", params(("sku" = String, Path)), request_body = UpdateItem, responses((status = 200, body = ItemView), (status = 404, body = super::ProblemDetails)))]
async fn update_item(State(app): State<App>, Path(sku): Path<String>, change: Change<UpdateItem>) -> Result<Response<Body>, Problem> {
    change.run(&app, |body| Command::UpdateItem(UpdateItem { sku, ..body })).await
}

/// All locations.
#[utoipa::path(get, path = "/locations", tag = "Locations", responses((status = 200, body = List<LocationView>)))]
async fn list_locations(State(app): State<App>, Extension(caller): Extension<Caller>) -> Result<Response<Body>, Problem> {
    let data =
        app.read(move |_, config| Ok(config.locations.iter().filter(|l| caller.grant.at(l.id)).map(LocationView::from).collect::<Vec<_>>())).await?;
    Ok(json(StatusCode::OK, &List { data, next: None }))
}

/// One location.
#[utoipa::path(get, path = "/locations/{code}", tag = "Locations", params(("code" = String, Path)), responses((status = 200, body = LocationView), (status = 404, body = super::ProblemDetails)))]
async fn get_location(State(app): State<App>, Extension(caller): Extension<Caller>, Path(code): Path<String>) -> Result<Response<Body>, Problem> {
    let unknown = domain::Refused::unknown(domain::Noun::Location, &code, "code");
    let found = app
        .read(move |_, config| config.by_code(&code).filter(|l| caller.grant.at(l.id)).map(LocationView::from).ok_or_else(|| unknown.into()))
        .await?;
    Ok(json(StatusCode::OK, &found))
}

/// Add a location.
#[utoipa::path(post, path = "/locations", tag = "Locations", request_body = NewLocation, responses((status = 201, body = LocationView), (status = 409, description = "`location_exists`", body = super::ProblemDetails)))]
async fn create_location(State(app): State<App>, change: Change<NewLocation>) -> Result<Response<Body>, Problem> {
    change.run(&app, Command::CreateLocation).await
}

/// Change fields of a location; those left out stay.
#[utoipa::path(patch, path = "/locations/{code}", tag = "Locations", params(("code" = String, Path)), request_body = UpdateLocation, responses((status = 200, body = LocationView), (status = 422, body = super::ProblemDetails)))]
async fn update_location(State(app): State<App>, Path(code): Path<String>, change: Change<UpdateLocation>) -> Result<Response<Body>, Problem> {
    change.run(&app, |body| Command::UpdateLocation(UpdateLocation { code, ..body })).await
}
