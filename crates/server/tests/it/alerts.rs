//! Alerts: exceptions told by signed webhook and by mail, at least once, to whoever asked; nothing told that did not happen.

use crate::catchers::{Answer, HANGS, Hook};
use crate::mails::outside;
use crate::support::{Site, TestTime, on_both, on_postgres};
use engine::alerts::worker::Outside;
use engine::exceptions::{Kind, report};
use engine::secrets::Vault;
use engine::{Fault, Faults, create_key};
use serde_json::{Value, json};
use sim::markets::market::Listing;
use sim::markets::{Market, Served, serve, shopify::Shopify};
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};
use std::time::Duration;
use tokio::runtime::Runtime;

const HOUR: i64 = 3_600;
const DAY: i64 = 24 * HOUR;

/// A channel that nobody works for: exceptions can be about it.
pub fn channel(site: &Site) {
    let settings = json!({"access_token": "t", "client_secret": "hush", "location": "1"});
    site.ok("POST /channels", json!({"code": "shop", "kind": "shopify", "name": "Our shop", "address": "http://127.0.0.1:9", "settings": settings}));
}

/// Opens an exception about something.
pub fn raise(site: &Site, kind: Kind, about: &str, title: &str) {
    let channel = site.get("/channels/shop")["id"].as_str().unwrap().parse().unwrap();
    site.block_on(site.engine.submit(report(kind, about.into(), channel, title.into(), "It is so.".into()), "system", None)).unwrap();
}

/// An endpoint: (its id, its secret).
pub fn endpoint(site: &Site, body: Value) -> (String, String) {
    let made = site.ok("POST /alerts", body);
    (made["id"].as_str().unwrap().to_owned(), made["secret"].as_str().unwrap_or("").to_owned())
}

pub fn log(site: &Site, alert: &str) -> Vec<Value> {
    site.get(&format!("/alerts/{alert}/deliveries"))["data"].as_array().unwrap().clone()
}

/// The only delivery of an endpoint, once it was tried so often.
fn tried(site: &Site, alert: &str, times: usize) -> Value {
    site.soon(&format!("{times} tries"), || {
        let log = log(site, alert);
        assert_eq!(log.len(), 1, "{log:?}");
        Some(log[0].clone()).filter(|d| d["attempts"].as_array().unwrap().len() == times)
    })
}

/// Long enough for a worker to do what it should not.
pub fn quiet() {
    std::thread::sleep(Duration::from_millis(900));
}

/// A simulated shop that sells what we do not have.
pub struct Shop {
    market: Arc<Market>,
    front: Arc<Shopify>,
    _served: Served,
    /// It outlives the site.
    _runtime: Runtime,
}

impl Shop {
    /// Connected and read once; `sku` is what the shop calls its second listing.
    pub fn new(site: &Site, sku: &str) -> Shop {
        site.locations(&[("LON", json!({}))]);
        site.item("LAMP", json!({}), "LON 2");
        let time = site.time.clone();
        let market = Market::with_clock(5, Arc::new(move || time.now()));
        for (id, sku) in [("101", "LAMP"), ("102", sku)] {
            market.list(Listing { id: id.into(), sku: sku.into(), title: sku.into(), price: 999, ..Listing::default() });
        }
        let front = Arc::new(Shopify::new(market.clone()));
        let runtime = Runtime::new().unwrap();
        let served = runtime.block_on(serve(front.clone().router())).unwrap();
        let settings = json!({"access_token": "shpat_simulated", "client_secret": "hush", "location": "1"});
        site.ok("POST /channels", json!({"code": "shop", "kind": "shopify", "name": "Our shop", "address": served.address, "settings": settings}));
        site.ok("POST /channels/shop/resync", Value::Null);
        Shop { market, front, _served: served, _runtime: runtime }
    }

    /// Sells units there, and tells of it by a signed webhook; answers what the webhook was answered.
    pub fn sell(&self, site: &Site, listing: &str, units: i64) -> String {
        self.market.edit_behind_our_back(listing, units);
        self.market.events();
        self.market.buy(listing, units).unwrap();
        let mut told = String::new();
        for event in self.market.events() {
            let delivery = self.front.delivery(&event);
            let headers: Vec<(&str, &str)> = delivery.headers.iter().map(|(n, v)| (n.as_str(), v.as_str())).chain([("authorization", "")]).collect();
            told = site.send("POST /webhooks/shop", delivery.body.clone(), &headers).told();
        }
        told
    }
}

#[test]
fn a_critical_exception_is_told_signed_and_so_is_its_end() {
    on_both(|url| {
        let site = Site::new(url);
        let shop = Shop::new(&site, "LAMP-6");
        let hooks: Vec<Hook> = (0..4).map(|_| Hook::new(&site)).collect();
        let (all, secret) = endpoint(&site, json!({"name": "On call", "url": hooks[0].url}));
        endpoint(&site, json!({"name": "Orders only", "url": hooks[1].url, "kinds": ["unfillable"], "channels": ["shop"], "solved": false}));
        endpoint(&site, json!({"name": "Everything", "url": hooks[2].url, "severity": "info"}));
        endpoint(&site, json!({"name": "Off", "url": hooks[3].url, "active": false}));
        site.alert();

        // Three lamps were sold there and two are here: an order that cannot be filled. And something that is no order's fault.
        assert_eq!(shop.sell(&site, "101", 3), "200");
        raise(&site, Kind::AuthorizationExpired, "authorization:shop", "The shop lets us in no more");
        let caught = site.soon("both are told", || Some(hooks[0].caught()).filter(|c| c.len() == 2));
        let told = caught.iter().find(|w| w.json()["data"]["kind"] == "unfillable").unwrap();
        assert!(told.is_by(&secret, site.time.now()) && !told.is_by("whsec_c2VjcmV0", site.time.now()));
        assert!(!told.is_by(&secret, site.time.now() + 301_000_000), "an old one can be told by its time");
        let body = told.json();
        assert_eq!((&body["type"], &body["specversion"], &body["source"]), (&json!("exception.opened"), &json!("1.0"), &json!("holdfast")));
        assert_eq!((&body["timestamp"], &body["id"]), (&json!("2026-03-02T09:00:00Z"), &json!(told.header("webhook-id"))));
        assert_eq!((&body["data"]["severity"], &body["data"]["channel"]), (&json!("critical"), &json!("shop")));
        assert_eq!((told.header("content-type"), told.header("webhook-timestamp")), ("application/json", "1772442000"));
        let id = body["data"]["id"].as_str().unwrap().to_owned();
        assert_eq!(site.get(&format!("/exceptions/{id}"))["title"], body["data"]["title"]);

        // A listing that is no item here is no critical matter.
        assert_eq!(shop.sell(&site, "102", 1), "200");
        site.soon("who wants everything hears of it", || hooks[2].caught().iter().any(|w| w.json()["data"]["kind"] == "unmapped").then_some(()));
        site.receive("LON", "LAMP", 5);
        site.ok(&format!("POST /exceptions/{id}"), json!({"action": "retry"}));
        let solved = site.soon("its end is told", || hooks[0].caught().into_iter().find(|w| w.json()["type"] == "exception.solved"));
        assert_eq!((&solved.json()["data"]["id"], &solved.json()["data"]["open"]), (&json!(id), &json!(false)));
        assert!(solved.header("webhook-id") != told.header("webhook-id") && solved.is_by(&secret, site.time.now()));
        quiet();
        let counts: Vec<usize> = hooks.iter().map(|h| h.caught().len()).collect();
        assert_eq!(counts, [3, 1, 4, 0]);

        // What was said is in the log; the secret is nowhere.
        let entry = log(&site, &all).into_iter().find(|d| d["message"] == told.header("webhook-id")).unwrap();
        assert_eq!((&entry["state"], &entry["attempts"][0]["status"], &entry["body"]), (&json!("delivered"), &json!(200), &body));
        let answer = entry["attempts"][0]["answer"].as_str().unwrap();
        assert!(answer.starts_with("said 200 xxx") && answer.len() == 1_024, "{answer}");
        let shown =
            [format!("{}{}", site.get("/alerts"), site.get("/events")), site.page("/webhooks"), site.page(&format!("/webhooks/{all}"))].concat();
        assert!(shown.contains("On call") && shown.contains(told.header("webhook-id")) && !shown.contains("whsec_"), "{shown}");
        site.verify();
    });
}

#[test]
fn what_fails_is_tried_again_on_the_published_schedule() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let hook = Hook::new(&site);
        hook.answers(&[Answer(500, None), Answer(302, Some(("location", "/elsewhere"))), Answer(429, Some(("retry-after", "4000")))]);
        let (id, secret) = endpoint(&site, json!({"name": "On call", "url": hook.url}));
        site.alert();
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1");
        assert_eq!(tried(&site, &id, 1)["state"], "pending");
        assert!(site.get("/alerts")["data"][0]["failing_since"].is_string());
        // Not before 5 seconds have passed; then not before 5 minutes; a redirect is not followed.
        site.time.advance(4);
        quiet();
        assert_eq!(hook.caught().len(), 1);
        site.time.advance(2);
        tried(&site, &id, 2);
        site.time.advance(290);
        quiet();
        assert_eq!(hook.caught().len(), 2);
        // Half an hour would be next, but the receiver asks for more; and for all that waits.
        site.time.advance(40);
        tried(&site, &id, 3);
        raise(&site, Kind::Unfillable, "order:shop:2", "Order 2");
        site.soon("the other arrives", || log(&site, &id).iter().find(|d| d["state"] == "delivered").cloned());
        site.time.advance(3_900);
        quiet();
        assert_eq!(hook.caught().len(), 4);
        site.time.advance(200);
        let caught = site.soon("it arrives at last", || Some(hook.caught()).filter(|c| c.len() == 5));
        let of_first: Vec<_> = caught.iter().filter(|w| w.header("webhook-id") == caught[0].header("webhook-id")).collect();
        assert_eq!(of_first.len(), 4, "one message, one id");
        let times: Vec<&str> = of_first.iter().map(|w| w.header("webhook-timestamp")).collect();
        assert!(times.windows(2).all(|t| t[0] < t[1]), "{times:?}");
        assert!(of_first.iter().all(|w| w.body == caught[0].body));
        assert!(of_first[3].is_by(&secret, site.time.now()) && !of_first[0].is_by(&secret, site.time.now()));
        let entry = site.soon("it is written down", || log(&site, &id).into_iter().find(|d| d["attempts"].as_array().unwrap().len() == 4));
        let statuses: Vec<&Value> = entry["attempts"].as_array().unwrap().iter().map(|a| &a["status"]).collect();
        assert_eq!((statuses, &entry["state"]), (vec![&json!(500), &json!(302), &json!(429), &json!(200)], &json!("delivered")));
        assert!(site.get("/alerts")["data"][0].get("failing_since").is_none());
    });
}

#[test]
fn a_receiver_that_never_answers_well_is_given_up_and_can_be_taken_up_again() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let hook = Hook::new(&site);
        hook.always(Some(Answer(500, None)));
        let (id, _) = endpoint(&site, json!({"name": "On call", "url": hook.url}));
        site.alert();
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1");
        let mut entry = tried(&site, &id, 1);
        for (n, seconds) in [5, 300, 1_800, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR].into_iter().enumerate() {
            assert_eq!((&entry["state"], entry["due_at"].is_string()), (&json!("pending"), true));
            site.time.advance(seconds + seconds / 10 + 1);
            entry = tried(&site, &id, n + 2);
        }
        assert_eq!((&entry["state"], hook.caught().len()), (&json!("failed"), 10));
        let metrics = site.get("/metrics");
        assert!(metrics.as_str().unwrap().contains(&format!("holdfast_alert_deliveries_failed{{alert=\"{id}\"}} 1")), "{metrics}");

        // Five days of nothing but failures, and it is switched off.
        site.time.advance(2 * DAY);
        site.ok(&format!("POST /alerts/{id}/test"), Value::Null);
        let status = site.soon("it is switched off", || Some(site.get(&format!("/alerts/{id}"))).filter(|s| s["active"] == false));
        assert_eq!((&status["reason"], &status["pending"]), (&json!("nothing came through for 5 days"), &json!(0)));
        assert!(site.page(&format!("/webhooks/{id}")).contains("nothing came through for 5 days"));
        let events = site.get("/events?limit=250")["data"].as_array().unwrap().iter().map(|e| e["type"].clone()).collect::<Vec<_>>();
        assert!(events.contains(&json!("alert.switched_off")) && events.contains(&json!("alert.failed")), "{events:?}");
        raise(&site, Kind::Unfillable, "order:shop:2", "Order 2");
        let replay = format!("POST /deliveries/{}/replay", entry["id"].as_str().unwrap());
        assert_eq!(site.call(&replay, Value::Null).told(), "422 invalid_field");

        hook.always(None);
        site.ok(&format!("PATCH /alerts/{id}"), json!({"active": true}));
        let again = site.ok(&replay, Value::Null);
        assert_eq!((&again["state"], &again["tries"], &again["message"]), (&json!("pending"), &json!(0), &entry["message"]));
        let caught = site.soon("it arrives", || Some(hook.caught()).filter(|c| c.len() == 12));
        assert_eq!(caught[11].header("webhook-id"), caught[0].header("webhook-id"));
        // Replayed before that, it would be one and the same.
        site.soon("it is written down", || log(&site, &id).iter().any(|d| d["id"] == entry["id"] && d["state"] == "delivered").then_some(()));
        assert_eq!(site.get(&format!("/alerts/{id}/deliveries?state=failed"))["data"].as_array().unwrap().len(), 1);
        // One that has arrived can be sent again, too; one that is not there cannot.
        site.ok(&replay, Value::Null);
        site.soon("it arrives again", || (hook.caught().len() == 13).then_some(()));
        assert_eq!(site.call("POST /deliveries/msg_0-1/replay", Value::Null).told(), "404 unknown_delivery");
    });
}

#[test]
fn a_receiver_that_is_gone_is_told_nothing_more() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let hook = Hook::new(&site);
        hook.answers(&[Answer(410, None)]);
        let (id, _) = endpoint(&site, json!({"name": "On call", "url": hook.url}));
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1");
        site.alert();
        let status = site.soon("it is switched off", || Some(site.get(&format!("/alerts/{id}"))).filter(|s| s["active"] == false));
        assert!(status["reason"].as_str().unwrap().contains("410 Gone"), "{status}");
        raise(&site, Kind::Unfillable, "order:shop:2", "Order 2");
        site.time.advance(DAY);
        quiet();
        assert_eq!((hook.caught().len(), log(&site, &id).len(), &log(&site, &id)[0]["state"]), (1, 1, &json!("failed")));
    });
}

#[test]
fn secrets_are_changed_without_a_gap() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let hook = Hook::new(&site);
        let body = json!({"name": "On call", "url": hook.url}).to_string().into_bytes();
        let create = |key: &str| site.send("POST /alerts", body.clone(), &[("idempotency-key", key)]);
        let first = create("one");
        let (id, old) = (first.body["id"].as_str().unwrap().to_owned(), first.body["secret"].as_str().unwrap().to_owned());
        assert!(old.starts_with("whsec_") && old.len() == 50, "32 bytes in base64");
        // Asked again, the answer is the same but for the secret, which is not kept anywhere in the clear.
        let again = create("one");
        assert_eq!((again.status, &again.body["id"], again.body.get("secret")), (201, &json!(id), None));
        assert_eq!(site.get("/alerts")["data"].as_array().unwrap().len(), 1);

        let new = site.ok(&format!("POST /alerts/{id}/secrets"), json!({}))["secret"].as_str().unwrap().to_owned();
        assert_ne!(old, new);
        site.alert();
        let by = |n: usize| {
            site.ok(&format!("POST /alerts/{id}/test"), Value::Null);
            let caught = site.soon("a test arrives", || hook.caught().get(n - 1).cloned());
            (caught.is_by(&old, site.time.now()), caught.is_by(&new, site.time.now()), caught.header("webhook-signature").split(' ').count())
        };
        assert_eq!(by(1), (true, true, 2));
        site.time.advance(DAY - 1);
        assert_eq!(by(2), (true, true, 2));
        site.time.advance(2);
        assert_eq!(by(3), (false, true, 1));

        // One that was told to somebody it should not is taken away at once.
        let third = site.ok(&format!("POST /alerts/{id}/secrets"), json!({"keep_old_seconds": 3_600}));
        let leaked = third["secrets"][1]["id"].as_str().unwrap().to_owned();
        let left = site.ok(&format!("DELETE /alerts/{id}/secrets/{leaked}"), Value::Null);
        assert_eq!(left["secrets"].as_array().unwrap().len(), 1);
        assert_eq!(by(4), (false, false, 1));
        let last = third["secrets"][0]["id"].as_str().unwrap();
        assert_eq!(site.call(&format!("DELETE /alerts/{id}/secrets/{last}"), Value::Null).told(), "422 invalid_field");
        assert_eq!(site.call(&format!("DELETE /alerts/{id}/secrets/{leaked}"), Value::Null).told(), "404 unknown_secret");
        assert_eq!(site.call(&format!("POST /alerts/{id}/secrets"), json!({"keep_old_seconds": -1})).told(), "422 invalid_field");
        for _ in 0..4 {
            site.ok(&format!("POST /alerts/{id}/secrets"), json!({}));
        }
        assert_eq!(site.call(&format!("POST /alerts/{id}/secrets"), json!({})).told(), "409 limit_reached");
    });
}

/// The key that encrypts secrets is replaced in two steps, and no webhook goes unsigned.
#[test]
fn secrets_outlive_the_key_that_encrypted_them() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let hook = Hook::new(&site);
        let (id, secret) = endpoint(&site, json!({"name": "On call", "url": hook.url}));
        let (old, new) = ("c4".repeat(32), "d5".repeat(32));
        for (n, keys) in [format!("{new},{old}"), new].iter().enumerate() {
            site.ok(&format!("POST /alerts/{id}/test"), Value::Null);
            let worker = site.alert_with(Vault::parse(keys).unwrap());
            let caught = site.soon("it arrives", || hook.caught().get(n).cloned());
            assert!(caught.is_by(&secret, site.time.now()));
            site.soon("it is written down", || (site.get("/alerts")["data"][0]["pending"] == 0).then_some(()));
            // Another one takes over when its lease has run out.
            worker.abort();
            site.time.advance(20);
        }
        // The first key opens nothing any more: what cannot be signed is not sent.
        site.ok(&format!("POST /alerts/{id}/test"), Value::Null);
        site.alert();
        let fault = site.soon("a try", || log(&site, &id).iter().find_map(|d| d["attempts"][0]["fault"].as_str().map(str::to_owned)));
        assert!(fault.contains("secrets cannot be read") && hook.caught().len() == 2, "{fault}");
    });
}

#[test]
fn what_was_committed_is_told_by_the_next_server_and_what_was_not_by_none() {
    on_both(|url| {
        let (time, step) = (TestTime::new(), Arc::new(AtomicU8::new(0)));
        let asked = step.clone();
        let faults = Faults::new(move |at| match (asked.load(Ordering::SeqCst), at) {
            (1, "commit") | (2, "committed") => Some(Fault::Crash),
            _ => None,
        });
        let site = Site::with(url.clone(), time.clone(), Faults::default(), Outside::default());
        let shop = Shop::new(&site, "LAMP-6");
        let (id, _) = endpoint(&site, json!({"name": "On call", "url": "http://127.0.0.1:9/", "kinds": ["unfillable"]}));
        // A refused order is nobody's alarm.
        assert_eq!(site.order("1", "LAMP 99").told(), "409 insufficient_stock");
        assert_eq!(log(&site, &id).len(), 0);
        drop(site);

        // The server dies before the commit: nothing has happened. And right after it, before anything could be sent.
        for (dies, told) in [(1, 0), (2, 1)] {
            let site = Site::with(url.clone(), time.clone(), faults.clone(), Outside::default());
            // Ids are taken in a transaction of their own, with the first command.
            site.item(&format!("FIRST-{dies}"), json!({}), "");
            step.store(dies, Ordering::SeqCst);
            let answer = shop.sell(&site, "101", 3);
            assert_eq!(answer, "503 shutting_down");
            step.store(0, Ordering::SeqCst);
            drop(site);
            let site = Site::with(url.clone(), time.clone(), Faults::default(), Outside::default());
            assert_eq!((log(&site, &id).len(), site.get("/exceptions")["data"].as_array().unwrap().len()), (told, told));
        }
        let site = Site::with(url, time, Faults::default(), Outside::default());
        let hook = Hook::new(&site);
        site.ok(&format!("PATCH /alerts/{id}"), json!({"url": hook.url}));
        site.alert();
        let caught = site.soon("it is told", || hook.caught().pop());
        assert_eq!(caught.json()["data"]["kind"], "unfillable");
        site.soon("once", || (log(&site, &id)[0]["state"] == "delivered").then_some(()));
        assert_eq!(hook.caught().len(), 1);
        site.verify();
    });
}

#[test]
fn endpoints_do_not_wait_for_each_other() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let (slow, quick) = (Hook::new(&site), Hook::new(&site));
        slow.always(Some(Answer(HANGS, None)));
        endpoint(&site, json!({"name": "Slow", "url": slow.url}));
        let (id, _) = endpoint(&site, json!({"name": "Quick", "url": quick.url}));
        // A port that nobody listens at, and a name that leads to this machine by https.
        let (dead, _) = endpoint(&site, json!({"name": "Dead", "url": "http://127.0.0.1:9/"}));
        let (inside, _) = endpoint(&site, json!({"name": "Inside", "url": quick.url.replace("http://127.0.0.1", "https://localhost")}));
        for n in 0..30 {
            raise(&site, Kind::Unfillable, &format!("order:shop:{n}"), &format!("Order {n}"));
        }
        site.alert();
        site.soon("all arrive at one while the other hangs", || (quick.caught().len() == 30).then_some(()));
        assert_eq!(slow.caught().len(), 8, "few at once");
        let fault = |id: &str| site.soon("a try", || log(&site, id)[29]["attempts"][0]["fault"].as_str().map(str::to_owned));
        assert!(fault(&dead).contains("refused"), "{}", fault(&dead));
        assert!(fault(&inside).contains("private address"), "{}", fault(&inside));
        let mut ids: Vec<String> = quick.caught().iter().map(|w| w.header("webhook-id").to_owned()).collect();
        ids.sort();
        ids.dedup();
        assert_eq!((ids.len(), log(&site, &id).len()), (30, 30));
    });
}

#[test]
fn of_several_nodes_one_sends() {
    let url = on_postgres();
    let time = TestTime::new();
    let node = || Site::with(url.clone(), time.clone(), Faults::default(), Outside::default());
    let (one, two) = (node(), node());
    channel(&one);
    let hook = Hook::new(&one);
    // Slow enough that two senders would meet.
    hook.takes(Duration::from_millis(400));
    let (id, _) = endpoint(&one, json!({"name": "On call", "url": hook.url}));
    one.alert();
    two.alert();
    for n in 0..40 {
        raise(if n % 2 == 0 { &one } else { &two }, Kind::Unfillable, &format!("order:shop:{n}"), "An order");
    }
    one.soon("all are delivered", || (one.get(&format!("/alerts/{id}"))["pending"] == 0).then_some(()));
    assert_eq!(hook.caught().len(), 40);
    // The one that sends goes; the other takes over when its lease has run out.
    drop(one);
    let hook = Hook::new(&two);
    two.ok(&format!("PATCH /alerts/{id}"), json!({"url": hook.url}));
    two.time.advance(20);
    raise(&two, Kind::Unfillable, "order:shop:last", "An order");
    two.soon("the other sends", || (hook.caught().len() == 1).then_some(()));
}

#[test]
fn an_exception_that_becomes_critical_is_told_then() {
    on_both(|url| {
        let site = Site::new(url);
        channel(&site);
        let (id, _) = endpoint(&site, json!({"name": "On call", "url": "http://127.0.0.1:9/"}));
        raise(&site, Kind::Unmapped, "order:shop:1", "Order 1");
        raise(&site, Kind::Unmapped, "order:shop:1", "Order 1 again");
        assert_eq!(log(&site, &id).len(), 0);
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1 cannot be taken on");
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1 cannot be taken on");
        assert_eq!(log(&site, &id).len(), 1, "once");
        // Whoever is added later is not told of what is known; and nobody of the end of what they were not told of.
        let (late, _) = endpoint(&site, json!({"name": "Late", "url": "http://127.0.0.1:9/"}));
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1 cannot be taken on");
        let exception = site.get("/exceptions")["data"][0]["id"].as_str().unwrap().to_owned();
        site.ok(&format!("POST /exceptions/{exception}"), json!({"action": "dismiss", "note": "done by hand"}));
        let told: Vec<Value> = log(&site, &id).into_iter().map(|d| d["type"].clone()).collect();
        assert_eq!((told.len(), told.contains(&json!("exception.solved")), log(&site, &late).len()), (2, true, 0));

        // Old deliveries are forgotten; not those of an exception that is still open.
        raise(&site, Kind::Unfillable, "order:shop:2", "Order 2");
        site.ok(&format!("PATCH /alerts/{id}"), json!({"active": false}));
        let prune = || engine::jobs::prune(&site.engine, &mut engine::db::Conn::open(&site.url).unwrap()).unwrap();
        site.time.advance(29 * DAY);
        prune();
        assert_eq!(log(&site, &id).len(), 3);
        site.time.advance(2 * DAY);
        prune();
        assert_eq!(log(&site, &id).iter().map(|d| &d["body"]["data"]["title"]).collect::<Vec<_>>(), [&json!("Order 2")]);
        assert_eq!(site.call(&format!("DELETE /alerts/{id}"), Value::Null).status, 204);
        assert_eq!(site.call(&format!("GET /alerts/{id}/deliveries"), Value::Null).told(), "404 unknown_alert");
        assert_eq!(site.call(&format!("DELETE /alerts/{id}"), Value::Null).told(), "404 unknown_alert");
    });
}

#[test]
fn only_good_endpoints_are_taken_and_only_from_an_administrator() {
    on_both(|url| {
        let site = Site::with(url.clone(), TestTime::new(), Faults::default(), outside("smtp://127.0.0.1:9".into()));
        channel(&site);
        let refused = |body: Value| {
            let reply = site.call("POST /alerts", body);
            format!("{} {}", reply.told(), reply.body["field"].as_str().unwrap_or("–"))
        };
        let with = |field: &str, value: Value| {
            let mut body = json!({"name": "On call", "url": "https://alerts.example.com/"});
            body[field] = value;
            refused(body)
        };
        assert_eq!(with("name", json!("")), "422 invalid_field name");
        assert_eq!(with("name", json!("a\r\nb")), "422 invalid_field name");
        for url in
            ["http://alerts.example.com/", "https://10.1.2.3/", "https://169.254.169.254/latest", "https://u:p@example.com/", "https://[::1]/", ""]
        {
            assert_eq!(with("url", json!(url)), "422 invalid_field url", "{url}");
        }
        assert_eq!(with("url", json!(format!("https://example.com/{}", "a".repeat(1_100)))), "422 invalid_field url");
        assert_eq!(with("mail", json!(["ops@example.com"])), "422 invalid_field url");
        assert_eq!(with("channels", json!(["nowhere"])), "422 unknown_channel channels[0]");
        assert_eq!(with("kinds", json!(["silly"])), "400 invalid_field kinds[0]");
        assert_eq!(with("severity", json!("dire")), "400 invalid_field severity");
        assert_eq!(with("secret", json!("whsec_mine")), "400 unknown_field secret");
        assert_eq!(refused(json!({"name": "Nowhere"})), "422 invalid_field url");
        assert_eq!(refused(json!({"name": "Mail", "mail": []})), "422 invalid_field mail");
        assert_eq!(refused(json!({"name": "Mail", "mail": ["ops@example.com", "nobody"]})), "422 invalid_field mail[1]");
        assert_eq!(refused(json!({"name": "Mail", "mail": vec!["ops@example.com"; 21]})), "422 invalid_field mail");
        assert_eq!(site.get("/alerts")["data"], json!([]));

        let (id, _) = endpoint(&site, json!({"name": "<b>On call</b>", "url": "https://alerts.example.com/", "channels": ["shop"]}));
        let (mail, _) = endpoint(&site, json!({"name": "Office", "mail": ["ops@example.com"]}));
        assert_eq!(site.call(&format!("PATCH /alerts/{id}"), json!({"mail": ["ops@example.com"]})).told(), "422 invalid_field");
        assert_eq!(site.call(&format!("PATCH /alerts/{id}"), json!({"url": "https://127.0.0.1/"})).told(), "422 invalid_field");
        assert_eq!(site.call(&format!("POST /alerts/{mail}/secrets"), json!({})).told(), "422 invalid_field");
        assert_eq!(site.call("PATCH /alerts/12", json!({})).told(), "404 unknown_alert");
        assert_eq!(site.call("GET /alerts/x", Value::Null).told(), "404 unknown_alert");
        assert_eq!(site.call(&format!("GET /alerts/{id}/deliveries?state=lost"), Value::Null).status, 400);
        let changed = site.ok(&format!("PATCH /alerts/{id}"), json!({"severity": "warning", "kinds": ["drift"], "channels": []}));
        assert_eq!((&changed["severity"], &changed["kinds"], &changed["channels"]), (&json!("warning"), &json!(["drift"]), &json!([])));
        let page = site.page("/webhooks");
        assert!(page.contains("&lt;b&gt;On call&lt;/b&gt;") && !page.contains("<b>On call"), "{page}");

        // Pages of a log.
        for _ in 0..5 {
            site.ok(&format!("POST /alerts/{id}/test"), Value::Null);
            site.time.advance(1);
        }
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = site.get(&format!("/alerts/{id}/deliveries?limit=2&after={after}"));
            seen.extend(page["data"].as_array().unwrap().iter().map(|d| d["created_at"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        assert!(seen.len() == 5 && seen.windows(2).all(|w| w[0] > w[1]), "{seen:?}");

        for n in 2..50 {
            endpoint(&site, json!({"name": format!("E{n}"), "url": "https://alerts.example.com/"}));
        }
        assert_eq!(refused(json!({"name": "Too many", "url": "https://alerts.example.com/"})), "409 limit_reached –");

        let (_, key) = create_key(&url, "reader", "operate", site.time.now(), None).unwrap();
        let bearer = format!("Bearer {key}");
        let may = |what: String| site.send(&what, b"{}".to_vec(), &[("authorization", &bearer)]).status;
        assert_eq!((may("GET /alerts".into()), may(format!("GET /alerts/{id}/deliveries"))), (200, 200));
        for what in [
            "POST /alerts".to_owned(),
            format!("PATCH /alerts/{id}"),
            format!("DELETE /alerts/{id}"),
            format!("POST /alerts/{id}/secrets"),
            format!("DELETE /alerts/{id}/secrets/x"),
            format!("POST /alerts/{id}/test"),
            "POST /deliveries/x/replay".to_owned(),
        ] {
            assert_eq!(may(what.clone()), 403, "{what}");
        }
    });
}
