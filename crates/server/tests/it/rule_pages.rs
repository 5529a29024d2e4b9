//! The pages of routing rules: a draft that is edited step by step, replayed over past orders, and made live over nobody else's work.

use crate::reading::{fault, get, hidden, lacks, panel, refused, row, says};
use crate::support::{Site, Visitor, fulfillments, on_both};
use serde_json::{Value, json};

/// London and Leeds, 273 km apart, each known by its coordinates.
fn site(url: engine::Url) -> Site {
    let site = Site::new(url);
    site.locations(&[
        ("LON", json!({ "name": "London", "latitude": 51.5, "longitude": -0.1 })),
        ("LEE", json!({ "name": "Leeds", "kind": "store", "latitude": 53.8, "longitude": -1.5 })),
    ]);
    site
}

/// A form as a browser keeps it: what travels along, and what is sent with each step.
struct Editor<'s> {
    who: &'s Visitor<'s>,
    draft: String,
    open: Option<String>,
    seen: String,
    page: String,
}

impl<'s> Editor<'s> {
    fn open(who: &'s Visitor<'s>) -> Editor<'s> {
        Editor::of(who, get(who, "/rules"))
    }

    fn of(who: &'s Visitor<'s>, page: String) -> Editor<'s> {
        let draft = hidden(&page, "draft").replace("&quot;", "\"").replace("&amp;", "&");
        let open = page.contains("name=\"open\"").then(|| hidden(&page, "open"));
        Editor { who, draft, open, seen: hidden(&page, "seen"), page }
    }

    /// What a browser sends when a button is pressed, whatever it does.
    fn sends<'f>(&'f self, fields: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
        let carried = [("draft", self.draft.as_str()), ("seen", &self.seen)];
        carried.into_iter().chain(self.open.as_deref().map(|n| ("open", n))).chain(fields.iter().copied()).collect()
    }

    /// Goes on with the page that a step leads to.
    fn step(self, what: &str, fields: &[(&str, &str)]) -> Editor<'s> {
        let reply = self.who.post("/rules", &self.sends(&[&[("do", what)], fields].concat()));
        assert_eq!(reply.status, 200, "{what} {fields:?}: {}", reply.text());
        Editor::of(self.who, reply.text())
    }

    /// Goes on with the page that says no.
    fn refused(self, path: &str, fields: &[(&str, &str)]) -> Editor<'s> {
        let page = refused(self.who, path, &self.sends(fields));
        Editor::of(self.who, page)
    }

    /// The rules of the draft, the one that is open with a star.
    fn names(&self) -> String {
        let draft: Value = serde_json::from_str(&self.draft).unwrap();
        let open = self.open.as_deref().unwrap_or_default();
        let star = |n: usize| if n.to_string() == open { "*" } else { "" };
        let rules = draft["rules"].as_array().unwrap().iter().enumerate();
        rules.map(|(n, rule)| format!("{}{}", rule["name"].as_str().unwrap(), star(n))).collect::<Vec<_>>().join(", ")
    }
}

/// The name of the rules in force; empty if there are none.
fn live(site: &Site) -> String {
    site.get("/routing/rules")["data"][0]["name"].as_str().unwrap_or_default().to_owned()
}

#[test]
fn a_draft_is_edited_step_by_step_and_nothing_is_saved() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let editor = Editor::open(&owner);
        says(&editor.page, &["No rules yet: any location, the cheapest first.", "No rule of your own yet."]);
        lacks(&editor.page, &["Draft, not saved", "Discard the draft"]);
        let editor = editor.step("add", &[]);
        assert_eq!(editor.names(), "*");
        // What was typed into the open rule stays, whichever button is pressed.
        let stores = [
            ("r.name", "Stores"),
            ("r.channels", "web, till"),
            ("r.countries", "gb, ie"),
            ("r.max_units", "5"),
            ("r.kinds", "store"),
            ("r.kinds", "dark_store"),
            ("r.from_countries", "gb"),
            ("r.max_distance_km", "40,5"),
            ("r.prefer", "nearest"),
            ("r.max_fulfillments", "1"),
            ("r.otherwise", "stop"),
            ("r.per_fulfillment", "2,50"),
        ];
        let editor = editor.step("add", &stores);
        assert_eq!(editor.names(), "Stores, *");
        let sentence = "Orders on web, till, to GB, IE, of at most 5 units from any location of the kind Store, Dark store in GB within 40.5 km, the nearest first, in one parcel. If that cannot fill it whole, no other rule is tried.";
        says(&editor.page, &[sentence, "Weighs $2.50 a parcel", "Draft, not saved", "2 changes"]);
        let leeds = [("r.name", "Leeds"), ("r.customers", "acme, big co"), ("r.locations", "LEE"), ("r.timing", "run")];
        let editor = editor.step("apply", &leeds);
        says(&editor.page, &["Orders of acme, big co from LEE, the cheapest first", "Its units are held until the next routing run."]);
        let mut editor = editor;
        for (what, names) in [
            ("up:1", "Leeds*, Stores"),
            ("close", "Leeds, Stores"),
            ("copy:0", "Leeds, Leeds*, Stores"),
            ("delete:0", "Leeds*, Stores"),
            ("down:0", "Stores, Leeds*"),
            ("delete:1", "Stores"),
            ("open:0", "Stores*"),
        ] {
            editor = editor.step(what, &[]);
            assert_eq!(editor.names(), names, "{what}");
        }
        says(&editor.page, &["name=\"r.countries\" type=\"text\" value=\"GB, IE\"", "value=\"40.5\""]);
        let editor = editor.step("only", &[("only.location", "LON"), ("only.customers", "acme, bigco")]);
        says(&editor.page, &["London serves acme, bigco only"]);
        let editor = editor.step("free:0", &[]);
        lacks(&editor.page, &["serves acme"]);
        let editor = editor.step("discard", &[]);
        assert_eq!((editor.names().as_str(), live(&site).as_str()), ("", ""));
        lacks(&editor.page, &["Draft, not saved"]);
    });
}

#[test]
fn faults_stand_at_their_place_and_nothing_typed_is_lost() {
    on_both(|url| {
        let site = site(url);
        let owner = site.visitor("owner");
        let begun = || Editor::open(&owner).step("add", &[]);
        for (field, typed, told) in [
            ("r.max_distance_km", "far", "Must be a number such as 51.5."),
            ("r.min_units", "some", "Must be a whole number."),
            ("r.per_km", "dear", "Must be an amount such as 0.25."),
            ("r.max_fulfillments", "1.5", "Must be a whole number."),
        ] {
            let editor = begun().refused("/rules", &[("do", "close"), ("r.name", "Typed name"), (field, typed)]);
            assert_eq!(fault(&editor.page, field), told);
            says(&editor.page, &["value=\"Typed name\"", &format!("name=\"{field}\" type=\"text\" value=\"{typed}\"")]);
            assert_eq!(editor.names(), "*", "{field}");
        }
        // What only the rule as a whole shows is told when it is closed; else it leads there, and the rule is opened.
        for path in ["/rules/try", "/rules/live"] {
            for (field, typed, told) in [
                ("r.locations", "PARIS", "There is no location “PARIS”."),
                ("r.countries", "Germany", "Must be a two-letter ISO 3166-1 code such as GB."),
                ("r.from_countries", "UK", "Must be GB for the United Kingdom."),
                ("r.max_units", "1", "Must not be less than the least."),
                ("r.max_fulfillments", "0", "Must be 1 to 100."),
                ("r.max_distance_km", "30000", "Must be 0 to 25,000."),
                ("r.stock_out_risk", "1000001", "Must be 0 to 1,000,000,000,000 micro-units."),
            ] {
                let bad = [("r.name", "Bad"), ("r.min_units", "2"), (field, typed)];
                let editor = begun().refused("/rules", &[&[("do", "close")], &bad[..]].concat());
                assert_eq!((fault(&editor.page, field).as_str(), editor.names().as_str()), (told, "*"), "{field}");
                let editor = begun().step("add", &bad).refused(path, &[("name", "Autumn")]);
                assert_eq!((fault(&editor.page, field).as_str(), editor.names().as_str()), (told, "Bad*, "), "{path} {field}");
                says(&editor.page, &["name=\"name\" type=\"text\" value=\"Autumn\""]);
            }
        }
        let editor = begun().refused("/rules/live", &[("name", " ")]);
        assert!(fault(&editor.page, "name").starts_with("Must be 1 to"), "{}", editor.page);
        for (field, fields) in [("only.location", ["", "acme"]), ("only.customers", ["LON", " , "])] {
            let page = begun().refused("/rules", &[("do", "only"), ("only.location", fields[0]), ("only.customers", fields[1])]).page;
            assert!(fault(&page, field).starts_with("Is empty;"), "{page}");
        }
        for (json, told) in [("{\"rules\": [{\"nmae\": 1}]}", "nmae"), ("rules", "Is no rule set"), ("", "Is no rule set")] {
            let page = begun().refused("/rules", &[("do", "import"), ("json", json)]).page;
            assert!(fault(&page, "json").contains(told), "{page}");
        }
        assert_eq!(live(&site), "");
    });
}

#[test]
fn a_draft_is_replayed_beside_the_live_rules() {
    on_both(|url| {
        let site = site(url);
        // Three dollars a parcel and nothing else, so that every figure can be told by heart.
        let flat = json!({ "per_fulfillment": 3_000_000, "per_km": 0, "split_penalty": 0, "stock_out_risk": 0 });
        let rules = json!({ "rules": [{ "name": "Near", "prefer": "nearest", "cost": flat }] });
        site.ok("POST /routing/rules", json!({ "name": "Spring", "rules": rules }));
        site.item("MUG", json!({}), "LON 50, LEE 3");
        site.time.advance(60);
        let order = |reference: &str, to: (f64, f64)| {
            let to = json!({ "country": "GB", "latitude": to.0, "longitude": to.1 });
            let lines = json!([{ "sku": "MUG", "quantity": 1 }]);
            let placed = site.ok("POST /orders", json!({ "channel": "web", "reference": reference, "ship_to": to, "lines": lines }));
            site.time.advance(60);
            (placed["id"].as_str().unwrap().to_owned(), fulfillments(&placed))
        };
        let london: Vec<_> = ["1", "2", "3"].iter().map(|reference| order(reference, (51.5, -0.1))).collect();
        let (last, from) = order("4", (53.8, -1.5));
        assert_eq!((london[2].1.as_str(), from.as_str()), ("LON: MUG 1", "LEE: MUG 1"));

        let owner = site.visitor("owner");
        let editor = Editor::open(&owner);
        let editor = editor.step("delete:0", &[]).step("add", &[]);
        let leeds = [("r.name", "Leeds"), ("r.locations", "LEE"), ("r.otherwise", "stop"), ("r.per_fulfillment", "1"), ("r.per_km", "0")];
        let editor = editor.step("apply", &[&leeds[..], &[("r.split_penalty", "0"), ("r.stock_out_risk", "0")]].concat());
        let replayed = |orders: &str| {
            // Others may be replaying at this moment, of whom there may be one.
            site.soon("its turn", || {
                let reply = owner.post("/rules/try", &editor.sends(&[("orders", orders)]));
                (reply.status == 200).then(|| reply.text())
            })
        };
        let page = replayed("500");
        says(&page, &["4 orders replayed in", "<option value=\"500\" selected>", "Draft, not saved"]);
        for (measure, figures) in [
            ("Filled whole", "100.0% 75.0% −25.0 pt"),
            ("Units filled", "100.0% 75.0% −25.0 pt"),
            ("Further parcels", "0 0 0"),
            ("Mean distance", "0 km 273 km +273 km"),
            ("Cost an order", "$3.00 $0.75 −2.25"),
        ] {
            assert_eq!(row(&page, measure), format!("{measure} {figures}"));
        }
        assert!(panel(&page, "whatif").ends_with("$9.00 less for these orders"), "{}", panel(&page, "whatif"));
        assert!(panel(&page, "by-location").ends_with("Leeds 1 3 +2 London 3 0 −3"), "{}", panel(&page, "by-location"));
        for (id, _) in &london {
            assert_eq!(row(&page, &format!("o{id}")), format!("H{id} London Leeds −$2.00"));
        }
        // Leeds has sent its three mugs to London by then.
        assert_eq!(row(&page, &format!("o{last}")), format!("H{last} Leeds Nowhere −$3.00"));
        // A draft that is the same moves nothing, and asking wrote nothing.
        let same = Editor::open(&owner);
        let page = site.soon("its turn", || {
            let reply = owner.post("/rules/try", &same.sends(&[("orders", "7")]));
            (reply.status == 200).then(|| reply.text())
        });
        says(&page, &["The same cost in all", "Every order would be sent from where it is sent now.", "<option value=\"100\" selected>"]);
        assert_eq!((live(&site).as_str(), site.stock("MUG").as_str()), ("Spring", "available 49 committed 4"));
        site.verify();
    });
}

#[test]
fn a_draft_goes_live_but_not_unseen_over_somebody_elses() {
    on_both(|url| {
        let site = site(url);
        let (owner, operations) = (site.visitor("owner"), site.visitor("operations"));
        let rule = |name: &'static str| [("r.name", name), ("r.locations", "LEE")];
        let drafted = |who, name| Editor::open(who).step("add", &[]).step("close", &rule(name));
        let ours = drafted(&owner, "Ours");
        let theirs = drafted(&operations, "Theirs");
        assert_eq!(operations.sent("/rules/live", &theirs.sends(&[("name", "Theirs")])), "/rules?said=saved");
        // Meanwhile told at each step, and refused once with the draft kept; another refusal before that does not count as told.
        let ours = ours.step("open:0", &[]);
        says(&ours.page, &["“Theirs” went live meanwhile."]);
        let ours = ours.refused("/rules/live", &[("name", "Ours"), ("r.name", "Ours"), ("r.locations", "PARIS")]);
        assert_eq!(fault(&ours.page, "r.locations"), "There is no location “PARIS”.");
        says(&ours.page, &["“Theirs” went live meanwhile."]);
        let ours = ours.refused("/rules/live", &[("name", "Ours"), ("r.name", "Ours"), ("r.locations", "LEE")]);
        says(&ours.page, &["Somebody else changed the rule set", "value=\"Ours\""]);
        assert_eq!((ours.names().as_str(), live(&site).as_str()), ("Ours*", "Theirs"));
        assert_eq!(owner.sent("/rules/live", &ours.sends(&[("name", "Ours")])), "/rules?said=saved");
        assert_eq!(live(&site), "Ours");

        // The version before is taken back into a draft, which nobody changed meanwhile, until somebody does.
        let history = get(&owner, "/rules/history");
        assert!(history.find("Ours").unwrap() < history.find("Theirs").unwrap());
        says(&history, &["<span class=\"tag tag-ok\">Live</span>"]);
        let restore = hidden(&history[history.find("Theirs").unwrap()..], "do");
        let restored = Editor::of(&owner, owner.post("/rules", &[("do", &restore)]).text());
        assert_eq!(restored.names(), "Theirs");
        lacks(&restored.page, &["went live meanwhile"]);
        site.ok("POST /routing/rules", json!({ "name": "By a program", "rules": { "rules": [] } }));
        let restored = restored.refused("/rules/live", &[("name", "As before")]);
        says(&restored.page, &["Somebody else changed the rule set"]);
        assert_eq!(live(&site), "By a program");
        owner.sent("/rules/live", &restored.sends(&[("name", "As before")]));
        assert_eq!(site.get("/routing/rules")["data"].as_array().unwrap().len(), 4);
        assert_eq!(owner.post("/rules", &[("do", "restore:12")]).status, 422);
        // As a file, and from it.
        let file = owner.get("/rules/export");
        assert_eq!(file.headers["content-disposition"], "attachment; filename=\"routing-rules.json\"");
        let editor = Editor::open(&owner).step("delete:0", &[]).step("import", &[("json", &file.text())]);
        assert_eq!(editor.names(), "Theirs");
        assert_eq!(owner.post("/rules/export", &editor.sends(&[])).body["rules"], file.body["rules"]);
        site.engine.shut_down();
    });
}

#[test]
fn who_may_not_only_looks_or_sees_nothing() {
    on_both(|url| {
        let site = site(url);
        let looks = site.visitor("channels");
        let editor = Editor::open(&looks).step("add", &[]);
        lacks(&editor.page, &["Make live…", "/rules/live"]);
        assert_eq!(looks.post("/rules/live", &editor.sends(&[("name", "Mine")])).status, 403);
        let (support, limited) = (site.visitor("support"), site.limited("operations", Some(&["LON"]), None));
        for path in ["/rules", "/rules/history", "/rules/export"] {
            assert_eq!((support.get(path).status, limited.get(path).status), (403, 403), "{path}");
        }
        for path in ["/rules", "/rules/try", "/rules/live"] {
            assert_eq!((support.post(path, &[]).status, limited.post(path, &editor.sends(&[("name", "Mine")])).status), (403, 403), "{path}");
        }
        assert_eq!(live(&site), "");
    });
}
