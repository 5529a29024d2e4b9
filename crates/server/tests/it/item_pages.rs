//! The pages of items: the list, one item, what people do to stock there and how it is taken back.

use crate::reading::{get, hidden, panel, refused, row, text_between, undo};
use crate::support::{Site, Visitor, on_both};
use serde_json::{Value, json};

fn site(url: engine::Url) -> Site {
    let site = Site::new(url);
    site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
    site
}

#[test]
fn stock_is_an_equation_and_is_changed_in_place() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10, LEE 4");
        assert_eq!(site.order("1", "A 3").status, 201);
        let owner = site.visitor("owner");
        let page = get(&owner, "/items/A");
        assert_eq!(row(&page, "LON"), "LON LON 10 0 3 0 0 0 7 –");
        assert_eq!(row(&page, "LEE"), "LEE LEE 4 0 0 0 0 0 4 –");
        assert!(panel(&page, "levels").ends_with("All 14 0 3 0 0 0 11 –"), "{}", panel(&page, "levels"));
        assert!(panel(&page, "holders").contains("committed"), "{}", panel(&page, "holders"));

        for (deed, fields, words, stock) in [
            (
                "receive",
                &[("location", "LON"), ("units", "1,000"), ("reference", "DN-7")][..],
                "A : 1,000 units received at LON.",
                "available 1011 committed 3",
            ),
            (
                "adjust",
                &[("location", "LON"), ("units", "−3"), ("state", "available"), ("reason", "damaged")],
                "A : Adjusted by −3 at LON.",
                "available 8 committed 3",
            ),
            (
                "move",
                &[("location", "LON"), ("units", "2"), ("from_state", "available"), ("to_state", "damaged"), ("reason", "damaged")],
                "A : 2 units moved from available to damaged at LON.",
                "available 9 committed 3 damaged 2",
            ),
            ("count", &[("location", "LEE"), ("units", "6"), ("reason", "cycle count")], "A : Counted at LEE: +2.", "available 13 committed 3"),
        ] {
            let to = owner.sent(&format!("/items/A/{deed}"), fields);
            let place = fields[0].1;
            assert!(to.starts_with(&format!("/items/A?do={deed}&location={place}&done=")), "{to}");
            assert_eq!(site.stock("A"), stock, "{deed}");
            let page = get(&owner, &to);
            assert_eq!(text_between(&page, "class=\"banner banner-ok flash\"", "</div>"), words);
            let id = to.rsplit_once('=').unwrap().1;
            assert_eq!(owner.sent("/stock/undo", &[("id", id), ("next", &to)]), format!("/items/A?do={deed}&location={place}&said=undone"));
            assert_eq!(site.stock("A"), "available 11 committed 3", "{deed}");
            // Nobody takes back what is taken back.
            assert!(refused(&owner, "/stock/undo", &[("id", id)]).contains("undone already"));
            assert!(!get(&owner, &to).contains("data-undo"));
        }
        let to = owner.sent("/items/A/transfer", &[("location", "LON"), ("to", "LEE"), ("units", "5")]);
        assert_eq!(site.stock("A"), "available 6 committed 3 incoming 5");
        let page = get(&owner, &to);
        assert_eq!(text_between(&page, "class=\"banner banner-ok flash\"", "</div>"), "A : 5 units sent from LON to LEE.");
        assert!(page.contains("action=\"/transfers/") && page.contains("data-undo"));
        // What arrived since is not called off by a key.
        let id = to.rsplit_once('=').unwrap().1;
        let seen = page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        site.ok(&format!("POST /transfers/{id}/receive"), json!({ "lines": [{ "sku": "A", "received": 1 }] }));
        assert!(refused(&owner, &format!("/transfers/{id}/cancel"), &[("seen", &seen)]).contains("Somebody else changed the transfer"));
        assert!(!get(&owner, &to).contains("data-undo"));
        site.ok(&format!("POST /transfers/{id}/receive"), json!({ "lines": [{ "sku": "A", "received": 4 }] }));
        assert!(owner.sent("/items/A/count", &[("location", "LEE"), ("units", "9"), ("reason", "recount")]).ends_with("said=nothing"));
        site.verify();
    });
}

#[test]
fn a_form_that_is_refused_is_shown_again_with_what_was_typed() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10");
        assert_eq!(site.order("1", "A 3").status, 201);
        let owner = site.visitor("owner");
        for (deed, fields, told) in [
            (
                "adjust",
                &[("location", "LON"), ("units", "-50"), ("reason", "damaged"), ("reference", "Wet carton")][..],
                "50 of A asked, 7 available",
            ),
            ("adjust", &[("location", "LON"), ("units", "some"), ("reason", "damaged"), ("reference", "Wet carton")], "Must be a whole number."),
            ("adjust", &[("location", "LON"), ("units", ""), ("reason", "damaged"), ("reference", "Wet carton")], "Is empty; a number belongs here."),
            (
                "adjust",
                &[("location", "LON"), ("units", "0"), ("reason", "damaged"), ("reference", "Wet carton")],
                "Change: Must be from −1,000,000,000 to 1,000,000,000, and not 0.",
            ),
            (
                "count",
                &[("location", "LON"), ("units", "-2"), ("reason", "recount"), ("reference", "Wet carton")],
                "Counted, all states: Must be from 0 to 1,000,000,000.",
            ),
            ("count", &[("location", "LON"), ("units", "2"), ("reason", "recount"), ("reference", "Wet carton")], "3 are promised or set aside here"),
            (
                "move",
                &[
                    ("location", "LON"),
                    ("units", "1"),
                    ("from_state", "damaged"),
                    ("to_state", "damaged"),
                    ("reason", "other"),
                    ("reference", "Wet carton"),
                ],
                "Must be another location or state than",
            ),
            ("transfer", &[("location", "LON"), ("to", "LON"), ("units", "1"), ("reference", "Wet carton")], "Must be another location than"),
        ] {
            let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("do", deed)]).collect();
            let page = refused(&owner, &format!("/items/A/{deed}"), &fields);
            // Some refusals say so themselves, and it is not said twice in a row.
            assert!(page.to_lowercase().contains("nothing was changed"), "{deed} {fields:?}: {page}");
            assert!(!page.contains("Nothing was changed.</b> Not enough stock, and nothing"), "{deed} {fields:?}: {page}");
            assert!(page.contains("class=\"error\""), "{deed} {fields:?}");
            assert!(page.contains(told), "{told}: {}", panel(&page, "change"));
            assert!(page.contains("value=\"Wet carton\""), "{deed}");
            assert!(page.contains(&format!("name=\"do\" value=\"{deed}\"")), "{deed}");
        }
        assert_eq!(site.stock("A"), "available 7 committed 3");
        assert_eq!(owner.get("/items/B").status, 404);
    });
}

#[test]
fn what_was_promised_since_is_not_offered_to_be_taken_back() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({ "when_short": "backorder" }), "LON 10");
        assert_eq!(site.order("1", "A 12").status, 201);
        let owner = site.visitor("owner");
        let fields = [("location", "LON"), ("units", "3")];
        let to = owner.sent("/items/A/receive", &fields);
        let page = get(&owner, &to);
        assert!(page.contains("It cannot be taken back: units of it were promised, shipped or moved since."), "{page}");
        assert!(!page.contains("data-undo"));
        // Two of them went to the order that waited.
        assert_eq!(site.stock("A"), "available 1 committed 12");
        let page = refused(&owner, "/stock/undo", &[("id", to.rsplit_once('=').unwrap().1)]);
        assert!(page.contains("Units of it were promised, shipped or moved since: below stands who holds them."), "{page}");
        let page = get(&owner, &owner.sent("/items/A/receive", &fields));
        assert!(page.contains("data-undo") && !page.contains("cannot be taken back"));
        site.verify();
    });
}

#[test]
fn what_will_come_of_it_is_said_before_it_is_done() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({ "when_short": "backorder" }), "LON 10");
        assert_eq!(site.order("1", "A 12").status, 201);
        let owner = site.visitor("owner");
        let events = site.get("/events?limit=250")["data"].as_array().unwrap().len();
        let ahead = |query: &str| text_between(&get(&owner, &format!("/items/A/ahead?{query}")), "<div", "</button>");
        for (query, words) in [
            ("do=receive&location=LON&units=5", "Available, now 0 After 3 2 of them go to orders that waited. No promise is broken. Receive 5"),
            ("do=receive&location=LEE&units=1", "Available, now 0 After 0 1 of them go to orders that waited. No promise is broken. Receive 1"),
            (
                "do=adjust&location=LON&units=-1&reason=lost&state=available",
                "Available, now 0 After – Not enough stock, and nothing was changed: 1 of A asked, 0 available. Adjust by −1",
            ),
            ("do=count&location=LON&units=10", "On hand, now 10 After 10 The books say the same: nothing is booked. No promise is broken. Count 10"),
            (
                "do=count&location=LON&units=4",
                "On hand, now 10 After – 4 of A were counted, but 10 are promised or set aside here; cancel or move some first. Count 4",
            ),
            ("do=adjust&location=LON&units=x", "Available, now 0 After – Must be a whole number. Adjust"),
            ("do=adjust&location=LON&units=", "Available, now 0 After – Adjust"),
            ("do=adjust&location=PAR&units=1&reason=found", "Available, now 0 After – There is no location “PAR”. Adjust by +1"),
        ] {
            assert_eq!(ahead(query), words, "{query}");
        }
        site.receive("LON", "A", 20);
        assert_eq!(
            ahead("do=move&location=LON&units=3&from_state=available&to_state=quality_control&reason=inspection"),
            "Available, now 18 After 15 Quality control goes from 0 to 3. No promise is broken. Move 3"
        );
        assert_eq!(
            ahead("do=transfer&location=LON&to=LEE&units=3"),
            "Available, now 18 After 15 Incoming at LEE goes from 0 to 3. No promise is broken. Send 3"
        );
        assert_eq!(site.stock("A"), "available 18 committed 12");
        assert_eq!(site.get("/events?limit=250")["data"].as_array().unwrap().len(), events + 2, "only the receipt and what it filled are told");
        site.verify();
    });
}

#[test]
fn who_may_not_is_not_shown_the_way_and_is_refused() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10, LEE 4");
        let support = site.visitor("support");
        let page = get(&support, "/items/A");
        assert!(!page.contains("Change stock") && !page.contains("do=edit"), "{page}");
        for path in ["/items/A/adjust", "/items/A/receive", "/items/A/transfer", "/items/A/facts", "/items", "/stock/undo"] {
            assert_eq!(support.post(path, &[("location", "LON"), ("units", "1")]).status, 403, "{path}");
        }
        assert_eq!(support.post("/items/bulk", &[("do", "adjust"), ("sku", "A")]).status, 403);

        let keeper = site.limited("warehouse", Some(&["LON"]), None);
        let page = get(&keeper, "/items/A");
        assert!(!page.contains("LEE") && panel(&page, "levels").ends_with("All 10 0 0 0 0 0 10 –"), "{}", panel(&page, "levels"));
        assert!(text_between(&page, "data-key=\"figures\"", "</dl>").starts_with("Available now 10 of 10 on hand at 1 location"), "{page}");
        assert!(row(&get(&keeper, "/items"), "A").contains(" 10 0 10 "), "{}", row(&get(&keeper, "/items"), "A"));
        assert!(row(&get(&keeper, "/items?at=LEE"), "A").contains(" 0 0 0 "));
        assert!(get(&keeper, "/items/A/ahead?do=adjust&location=LEE&units=1&reason=found").contains("does not reach"));
        assert!(refused(&keeper, "/items/A/adjust", &[("location", "LEE"), ("units", "1"), ("reason", "found")]).contains("does not reach"));
        let owner = site.visitor("owner");
        let to = owner.sent("/items/A/receive", &[("location", "LEE"), ("units", "1")]);
        assert!(!get(&keeper, &to).contains("received at"), "what happened elsewhere is not told");
        let id = to.rsplit_once('=').unwrap().1;
        assert!(refused(&keeper, "/stock/undo", &[("id", id)]).contains("does not reach"));
        assert!(!get(&keeper, "/items/A?format=csv").contains("LEE"));
        assert_eq!(site.stock("A"), "available 15");
    });
}

#[test]
fn a_form_sent_twice_is_done_once() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10");
        let owner = site.visitor("owner");
        let fields = [("once", "0123456789abcdef"), ("location", "LON"), ("units", "-1"), ("reason", "lost")];
        assert_eq!(owner.sent("/items/A/adjust", &fields), owner.sent("/items/A/adjust", &fields));
        assert_eq!(site.stock("A"), "available 9");
        // Somebody else's form is another one, whatever it is called.
        site.visitor("operations").sent("/items/A/adjust", &fields);
        assert_eq!(site.stock("A"), "available 8");
    });
}

#[test]
fn facts_are_edited_unless_somebody_else_did() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({ "barcode": "50123", "price": { "amount": "2.95", "currency": "GBP" }, "weight_grams": 180 }), "");
        let owner = site.visitor("owner");
        let page = get(&owner, "/items/A?do=edit");
        let seen = page.split_once("name=\"seen\" value=\"").unwrap().1.split('"').next().unwrap();
        let fields = |more: &[(&'static str, &'static str)]| -> Vec<(&'static str, String)> {
            let mut fields =
                vec![("name", "White heart"), ("price", "1.234,50"), ("currency", "eur"), ("when_short", "backorder"), ("active", "yes")];
            fields.extend_from_slice(more);
            fields.into_iter().map(|(n, v)| (n, v.to_owned())).collect()
        };
        let send = |fields: &[(&'static str, String)], seen: &str| {
            let all: Vec<(&str, &str)> = fields.iter().map(|(n, v)| (*n, v.as_str())).chain([("seen", seen)]).collect();
            owner.post("/items/A/facts", &all)
        };
        for (more, told) in [
            (&[("weight_grams", "-1")][..], "Must be 0 to"),
            (&[("available_from", "tomorrow")], "Must be a date and a time."),
            (&[("barcode", "a\u{1}b")], "must not hold control characters"),
        ] {
            let mut fields = fields(more);
            fields[0].1 = "Typed name".into();
            let reply = send(&fields, seen);
            assert_eq!(reply.status, 422, "{more:?}");
            assert!(
                reply.text().to_lowercase().contains(&told.to_lowercase()) && reply.text().contains("value=\"Typed name\""),
                "{told}: {}",
                reply.text()
            );
        }
        assert_eq!(send(&fields(&[("available_from", "2026-05-01T09:30")]), seen).status, 303);
        let item = site.get("/items/A");
        assert_eq!(item["price"], json!({ "amount": "1234.50", "currency": "EUR" }));
        assert_eq!((&item["barcode"], &item["weight_grams"], &item["when_short"]), (&Value::Null, &Value::Null, &json!("backorder")));
        assert_eq!(item["available_from"], "2026-05-01T09:30:00Z");
        // The same page, left open: what it saw is no longer so.
        let reply = send(&fields(&[]), seen);
        assert_eq!(reply.status, 422);
        assert!(reply.text().contains("Somebody else changed the item “A”"), "{}", reply.text());
        assert_eq!(site.get("/items/A")["available_from"], "2026-05-01T09:30:00Z");
    });
}

#[test]
fn null_empties_a_field_and_leaving_it_out_does_not() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({ "barcode": "50123", "weight_grams": 180 }), "");
        site.ok("PATCH /items/A", json!({ "name": "B" }));
        assert_eq!(site.get("/items/A")["barcode"], "50123");
        site.ok("PATCH /items/A", json!({ "barcode": null }));
        let item = site.get("/items/A");
        assert_eq!((&item["barcode"], &item["weight_grams"]), (&Value::Null, &json!(180)));
    });
}

#[test]
fn new_items_and_kits() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        assert!(get(&owner, "/items").contains("No items yet"));
        assert_eq!(
            owner.sent("/items", &[("sku", "MUG 1"), ("name", "Mug"), ("price", "9,99"), ("currency", "GBP")]),
            "/items/MUG%201?said=created&do=receive"
        );
        assert!(get(&owner, "/items/MUG%201?said=created&do=receive").contains("data-topics=\"stock items orders\""));
        owner.sent("/items", &[("sku", "TEA"), ("name", "Tea")]);
        owner.sent("/items", &[("sku", "SET"), ("name", "Set"), ("components", "MUG 1 2\nTEA × 1")]);
        site.receive("LON", "MUG 1", 5);
        site.receive("LON", "TEA", 9);
        let page = get(&owner, "/items/SET");
        assert!(panel(&page, "levels").ends_with("All 2"), "{}", panel(&page, "levels"));
        assert!(!page.contains("Change stock") && page.contains("/items/MUG%201"));
        for (fields, told) in [
            (&[("sku", "TEA"), ("name", "x")][..], "There is already a item “TEA”."),
            (&[("sku", ""), ("name", "x")], "Must be 1 to 128 bytes long"),
            (&[("sku", "K"), ("name", "x"), ("components", "NOPE 2")], "There is no item “NOPE”."),
            (&[("sku", "K"), ("name", "x"), ("components", "SET 1")], "Is a kit; a kit is made of plain items."),
            (&[("sku", "K"), ("name", "x"), ("components", "TEA many")], "line 1 does not"),
        ] {
            let page = refused(&owner, "/items", fields);
            assert!(
                page.contains(told) && page.contains("value=\"x\"") && page.contains("class=\"error\""),
                "{told}: {}",
                text_between(&page, "<main", "</main>")
            );
        }
        assert_eq!(site.get("/items?limit=250")["data"].as_array().unwrap().len(), 3);
    });
}

/// Names in the order of the list, over all of its pages.
fn walk(visitor: &Visitor<'_>, first: &str) -> Vec<String> {
    let (mut at, mut skus) = (first.to_owned(), Vec::new());
    for _ in 0..10 {
        let page = get(visitor, &at);
        skus.extend(page.split("data-row=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()));
        let Some((before, _)) = page.split_once("\" rel=\"next\"") else { return skus };
        at = before.rsplit_once("href=\"").unwrap().1.replace("&amp;", "&");
    }
    panic!("the list does not end")
}

#[test]
fn the_list_is_sorted_filtered_paged_and_exported() {
    on_both(|url| {
        let site = site(url);
        let lines: Vec<Value> = (0..120).map(|n| json!({ "sku": format!("S{n:03}"), "quantity": (n * 7) % 120 + 1 })).collect();
        for n in 0..120 {
            site.ok("POST /items", json!({ "sku": format!("S{n:03}"), "name": format!("Name {:03}", 119 - n) }));
        }
        site.ok("POST /stock/receive", json!({ "location": "LON", "lines": lines }));
        site.ok("POST /items", json!({ "sku": "Z", "name": "=1+1", "barcode": "4006381333931" }));
        let owner = site.visitor("owner");
        let skus = walk(&owner, "/items");
        assert_eq!(skus.len(), 121);
        assert!(skus.is_sorted(), "{skus:?}");
        let by_name = walk(&owner, "/items?sort=name");
        assert_eq!((by_name.len(), by_name[1].as_str(), by_name[120].as_str()), (121, "S119", "S000"), "{by_name:?}");
        let most = walk(&owner, "/items?sort=-available");
        assert_eq!((most.len(), most[0].as_str()), (121, "S017"), "{most:?}");
        assert_eq!(walk(&owner, "/items?view=empty"), ["Z"]);
        assert_eq!(walk(&owner, "/items?view=sale&sort=available").len(), 120);
        assert_eq!(walk(&owner, "/items?q=S01").len(), 10);
        assert_eq!(walk(&owner, "/items?q=4006381333931"), ["Z"]);
        assert!(get(&owner, "/items?q=nothing").contains("Nothing like “nothing” is in this view."));
        assert_eq!(owner.get("/items?after=rubbish").status, 422);
        let page = get(&owner, "/items?view=sale");
        assert!(page.len() < 80_000, "{} bytes", page.len());
        assert!(text_between(&page, "aria-label=\"Views\"", "</nav>").starts_with("All items 121 None free 0 Low cover 0 On sale 120"), "{page}");

        let file = owner.get("/items?format=csv&sort=-available");
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"items.csv\"");
        let file = file.text();
        let rows: Vec<&str> = file.lines().collect();
        assert_eq!(rows.len(), 122);
        assert!(rows[0].starts_with("sku,name,barcode,kit,state,on_hand,available,"));
        assert_eq!(rows[1].split(',').take(7).collect::<Vec<_>>(), ["S017", "Name 102", "", "", "on_sale", "120", "120"]);
        assert!(rows[121].starts_with("Z,'=1+1,4006381333931,,no_stock,0,0,"), "{}", rows[121]);
    });
}

#[test]
fn many_at_once_are_looked_at_and_then_done_together() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10");
        site.item("B", json!({}), "LON 3");
        site.item("C", json!({}), "LON 8");
        let owner = site.visitor("owner");
        let all = [("sku", "A"), ("sku", "B"), ("sku", "C"), ("do", "adjust"), ("location", "LON")];
        let page = owner.post("/items/bulk", &all).text();
        assert!(page.contains("See what will come of it") && !page.contains("value=\"go\""), "{page}");
        let look: Vec<(&str, &str)> =
            all.into_iter().chain([("step", "look"), ("units", "-6"), ("units:C", "-2"), ("reason", "lost"), ("once", "1")]).collect();
        let page = owner.post("/items/bulk", &look).text();
        assert!(row(&page, "A").ends_with("10 4 Can be done"), "{}", row(&page, "A"));
        assert!(row(&page, "B").contains("3 – Not enough stock") && row(&page, "B").contains("6 of B asked, 3 available"), "{}", row(&page, "B"));
        assert!(row(&page, "C").ends_with("8 6 Can be done"), "{}", row(&page, "C"));
        assert!(page.contains("2 rows can be done."));
        assert_eq!((site.stock("A"), site.stock("C")), ("available 10".into(), "available 8".into()));
        // All or nothing, with what was typed.
        let go: Vec<(&str, &str)> = look.iter().copied().filter(|(n, _)| *n != "step").chain([("step", "go")]).collect();
        let page = refused(&owner, "/items/bulk", &go);
        assert!(page.contains("6 of B asked, 3 available") && page.contains("value=\"-6\"") && page.contains("value=\"-2\""), "{page}");
        assert_eq!(site.stock("A"), "available 10");
        let two: Vec<(&str, &str)> =
            go.iter().copied().filter(|f| *f != ("sku", "B") && f.0 != "once").chain([("once", "2"), ("view", "sale")]).collect();
        let to = owner.sent("/items/bulk", &two);
        assert_eq!(owner.sent("/items/bulk", &two), to);
        assert!(to.starts_with("/items?view=sale&done="), "{to}");
        assert_eq!((site.stock("A"), site.stock("B"), site.stock("C")), ("available 4".into(), "available 3".into(), "available 6".into()));
        assert_eq!(text_between(&get(&owner, &to), "class=\"banner banner-ok flash\"", "</div>"), "2 items : Adjusted by −8 at LON.");
        assert_eq!(owner.sent("/stock/undo", &[("id", to.rsplit_once('=').unwrap().1), ("next", &to)]), "/items?view=sale&said=undone");
        assert_eq!((site.stock("A"), site.stock("C")), ("available 10".into(), "available 8".into()));

        let to = owner.sent(
            "/items/bulk",
            &[("all", "yes"), ("q", "A"), ("do", "transfer"), ("location", "LON"), ("to", "LEE"), ("units", "4"), ("step", "go")],
        );
        assert_eq!(site.stock("A"), "available 6 incoming 4", "{to}");
        // A shelf is counted: each item by itself; what is as the books say is counted, and books nothing.
        let shelf = [("sku", "A"), ("sku", "B"), ("do", "count"), ("location", "LON"), ("sort", "name")];
        let page = owner.post("/items/bulk", &shelf).text();
        assert!(page.contains("On hand, now") && !page.contains("name=\"units\""), "{page}");
        let counted =
            |step: &'static str| shelf.into_iter().chain([("units:A", "9"), ("units:B", "3"), ("step", step), ("once", "c")]).collect::<Vec<_>>();
        let page = owner.post("/items/bulk", &counted("look")).text();
        assert!(
            row(&page, "A").ends_with("6 9 Can be done") && row(&page, "B").ends_with("3 3 Can be done"),
            "{} {}",
            row(&page, "A"),
            row(&page, "B")
        );
        let to = owner.sent("/items/bulk", &counted("go"));
        assert!(to.starts_with("/items?sort=name&done="), "{to}");
        assert_eq!((site.stock_at("A", "LON"), site.stock_at("B", "LON")), ("available 9".into(), "available 3".into()));
        assert_eq!(text_between(&get(&owner, &to), "class=\"banner banner-ok flash\"", "</div>"), "A : Counted at LON: +3.");
        assert!(owner.sent("/items/bulk", &[("do", "move")]).ends_with("said=nothing"));
        assert_eq!(owner.post("/items/bulk", &[("do", "sack"), ("sku", "A")]).status, 422);
        site.verify();
    });
}

#[test]
fn selling_is_switched_for_many_and_back() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({ "when_short": "backorder" }), "");
        site.item("B", json!({}), "");
        let owner = site.visitor("owner");
        let of = |sku: &str| {
            let item = site.get(&format!("/items/{sku}"));
            format!("{} {}", item["active"], item["when_short"].as_str().unwrap())
        };
        let fields = [("do", "sell"), ("sku", "A"), ("sku", "B"), ("active", "no"), ("when_short", "deny")];
        let page = owner.post("/items/bulk", &fields).text();
        assert!(row(&page, "A").ends_with("Take it, send later Switched off"), "{}", row(&page, "A"));
        assert!(page.contains("Change 2 items"));
        assert_eq!(of("A"), "true backorder");
        let go: Vec<(&str, &str)> = fields.into_iter().chain([("step", "go"), ("once", "1")]).collect();
        let page = owner.post("/items/bulk", &go).text();
        assert!(page.contains("2 items changed."), "{page}");
        assert_eq!((of("A"), of("B")), ("false deny".into(), "false deny".into()));
        // The page holds the way back, each as it was.
        let post = |form: Vec<(String, String)>| {
            owner.post("/items/bulk", &form.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect::<Vec<_>>()).text()
        };
        let page = post(undo(&page));
        assert!(page.contains("2 items changed."), "{page}");
        assert_eq!((of("A"), of("B")), ("true backorder".into(), "true deny".into()));
        // What somebody else said meanwhile is not taken back.
        let again = undo(&page);
        site.ok("PATCH /items/A", json!({ "when_short": "preorder" }));
        let page = post(again);
        assert!(page.contains("1 item changed.") && page.contains("1 refused.") && page.contains("Somebody else changed the item “A”"), "{page}");
        assert_eq!((of("A"), of("B")), ("true preorder".into(), "false deny".into()));
        for (sku, when_short) in [("A", "backorder"), ("B", "deny")] {
            site.ok(&format!("PATCH /items/{sku}"), json!({ "active": true, "when_short": when_short }));
        }
        // Somebody changed one of them since they were looked at: that one stays as it is.
        let page = owner.post("/items/bulk", &fields).text();
        let seen = ["A", "B"].map(|sku| (format!("seen:{sku}"), hidden(&page, &format!("seen:{sku}"))));
        site.ok("PATCH /items/A", json!({ "when_short": "partial" }));
        let go = fields.into_iter().chain([("step", "go"), ("once", "3")]).chain(seen.iter().map(|(n, v)| (n.as_str(), v.as_str())));
        let page = owner.post("/items/bulk", &go.collect::<Vec<_>>()).text();
        assert!(page.contains("1 item changed.") && page.contains("1 refused.") && page.contains("Somebody else changed the item “A”"), "{page}");
        assert_eq!((of("A"), of("B")), ("true partial".into(), "false deny".into()));
    });
}

#[test]
fn the_past_is_shown_without_forms() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10");
        site.time.advance(86_400);
        site.receive("LON", "A", 5);
        site.time.advance(86_400);
        let owner = site.visitor("owner");
        let page = get(&owner, "/items/A?as_of=2026-03-02T12:00");
        assert!(page.contains("As of Mon 2 Mar, 12:00.") && !page.contains("Change stock"), "{page}");
        assert_eq!(row(&page, "LON"), "LON LON 10 0 0 0 0 0 10 –");
        let seconds = (site.time.now() / 1_000_000 - 1).to_string();
        let page = get(&owner, &format!("/items/A?as_of={seconds}"));
        assert_eq!(row(&page, "LON"), "LON LON 15 0 0 0 0 0 15 –");
        // What is not past, or no time, is now.
        for as_of in ["2027-01-01T00:00", "soon", "-5"] {
            let page = get(&owner, &format!("/items/A?as_of={as_of}"));
            assert!(page.contains("Change stock"), "{as_of}");
            assert!(page.contains(&format!("“{as_of}” is no time of the past: what stands below is how it is now.")), "{as_of}: {page}");
        }
        // The slider's last place is the end of today.
        let page = get(&owner, "/items/A?as_of=2026-03-04");
        assert!(page.contains("Change stock") && !page.contains("no time of the past"));
    });
}

#[test]
fn entries_are_filtered_paged_and_exported() {
    on_both(|url| {
        let site = site(url);
        site.item("A", json!({}), "LON 10");
        for n in 0..25 {
            site.ok(
                "POST /stock/adjust",
                json!({ "location": "LON", "reason": "found", "reference": format!("note {n}"), "lines": [{ "sku": "A", "delta": 1 }] }),
            );
        }
        site.time.advance(1);
        site.receive("LEE", "A", 4);
        site.time.advance(1);
        assert_eq!(site.order("1", "A 2").status, 201);
        let owner = site.visitor("owner");
        let page = get(&owner, "/items/A");
        assert!(panel(&page, "ledger").contains("Order LON Available → Committed 2 – 39"), "{}", panel(&page, "ledger"));
        assert!(panel(&page, "ledger").contains("Received LEE Supplier → Available 4 +4 39 Key tester"), "{}", panel(&page, "ledger"));
        let next = page.split_once("\" rel=\"next\"").unwrap().0.rsplit_once("href=\"").unwrap().1.replace("&amp;", "&");
        let older = get(&owner, &next);
        assert!(panel(&older, "ledger").contains("Received LON Supplier → Available 10 +10 10"), "{}", panel(&older, "ledger"));
        let some = get(&owner, "/items/A?at=LEE&cause=stock.received");
        assert!(panel(&some, "ledger").contains("1 row") && panel(&some, "ledger").contains("+4 4"), "{}", panel(&some, "ledger"));
        assert_eq!(owner.get("/items/A?after=1.2").status, 422);
        let file = owner.get("/items/A?format=csv&cause=stock.adjusted").text();
        let rows: Vec<&str> = file.lines().collect();
        assert_eq!(rows.len(), 26, "{file}");
        assert!(rows[1].contains(",LON,26,count,available,1,1,35,stock.adjusted,") && rows[1].ends_with(",Key tester,found,note 24"), "{}", rows[1]);
    });
}
