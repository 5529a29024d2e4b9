//! Styles, scripts and the icon: part of the program, under an address that changes with their content.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use std::sync::LazyLock;

const FILES: [(&str, &str, &str); 5] = [
    ("holdfast.css", "text/css; charset=utf-8", include_str!("../../static/holdfast.css")),
    ("live.js", "text/javascript; charset=utf-8", include_str!("../../static/live.js")),
    ("follow.js", "text/javascript; charset=utf-8", include_str!("../../static/follow.js")),
    ("morph.js", "text/javascript; charset=utf-8", include_str!("../../static/morph.js")),
    ("icon.svg", "image/svg+xml", include_str!("../../static/icon.svg")),
];

/// One version for all of them, so that a script finds the modules it imports beside itself.
static VERSION: LazyLock<String> = LazyLock::new(|| {
    let mut hasher = blake3::Hasher::new();
    for (name, _, text) in FILES {
        hasher.update(name.as_bytes());
        hasher.update(&(text.len() as u64).to_le_bytes());
        hasher.update(text.as_bytes());
    }
    hasher.finalize().to_hex()[..16].to_owned()
});

/// Where a page finds a file.
pub fn address(name: &str) -> String {
    format!("/static/{}/{name}", *VERSION)
}

/// Kept by browsers for good under the present version. A page of another version gets today's file, and asks again.
pub async fn file(Path((version, name)): Path<(String, String)>) -> Response<Body> {
    let Some((_, kind, text)) = FILES.iter().find(|(n, ..)| *n == name) else { return StatusCode::NOT_FOUND.into_response() };
    let keep = if version == *VERSION { "public, max-age=31536000, immutable" } else { "no-cache" };
    ([(header::CONTENT_TYPE, *kind), (header::CACHE_CONTROL, keep)], *text).into_response()
}
