//! Transfers: the list of them, one with what arrived of it, and a new one.

pub mod list;
pub mod new;
pub mod one;

use super::orders::Places;
use super::viewer::Viewer;

/// A location by its name, as far as the reader may know it.
fn place<'a>(v: &Viewer, places: &'a Places, code: &'a str) -> &'a str {
    match places.get(code) {
        Some(place) => &place.name,
        None if v.grant().locations.is_some() => v.t("Elsewhere"),
        None => code,
    }
}
