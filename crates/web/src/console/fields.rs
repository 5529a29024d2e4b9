//! Forms as they are sent: read whole, within limits, with the session's token; and addresses with parameters.

use super::viewer::Viewer;
use crate::App;
use crate::problem::Problem;
use axum::body::{Body, to_bytes};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::{Response, StatusCode, header};
use axum::response::{IntoResponse, Redirect};
use domain::Refused;
use engine::{Command, IdempotencyKey, Reply, Stop};
use std::time::Duration;
use subtle::ConstantTimeEq;

/// Largest form in bytes, most fields in one.
const MAX_FORM: usize = 1 << 20;
const MAX_FIELDS: usize = 5_000;
/// A form must arrive within this time.
const FORM_TIME: Duration = Duration::from_secs(20);

/// What a form held, in its order.
#[derive(Debug, Clone, Default)]
pub struct Fields(pub Vec<(String, String)>);

/// `a=1&b=2` as pairs.
pub fn pairs(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).take(MAX_FIELDS).map(|(n, v)| (n.into_owned(), v.into_owned())).collect()
}

/// A path with parameters.
pub fn address(path: &str, parameters: impl Iterator<Item = (String, String)>) -> String {
    let query = form_urlencoded::Serializer::new(String::new()).extend_pairs(parameters).finish();
    if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
}

/// A page of ours, which says now that something was done: a word of `parts::said`.
pub fn saying(word: &str, to: &str) -> String {
    let (path, query) = to.split_once('?').unwrap_or((to, ""));
    let kept = pairs(query).into_iter().filter(|(name, _)| name != "said" && name != "done");
    address(path, kept.chain([("said".to_owned(), word.to_owned())]))
}

/// A text as one step of a path.
pub fn step(text: &str) -> String {
    // In a path a blank is %20, and + is itself.
    form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>().replace('+', "%20")
}

impl Fields {
    /// Where `next` leads within these pages, or else `otherwise`.
    pub fn back(&self, otherwise: &str) -> String {
        own_path(self.text("next")).unwrap_or_else(|| otherwise.to_owned())
    }

    /// A field's text without outer blanks; empty if it was not sent.
    pub fn text(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value.trim())
    }

    /// A field's text, if there is any.
    pub fn given(&self, name: &str) -> Option<String> {
        Some(self.text(name).to_owned()).filter(|t| !t.is_empty())
    }

    /// Exactly as it was typed: passwords.
    pub fn raw(&self, name: &str) -> &str {
        self.0.iter().find(|(n, _)| n == name).map_or("", |(_, value)| value)
    }

    /// All values of a field that may be sent several times.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.0.iter().filter(|(n, v)| n == name && !v.trim().is_empty()).map(|(_, value)| value.trim().to_owned()).collect()
    }

    pub fn is_on(&self, name: &str) -> bool {
        !self.text(name).is_empty()
    }

    /// A whole number. Marks of thousands and a true minus are understood.
    pub fn int(&self, name: &str) -> Result<i64, Refused> {
        self.opt_int(name)?.ok_or_else(|| Refused::invalid(name, "is empty; a number belongs here"))
    }

    pub fn opt_int(&self, name: &str) -> Result<Option<i64>, Refused> {
        let text: String =
            self.text(name).chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}' | '+')).map(|c| if c == '−' { '-' } else { c }).collect();
        if text.is_empty() {
            return Ok(None);
        }
        let plain = without_marks(&text).ok_or_else(|| Refused::invalid(name, "must be a whole number"))?;
        let is_whole = plain.strip_prefix('-').unwrap_or(&plain).bytes().all(|b| b.is_ascii_digit());
        let why = if is_whole { "is too large a number" } else { "must be a whole number" };
        plain.parse().map(Some).map_err(|_| Refused::invalid(name, why))
    }
}

/// An amount of money as people type it, with a point before its decimals: `1.234,50` and `1,234.50` as `1234.50`. Of one mark
/// alone, the decimals are what stands behind it unless they are three.
pub fn amount(text: &str) -> String {
    let text: String = text.chars().filter(|c| !matches!(c, ' ' | '\u{a0}' | '\u{202f}')).collect();
    let Some(last) = text.rfind([',', '.']) else { return text };
    let (whole, rest) = (&text[..last], &text[last + 1..]);
    let mark = &text[last..=last];
    let parts_thousands = !whole.contains([',', '.']) && rest.len() == 3 || whole.contains(mark);
    let whole = whole.replace([',', '.'], "");
    if parts_thousands { format!("{whole}{rest}") } else { format!("{whole}.{rest}") }
}

/// `1,234` and `1.234` as `1234`; None where a mark does not part thousands.
fn without_marks(text: &str) -> Option<String> {
    let mark = text.chars().find(|c| matches!(c, ',' | '.'));
    let Some(mark) = mark else { return Some(text.to_owned()) };
    let mut groups = text.split(mark);
    let first = groups.next()?;
    let well_formed = (1..=3).contains(&first.trim_start_matches('-').len()) && groups.all(|g| g.len() == 3);
    well_formed.then(|| text.replace(mark, ""))
}

/// A form that was sent by one of the session's own pages, and who sent it.
pub struct Posted {
    pub viewer: Viewer,
    pub fields: Fields,
    body: [u8; 32],
}

impl FromRequest<App> for Posted {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Posted, Problem> {
        let (mut parts, body) = request.into_parts();
        let viewer = Viewer::from_request_parts(&mut parts, app).await?;
        let kind = parts.headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
        if !kind.starts_with("application/x-www-form-urlencoded") {
            return Err(Problem::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "not_a_form", "This address takes a form."));
        }
        let bytes = match tokio::time::timeout(FORM_TIME, to_bytes(body, MAX_FORM)).await {
            Ok(Ok(bytes)) => bytes,
            Ok(Err(_)) => return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "This form is too long.")),
            Err(_) => return Err(Problem::new(StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The form did not arrive in time.")),
        };
        let fields: Vec<(String, String)> =
            form_urlencoded::parse(&bytes).take(MAX_FIELDS + 1).map(|(n, v)| (n.into_owned(), v.into_owned())).collect();
        if fields.len() > MAX_FIELDS {
            return Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, "body_too_large", "This form has too many fields."));
        }
        let fields = Fields(fields);
        check_token(&viewer, fields.text("csrf"))?;
        Ok(Posted { viewer, fields, body: *blake3::hash(&bytes).as_bytes() })
    }
}

/// Refuses a form, or a script's request, that does not carry the session's token.
pub fn check_token(viewer: &Viewer, token: &str) -> Result<(), Problem> {
    let right = viewer.csrf();
    if viewer.caller.is_some() && !bool::from(token.as_bytes().ct_eq(right.as_bytes())) {
        let detail = "This form is from before you signed in again. Open the page once more and repeat it.";
        return Err(Problem::new(StatusCode::FORBIDDEN, "form_too_old", detail));
    }
    Ok(())
}

impl Posted {
    /// Has the engine carry a command out, once for each form that was shown: pressing twice does it once.
    pub async fn submit(&self, app: &App, command: Command) -> Result<Reply, Stop> {
        self.submit_one(app, "", command).await
    }

    /// The same of a form that is about several things: `part` tells which one the command is for, and `seen:PART` how that was shown.
    pub async fn submit_one(&self, app: &App, part: &str, command: Command) -> Result<Reply, Stop> {
        let seen = self.fields.given(&if part.is_empty() { "seen".to_owned() } else { format!("seen:{part}") });
        app.engine.submit(command, self.viewer.by().expecting(seen), self.once(part)).await
    }

    /// A key that makes the sending of this form safe to repeat; `part` tells several commands of one form apart.
    pub fn once(&self, part: &str) -> Option<IdempotencyKey> {
        let once = self.fields.given("once").filter(|o| o.len() <= 64)?;
        let session = self.viewer.caller.as_ref().map(|c| c.id.to_string()).unwrap_or_default();
        Some(IdempotencyKey { key: format!("{session}:form:{once}:{part}"), request: self.body })
    }

    /// Back to where the form says, within these pages, or else to `otherwise`.
    pub fn back(&self, otherwise: &str) -> String {
        self.fields.back(otherwise)
    }
}

/// A path within these pages, or None: nobody may be sent elsewhere by a link.
pub fn own_path(text: &str) -> Option<String> {
    let plain = text.starts_with('/') && !text.starts_with("//") && !text.contains('\\') && !text.chars().any(char::is_control);
    (plain && text.len() <= 2_000).then(|| text.to_owned())
}

/// Sends the browser on, to be asked for with GET.
pub fn see(path: &str) -> Response<Body> {
    Redirect::to(path).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_comes_back_to_where_it_was_done() {
        assert_eq!(saying("undone", "/items"), "/items?said=undone");
        assert_eq!(saying("undone", "/items/A?do=adjust&done=12&location=L"), "/items/A?do=adjust&location=L&said=undone");
    }

    #[test]
    fn numbers_as_people_type_them() {
        for (text, number) in [
            ("12", Some(12)),
            (" 1,234 ", Some(1_234)),
            ("1.234.567", Some(1_234_567)),
            ("−12", Some(-12)),
            ("+5", Some(5)),
            ("1 234", Some(1_234)),
            ("1,5", None),
            ("12,34", None),
            ("1.2", None),
            ("x", None),
            ("9223372036854775808", None),
        ] {
            let fields = Fields(vec![("n".into(), text.into())]);
            assert_eq!(fields.opt_int("n").ok().flatten(), number, "{text}");
        }
        assert_eq!(Fields::default().opt_int("n").unwrap(), None);
        assert_eq!(Fields::default().int("n").unwrap_err().field(), Some("n"));
    }

    #[test]
    fn amounts_as_people_type_them() {
        for (text, amount_text) in [
            ("9.99", "9.99"),
            ("9,99", "9.99"),
            ("1,234.50", "1234.50"),
            ("1.234,50", "1234.50"),
            ("1.234.567", "1234567"),
            ("1,234", "1234"),
            ("12", "12"),
            ("x", "x"),
            ("", ""),
        ] {
            assert_eq!(amount(text), amount_text, "{text}");
        }
    }

    #[test]
    fn nobody_is_sent_elsewhere() {
        for (text, ours) in
            [("/items?q=a", true), ("//evil.example", false), ("https://evil.example", false), ("/\\evil", false), ("", false), ("/a\nb", false)]
        {
            assert_eq!(own_path(text).is_some(), ours, "{text}");
        }
        assert_eq!(step("A/B c+d?"), "A%2FB%20c%2Bd%3F");
    }
}
