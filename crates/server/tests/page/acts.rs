//! The daily acts, each with the keys that `docs/tasks.md` counts, on a desk and on a phone, light and dark. What came of each is asked of
//! the API.

use super::SOON;
use super::browser::{Browser, Server};
use serde_json::{Value, json};
use sim::markets::market::Listing;
use sim::markets::{Market, serve, shopify::Shopify};
use std::sync::Arc;
use std::time::{Duration, Instant};
use thirtyfour::error::WebDriverResult;

/// Keys as WebDriver names them.
const TAB: &str = "\u{e004}";
const ENTER: &str = "\u{e007}";
const CONTROL: char = '\u{e009}';
const ESCAPE: &str = "\u{e00c}";
const DOWN: &str = "\u{e015}";

/// One run of all acts at one size.
struct Acts<'a> {
    browser: &'a Browser,
    server: &'a Server,
    key: &'a str,
    url: &'a str,
    /// Sets the orders of this run apart from those of others.
    run: &'a str,
    market: &'a Market,
}

pub async fn acts(browser: &Browser, server: &Server, key: &str, url: &str) -> WebDriverResult<()> {
    server.post(key, "/locations", json!({"code": "LEE", "name": "Leeds", "kind": "store", "country": "GB", "latitude": 53.8, "longitude": -1.5}));
    server.post(key, "/items", json!({"sku": "LAMP", "name": "Reading lamp"}));
    for location in ["LON", "LEE"] {
        server.post(key, "/stock/receive", json!({"location": location, "lines": [{"sku": "LAMP", "quantity": 500}]}));
    }
    // A shop that lists something that is no item here.
    let market = Market::with_clock(5, Arc::new(|| jiff::Timestamp::now().as_microsecond()));
    market.list(Listing { id: "101".into(), sku: "LAMPE".into(), title: "Reading lamp".into(), price: 999, ..Listing::default() });
    let served = serve(Arc::new(Shopify::new(market.clone())).router()).await.unwrap();
    let settings = json!({"access_token": "shpat_simulated", "client_secret": "hush", "location": "1", "poll_seconds": "1"});
    let shop = json!({"code": "shop", "kind": "shopify", "name": "Our shop", "address": served.address, "settings": settings});
    server.post(key, "/channels", shop);
    for (run, width, height, scheme) in [("desk", 1_440, 900, "light"), ("phone", 390, 844, "dark")] {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.cdp("Emulation.setDeviceMetricsOverride", size).await;
        browser.cdp("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] })).await;
        let acts = Acts { browser, server, key, url, run, market: &market };
        acts.item().await?;
        acts.order().await?;
        acts.exception().await?;
        acts.leaver().await?;
    }
    browser.cdp("Emulation.clearDeviceMetricsOverride", json!({})).await;
    browser.cdp("Emulation.setEmulatedMedia", json!({ "features": [] })).await;
    Ok(())
}

impl Acts<'_> {
    /// Presses keys one after another; a longer text is typed.
    async fn keys(&self, keys: &[&str]) {
        for key in keys {
            self.browser.press(key).await;
        }
    }

    async fn open(&self, path: &str) -> WebDriverResult<()> {
        self.browser.open(&format!("{}{path}", self.url)).await
    }

    async fn until(&self, what: &str, script: &str) {
        self.browser.until(&format!("{what} ({})", self.run), &format!("return Boolean({script})"), SOON).await;
    }

    /// Waits until the API says so.
    async fn told(&self, what: &str, path: &str, so: impl Fn(&Value) -> bool) -> Value {
        let began = Instant::now();
        loop {
            let answer = self.server.get(self.key, path);
            if so(&answer) {
                return answer;
            }
            if began.elapsed() > Duration::from_secs(20) {
                let page = self.browser.js("return location.pathname + ' ' + document.activeElement.outerHTML.slice(0, 200) + ' ' + document.querySelector('main').innerText").await;
                panic!("{what} ({}): {answer}; the page: {page}", self.run);
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    fn at(stock: &Value, location: &str, state: &str) -> i64 {
        stock["locations"].as_array().unwrap().iter().find(|l| l["location"] == location).map_or(0, |l| l[state].as_i64().unwrap())
    }

    /// Acts 1, 2, 7, 8 and undo, at the item's page, which the palette opens.
    async fn item(&self) -> WebDriverResult<()> {
        self.open("/").await?;
        self.browser.chord(CONTROL, "k").await;
        self.until("the palette", "document.querySelector('#palette').open").await;
        self.keys(&["LAMP"]).await;
        self.until("the item", "document.querySelector('#palette [role=option]')?.textContent.includes('LAMP')").await;
        self.keys(&[ENTER]).await;
        self.until("its page", "location.pathname === '/items/LAMP'").await;
        self.until("the stream", "document.querySelector('#status')?.dataset.state === 'live' || !document.querySelector('#status')").await;
        let before = self.server.get(self.key, "/stock/LAMP");
        let place = if Self::at(&before, "LEE", "on_hand") > Self::at(&before, "LON", "on_hand") { "LEE" } else { "LON" };
        let other = if place == "LON" { "LEE" } else { "LON" };
        let had = |state: &str| Self::at(&before, place, state);
        let on_hand = |n: i64| move |stock: &Value| Self::at(stock, place, "on_hand") == n;
        // What stands in it is chosen: the letter of a key that was pressed by the driver may come after the page that the key opened.
        let form = "document.activeElement?.name === 'units' && (document.activeElement.select(), true)";

        self.keys(&["r"]).await;
        self.until("the form for receiving", form).await;
        self.keys(&["24", ENTER]).await;
        self.told("24 are received", "/stock/LAMP", on_hand(had("on_hand") + 24)).await;
        self.until("what was done", "document.querySelector('[role=status] [data-undo], [data-undo]')").await;
        self.keys(&["z"]).await;
        self.told("they are taken back", "/stock/LAMP", on_hand(had("on_hand"))).await;
        self.until("that it is undone", "!document.querySelector('[data-undo]')").await;

        self.keys(&["m"]).await;
        self.until("the form for moving", form).await;
        self.keys(&["2", ENTER]).await;
        self.told("2 are damaged", "/stock/LAMP", |stock| Self::at(stock, place, "damaged") == had("damaged") + 2).await;

        self.until("what was moved", "document.querySelector('[data-undo]')").await;
        self.keys(&["c"]).await;
        self.until("the form for counting", form).await;
        let counted = had("on_hand") - 3;
        self.keys(&[&counted.to_string(), ENTER]).await;
        self.told("what was counted is there", "/stock/LAMP", on_hand(counted)).await;

        self.until("what was counted", "document.querySelector('[data-undo]')").await;
        let there = Self::at(&before, other, "incoming");
        self.keys(&["t"]).await;
        self.until("the form for sending", form).await;
        self.keys(&["5", ENTER]).await;
        self.told("5 are on their way", "/stock/LAMP", |stock| Self::at(stock, other, "incoming") == there + 5).await;
        // A driver that leaves while the answer to a form is on its way may wait for it forever.
        self.until("what was sent", "document.querySelector('.flash')?.textContent.includes('sent from')").await;
        self.keys(&["z"]).await;
        self.told("they are taken back", "/stock/LAMP", |stock| Self::at(stock, other, "incoming") == there).await;
        self.until("that it is canceled", "document.querySelector('[role=status]')?.textContent.includes('Canceled')").await;
        Ok(())
    }

    /// The search index follows what was ordered.
    async fn found_by_its_item(&self, reference: &str) -> WebDriverResult<()> {
        let began = Instant::now();
        let is_there = format!("return document.querySelector('main')?.textContent.includes('{reference}') === true");
        loop {
            self.open("/orders?item=LAMP").await?;
            if self.browser.js(&is_there).await == true {
                return Ok(());
            }
            assert!(began.elapsed() < Duration::from_secs(20), "{reference} is not found by its item");
        }
    }

    /// Acts 3, 5, 9 and 4: found by its reference, seen why, sent from elsewhere, shipped.
    async fn order(&self) -> WebDriverResult<()> {
        let reference = format!("REF-{}", self.run);
        let body = json!({ "channel": "web", "reference": reference, "ship_to": { "country": "GB", "postal_code": "LS1 4AP", "latitude": 53.8, "longitude": -1.5 }, "lines": [{ "sku": "LAMP", "quantity": 2 }] });
        let order = self.server.post(self.key, "/orders", body);
        let path = format!("/orders/{}", order["id"].as_str().unwrap());
        let first = order["fulfillments"][0]["location"].as_str().unwrap().to_owned();
        self.open("/").await?;
        self.keys(&["g", "o"]).await;
        self.until("the orders", "location.pathname === '/orders'").await;
        self.keys(&["/"]).await;
        self.until("the filter", "document.activeElement?.name === 'q'").await;
        self.keys(&[&reference]).await;
        self.until("the one order", "document.querySelectorAll('[data-row]').length === 1").await;
        self.keys(&[ESCAPE, "j", ENTER]).await;
        self.until("its page", &format!("location.pathname === '{path}'")).await;
        self.found_by_its_item(&reference).await?;
        self.open(&path).await?;
        self.until("why", "/Why (London|Leeds)/.test(document.querySelector('main').textContent)").await;

        self.keys(&["r"]).await;
        self.until("the other locations", "document.querySelector('input[name=to]')").await;
        self.keys(&[DOWN, ENTER]).await;
        let elsewhere = |o: &Value| o["fulfillments"].as_array().unwrap().iter().any(|f| f["status"] == "open" && f["location"] != *first);
        self.told("it goes from elsewhere", &path, elsewhere).await;
        self.until("its page again", &format!("location.pathname === '{path}'")).await;

        self.keys(&["s"]).await;
        self.until("the form for shipping", "document.activeElement?.name === 'carrier'").await;
        self.keys(&["DHL", TAB, "JD014", ENTER]).await;
        self.told("it is shipped", &path, |o| o["status"] == "fulfilled").await;
        self.until("its page again", "!document.querySelector('[name=carrier]')").await;
        Ok(())
    }

    /// Act 6: a listing that is no item here, and the order that waits for it.
    async fn exception(&self) -> WebDriverResult<()> {
        let sku = format!("LAMP-{}", self.run);
        let number = if self.run == "desk" { "201" } else { "202" };
        self.market.list(Listing { id: number.into(), sku: sku.clone(), title: "Reading lamp".into(), price: 999, ..Listing::default() });
        self.market.edit_behind_our_back(number, 9);
        self.market.buy(number, 1).unwrap();
        let open = |told: &Value| told["data"].as_array().unwrap().iter().any(|e| e["kind"] == "unmapped" && e["open"] == true);
        self.told("a person is told", "/exceptions", open).await;
        self.open("/").await?;
        self.keys(&["g", "e"]).await;
        self.until("the desk", "location.pathname === '/exceptions'").await;
        self.until("the exception", "document.querySelector('[data-row]')").await;
        self.keys(&["j", ENTER]).await;
        self.until("what can be done", "document.querySelector('main [data-key=r]')?.checkVisibility()").await;
        self.keys(&["r"]).await;
        self.until(
            "the likeliest item",
            "document.querySelector('[name=remap-sku]')?.checkVisibility() && document.querySelector('[name=remap-sku]').value === 'LAMP'",
        )
        .await;
        self.keys(&[ENTER]).await;
        self.told("it is solved", "/exceptions", |told| !open(told)).await;
        self.until("the desk again", "!document.querySelector('[name=remap-sku]')?.checkVisibility()").await;
        Ok(())
    }

    /// Act 10: somebody leaves.
    async fn leaver(&self) -> WebDriverResult<()> {
        let login = format!("leaver-{}@example.com", self.run);
        self.server.person(&login, &format!("Lee {}", self.run), "support");
        self.open("/").await?;
        self.keys(&["g", "p"]).await;
        self.until("the people", "location.pathname === '/people'").await;
        self.keys(&["/"]).await;
        self.until("the filter", "document.activeElement?.name === 'q'").await;
        self.keys(&[&format!("lee {}", self.run), ENTER]).await;
        self.until("the one", "document.querySelectorAll('[data-row]').length === 1").await;
        self.keys(&[ESCAPE, "j", ENTER]).await;
        self.until("their page", "/^\\/people\\/./.test(location.pathname)").await;
        self.browser.js("[...document.querySelectorAll('summary')].find((s) => s.textContent.includes('Switch off')).click()").await;
        self.browser
            .js("document.querySelector('details[open] form[action$=\"/disable\"] button, details[open] .btn-danger[type=submit]').click()")
            .await;
        self.until("that they are out", "document.querySelector('main').textContent.includes('Switched off')").await;
        Ok(())
    }
}
