//! The pages of webhooks and mail: adding an endpoint whose secret is shown once, its log, sending again, switching it off and on.

use crate::alerts::{channel, log, raise};
use crate::catchers::{Answer, Hook};
use crate::reading::{fault, get, hidden, lacks, panel, refused, row, says, text_between};
use crate::support::{Site, Visitor, on_both};
use engine::exceptions::Kind;
use serde_json::{Value, json};

/// The secret that a page shows.
fn secret(page: &str) -> String {
    text_between(page, "id=\"secret\">", "</pre>")
}

/// Adds an endpoint for everything; answers its id and its secret.
fn added(who: &Visitor<'_>, name: &str, url: &str) -> (String, String) {
    let reply = who.post("/webhooks", &[("way", "webhook"), ("name", name), ("url", url), ("severity", "info"), ("exceptions", "yes")]);
    assert_eq!(reply.status, 200, "{}", reply.text());
    let page = reply.text();
    let end = page.split("btn-primary\" href=\"/webhooks/").nth(1).unwrap();
    (end.split('"').next().unwrap().to_owned(), secret(&page))
}

/// The states of what it was told, the newest first.
fn states(site: &Site, id: &str) -> Vec<String> {
    log(site, id).iter().map(|d| d["state"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_endpoint_is_added_and_its_secret_shown_once() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        says(&get(&owner, "/webhooks"), &["Nobody is told", "Tell by webhook"]);
        let form = |field: &'static str, typed: &'static str| {
            let fields =
                [("way", "webhook"), ("name", "On call"), ("url", "https://alerts.example.com/x"), ("severity", "critical"), ("solved", "yes")];
            fields.into_iter().map(|(n, v)| if n == field { (n, typed) } else { (n, v) }).collect::<Vec<_>>()
        };
        for (field, typed) in [
            ("name", ""),
            ("name", "a\u{7}b"),
            ("url", ""),
            ("url", "alerts.example.com"),
            ("url", "http://alerts.example.com/"),
            ("url", "https://10.1.2.3/"),
            ("url", "https://169.254.169.254/latest"),
            ("url", "https://[::1]/"),
            ("url", "https://u:p@example.com/"),
            ("severity", "dire"),
        ] {
            let page = refused(&owner, "/webhooks", &form(field, typed));
            assert!(!fault(&page, field).is_empty(), "{field} {typed}");
            says(&page, &["Nothing was changed.", if field == "name" { "value=\"https://alerts.example.com/x\"" } else { "value=\"On call\"" }]);
        }
        let with = |more: (&'static str, &'static str)| refused(&owner, "/webhooks", &[&form("", "")[..], &[more]].concat());
        says(&with(("kinds", "silly")), &["“kinds” names no kind of exception: “silly”."]);
        says(&with(("channels", "nowhere")), &["There is no channel “nowhere”."]);
        says(&with(("events", "order.eaten")), &["Nothing was changed."]);
        let page = refused(&owner, "/webhooks", &[("way", "mail"), ("name", "Office"), ("mail", "ops@example.com"), ("severity", "info")]);
        assert!(fault(&page, "mail").starts_with("Cannot be sent by this server"), "{page}");
        assert_eq!(site.get("/alerts")["data"], json!([]));

        let hook = Hook::new(&site);
        let fields = [("once", "a"), ("way", "webhook"), ("name", "On <call>"), ("url", &hook.url), ("severity", "info"), ("exceptions", "yes")];
        let first = owner.post("/webhooks", &fields);
        assert_eq!(first.status, 200);
        let secret = secret(&first.text());
        assert!(secret.starts_with("whsec_"), "{secret}");
        // The same form again is the same endpoint, and shows nothing.
        let again = owner.post("/webhooks", &fields);
        lacks(&again.text(), &["whsec_"]);
        let all = site.get("/alerts")["data"].as_array().unwrap().clone();
        let id = all[0]["id"].as_str().unwrap();
        let path = format!("/webhooks/{id}");
        assert_eq!(all.len(), 1);
        for page in ["/webhooks", &path, "/audit"].map(|page| get(&owner, page)) {
            lacks(&page, &[&secret, "On <call>"]);
        }
        lacks(&site.get("/events?limit=250").to_string(), &[&secret]);
        says(&row(&get(&owner, "/webhooks"), &format!("w{id}")), &["Nothing sent yet", &hook.url, "all exceptions", "0 – 0 never"]);
        // What arrives is signed with it.
        site.alert();
        assert_eq!(owner.sent(&format!("{path}/test"), &[]), format!("{path}?said=sent"));
        let caught = site.soon("the test arrives", || hook.caught().pop());
        assert!(caught.is_by(&secret, site.time.now()));
        site.soon("it is written down", || get(&owner, "/webhooks").contains("Arrives").then_some(()));
        says(&get(&owner, "/webhooks?q=call"), &["On &lt;call&gt;"]);
        says(&get(&owner, "/webhooks?q=nothing"), &["None fits"]);
        site.shut_and_verify();
    });
}

#[test]
fn what_failed_is_sent_again_one_by_one_or_all_of_it() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let owner = site.visitor("owner");
        let hook = Hook::new(&site);
        hook.always(Some(Answer(500, None)));
        let (id, _) = added(&owner, "On call", &hook.url);
        let (other, _) = added(&owner, "Elsewhere", "https://alerts.example.com/");
        let path = format!("/webhooks/{id}");
        says(&get(&owner, &path), &["Nothing was to be told yet"]);
        raise(&site, Kind::Unfillable, "order:shop:1", "Order <1>");
        owner.sent(&format!("{path}/test"), &[]);
        owner.sent(&format!("{path}/test"), &[]);
        site.alert();
        site.soon("all were tried", || log(&site, &id).iter().all(|d| d["attempts"].as_array().unwrap().len() == 1).then_some(()));
        assert_eq!(states(&site, &id), ["pending"; 3]);
        let page = get(&owner, &path);
        says(&page, &["Failing for", "Pending <span class=\"count\">3</span>", "Tried again in", "said 500", "exception.opened", "Order &lt;1&gt;"]);
        lacks(&page, &["Send failed ones again…", "Order <1>"]);

        // Switched off, what waited has failed, and nothing is sent again before it is switched on.
        assert_eq!(owner.sent(&format!("{path}/active"), &[("active", "")]), format!("{path}?said=saved"));
        assert_eq!(states(&site, &id), ["failed"; 3]);
        let page = get(&owner, &path);
        says(&page, &["Switch on", "Failed <span class=\"count\">3</span>"]);
        lacks(&page, &["Send again", "Send failed ones again…", "Send a test"]);
        let newest_first: Vec<String> = log(&site, &id).iter().map(|d| d["id"].as_str().unwrap().to_owned()).collect();
        for (sort, first) in [("", 0), ("-written", 0), ("written", 2)] {
            let page = get(&owner, &format!("{path}?sort={sort}"));
            let shown = |n: usize| page.find(&format!("data-row=\"{}\"", newest_first[n])).unwrap();
            assert!(shown(first) < shown(1) && shown(1) < shown(2 - first), "{sort}");
        }
        let after = |sort: &str, n: usize| get(&owner, &format!("{path}?sort={sort}&after={}", newest_first[n]));
        for (sort, n, there) in [("", 0, [false, true, true]), ("written", 1, [true, false, false]), ("written", 2, [true, true, false])] {
            let page = after(sort, n);
            assert_eq!([0, 1, 2].map(|n| page.contains(&format!("data-row=\"{}\"", newest_first[n]))), there, "{sort} {n}");
        }
        let found = |query: &str| get(&owner, &format!("{path}?{query}")).matches("data-row=").count();
        let message = log(&site, &id)[1]["message"].as_str().unwrap().to_owned();
        assert_eq!((found("q=exception.opened"), found("q=order."), found(&format!("q={message}"))), (1, 0, 1));
        assert_eq!((found("from=2020-01-01"), found("until=2020-01-01"), found("from=2020-01-01&state=delivered")), (3, 0, 0));
        says(&get(&owner, &format!("{path}?q=order.")), &["No message is like that."]);
        let file = owner.get(&format!("{path}?format=csv&sort=written&q={message}")).text();
        assert!(file.lines().count() == 2 && file.contains(&message), "{file}");
        assert_eq!(owner.get(&format!("{path}?format=csv")).text().lines().count(), 4);
        let first = log(&site, &id).pop().unwrap();
        let replay = format!("{path}/deliveries/{}/replay", first["id"].as_str().unwrap());
        for what in [&replay, &format!("{path}/replay"), &format!("{path}/test")] {
            assert_eq!(owner.post(what, &[("hours", "24")]).status, 422, "{what}");
        }
        assert_eq!(hook.caught().len(), 3);

        hook.always(None);
        owner.sent(&format!("{path}/active"), &[("active", "yes")]);
        says(&get(&owner, &format!("{path}?state=failed")), &["Send again, of 3 failed", "Send again"]);
        assert_eq!(owner.sent(&replay, &[("once", "r")]), format!("{path}?said=sent"));
        owner.sent(&replay, &[("once", "r")]);
        site.soon("it arrives", || (hook.caught().len() == 4).then_some(()));
        assert_eq!(hook.caught()[3].header("webhook-id"), first["message"], "the same message");
        site.soon("it is written down", || (states(&site, &id)[2] == "delivered").then_some(()));
        // Of another endpoint, of none, of no time.
        let elsewhere = format!("/webhooks/{other}/deliveries/{}/replay", first["id"].as_str().unwrap());
        assert_eq!(owner.post(&elsewhere, &[]).status, 422);
        says(&refused(&owner, &format!("{path}/replay"), &[("hours", "x")]), &["“hours” must be a whole number."]);
        assert_eq!(owner.post("/webhooks/12/test", &[]).status, 404);

        assert_eq!(owner.sent(&format!("{path}/replay"), &[("hours", "1")]), format!("{path}?said=sent"));
        site.soon("all arrive", || (hook.caught().len() == 6).then_some(()));
        site.soon("it is written down", || (states(&site, &id) == ["delivered"; 3]).then_some(()));
        assert_eq!(owner.sent(&format!("{path}/replay"), &[("hours", "1")]), format!("{path}?said=nothing"));
        says(&get(&owner, &format!("{path}?state=failed")), &["No message stands so."]);
        assert_eq!(get(&owner, &format!("{path}?state=delivered")).matches("said 200").count(), 6, "in the row and in its tries");
        says(&get(&owner, "/webhooks"), &["Arrives"]);
        site.shut_and_verify();
    });
}

#[test]
fn an_endpoint_is_changed_over_nobody_elses_work_and_removed() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let owner = site.visitor("owner");
        let (id, first) = added(&owner, "On call", "https://alerts.example.com/a");
        let path = format!("/webhooks/{id}");
        let seen = hidden(&get(&owner, &path), "seen");
        let form = |url: &'static str| {
            let chosen = [("severity", "critical"), ("exceptions", "yes"), ("channels", "shop"), ("kinds", "drift"), ("events", "order.placed")];
            [&[("name", "Night shift"), ("url", url)][..], &chosen].concat()
        };
        let with = |url: &'static str, seen: &str| {
            let fields = form(url);
            let seen = seen.to_owned();
            let fields: Vec<(&str, &str)> = fields.iter().copied().chain([("seen", seen.as_str())]).collect();
            owner.post(&path, &fields)
        };
        let bad = with("https://127.0.0.1/", &seen);
        assert_eq!(bad.status, 422);
        assert!(!fault(&bad.text(), "url").is_empty());
        says(&bad.text(), &["value=\"Night shift\""]);
        site.ok(&format!("PATCH /alerts/{id}"), json!({ "severity": "warning" }));
        let late = with("https://alerts.example.com/b", &seen);
        assert_eq!(late.status, 422);
        says(&late.text(), &["Somebody else changed", "value=\"https://alerts.example.com/b\""]);
        assert_eq!(site.get(&format!("/alerts/{id}"))["url"], "https://alerts.example.com/a");
        assert_eq!(with("https://alerts.example.com/b", &hidden(&get(&owner, &path), "seen")).status, 303);
        let now = site.get(&format!("/alerts/{id}"));
        assert_eq!((&now["name"], &now["severity"], &now["kinds"]), (&json!("Night shift"), &json!("critical"), &json!(["drift"])));
        says(&panel(&get(&owner, &path), "facts"), &["some critical exceptions, 1 kind of event", "shop", "not told", "order.placed"]);

        // A second secret beside the first, shown once; the first goes.
        let reply = owner.post(&format!("{path}/secrets"), &[("once", "s"), ("keep", "3600")]);
        let second = secret(&reply.text());
        assert!(second.starts_with("whsec_") && second != first, "{second}");
        lacks(&owner.post(&format!("{path}/secrets"), &[("once", "s"), ("keep", "3600")]).text(), &["whsec_"]);
        let page = get(&owner, &path);
        says(&page, &["signs for 60 min more"]);
        lacks(&page, &[&first, &second]);
        assert_eq!(owner.post(&format!("{path}/secrets"), &[("keep", "long")]).status, 422);
        let oldest = site.get(&format!("/alerts/{id}"))["secrets"].as_array().unwrap().iter().find(|s| s["expires_at"].is_string()).cloned().unwrap();
        let remove = format!("{path}/secrets/{}/remove", oldest["id"].as_str().unwrap());
        assert_eq!(owner.sent(&remove, &[]), format!("{path}?said=deleted"));
        assert_eq!(owner.post(&remove, &[]).status, 422, "it is gone");
        assert_eq!(owner.sent(&format!("{path}/delete"), &[]), "/webhooks?said=deleted");
        assert_eq!((owner.get(&path).status, site.get("/alerts")["data"].clone()), (404, json!([])));
        site.shut_and_verify();
    });
}

#[test]
fn who_may_not_changes_nothing_and_hears_nothing() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let owner = site.visitor("owner");
        let (id, _) = added(&owner, "On call", "https://alerts.example.com/a");
        let path = format!("/webhooks/{id}");
        let (auditor, warehouse) = (site.visitor("auditor"), site.visitor("warehouse"));
        let page = get(&auditor, &path);
        says(&page, &["On call", "Signing secrets"]);
        lacks(&page, &[&format!("{path}/test"), "Switch off…", "Add a secret…", "id=\"edit\"", "Remove it…"]);
        assert_eq!((warehouse.get("/webhooks").status, warehouse.get(&path).status), (403, 403));
        // Endpoints hear of all channels, so whoever is limited to some sees and changes none.
        let limited = site.limited("operations", None, Some(&["web"]));
        let name = ("name", "Mine");
        for what in ["", "/active", "/test", "/replay", "/secrets", "/delete"] {
            let fields = [name, ("url", "https://evil.example/"), ("severity", "info"), ("hours", "24"), ("keep", "0")];
            let told = limited.post(&format!("{path}{what}"), &fields);
            assert_eq!(told.status, 403, "{what}: {told:?}");
            assert_eq!(auditor.post(&format!("{path}{what}"), &fields).status, 403, "{what}");
        }
        let new = [("way", "webhook"), name, ("url", "https://evil.example/"), ("severity", "info"), ("exceptions", "yes")];
        assert_eq!((limited.post("/webhooks", &new).status, limited.get("/webhooks").status, limited.get(&path).status), (403, 403, 403));
        let all = site.get("/alerts")["data"].as_array().unwrap().clone();
        assert_eq!(
            (all.len(), &all[0]["name"], &all[0]["active"], &all[0]["url"]),
            (1, &json!("On call"), &Value::Bool(true), &json!("https://alerts.example.com/a"))
        );
        site.shut_and_verify();
    });
}
