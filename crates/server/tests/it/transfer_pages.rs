//! The pages of transfers: the list, one with what arrived of it, and a new one.

use super::support::{Site, on_both};
use serde_json::json;

fn world(site: &Site) {
    site.locations(&[("LON", json!({ "name": "London" })), ("LEE", json!({ "name": "Leeds" })), ("BAT", json!({ "name": "Bath" }))]);
    site.item("MUG", json!({}), "LON 20");
    site.item("CUP", json!({}), "LON 5");
}

fn sent(site: &Site, from: &str, to: &str, quantity: i64) -> String {
    let lines = json!([{ "sku": "MUG", "quantity": quantity }]);
    site.ok("POST /transfers", json!({ "from": from, "to": to, "lines": lines }))["id"].as_str().unwrap().to_owned()
}

#[test]
fn a_transfer_is_sent_and_received_in_parts() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let warehouse = site.visitor("warehouse");
        let look = |query: &str| warehouse.get(&format!("/transfers/new/preview?from=LON&to=LEE&{query}")).text();
        assert!(look("lines[0].sku=MUG&lines[0].quantity=4").contains("All of it can be sent."));
        assert!(look("lines[0].sku=CUP&lines[0].quantity=6").contains("6 of CUP asked, 5 available"));
        assert!(look("lines[0].sku=CUP&lines[0].quantity=x").contains("Quantity of line 1: Must be a whole number."));
        assert!(look("lines[0].sku=CUP&lines[0].quantity=99999999999999999999").contains("Quantity of line 1: Is too large a number."));
        let form = |quantity: &'static str, once: &'static str| {
            vec![
                ("once", once),
                ("from", "LON"),
                ("to", "LEE"),
                ("reference", "DN 7"),
                ("lines[0].sku", "MUG"),
                ("lines[0].quantity", "8"),
                ("lines[1].sku", "CUP"),
                ("lines[1].quantity", quantity),
            ]
        };
        let refused = warehouse.post("/transfers/new", &form("6", "a"));
        assert_eq!(refused.status, 422);
        for text in ["6 asked, 5 available", "value=\"DN 7\"", "value=\"CUP\""] {
            assert!(refused.text().contains(text), "{text}");
        }
        let there = warehouse.sent("/transfers/new", &form("5", "b"));
        assert_eq!(warehouse.sent("/transfers/new", &form("5", "b")), there, "the same form again");
        assert_eq!(site.stock_at("MUG", "LEE"), "incoming 8");
        let path = there.split('?').next().unwrap().to_owned();
        let list = site.page("/transfers");
        for text in ["On its way", "London", "Leeds", "DN 7", &format!("href=\"{path}\"")] {
            assert!(list.contains(text), "{text} in {list}");
        }
        // In parts, with a loss; a row with neither figure is left for later.
        let page = warehouse.get(&path).text();
        assert!(page.contains("data-key=\"r\"") && page.contains("Still to come"), "{page}");
        let seen = page.split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let receive = format!("{path}/receive");
        let arrived = [
            ("seen", seen.as_str()),
            ("lines[0].sku", "MUG"),
            ("lines[0].received", ""),
            ("lines[1].sku", "CUP"),
            ("lines[1].received", "9"),
            ("lines[1].lost", "1"),
        ];
        let refused = warehouse.post(&receive, &arrived);
        assert_eq!(refused.status, 422);
        for text in ["10 of CUP asked, only 5 left to do.", "id=\"d-lines[1].received\"", "value=\"9\""] {
            assert!(refused.text().contains(text), "{text} in {}", refused.text());
        }
        warehouse
            .sent(&receive, &[("seen", &seen), ("lines[0].sku", "MUG"), ("lines[0].received", "6"), ("lines[0].lost", "1"), ("lines[1].sku", "CUP")]);
        assert_eq!(site.stock_at("MUG", "LEE"), "available 6 incoming 1");
        let refused = warehouse.post(&receive, &[("seen", &seen), ("lines[0].sku", "MUG"), ("lines[0].received", "1")]);
        assert!(refused.status == 422 && refused.text().contains("Somebody else changed the transfer"));
        assert_eq!(warehouse.post(&receive, &[]).status, 422, "nothing arrived");
        warehouse.sent(&receive, &[("lines[0].sku", "MUG"), ("lines[0].received", "1"), ("lines[1].sku", "CUP"), ("lines[1].received", "5")]);
        let page = warehouse.get(&path).text();
        assert!(page.contains("Received") && !page.contains("/receive\""), "{page}");
        assert!(site.page("/transfers").contains("Nothing is on its way"));
        assert!(site.page("/transfers?status=received").contains(&path));
        let file = site.visitor("owner").get("/transfers?status=all&format=csv").text();
        assert!(file.contains(",received,LON,LEE,DN 7,") && file.contains(",2,13,12,1"), "{file}");
        site.verify();
    });
}

#[test]
fn a_transfer_is_taken_back_where_it_was_sent() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let warehouse = site.visitor("warehouse");
        let send = |once: &str| {
            let form = [("once", once), ("location", "LON"), ("to", "LEE"), ("units", "5")];
            warehouse.sent("/items/MUG/transfer", &form)
        };
        // From the item's own page, at once.
        let there = send("a");
        let page = warehouse.get(&there).text();
        let action = page.split("form action=\"").find(|part| part.starts_with("/transfers/")).expect("a way back").split('"').next().unwrap();
        let back = warehouse.sent(action, &[("next", "/items/MUG?do=transfer&location=LON")]);
        assert_eq!(back, "/items/MUG?do=transfer&location=LON&said=canceled");
        assert_eq!((site.stock_at("MUG", "LON"), site.stock_at("MUG", "LEE")), ("available 20".into(), String::new()));
        let told = warehouse.get(&there).text();
        assert!(told.contains("It was undone since.") && !told.contains("data-undo"), "once");
        let refused = warehouse.post(action, &[]);
        assert!(refused.status == 422 && refused.text().contains("canceled"), "{}", refused.text());
        // From the transfer's page, what has not arrived.
        let id = sent(&site, "LON", "LEE", 6);
        let path = format!("/transfers/{id}");
        let seen = || warehouse.get(&path).text().split("name=\"seen\" value=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        let before = seen();
        site.ok(&format!("POST /transfers/{id}/receive"), json!({ "lines": [{ "sku": "MUG", "received": 2 }] }));
        let cancel = format!("{path}/cancel");
        let refused = warehouse.post(&cancel, &[("seen", &before)]);
        assert!(refused.status == 422 && refused.text().contains("Somebody else changed the transfer"), "{}", refused.text());
        assert!(warehouse.get(&path).text().contains("Cancel 4 units"));
        // Whoever sent it takes it back.
        let at_leeds = site.limited("warehouse", Some(&["LEE"]), None);
        assert!(!at_leeds.get(&path).text().contains("/cancel"));
        assert_eq!(at_leeds.post(&cancel, &[]).status, 422);
        assert_eq!(site.visitor("support").post(&cancel, &[]).status, 403);
        assert_eq!(warehouse.sent(&cancel, &[("seen", &seen())]), format!("{path}?said=canceled"));
        let page = warehouse.get(&path).text();
        assert!(page.contains("Canceled") && !page.contains("/cancel\"") && !page.contains("/receive\""), "{page}");
        assert_eq!((site.stock_at("MUG", "LON"), site.stock_at("MUG", "LEE")), ("available 18".into(), "available 2".into()));
        assert!(warehouse.get("/transfers").text().contains("Nothing is on its way"));
        assert!(warehouse.get("/items/MUG").text().contains("Transfer canceled"));
        assert!(warehouse.get("/transfers?status=canceled&format=csv").text().contains(",canceled,LON,LEE,,"));
        site.verify();
    });
}

#[test]
fn limits_and_roles_hold() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let out = sent(&site, "LON", "LEE", 3);
        let other = sent(&site, "LON", "BAT", 2);
        let at_leeds = site.limited("warehouse", Some(&["LEE"]), None);
        let list = at_leeds.get("/transfers").text();
        assert!(list.contains(&format!("t{out}")) && !list.contains(&format!("t{other}")), "{list}");
        assert!(list.contains("Elsewhere") && !list.contains("London") && !list.contains("Bath"), "{list}");
        assert_eq!((at_leeds.get(&format!("/transfers/{out}")).status, at_leeds.get(&format!("/transfers/{other}")).status), (200, 404));
        let receive = |id: &str| at_leeds.post(&format!("/transfers/{id}/receive"), &[("lines[0].sku", "MUG"), ("lines[0].received", "1")]);
        assert_eq!((receive(&out).status, receive(&other).status), (303, 404));
        // Whoever is at neither end sees neither what is there.
        let preview = at_leeds.get("/transfers/new/preview?from=LON&to=LEE&lines[0].sku=MUG&lines[0].quantity=1").text();
        assert!(preview.contains("Your access does not reach") && !preview.contains("15"), "{preview}");
        assert!(!at_leeds.get("/transfers?format=csv").text().contains("LON"));
        let support = site.visitor("support");
        assert_eq!((support.get("/transfers").status, support.get("/transfers/new").status), (200, 403));
        assert!(!support.get(&format!("/transfers/{out}")).text().contains("Received now"));
        site.verify();
    });
}

#[test]
fn transfers_are_searched_and_sorted() {
    on_both(|url| {
        let site = Site::new(url);
        world(&site);
        let ids: Vec<String> = [("DN 7", 1), ("dn 71", 2), ("Autumn", 3)]
            .iter()
            .map(|(reference, quantity)| {
                site.time.advance(60);
                let lines = json!([{ "sku": "MUG", "quantity": quantity }]);
                let sent = site.ok("POST /transfers", json!({ "from": "LON", "to": "LEE", "reference": reference, "lines": lines }));
                sent["id"].as_str().unwrap().to_owned()
            })
            .collect();
        let shown = |query: &str| {
            let page = site.page(&format!("/transfers?{query}"));
            let mut found: Vec<(usize, usize)> = (0..3).filter_map(|n| Some((page.find(&format!("href=\"/transfers/{}\"", ids[n]))?, n))).collect();
            found.sort_unstable();
            found.into_iter().map(|(_, n)| n.to_string()).collect::<String>()
        };
        for (query, expected) in [
            ("", "210"),
            ("sort=sent", "012"),
            ("sort=-sent", "210"),
            ("q=DN+7", "10"),
            ("q=DN+7&sort=sent", "01"),
            ("q=autumn", "2"),
            ("q=autumn&status=received", ""),
            ("q=winter", ""),
            (&format!("q={}", ids[1]), "1"),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        assert!(site.page("/transfers?q=winter").contains("No transfer has this number"));
        let file = site.visitor("owner").get("/transfers?format=csv&q=dn&sort=sent").text();
        assert!(file.lines().count() == 3 && file.find("DN 7,").unwrap() < file.find("dn 71").unwrap(), "{file}");
        site.verify();
    });
}
