//! A draft of routing rules while somebody works on it. It travels in the form: nothing is kept here, and nothing is saved until it is
//! made live.

use crate::console::fields::Fields;
use crate::console::locations::KINDS;
use crate::console::locations::edit::{decimal, micro, number};
use domain::routing::{Cost, From, Otherwise, Prefer, Rule, RuleSet, Timing, When};
use domain::{Refused, routing};

/// Longest draft as text, in bytes.
const MOST: usize = 400 << 10;

/// Rules, the name that they are to have, and which of them is open to be changed.
#[derive(Debug, Clone, PartialEq)]
pub struct Draft {
    pub name: String,
    pub rules: RuleSet,
    pub open: Option<usize>,
}

pub const PREFER: [(Prefer, &str, &str); 3] = [
    (Prefer::Cost, "cost", "The cheapest first"),
    (Prefer::Nearest, "nearest", "The nearest first"),
    (Prefer::Listed, "listed", "In the order listed"),
];
pub const OTHERWISE: [(Otherwise, &str, &str); 2] = [(Otherwise::Next, "next", "Try the next rule"), (Otherwise::Stop, "stop", "Stop here")];
pub const TIMING: [(Timing, &str, &str); 2] = [(Timing::AtOnce, "at_once", "Decide at once"), (Timing::Run, "run", "Hold for the next routing run")];

impl Draft {
    pub fn of(rules: RuleSet) -> Draft {
        Draft { name: String::new(), rules, open: None }
    }

    /// What a form carries, with what was typed into the rule that is open. Refuses what cannot be read, by the name of its field.
    pub fn read(fields: &Fields) -> Result<Draft, Refused> {
        let mut draft = Draft::carried(fields)?;
        if let Some(rule) = draft.open.and_then(|n| draft.rules.rules.get_mut(n)) {
            *rule = typed(fields, rule)?;
        }
        Ok(draft)
    }

    /// The same without what was typed.
    pub fn carried(fields: &Fields) -> Result<Draft, Refused> {
        let rules = parse("draft", fields.raw("draft"))?;
        let open = fields.text("open").parse().ok().filter(|n| *n < rules.rules.len());
        Ok(Draft { name: fields.text("name").to_owned(), rules, open })
    }

    /// As it travels.
    pub fn text(&self) -> String {
        serde_json::to_string(&self.rules).unwrap_or_default()
    }

    /// Does one step of editing: `add`, `up:2`, `down:2`, `copy:2`, `delete:2`, `open:2`, `close`, `only`, `free:0`.
    pub fn act(&mut self, what: &str, fields: &Fields) -> Result<(), Refused> {
        let (verb, n) = what.split_once(':').map_or((what, None), |(verb, n)| (verb, n.parse::<usize>().ok()));
        let rules = &mut self.rules.rules;
        let n = n.filter(|n| *n < rules.len());
        match (verb, n) {
            ("add", _) => {
                rules.push(Rule { name: String::new(), ..Rule::default() });
                self.open = Some(rules.len() - 1);
            }
            ("open", Some(n)) => self.open = Some(n),
            ("close", _) => self.open = None,
            ("up", Some(n)) if n > 0 => self.swap(n, n - 1),
            ("down", Some(n)) if n + 1 < rules.len() => self.swap(n, n + 1),
            ("copy", Some(n)) => {
                let copy = rules[n].clone();
                rules.insert(n + 1, copy);
                self.open = Some(n + 1);
            }
            ("delete", Some(n)) => {
                rules.remove(n);
                self.open = self.open.and_then(|open| match open {
                    open if open == n => None,
                    open if open > n => Some(open - 1),
                    open => Some(open),
                });
            }
            ("only", _) => self.rules.only_for.push(only(fields)?),
            ("free", _) => {
                if let Some(n) = what.split_once(':').and_then(|(_, n)| n.parse::<usize>().ok()).filter(|n| *n < self.rules.only_for.len()) {
                    self.rules.only_for.remove(n);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn swap(&mut self, a: usize, b: usize) {
        self.rules.rules.swap(a, b);
        self.open = self.open.map(|open| {
            if open == a {
                b
            } else if open == b {
                a
            } else {
                open
            }
        });
    }

    /// How a rule stands beside the rules in force: the same is there.
    pub fn is_known(&self, n: usize, live: &RuleSet) -> bool {
        self.rules.rules.get(n).is_some_and(|rule| live.rules.contains(rule))
    }

    /// What differs from the rules in force: rules that are new or changed, that are gone, another order of the others, restrictions.
    pub fn changes(&self, live: &RuleSet) -> usize {
        let new = self.rules.rules.iter().filter(|r| !live.rules.contains(r)).count();
        let gone = live.rules.iter().filter(|r| !self.rules.rules.contains(r)).count();
        let kept = |list: &[Rule], other: &[Rule]| list.iter().filter(|r| other.contains(r)).cloned().collect::<Vec<Rule>>();
        let moved = kept(&self.rules.rules, &live.rules) != kept(&live.rules, &self.rules.rules);
        // A changed rule is one that is gone and one that is new.
        new.max(gone) + usize::from(moved) + usize::from(self.rules.only_for != live.only_for)
    }
}

/// Rules as JSON: the set itself, or a version as it is exported or asked for by the API, with its name beside it.
pub fn parse(field: &str, text: &str) -> Result<RuleSet, Refused> {
    #[derive(serde::Deserialize)]
    struct Version {
        rules: RuleSet,
    }
    if text.len() > MOST {
        return Err(Refused::invalid(field, format!("must be at most {MOST} bytes long")));
    }
    let set = serde_json::from_str::<RuleSet>(text);
    let version = || serde_json::from_str::<Version>(text).map(|v| v.rules);
    set.or_else(|fault| version().map_err(|_| fault)).map_err(|e| Refused::invalid(field, format!("is no rule set: {e}")))
}

/// “a, b c” as the parts between commas and blanks; customers and postal codes may hold blanks, so only commas part those.
fn list(fields: &Fields, name: &str) -> Vec<String> {
    fields.text(name).split([',', ';', '\n']).map(str::trim).filter(|t| !t.is_empty()).map(str::to_owned).collect()
}

fn chosen<T: Copy>(fields: &Fields, name: &str, choices: &[(T, &str, &str)], otherwise: T) -> T {
    choices.iter().find(|(_, word, _)| *word == fields.text(name)).map_or(otherwise, |(value, ..)| *value)
}

/// The rule that is open, as it was typed.
fn typed(fields: &Fields, was: &Rule) -> Result<Rule, Refused> {
    if !fields.0.iter().any(|(name, _)| name == "r.name") {
        return Ok(was.clone());
    }
    let upper = |name: &str| list(fields, name).into_iter().map(|c| c.to_uppercase()).collect();
    let kinds = fields.all("r.kinds");
    let cost = |name: &str, was: i64| micro(fields, name).map(|typed| typed.unwrap_or(was));
    Ok(Rule {
        name: fields.text("r.name").to_owned(),
        when: When {
            channels: list(fields, "r.channels"),
            countries: upper("r.countries"),
            postal_prefixes: list(fields, "r.postal_prefixes"),
            customers: list(fields, "r.customers"),
            skus: list(fields, "r.skus"),
            min_units: fields.opt_int("r.min_units")?,
            max_units: fields.opt_int("r.max_units")?,
        },
        from: From {
            locations: list(fields, "r.locations"),
            kinds: KINDS.iter().filter(|(word, _)| kinds.iter().any(|k| k == word)).map(|(_, kind)| *kind).collect(),
            countries: upper("r.from_countries"),
            max_distance_km: number(fields, "r.max_distance_km")?,
        },
        prefer: chosen(fields, "r.prefer", &PREFER, was.prefer),
        max_fulfillments: fields
            .opt_int("r.max_fulfillments")?
            .map_or(Ok(was.max_fulfillments), |n| usize::try_from(n).map_err(|_| Refused::invalid("r.max_fulfillments", "must be 1 to 100")))?,
        cost: Cost {
            per_fulfillment: cost("r.per_fulfillment", was.cost.per_fulfillment)?,
            per_km: cost("r.per_km", was.cost.per_km)?,
            split_penalty: cost("r.split_penalty", was.cost.split_penalty)?,
            stock_out_risk: cost("r.stock_out_risk", was.cost.stock_out_risk)?,
        },
        otherwise: chosen(fields, "r.otherwise", &OTHERWISE, was.otherwise),
        timing: chosen(fields, "r.timing", &TIMING, was.timing),
    })
}

/// A location that is to serve some customers only.
fn only(fields: &Fields) -> Result<routing::OnlyFor, Refused> {
    let (location, customers) = (fields.text("only.location").to_owned(), list(fields, "only.customers"));
    if location.is_empty() {
        return Err(Refused::invalid("only.location", "is empty; choose a location"));
    }
    if customers.is_empty() {
        return Err(Refused::invalid("only.customers", "is empty; name at least one customer"));
    }
    Ok(routing::OnlyFor { location, customers })
}

/// Where a refusal of the rules belongs: which rule it is about, and the field of its form.
pub fn field_of(refused: &str) -> Option<(usize, String)> {
    let rest = refused.strip_prefix("rules.rules[")?;
    let (n, field) = rest.split_once("].")?;
    let name = if field == "from.countries" { "from_countries" } else { field.rsplit('.').next().unwrap_or(field) };
    Some((n.parse().ok()?, format!("r.{name}")))
}

/// A cost as the form shows it.
pub fn cost_text(micro_units: i64) -> String {
    decimal(micro_units)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(names: &str) -> RuleSet {
        let rules = names.split(' ').map(|name| Rule { name: name.into(), ..Rule::default() }).collect();
        RuleSet { rules, only_for: Vec::new() }
    }

    fn names(draft: &Draft) -> String {
        let open = |n: usize| if draft.open == Some(n) { "*" } else { "" };
        draft.rules.rules.iter().enumerate().map(|(n, r)| format!("{}{}", r.name, open(n))).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn steps_of_editing() {
        let live = named("a b c");
        for (what, open, expected, changes) in [
            ("up:1", None, "b a c", 1),
            ("up:0", None, "a b c", 0),
            ("down:0", Some(0), "b a* c", 1),
            ("down:2", None, "a b c", 0),
            ("copy:1", None, "a b b* c", 1),
            ("delete:0", Some(2), "b c*", 1),
            ("delete:2", Some(2), "a b", 1),
            ("add", None, "a b c *", 1),
            ("open:2", None, "a b c*", 0),
            ("close", Some(1), "a b c", 0),
            ("delete:9", None, "a b c", 0),
            ("free:4", None, "a b c", 0),
            ("nonsense", None, "a b c", 0),
        ] {
            let mut draft = Draft { open, ..Draft::of(live.clone()) };
            draft.act(what, &Fields::default()).unwrap();
            assert_eq!((names(&draft).as_str(), draft.changes(&live)), (expected, changes), "{what}");
        }
        let mut draft = Draft::of(live.clone());
        assert_eq!(draft.act("only", &Fields::default()).unwrap_err().field(), Some("only.location"));
    }

    #[test]
    fn what_was_typed_goes_into_the_open_rule() {
        let field = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let draft = Draft { open: Some(1), ..Draft::of(named("a b")) };
        let mut fields = vec![
            field("draft", &draft.text()),
            field("open", "1"),
            field("r.name", " Near "),
            field("r.countries", "gb, ie"),
            field("r.kinds", "store"),
            field("r.max_distance_km", "40,5"),
            field("r.max_fulfillments", "1"),
            field("r.prefer", "nearest"),
            field("r.per_km", "0.02"),
            field("r.min_units", ""),
        ];
        let read = Draft::read(&Fields(fields.clone())).unwrap();
        let rule = &read.rules.rules[1];
        assert_eq!((rule.name.as_str(), rule.when.countries.join(" ").as_str(), rule.prefer), ("Near", "GB IE", Prefer::Nearest));
        assert_eq!((rule.from.kinds.as_slice(), rule.from.max_distance_km), (&[routing::Kind::Store][..], Some(40.5)));
        assert_eq!((rule.cost.per_km, rule.cost.per_fulfillment, rule.max_fulfillments), (20_000, 3_000_000, 1));
        assert_eq!(read.rules.rules[0], named("a").rules[0], "the other is as it was");
        fields[5].1 = "far".into();
        assert_eq!(Draft::read(&Fields(fields)).unwrap_err().field(), Some("r.max_distance_km"));
        assert!(parse("json", "{\"name\": \"x\", \"rules\": {\"rules\": []}}").is_ok(), "as it is exported");
        assert!(parse("json", "{\"rules\": [{\"nmae\": 1}]}").unwrap_err().to_string().contains("nmae"));
        assert_eq!(field_of("rules.rules[3].from.max_distance_km"), Some((3, "r.max_distance_km".into())));
        assert_eq!(field_of("rules.rules[0].from.countries"), Some((0, "r.from_countries".into())));
        assert_eq!(field_of("name"), None);
    }
}
