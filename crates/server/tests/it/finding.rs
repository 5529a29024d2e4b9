//! What is found while somebody types: acts in the palette, and what could stand in a field. Without a search index, so by names that
//! begin so; the index has tests of its own.

use super::support::{Site, Visitor, on_both};
use serde_json::json;

fn world(site: &Site) {
    site.locations(&[("LON", json!({ "name": "London north" })), ("LEE", json!({ "name": "Leeds" })), ("BAT", json!({ "name": "Bath & spa" }))]);
    site.item("MUG-1", json!({ "name": "Mug, <blue>" }), "LON 20, LEE 2");
    site.item("MUG-2", json!({}), "");
    let settings = json!({ "access_token": "a", "client_secret": "b", "location": "1", "poll_seconds": "5" });
    site.ok(
        "POST /channels",
        json!({ "code": "acme", "kind": "shopify", "name": "Acme Ltd", "address": "http://127.0.0.1:9", "settings": settings }),
    );
}

/// The values that a field is offered, in their order.
fn offered(visitor: &Visitor<'_>, what: &str, typed: &str) -> String {
    let reply = visitor.get(&format!("/suggest/{what}?q={typed}"));
    assert_eq!(reply.status, 200, "{what} {typed}: {}", reply.text());
    reply.text().split("data-value=\"").skip(1).filter_map(|rest| rest.split('"').next().map(str::to_owned)).collect::<Vec<_>>().join(" ")
}

#[test]
fn fields_are_offered_what_fits_and_may_be_seen() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let owner = site.visitor("owner");
        for (what, typed, expected) in [
            ("items", "MUG", "MUG-1 MUG-2"),
            ("items", "MUG-1", "MUG-1"),
            ("items", "", ""),
            ("items", "PLATE", ""),
            ("locations", "", "BAT LEE LON"),
            ("locations", "l", "LEE LON"),
            ("locations", "north", "LON"),
            ("locations", "onl", ""),
            ("channels", "ac", "acme"),
            ("channels", "ltd", "acme"),
        ] {
            assert_eq!(offered(&owner, what, typed), expected, "{what} {typed}");
        }
        let text = owner.get("/suggest/items?q=MUG-1").text();
        assert!(text.contains("Mug, &lt;blue&gt;") && text.contains("22 available"), "{text}");
        assert!(owner.get("/suggest/locations?q=bat").text().contains("Bath &amp; spa"));
        assert_eq!(owner.get("/suggest/secrets?q=a").status, 404);
        // Nobody is offered what is out of reach.
        let leeds = site.limited("operations", Some(&["LEE"]), Some(&[]));
        assert_eq!(offered(&leeds, "locations", ""), "LEE");
        assert_eq!(offered(&leeds, "channels", ""), "");
        assert!(leeds.get("/suggest/items?q=MUG-1").text().contains("2 available"));
        site.verify();
    });
}

#[test]
fn the_palette_acts_on_what_it_finds() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let warehouse = site.visitor("warehouse");
        let links = |visitor: &Visitor<'_>, words: &str| {
            let text = visitor.get(&format!("/palette?q={words}")).text();
            text.split("href=\"")
                .skip(1)
                .filter_map(|rest| rest.split('"').next().map(str::to_owned))
                .filter(|l| l.contains("?do="))
                .collect::<Vec<_>>()
        };
        assert_eq!(links(&warehouse, "rec+MUG-1"), ["/items/MUG-1?do=receive"]);
        assert_eq!(links(&warehouse, "count+MUG"), ["/items/MUG-1?do=count", "/items/MUG-2?do=count"]);
        assert_eq!(links(&warehouse, "MUG-1"), Vec::<String>::new(), "no act was named");
        assert!(warehouse.get("/items/MUG-1?do=receive").text().contains("action=\"/items/MUG-1/receive\""));
        // Only what the role allows.
        assert_eq!(links(&site.visitor("auditor"), "rec+MUG-1"), Vec::<String>::new());
        site.verify();
    });
}
