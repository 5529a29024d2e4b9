//! The pages of reservations: the list and one of them, let go or kept longer.

use super::support::{Site, on_both};
use serde_json::json;

/// A hold on a channel for so many seconds; answers its id.
fn hold(site: &Site, channel: Option<&str>, sku: &str, quantity: i64, location: &str, seconds: i64) -> String {
    let line = json!({ "sku": sku, "quantity": quantity, "location": location });
    let mut body = json!({ "lines": [line], "expires_in_seconds": seconds });
    if let Some(channel) = channel {
        body["channel"] = channel.into();
    }
    site.ok("POST /reservations", body)["id"].as_str().unwrap().to_owned()
}

fn world(site: &Site) {
    site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
    site.item("MUG", json!({}), "LON 20, LEE 20");
}

#[test]
fn the_next_to_run_out_comes_first() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let long = hold(&site, Some("web"), "MUG", 1, "LON", 7_200);
        let short = hold(&site, Some("shop"), "MUG", 2, "LEE", 120);
        let gone = hold(&site, Some("web"), "MUG", 3, "LON", 600);
        site.ok(&format!("POST /reservations/{gone}/release"), json!(null));
        let page = site.page("/reservations");
        let at = |id: &str| page.find(&format!("data-key=\"r{id}\""));
        assert!(at(&short).unwrap() < at(&long).unwrap() && at(&gone).is_none());
        let page = site.page("/reservations?sort=-remaining");
        let at = |id: &str| page.find(&format!("data-key=\"r{id}\""));
        assert!(at(&long).unwrap() < at(&short).unwrap(), "{page}");
        let page = site.page("/reservations");
        for text in ["2 × MUG at LEE", "2 min", "2 h 0 m", "Held <span class=\"count\">2</span>"] {
            assert!(page.contains(text), "{text} in {page}");
        }
        assert!(site.page("/reservations?status=released").contains(&format!("r{gone}")));
        assert!(!site.page("/reservations?channel=web").contains(&format!("r{short}")));
        assert!(site.page("/reservations?channel=web&q=1").contains("name=\"channel\" value=\"web\""), "a search keeps the channel");
        assert!(site.page("/reservations?status=expired").contains("No such reservation"));
        let file = site.visitor("owner").get("/reservations?status=all&format=csv").text();
        assert_eq!(file.lines().count(), 4);
        assert!(file.contains(",held,shop,") && file.contains(",MUG,LEE,2"), "{file}");
        site.verify();
    });
}

#[test]
fn holds_are_let_go_and_kept_longer() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = hold(&site, Some("web"), "MUG", 2, "LON", 120);
        let path = format!("/reservations/{id}");
        let support = site.visitor("support");
        let page = support.get(&path).text();
        assert!(page.contains("2 units can be promised to others at once.") && page.contains("data-key=\"e\""), "{page}");
        let seen = page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let extended = support.sent(&format!("{path}/extend"), &[("expires_in_seconds", "3600"), ("seen", &seen)]);
        assert_eq!(extended, format!("{path}?said=extended"));
        assert!(support.get(&extended).text().contains("60 min"));
        // Whoever saw it before decides on something that has changed.
        let refused = support.post(&format!("{path}/release"), &[("seen", &seen)]);
        assert_eq!(refused.status, 422);
        assert!(refused.text().contains("Somebody else changed the reservation"));
        assert_eq!(support.post(&format!("{path}/extend"), &[("expires_in_seconds", "0")]).status, 422);
        for _ in 0..2 {
            assert_eq!(support.sent(&format!("{path}/release"), &[("once", "r1")]), format!("{path}?said=released"));
        }
        assert_eq!(site.stock_at("MUG", "LON"), "available 20");
        let page = support.get(&path).text();
        assert!(page.contains("Released") && !page.contains("/release\""), "{page}");
        // Who only looks is shown no buttons and takes no forms.
        let auditor = site.visitor("auditor");
        assert!(!auditor.get(&path).text().contains("/release\""), "{}", auditor.get(&path).text());
        assert_eq!(auditor.post(&format!("{path}/release"), &[]).status, 403);
        assert_eq!(auditor.get("/reservations/999999").status, 404);
        site.verify();
    });
}

#[test]
fn several_are_let_go_at_once_each_by_itself() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let ids: Vec<String> = (1..=3).map(|n| hold(&site, Some("web"), "MUG", n, "LON", 600 * n)).collect();
        let (support, auditor) = (site.visitor("support"), site.visitor("auditor"));
        let list = support.get("/reservations?channel=web").text();
        assert!(list.contains("action=\"/reservations/release\""), "{list}");
        assert!(!auditor.get("/reservations").text().contains("/reservations/release"));
        assert_eq!(auditor.get(&format!("/reservations/release?id={}", ids[0])).status, 403);
        let ask = format!("/reservations/release?id={}&id={}&id={}&id=7&id=x&next=%2Freservations%3Fchannel%3Dweb", ids[0], ids[1], ids[1]);
        let page = support.get(&ask).text();
        for text in ["3 units can be promised to others at once.", "Release 2 reservations", "href=\"/reservations?channel=web\""] {
            assert!(page.contains(text), "{text} in {page}");
        }
        let seen = |page: &str, id: &str| page.split(&format!("name=\"seen:{id}\" value=\"")).nth(1).unwrap().split('"').next().unwrap().to_owned();
        let etags = [seen(&page, &ids[0]), seen(&page, &ids[1])];
        // One of them is kept longer by somebody else before the form is sent.
        site.ok(&format!("POST /reservations/{}/extend", ids[1]), json!({ "expires_in_seconds": 9_000 }));
        let names = [format!("seen:{}", ids[0]), format!("seen:{}", ids[1])];
        let form = [("once", "s"), ("id", ids[0].as_str()), ("id", ids[1].as_str()), (&names[0], etags[0].as_str()), (&names[1], etags[1].as_str())];
        let told = support.post("/reservations/release", &form).text();
        assert!(told.contains("1 done, 1 not.") && told.contains("Somebody else changed the reservation"), "{told}");
        assert_eq!(site.stock_at("MUG", "LON"), "available 15 reserved 5");
        let to = support.sent("/reservations/release", &[("id", &ids[1]), ("id", &ids[2]), ("next", "/reservations?channel=web")]);
        assert_eq!((to.as_str(), site.stock_at("MUG", "LON")), ("/reservations?channel=web&said=released", "available 20".into()));
        let page = support.get(&ask).text();
        assert!(page.contains("No reservations were chosen"), "{page}");
        assert!(support.sent("/reservations/release", &[("id", "7"), ("next", "//evil.example")]).starts_with("/reservations?said=nothing"));
        // All of them by number, either way round.
        let order = |sort: &str| {
            let page = site.page(&format!("/reservations?status=all&sort={sort}"));
            let mut at: Vec<(usize, usize)> = (0..3).map(|n| (page.find(&format!("data-key=\"r{}\"", ids[n])).unwrap(), n)).collect();
            at.sort_unstable();
            at.into_iter().map(|(_, n)| n.to_string()).collect::<String>()
        };
        let held = hold(&site, None, "MUG", 1, "LEE", 60);
        assert_eq!((order("made").as_str(), order("-made").as_str()), ("012", "210"));
        let page = site.page("/reservations?status=all&sort=made");
        assert!(page.find(&format!("\"r{held}\"")).unwrap() > page.find(&format!("\"r{}\"", ids[2])).unwrap(), "held ones among the others");
        site.verify();
    });
}

#[test]
fn limits_hide_other_holds() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let london = hold(&site, Some("web"), "MUG", 1, "LON", 600);
        let leeds = hold(&site, None, "MUG", 2, "LEE", 600);
        let visitor = site.limited("operations", Some(&["LON"]), None);
        let page = visitor.get("/reservations").text();
        assert!(page.contains(&format!("r{london}")) && !page.contains(&format!("r{leeds}")) && !page.contains("LEE"), "{page}");
        assert_eq!((visitor.get(&format!("/reservations/{london}")).status, visitor.get(&format!("/reservations/{leeds}")).status), (200, 404));
        let visitor = site.limited("support", None, Some(&["web"]));
        assert!(!visitor.get("/reservations").text().contains(&format!("r{leeds}")));
        // A hold of no channel is nobody's who is limited to some.
        assert_eq!(visitor.get(&format!("/reservations/{leeds}")).status, 404);
        site.verify();
    });
}

#[test]
fn reservations_are_found_by_their_number_and_by_what_they_hold() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        site.item("77", json!({}), "LON 5");
        let ids = [
            hold(&site, Some("web"), "MUG", 1, "LON", 7_200),
            hold(&site, Some("shop"), "77", 2, "LON", 120),
            hold(&site, Some("web"), "MUG", 3, "LEE", 600),
        ];
        site.ok(&format!("POST /reservations/{}/release", ids[2]), json!(null));
        let shown = |query: &str| {
            let page = site.page(&format!("/reservations?{query}"));
            (0..3).filter(|n| page.contains(&format!("data-key=\"r{}\"", ids[*n]))).map(|n| n.to_string()).collect::<String>()
        };
        for (query, expected) in [
            ("q=MUG", "02"),
            ("q=MUG&status=held", "0"),
            ("q=MUG&status=released", "2"),
            ("q=77", "1"),
            ("q=MUG&channel=shop", ""),
            ("q=NONE", ""),
            ("q=123456789", ""),
            (&format!("q={}", ids[2]), "2"),
            (&format!("q={}&status=held", ids[2]), ""),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        assert!(site.page("/reservations?q=NONE").contains("No reservation has this number"));
        let file = site.visitor("owner").get("/reservations?format=csv&q=MUG").text();
        assert_eq!(file.lines().count(), 3, "{file}");
        // Another's channel is not found by its number either.
        let limited = site.limited("support", None, Some(&["web"]));
        assert!(!limited.get(&format!("/reservations?q={}", ids[1])).text().contains(&format!("data-key=\"r{}\"", ids[1])));
        site.verify();
    });
}
