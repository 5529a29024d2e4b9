//! Pages for people.

use crate::App;
use axum::Router;

pub fn router(_: &App) -> Router<App> {
    Router::new()
}
