//! The pages of locations: the list with its map and file, adding one, changing it over nobody else's work, closing it.

use crate::reading::{fault, get, hidden, lacks, panel, refused, says, text_between};
use crate::support::{Site, on_both};
use serde_json::{Value, json};

/// London, which takes ten orders a day and has one to send, Leeds, Paris without coordinates, and Bath, which is closed.
fn site(url: engine::Url) -> Site {
    let site = Site::new(url);
    site.locations(&[
        ("LON", json!({ "name": "London", "latitude": 51.5, "longitude": -0.1, "daily_capacity": 10 })),
        ("LEE", json!({ "name": "Leeds", "kind": "store", "latitude": 53.8, "longitude": -1.5 })),
        ("PAR", json!({ "name": "Paris", "kind": "dark_store", "country": "FR" })),
        ("BAT", json!({ "name": "Bath", "latitude": 51.4, "longitude": -2.4 })),
    ]);
    site.ok("PATCH /locations/BAT", json!({ "active": false }));
    site.item("MUG", json!({}), "LON 10, LEE 14, PAR 3");
    let lines = json!([{ "sku": "MUG", "quantity": 1 }]);
    let to = json!({ "country": "GB", "latitude": 51.5, "longitude": -0.1 });
    site.ok("POST /orders", json!({ "channel": "web", "reference": "1", "ship_to": to, "lines": lines }));
    site
}

/// The codes of a page of the list, in its order.
fn codes(page: &str) -> String {
    let list = page.split("<tbody>").nth(1).unwrap_or_default().split("</tbody>").next().unwrap();
    list.split("href=\"/locations/").skip(1).map(|part| part.split('"').next().unwrap()).collect::<Vec<_>>().join(" ")
}

fn row(page: &str, code: &str) -> String {
    text_between(page, &format!("href=\"/locations/{code}\" data-open>"), "</tr>")
}

#[test]
fn the_list_is_filtered_sorted_drawn_and_exported() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        for (query, expected) in [
            ("", "BAT LEE LON PAR"),
            ("?q=london", "LON"),
            ("?q=fr", "PAR"),
            ("?q=nothing", ""),
            ("?kind=store", "LEE"),
            ("?kind=nonsense", "BAT LEE LON PAR"),
            ("?state=closed", "BAT"),
            ("?state=active&sort=-on_hand", "LEE LON PAR"),
            ("?sort=-name", "PAR LON LEE BAT"),
            ("?sort=-open&state=active&q=l", "LON LEE"),
            ("?sort=available", "BAT PAR LON LEE"),
            ("?after=LEE", "LON PAR"),
        ] {
            assert_eq!(codes(&get(&owner, &format!("/locations{query}"))), expected, "{query}");
        }
        let page = get(&owner, "/locations");
        assert_eq!(row(&page, "LON"), "London LON Warehouse, GB 10% 1 / 10 1 10 9 Active");
        assert_eq!(row(&page, "PAR"), "Paris PAR Dark store, FR No limit 0 0 3 3 Active");
        assert!(row(&page, "BAT").ends_with("0 0 0 0 Closed"), "{}", row(&page, "BAT"));
        says(&page, &["4 locations", "All <span class=\"count\">4</span>", "Closed <span class=\"count\">1</span>"]);
        // The map shows those whose coordinates are known, closed ones less boldly.
        says(&page, &["data-key=\"mLON\" aria-label=\"London: 1 open\"", "data-key=\"mLEE\"", "data-key=\"mBAT\"", "1 without coordinates"]);
        lacks(&page, &["data-key=\"mPAR\""]);
        // Its stock is the list of items there.
        says(&get(&owner, "/locations/LON"), &["href=\"/items?at=LON\""]);
        says(&get(&owner, "/items?at=LON"), &["option value=\"LON\" selected"]);
        says(&get(&owner, "/locations?q=fr"), &["No location here has coordinates."]);
        says(&get(&owner, "/locations?q=nothing"), &["No location fits"]);
        let file = owner.get("/locations?format=csv").text();
        says(
            &file,
            &["code,name,kind,country,", "LON,London,warehouse,GB,,51.5,-0.1,10,0,1,1,1,0,10,9,0,1,0", "PAR,Paris,dark_store,FR,,,,,0,1,0,0,0,3,3,"],
        );
        assert_eq!((file.lines().count(), owner.get("/locations?format=csv&kind=store").text().lines().count()), (5, 2));
        // A day later what was not sent is late.
        site.time.advance(86_400);
        site.receive("LON", "MUG", 1);
        says(&get(&site.visitor("owner"), "/locations/LON"), &["1 late"]);
        site.verify();
    });
}

#[test]
fn a_location_is_added_and_faults_stand_at_their_fields() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let form = |changes: &[(&'static str, &'static str)]| {
            let mut fields =
                vec![("code", "GLA"), ("name", "Glasgow"), ("kind", "third_party"), ("country", "gb"), ("latitude", "55,86"), ("longitude", "−4.25")];
            fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
            [&fields[..], changes].concat()
        };
        let together = "Must come together with the longitude, within -90..90 and -180..180.";
        for (field, typed, at, told) in [
            ("code", "", "code", "Must be 1 to"),
            ("code", "G\u{7}", "code", "Must not hold control characters"),
            ("name", "G\u{7}", "name", "Must not hold control characters"),
            ("kind", "ship", "kind", "Must be warehouse, store, third_party or dark_store."),
            ("country", "Scotland", "country", "Must be a two-letter ISO 3166-1 code such as GB."),
            ("latitude", "north", "latitude", "Must be a number such as 51.5."),
            ("longitude", "NaN", "longitude", "Must be a number such as 51.5."),
            ("latitude", "90.1", "latitude", together),
            ("longitude", "181", "latitude", together),
            ("longitude", "", "latitude", together),
            ("daily_capacity", "-1", "daily_capacity", "Must be 0 to"),
            ("daily_capacity", "ten", "daily_capacity", "Must be a whole number."),
            ("cost_per_unit", "dear", "cost_per_unit", "Must be an amount such as 0.25."),
            ("cost_per_unit", "1000001", "cost_per_unit", "Must be 0 to"),
        ] {
            let page = refused(&owner, "/locations", &form(&[(field, typed)]));
            assert!(fault(&page, at).starts_with(told), "{field} {typed}: {}", fault(&page, at));
            says(&page, &["Nothing was changed.", if field == "name" { "value=\"GLA\"" } else { "value=\"Glasgow\"" }]);
        }
        assert_eq!(site.get("/locations")["data"].as_array().unwrap().len(), 4);
        let new = form(&[("once", "a"), ("daily_capacity", "1,000"), ("cost_per_unit", "0,25"), ("postal_code", "G1 1AA")]);
        assert_eq!(owner.sent("/locations", &new), "/locations/GLA?said=created");
        assert_eq!(owner.sent("/locations", &new), "/locations/GLA?said=created", "the same form");
        let place = site.get("/locations/GLA");
        assert_eq!((&place["latitude"], &place["longitude"], &place["country"]), (&json!(55.86), &json!(-4.25), &json!("GB")));
        assert_eq!((&place["daily_capacity"], &place["cost_per_unit"]), (&json!(1_000), &json!(250_000)));
        says(&get(&owner, "/locations/GLA"), &["Glasgow", "Third-party warehouse", "G1 1AA", "55.8600, −4.2500", "$0.25"]);
        says(&refused(&owner, "/locations", &form(&[])), &["There is already a location “GLA”."]);
        says(&refused(&owner, "/locations", &form(&[("code", "gla")])), &["There is already a location “GLA”."]);
        site.verify();
    });
}

#[test]
fn a_location_is_changed_unless_somebody_else_did() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let seen = hidden(&get(&owner, "/locations/LON"), "seen");
        let form = |field: &'static str, typed: &'static str| {
            let fields = [("name", "London East"), ("latitude", "51.5"), ("longitude", "-0.1"), ("daily_capacity", "12"), ("cost_per_unit", "0.10")];
            fields.into_iter().map(|(n, v)| if n == field { (n, typed) } else { (n, v) }).collect::<Vec<_>>()
        };
        for (field, typed, told) in [
            ("latitude", "north", "Must be a number"),
            ("latitude", "-91", "Must come together with the longitude"),
            ("daily_capacity", "1.5", "Must be a whole number."),
            ("cost_per_unit", "-1", "Must be"),
        ] {
            let page = refused(&owner, "/locations/LON", &[&form(field, typed)[..], &[("seen", &seen)]].concat());
            assert!(fault(&page, field).starts_with(told), "{field} {typed}: {}", fault(&page, field));
            says(&page, &["value=\"London East\""]);
        }
        // Somebody else lowers its capacity meanwhile.
        site.ok("PATCH /locations/LON", json!({ "daily_capacity": 5 }));
        let page = refused(&owner, "/locations/LON", &[&form("", "")[..], &[("seen", &seen)]].concat());
        says(&page, &["Somebody else changed the location “LON”", "value=\"London East\""]);
        let closes = [("active", "no"), ("seen", seen.as_str())];
        says(&refused(&owner, "/locations/LON/active", &closes), &["Somebody else changed the location “LON”"]);
        let place = site.get("/locations/LON");
        assert_eq!((&place["name"], &place["daily_capacity"], &place["active"]), (&json!("London"), &json!(5), &json!(true)));
        // Whoever has seen it as it is now decides; fields that are emptied are taken away.
        let seen = hidden(&get(&owner, "/locations/LON"), "seen");
        let fields = [("name", "London East"), ("latitude", ""), ("longitude", ""), ("daily_capacity", ""), ("seen", seen.as_str())];
        assert_eq!(owner.sent("/locations/LON", &fields), "/locations/LON?said=saved");
        let place = site.get("/locations/LON");
        assert_eq!((&place["name"], &place["daily_capacity"], &place["latitude"]), (&json!("London East"), &Value::Null, &Value::Null));
        lacks(&get(&owner, "/locations"), &["data-key=\"mLON\""]);
        // It moves into the store next door, in another country.
        let page = get(&owner, "/locations/LON");
        says(&page, &["<option value=\"warehouse\" selected", "name=\"country\" type=\"text\" value=\"GB\""]);
        let seen = hidden(&page, "seen");
        let moved = |country: &'static str| [("name", "London East"), ("kind", "store"), ("country", country), ("seen", seen.as_str())];
        assert!(fault(&refused(&owner, "/locations/LON", &moved("XX")), "country").contains("ISO 3166-1"));
        assert_eq!(owner.sent("/locations/LON", &moved("ie")), "/locations/LON?said=saved");
        let place = site.get("/locations/LON");
        assert_eq!((&place["kind"], &place["country"]), (&json!("store"), &json!("IE")));
        assert_eq!((owner.get("/locations/NONE").status, owner.post("/locations/NONE", &form("", "")).status), (404, 404));
        site.verify();
    });
}

#[test]
fn a_location_is_closed_and_opened_again() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let act = |active: &str| {
            let seen = hidden(&get(&owner, "/locations/LEE"), "seen");
            owner.sent("/locations/LEE/active", &[("active", active), ("seen", &seen)])
        };
        says(&panel(&get(&owner, "/locations/LON"), "edit"), &["1 open fulfillment stay", "9 available units will not be promised"]);
        says(&panel(&get(&owner, "/locations/LEE"), "edit"), &["Nothing waits to be shipped here.", "14 available units"]);
        assert_eq!(act("no"), "/locations/LEE?said=saved");
        says(&get(&owner, "/locations/LEE"), &["Closed", "Open it again"]);
        assert_eq!(site.order("2", "MUG 13").told(), "409 insufficient_stock", "there are 12 elsewhere");
        assert_eq!(act("yes"), "/locations/LEE?said=saved");
        lacks(&get(&owner, "/locations/LEE"), &["Open it again"]);
        assert_eq!(site.order("2", "MUG 13").told(), "201");
        site.verify();
    });
}

#[test]
fn limits_and_roles_hide_what_is_not_theirs() {
    on_both(|url| {
        let site = site(url);
        let limited = site.limited("operations", Some(&["LON"]), None);
        let page = get(&limited, "/locations");
        assert_eq!(codes(&page), "LON");
        lacks(&page, &["Leeds", "Paris", "Add a location", "without coordinates"]);
        lacks(&limited.get("/locations?format=csv").text(), &["LEE", "PAR"]);
        for path in ["/locations/LEE", "/locations/LEE/active"] {
            assert_eq!(limited.post(path, &[("name", "Ours"), ("active", "no")]).status, 404, "{path}");
        }
        assert_eq!((limited.get("/locations/LEE").status, limited.get("/locations/LON").status), (404, 200));
        let new = [("code", "NEW"), ("name", "New"), ("kind", "store"), ("country", "GB")];
        says(&refused(&limited, "/locations", &new), &["Your access does not reach"]);
        assert_eq!(limited.sent("/locations/LON", &[("name", "Ours")]), "/locations/LON?said=saved");

        let support = site.visitor("support");
        lacks(&get(&support, "/locations"), &["Add a location"]);
        lacks(&get(&support, "/locations/LON"), &["id=\"edit\""]);
        for path in ["/locations", "/locations/LON", "/locations/LON/active"] {
            assert_eq!(support.post(path, &new).status, 403, "{path}");
        }
        assert_eq!((support.get("/locations/new").status, site.get("/locations")["data"].as_array().unwrap().len()), (403, 4));
        site.verify();
    });
}
