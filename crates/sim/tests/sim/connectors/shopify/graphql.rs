//! Checks GraphQL against an introspected schema: a query's fields, arguments and variables, the variables' values, an
//! answer's shape, and what a query costs. Small, and strict where the queries of this project need it.

use flate2::read::GzDecoder;
use graphql_parser::query::{Definition, Document, Field, OperationDefinition, Selection, SelectionSet, Type, VariableDefinition};
use serde_json::Value;
use std::collections::BTreeMap;
use std::io::Read;
use std::path::Path;

pub struct Schema {
    types: BTreeMap<String, Value>,
    directives: Vec<Value>,
}

type Variables = BTreeMap<String, String>;
type Selected = SelectionSet<'static, String>;
type Asked = Field<'static, String>;
type Literal = graphql_parser::query::Value<'static, String>;
type Declared = VariableDefinition<'static, String>;

/// A query taken apart: its root type, selections, fragments and variables.
struct Parts {
    root: &'static str,
    selection: Selected,
    fragments: BTreeMap<String, (String, Selected)>,
    variables: Vec<Declared>,
}

impl Schema {
    /// Reads the schema that lies beside the project.
    pub fn shopify() -> Schema {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/specs/shopify/admin_2026-10.json.gz");
        let file = std::fs::File::open(&path).unwrap_or_else(|e| panic!("Shopify's schema must lie at {}: {e}", path.display()));
        let mut text = String::new();
        GzDecoder::new(file).read_to_string(&mut text).expect("the schema is gzip");
        let mut whole: Value = serde_json::from_str(&text).expect("the schema is JSON");
        let schema = whole.pointer_mut("/data/__schema").expect("an introspection").take();
        let types = schema["types"].as_array().expect("types").iter().map(|t| (t["name"].as_str().unwrap_or_default().to_owned(), t.clone()));
        Schema { types: types.collect(), directives: schema["directives"].as_array().cloned().unwrap_or_default() }
    }

    /// Everything that is wrong with a query.
    pub fn check_query(&self, text: &str) -> Vec<String> {
        let document = match parse(text) {
            Ok(document) => document,
            Err(e) => return vec![e],
        };
        let parts = parts(document);
        let mut wrong = Vec::new();
        let variables: Variables = parts.variables.iter().map(|v| (v.name.clone(), written(&v.var_type))).collect();
        for (name, kind) in &variables {
            let named = kind.trim_matches(['[', ']', '!']);
            if !self.types.get(named).is_some_and(|t| ["SCALAR", "ENUM", "INPUT_OBJECT"].contains(&t["kind"].as_str().unwrap_or_default())) {
                wrong.push(format!("${name}: there is no input type {named}"));
            }
            if !text.contains(&format!(": ${name}")) {
                wrong.push(format!("${name} is never used"));
            }
        }
        self.check_selection(&parts, &parts.selection, parts.root, &variables, &mut wrong);
        wrong
    }

    fn check_selection(&self, parts: &Parts, selection: &Selected, on: &str, variables: &Variables, wrong: &mut Vec<String>) {
        for item in &selection.items {
            match item {
                Selection::Field(field) => self.check_field(parts, field, on, variables, wrong),
                Selection::FragmentSpread(spread) => match parts.fragments.get(&spread.fragment_name) {
                    Some((kind, inner)) if kind == on => self.check_selection(parts, inner, kind, variables, wrong),
                    Some((kind, _)) => wrong.push(format!("fragment {} is on {kind}, not on {on}", spread.fragment_name)),
                    None => wrong.push(format!("there is no fragment {}", spread.fragment_name)),
                },
                Selection::InlineFragment(inline) => {
                    let kind = inline.type_condition.as_ref().map_or(on.to_owned(), |c| c.to_string().trim_start_matches("on ").to_owned());
                    let can_be = list(&self.types[on]["possibleTypes"]).iter().any(|t| t["name"] == *kind);
                    if kind != on && !can_be {
                        wrong.push(format!("{on} is never {kind}"));
                    }
                    self.check_selection(parts, &inline.selection_set, &kind, variables, wrong);
                }
            }
        }
    }

    fn check_field(&self, parts: &Parts, field: &Asked, on: &str, variables: &Variables, wrong: &mut Vec<String>) {
        let Some(known) = self.field(on, &field.name) else {
            wrong.push(format!("{on} has no field {}", field.name));
            return;
        };
        if known["isDeprecated"] == true {
            wrong.push(format!("{on}.{} is deprecated", field.name));
        }
        self.check_arguments(&field.arguments, &known["args"], &format!("{on}.{}", field.name), variables, wrong);
        for directive in &field.directives {
            match self.directives.iter().find(|d| d["name"] == *directive.name.as_str()) {
                Some(found) => self.check_arguments(&directive.arguments, &found["args"], &format!("@{}", directive.name), variables, wrong),
                None => wrong.push(format!("there is no directive @{}", directive.name)),
            }
        }
        let kind = type_text(&known["type"]);
        let named = kind.trim_matches(['[', ']', '!']);
        let is_leaf = matches!(self.types[named]["kind"].as_str(), Some("SCALAR" | "ENUM"));
        if is_leaf != field.selection_set.items.is_empty() {
            wrong.push(format!("{on}.{}: {named} {} fields", field.name, if is_leaf { "has no" } else { "needs" }));
        }
        self.check_selection(parts, &field.selection_set, named, variables, wrong);
    }

    fn check_arguments(&self, given: &[(String, Literal)], known: &Value, place: &str, variables: &Variables, wrong: &mut Vec<String>) {
        for (name, value) in given {
            match list(known).iter().find(|a| a["name"] == *name.as_str()) {
                Some(argument) => self.check_literal(value, &type_text(&argument["type"]), &format!("{place}({name})"), variables, wrong),
                None => wrong.push(format!("{place} has no argument {name}")),
            }
        }
        for argument in list(known).iter().filter(|a| is_required(a)) {
            if !given.iter().any(|(name, _)| argument["name"] == *name.as_str()) {
                wrong.push(format!("{place} needs the argument {}", argument["name"]));
            }
        }
    }

    fn check_literal(&self, value: &Literal, kind: &str, place: &str, variables: &Variables, wrong: &mut Vec<String>) {
        match value {
            Literal::Variable(name) => match variables.get(name) {
                Some(declared) if fits(declared, kind) => {}
                Some(declared) => wrong.push(format!("{place}: ${name} is {declared}, not {kind}")),
                None => wrong.push(format!("{place}: ${name} is not declared")),
            },
            Literal::Object(fields) if self.types.get(kind.trim_matches('!')).is_some_and(|t| t["kind"] == "INPUT_OBJECT") => {
                let given: Vec<(String, Literal)> = fields.iter().map(|(name, value)| (name.clone(), value.clone())).collect();
                self.check_arguments(&given, &self.types[kind.trim_matches('!')]["inputFields"], place, variables, wrong);
            }
            Literal::Enum(word) => {
                if !self.has_word(kind.trim_matches('!'), word) {
                    wrong.push(format!("{place}: {kind} has no word {word}"));
                }
            }
            Literal::List(items) if kind.starts_with('[') => items.iter().for_each(|i| self.check_literal(i, inner(kind), place, variables, wrong)),
            other => self.check_value(&plain(other), kind, place, wrong),
        }
    }

    /// Everything that is wrong with the values of a query's variables.
    pub fn check_variables(&self, text: &str, values: &Value) -> Vec<String> {
        let Ok(document) = parse(text) else { return vec!["not GraphQL".into()] };
        let mut wrong = Vec::new();
        let parts = parts(document);
        for variable in &parts.variables {
            self.check_value(&values[variable.name.as_str()], &written(&variable.var_type), &format!("${}", variable.name), &mut wrong);
        }
        for name in values.as_object().into_iter().flat_map(|o| o.keys()) {
            if !parts.variables.iter().any(|v| v.name == *name) {
                wrong.push(format!("${name} is not declared"));
            }
        }
        wrong
    }

    /// A plain value against an input type, or against a type without fields.
    fn check_value(&self, value: &Value, kind: &str, place: &str, wrong: &mut Vec<String>) {
        if let Some(kind) = kind.strip_suffix('!') {
            if value.is_null() {
                wrong.push(format!("{place}: null where {kind}! must be"));
                return;
            }
            return self.check_value(value, kind, place, wrong);
        }
        if value.is_null() {
            return;
        }
        if kind.starts_with('[') {
            match value.as_array() {
                Some(items) => items.iter().for_each(|item| self.check_value(item, inner(kind), place, wrong)),
                None => wrong.push(format!("{place}: {value} is no {kind}")),
            }
            return;
        }
        let known = &self.types[kind];
        let text = value.as_str();
        let good = match (known["kind"].as_str(), kind) {
            (Some("INPUT_OBJECT"), _) => {
                let Some(fields) = value.as_object() else {
                    wrong.push(format!("{place}: {value} is no {kind}"));
                    return;
                };
                for field in list(&known["inputFields"]) {
                    let name = field["name"].as_str().unwrap_or_default();
                    match fields.get(name) {
                        Some(value) => self.check_value(value, &type_text(&field["type"]), &format!("{place}.{name}"), wrong),
                        None if is_required(field) => wrong.push(format!("{place} needs {name}")),
                        None => {}
                    }
                }
                for name in fields.keys().filter(|name| !list(&known["inputFields"]).iter().any(|f| f["name"] == **name)) {
                    wrong.push(format!("{kind} has no field {name}"));
                }
                true
            }
            (Some("ENUM"), _) => text.is_some_and(|word| self.has_word(kind, word)),
            (_, "Int") => value.as_i64().is_some_and(|n| i32::try_from(n).is_ok()),
            (_, "Float") => value.is_number(),
            (_, "Boolean") => value.is_boolean(),
            (_, "ID") => text.is_some_and(|id| id.starts_with("gid://shopify/")),
            (_, "DateTime") => text.is_some_and(|t| t.parse::<jiff::Timestamp>().is_ok()),
            (_, "Decimal") => text.is_some_and(|t| t.parse::<f64>().is_ok()),
            _ => text.is_some(),
        };
        if !good {
            wrong.push(format!("{place}: {value} is no {kind}"));
        }
    }

    /// Everything that is wrong with an answer's `data`.
    pub fn check_answer(&self, text: &str, data: &Value) -> Vec<String> {
        let Ok(document) = parse(text) else { return vec!["not GraphQL".into()] };
        let parts = parts(document);
        let mut wrong = Vec::new();
        self.check_object(&parts, &parts.selection, parts.root, data, "data", &mut wrong);
        wrong
    }

    fn check_object(&self, parts: &Parts, selection: &Selected, on: &str, value: &Value, place: &str, wrong: &mut Vec<String>) {
        let Some(object) = value.as_object() else {
            wrong.push(format!("{place}: {value} is no {on}"));
            return;
        };
        let mut fields = Vec::new();
        flatten(parts, selection, on, &mut fields);
        for (on, field) in &fields {
            let place = format!("{place}.{}", field.name);
            let kind = self.field(on, &field.name).map(|f| type_text(&f["type"])).unwrap_or_default();
            match object.get(&field.name) {
                Some(value) => self.check_output(parts, &field.selection_set, &kind, value, &place, wrong),
                None => wrong.push(format!("{place} is missing")),
            }
        }
        for name in object.keys().filter(|name| !fields.iter().any(|(_, f)| f.name == **name)) {
            wrong.push(format!("{place}.{name} was not asked for"));
        }
    }

    fn check_output(&self, parts: &Parts, selection: &Selected, kind: &str, value: &Value, place: &str, wrong: &mut Vec<String>) {
        let bare = kind.strip_suffix('!').unwrap_or(kind);
        if value.is_null() || selection.items.is_empty() {
            self.check_value(value, kind, place, wrong);
        } else if bare.starts_with('[') {
            match value.as_array() {
                Some(items) => items.iter().for_each(|item| self.check_output(parts, selection, inner(bare), item, place, wrong)),
                None => wrong.push(format!("{place}: no list")),
            }
        } else {
            self.check_object(parts, selection, bare, value, place, wrong);
        }
    }

    /// Points that a query asks for: an object costs 1, a list as much as it may hold, a mutation 10.
    pub fn cost(&self, text: &str) -> u64 {
        let document = parse(text).expect("GraphQL");
        let parts = parts(document);
        let base = if parts.root == "Mutation" { 10 } else { 0 };
        base + self.cost_of(&parts, &parts.selection, parts.root, 1)
    }

    fn cost_of(&self, parts: &Parts, selection: &Selected, on: &str, rows: u64) -> u64 {
        let mut fields = Vec::new();
        flatten(parts, selection, on, &mut fields);
        let cost = fields.iter().filter(|(_, f)| !f.selection_set.items.is_empty()).map(|(on, field)| {
            let kind = self.field(on, &field.name).map(|f| type_text(&f["type"])).unwrap_or_default();
            let named = kind.trim_matches(['[', ']', '!']).to_owned();
            let first = field.arguments.iter().find(|(name, _)| name == "first").and_then(|(_, v)| match v {
                Literal::Int(n) => n.as_i64().and_then(|n| u64::try_from(n).ok()),
                _ => None,
            });
            if named.ends_with("Connection") {
                return self.cost_of(parts, &field.selection_set, &named, first.unwrap_or(1));
            }
            let times = match (field.name.as_str(), kind.contains('[')) {
                ("nodes", _) if on.ends_with("Connection") => rows,
                // By ids, as many as one call takes.
                ("nodes", _) => 250,
                (_, true) => first.unwrap_or(1),
                _ => 1,
            };
            times * (1 + self.cost_of(parts, &field.selection_set, &named, 1))
        });
        cost.sum()
    }

    fn field(&self, on: &str, name: &str) -> Option<&Value> {
        list(&self.types.get(on)?["fields"]).iter().find(|f| f["name"] == name)
    }

    fn has_word(&self, kind: &str, word: &str) -> bool {
        list(&self.types[kind]["enumValues"]).iter().any(|v| v["name"] == word)
    }
}

fn parse(text: &str) -> Result<Document<'static, String>, String> {
    graphql_parser::parse_query::<String>(text).map(Document::into_static).map_err(|e| e.to_string())
}

fn parts(document: Document<'static, String>) -> Parts {
    let mut parts = Parts { root: "QueryRoot", selection: empty(), fragments: BTreeMap::new(), variables: Vec::new() };
    for definition in document.definitions {
        match definition {
            Definition::Fragment(f) => {
                let kind = f.type_condition.to_string().trim_start_matches("on ").to_owned();
                parts.fragments.insert(f.name, (kind, f.selection_set));
            }
            Definition::Operation(OperationDefinition::Query(q)) => (parts.selection, parts.variables) = (q.selection_set, q.variable_definitions),
            Definition::Operation(OperationDefinition::Mutation(m)) => {
                (parts.root, parts.selection, parts.variables) = ("Mutation", m.selection_set, m.variable_definitions);
            }
            Definition::Operation(_) => panic!("an operation without a name"),
        }
    }
    parts
}

fn empty() -> Selected {
    SelectionSet { span: Default::default(), items: Vec::new() }
}

/// The fields of a selection, those of fragments included, each with the type that it is of.
fn flatten<'a>(parts: &'a Parts, selection: &'a Selected, on: &str, into: &mut Vec<(String, &'a Asked)>) {
    for item in &selection.items {
        match item {
            Selection::Field(field) => into.push((on.to_owned(), field)),
            Selection::FragmentSpread(spread) => {
                let (kind, inner) = &parts.fragments[&spread.fragment_name];
                flatten(parts, inner, kind, into);
            }
            Selection::InlineFragment(inline) => {
                let kind = inline.type_condition.as_ref().map_or(on.to_owned(), |c| c.to_string().trim_start_matches("on ").to_owned());
                flatten(parts, &inline.selection_set, &kind, into);
            }
        }
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn is_required(argument: &Value) -> bool {
    argument["type"]["kind"] == "NON_NULL" && argument["defaultValue"].is_null()
}

/// A type of the schema as GraphQL writes it, such as `[ID!]!`.
fn type_text(kind: &Value) -> String {
    match kind["kind"].as_str() {
        Some("NON_NULL") => format!("{}!", type_text(&kind["ofType"])),
        Some("LIST") => format!("[{}]", type_text(&kind["ofType"])),
        _ => kind["name"].as_str().unwrap_or_default().to_owned(),
    }
}

fn written(kind: &Type<'static, String>) -> String {
    match kind {
        Type::NamedType(name) => name.clone(),
        Type::ListType(inner) => format!("[{}]", written(inner)),
        Type::NonNullType(inner) => format!("{}!", written(inner)),
    }
}

/// Whether a variable of this type may stand where that type is wanted.
fn fits(declared: &str, wanted: &str) -> bool {
    match (declared.strip_suffix('!'), wanted.strip_suffix('!')) {
        (None, Some(_)) => false,
        (Some(declared), Some(wanted)) => fits(declared, wanted),
        (Some(declared), None) => fits(declared, wanted),
        (None, None) if declared.starts_with('[') && wanted.starts_with('[') => fits(inner(declared), inner(wanted)),
        (None, None) => declared == wanted,
    }
}

/// What a list is of.
fn inner(kind: &str) -> &str {
    kind.strip_suffix('!').unwrap_or(kind).strip_prefix('[').and_then(|k| k.strip_suffix(']')).unwrap_or(kind)
}

fn plain(literal: &Literal) -> Value {
    match literal {
        Literal::Int(n) => n.as_i64().into(),
        Literal::Float(f) => (*f).into(),
        Literal::String(s) => s.clone().into(),
        Literal::Boolean(b) => (*b).into(),
        Literal::List(items) => items.iter().map(plain).collect(),
        _ => Value::Null,
    }
}

#[test]
fn the_checks_find_what_is_wrong() {
    let schema = Schema::shopify();
    for (text, expected) in [
        ("query A { shop { name nom } }", "Shop has no field nom"),
        ("query A { shop }", "QueryRoot.shop: Shop needs fields"),
        ("query A { shop { name { x } } }", "Shop.name: String has no fields"),
        ("query A { order { id } }", "QueryRoot.order needs the argument \"id\""),
        ("query A($id: String!) { order(id: $id) { id } }", "QueryRoot.order(id): $id is String!, not ID!"),
        ("query A($id: ID) { order(id: $id) { id } }", "QueryRoot.order(id): $id is ID, not ID!"),
        ("query A { orders(first: 1, sortKey: SIZE) { nodes { id } } }", "QueryRoot.orders(sortKey): OrderSortKeys has no word SIZE"),
        ("query A { orders(first: \"1\") { nodes { id } } }", "QueryRoot.orders(first): \"1\" is no Int"),
        ("query A { orders(limit: 1) { nodes { id } } }", "QueryRoot.orders has no argument limit"),
        ("query A { shop @once { name } }", "there is no directive @once"),
        ("query A { orders(first: 1) { nodes { email } } ", "query parse error"),
        ("query A { nodes(ids: []) { ... on Money { id } } }", "Node is never Money"),
    ] {
        let wrong = schema.check_query(text);
        assert!(wrong.iter().any(|w| w.contains(expected)), "{text}: {wrong:?}");
    }
    let set = "mutation A($input: InventorySetQuantitiesInput!) { inventorySetQuantities(input: $input) { userErrors { code } } }";
    assert_eq!(schema.check_query(set), [""; 0]);
    let row = serde_json::json!({ "inventoryItemId": "gid://shopify/InventoryItem/1", "locationId": "gid://shopify/Location/1", "quantity": 1.5 });
    let wrong = schema.check_variables(set, &serde_json::json!({ "input": { "name": "available", "quantities": [row] } }));
    assert_eq!(wrong, ["$input.quantities.quantity: 1.5 is no Int", "$input needs reason"]);
    let wrong = schema.check_answer(set, &serde_json::json!({ "inventorySetQuantities": { "userErrors": [{ "code": "OOPS", "x": 1 }, {}] } }));
    let place = "data.inventorySetQuantities.userErrors";
    assert_eq!(wrong[0], format!("{place}.code: \"OOPS\" is no InventorySetQuantitiesUserErrorCode"));
    assert_eq!(wrong[1..], [format!("{place}.x was not asked for"), format!("{place}.code is missing")]);
}
