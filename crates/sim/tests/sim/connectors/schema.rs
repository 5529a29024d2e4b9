//! Holds every request and every answer against the vendor's own document (OpenAPI 3 or Swagger 2): the path, the names and
//! values of the query, headers that must be there, bodies field by field. What the documents get wrong themselves stands in
//! a table with its reason.

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Request;
use holdfast_sim::markets::ask::unescape;
use serde_json::Value;
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex};
use tower::ServiceExt;

/// A difference that is the document's fault: (operation, or `*` for every one; what the difference says, why it is let through).
pub type Exception = (&'static str, &'static str, &'static str);

/// Fields that a simulator makes up on purpose begin so.
const UNKNOWN: &str = "zz";

struct Document {
    prefix: &'static str,
    text: Value,
}

pub struct Schemas {
    documents: Vec<Document>,
    exceptions: &'static [Exception],
    /// Paths that no document has: (method, how the path begins, why).
    outside: &'static [Exception],
    found: Mutex<Found>,
}

#[derive(Default)]
struct Found {
    differences: Vec<String>,
    /// How often each operation was seen.
    seen: BTreeMap<String, u64>,
}

struct Operation<'a> {
    name: &'a str,
    of: &'a Document,
    text: &'a Value,
    shared: &'a [Value],
}

fn rows<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value[name].as_array().map_or(&[], Vec::as_slice)
}

/// Whether a path fits a template such as `/order/{id}:cancel`; how many of its characters are written out.
fn fits(template: &str, path: &str) -> Option<usize> {
    let (a, b): (Vec<&str>, Vec<&str>) = (template.split('/').collect(), path.split('/').collect());
    if a.len() != b.len() {
        return None;
    }
    let mut literal = 0;
    for (a, b) in a.iter().zip(b) {
        match a.split_once('{').and_then(|(before, rest)| Some((before, rest.split_once('}')?.1))) {
            Some((before, after)) if b.len() > before.len() + after.len() && b.starts_with(before) && b.ends_with(after) => {
                literal += before.len() + after.len();
            }
            None if *a == b => literal += b.len(),
            _ => return None,
        }
    }
    Some(literal)
}

impl Schemas {
    /// `documents`: (how their paths begin, their file).
    pub fn new(documents: &[(&'static str, &str)], outside: &'static [Exception], exceptions: &'static [Exception]) -> Arc<Schemas> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs");
        let documents = documents.iter().map(|(prefix, file)| {
            let text = std::fs::read(folder.join(file))
                .unwrap_or_else(|e| panic!("{file}: {e}. The vendors' documents are expected in {}, beside the project", folder.display()));
            Document { prefix, text: serde_json::from_slice(&text).unwrap_or_else(|e| panic!("{file}: {e}")) }
        });
        Arc::new(Schemas { documents: documents.collect(), exceptions, outside, found: Mutex::default() })
    }

    /// The same router, with all that goes in and out held against the documents.
    pub fn around(self: &Arc<Schemas>, inner: Router) -> Router {
        let schemas = self.clone();
        Router::new().fallback(move |request: Request| {
            let (schemas, inner) = (schemas.clone(), inner.clone());
            async move {
                let (head, body) = request.into_parts();
                let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
                let asked = (head.clone(), body.clone());
                let answer = inner.oneshot(Request::from_parts(head, Body::from(body))).await.unwrap_or_else(|never| match never {});
                let (head, body) = answer.into_parts();
                // What breaks off is no answer.
                let Ok(body) = to_bytes(body, usize::MAX).await else {
                    let broken = futures_util::stream::once(async { Err::<Vec<u8>, _>(std::io::Error::other("simulated")) });
                    return axum::response::Response::from_parts(head, Body::from_stream(broken));
                };
                let simulated =
                    head.extensions.get::<holdfast_sim::markets::mishaps::Break>().is_some() || &body[..] == b"{\"message\":\"simulated\"}";
                schemas.check(&asked.0, &asked.1, (!simulated).then_some((head.status.as_u16(), &body)));
                axum::response::Response::from_parts(head, Body::from(body))
            }
        })
    }

    /// Fails with all differences, each once.
    pub fn assert_kept(&self, seed: u64) {
        let found = self.found.lock().unwrap();
        let mut differences = found.differences.clone();
        differences.sort();
        differences.dedup();
        assert!(differences.is_empty(), "seed {seed}: not as the vendor's document says:\n{}", differences.join("\n"));
    }

    /// Operations that were seen, and how often.
    pub fn seen(&self) -> BTreeMap<String, u64> {
        self.found.lock().unwrap().seen.clone()
    }

    fn operation(&self, method: &str, path: &str) -> Option<Operation<'_>> {
        let mut best: Option<(usize, Operation<'_>)> = None;
        for of in &self.documents {
            let Some(rest) = path.strip_prefix(of.prefix) else { continue };
            for (template, at) in of.text["paths"].as_object().into_iter().flatten() {
                let Some(literal) = fits(template, rest) else { continue };
                let text = &at[method.to_lowercase()];
                if text.is_object() && best.as_ref().is_none_or(|(b, _)| literal > *b) {
                    let name = text["operationId"].as_str().unwrap_or(template);
                    best = Some((literal, Operation { name, of, text, shared: rows(at, "parameters") }));
                }
            }
        }
        best.map(|(_, operation)| operation)
    }

    fn check(&self, asked: &axum::http::request::Parts, body: &[u8], answer: Option<(u16, &[u8])>) {
        let (method, path) = (asked.method.as_str(), asked.uri.path());
        if self.outside.iter().any(|(m, begins, _)| *m == method && path.starts_with(begins)) {
            return;
        }
        let mut differences = Vec::new();
        let Some(operation) = self.operation(method, path) else {
            self.found.lock().unwrap().differences.push(format!("{method} {path}: no document has it"));
            return;
        };
        self.check_request(&operation, asked, body, &mut differences);
        if let Some((status, body)) = answer {
            self.check_answer(&operation, status, body, &mut differences);
        }
        differences.retain(|d| !self.exceptions.iter().any(|(name, says, _)| (*name == "*" || *name == operation.name) && d.contains(says)));
        let mut found = self.found.lock().unwrap();
        *found.seen.entry(operation.name.to_owned()).or_default() += 1;
        found.differences.extend(differences.into_iter().map(|d| format!("{}: {d}", operation.name)));
    }

    fn check_request(&self, operation: &Operation<'_>, asked: &axum::http::request::Parts, body: &[u8], differences: &mut Vec<String>) {
        let document = &operation.of.text;
        let parameters: Vec<&Value> = operation.shared.iter().chain(rows(operation.text, "parameters")).map(|p| resolve(document, p)).collect();
        let query = asked.uri.query().unwrap_or("");
        let pairs: Vec<(String, String)> = query
            .split('&')
            .filter(|p| !p.is_empty())
            .map(|p| p.split_once('=').unwrap_or((p, "")))
            .map(|(n, v)| (unescape(n), unescape(v)))
            .collect();
        for (name, value) in &pairs {
            match parameters.iter().find(|p| p["in"] == "query" && p["name"] == name.as_str()) {
                None => differences.push(format!("query {name} is not in the document")),
                Some(parameter) => check_text(document, parameter.get("schema").unwrap_or(parameter), value, &format!("query {name}"), differences),
            }
        }
        for parameter in parameters.iter().filter(|p| p["required"] == true) {
            let name = parameter["name"].as_str().unwrap_or("");
            let there = match parameter["in"].as_str() {
                Some("query") => pairs.iter().any(|(n, v)| n == name && !v.is_empty()),
                Some("header") => asked.headers.contains_key(name),
                _ => true,
            };
            if !there {
                differences.push(format!("{} {name} is missing", parameter["in"]));
            }
        }
        let of_body = parameters.iter().find(|p| p["in"] == "body").map(|p| (&p["schema"], p["required"] == true));
        let of_content =
            operation.text.get("requestBody").map(|b| (&resolve(document, b)["content"]["application/json"]["schema"], b["required"] == true));
        match (of_body.or(of_content), body.is_empty()) {
            (None, false) => differences.push("a body where none is in the document".into()),
            (Some((_, true)), true) => differences.push("the body is missing".into()),
            (Some((schema, _)), false) => match serde_json::from_slice(body) {
                Ok(body) => check(document, schema, &body, "request", differences),
                Err(e) => differences.push(format!("the body is not JSON: {e}")),
            },
            _ => {}
        }
    }

    fn check_answer(&self, operation: &Operation<'_>, status: u16, body: &[u8], differences: &mut Vec<String>) {
        let document = &operation.of.text;
        let answer = resolve(document, &operation.text["responses"][status.to_string()]);
        if answer.is_null() {
            differences.push(format!("status {status} is not in the document"));
            return;
        }
        let schema = answer.get("schema").unwrap_or(&answer["content"]["application/json"]["schema"]);
        if schema.is_null() || body.is_empty() {
            return;
        }
        match serde_json::from_slice(body) {
            Ok(body) => check(document, schema, &body, &format!("answer {status}"), differences),
            Err(e) => differences.push(format!("the answer is not JSON: {e}")),
        }
    }
}

fn resolve<'a>(document: &'a Value, mut value: &'a Value) -> &'a Value {
    while let Some(place) = value["$ref"].as_str() {
        value = document.pointer(place.trim_start_matches('#')).unwrap_or_else(|| panic!("the document lacks {place}"));
    }
    value
}

/// A value in a query, which is text.
fn check_text(document: &Value, schema: &Value, text: &str, place: &str, differences: &mut Vec<String>) {
    let schema = resolve(document, schema);
    let value = match schema["type"].as_str() {
        Some("array") => Value::Array(text.split(',').map(|t| Value::String(t.to_owned())).collect()),
        Some("integer" | "number" | "boolean") => serde_json::from_str(text).unwrap_or_else(|_| Value::String(text.to_owned())),
        _ => Value::String(text.to_owned()),
    };
    check(document, schema, &value, place, differences);
}

fn is_of(value: &Value, kind: &str) -> bool {
    match kind {
        "string" => value.is_string(),
        "integer" => value.is_i64() || value.is_u64(),
        "number" => value.is_number(),
        "boolean" => value.is_boolean(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        "null" => value.is_null(),
        _ => true,
    }
}

/// Holds a value against a schema. Fields that the schema does not list are differences, too.
pub fn check(document: &Value, schema: &Value, value: &Value, place: &str, differences: &mut Vec<String>) {
    let schema = resolve(document, schema);
    for each in rows(schema, "allOf") {
        check(document, each, value, place, differences);
    }
    for several in ["oneOf", "anyOf"] {
        let choices = rows(schema, several);
        let fits = |choice: &Value| {
            let mut none = Vec::new();
            check(document, choice, value, place, &mut none);
            none.is_empty()
        };
        if !choices.is_empty() && !choices.iter().any(fits) {
            differences.push(format!("{place}: fits none of {several}: {value}"));
        }
    }
    if value.is_null() && schema["nullable"] == true {
        return;
    }
    let kinds: Vec<&str> = match &schema["type"] {
        Value::String(kind) => vec![kind],
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        _ => Vec::new(),
    };
    if !kinds.is_empty() && !kinds.iter().any(|kind| is_of(value, kind)) {
        differences.push(format!("{place}: is not {}: {value}", kinds.join(" or ")));
        return;
    }
    if !rows(schema, "enum").is_empty() && !rows(schema, "enum").contains(value) {
        differences.push(format!("{place}: {value} is not one of {}", schema["enum"]));
    }
    match value {
        Value::Object(fields) => check_fields(document, schema, fields, place, differences),
        Value::Array(items) => {
            for (limit, is_broken) in [
                ("maxItems", items.len() as u64 > schema["maxItems"].as_u64().unwrap_or(u64::MAX)),
                ("minItems", (items.len() as u64) < schema["minItems"].as_u64().unwrap_or(0)),
            ] {
                if is_broken {
                    differences.push(format!("{place}: {} items, {limit} is {}", items.len(), schema[limit]));
                }
            }
            items.iter().for_each(|item| check(document, &schema["items"], item, &format!("{place}[]"), differences));
        }
        Value::String(text) => {
            let length = text.chars().count() as u64;
            if length > schema["maxLength"].as_u64().unwrap_or(u64::MAX) || length < schema["minLength"].as_u64().unwrap_or(0) {
                differences.push(format!("{place}: has {length} characters"));
            }
            if schema["format"] == "date-time" && text.parse::<jiff::Timestamp>().is_err() {
                differences.push(format!("{place}: is no time: {text}"));
            }
        }
        Value::Number(number) => {
            let number = number.as_f64().unwrap_or(0.0);
            if number > schema["maximum"].as_f64().unwrap_or(f64::MAX) || number < schema["minimum"].as_f64().unwrap_or(f64::MIN) {
                differences.push(format!("{place}: {number} is out of bounds"));
            }
        }
        _ => {}
    }
}

fn check_fields(document: &Value, schema: &Value, fields: &serde_json::Map<String, Value>, place: &str, differences: &mut Vec<String>) {
    for name in rows(schema, "required").iter().filter_map(Value::as_str) {
        if !fields.contains_key(name) {
            differences.push(format!("{place}: {name} is missing"));
        }
    }
    let Some(known) = schema["properties"].as_object() else { return };
    for (name, value) in fields.iter().filter(|(name, _)| !name.starts_with(UNKNOWN)) {
        match known.get(name) {
            Some(schema) => check(document, schema, value, &format!("{place}.{name}"), differences),
            None if schema["additionalProperties"].is_object() => {}
            None => differences.push(format!("{place}: {name} is not in the document")),
        }
    }
}
