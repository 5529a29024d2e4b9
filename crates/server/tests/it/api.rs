//! The surface as a whole: the document, health, metrics, events as a list and a stream.

use crate::support::{Site, on_both};
use serde_json::{Value, json};

/// Every path that integrators rely on is in the document, and every path in the document needs a key.
#[test]
fn the_document_is_whole_and_every_route_is_guarded() {
    on_both(|url| {
        let site = Site::new(url);
        let document = site.get("/openapi.json");
        assert_eq!(document["openapi"], "3.1.0");
        let paths = document["paths"].as_object().unwrap();
        for path in [
            "/locations",
            "/items",
            "/imports/{kind}",
            "/stock/receive",
            "/stock/adjust",
            "/stock/move",
            "/stock/{sku}",
            "/stock/{sku}/entries",
            "/reservations",
            "/reservations/{id}/release",
            "/reservations/{id}/extend",
            "/orders",
            "/orders/{id}",
            "/orders/{id}/decision",
            "/orders/{id}/cancel",
            "/fulfillments/{id}/ship",
            "/events",
            "/events/stream",
        ] {
            assert!(paths.contains_key(path), "{path} is missing");
        }
        for (path, methods) in paths {
            for method in methods.as_object().unwrap().keys() {
                let address = path.replace("{id}", "1").replace("{sku}", "A").replace("{code}", "L").replace("{kind}", "items").replace("{key}", "k");
                let reply = site.send(&format!("{} {address}", method.to_uppercase()), Vec::new(), &[("authorization", "")]);
                // A marketplace signs what it tells, and has no key; what it asks with is looked at first.
                let guard = match (path.as_str(), method.as_str()) {
                    ("/webhooks/{code}", "get") => "400 invalid_parameter",
                    ("/webhooks/{code}", _) => "401 signature_invalid",
                    _ => "401 key_required",
                };
                assert_eq!(reply.told(), guard, "{method} {path}");
            }
        }
        assert_eq!(site.send("GET /metrics", Vec::new(), &[("authorization", "")]).status, 401);
        let metrics = site.get("/metrics");
        assert!(metrics.as_str().unwrap().contains("holdfast_commits_total"), "{metrics}");
        assert_eq!(site.get("/health/live"), "live\n");
        assert_eq!(site.get("/health/ready"), "ready\n");
        site.engine.shut_down();
    });
}

#[test]
fn events_are_in_one_order_without_gaps() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("A", json!({}), "LON 5");
        let held = site.reserve("A 1").body;
        let order = site.order("1", "A 2").body;
        let mut seen: Vec<(u64, String, String)> = Vec::new();
        let mut after = String::new();
        loop {
            let page = site.get(&format!("/events?limit=2&after={after}"));
            for event in page["data"].as_array().unwrap() {
                assert_eq!((&event["specversion"], &event["source"]), (&json!("1.0"), &json!("holdfast")));
                let text = |name: &str| event[name].as_str().unwrap().to_owned();
                seen.push((text("id").parse().unwrap(), text("type"), text("subject")));
            }
            match page["next"].as_str() {
                Some(next) => after = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(seen.iter().map(|(id, ..)| *id).collect::<Vec<_>>(), (1..=5).collect::<Vec<_>>());
        assert_eq!(
            seen.iter().map(|(_, kind, _)| kind.as_str()).collect::<Vec<_>>(),
            ["location.created", "item.created", "stock.received", "reservation.held", "order.placed"]
        );
        assert_eq!((Value::from(seen[3].2.clone()), Value::from(seen[4].2.clone())), (held["id"].clone(), order["id"].clone()));
        site.verify();
    });
}

/// A stream tells what happens while it is open, and one that was cut goes on after the last event it saw.
#[test]
fn the_stream_resumes() {
    use std::io::{BufRead, BufReader, Write};
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        let listener = site.block_on(tokio::net::TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let app = web::App::new(site.engine.clone());
        let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
        let serving = std::thread::spawn(move || {
            let runtime = tokio::runtime::Runtime::new().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::from_std(listener.into_std().unwrap()).unwrap();
                web::serve::serve(app, listener, async { drop(stopped.await) }).await;
            });
        });
        let open = |resume: &str| {
            let mut stream = std::net::TcpStream::connect(address).unwrap();
            stream.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
            write!(stream, "GET /api/v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n{resume}\r\n", site.key).unwrap();
            BufReader::new(stream)
        };
        let next = |stream: &mut BufReader<std::net::TcpStream>, mark: &str| loop {
            let mut line = String::new();
            assert!(stream.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(rest) = line.strip_prefix(mark) {
                return rest.trim().to_owned();
            }
        };
        let mut live = open("");
        next(&mut live, ": open");
        site.item("A", json!({}), "LON 5");
        assert_eq!((next(&mut live, "id: "), next(&mut live, "event: ")), ("2".into(), "item.created".into()));
        assert_eq!((next(&mut live, "id: "), next(&mut live, "event: ")), ("3".into(), "stock.received".into()));
        drop(live);
        site.order("1", "A 1");
        let mut resumed = open("Last-Event-ID: 2\r\n");
        assert_eq!(next(&mut resumed, "id: "), "3");
        assert_eq!(next(&mut resumed, "id: "), "4");
        site.order("2", "A 1");
        assert_eq!(next(&mut resumed, "id: "), "5");
        drop(resumed);
        let _ = stop.send(());
        serving.join().unwrap();
        site.verify();
    });
}
