//! Today's page: the figures of a small world that is known by heart, for those who see all of it and for those who see a part; and
//! that it hears of every change.

use crate::alerts::{channel, raise};
use crate::reading::{get, lacks, panel, row, says, text_between};
use crate::support::{Site, Visitor, on_both};
use axum::body::{Body, HttpBody};
use axum::http::Request;
use engine::exceptions::Kind;
use serde_json::json;
use std::pin::Pin;
use std::time::Duration;
use tower::ServiceExt;

/// An order for somebody near a place; answers its id.
fn order(site: &Site, channel: &str, reference: &str, near: (f64, f64), sku: &str, quantity: i64) -> String {
    let to = json!({ "country": "GB", "latitude": near.0, "longitude": near.1 });
    let lines = json!([{ "sku": sku, "quantity": quantity }]);
    let body = json!({ "channel": channel, "reference": reference, "ship_to": to, "lines": lines });
    site.ok("POST /orders", body)["id"].as_str().unwrap().to_owned()
}

const LONDON: (f64, f64) = (51.5, -0.1);
const LEEDS: (f64, f64) = (53.8, -1.5);

/// 30 mugs, of which 3 and 2 are promised to orders of London and Leeds, 5 are held in Leeds and one was sent; four rugs are waited for.
fn world(url: engine::Url) -> Site {
    let site = Site::new(url);
    site.locations(&[
        ("LON", json!({ "name": "London", "latitude": LONDON.0, "longitude": LONDON.1, "daily_capacity": 4 })),
        ("LEE", json!({ "name": "Leeds", "latitude": LEEDS.0, "longitude": LEEDS.1 })),
    ]);
    site.item("MUG", json!({}), "LON 20, LEE 10");
    site.item("RUG", json!({ "when_short": "backorder" }), "");
    order(&site, "web", "W-1", LONDON, "MUG", 3);
    order(&site, "web", "W-2", LEEDS, "MUG", 2);
    let sent = order(&site, "shop", "S-1", LONDON, "MUG", 1);
    let fulfillment = site.get(&format!("/orders/{sent}"))["fulfillments"][0]["id"].as_str().unwrap().to_owned();
    site.ok(&format!("POST /fulfillments/{fulfillment}/ship"), json!({}));
    order(&site, "web", "W-3", LEEDS, "RUG", 4);
    let line = json!({ "sku": "MUG", "quantity": 5, "location": "LEE" });
    site.ok("POST /reservations", json!({ "lines": [line], "expires_in_seconds": 600 }));
    site
}

/// The page once its sums, which are kept for a moment, say this.
fn summed(site: &Site, words: &str) -> String {
    let owner = site.visitor("owner");
    site.soon(words, || Some(get(&owner, "/")).filter(|page| page.contains(words)))
}

fn figures(page: &str) -> String {
    text_between(page, "<dl class=\"kpis\">", "</dl>")
}

#[test]
fn the_figures_are_those_of_a_known_day() {
    on_both(|url| {
        let site = world(url);
        let page = get(&site.visitor("owner"), "/");
        let known = [
            "Orders today 4 4 in the last hour",
            "Units available 19 of 29 on hand",
            "Units promised 10 1 hold",
            "To ship today 2 of 3 None is late",
            "Units waiting 4 for 1 item",
            "Units shipped today 1 10 ordered today",
        ];
        assert_eq!(figures(&page), known.join(" "));
        says(&page, &["29 on hand: 19 available, 10 promised, 0 set aside", "3 due by today"]);
        let place = |code: &str| text_between(&page, &format!("href=\"/locations/{code}\" data-open>"), "</tr>");
        assert_eq!((place("LON").as_str(), place("LEE").as_str()), ("London 2 50% 0 50% 2 / 4", "Leeds 1 0% 0 No limit 1"));
        assert_eq!(row(&page, "rRUG"), "RUG Item RUG None 4");
        let orders = panel(&page, "orders");
        says(&orders, &["web W-3 Backordered 4 –", "shop S-1 Shipped 1 LON", "web W-2 Open 2 LEE"]);
        says(&panel(&page, "exceptions"), &["Nothing needs a person."]);
        says(&panel(&page, "feed"), &["events in all"]);

        // Damaged units are set aside, rugs arrive for who waits, mugs are on their way.
        let place = |state: &str| json!({ "location": "LON", "state": state });
        let lines = json!([{ "sku": "MUG", "quantity": 2 }]);
        site.ok("POST /stock/move", json!({ "from": place("available"), "to": place("damaged"), "lines": lines, "reason": "damaged" }));
        site.receive("LEE", "RUG", 6);
        site.ok("POST /transfers", json!({ "from": "LON", "to": "LEE", "lines": [{ "sku": "MUG", "quantity": 7 }] }));
        let page = summed(&site, "28 on hand: 12 available, 14 promised");
        says(
            &figures(&page),
            &["Units available 12 of 28 on hand", "Units promised 14 1 hold", "To ship today 3 of 4", "Units waiting 0 Nobody waits for stock"],
        );
        says(&page, &["28 on hand: 12 available, 14 promised, 2 set aside", "On the way <b>7</b>"]);

        // The day after, what was not sent is late, and nothing was ordered yet.
        site.time.advance(86_400);
        let page = get(&site.visitor("owner"), "/");
        says(&figures(&page), &["Orders today 0 0 in the last hour", "To ship today 3 of 3 3 late", "Units shipped today 0 0 ordered today"]);
        site.verify();
    });
}

#[test]
fn everybody_sees_their_own_part() {
    on_both(|url| {
        let site = world(url);
        channel(&site);
        raise(&site, Kind::Unfillable, "order:shop:9", "Order 9 cannot be filled");
        let leeds = get(&site.limited("operations", Some(&["LEE"]), None), "/");
        // What is about all locations is not offered to who sees some.
        lacks(&leeds, &["href=\"/rules\"", "href=\"/imports\"", "href=\"/webhooks\""]);
        let known = [
            "Orders today 1 1 in the last hour",
            "Units available 3 of 10 on hand",
            "Units promised 7 5 held, 2 committed",
            "To ship today 1 of 1 None is late",
        ];
        assert_eq!(figures(&leeds), known.join(" "));
        lacks(&leeds, &["London", "LON", "W-1", "W-3", "S-1", "data-key=\"rRUG\""]);
        says(&leeds, &["W-2", "This list adds up all locations"]);
        let nowhere = get(&site.limited("operations", Some(&[]), None), "/");
        says(&figures(&nowhere), &["Orders today 0", "Units available 0 of 0 on hand", "To ship today 0 of 0"]);
        lacks(&nowhere, &["London", "Leeds", "W-1", "W-2"]);

        let shop = get(&site.limited("operations", None, Some(&["shop"])), "/");
        says(&figures(&shop), &["Orders today 1 1 in the last hour", "Units shipped today 1 1 ordered today"]);
        says(&shop, &["S-1", "Order 9 cannot be filled", "1 open, 1 critical"]);
        lacks(&shop, &["W-1", "W-2", "W-3"]);
        let web = get(&site.limited("operations", None, Some(&["web"])), "/");
        says(&figures(&web), &["Orders today 3 3 in the last hour", "Units shipped today 0 9 ordered today"]);
        lacks(&web, &["S-1", "Order 9", "Our shop"]);

        // A role sees the panels of what it may see, and shares no words with one that sees more.
        for (role, shown, hidden) in [
            ("warehouse", &["h-locations", "h-orders", "h-exceptions", "h-risk"][..], &["h-channels", "h-feed"][..]),
            ("support", &["h-channels", "h-orders"], &["h-feed"]),
            ("auditor", &["h-channels", "h-orders", "h-feed", "h-exceptions"], &[]),
        ] {
            let page = get(&site.visitor(role), "/");
            says(&page, &shown.iter().map(|id| format!("id=\"{id}\"")).collect::<Vec<_>>().iter().map(String::as_str).collect::<Vec<_>>());
            for id in hidden {
                lacks(&page, &[&format!("id=\"{id}\"")]);
            }
        }
        site.verify();
    });
}

#[test]
fn an_empty_house_is_told_its_first_steps() {
    on_both(|url| {
        let site = Site::new(url);
        says(&get(&site.visitor("owner"), "/"), &["No items yet", "Load a small sample…", "Add a location"]);
        lacks(&get(&site.visitor("auditor"), "/"), &["Load a small sample", "Add a location", "Import items"]);
        site.locations(&[("LON", json!({}))]);
        says(&get(&site.visitor("owner"), "/"), &["There are 1 already."]);
        site.visitor("owner").sent("/imports/sample", &[("next", "/")]);
        says(&get(&site.visitor("owner"), "/"), &["Units available", "On hand"]);
        site.verify();
    });
}

/// An open stream of a page.
struct Stream<'s> {
    site: &'s Site,
    body: Body,
}

impl<'s> Stream<'s> {
    /// What a page listens to, from the state that it shows on.
    fn of(site: &'s Site, who: &Visitor<'_>, topics: &str, after: &str) -> Stream<'s> {
        let path = format!("/live?topics={}&after={after}", topics.replace(' ', "+"));
        let request = Request::builder().uri(path).header("cookie", &who.cookie).body(Body::empty()).unwrap();
        let router = site.app.router();
        let reply = site.block_on(async { router.oneshot(request).await.unwrap() });
        assert_eq!(reply.headers()["content-type"], "text/event-stream");
        Stream { site, body: reply.into_body() }
    }

    /// The number of the next event that it tells of within a time, ticks and comments left out. None if it is silent or has ended.
    fn told(&mut self, within: Duration) -> Option<i64> {
        let body = &mut self.body;
        let next = async {
            loop {
                let frame = std::future::poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await?.unwrap();
                let text = String::from_utf8(frame.into_data().ok()?.to_vec()).unwrap();
                let seq = text.split("{\"seq\":").nth(1).and_then(|rest| rest.split(',').next()?.parse().ok());
                if text.contains("event: changed") && seq.is_some() {
                    return seq;
                }
            }
        };
        self.site.block_on(async { tokio::time::timeout(within, next).await.ok().flatten() })
    }
}

/// The value of an attribute of the page's main part.
fn attribute<'p>(page: &'p str, name: &str) -> &'p str {
    page.split_once(&format!(" {name}=\"")).unwrap().1.split('"').next().unwrap()
}

#[test]
fn a_change_is_told_and_the_page_shows_it() {
    const SOON: Duration = Duration::from_secs(10);
    const A_WHILE: Duration = Duration::from_millis(700);
    on_both(|url| {
        let site = world(url);
        let owner = site.visitor("owner");
        let page = get(&owner, "/");
        let (topics, seq) = (attribute(&page, "data-topics"), attribute(&page, "data-seq"));
        assert_eq!(topics, "orders stock channels exceptions locations tick");
        let mut stream = Stream::of(&site, &owner, topics, seq);
        let mut orders = Stream::of(&site, &owner, "orders", seq);
        assert_eq!(orders.told(A_WHILE), None, "nothing has happened since");
        order(&site, "web", "W-4", LONDON, "MUG", 2);
        let told = stream.told(SOON).expect("the order is told");
        assert!(told > seq.parse().unwrap() && orders.told(SOON).is_some());
        says(&figures(&get(&owner, "/")), &["Orders today 5 5 in the last hour"]);
        says(&figures(&summed(&site, "29 on hand: 17 available, 12 promised")), &["Units available 17 of 29 on hand"]);
        assert!(attribute(&get(&owner, "/"), "data-seq").parse::<i64>().unwrap() >= told);
        // Whoever was away hears of it at once; whoever listens to something else does not.
        assert!(Stream::of(&site, &owner, "orders", seq).told(SOON).is_some());
        while orders.told(A_WHILE).is_some() {}
        site.receive("LEE", "RUG", 1);
        site.ok("PATCH /locations/LEE", json!({ "name": "Leeds Dock" }));
        while stream.told(A_WHILE).is_some() {}
        says(&get(&owner, "/"), &["Leeds Dock", "Units waiting"]);
        site.ok("PATCH /locations/LEE", json!({ "name": "Leeds East" }));
        assert!(stream.told(SOON).is_some(), "locations are on the page");
        while orders.told(A_WHILE).is_some() {}
        site.ok("PATCH /locations/LEE", json!({ "name": "Leeds" }));
        assert_eq!(orders.told(A_WHILE), None, "no order was touched");
        // What a role does not see it does not hear of, however it asks.
        let page = get(&owner, "/");
        let mut imports = Stream::of(&site, &site.visitor("support"), "imports rules people", attribute(&page, "data-seq"));
        owner.sent("/imports/sample", &[]);
        assert_eq!(imports.told(A_WHILE), None);
        // Whoever was signed out hears nothing more.
        owner.sent("/sign-out", &[]);
        order(&site, "web", "W-5", LONDON, "MUG", 1);
        assert_eq!(orders.told(SOON), None, "the stream has ended");
        drop((stream, orders, imports));
        site.verify();
    });
}
