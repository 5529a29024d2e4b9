//! The pages of listings: the list with its filters and file, which item each is, its own policy; and of contracts with customers.

use crate::reading::{fault, get, hidden, lacks, panel, refused, says, text_between};
use crate::support::{Site, Visitor, on_both};
use serde_json::{Value, json};
use sim::markets::market::Listing;
use sim::markets::{Market, Served, serve, shopify::Shopify};
use std::sync::Arc;

/// Thirty lamps, and two shops that list the lamp under its own SKU and five things whose SKU is no item's yet.
fn shops(site: &Site) -> (Arc<Market>, Vec<Served>) {
    site.locations(&[("LON", json!({}))]);
    site.item("LAMP", json!({}), "LON 30");
    let time = site.time.clone();
    let market = Market::with_clock(5, Arc::new(move || time.now()));
    let listed =
        [("101", "LAMP", "Lamp"), ("102", "LAMP-6", "Six lamps"), ("103", "TORCH", "Torch"), ("104", "cup", "Cup"), ("105", "ODD", "<b>Odd</b>")];
    for (id, sku, title) in listed {
        market.list(Listing { id: id.into(), sku: sku.into(), title: title.into(), price: 999, ..Listing::default() });
    }
    let shop = |code: &str| {
        let served = site.block_on(serve(Arc::new(Shopify::new(market.clone())).router())).unwrap();
        let settings = json!({ "access_token": "shpat_simulated", "client_secret": "hush", "location": "1", "poll_seconds": "1" });
        site.ok("POST /channels", json!({ "code": code, "kind": "shopify", "name": code, "address": served.address, "settings": settings }));
        site.ok(&format!("POST /channels/{code}/resync"), Value::Null);
        site.soon("its listings are read", || (listings(site, code).len() == 5).then_some(()));
        served
    };
    let served = vec![shop("shop"), shop("other")];
    (market, served)
}

fn listings(site: &Site, code: &str) -> Vec<Value> {
    site.get(&format!("/channels/{code}/listings"))["data"].as_array().unwrap().clone()
}

/// What is known of a listing, by its SKU there.
fn listing(site: &Site, code: &str, sku: &str) -> Value {
    listings(site, code).into_iter().find(|l| l["sku"] == sku).unwrap()
}

/// The page of a listing.
fn path(site: &Site, code: &str, sku: &str) -> String {
    format!("/channels/{code}/listings/{}", listing(site, code, sku)["id"].as_str().unwrap())
}

#[test]
fn listings_are_found_mapped_and_exported() {
    on_both(|url| {
        let site = Site::new(url);
        let _shops = shops(&site);
        let owner = site.visitor("owner");
        let shown = |query: &str| {
            let page = get(&owner, &format!("/channels/shop{query}"));
            let all = ["LAMP", "LAMP-6", "TORCH", "cup", "ODD"];
            all.into_iter().filter(|sku| page.contains(&format!("href=\"{}\"", path(&site, "shop", sku)))).collect::<Vec<_>>().join(" ")
        };
        for (query, expected) in [
            ("", "LAMP LAMP-6 TORCH cup ODD"),
            ("?only=unmapped", "LAMP-6 TORCH cup ODD"),
            ("?only=refused", ""),
            ("?only=nonsense", "LAMP LAMP-6 TORCH cup ODD"),
            ("?q=LAMP", "LAMP LAMP-6"),
            ("?q=Six", "LAMP-6"),
            ("?q=LAMP&only=unmapped", "LAMP-6"),
            ("?q=%25", ""),
        ] {
            assert_eq!(shown(query), expected, "{query}");
        }
        says(&get(&owner, "/channels/shop?only=refused"), &["None is refused"]);
        says(&get(&owner, "/channels/shop?q=nothing"), &["None fits"]);
        let page = get(&owner, "/channels/shop");
        says(&page, &["All <span class=\"count\">5</span>", "Unmapped <span class=\"count\">4</span>", "&lt;b&gt;Odd&lt;/b&gt;", "as the channel"]);
        let file = owner.get("/channels/shop?format=csv").text();
        says(&file, &["listing,there,title,sku_there,item,", ",Lamp,LAMP,LAMP,1,", ",Six lamps,LAMP-6,,1,"]);
        assert_eq!((file.lines().count(), owner.get("/channels/shop?format=csv&only=unmapped").text().lines().count()), (6, 5));

        // One by one: what it may be is proposed, what cannot be is refused, and what somebody else said meanwhile is not undone.
        let pack = path(&site, "shop", "LAMP-6");
        let page = get(&owner, &pack);
        says(&panel(&page, "mapping"), &["LAMP × 6", "a pack of it, by its name", "It is this"]);
        let seen = hidden(&page, "seen");
        for (sku, units, field) in [("NONE", "1", "sku"), ("", "1", "sku"), ("LAMP", "0", "units_per_listing"), ("LAMP", "six", "units_per_listing")]
        {
            let page = refused(&owner, &pack, &[("do", "map"), ("sku", sku), ("units_per_listing", units)]);
            assert!(!fault(&page, field).is_empty(), "{sku} {units}");
        }
        assert_eq!(owner.sent(&pack, &[("do", "map"), ("sku", "LAMP"), ("units_per_listing", "6"), ("seen", &seen)]), format!("{pack}?said=saved"));
        let now = listing(&site, "shop", "LAMP-6");
        assert_eq!((&now["item"], &now["units_per_listing"]), (&json!("LAMP"), &json!(6)));
        let page = refused(&owner, &pack, &[("do", "map"), ("sku", "LAMP"), ("units_per_listing", "12"), ("seen", &seen)]);
        says(&page, &["Somebody else changed the listing", "value=\"12\""]);
        refused(&owner, &pack, &[("do", "sing")]);
        for gone in ["/channels/other", "/channels/none"] {
            let elsewhere = pack.replace("/channels/shop", gone);
            assert_eq!(owner.get(&elsewhere).status, 404, "{elsewhere}");
        }
        site.verify();
    });
}

#[test]
fn equal_skus_are_mapped_together_where_a_person_says_so() {
    on_both(|url| {
        let site = Site::new(url);
        let _shops = shops(&site);
        let owner = site.visitor("owner");
        says(&get(&owner, "/channels/shop/alike"), &["No equal SKUs"]);
        site.item("TORCH", json!({}), "");
        site.item("CUP", json!({}), "");
        let page = get(&owner, "/channels/shop/alike");
        let id = |sku: &str| listing(&site, "shop", sku)["id"].as_str().unwrap().to_owned();
        let (torch, cup) = (format!("{} TORCH", id("TORCH")), format!("{} CUP", id("cup")));
        // What differs in its letters' case is proposed, but not ticked.
        let tick = |value: &str| {
            text_between(&page, &format!("value=\"{value}\""), ">").is_empty() && page.contains(&format!("value=\"{value}\" data-check checked"))
        };
        assert_eq!((tick(&torch), tick(&cup)), (true, false), "{page}");
        says(&page, &["But for its letters&#39; case"].map(|t| if page.contains(t) { t } else { "But for its letters' case" }));
        lacks(&page, &["LAMP-6", "ODD"]);
        // One of them is gone meanwhile: it is told, and the other mapped all the same.
        let gone = format!("{} NONE", id("ODD"));
        let reply = owner.post("/channels/shop/alike", &[("map", &torch), ("map", &gone), ("map", "x y"), ("map", "")]);
        assert_eq!(reply.status, 200);
        says(&reply.text(), &["1 mapped, 1 not.", "NONE: There is no item “NONE”."]);
        assert_eq!(listing(&site, "shop", "TORCH")["item"], "TORCH");
        assert_eq!(owner.sent("/channels/shop/alike", &[("map", &cup)]), "/channels/shop?said=saved");
        assert_eq!(owner.sent("/channels/shop/alike", &[]), "/channels/shop?said=nothing");
        assert_eq!((&listing(&site, "shop", "cup")["item"], &listing(&site, "other", "cup")["item"]), (&json!("CUP"), &Value::Null));
        site.verify();
    });
}

#[test]
fn several_listings_get_a_policy_at_once_and_have_theirs_back() {
    on_both(|url| {
        let site = Site::new(url);
        let _shops = shops(&site);
        let owner = site.visitor("owner");
        let id = |code: &str, sku: &str| listing(&site, code, sku)["id"].as_str().unwrap().to_owned();
        let (lamp, torch, foreign) = (id("shop", "LAMP"), id("shop", "TORCH"), id("other", "LAMP"));
        let own = |sku: &str| listing(&site, "shop", sku)["policy"].clone();
        let capped = json!({ "mode": { "kind": "quota" }, "cap": 7 });
        site.ok(&format!("POST /listings/{lamp}"), json!({ "policy": capped }));
        let capped = own("LAMP");
        let to = "/channels/shop/policies";
        let page = get(&owner, &format!("{to}?id={lamp}&id={torch}&id={foreign}&id={lamp}&id=x&next=/channels/shop%3Fq=L"));
        says(&page, &["Policy of 2 listings on shop", "at most 7 shown", "as the channel", "href=\"/channels/shop?q=L\""]);
        says(&get(&owner, to), &["No listings were chosen"]);

        // A fault stands at its field, looking changes nothing, and what is sent is done once for each.
        let chosen = [("id", lamp.as_str()), ("id", torch.as_str()), ("policy.mode", "fixed")];
        let with = |more: &[(&'static str, &'static str)]| [&chosen[..], more].concat();
        for (field, typed) in [("policy.cap", "x"), ("policy.percent", "101"), ("policy.mode.units", "-1")] {
            let page = refused(&owner, to, &with(&[("policy.mode.units", "3"), (field, typed)][usize::from(field == "policy.mode.units")..]));
            assert!(!fault(&page, field).is_empty(), "{field}: {page}");
        }
        let page = owner.post(to, &with(&[("policy.mode.units", "3")])).text();
        says(&page, &["Change 2 listings", "<b>3 of each</b>"]);
        assert_eq!((own("LAMP"), own("TORCH")), (capped.clone(), Value::Null));
        let seen = [&lamp, &torch].map(|id| (format!("seen:{id}"), hidden(&page, &format!("seen:{id}"))));
        let mut go = with(&[("policy.mode.units", "3"), ("step", "go"), ("once", "1")]);
        go.extend(seen.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        let done = owner.post(to, &go).text();
        says(&done, &["2 listings changed."]);
        assert_eq!((&own("LAMP")["mode"], own("TORCH")), (&json!({ "kind": "fixed", "units": 3 }), own("LAMP")));

        // What is done is what was looked at: other figures than those are looked at first.
        let page = get(&owner, &format!("{to}?id={lamp}"));
        lacks(&page, &["name=\"looked\""]);
        let look = [("id", lamp.as_str()), ("policy.mode", "fixed"), ("policy.mode.units", "5")];
        let looked = hidden(&owner.post(to, &look).text(), "looked").replace("&quot;", "\"");
        let other = [("id", lamp.as_str()), ("policy.mode", "fixed"), ("policy.mode.units", "6"), ("looked", &looked), ("step", "go"), ("once", "8")];
        says(&owner.post(to, &other).text(), &["<b>6 of each</b>", "Change 1 listing"]);
        assert_eq!(own("LAMP")["mode"]["units"], 3);

        // The page of what was done holds the way back.
        let kept =
            |page: &str, id: &str| ["was", "seen"].map(|of| (format!("{of}:{id}"), hidden(page, &format!("{of}:{id}")).replace("&quot;", "\"")));
        let kept_of_both = [kept(&done, &lamp), kept(&done, &torch)].concat();
        let mut back = vec![("id", lamp.as_str()), ("id", torch.as_str()), ("step", "go"), ("once", "2")];
        back.extend(kept_of_both.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        says(&owner.post(to, &back).text(), &["2 listings changed."]);
        assert_eq!((own("LAMP"), own("TORCH")), (capped, Value::Null));
        let broken = format!("was:{lamp}");
        assert_eq!(owner.post(to, &[("id", &lamp), ("step", "go"), (&broken, "{")]).status, 422);

        // What somebody else said of one meanwhile stays.
        site.ok(&format!("POST /listings/{torch}"), json!({ "policy": { "never": true } }));
        go[5].1 = "3";
        assert_eq!(go[5], ("once", "3"));
        let page = owner.post(to, &go).text();
        says(&page, &["1 listing changed.", "1 refused.", "Somebody else changed the listing"]);
        assert_eq!(own("TORCH")["never"], true);
        site.ok(&format!("POST /listings/{lamp}"), json!({ "policy": { "cap": 9 } }));
        let kept = kept(&page, &lamp);
        let mut back = vec![("id", lamp.as_str()), ("step", "go"), ("once", "4")];
        back.extend(kept.iter().map(|(name, value)| (name.as_str(), value.as_str())));
        says(&owner.post(to, &back).text(), &["0 listings changed.", "1 refused."]);
        assert_eq!(own("LAMP")["cap"], 9);
        site.verify();
    });
}

#[test]
fn a_listing_has_a_policy_of_its_own_and_keeps_to_it() {
    on_both(|url| {
        let site = Site::new(url);
        let (market, _served) = shops(&site);
        let owner = site.visitor("owner");
        owner.sent("/channels/other/stop", &[]);
        let lamp = path(&site, "shop", "LAMP");
        let policy = |fields: &[(&'static str, &'static str)]| [&[("do", "policy")], fields].concat();
        for (field, typed) in [("policy.percent", "-1"), ("policy.cap", "x"), ("policy.stop_at", "x")] {
            let page = refused(&owner, &lamp, &policy(&[("policy.mode", "quota"), (field, typed)]));
            assert!(!fault(&page, field).is_empty(), "{field}");
        }
        assert_eq!(owner.sent(&lamp, &policy(&[("policy.mode", "fixed"), ("policy.mode.units", "4")])), format!("{lamp}?said=saved"));
        says(&get(&owner, "/channels/shop"), &["4 of each"]);
        // What would be sent can be looked at, which sends nothing; it is sent as soon as somebody works for the channel.
        let page = get(&owner, "/channels/shop/waiting");
        says(&page, &[&format!("href=\"{lamp}\""), "<td class=\"num strong\">4</td>"]);
        site.work();
        site.until("four are shown", || market.shown("101").filter(|shown| *shown == 4));
        site.until("it is level", || get(&owner, &lamp).contains("Level").then_some(()));
        // While it may still sell, it cannot become something else.
        site.item("TORCH", json!({}), "LON 5");
        let page = refused(&owner, &lamp, &[("do", "map"), ("sku", "TORCH")]);
        assert!(fault(&page, "sku").starts_with("Cannot be changed while the channel may still sell units"), "{page}");
        // Paused, it says what would be sent once it goes on.
        owner.sent("/channels/shop/pause", &[]);
        owner.sent(&lamp, &policy(&[("policy.mode", "quota"), ("policy.never", "yes")]));
        let waits = || Some(get(&owner, "/channels/shop/waiting")).filter(|page| page.contains("<td class=\"num strong\">0</td>"));
        says(&site.until("none is to be shown", waits), &[&format!("href=\"{lamp}\"")]);
        assert_eq!(market.shown("101"), Some(4), "nothing is sent meanwhile");
        owner.sent("/channels/shop/resume", &[]);
        site.until("none is shown", || market.shown("101").filter(|shown| *shown == 0));
        says(&get(&owner, "/channels/shop"), &["Never sold here"]);
        owner.sent(&lamp, &policy(&[("policy.mode", "")]));
        assert_eq!(listing(&site, "shop", "LAMP")["policy"], Value::Null);
        site.until("it is for sale again", || market.shown("101").filter(|shown| *shown > 0));
        site.verify();
    });
}

#[test]
fn nobody_maps_on_a_channel_that_is_not_theirs() {
    on_both(|url| {
        let site = Site::new(url);
        let _shops = shops(&site);
        let limited = site.limited("operations", None, Some(&["shop"]));
        let theirs = path(&site, "other", "LAMP-6");
        let through = theirs.replace("/channels/other", "/channels/shop");
        for to in [&theirs, &through] {
            assert_eq!(limited.get(to).status, 404, "{to}");
            let reply = limited.post(to, &[("do", "map"), ("sku", "LAMP")]);
            assert_eq!(reply.status, 404, "{to}: {}", reply.text());
        }
        let chosen = format!("{} LAMP", listing(&site, "other", "LAMP-6")["id"].as_str().unwrap());
        says(&limited.post("/channels/shop/alike", &[("map", &chosen)]).text(), &["0 mapped, 1 not.", "Your access does not reach"]);
        assert_eq!(listing(&site, "other", "LAMP-6")["item"], Value::Null);
        // Who only looks sees what it is, and no form.
        let page = get(&site.visitor("auditor"), &theirs);
        says(&page, &["SKU there", "none yet"]);
        lacks(&page, &["Map it", "Save the policy"]);
        assert_eq!(site.visitor("support").post(&theirs, &[("do", "map"), ("sku", "LAMP")]).status, 403);
        site.verify();
    });
}

#[test]
fn a_contract_is_made_changed_and_ended() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        site.item("TEA", json!({}), "LON 10");
        let owner = site.visitor("owner");
        let form = |who: &Visitor<'_>, changes: &[(&'static str, &'static str)]| {
            let mut fields = vec![
                ("rows", "8"),
                ("customer", "Hotel <Astoria>"),
                ("code", "astoria"),
                ("currency", "gbp"),
                ("ends_at", "2026-12-31T00:00"),
                ("lines[0].sku", ""),
                ("lines[1].sku", "TEA"),
                ("lines[1].unit_price", "2.50"),
                ("lines[1].quantity", "8"),
                ("lines[1].minimum", "6"),
                ("lines[1].set_aside", "5"),
            ];
            fields.retain(|(name, _)| changes.iter().all(|(changed, _)| changed != name));
            who.post("/channels/new/contract", &[&fields[..], changes].concat())
        };
        says(&get(&owner, "/channels/new?kind=contract"), &["Make the contract", "name=\"lines[7].sku\""]);
        // A fault stands in the row that was typed, however many rows before it are empty.
        for (field, typed) in [
            ("lines[1].sku", "NONE"),
            ("lines[1].quantity", "some"),
            ("lines[1].minimum", "9"),
            ("lines[1].set_aside", "-1"),
            ("lines[1].unit_price", "2.505"),
        ] {
            let reply = form(&owner, &[(field, typed)]);
            assert_eq!(reply.status, 422, "{field}");
            let page = reply.text();
            let told = text_between(&page, &format!("name=\"{field}\" value=\"{typed}\""), "</td>");
            assert!(!told.is_empty(), "{field}: nothing is told in {page}");
        }
        for (field, typed) in [("ends_at", "soon"), ("ends_at", "2020-01-01T00:00"), ("code", ""), ("lines[1].sku", "")] {
            assert_eq!(form(&owner, &[(field, typed)]).status, 422, "{field} {typed}");
        }
        let more = form(&owner, &[("do", "more")]);
        assert_eq!(more.status, 200);
        says(&more.text(), &["name=\"lines[15].sku\"", "name=\"lines[1].sku\" value=\"TEA\""]);
        for _ in 0..2 {
            assert_eq!(form(&owner, &[("once", "c")]).headers["location"], "/channels/astoria?said=created");
        }
        let page = get(&owner, "/channels/astoria");
        says(&page, &["Hotel &lt;Astoria&gt;", "Running", "of 8 units agreed", "£2.50", "Orders name “astoria” as their channel."]);
        assert_eq!(site.reserve("TEA 6").told(), "409 insufficient_stock", "five of ten are the hotel's");

        let seen = hidden(&page, "seen");
        let aside = |units: &'static str, seen: &str| {
            let seen = seen.to_owned();
            owner.post("/channels/astoria/contract", &[("seen", &seen), ("set_aside[0].sku", "TEA"), ("set_aside[0].units", units)])
        };
        assert_eq!((aside("-1", "").status, aside("x", "").status), (422, 422));
        assert_eq!(aside("4", &seen).headers["location"], "/channels/astoria?said=saved");
        let late = aside("1", &seen);
        assert_eq!(late.status, 422);
        says(&late.text(), &["Somebody else changed the contract “astoria”"]);
        assert_eq!(site.get("/contracts/astoria")["lines"][0]["set_aside_now"], 4);
        assert_eq!(owner.post("/channels/astoria/contract", &[("ends_at", "never")]).status, 422);
        assert_eq!(owner.sent("/channels/astoria/contract", &[("end", "now")]), "/channels/astoria?said=saved");
        site.time.advance(1);
        site.block_on(engine::jobs::contracts(&site.engine)).unwrap();
        let page = get(&owner, "/channels/astoria");
        says(&page, &["Ended"]);
        lacks(&page, &["End it now…", "Save what is set aside"]);
        assert_eq!(site.reserve("TEA 10").told(), "201");
        assert_eq!(form(&site.visitor("support"), &[]).status, 403);
        site.verify();
    });
}
