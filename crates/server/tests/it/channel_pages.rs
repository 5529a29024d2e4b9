//! The pages of channels: connecting one step by step, the list, settings and policy, pausing and stopping, and whose they are.

use crate::reading::{fault, get, hidden, lacks, panel, refused, says, text_between};
use crate::support::{Site, Visitor, on_both};
use serde_json::json;
use sim::markets::market::Listing;
use sim::markets::{Market, Served, serve, shopify::Shopify};
use std::sync::Arc;

/// A shop to be connected, and a site with what it sells.
fn shop(site: &Site) -> (Arc<Market>, Served) {
    site.locations(&[("LON", json!({})), ("BOB", json!({ "kind": "third_party" }))]);
    site.item("LAMP", json!({}), "LON 30");
    let time = site.time.clone();
    let market = Market::with_clock(5, Arc::new(move || time.now()));
    market.list(Listing { id: "101".into(), sku: "LAMP".into(), title: "A lamp".into(), price: 999, ..Listing::default() });
    let served = site.block_on(serve(Arc::new(Shopify::new(market.clone())).router())).unwrap();
    (market, served)
}

/// A channel that nobody works for, connected by a program.
fn connected(site: &Site, code: &str, name: &str) {
    let settings = json!({ "access_token": "shpat_kept", "client_secret": "hush", "location": "1" });
    let body = json!({ "code": code, "kind": "shopify", "name": name, "address": "http://127.0.0.1:9", "settings": settings });
    site.ok("POST /channels", body);
}

/// The account step as it is typed, with one field changed.
fn account<'f>(address: &'f str, field: &'f str, typed: &'f str) -> Vec<(&'f str, &'f str)> {
    let form = [
        ("kind", "shopify"),
        ("name", "Our shop"),
        ("code", "shop"),
        ("address", address),
        ("settings.access_token", "shpat_simulated"),
        ("settings.client_secret", "hush"),
        ("settings.location", "1"),
        ("settings.poll_seconds", "1"),
    ];
    form.into_iter().map(|(n, v)| if n == field { (n, typed) } else { (n, v) }).collect()
}

#[test]
fn a_channel_is_connected_step_by_step_with_a_check() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, served) = shop(&site);
        let owner = site.visitor("owner");
        says(&get(&owner, "/channels"), &["No channel is connected", "Connect the first one"]);
        says(
            &get(&owner, "/channels/new"),
            &["Shopify", "Third-party warehouses", "/channels/new?kind=contract", "Nothing is kept before the last step."],
        );
        says(&get(&owner, "/channels/new?kind=shopify"), &["name=\"settings.access_token\" type=\"password\"", "Go on without a check"]);
        let send = |what: &str, form: &[(&str, &str)]| owner.post("/channels/new", &[&[("do", what)], form].concat());
        // What cannot be right is told at its field before anybody is asked.
        for (field, typed, told) in [("address", "ftp://shop.example", "Must begin with https://."), ("address", "", "Must begin with https://.")] {
            let reply = send("check", &account(&served.address, field, typed));
            assert_eq!((reply.status, fault(&reply.text(), field).as_str()), (422, told), "{typed}");
        }
        for (field, typed) in [("code", ""), ("code", "a\u{7}"), ("name", "")] {
            let reply = send("check", &account(&served.address, field, typed));
            assert_eq!(reply.status, 422, "{field} {typed}: {}", reply.text());
            assert!(!fault(&reply.text(), field).is_empty(), "{field} {typed}");
        }
        // Wrong credentials are told with advice; nobody is there; and neither repeats a secret.
        let reply = send("check", &account(&served.address, "settings.access_token", "shpat_wrong"));
        says(&reply.text(), &["It did not answer as it should.", "Compare each secret with what the other side shows", "value=\"Our shop\""]);
        lacks(&reply.text(), &["shpat_wrong", "hush", "connected by"]);
        let wrong = hidden(&reply.text(), "draft");
        says(
            &send("check", &account("http://127.0.0.1:9", "", "")).text(),
            &["It did not answer as it should.", "Look whether the address is right"],
        );
        assert_eq!(site.get("/channels")["data"], json!([]));
        // Mended: the other secret travels with the draft and is not typed again. Nobody else can open it.
        let mended = [("draft", wrong.as_str()), ("settings.client_secret", ""), ("settings.access_token", "shpat_simulated")];
        let page = send("check", &mended).text();
        says(&page, &["It answered.", "The account is “", "Connect Our shop", "name=\"policy.mode\""]);
        lacks(&page, &["shpat_", "hush"]);
        let draft = hidden(&page, "draft");
        let stolen = site.visitor("operations").post("/channels/new", &[("do", "connect"), ("draft", &draft)]);
        assert_eq!((stolen.status, site.get("/channels")["data"].clone()), (422, json!([])));
        says(&send("back", &[("draft", &draft)]).text(), &["value=\"shop\"", "Kept; type to replace"]);

        let policy = |percent: &'static str| [("draft", draft.as_str()), ("once", percent), ("policy.mode", "quota"), ("policy.percent", percent)];
        for (percent, told) in [("101", "Must be 0 to 100."), ("half", "Must be a whole number.")] {
            let page = refused(&owner, "/channels/new", &[&[("do", "connect")], &policy(percent)[..]].concat());
            assert_eq!(fault(&page, "policy.percent"), told);
            says(&page, &[&format!("value=\"{percent}\""), "Connect Our shop"]);
        }
        let connect = [&[("do", "connect")], &policy("50")[..]].concat();
        assert_eq!(owner.sent("/channels/new", &connect), "/channels/shop?said=created");
        assert_eq!(owner.sent("/channels/new", &connect), "/channels/shop?said=created", "the same form");
        says(&get(&owner, "/channels/shop"), &["A share by demand, at most 50%.", &served.address, "none are asked for"]);
        says(&send("check", &account(&served.address, "", "")).text(), &["There is already a channel “shop”."]);
        // It works with what was typed.
        site.work();
        site.until("the lamp is for sale", || market.shown("101").filter(|shown| *shown > 0));
        let page = site.until("it is healthy", || Some(get(&owner, "/channels")).filter(|page| page.contains("Healthy")));
        says(&page, &["Our shop", "1 connected."]);
        let page = owner.post("/channels/shop/check", &[]).text();
        says(&page, &["It answered."]);
        lacks(&page, &["shpat_", "hush"]);
        site.verify();
    });
}

#[test]
fn without_a_check_and_for_a_warehouse() {
    on_both(|url| {
        let site = Site::new(url);
        shop(&site);
        let owner = site.visitor("owner");
        let page = owner.post("/channels/new", &[&account("http://127.0.0.1:9", "", "")[..], &[("do", "skip")]].concat()).text();
        says(&page, &["It was not checked."]);
        assert_eq!(owner.sent("/channels/new", &[("do", "connect"), ("draft", &hidden(&page, "draft"))]), "/channels/shop?said=created");
        // A warehouse is connected to the one location that it stands for.
        let kinds = site.get("/channels/kinds")["data"].as_array().unwrap().clone();
        let kind = kinds.iter().find(|k| k["kind"] == "shipbob").unwrap();
        let settings: Vec<String> =
            kind["settings"].as_array().unwrap().iter().map(|s| format!("settings.{}", s["name"].as_str().unwrap())).collect();
        let form = [("do", "skip"), ("kind", "shipbob"), ("name", "Bob"), ("code", "bob"), ("address", "http://127.0.0.1:9")];
        let form: Vec<(&str, &str)> = form.into_iter().chain(settings.iter().map(|name| (name.as_str(), "1"))).collect();
        let page = owner.post("/channels/new", &form).text();
        says(&page, &["Location that it stands for", "<option value=\"BOB\""]);
        lacks(&page, &["<option value=\"LON\""]);
        let draft = hidden(&page, "draft");
        for location in ["LON", "NONE", ""] {
            refused(&owner, "/channels/new", &[("do", "connect"), ("draft", &draft), ("location", location)]);
        }
        assert_eq!(owner.sent("/channels/new", &[("do", "connect"), ("draft", &draft), ("location", "BOB")]), "/channels/bob?said=created");
        let page = get(&owner, "/channels");
        says(&page, &["2 connected.", "Third-party warehouses", "Not heard of yet"]);
        says(&get(&owner, "/channels/bob"), &["Nothing was handed over yet", "Counted otherwise"]);
        assert_eq!(owner.get("/channels/bob/handovers?format=csv").text().lines().count(), 1);
        site.verify();
    });
}

#[test]
fn settings_and_policy_change_over_nobody_elses_work() {
    on_both(|url| {
        let site = Site::new(url);
        connected(&site, "shop", "Our shop");
        let owner = site.visitor("owner");
        let page = get(&owner, "/channels/shop/settings");
        says(&page, &["name=\"settings.location\" type=\"text\" value=\"1\"", "Kept; type to replace"]);
        lacks(&page, &["shpat_kept", "hush"]);
        let seen = hidden(&page, "seen");
        let form = |field: &'static str, typed: &'static str| {
            let fields = [("name", "New name"), ("address", "https://shop.example"), ("settings.access_token", ""), ("settings.location", "2")];
            fields.into_iter().map(|(n, v)| if n == field { (n, typed) } else { (n, v) }).collect::<Vec<_>>()
        };
        for (field, typed) in [("address", "ftp://x"), ("name", "a\u{7}")] {
            let page = refused(&owner, "/channels/shop/settings", &form(field, typed));
            assert!(!fault(&page, field).is_empty(), "{field}");
            says(&page, &["name=\"settings.location\" type=\"text\" value=\"2\""]);
        }
        // Somebody else renames it meanwhile.
        site.ok("PATCH /channels/shop", json!({ "name": "Their shop" }));
        let sealed = || {
            let channel = site.get("/channels/shop")["id"].as_str().unwrap().parse().unwrap();
            site.block_on(site.engine.read(move |tx| engine::channels::connect::secrets(tx, channel))).unwrap()
        };
        let before = site.app.vault.decrypt("shop", &sealed()).unwrap().0;
        let page = refused(&owner, "/channels/shop/settings", &[&form("", "")[..], &[("seen", &seen)]].concat());
        says(&page, &["Somebody else changed the channel “shop”", "value=\"New name\""]);
        assert_eq!(site.get("/channels/shop")["name"], "Their shop");
        let seen = hidden(&get(&owner, "/channels/shop/settings"), "seen");
        assert_eq!(owner.sent("/channels/shop/settings", &[&form("", "")[..], &[("seen", &seen)]].concat()), "/channels/shop?said=saved");
        let now = site.get("/channels/shop");
        assert_eq!((&now["name"], &now["settings"]["location"]), (&json!("New name"), &json!("2")));
        assert_eq!(site.app.vault.decrypt("shop", &sealed()).unwrap().0, before, "an empty secret is kept");
        owner.sent("/channels/shop/settings", &form("settings.access_token", "shpat_other"));
        assert!(site.app.vault.decrypt("shop", &sealed()).unwrap().0.contains("shpat_other"));
        lacks(&format!("{} {}", get(&owner, "/audit"), site.get("/events?limit=250")), &["shpat_", "hush"]);

        let seen = hidden(&get(&owner, "/channels/shop"), "seen");
        let policy = |mode: &'static str, field: &'static str, typed: &'static str| [("policy.mode", mode), (field, typed)];
        for (mode, field, typed, told) in [
            ("shared", "policy.mode.buffer", "-1", "Must be 0 to"),
            ("fixed", "policy.mode.units", "", "Is empty; a number belongs here."),
            ("quota", "policy.percent", "101", "Must be 0 to 100."),
            ("quota", "policy.cap", "few", "Must be a whole number."),
            ("", "policy.mode", "", "Must be quota, shared or fixed."),
            ("lottery", "policy.mode", "lottery", "Must be quota, shared or fixed."),
        ] {
            let page = refused(&owner, "/channels/shop/policy", &policy(mode, field, typed));
            assert!(fault(&page, field).starts_with(told), "{mode} {field}: {}", fault(&page, field));
        }
        site.ok("PATCH /channels/shop", json!({ "policy": { "cap": 7 } }));
        let shared = [&policy("shared", "policy.mode.buffer", "5")[..], &[("policy.stop_at", "2"), ("seen", &seen)]].concat();
        says(&refused(&owner, "/channels/shop/policy", &shared), &["Somebody else changed the channel “shop”"]);
        says(&get(&owner, "/channels/shop"), &["A share by demand, at most 7 shown."]);
        let seen = hidden(&get(&owner, "/channels/shop"), "seen");
        let shared = [&shared[..3], &[("seen", seen.as_str())]].concat();
        assert_eq!(owner.sent("/channels/shop/policy", &shared), "/channels/shop?said=saved");
        says(&panel(&get(&owner, "/channels/shop"), "policy"), &["Everything less 5, none when 2 are left"]);
        owner.sent("/channels/shop/policy", &policy("quota", "policy.never", "yes"));
        says(&panel(&get(&owner, "/channels/shop"), "policy"), &["Never sold here"]);
    });
}

#[test]
fn a_channel_is_paused_stopped_and_taken_up_again() {
    on_both(|url| {
        let site = Site::new(url);
        connected(&site, "shop", "Our shop");
        let owner = site.visitor("owner");
        let stands = || {
            let channel = site.get("/channels/shop");
            (channel["paused"].as_bool().unwrap(), channel["stopped"].as_bool().unwrap())
        };
        for (what, stand, shown, gone) in [
            ("pause", (true, false), &["Paused", "Updates are paused.", "/channels/shop/resume"][..], "/channels/shop/pause\""),
            ("resume", (false, false), &["/channels/shop/pause", "Stop selling on Our shop"], "Updates are paused."),
            ("pause", (true, false), &["Paused"], "/channels/shop/pause\""),
            ("stop", (false, true), &["Stopped", "Its listings are set to nothing.", "Sell again"], "Updates are paused."),
            ("pause", (true, true), &["Nothing is sent while it is paused: resume it"], "Stop selling on"),
            ("resume", (false, true), &["Its listings are set to nothing."], "/channels/shop/resume"),
            ("sell", (false, false), &["Stop selling on Our shop"], "Selling there is stopped."),
        ] {
            assert_eq!(owner.sent(&format!("/channels/shop/{what}"), &[]), "/channels/shop?said=saved");
            assert_eq!(stands(), stand, "{what}");
            let page = get(&owner, "/channels/shop");
            says(&page, shown);
            lacks(&page, &[gone]);
        }
        // From the list one comes back to the list, and nowhere else.
        assert_eq!(owner.sent("/channels/shop/pause", &[("next", "/channels")]), "/channels");
        assert_eq!(owner.sent("/channels/shop/resume", &[("next", "//evil.example")]), "/channels/shop?said=saved");
        assert_eq!(owner.post("/channels/none/pause", &[]).status, 404);
        says(&owner.post("/channels/shop/check", &[]).text(), &["It did not answer as it should."]);
        says(&get(&owner, "/channels/shop/waiting"), &["Nothing waits"]);
    });
}

#[test]
fn whoever_is_limited_sees_no_other_channel() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("LAMP", json!({}), "LON 30");
        connected(&site, "shop", "Our shop");
        connected(&site, "other", "Their secret market");
        let ends = json!({ "code": "astoria", "customer": "Hotel Astoria", "currency": "GBP", "ends_at": "2026-12-31T00:00:00Z", "lines": [
            { "sku": "LAMP", "quantity": 5, "unit_price": { "amount": "2.50", "currency": "GBP" } }
        ] });
        site.ok("POST /contracts", ends);
        let owner = site.visitor("owner");
        says(&get(&owner, "/channels"), &["2 connected, 1 contract.", "Their secret market", "Hotel Astoria"]);
        says(&get(&owner, "/channels?q=hotel"), &["Hotel Astoria"]);
        let file = owner.get("/channels/astoria?format=csv").text();
        assert_eq!(file.lines().nth(1), Some("LAMP,2.50,GBP,5,0,0,5,0,5,5"), "{file}");
        lacks(&get(&owner, "/channels?q=hotel"), &["Our shop"]);
        says(&get(&owner, "/channels?q=nothing"), &["None fits"]);

        let limited = site.limited("operations", None, Some(&["shop"]));
        for path in ["/channels", "/channels?q=o", "/channels/shop"] {
            let page = get(&limited, path);
            says(&page, &["Our shop"]);
            lacks(&page, &["Their secret market", "Astoria"]);
        }
        says(&get(&limited, "/channels"), &["1 connected."]);
        for code in ["other", "astoria"] {
            for path in ["", "/settings", "/waiting", "/alike", "/handovers", "?format=csv"] {
                assert_eq!(limited.get(&format!("/channels/{code}{path}")).status, 404, "{code}{path}");
            }
            for deed in ["pause", "resume", "stop", "sell", "resync", "check", "settings", "policy", "subscribe", "alike", "contract"] {
                let fields = [("policy.mode", "quota"), ("name", "Mine"), ("address", "https://evil.example"), ("end", "now")];
                assert_eq!(limited.post(&format!("/channels/{code}/{deed}"), &fields).status, 404, "{code}/{deed}");
            }
        }
        // A new one would be nobody's who is limited.
        let page = limited.post("/channels/new", &[&account("http://127.0.0.1:9", "code", "mine")[..], &[("do", "skip")]].concat()).text();
        let reply = limited.post("/channels/new", &[("do", "connect"), ("draft", &hidden(&page, "draft"))]);
        assert_eq!(reply.status, 422);
        says(&reply.text(), &["Your access does not reach"]);
        assert_eq!(site.get("/channels")["data"].as_array().unwrap().len(), 2);
        assert_eq!(site.get("/channels/other")["paused"], false);

        // Roles: who only looks is shown no button, and takes no form.
        let auditor = site.visitor("auditor");
        for path in ["/channels", "/channels/shop", "/channels/astoria"] {
            lacks(
                &get(&auditor, path),
                &["/channels/shop/pause", "/channels/new", "Stop selling", "Change it", "End it now", "Save what is set aside"],
            );
        }
        let may = |who: &Visitor<'_>, deed: &str| who.post(&format!("/channels/shop/{deed}"), &[]).status != 403;
        for deed in ["pause", "stop", "check", "settings", "policy", "resync"] {
            assert!(!may(&auditor, deed) && !may(&site.visitor("support"), deed), "{deed}");
        }
        // Of all the stock only those are told who may see it.
        let there = site.limited("operations", Some(&["LON"]), None);
        let places = |page: &str| text_between(page, "id=\"h-places\">", "</section>");
        assert!(places(&get(&owner, "/channels")).contains("of all available"));
        assert!(!places(&get(&there, "/channels")).contains("of all available"));
        site.verify();
    });
}

#[test]
fn channels_are_sorted_and_exported_as_far_as_one_may_see() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("LAMP", json!({}), "LON 30");
        connected(&site, "shop", "Zebra");
        connected(&site, "auction", "apple");
        let owner = site.visitor("owner");
        let rows = |query: &str| {
            let page = get(&owner, &format!("/channels?{query}"));
            page.split("data-row=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(
            (rows(""), rows("sort=-name"), rows("q=ZEB")),
            (vec!["auction".into(), "shop".into()], vec!["shop".into(), "auction".into()], vec!["shop".into()])
        );
        for sort in ["latency", "queue", "drift", "oversold", "lent", "nothing"] {
            assert_eq!((rows(&format!("sort={sort}")).len(), rows(&format!("sort=-{sort}")).len()), (2, 2), "{sort}");
        }
        let file = owner.get("/channels?format=csv").text();
        assert!(
            file.starts_with("code,name,kind,location,paused") && file.contains("\r\nauction,apple,shopify,,0,0,,,,0,0,0,0,0,0\r\nshop,Zebra,"),
            "{file}"
        );
        let file = site.limited("channels", None, Some(&["shop"])).get("/channels?format=csv").text();
        assert!(!file.contains("auction") && file.contains("shop,Zebra"), "{file}");
        // A code that differs in the case of its letters only would be taken for another's.
        let body = json!({ "code": "SHOP", "kind": "shopify", "name": "Other", "address": "http://127.0.0.1:9", "settings": { "access_token": "shpat_kept", "client_secret": "hush", "location": "1" } });
        assert_eq!(site.call("POST /channels", body).status, 409);
        site.verify();
    });
}
