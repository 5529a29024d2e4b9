//! The live page in a real browser: what a person sees, does and waits for.
//!
//! One browser, one server, one story from the empty database to the restart. Not here: the API's own tests (`it/`).

mod browser;

use browser::{Browser, Folder, Server};
use serde_json::json;
use std::time::{Duration, Instant};
use thirtyfour::By;
use thirtyfour::error::WebDriverResult;

/// How soon the page must show what happened.
const SOON: Duration = Duration::from_secs(2);

#[tokio::test(flavor = "multi_thread")]
async fn live_page() {
    let mut server = Server::start();
    let key = server.key("Ada");
    let browser = Browser::start().await;
    let told = story(&browser, &mut server, &key).await;
    browser.quit().await;
    told.unwrap();
}

async fn story(browser: &Browser, server: &mut Server, key: &str) -> WebDriverResult<()> {
    let page = &browser.driver;
    let url = server.url.clone();

    // Without a key there is only the way in.
    page.goto(format!("{url}/")).await?;
    assert!(page.current_url().await?.as_str().ends_with("/sign-in"));
    let wrong = format!("hf_{}_{}", "a".repeat(12), "b".repeat(43));
    page.find(By::Id("key")).await?.send_keys(wrong.as_str()).await?;
    page.find(By::Css("button[type=submit]")).await?.click().await?;
    browser.until("the refusal", "return document.querySelector('#wrong')?.textContent.includes('opens nothing')", SOON).await;
    assert!(!page.source().await?.contains(&wrong), "the page repeats the key that was typed");
    assert!(page.get_all_cookies().await?.is_empty());
    page.find(By::Id("key")).await?.send_keys(key).await?;
    page.find(By::Css("button[type=submit]")).await?.click().await?;

    // Nothing there yet: the page says what to do, and listens.
    browser.until("the empty state", "return document.querySelector('#h-empty')?.textContent === 'No items yet'", SOON).await;
    browser.until("the live dot", "return document.querySelector('#status').dataset.state === 'live'", SOON).await;
    let cookie = page.get_named_cookie(web::auth::COOKIE).await?;
    assert_eq!((cookie.http_only, cookie.path.as_deref()), (Some(true), Some("/")));
    assert_eq!(browser.js("return document.cookie").await, "", "a script can read the cookie");

    // All that follows happens without a reload.
    browser.js("window.sameDocument = true").await;
    server.post(key, "/locations", json!({ "code": "LON", "name": "London", "kind": "warehouse", "country": "GB", "daily_capacity": 500 }));
    server.post(key, "/items", json!({ "sku": "MUG-1", "name": "<script>alert(1)</script>" }));
    browser.until("the figures", "return document.querySelector('.kpis') !== null", SOON).await;
    server.post(key, "/stock/receive", json!({ "location": "LON", "lines": [{ "sku": "MUG-1", "quantity": 12_345 }] }));
    browser.until("the stock", "return document.querySelector('.kpis').textContent.includes('12,345')", SOON).await;

    // Focus, a selection and a position outlive what changes around them.
    browser.js("document.querySelector('#rate summary').focus(); document.querySelector('#rate details').open = true").await;
    let order = server.post(key, "/orders", order("A-1", 45));
    let number = order["number"].as_str().unwrap_or_default().to_owned();
    let placed_at = Instant::now();
    browser.until("the order", &format!("return document.querySelector('#orders').textContent.includes('{number}')"), SOON).await;
    browser
        .until(
            "its event",
            &format!("return document.querySelector('#feed li').textContent.includes('{number} placed on web, 45 units from LON')"),
            SOON,
        )
        .await;
    browser
        .until(
            "the figures after it",
            "return document.querySelector('.kpis').textContent.includes('12,300')",
            SOON.saturating_sub(placed_at.elapsed()),
        )
        .await;
    assert_eq!(browser.js("return document.activeElement.textContent").await, "View as table");
    assert_eq!(browser.js("return document.querySelector('#rate details').open").await, true);
    assert_eq!(browser.js("return window.sameDocument").await, true, "the page was loaded again");
    let text = browser.js("return document.querySelector('#risk').textContent").await;
    assert!(text.as_str().unwrap_or_default().contains("<script>alert(1)</script>"), "{text}");
    assert_eq!(browser.js("return document.querySelectorAll('main script').length").await, 0);

    // While text is selected, its part keeps still; the others go on.
    browser.js("getSelection().selectAllChildren(document.querySelector('#feed li'))").await;
    server.post(key, "/orders", self::order("A-2", 1));
    browser.until("the second order", "return document.querySelector('#orders').textContent.includes('A-2')", SOON).await;
    assert!(browser.js("return getSelection().toString()").await.as_str().unwrap_or_default().contains(&number));
    browser.js("getSelection().removeAllRanges()").await;
    browser
        .until("the feed again", "return document.querySelector('#feed li').textContent.includes('1 unit from LON')", Duration::from_secs(8))
        .await;

    // Paused is paused; going on catches up. Single keys do it too.
    browser.press("p").await;
    browser.until("the pause", "return document.querySelector('#status').dataset.state === 'paused'", SOON).await;
    server.post(key, "/orders", self::order("A-3", 1));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(browser.js("return document.querySelector('#orders').textContent.includes('A-3')").await, false);
    browser.js("document.querySelector('#feed [data-pause]').click()").await;
    browser.until("the third order", "return document.querySelector('#orders').textContent.includes('A-3')", SOON).await;
    browser.press("?").await;
    browser.until("the keys", "return document.querySelector('#keys').open", SOON).await;
    browser.js("document.querySelector('#keys').close()").await;

    looks(browser, &url).await?;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // The server goes and comes back at the same place; the page waits for it and goes on.
    browser.js("window.sameDocument = true").await;
    server.kill();
    browser.until("the loss", "return document.querySelector('#status').dataset.state === 'lost'", Duration::from_secs(5)).await;
    browser.until("the alarm", "return !document.querySelector('#alarm').hidden", Duration::from_secs(8)).await;
    server.start_again();
    browser.until("the live dot again", "return document.querySelector('#status').dataset.state === 'live'", Duration::from_secs(8)).await;
    assert_eq!(browser.js("return document.querySelector('#alarm').hidden").await, true);
    server.post(key, "/orders", self::order("A-4", 1));
    browser.until("the fourth order", "return document.querySelector('#orders').textContent.includes('A-4')", SOON).await;
    assert_eq!(browser.js("return window.sameDocument").await, true, "the page was loaded again");
    let complaints: Vec<String> = browser.complaints().await.into_iter().filter(|c| !c.contains("net::ERR_")).collect();
    assert_eq!(complaints, Vec::<String>::new());

    // Out again.
    browser.js("document.querySelector('form[action=\"/sign-out\"] button').click()").await;
    browser.until("the way in", "return location.pathname === '/sign-in'", SOON).await;
    assert!(page.get_all_cookies().await?.is_empty());
    Ok(())
}

/// The same figures from the same deeds, whichever database holds them.
#[test]
fn figures_on_both_databases() {
    let postgres = sim::postgres::TempPostgres::start(false).unwrap();
    let servers = [Server::start(), Server::start_on(Folder::new("postgres"), postgres.database().unwrap())];
    for server in &servers {
        let key = server.key("Ada");
        let lines = |quantity: i64| json!([{ "sku": "MUG-1", "quantity": quantity }]);
        for (code, capacity) in [("LON", Some(4)), ("YRK", None)] {
            server.post(&key, "/locations", json!({ "code": code, "name": code, "kind": "warehouse", "country": "GB", "daily_capacity": capacity }));
        }
        server.post(&key, "/items", json!({ "sku": "MUG-1", "name": "Mug" }));
        server.post(&key, "/items", json!({ "sku": "CUP-1", "name": "Cup", "when_short": "backorder" }));
        server.post(&key, "/stock/receive", json!({ "location": "LON", "lines": lines(12_345) }));
        server.post(&key, "/transfers", json!({ "from": "LON", "to": "YRK", "lines": lines(300) }));
        server.post(&key, "/reservations", json!({ "expires_in_seconds": 600, "lines": lines(5) }));
        let placed = server.post(&key, "/orders", order("A-1", 45));
        let fulfillment = placed["fulfillments"][0]["id"].as_str().unwrap();
        for quantity in [40, 2] {
            server.post(&key, &format!("/fulfillments/{fulfillment}/ship"), json!({ "lines": lines(quantity) }));
        }
        let cups = json!([{ "sku": "CUP-1", "quantity": 7 }]);
        server.post(&key, "/orders", json!({ "channel": "web", "reference": "A-2", "ship_to": { "country": "GB" }, "lines": cups }));
        let text = server.text(&key, "/live");
        for part in [
            "Orders today 2 0 refused since",
            "Units available 11,995 of 12,003 on hand",
            "Units held 5 1 hold ",
            "Units committed 3 1 open fulfillment ",
            "Units waiting 7 for 1 item ",
            "Units shipped today 42 52 ordered today",
            "On hand 12,003 Available 11,995 Promised 8 Set aside 0 On the way 300",
            "web A-2 Backordered 7 – ",
            "web A-1 Part shipped 45 LON ",
            "CUP-1 Cup None 7 MUG-1 Mug 11,995 0",
            "LON LON 25% 1 / 4 1",
            "YRK YRK No limit 0 0",
            "shipped, 42 of 45 units",
        ] {
            assert!(text.contains(part), "“{part}” is missing on {}:\n{text}", server.database());
        }
    }
}

fn order(reference: &str, quantity: i64) -> serde_json::Value {
    json!({ "channel": "web", "reference": reference, "ship_to": { "country": "GB" }, "lines": [{ "sku": "MUG-1", "quantity": quantity }] })
}

/// On a phone and on a desk, light and dark: nothing sticks out, and text can be read.
async fn looks(browser: &Browser, url: &str) -> WebDriverResult<()> {
    for (width, height) in [(390, 844), (1_440, 900)] {
        browser
            .cdp("Emulation.setDeviceMetricsOverride", json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 }))
            .await;
        for scheme in ["light", "dark"] {
            browser.cdp("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] })).await;
            browser.driver.goto(format!("{url}/")).await?;
            browser.until("the live dot", "return document.querySelector('#status').dataset.state === 'live'", SOON).await;
            assert_eq!(browser.js("return document.documentElement.scrollWidth <= innerWidth").await, true, "the page scrolls sideways at {width}");
            let ground = browser.js("return getComputedStyle(document.body).backgroundColor").await;
            assert_eq!(ground, if scheme == "dark" { "rgb(14, 17, 20)" } else { "rgb(245, 246, 247)" });
            assert_eq!(browser.js(FAINT).await, json!([]), "text of too little contrast, {scheme}, {width} wide");
            if width < 500 {
                assert_eq!(browser.js(NAMELESS).await, json!([]), "controls without a name");
            }
        }
    }
    Ok(())
}

/// Visible text with less than 4.5:1 to what is behind it.
const FAINT: &str = r"
    const light = (c) => { const [r, g, b] = c.map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4); return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
    const parse = (c) => c.match(/[\d.]+/g).map(Number);
    const behind = (e) => { for (; e; e = e.parentElement) { const c = parse(getComputedStyle(e).backgroundColor); if (c[3] === undefined || c[3] === 1) return c.slice(0, 3); } return [255, 255, 255]; };
    const faint = [];
    const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (walker.nextNode()) {
        const e = walker.currentNode.parentElement;
        if (!walker.currentNode.data.trim() || !e.checkVisibility() || e.closest('svg')) continue;
        const pair = [light(parse(getComputedStyle(e).color).slice(0, 3)), light(behind(e))].sort((a, b) => b - a);
        if ((pair[0] + 0.05) / (pair[1] + 0.05) < 4.5) faint.push(walker.currentNode.data.trim());
    }
    return faint;";

/// Links, buttons, fields and pictures that a screen reader could not name.
const NAMELESS: &str = r"
    const named = (e) => e.textContent.trim() || e.getAttribute('aria-label') || e.labels?.length || e.querySelector('title');
    return [...document.querySelectorAll('a, button, summary, input, svg[role=img]')].filter((e) => !named(e)).map((e) => e.outerHTML.slice(0, 80));";
