//! The pages of imports: a file is checked before it is imported, its bad rows are told by line and column and mended in the page.

use crate::reading::{fault, get, hidden, lacks, panel, says, text_between};
use crate::support::{Reply, Site, Visitor, on_both};
use serde_json::json;

/// The form with a file in it, as a browser sends it (RFC 7578).
fn form(parts: &[(&str, &str)], name: &str, file: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    for (field, value) in parts {
        body.extend(format!("--edge\r\ncontent-disposition: form-data; name=\"{field}\"\r\n\r\n{value}\r\n").bytes());
    }
    body.extend(format!("--edge\r\ncontent-disposition: form-data; name=\"file\"; filename=\"{name}\"\r\ncontent-type: text/csv\r\n\r\n").bytes());
    body.extend(file);
    body.extend(b"\r\n--edge--\r\n");
    body
}

fn send(site: &Site, who: &Visitor<'_>, body: Vec<u8>) -> Reply {
    let headers = [("cookie", who.cookie.as_str()), ("content-type", "multipart/form-data; boundary=edge"), ("sec-fetch-site", "same-origin")];
    site.ask("POST", "/imports/check", body, &headers)
}

/// Has a file checked; answers where it waits.
#[track_caller]
fn checked(site: &Site, who: &Visitor<'_>, kind: &str, name: &str, file: &str) -> String {
    let reply = send(site, who, form(&[("csrf", &who.token), ("kind", kind)], name, file.as_bytes()));
    assert_eq!(reply.status, 303, "{name}: {}", reply.text());
    reply.headers["location"].to_str().unwrap().to_owned()
}

/// Imports what was checked, and waits for its end; answers where it is told of, and the page.
#[track_caller]
fn imported(site: &Site, who: &Visitor<'_>, checked: &str) -> (String, String) {
    let path = who.sent(checked, &[("do", "import")]);
    let page = site.soon("the import is done", || Some(get(who, &path)).filter(|page| page.contains("st-ok") || page.contains("rows to mend")));
    (path, page)
}

/// The three figures above the rows.
fn figures(page: &str) -> String {
    text_between(page, "<dl class=\"kpis\">", "</dl>")
}

fn site(url: engine::Url) -> Site {
    let site = Site::new(url);
    site.locations(&[("LON", json!({})), ("LEE", json!({}))]);
    site.item("A", json!({}), "");
    site.item("B", json!({}), "");
    site
}

#[test]
fn a_file_is_checked_imported_and_mended_in_the_page() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let file = "sku,location,quantity\nA,LON,10\nB,LON,x\nC,LON,5\nA,MOON,5\nB,LEE,3\nB,LON,-1\nA,LEE\n";
        let waits = checked(&site, &owner, "stock", "count.csv", file);
        let page = get(&owner, &waits);
        says(&page, &["Cannot be imported as in the file: 5 rows.", "checked, not imported", "Import 2 rows"]);
        assert_eq!(figures(&page), "Rows 7 In the file Can be imported 2 As far as the file shows To mend 5 By line, below");
        let rows = [
            "3 quantity “quantity” must be a whole number, is “x”. invalid_field B,LON,x",
            "4 sku There is no item “C”. unknown_item C,LON,5",
            "5 location There is no location “MOON”. unknown_location A,MOON,5",
            "7 quantity “quantity” is -1; it must be from 1 to",
            "quantity_out_of_range B,LON,-1 8 – has 2 fields, the header has 3 malformed_row A,LEE",
        ];
        let told = panel(&page, "errors").replace(" .", ".");
        says(&told, &rows);
        let file = owner.get(&format!("{waits}?format=csv")).text();
        says(&file, &["line,column,what_is_wrong,code,row", "4,sku,There is no item “C”.,unknown_item,\"C,LON,5\""]);
        assert_eq!(file.lines().count(), 6);
        assert_eq!((site.stock("A"), site.stock("B")), (String::new(), String::new()), "nothing is imported by checking");
        assert_eq!(
            panel(&page, "effect"),
            "What it would change As the stock was when the file was checked Units more +13 In 2 rows Units fewer 0 None Unchanged 0 rows that say what is there Line Item Location Available now After Change 2 A LON 0 10 +10 6 B LEE 0 3 +3"
        );

        let (path, page) = imported(&site, &owner, &waits);
        assert_eq!((site.stock("A").as_str(), site.stock("B").as_str()), ("available 10", "available 3"));
        assert_eq!(owner.sent(&waits, &[("do", "import")]), path, "pressed twice");
        assert_eq!(owner.get(&waits).headers["location"], path.as_str(), "it waits no more");
        says(&page, &["Done, rows to mend", "They changed nothing"]);
        assert!(figures(&page).starts_with("Rows done 7"), "{}", figures(&page));
        says(&panel(&page, "refused"), &rows);

        // As a file that says why, and can be imported as it is.
        let refused = owner.get(&format!("{path}/refused")).text();
        says(&refused, &["sku,location,quantity,error", "C,LON,5,sku: There is no item “C”."]);
        assert_eq!(refused.lines().count(), 6);
        let waits = checked(&site, &owner, "stock", "refused.csv", &refused);
        assert!(figures(&get(&owner, &waits)).starts_with("Rows 5 "));

        // Or here: one is mended, one is left out, one is still wrong; sent twice it is one import.
        let page = get(&owner, &format!("{path}/mend"));
        says(&page, &["name=\"c0.2\" value=\"x\" aria-label=\"quantity 3\" aria-invalid=\"true\"", "name=\"c4.1\" value=\"LEE\"", "Import 5 rows"]);
        let once = hidden(&page, "once");
        let fields = [
            ("once", once.as_str()),
            ("c0.0", "B"),
            ("c0.1", "LON"),
            ("c0.2", "4"),
            ("c1.0", ""),
            ("c2.0", "A"),
            ("c2.1", "MARS"),
            ("c2.2", "5"),
            ("c4.0", "A"),
            ("c4.1", "LEE"),
            ("c4.2", "1"),
        ];
        let again = owner.sent(&format!("{path}/mend"), &fields);
        assert_eq!(owner.sent(&format!("{path}/mend"), &fields), again);
        let page = get(&owner, &again);
        says(&page, &["count.csv, mended"]);
        assert!(figures(&page).starts_with("Rows done 3 in") && panel(&page, "refused").contains("There is no location “MARS”."), "{page}");
        says(&page, &["Done, rows to mend"]);
        says(&get(&owner, &path), &["Done, rows mended", "Rows were mended and imported."]);
        assert_eq!((site.stock("A").as_str(), site.stock("B").as_str()), ("available 11", "available 7"));
        // A level that stands in a file twice is counted from where the first row leaves it.
        let waits = checked(&site, &owner, "stock", "again.csv", "sku,location,quantity\nA,LON,0\nA,LEE,1\nB,LEE,5\nB,LEE,9\n");
        let effect = panel(&get(&owner, &waits), "effect");
        assert!(effect.contains("Units more +6 In 2 rows Units fewer −10 In 1 row Unchanged 1"), "{effect}");
        assert!(effect.ends_with("Change 2 A LON 10 0 −10 5 B LEE 5 9 +4 4 B LEE 3 5 +2"), "{effect}");
        let dry = site.send("POST /imports/stock?dry_run=true", b"sku,location,quantity\nA,LON,4\nX,LON,4\n".to_vec(), &[]).body;
        let largest = json!([{"line": 2, "sku": "A", "location": "LON", "before": 10, "after": 4}]);
        let effect = json!({"rows_up": 0, "rows_down": 1, "rows_same": 0, "units_up": 0, "units_down": 6, "largest": largest});
        assert_eq!((&dry["effect"], &dry["rejected"]), (&effect, &json!(1)));
        assert_eq!(owner.sent(&format!("{path}/mend"), &[("once", "empty"), ("c0.0", " ")]), path, "nothing was typed");
        let history = get(&owner, "/imports");
        assert!(history.find("count.csv, mended").unwrap() < history.find(">count.csv<").unwrap(), "the newest first");
        let found = |words: &str| get(&owner, &format!("/imports?q={words}")).matches("data-row=").count();
        assert_eq!((found("COUNT"), found("mended"), found("nobody")), (2, 1, 0));
        says(&get(&owner, "/imports?q=nobody"), &["No import is like that."]);
        let found = |query: &str| get(&owner, &format!("/imports?{query}")).matches("data-row=").count();
        assert_eq!((found("of=stock"), found("of=items"), found("of=stock&state=to_mend"), found("state=done")), (2, 0, 1, 1));
        assert_eq!((found("state=unfinished"), found("state=done&q=mended")), (0, 0));
        let history = get(&owner, "/imports?sort=began");
        assert!(history.find("count.csv, mended").unwrap() > history.find(">count.csv<").unwrap(), "the oldest first");
        let file = owner.get("/imports?sort=began&state=to_mend&format=csv").text();
        assert!(file.lines().count() == 2 && file.contains("count.csv, mended"), "{file}");
        site.verify();
    });
}

#[test]
fn an_import_is_stopped_and_goes_on_where_it_stopped() {
    on_both(|url| {
        let site = site(url);
        site.item("C", json!({}), "LON 1");
        let (owner, support) = (site.visitor("owner"), site.visitor("support"));
        const ROWS: usize = 40_000;
        let file: String = std::iter::once("sku,name\n".to_owned()).chain((0..ROWS).map(|n| format!("S-{n:05},Thing {n}\n"))).collect();
        let waits = checked(&site, &owner, "items", "things.csv", &file);
        let path = owner.sent(&waits, &[("do", "import")]);
        assert_eq!(support.post(&format!("{path}/stop"), &[]).status, 403);
        assert_eq!(owner.sent(&format!("{path}/stop"), &[]), path);
        let page = site.soon("it stopped", || Some(get(&owner, &path)).filter(|page| page.contains("It was stopped at row")));
        lacks(&page, &["Stop the import"]);
        says(&get(&owner, "/imports?state=unfinished"), &["things.csv"]);
        let last = format!("GET /items/S-{:05}", ROWS - 1);
        assert_eq!(site.call(&last, json!(null)).told(), "404 unknown_item");
        let again = checked(&site, &owner, "items", "things.csv", &file);
        let (there, page) = imported(&site, &owner, &again);
        assert_eq!(there, path, "the same import");
        assert!(figures(&page).starts_with("Rows done 40,000"), "{}", figures(&page));
        assert_eq!(site.call(&last, json!(null)).told(), "200");
        assert_eq!(owner.sent(&format!("{path}/stop"), &[]), path, "too late");
        says(&get(&owner, &path), &["Done"]);
        site.verify();
    });
}

#[test]
fn a_malformed_file_is_refused_with_the_place() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let check = |kind: &str, file: &[u8]| send(&site, &owner, form(&[("csrf", &owner.token), ("kind", kind)], "goods.csv", file));
        for (kind, file, told) in [
            ("items", &b""[..], "Is empty; choose one."),
            ("items", b"\n\n", "Is empty: it has no header line."),
            ("items", b"A,Mug\nB,Cup\n", "Has no column “sku”; its columns are: a, mug."),
            ("items", b"sku,name,color\nA,Mug,red\n", "Has a column “color” that is not known; the known ones are:"),
            ("items", b"sku,name,SKU\nA,Mug,A\n", "Has the column “sku” twice."),
            ("items", b"PK\x03\x04\x14\0\x06\0\x08\0\0\0!\0\xb5\x55\x30\x23", "Is no text with columns; save it as CSV first."),
            ("stock", b"\x1f\x8b\x08\0\0\0\0\0\0\xff\x4b", ""),
        ] {
            let reply = check(kind, file);
            assert_eq!(reply.status, 422, "{told}: {}", reply.text());
            let page = reply.text();
            assert!(fault(&page, "file").starts_with(told), "{told}: {}", fault(&page, "file"));
            says(&page, &[&format!("href=\"/imports?kind={kind}\" aria-current=\"page\"")]);
        }
        says(&check("pots", b"sku\nA\n").text(), &["“kind” names nothing that can be imported."]);

        // A row that never ends is told where it began; what stands before it can be imported.
        let endless = [&b"sku,name\nGOOD,Good\nBAD,\""[..], &vec![b'x'; 2 << 20]].concat();
        let page = get(&owner, check("items", &endless).headers["location"].to_str().unwrap());
        says(&panel(&page, "errors"), &["3 – cannot be read, nor anything after it", "a row is longer than 1 MiB"]);
        assert!(figures(&page).starts_with("Rows 2 In the file Can be imported 1 "), "{}", figures(&page));
        // A cell that is too long is told by its column, and is not shown at length.
        let huge = format!("code,name,kind,country\nBIG,{},store,GB\n", "n".repeat(200_000));
        let page = get(&owner, check("locations", huge.as_bytes()).headers["location"].to_str().unwrap());
        says(&panel(&page, "errors"), &["2 name “name” must be at most 512 bytes long, is 200000."]);
        assert!(page.len() < 60_000, "{} bytes", page.len());

        // What is not UTF-8 is what spreadsheets write on Windows.
        let waits = check("items", b"sku;name\r\nCAFE;Caf\xe9\r\n").headers["location"].to_str().unwrap().to_owned();
        imported(&site, &owner, &waits);
        assert_eq!(site.get("/items/CAFE")["name"], "Café");
    });
}

#[test]
fn the_same_file_twice_changes_nothing_twice() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let twice = |kind: &str, file: &str| {
            for n in 1..=2 {
                let waits = checked(&site, &owner, kind, &format!("{kind}-{n}.csv"), file);
                let (_, page) = imported(&site, &owner, &waits);
                lacks(&page, &["rows to mend"]);
            }
        };
        twice("items", "sku,name,price,currency\nC,Pot,9.99,GBP\nD,Pan,19.99,GBP\n");
        twice("stock", "sku,location,quantity\nC,LON,10\nD,LEE,5\n");
        assert_eq!(site.get("/stock/C/entries")["data"].as_array().unwrap().len(), 1, "a count that finds what the books say books nothing");
        twice("orders", "channel,reference,country,sku,quantity\nweb,1,GB,C,2\nweb,1,GB,D,1\nweb,2,GB,C,3\n");
        assert_eq!(site.get("/orders")["data"].as_array().unwrap().len(), 2);
        assert_eq!((site.stock("C").as_str(), site.stock("D").as_str()), ("available 5 committed 5", "available 4 committed 1"));
        let history = get(&owner, "/imports");
        for name in ["items-1.csv", "items-2.csv", "orders-2.csv"] {
            says(&history, &[name]);
        }
        // The sample is there once, however often it is asked for, and nobody is led elsewhere by it.
        for next in ["/", "//evil.example", ""] {
            let to = owner.sent("/imports/sample", &[("next", next)]);
            assert_eq!(to, if next == "/" { "/" } else { "/imports?said=created" });
        }
        assert_eq!(get(&owner, "/imports").matches(">sample-").count(), 3);
        site.verify();
    });
}

#[test]
fn a_file_waits_for_its_owner_until_it_is_discarded() {
    on_both(|url| {
        let site = site(url);
        let (owner, other) = (site.visitor("owner"), site.visitor("operations"));
        let waits = checked(&site, &owner, "stock", "<b>mine</b>.csv", "sku,location,quantity\nA,LON,10\n");
        says(&get(&owner, &waits), &["Every row can be read.", "&lt;b&gt;mine&lt;/b&gt;.csv"]);
        says(&get(&owner, "/imports"), &["was checked and waits to be imported", &format!("href=\"{waits}\"")]);
        lacks(&get(&other, "/imports"), &["waits to be imported"]);
        assert_eq!((other.get(&waits).status, other.post(&waits, &[("do", "import")]).status), (422, 422));
        assert_eq!(owner.sent(&waits, &[("do", "discard")]), "/imports");
        assert_eq!((owner.get(&waits).status, owner.post(&waits, &[("do", "import")]).status), (422, 422));
        says(&get(&owner, "/imports"), &["None yet."]);
        assert_eq!(site.stock("A"), "");
        assert_eq!(owner.get("/imports/web%3Anothing").status, 404);
    });
}

#[test]
fn templates_can_be_imported_as_they_are() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        for kind in ["locations", "items", "stock", "postal_codes", "orders"] {
            says(&get(&owner, &format!("/imports?kind={kind}")), &[&format!("/imports/template/{kind}.csv"), "Needed"]);
            let template = owner.get(&format!("/imports/template/{kind}.csv"));
            assert!(template.headers["content-disposition"].to_str().unwrap().contains(kind), "{:?}", template.headers);
            let waits = checked(&site, &owner, kind, "template.csv", &template.text());
            says(&get(&owner, &waits), &["Every row can be read."]);
            lacks(&imported(&site, &owner, &waits).1, &["rows to mend"]);
        }
        assert_eq!(site.get("/orders")["data"][0]["lines"].as_array().unwrap().len(), 2);
        assert_eq!(site.stock("MUG-WHITE"), "available 116 committed 4");
        assert_eq!(owner.get("/imports/template/pots.csv").status, 404);
        site.verify();
    });
}

#[test]
fn who_may_not_import_sends_no_file() {
    on_both(|url| {
        let site = site(url);
        let (owner, support, limited) = (site.visitor("owner"), site.visitor("support"), site.limited("operations", Some(&["LON"]), None));
        let file = b"sku,location,quantity\nA,LON,10\n";
        let own = |who: &Visitor<'_>| form(&[("csrf", &who.token), ("kind", "stock")], "a.csv", file);
        for (who, path) in [(&support, "/imports"), (&support, "/imports/template/items.csv"), (&limited, "/imports"), (&limited, "/imports/x/mend")]
        {
            assert_eq!(who.get(path).status, 403, "{path}");
        }
        assert_eq!(limited.post("/imports/sample", &[]).status, 403);
        assert_eq!((send(&site, &support, own(&support)).status, send(&site, &limited, own(&limited)).status), (403, 403));
        // Forms that no page of ours shows.
        assert_eq!(send(&site, &owner, own(&limited)).told(), "403 form_too_old");
        for parts in [&[("kind", "stock")][..], &[("kind", "stock"), ("csrf", &owner.token)], &[("csrf", &owner.token)], &[]] {
            assert_eq!(send(&site, &owner, form(parts, "a.csv", file)).told(), "400 malformed_form", "{parts:?}");
        }
        assert_eq!(owner.post("/imports/check", &[("kind", "stock")]).status, 415);
        assert_eq!((owner.get("/imports/check").status, site.stock("A").as_str()), (303, ""));
    });
}

#[test]
fn numbers_are_read_as_spreadsheets_of_any_country_write_them() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let file = "sku;name;price;currency\nC;Cup;6,90;EUR\nD;Dish;1.234,50;EUR\nE;Egg;nineteen;EUR\nF;Fan;5,00;XX\n";
        let waits = checked(&site, &owner, "items", "items.csv", file);
        says(&get(&owner, &waits), &["Cannot be imported as in the file: 2 rows."]);
        imported(&site, &owner, &waits);
        let price = |sku: &str| site.get(&format!("/items/{sku}"))["price"]["amount"].clone();
        assert_eq!((price("C"), price("D")), (json!("6.90"), json!("1234.50")));
        for sku in ["E", "F"] {
            assert_eq!(site.call(&format!("GET /items/{sku}"), json!(null)).told(), "404 unknown_item");
        }
        // A cell of any length is quoted by its beginning.
        let file = format!("sku,location,quantity\nA,LON,{}\n", "9x".repeat(100_000));
        let waits = checked(&site, &owner, "stock", "long.csv", &file);
        let (path, _) = imported(&site, &owner, &waits);
        let page = get(&owner, &path);
        assert!(page.contains("must be a whole number") && page.len() < 60_000, "{} bytes", page.len());
    });
}
