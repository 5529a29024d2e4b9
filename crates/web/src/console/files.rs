//! Styles, scripts and the icon: part of the program, under an address that changes with their content.

use axum::body::Body;
use axum::extract::Path;
use axum::http::{Response, StatusCode, header};
use axum::response::IntoResponse;
use std::sync::LazyLock;

const CSS: &str = "text/css; charset=utf-8";
const JS: &str = "text/javascript; charset=utf-8";

/// Name, type, text. Scripts import one another by name, so that a new one stands here too.
const FILES: [(&str, &str, &str); 15] = [
    ("holdfast.css", CSS, include_str!("../../static/holdfast.css")),
    ("charts.css", CSS, include_str!("../../static/charts.css")),
    ("console.js", JS, include_str!("../../static/console.js")),
    ("live.js", JS, include_str!("../../static/live.js")),
    ("morph.js", JS, include_str!("../../static/morph.js")),
    ("keys.js", JS, include_str!("../../static/keys.js")),
    ("palette.js", JS, include_str!("../../static/palette.js")),
    ("select.js", JS, include_str!("../../static/select.js")),
    ("form.js", JS, include_str!("../../static/form.js")),
    ("suggest.js", JS, include_str!("../../static/suggest.js")),
    ("chart.js", JS, include_str!("../../static/chart.js")),
    ("passkey.js", JS, include_str!("../../static/passkey.js")),
    ("password.js", JS, include_str!("../../static/password.js")),
    ("say.js", JS, include_str!("../../static/say.js")),
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

#[cfg(test)]
mod tests {
    use super::FILES;

    #[test]
    fn scripts_find_what_they_import() {
        let mut found = 0;
        for (name, _, text) in FILES.iter().filter(|(name, ..)| name.ends_with(".js")) {
            for line in text.lines().filter(|line| line.starts_with("import ")) {
                let module = line.split("'./").nth(1).and_then(|rest| rest.split('\'').next()).unwrap_or(line);
                assert!(FILES.iter().any(|(n, ..)| *n == module), "{name} imports {module}, which is not served");
                found += 1;
            }
        }
        assert!(found > 8, "the search found only {found}");
    }
}
