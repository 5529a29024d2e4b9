//! The console in a real browser: what people see, do and wait for, on a desk and on a phone, light and dark, with the keyboard alone.
//!
//! One server, one browser, one story from the empty database to the restart. Not here: each page's own tests (`it/`).

mod acts;
mod browser;

use browser::{Browser, Server};
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use thirtyfour::By;
use thirtyfour::error::WebDriverResult;

/// How soon a page must be there.
const SOON: Duration = Duration::from_secs(4);
const PASSWORD: &str = "four odd lanterns sing";

#[tokio::test(flavor = "multi_thread")]
async fn the_console() {
    let mut server = Server::start();
    let key = server.key("Ada");
    let browser = Browser::start().await;
    let told = story(&browser, &mut server, &key).await;
    browser.quit().await;
    told.unwrap();
}

async fn fill(browser: &Browser, fields: &[(&str, &str)]) -> WebDriverResult<()> {
    for (name, value) in fields {
        let field = browser.driver.find(By::Css(format!("form [name='{name}']"))).await?;
        field.clear().await?;
        field.send_keys(*value).await?;
    }
    browser.driver.find(By::Css("main button[type=submit]")).await?.click().await
}

async fn story(browser: &Browser, server: &mut Server, key: &str) -> WebDriverResult<()> {
    let page = &browser.driver;
    // By its name, not its number: browsers keep secure cookies and passkeys for localhost.
    let url = server.url.replace("127.0.0.1", "localhost");

    // Nobody is there: the first visit makes the owner, with the code that the server printed.
    page.goto(format!("{url}/")).await?;
    page.goto(format!("{url}/sign-in")).await?;
    browser.until("the way for the first owner", "return location.pathname === '/setup'", SOON).await;
    page.goto(&server.setup).await?;
    let owner = [("name", "Ada Byron"), ("login", "ada@example.com")];
    fill(browser, &[&owner[..], &[("password", "short"), ("again", "short")]].concat()).await?;
    browser.until("the refusal", "return document.querySelector('.error')?.textContent.includes('12')", SOON).await;
    assert_eq!(browser.js("return document.querySelector('[name=login]').value").await, "ada@example.com", "what was typed is kept");
    fill(browser, &[("password", PASSWORD), ("again", PASSWORD)]).await?;
    browser.until("the first steps", "return location.pathname === '/guide'", SOON).await;
    let cookie = page.get_named_cookie(web::auth::COOKIE).await?;
    assert_eq!((cookie.http_only, cookie.secure, cookie.path.as_deref()), (Some(true), Some(true), Some("/")));
    assert_eq!(browser.js("return document.cookie").await, "", "a script can read the cookie");

    // A passkey, made by the browser's own authenticator.
    browser.cdp("WebAuthn.enable", json!({})).await;
    let device = json!({ "protocol": "ctap2", "transport": "internal", "hasResidentKey": true, "hasUserVerification": true, "isUserVerified": true, "automaticPresenceSimulation": true });
    browser.cdp("WebAuthn.addVirtualAuthenticator", json!({ "options": device })).await;
    page.goto(format!("{url}/account")).await?;
    browser.until("the button for passkeys", "return document.querySelector('[data-passkey=register]')?.checkVisibility()", SOON).await;
    browser.js("document.querySelector('#passkeys [name=name]').value = 'Laptop'").await;
    browser.js("document.querySelector('[data-passkey=register]').click()").await;
    browser.until("the refusal", "return document.querySelector('#passkey-error')?.checkVisibility()", SOON).await;
    let refused = browser.complaints().await;
    assert!(refused.len() == 1 && refused[0].contains("/account/passkeys/begin"), "{refused:?}");
    browser.js(&format!("document.querySelector('#passkeys [name=\"passkey.old\"]').value = '{PASSWORD}'")).await;
    browser.js("document.querySelector('[data-passkey=register]').click()").await;
    browser.until("the passkey", "return document.querySelector('#passkeys table')?.textContent.includes('Laptop')", SOON).await;

    // Out, in with the passkey, out, in with the password, at the page one wanted.
    sign_out(browser).await;
    browser.until("the button for passkeys", "return document.querySelector('[data-passkey=sign-in]')?.checkVisibility()", SOON).await;
    browser.js("document.querySelector('[data-passkey=sign-in]').click()").await;
    browser.until("today", "return location.pathname === '/'", SOON).await;
    sign_out(browser).await;
    page.goto(format!("{url}/people")).await?;
    fill(browser, &[("login", "ada@example.com"), ("password", "not the right one")]).await?;
    browser.until("the refusal", "return document.querySelector('[role=alert]')?.textContent.includes('wrong')", SOON).await;
    assert!(!page.source().await?.contains("not the right one"), "the page repeats the password that was typed");
    fill(browser, &[("login", "ada@example.com"), ("password", PASSWORD)]).await?;
    browser.until("the page that was asked for", "return location.pathname === '/people'", SOON).await;

    live(browser, server, key, &url).await?;
    keyboard(browser, &url).await?;
    acts::acts(browser, server, key, &url).await?;
    looks(browser, server, key, &url).await?;
    // The document of the API can be looked through under its policy for scripts.
    page.goto(format!("{url}/docs/")).await?;
    browser.until("the calls of the API", "return document.querySelectorAll('.opblock').length > 50", Duration::from_secs(20)).await;
    page.goto(format!("{url}/")).await?;
    assert_eq!(browser.complaints().await, Vec::<String>::new());

    // The server goes and comes back at the same place; the page waits for it and goes on.
    page.goto(format!("{url}/")).await?;
    browser.until("the live dot", "return document.querySelector('#status').dataset.state === 'live'", SOON).await;
    browser.js("window.sameDocument = true").await;
    server.kill();
    browser.until("the loss", "return document.querySelector('#status').dataset.state === 'lost'", Duration::from_secs(8)).await;
    browser.until("the alarm", "return !document.querySelector('#alarm').hidden", Duration::from_secs(10)).await;
    server.start_again();
    browser.until("the live dot again", "return document.querySelector('#status').dataset.state === 'live'", Duration::from_secs(12)).await;
    server.post(key, "/orders", order("A-9", 1));
    browser.until("the order", "return document.querySelector('main').textContent.includes('A-9')", SOON).await;
    assert_eq!(browser.js("return window.sameDocument").await, true, "the page was loaded again");
    Ok(())
}

async fn sign_out(browser: &Browser) {
    browser.js("document.querySelector('form[action=\"/sign-out\"] button').click()").await;
    browser.until("the way in", "return location.pathname === '/sign-in'", SOON).await;
}

/// What happens elsewhere shows here, without a reload, soon, and without disturbing whoever reads.
async fn live(browser: &Browser, server: &Server, key: &str, url: &str) -> WebDriverResult<()> {
    server.post(key, "/locations", json!({ "code": "LON", "name": "London", "kind": "warehouse", "country": "GB", "daily_capacity": 500 }));
    server.post(key, "/items", json!({ "sku": "MUG-1", "name": "<script>alert(1)</script>" }));
    server.post(key, "/stock/receive", json!({ "location": "LON", "lines": [{ "sku": "MUG-1", "quantity": 12_345 }] }));
    browser.driver.goto(format!("{url}/")).await?;
    browser.until("the live dot", "return document.querySelector('#status').dataset.state === 'live'", SOON).await;
    browser.until("the stock", "return document.querySelector('main').textContent.includes('12,345')", SOON).await;
    browser.js("window.sameDocument = true").await;
    server.post(key, "/orders", order("A-1", 45));
    let placed_at = Instant::now();
    browser.until("the order", "return document.querySelector('main').textContent.includes('A-1')", SOON).await;
    eprintln!("an order showed after {} ms", placed_at.elapsed().as_millis());
    assert_eq!(browser.js("return window.sameDocument").await, true, "the page was loaded again");
    assert_eq!(browser.js("return document.querySelectorAll('main script').length").await, 0);
    // Paused is paused; going on catches up.
    browser.press("p").await;
    browser.until("the pause", "return document.querySelector('#status').dataset.state === 'paused'", SOON).await;
    server.post(key, "/orders", order("A-3", 1));
    tokio::time::sleep(Duration::from_millis(1_200)).await;
    assert_eq!(browser.js("return document.querySelector('main').textContent.includes('A-3')").await, false);
    browser.press("p").await;
    browser.until("the third order", "return document.querySelector('main').textContent.includes('A-3')", SOON).await;
    Ok(())
}

/// With the keyboard alone: the palette finds an item, letters go to pages, `?` lists the keys.
async fn keyboard(browser: &Browser, url: &str) -> WebDriverResult<()> {
    browser.open(&format!("{url}/people")).await?;
    browser.press("?").await;
    browser.until("the keys", "return document.querySelector('#keys').open", SOON).await;
    browser.js("document.querySelector('#keys').close()").await;
    browser.press("g").await;
    browser.press("a").await;
    browser.until("the audit log", "return location.pathname === '/audit'", SOON).await;
    browser.chord('\u{e009}', "k").await;
    browser.until("the palette", "return document.querySelector('#palette').open", SOON).await;
    browser.driver.find(By::Css("#palette input")).await?.send_keys("mug").await?;
    browser.until("the item", "return document.querySelector('#palette [role=option]')?.textContent.includes('MUG-1')", SOON).await;
    browser.js("document.querySelector('#palette').close()").await;
    Ok(())
}

/// Each page of the navigation, on a phone and on a desk, light and dark: nothing sticks out, axe finds nothing serious, text can
/// be read.
async fn looks(browser: &Browser, server: &Server, key: &str, url: &str) -> WebDriverResult<()> {
    let axe = browser::axe();
    let places = browser.js("return [...document.querySelectorAll('#nav a[href^=\"/\"]')].map((a) => a.getAttribute('href'))").await;
    let mut places: Vec<String> = places.as_array().unwrap().iter().filter_map(|p| p.as_str().map(str::to_owned)).filter(|p| p != "/docs").collect();
    places.extend(["/account", "/guide", "/people/new", "/roles/new", "/keys/new", "/account/second-factor", "/search?q=mug"].map(str::to_owned));
    assert!(places.len() > 12, "{places:?}");
    let details = details(server, key);
    let mut faults: Vec<String> = Vec::new();
    for (width, height) in [(390, 844), (1_440, 900)] {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500 });
        browser.cdp("Emulation.setDeviceMetricsOverride", size).await;
        for scheme in ["light", "dark"] {
            browser.cdp("Emulation.setEmulatedMedia", json!({ "features": [{ "name": "prefers-color-scheme", "value": scheme }] })).await;
            // Pages of one thing in one light at each size: the colors are those of the others.
            let more: &[String] = if (width < 500) == (scheme == "dark") { &details } else { &[] };
            for place in places.iter().chain(more) {
                let name = format!("{place}, {scheme}, {width} wide");
                let address = format!("{url}{place}");
                let found = match judged(browser, &address, &axe).await {
                    Ok(found) => found,
                    // Chromium's renderer hangs now and then when many pages follow each other; a page that does so twice is at fault.
                    Err(error) => {
                        eprintln!("{name} is looked at again: {error}");
                        judged(browser, &address, &axe).await?
                    }
                };
                faults.extend(found.into_iter().map(|fault| format!("{name}: {fault}")));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    Ok(())
}

/// What is wrong with how a page looks.
async fn judged(browser: &Browser, address: &str, axe: &str) -> WebDriverResult<Vec<String>> {
    browser.driver.goto(address).await?;
    let found = browser.driver.execute_async(format!("{axe}\n{RUN}"), Vec::new()).await?.json().clone();
    let mut faults: Vec<String> = found.as_array().unwrap().iter().map(Value::to_string).collect();
    let fits = browser.driver.execute("return document.documentElement.scrollWidth <= innerWidth", Vec::new()).await?;
    if fits.json() != true {
        faults.push("the page scrolls sideways".into());
    }
    Ok(faults)
}

/// The pages of one thing each, and forms.
fn details(server: &Server, key: &str) -> Vec<String> {
    let first = |path: &str| server.get(key, path)["data"][0]["id"].as_str().unwrap().to_owned();
    let order = first("/orders");
    let ids = [format!("/orders/{order}"), format!("/orders/{order}/return"), format!("/transfers/{}", first("/transfers"))];
    let names = [
        "/items/LAMP?do=move",
        "/items/new",
        "/orders/new",
        "/transfers/new",
        "/locations/LON",
        "/locations/new",
        "/channels/new",
        "/channels/shop",
        "/channels/shop/settings",
        "/exceptions?view=solved",
        "/imports?kind=items",
        "/webhooks/new",
        "/rules/history",
        "/roles/support",
        "/audit/3",
        "/nothing-here",
    ];
    ids.into_iter().chain(names.map(str::to_owned)).collect()
}

/// What axe finds that is serious or worse.
const RUN: &str = "const done = arguments[arguments.length - 1];
    axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'] }).then((found) => done(found.violations
        .filter((v) => ['serious', 'critical'].includes(v.impact))
        .map((v) => `${v.id}: ${v.help}: ${v.nodes.slice(0, 3).map((n) => n.html.slice(0, 160)).join(' | ')}`)));";

fn order(reference: &str, quantity: i64) -> Value {
    json!({ "channel": "web", "reference": reference, "ship_to": { "country": "GB" }, "lines": [{ "sku": "MUG-1", "quantity": quantity }] })
}
