//! Reading pages as people do: what a page says, a row, a panel, the value that a form carries.

use crate::support::Visitor;

/// The texts of a page between two marks, without tags, blanks made single.
pub fn text_between(page: &str, from: &str, to: &str) -> String {
    let rest = page.split_once(from).unwrap_or_else(|| panic!("no {from:?} in {page}")).1;
    let part = rest.split_once(to).map_or(rest, |(part, _)| part);
    let mut text = String::new();
    let mut in_tag = !from.ends_with('>');
    for c in part.chars() {
        match c {
            '<' => {
                in_tag = true;
                text.push(' ');
            }
            '>' => in_tag = false,
            c if !in_tag => text.push(c),
            _ => {}
        }
    }
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A row of a table by its key.
pub fn row(page: &str, key: &str) -> String {
    text_between(page, &format!("data-key=\"{key}\""), "</tr>")
}

/// A panel by its id.
pub fn panel(page: &str, id: &str) -> String {
    text_between(page, &format!("id=\"h-{id}\">"), "</section>")
}

/// The value of a hidden field of a page.
pub fn hidden(page: &str, name: &str) -> String {
    let at = page.find(&format!("name=\"{name}\" value=\"")).unwrap_or_else(|| panic!("no field {name} in {page}"));
    page[at..].split('"').nth(3).unwrap().to_owned()
}

/// What the form sends that takes back what was just done.
pub fn undo(page: &str) -> Vec<(String, String)> {
    let form = page.split_once("data-undo").unwrap_or_else(|| panic!("nothing to take back in {page}")).0.rsplit_once("<form").unwrap().1;
    let inputs = form.split("name=\"").skip(1).map(|rest| (rest.split('"').next().unwrap(), rest.split_once("value=\"").unwrap().1));
    inputs.map(|(name, rest)| (name.to_owned(), rest.split('"').next().unwrap().replace("&quot;", "\""))).collect()
}

/// What a field of a refused form is told.
pub fn fault(page: &str, field: &str) -> String {
    text_between(page, &format!("<p class=\"error\" id=\"d-{field}\""), "</p>")
}

#[track_caller]
pub fn says(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(page.contains(text), "“{text}” is not in {page}");
    }
}

#[track_caller]
pub fn lacks(page: &str, texts: &[&str]) {
    for text in texts {
        assert!(!page.contains(text), "“{text}” is in {page}");
    }
}

#[track_caller]
pub fn get(visitor: &Visitor<'_>, path: &str) -> String {
    let reply = visitor.get(path);
    assert_eq!(reply.status, 200, "{path}: {}", reply.text());
    reply.text()
}

/// The form that was refused, as it is shown again.
#[track_caller]
pub fn refused(visitor: &Visitor<'_>, path: &str, fields: &[(&str, &str)]) -> String {
    let reply = visitor.post(path, fields);
    assert_eq!(reply.status, 422, "{path} {fields:?}: {}", reply.text());
    reply.text()
}
