//! The pages themselves, asked of a server of its own over loopback HTTP by somebody who is signed in, one page after another: signing
//! in, reading, rendering and sending. Each with other parameters every time, and each after a change of stock, so that what is kept until
//! something happens is found anew.

use super::desk::{ACTORS, SHOP};
use super::world::{CHANNELS, LOCATIONS, name};
use super::{TIMES, plain, undisturbed};
use crate::Failed;
use crate::bench::growth::sku;
use crate::bench::http::{Connection, Server, page, post};
use crate::bench::load::figure;
use crate::bench::{Figure, Place, kind};
use engine::people::sign_in::{self, How};
use engine::people::{self, NewPerson};
use engine::{By, Engine, Options, create_key};
use search::{Query, Search};
use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// Ids that addresses are made of.
struct Known {
    items: usize,
    /// Of the first order, reservation and transfer; the others follow it.
    order: i64,
    reservation: i64,
    transfer: i64,
    /// Seconds since 1970 UTC.
    now: i64,
}

type Address = fn(&Known, usize) -> String;

/// What is asked for: a name, and its address the nth time.
const PAGES: [(&str, Address); 45] = [
    ("today", |_, _| "/".into()),
    ("items", |_, _| "/items".into()),
    ("items, most sold", |_, _| "/items?sort=-sold".into()),
    ("items, least cover", |_, _| "/items?sort=cover".into()),
    ("items of low cover at a location", |_, n| format!("/items?view=low&sort=cover&at={}", location(n))),
    ("items by name, damaged", |_, _| "/items?view=damaged&sort=name".into()),
    ("items, searched by words", |k, n| format!("/items?q={}", words(&name(n * 97 % k.items)))),
    ("items, searched by a common word", |_, n| format!("/items?q={}&sort=-available", ["lantern", "red", "tin", "mug", "rose"][n % 5])),
    ("items, searched by SKU", |k, n| format!("/items?q={}", sku((n * 101 % k.items) as u64))),
    ("an item with the most entries", |_, _| format!("/items/{}", sku(0))),
    ("the same, as of a day of last month", |k, n| format!("/items/{}?as_of={}", sku(0), k.now - 86_400 * (n % 30) as i64)),
    ("the same, its entries the oldest first", |_, _| format!("/items/{}?sort=time", sku(0))),
    ("the same, its entries searched in vain", |_, _| format!("/items/{}?q=nobody", sku(0))),
    ("an item", |k, n| format!("/items/{}", sku((n * 103 % k.items) as u64))),
    ("orders", |_, _| "/orders".into()),
    ("orders, open, oldest first", |_, _| "/orders?status=open&sort=placed".into()),
    ("orders that are late", |_, _| "/orders?status=late&sort=placed".into()),
    ("orders of a channel", |_, n| format!("/orders?channel={}", CHANNELS[n % 5])),
    ("orders of a channel at a location", |_, n| format!("/orders?channel={}&location={}", CHANNELS[n % 5], location(n))),
    ("orders, searched by number", |k, n| format!("/orders?q=H{}", k.order + 997 * n as i64)),
    ("orders, searched by a beginning", |_, n| format!("/orders?q={}", n % 10)),
    ("orders with an item", |k, n| format!("/orders?item={}", sku((n * 103 % k.items) as u64))),
    ("an order", |k, n| format!("/orders/{}", k.order + 991 * n as i64)),
    ("reservations", |_, _| "/reservations".into()),
    ("reservations, all by number", |_, _| "/reservations?status=all&sort=-made".into()),
    ("a reservation", |k, n| format!("/reservations/{}", k.reservation + n as i64)),
    ("transfers", |_, _| "/transfers".into()),
    ("a transfer", |k, n| format!("/transfers/{}", k.transfer + n as i64)),
    ("channels", |_, _| "/channels".into()),
    ("listings of a channel", |_, _| format!("/channels/{SHOP}")),
    ("the same, the last title first", |_, _| format!("/channels/{SHOP}?sort=-title")),
    ("those that are no item", |_, _| format!("/channels/{SHOP}?only=unmapped")),
    ("listings, searched", |k, n| format!("/channels/{SHOP}?q={}", words(name(n * 97 % k.items).split(' ').next().unwrap_or_default()))),
    ("exceptions", |_, _| "/exceptions".into()),
    ("exceptions, the most severe first", |_, _| "/exceptions?as=table&sort=-severity".into()),
    ("locations", |_, _| "/locations".into()),
    ("a location", |_, n| format!("/locations/{}", location(n))),
    ("routing rules", |_, _| "/rules".into()),
    ("imports", |_, _| "/imports".into()),
    ("people", |_, _| "/people".into()),
    ("audit log", |_, _| "/audit".into()),
    ("audit log of somebody, the oldest first", |_, n| format!("/audit?actor=person{}@example.com&sort=number", n % ACTORS)),
    ("palette, beginning of a SKU", |k, n| format!("/palette?q={}", &sku((n * 107 % k.items) as u64)[..5])),
    ("palette, a word", |_, n| format!("/palette?q={}", ["lantern", "red", "tin", "mug", "rose"][n % 5])),
    ("search page", |k, n| format!("/search?q={}", words(&name(n * 89 % k.items)))),
];

fn location(n: usize) -> String {
    format!("L{}", n % LOCATIONS + 1)
}

fn words(text: &str) -> String {
    text.replace(' ', "+")
}

/// Makes the search index, or takes the one that is there.
fn index(runtime: &tokio::runtime::Runtime, place: &Place, folder: &Path) -> Result<f64, Failed> {
    let began = Instant::now();
    let engine = Engine::open(Options::new(place.url.clone()))?;
    let search = Arc::new(Search::new(engine.clone(), Some(folder.to_owned())));
    let work = runtime.spawn(search.clone().run());
    let last = engine.read_blocking(engine::events::last)?;
    let query = Query { text: "lantern", kind: None, channels: None, of_item: None, active_only: false, limit: 1 };
    while !search.find(&query).is_ok_and(|found| found.building.is_none() && found.up_to_seq >= last) {
        std::thread::sleep(Duration::from_millis(100));
    }
    engine.shut_down();
    work.abort();
    Ok(began.elapsed().as_secs_f64())
}

/// A cookie of an owner who just signed in.
pub fn owner(place: &Place) -> Result<String, Failed> {
    let (by, now) = (By::from("bench"), crate::now());
    let text = engine::beside(&place.url, |tx| {
        let login = "bench@holdfast.example";
        let person = match people::by_login(tx, login)? {
            Some(known) => known,
            None => people::create(
                tx,
                &by,
                now,
                &NewPerson { login: login.into(), name: "Bench".into(), role: "owner".into(), locations: None, channels: None },
            )?,
        };
        Ok(sign_in::begin(tx, &by, now, &person.id, How::Passkey, "bench")?.1)
    })?;
    Ok(format!("{}={text}", web::auth::COOKIE))
}

fn known(place: &Place, items: u64) -> Result<Known, Failed> {
    let engine = Engine::open(Options::new(place.url.clone()))?;
    let first = engine.read_blocking(super::reads::first_documents)?;
    engine.shut_down();
    let [order, reservation, transfer] = first;
    Ok(Known { items: items as usize, order, reservation, transfer, now: crate::now() / 1_000_000 })
}

/// Measures each page on a database that was filled.
pub fn measure(runtime: &tokio::runtime::Runtime, place: &Place, items: u64, folder: &Path, tell: &mut dyn FnMut(Figure)) -> Result<(), Failed> {
    let known = known(place, items)?;
    let seconds = index(runtime, place, folder)?;
    tell(plain("search index, made or opened", place, 0.0, format!("{seconds:.1} s")));
    let cookie = owner(place)?;
    let (_, key) = create_key(&place.url, "bench", "admin", crate::now(), None)?;
    let server = Server::start_with(place, &[OsStr::new("--search-folder"), folder.as_os_str()])?;
    let mut connection = runtime.block_on(Connection::open(&server.address))?;
    let mut exchange = |request: &[u8]| runtime.block_on(connection.exchange(request)).map(|status| (status, connection.body().len()));
    let mut ask = |path: &str| exchange(&page(path, &cookie));
    // The stock table and the search index are read at first use.
    let began = Instant::now();
    for path in ["/items?sort=-sold", "/search?q=lantern", "/"] {
        ask(path)?;
    }
    tell(plain("first use after the start", place, 0.0, format!("{:.2} s", began.elapsed().as_secs_f64())));
    // Whoever is the first to look at a location alone has its stock added up.
    let mut slowest = 0.0f64;
    for n in 0..LOCATIONS {
        let began = Instant::now();
        ask(&format!("/items?sort=cover&at={}", location(n)))?;
        slowest = slowest.max(began.elapsed().as_secs_f64());
    }
    tell(plain("first look at a location", place, 0.0, format!("{:.0} ms at most", slowest * 1_000.0)));
    // Of items that are sold: one in fifty is not.
    let mut changes = 0;
    for (what, address) in PAGES {
        let (mut measured, stolen) = undisturbed(|| {
            let (mut micros, mut largest) = (Vec::with_capacity(TIMES), 0);
            for n in 0..TIMES {
                changes += 1;
                let (sku, at) = (sku(changes % (items / 50) * 50), location(n));
                let found = format!(r#"{{"location":"{at}","reason":"found","lines":[{{"sku":"{sku}","delta":1}}]}}"#);
                let (status, _) = exchange(&post("/stock/adjust", &key, None, &found))?;
                if status != 201 {
                    return Err(Failed(format!("a change of {sku} at {at} was answered {status}")));
                }
                let path = address(&known, n);
                let began = Instant::now();
                let (status, bytes) = exchange(&page(&path, &cookie))?;
                micros.push(began.elapsed().as_micros() as u32);
                largest = largest.max(bytes);
                if status != 200 {
                    return Err(Failed(format!("{path} answered {status}")));
                }
            }
            let per_second = 1_000_000.0 / (micros.iter().map(|m| f64::from(*m)).sum::<f64>() / TIMES as f64);
            let mut measured = figure(&format!("page: {what}"), kind(&place.url), 1, (per_second, micros));
            measured.note = format!("{:.0} KB at most", largest as f64 / 1_000.0);
            Ok(measured)
        })?;
        measured.note += &format!(", {:.1}% of the processors kept for others", stolen * 100.0);
        tell(measured);
    }
    Ok(())
}
