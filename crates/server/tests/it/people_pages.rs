//! The lists of people and keys: in the order that is asked for, as far as they are asked for, and as files.

use super::reading::{get, hidden, refused, says};
use super::support::{Site, on_both};
use serde_json::json;

/// The names in a list's rows, in their order.
fn names(page: &str, names: &[&str]) -> String {
    let mut found: Vec<(usize, &str)> = names.iter().filter_map(|name| Some((page.find(&format!(">{name}<"))?, *name))).collect();
    found.sort_unstable();
    found.into_iter().map(|(_, name)| name).collect::<Vec<_>>().join(" ")
}

#[test]
fn people_are_sorted_filtered_and_exported() {
    on_both(|url| {
        let site = Site::new(url);
        site.locations(&[("LON", json!({}))]);
        let owner = site.visitor("owner");
        for (name, login, role) in [("Zoe", "b@example.com", "finance"), ("Ben", "c@example.com", "warehouse"), ("Mia", "a@example.com", "support")] {
            assert_eq!(owner.post("/people", &[("name", name), ("login", login), ("role", role), ("locations", "LON")]).status, 200);
        }
        for (query, expected) in [
            ("", "Ben Mia Zoe"),
            ("?sort=-name", "Zoe Mia Ben"),
            ("?sort=login", "Mia Zoe Ben"),
            ("?sort=role", "Zoe Mia Ben"),
            ("?q=b@", "Zoe"),
            ("?role=support", "Mia"),
            ("?q=nobody", ""),
        ] {
            assert_eq!(names(&owner.get(&format!("/people{query}")).text(), &["Zoe", "Ben", "Mia"]), expected, "{query}");
        }
        let file = owner.get("/people?format=csv&role=finance&sort=-name");
        assert_eq!(file.headers["content-type"], "text/csv; charset=utf-8; header=present");
        let lines: Vec<String> = file.text().lines().map(str::to_owned).collect();
        assert_eq!(lines[0], "login,name,role,locations,channels,active,second_factor,created_at,seen_at");
        assert!(lines.len() == 2 && lines[1].starts_with("b@example.com,Zoe,finance,LON,*,1,0,"), "{lines:?}");
        assert_eq!(site.visitor("auditor").get("/people?format=csv").status, 403);
    });
}

#[test]
fn keys_are_sorted_filtered_and_exported_without_their_secrets() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        let secrets: Vec<String> = [("till", "operate"), ("books", "read")]
            .iter()
            .map(|(name, role)| site.ok("POST /keys", json!({ "name": name, "role": role }))["key"].as_str().unwrap().to_owned())
            .collect();
        for (query, expected) in [("", "books till"), ("?sort=-name", "till books"), ("?sort=role", "till books"), ("?q=boo", "books")] {
            assert_eq!(names(&owner.get(&format!("/keys{query}")).text(), &["till", "books"]), expected, "{query}");
        }
        let file = owner.get("/keys?format=csv").text();
        assert!(file.contains(",till,operate,*,*,"), "{file}");
        for secret in &secrets {
            assert!(!file.contains(&secret[secret.len() - 20..]), "{file}");
        }
    });
}

#[test]
fn roles_are_found_by_what_they_allow_sorted_and_exported() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        owner
            .sent("/roles", &[("name", "night shift"), ("about", "Counts at night"), ("permissions", "stock.view"), ("permissions", "stock.adjust")]);
        let found = |query: &str| {
            let page = get(&owner, &format!("/roles?{query}"));
            let names = page.split("data-row=\"").skip(1).map(|rest| rest.split('"').next().unwrap().to_owned());
            names.collect::<Vec<_>>()
        };
        assert_eq!(found("q=at+NIGHT"), ["night shift"]);
        // Two change it at once: the second is told.
        let seen = hidden(&get(&owner, "/roles/night%20shift"), "seen");
        let form = |about| {
            [
                ("name", "night shift"),
                ("old", "yes"),
                ("about", about),
                ("permissions", "stock.view"),
                ("permissions", "stock.adjust"),
                ("seen", &*seen),
            ]
        };
        assert_eq!(owner.sent("/roles", &form("Counts at night, and moves")), "/roles?said=saved");
        says(&refused(&owner, "/roles", &form("Sweeps")), &["Somebody else changed the role “night shift” since you opened it"]);
        says(&get(&owner, "/roles"), &["Counts at night, and moves"]);
        assert!(found("q=audit").contains(&"auditor".to_owned()) && !found("q=audit").contains(&"night shift".to_owned()));
        let names = found("sort=name");
        assert!(names.is_sorted() && names.len() > 8, "{names:?}");
        assert!(found("sort=-name").iter().rev().eq(&names));
        assert_eq!(found("sort=permissions").first().map(String::as_str), Some("night shift"));
        says(&get(&owner, "/roles?q=nothing+of+the+kind"), &["No role has this name or allows this."]);
        let file = owner.get("/roles?q=night&format=csv").text();
        let lines: Vec<Vec<&str>> = file.lines().map(|line| line.split(',').collect()).collect();
        assert_eq!((lines.len(), &lines[1][..3]), (2, &["night shift", "0", "0"][..]));
        let allowed: Vec<&str> = lines[0].iter().zip(&lines[1]).skip(3).filter(|(_, flag)| **flag == "1").map(|(word, _)| *word).collect();
        assert_eq!(allowed, ["stock.view", "stock.adjust"]);
    });
}
