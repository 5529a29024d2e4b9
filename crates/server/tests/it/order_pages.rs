//! The pages of orders: the list, one order with every deed, several at once, and a new one.

use super::reading::{hidden, lacks, panel, says};
use super::support::{Site, fulfillments, on_both};
use serde_json::{Value, json};

/// London and Leeds, a hundred and some kilometers apart, and Bath without stock of its own.
fn world(site: &Site) {
    site.locations(&[
        ("LON", json!({ "name": "London", "latitude": 51.5, "longitude": -0.1 })),
        ("LEE", json!({ "name": "Leeds", "latitude": 53.8, "longitude": -1.5 })),
        ("BAT", json!({ "name": "Bath", "latitude": 51.4, "longitude": -2.4 })),
    ]);
    site.item("MUG", json!({ "name": "Blue mug", "price": { "amount": "9.50", "currency": "GBP" } }), "LON 10, LEE 10");
    site.item("CUP", json!({ "name": "White cup" }), "LON 4");
}

/// An order on a channel to a place near London; answers its id.
fn placed(site: &Site, channel: &str, reference: &str, lines: &[(&str, i64)]) -> String {
    let lines: Vec<Value> =
        lines.iter().map(|(sku, n)| json!({ "sku": sku, "quantity": n, "unit_price": { "amount": "9.50", "currency": "GBP" } })).collect();
    let to = json!({ "country": "GB", "postal_code": "BR1 1AA", "city": "Bromley", "name": "Ada Byron", "latitude": 51.4, "longitude": 0.0 });
    let order = site.ok("POST /orders", json!({ "channel": channel, "reference": reference, "ship_to": to, "customer": "ada", "lines": lines }));
    order["id"].as_str().unwrap().to_owned()
}

fn fulfillment(site: &Site, order: &str) -> String {
    site.get(&format!("/orders/{order}"))["fulfillments"][0]["id"].as_str().unwrap().to_owned()
}

#[test]
fn an_order_tells_what_it_is_and_why() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 3)]);
        let page = site.page(&format!("/orders/{id}"));
        says(
            &page,
            &[&format!("Order H{id}"), "W-1", "Ada Byron", "Bromley", "Blue mug", "£28.50", "Why London", "Leeds", "Has every line", "Placed on web"],
        );
        // Candidates that have nothing, and the map.
        says(&page, &["None of the items available", "London to BR1 1AA", "class=\"route\""]);
        // Its deeds, each with its key.
        says(&page, &[&format!("href=\"/orders/{id}/ship\" data-key=\"s\""), "data-key=\"r\"", "data-key=\"c\"", "data-key=\"n\""]);
        assert_eq!(site.visitor("owner").get("/orders/999999").status, 404);
        assert_eq!(site.visitor("owner").get("/orders/x").status, 404);
        // A day later it is late.
        site.time.advance(86_400);
        says(&site.page(&format!("/orders/{id}")), &["1 day late"]);
        says(&site.page("/orders?status=late"), &[&format!("H{id}"), "1 day late"]);
        site.verify();
    });
}

#[test]
fn kits_are_told_with_their_components() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        site.item("SET", json!({ "name": "Tea set", "components": [{ "sku": "MUG", "quantity": 2 }, { "sku": "CUP", "quantity": 1 }] }), "");
        let id = placed(&site, "web", "K-1", &[("SET", 2)]);
        let page = site.page(&format!("/orders/{id}"));
        says(&page, &["Tea set", ", kit", "Blue mug", "White cup", "4 × MUG", "2 × CUP"]);
        site.verify();
    });
}

#[test]
fn shipping_whole_and_in_parts() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 3), ("CUP", 1)]);
        let f = fulfillment(&site, &id);
        let path = format!("/orders/{id}/ship");
        let owner = site.visitor("owner");
        let page = owner.get(&path).text();
        says(&page, &["Ship from London", "name=\"lines[0].quantity\"", "Tracking number"]);
        let seen = hidden(&page, "seen");
        let line = |n: usize, sku: &str, most: &str, quantity: &str| {
            [
                (format!("lines[{n}].sku"), sku.to_owned()),
                (format!("lines[{n}].most"), most.to_owned()),
                (format!("lines[{n}].quantity"), quantity.to_owned()),
            ]
        };
        let send = |once: &str, seen: &str, lines: Vec<[(String, String); 3]>| {
            let lines: Vec<(String, String)> = lines.into_iter().flatten().collect();
            let mut fields = vec![("once", once), ("seen", seen), ("fulfillment", f.as_str()), ("carrier", "DPD"), ("tracking_number", "T 1")];
            fields.extend(lines.iter().map(|(n, v)| (n.as_str(), v.as_str())));
            owner.post(&path, &fields)
        };
        // Too many: the row says so, and what was typed stays. The row of nothing does not count.
        let refused = send("a", &seen, vec![line(0, "MUG", "3", "0"), line(1, "CUP", "1", "7")]);
        assert_eq!(refused.status, 422);
        says(
            &refused.text(),
            &["7 of CUP asked, only 1 left to do.", "value=\"7\"", "id=\"d-lines[1].quantity\"", "value=\"T 1\"", "Nothing was changed."],
        );
        let refused = send("b", &seen, vec![line(0, "MUG", "3", "x")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["id=\"d-lines[0].quantity\"", "must be a whole number".trim_start_matches("m")]);
        let refused = send("n", &seen, vec![line(0, "MUG", "3", "0"), line(1, "CUP", "1", "")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["Ship of MUG: Is needed: type how many units.", "id=\"d-lines[0].quantity\""]);
        // A part, once however often it is sent.
        for _ in 0..2 {
            let reply = send("c", &seen, vec![line(0, "MUG", "3", "2"), line(1, "CUP", "1", "")]);
            assert_eq!((reply.status, reply.headers["location"].to_str().unwrap()), (303, format!("/orders/{id}?said=shipped").as_str()));
        }
        let order = site.get(&format!("/orders/{id}"));
        assert_eq!((order["status"].as_str(), order["lines"][0]["shipped"].as_i64()), (Some("partially_fulfilled"), Some(2)));
        // Somebody else shipped meanwhile.
        let refused = send("d", &seen, vec![line(0, "MUG", "3", "1")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["Somebody else changed the fulfillment"]);
        let seen = hidden(&owner.get(&path).text(), "seen");
        assert_eq!(send("e", &seen, vec![line(0, "MUG", "1", "1"), line(1, "CUP", "1", "1")]).status, 303);
        let page = site.page(&format!("/orders/{id}"));
        says(&page, &["All has shipped", "DPD", "T 1", "2 units"]);
        lacks(&page, &[&path]);
        says(&owner.get(&path).text(), &["Nothing of this order is ready to be shipped."]);
        site.verify();
    });
}

#[test]
fn canceling_says_what_it_does_and_does_it() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 3), ("CUP", 2)]);
        let path = format!("/orders/{id}/cancel");
        let owner = site.visitor("owner");
        let page = owner.get(&path).text();
        says(&page, &["5 units can be promised again at London at once.", "No money moves"]);
        let refused = owner.post(&path, &[("lines[0].sku", "MUG"), ("lines[0].most", "3"), ("lines[0].quantity", "1")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["Is empty; say why it is canceled."]);
        let part = [
            ("reason", "too many"),
            ("lines[0].sku", "MUG"),
            ("lines[0].most", "3"),
            ("lines[0].quantity", "1"),
            ("lines[1].sku", "CUP"),
            ("lines[1].most", "2"),
        ];
        owner.sent(&path, &part);
        assert_eq!(fulfillments(&site.get(&format!("/orders/{id}"))), "LON: MUG 3, CUP 2");
        assert_eq!(site.stock_at("MUG", "LON"), "available 8 committed 2");
        let whole = [
            ("reason", "changed mind"),
            ("lines[0].sku", "MUG"),
            ("lines[0].most", "2"),
            ("lines[0].quantity", "2"),
            ("lines[1].sku", "CUP"),
            ("lines[1].most", "2"),
            ("lines[1].quantity", "2"),
        ];
        assert_eq!(owner.sent(&path, &whole), format!("/orders/{id}?said=canceled"));
        let page = site.page(&format!("/orders/{id}?said=canceled"));
        says(&panel(&page, "timeline"), &["Canceled too many 4 units stay", "Canceled changed mind"]);
        says(&page, &["Canceled; the units can be promised again.", "Nothing is to be sent"]);
        lacks(&page, &[&path]);
        site.verify();
    });
}

#[test]
fn canceling_says_what_each_marketplace_can_be_told() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let ebay = json!({ "client_id": "a", "client_secret": "b", "refresh_token": "c" });
        let amazon = json!({ "client_id": "a", "client_secret": "b", "refresh_token": "c", "seller_id": "A1", "marketplace_id": "A1F83G8C2ARO7P" });
        for (kind, settings, told) in [
            ("shopify", json!({ "access_token": "a", "client_secret": "b", "location": "1" }), "Hers is told, and pays the buyer back"),
            ("ebay", ebay, "Hers is told to pay back for a part. A whole order it cannot be told to cancel"),
            ("amazon", amazon, "Hers cannot be told: cancel it and pay back there"),
        ] {
            // Nobody listens there, and nothing is sent.
            let address = "http://127.0.0.1:9";
            site.ok("POST /channels", json!({ "code": kind, "kind": kind, "name": "Hers", "address": address, "settings": settings }));
            let id = placed(&site, kind, "1", &[("MUG", 1)]);
            says(&site.page(&format!("/orders/{id}/cancel")), &[told]);
        }
        site.verify();
    });
}

#[test]
fn rerouting_shows_who_else_could() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 3)]);
        let f = fulfillment(&site, &id);
        let path = format!("/orders/{id}/reroute");
        let owner = site.visitor("owner");
        let page = owner.get(&path).text();
        says(&page, &["Send from elsewhere than London", "Let the rules choose", "Send all from Leeds", "1 of 1"]);
        // Looking changed nothing.
        assert_eq!(fulfillments(&site.get(&format!("/orders/{id}"))), "LON: MUG 3");
        let refused = owner.post(&path, &[("fulfillment", &f), ("to", "BAT")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["Not enough stock"]);
        owner.sent(&path, &[("fulfillment", &f), ("to", "LEE"), ("seen", &hidden(&page, "seen"))]);
        assert_eq!(site.stock_at("MUG", "LEE"), "available 7 committed 3");
        says(&site.page(&format!("/orders/{id}")), &["Why Leeds", "Sent from elsewhere", "Rerouted: LON was to send it."]);
        site.verify();
    });
}

#[test]
fn what_comes_back_is_booked_where_it_came() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 3)]);
        let path = format!("/orders/{id}/return");
        let owner = site.visitor("owner");
        says(&owner.get(&path).text(), &["Nothing of this order can come back"]);
        site.ok(&format!("POST /fulfillments/{}/ship", fulfillment(&site, &id)), json!({}));
        says(&owner.get(&path).text(), &["Came back to", "London", "To be checked", "pay back where it was paid"]);
        let form = |quantity: &'static str| {
            [
                ("location", "LEE"),
                ("state", "quality_control"),
                ("reason", "chipped"),
                ("lines[0].sku", "MUG"),
                ("lines[0].most", "3"),
                ("lines[0].quantity", quantity),
            ]
        };
        let refused = owner.post(&path, &form("4"));
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["4 of MUG asked, only 3 left to do.", "value=\"chipped\"", "value=\"4\""]);
        assert_eq!(owner.post(&path, &form("")).status, 422);
        owner.sent(&path, &form("1"));
        assert_eq!(site.stock_at("MUG", "LEE"), "available 10 quality_control 1");
        owner
            .sent(&path, &[("location", "LON"), ("state", "available"), ("lines[0].sku", "MUG"), ("lines[0].most", "2"), ("lines[0].quantity", "2")]);
        assert_eq!(site.stock_at("MUG", "LON"), "available 9");
        says(&site.page(&format!("/orders/{id}")), &["3 returned", "Came back"]);
        site.verify();
    });
}

#[test]
fn notes_stand_in_the_timeline_and_nowhere_else() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 1)]);
        let path = format!("/orders/{id}/note");
        let support = site.visitor("support");
        let note = "Rang twice.\nAsks for <b>gift</b> wrap.";
        for _ in 0..2 {
            assert_eq!(support.sent(&path, &[("note", note), ("once", "n1")]), format!("/orders/{id}?said=noted"));
        }
        let page = support.get(&format!("/orders/{id}?said=noted")).text();
        says(&page, &["Rang twice.", "Asks for &lt;b&gt;gift&lt;/b&gt; wrap.", "support-"]);
        assert_eq!(page.matches("Rang twice.").count(), 1);
        for (text, why) in [("  ", "Must be 1 to 4000 bytes long"), ("\u{7}", "Must not hold control characters")] {
            let refused = support.post(&path, &[("note", text)]);
            assert_eq!(refused.status, 422, "{text:?}");
            says(&refused.text(), &[why]);
        }
        assert_eq!(support.post(&path, &[("note", &"x".repeat(4_001))]).status, 422);
        // An auditor sees it and writes none.
        let auditor = site.visitor("auditor");
        says(&auditor.get(&format!("/orders/{id}")).text(), &["Rang twice."]);
        lacks(&auditor.get(&format!("/orders/{id}")).text(), &["Add note"]);
        assert_eq!(auditor.post(&path, &[("note", "x")]).status, 403);
        // The API reads and writes them too. Neither events nor the audit log hold the text.
        let api = format!("/orders/{id}/notes");
        assert_eq!(site.get(&api)["data"][0]["note"], note);
        site.ok(&format!("POST {api}"), json!({ "note": "By a program" }));
        assert_eq!(site.get(&api)["data"].as_array().unwrap().len(), 2);
        let events = site.get(&format!("/orders/{id}/events"))["data"].to_string();
        assert_eq!(events.matches("order.noted").count(), 2);
        lacks(&events, &["Rang", "By a program"]);
        let audit = site.block_on(site.engine.read(|tx| engine::access::audit::list(tx, &Default::default(), None, 100))).unwrap();
        let noted: Vec<_> = audit.iter().filter(|r| r.action == "order.note").collect();
        assert_eq!((noted.len(), noted[0].subject.as_str()), (2, id.as_str()));
        lacks(&format!("{noted:?}"), &["Rang", "By a program"]);
        site.verify();
    });
}

#[test]
fn several_at_once_each_by_itself() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let a = placed(&site, "web", "W-1", &[("MUG", 2)]);
        let b = placed(&site, "web", "W-2", &[("MUG", 1)]);
        let shipped = placed(&site, "web", "W-3", &[("CUP", 1)]);
        site.ok(&format!("POST /fulfillments/{}/ship", fulfillment(&site, &shipped)), json!({}));
        let split = placed(&site, "web", "W-4", &[("MUG", 15)]);
        let owner = site.visitor("owner");
        let query = format!("?id={a}&id={b}&id={shipped}&id={split}&id=12&id=x");
        let page = owner.get(&format!("/orders/ship{query}")).text();
        says(
            &page,
            &["2 can be done, 2 cannot", "Nothing of it is ready to be shipped.", "Several locations send it", "2 units from LON", "Ship 2 orders"],
        );
        let (seen_a, seen_b) = (hidden(&page, &format!("seen:{a}")), hidden(&page, &format!("seen:{b}")));
        let (fa, fb) = (hidden(&page, &format!("fulfillment.{a}")), hidden(&page, &format!("fulfillment.{b}")));
        // One of them is changed by somebody else before the form is sent.
        site.ok(&format!("POST /orders/{b}/cancel"), json!({}));
        let names = [format!("seen:{a}"), format!("seen:{b}"), format!("fulfillment.{a}"), format!("fulfillment.{b}"), format!("tracking.{a}")];
        let fields = [
            ("once", "s1"),
            ("id", &a),
            ("id", &b),
            ("carrier", "DPD"),
            (&names[0], &seen_a),
            (&names[1], &seen_b),
            (&names[2], &fa),
            (&names[3], &fb),
            (&names[4], "T-9"),
        ];
        let result = owner.post("/orders/ship", &fields);
        assert_eq!(result.status, 200);
        says(
            &result.text(),
            &["1 order shipped", "1 refused, with the reason beside each.", "Somebody else changed the fulfillment", "2 units from LON"],
        );
        says(&owner.post("/orders/ship", &fields).text(), &["1 order shipped", "Done by the first sending of this form"]);
        assert_eq!(site.get(&format!("/orders/{a}"))["fulfillments"][0]["shipments"][0]["tracking_number"], "T-9");
        let page = owner.get(&format!("/orders/cancel?id={split}&id={a}")).text();
        says(&page, &["1 can be done, 1 cannot", "15 units", "does not allow: cancel"]);
        let refused = owner.post("/orders/cancel", &[("id", &split), ("reason", " ")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["Is empty; say why they are canceled.", "15 units"]);
        assert_eq!(site.get(&format!("/orders/{split}"))["status"], "open");
        says(&owner.post("/orders/cancel", &[("id", &split), ("reason", "fraud")]).text(), &["1 order canceled", "Nothing was refused."]);
        assert_eq!(site.get(&format!("/orders/{split}"))["status"], "canceled");
        says(&owner.get("/orders/cancel").text(), &["No orders were chosen"]);
        // Back to the list as it was filtered, and nowhere else.
        let page = owner.get(&format!("/orders/cancel?id={a}&next=%2Forders%3Fstatus%3Dopen%26channel%3Dweb")).text();
        says(&page, &["href=\"/orders?status=open&amp;channel=web\"", "name=\"next\" value=\"/orders?status=open&amp;channel=web\""]);
        let result = owner.post("/orders/ship", &[("id", &a), ("next", "/orders?status=open")]).text();
        says(&result, &["href=\"/orders?status=open\""]);
        lacks(&owner.get("/orders/cancel?next=https%3A%2F%2Fevil.example%2F").text(), &["evil.example"]);
        site.verify();
    });
}

#[test]
fn a_new_order_is_looked_ahead_at_and_placed_once() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let support = site.visitor("support");
        says(&support.get("/orders/new").text(), &["Place order", "value=\"GB\"", "data-preview=\"/orders/new/preview\""]);
        let look = |query: &str| support.get(&format!("/orders/new/preview?ship_to.country=GB&{query}")).text();
        says(&look("lines[0].sku=MUG&lines[0].quantity=12"), &["LEE 10, LON 10", "units from LON", "units from LEE"]);
        says(&look("lines[0].sku=CUP&lines[0].quantity=9"), &["Not enough stock", "9 of CUP asked, 4 available"]);
        says(&look("lines[0].sku=CUP&lines[0].quantity=9&backorder=on"), &["5 units wait for stock"]);
        says(&look("lines[0].sku=NONE&lines[0].quantity=1"), &["There is no such item"]);
        says(&look("lines[0].sku=MUG&lines[0].quantity=1&lines[0].unit_price=x"), &["Unit price of line 1: Must be a decimal"]);
        says(&look(""), &["Type lines to see"]);
        // Looking ahead holds nothing.
        assert_eq!(site.stock("CUP"), "available 4");
        let form = |reference: &'static str, quantity: &'static str| {
            vec![
                ("once", reference),
                ("channel", "phone"),
                ("reference", reference),
                ("ship_to.country", "gb"),
                ("ship_to.name", "Ada"),
                ("currency", "GBP"),
                ("lines[0].sku", ""),
                ("lines[1].sku", "CUP"),
                ("lines[1].quantity", quantity),
                ("lines[1].unit_price", "2.50"),
                ("paste", "MUG\t2"),
            ]
        };
        // A refusal stands in its line, and what was typed or pasted stays.
        let refused = support.post("/orders/new", &form("P-1", "9"));
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["9 asked, 4 available", "value=\"CUP\"", "value=\"9\"", "value=\"MUG\"", "value=\"P-1\"", "nothing was changed"]);
        let bad = [form("P-2", "1"), vec![("lines[1].unit_price", "2.505")]].concat();
        let bad: Vec<_> = bad.iter().rev().copied().collect();
        let refused = support.post("/orders/new", &bad);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["id=\"d-lines[0].unit_price\""]);
        // More lines, without losing any.
        let more = support.post("/orders/new", &[form("P-3", "1"), vec![("rows", "more")]].concat());
        assert_eq!(more.status, 200);
        says(&more.text(), &["value=\"CUP\"", "lines[11].sku"]);
        let first = support.sent("/orders/new", &form("P-4", "1"));
        assert!(first.ends_with("?said=placed"), "{first}");
        assert_eq!(support.sent("/orders/new", &form("P-4", "1")), first, "the same form");
        let again = [vec![("once", "other")], form("P-4", "1")].concat();
        assert_eq!(support.sent("/orders/new", &again), first.replace("placed", "known"), "the same reference");
        let order = site.get(&format!("/orders/{}", first.trim_start_matches("/orders/").split('?').next().unwrap()));
        assert_eq!((fulfillments(&order), order["total"]["amount"].as_str()), ("LON: CUP 1, MUG 2".to_owned(), Some("21.50")));
        site.verify();
    });
}

#[test]
fn a_price_that_is_left_out_is_the_items_own() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        site.item("JUG", json!({ "price": { "amount": "8.50", "currency": "EUR" } }), "LON 9");
        let support = site.visitor("support");
        let total = |reference: &str, currency: &str, price: &str| {
            let lines = [("lines[0].sku", "JUG"), ("lines[0].quantity", "2"), ("lines[0].unit_price", price), ("currency", currency)];
            let rest = [("once", reference), ("channel", "phone"), ("reference", reference), ("ship_to.country", "GB")];
            let placed = support.sent("/orders/new", &[&lines[..], &rest[..]].concat());
            let id = placed.trim_start_matches("/orders/").split('?').next().unwrap().to_owned();
            site.get(&format!("/orders/{id}"))["total"].clone()
        };
        assert_eq!(total("Q-1", "EUR", ""), json!({ "amount": "17.00", "currency": "EUR" }));
        assert_eq!(total("Q-2", "EUR", "1.25"), json!({ "amount": "2.50", "currency": "EUR" }));
        assert_eq!(total("Q-3", "GBP", ""), json!(null), "in another currency");
        let look = support.get("/orders/new/preview?ship_to.country=GB&currency=EUR&lines[0].sku=JUG&lines[0].quantity=3").text();
        says(&look, &["25.50"]);
        // A name of its own each time, so that two calls are two orders.
        let offered = |page: String| page.split("name=\"reference\"").nth(1).unwrap().split("value=\"").nth(1).unwrap()[..10].to_owned();
        let (one, other) = (offered(support.get("/orders/new").text()), offered(support.get("/orders/new").text()));
        assert!(one.starts_with("S-") && one != other, "{one} {other}");
        site.verify();
    });
}

#[test]
fn the_list_is_viewed_filtered_searched_and_exported() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        site.item("RUG", json!({ "when_short": "backorder" }), "");
        let a = placed(&site, "web", "W-1", &[("MUG", 2)]);
        site.time.advance(86_400);
        let b = placed(&site, "=shop", "S-1", &[("CUP", 1)]);
        let c = placed(&site, "web", "W-2", &[("RUG", 1)]);
        site.ok(&format!("POST /orders/{b}/cancel"), json!({}));
        let shown = |query: &str| {
            let page = site.page(&format!("/orders{query}"));
            let mut found: Vec<(usize, &str)> =
                [&a, &b, &c].iter().filter_map(|id| Some((page.find(&format!("data-key=\"H{id}\""))?, id.as_str()))).collect();
            found.sort_unstable();
            found.into_iter().map(|(_, id)| id.to_owned()).collect::<Vec<String>>()
        };
        let all = |ids: &[&String]| ids.iter().map(|id| (*id).clone()).collect::<Vec<String>>();
        for (query, expected) in [
            ("", all(&[&c, &b, &a])),
            ("?sort=placed", all(&[&a, &b, &c])),
            ("?status=open", all(&[&a])),
            ("?status=backordered", all(&[&c])),
            ("?status=canceled", all(&[&b])),
            ("?status=late", all(&[&a])),
            ("?status=nonsense", all(&[&c, &b, &a])),
            ("?channel=web", all(&[&c, &a])),
            ("?location=LON&status=open", all(&[&a])),
            ("?location=NOWHERE", vec![]),
            ("?from=2026-03-03", all(&[&c, &b])),
            ("?to=2026-03-02", all(&[&a])),
            ("?q=W-2", all(&[&c])),
            ("?q=%20W-1%20", all(&[&a])),
            (&format!("?q=h{b}"), all(&[&b])),
            (&format!("?q={b}&status=open"), vec![]),
            ("?q=W", vec![]),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        // A SKU leads to the orders with the item, which only the index knows.
        says(&site.page("/orders?channel=web&q=MUG"), &["MUG is an item.", "href=\"/orders?channel=web&amp;item=MUG\""]);
        assert_eq!(site.visitor("owner").get("/orders?item=MUG").told(), "503 search_not_ready");
        says(&site.page("/orders?item=NOTHING"), &["No such order", "Remove the filter Item"]);
        let page = site.page("/orders?channel=web&q=nothing");
        says(&page, &["No such order", "href=\"/orders?q=nothing\" aria-label=\"Remove the filter Channel\"", "name=\"channel\" value=\"web\""]);
        says(&site.page("/orders"), &["<span class=\"count\">3</span>", "2 of 2 units".split(' ').next().unwrap(), "aria-label=\"Select all\""]);
        // The file has every row, and no cell that a spreadsheet would run.
        let file = site.visitor("owner").get("/orders?format=csv");
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8; header=present");
        let text = file.text();
        assert_eq!(text.lines().count(), 4);
        says(&text, &["id,number,placed_at,channel", ",'=shop,S-1,canceled,", ",web,W-1,open,ada,GB,BR1 1AA,Bromley,LON,2,0,0,19.00,GBP"]);
        site.verify();
    });
}

#[test]
fn long_lists_go_on_where_they_ended() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        site.receive("LON", "MUG", 100);
        for n in 0..55 {
            site.order(&format!("W-{n}"), "MUG 1");
            site.time.advance(1);
        }
        let first = site.page("/orders?status=open");
        assert_eq!(first.matches("data-row").count(), 50);
        let next = first.split("rel=\"next\"").next().unwrap().rsplit("href=\"").next().unwrap().split('"').next().unwrap().replace("&amp;", "&");
        assert!(next.starts_with("/orders?status=open&after="), "{next}");
        let second = site.page(&next);
        assert_eq!(second.matches("data-row").count(), 5);
        says(&second, &["First page", "W-0"]);
        lacks(&second, &["W-54", "rel=\"next\""]);
        assert!(first.len() < 80_000, "{} bytes", first.len());
        assert_eq!(site.visitor("owner").get("/orders?format=csv").text().lines().count(), 56);
        // A cursor that no page gave out begins at the beginning.
        says(&site.page("/orders?after=nonsense"), &["W-54"]);
    });
}

#[test]
fn roles_see_and_do_what_is_theirs() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let id = placed(&site, "web", "W-1", &[("MUG", 1)]);
        for (role, deeds) in [
            ("owner", [true, true, true, true]),
            ("warehouse", [true, false, false, false]),
            ("support", [false, true, true, true]),
            ("finance", [false; 4]),
            ("auditor", [false; 4]),
        ] {
            let visitor = site.visitor(role);
            let page = visitor.get(&format!("/orders/{id}"));
            assert_eq!(page.status, 200, "{role}");
            for (deed, may) in ["ship", "cancel", "reroute"].into_iter().zip(deeds) {
                let path = format!("/orders/{id}/{deed}");
                assert_eq!(page.text().contains(&format!("href=\"{path}\"")), may, "{role} {deed}");
                let status = if may { 200 } else { 403 };
                assert_eq!(visitor.get(&path).status, status, "{role} {path}");
                if !may {
                    assert_eq!(visitor.post(&path, &[]).status, 403, "{role} {path}");
                }
            }
            assert_eq!(visitor.get("/orders/new").status, if deeds[3] { 200 } else { 403 }, "{role}");
            let list = visitor.get("/orders").text();
            assert_eq!(
                (list.contains("formaction=\"/orders/ship\""), list.contains("formaction=\"/orders/cancel\"")),
                (deeds[0], deeds[1]),
                "{role}"
            );
        }
        // A form of another session is not taken.
        let (support, owner) = (site.visitor("support"), site.visitor("owner"));
        let stolen = format!("csrf={}&note=x", owner.token);
        let headers = [("cookie", support.cookie.as_str()), ("content-type", "application/x-www-form-urlencoded"), ("sec-fetch-site", "same-origin")];
        assert_eq!(site.ask("POST", &format!("/orders/{id}/note"), stolen.into_bytes(), &headers).status, 403);
    });
}

#[test]
fn limits_hide_other_places_and_channels() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let london = placed(&site, "web", "W-1", &[("CUP", 1)]);
        site.ok("POST /stock/adjust", json!({ "location": "LON", "lines": [{ "sku": "MUG", "delta": -10 }], "reason": "moved" }));
        let leeds = placed(&site, "shop", "S-1", &[("MUG", 1)]);
        site.receive("LON", "MUG", 1);
        let split = placed(&site, "web", "W-2", &[("MUG", 10)]);
        let at_london = site.limited("operations", Some(&["LON"]), None);
        let list = at_london.get("/orders").text();
        says(&list, &[&format!("H{london}"), &format!("H{split}")]);
        lacks(&list, &[&format!("H{leeds}"), "Leeds", "LEE"]);
        assert_eq!(at_london.get(&format!("/orders/{leeds}")).status, 404);
        let page = at_london.get(&format!("/orders/{split}")).text();
        says(&page, &["1 fulfillment of other locations are not shown.", "London"]);
        lacks(&page, &["Leeds", "LEE", "Bath"]);
        lacks(&at_london.get("/orders?format=csv").text(), &["LEE", "S-1"]);
        // What reaches beyond is refused, in words.
        let refused = at_london.post(&format!("/orders/{split}/cancel"), &[("reason", "x")]);
        assert_eq!(refused.status, 422);
        says(&refused.text(), &["Your access does not reach the location"]);
        assert_eq!(at_london.post(&format!("/orders/{leeds}/note"), &[("note", "x")]).status, 404);
        let on_web = site.limited("support", None, Some(&["web"]));
        let list = on_web.get("/orders").text();
        says(&list, &[&format!("H{london}"), "<span class=\"count\">2</span>"]);
        lacks(&list, &[&format!("H{leeds}"), ">shop<", "=shop"]);
        assert_eq!(on_web.get(&format!("/orders/{leeds}")).status, 404);
        lacks(&on_web.get(&format!("/orders/cancel?id={leeds}&id={london}")).text(), &["S-1"]);
        says(&on_web.get("/orders?channel=shop").text(), &["No such order"]);
        site.verify();
    });
}
