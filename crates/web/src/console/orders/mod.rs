//! Orders: the list, one order with what can be done about it, several at once, and a new one typed in by hand.

pub mod bulk;
pub mod deeds;
pub mod list;
mod map;
pub mod new;
pub mod one;
mod timeline;
mod why;

use super::viewer::Viewer;
use domain::routing::Location;
use domain::steps::Status;
use engine::Config;
use engine::orders::list::Destination;

/// Locations that somebody may see, to be named by their codes.
pub struct Places(pub Vec<Location>);

impl Places {
    pub fn of(config: &Config, grant: &domain::Grant) -> Places {
        let mut places: Vec<Location> = config.locations.iter().filter(|l| grant.at(l.id)).cloned().collect();
        places.sort_by(|a, b| a.name.cmp(&b.name));
        Places(places)
    }

    pub fn get(&self, code: &str) -> Option<&Location> {
        self.0.iter().find(|l| l.code == code)
    }

    /// The name of a location, or its code where it has none that may be seen.
    pub fn name<'a>(&'a self, code: &'a str) -> &'a str {
        self.get(code).map_or(code, |l| &l.name)
    }
}

/// An order's id from what people call it: `H1042`, `h1042` or `1042`.
pub fn id_of(text: &str) -> Option<i64> {
    let digits = text.strip_prefix(['H', 'h', '#']).unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    digits.parse().ok().filter(|_| plain)
}

/// “Cheltenham GL50 1AA, GB”.
fn destination(to: &Destination) -> String {
    let near: Vec<&str> = [to.city.as_deref(), to.postal_code.as_deref()].into_iter().flatten().collect();
    match near.join(" ") {
        near if near.is_empty() => to.country.clone(),
        near => format!("{near}, {}", to.country),
    }
}

/// Whether more can happen to an order of this status than a return.
fn is_unfinished(status: Status) -> bool {
    !matches!(status, Status::Fulfilled | Status::Canceled)
}

/// “2 days late”, for a fulfillment that was to leave on a day (since 1970 UTC) before this one.
fn late(v: &Viewer, day: i64, today: i64) -> Option<String> {
    (day < today).then(|| v.say("{} late", &[&v.count(today - day, "day", "days")]))
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::views::order_number;

    #[test]
    fn numbers_as_people_write_them() {
        for (text, id) in [("H1042", Some(1042)), ("h7", Some(7)), ("1042", Some(1042)), ("#5", Some(5)), ("H", None), ("H-1", None), ("HH1", None)] {
            assert_eq!(id_of(text), id, "{text}");
        }
        assert_eq!(order_number(1042), "H1042");
        let to = |city: Option<&str>, code: Option<&str>| Destination {
            country: "GB".into(),
            city: city.map(str::to_owned),
            postal_code: code.map(str::to_owned),
        };
        assert_eq!(destination(&to(Some("Bath"), Some("BA1"))), "Bath BA1, GB");
        assert_eq!(destination(&to(None, None)), "GB");
    }
}
