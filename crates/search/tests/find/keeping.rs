//! The index follows the database, outlives restarts, and is made anew when it is of no use.

use crate::shop::{Folder, Shop, query};
use domain::Refused;
use engine::Stop;
use holdfast_search::Search;
use serde_json::json;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn what_happens_is_found() {
    let shop = Shop::new();
    assert_eq!(shop.found(&query("lantern")), "");
    shop.item("L-1", "Paper lantern", None);
    assert_eq!(shop.found(&query("lantern")), "L-1");
    shop.update("L-1", json!({"name": "Paper moon", "barcode": "4006381333931"}));
    assert_eq!(shop.found(&query("lantern")), "");
    assert_eq!(shop.found(&query("moon")), "L-1");
    assert_eq!(shop.found(&query("4006381")), "L-1");
    shop.receive("L-1", 1);
    let order = shop.order("web", "W-77", Some("mond@example.com"), json!({"name": "Ines Mond"}));
    assert_eq!(shop.found(&query("ines")), "#W-77");
    assert_eq!(shop.found(&query("1Z999AA10123456784")), "");
    shop.ship(shop.fulfillment(order), "1Z 999 AA1 01 2345 6784");
    assert_eq!(shop.found(&query("1Z999AA10123456784")), "#W-77");
    assert_eq!(shop.found(&query("1z999")), "#W-77");
    assert_eq!(shop.found(&query("ines")), "#W-77", "once, not once for each of its versions");
}

#[test]
fn imports_are_found_new_rows_and_changed_ones() {
    let shop = Shop::new();
    let rows = |name: &str, from: usize, to: usize| (from..to).map(|n| format!("I{n:05},{name} {n}\n")).collect::<String>();
    let count = |text: &str| shop.find(&query(text)).total;
    shop.import("one", format!("sku,name\n{}", rows("Basket", 0, 5_000)));
    assert_eq!((count("basket"), count("basket 4999"), count("I04999")), (5_000, 1, 1));
    shop.import("two", format!("sku,name\n{}", rows("Hamper", 4_000, 6_000)));
    assert_eq!((count("basket"), count("hamper"), count("i0")), (4_000, 2_000, 6_000));
    assert_eq!((count("basket 4500"), count("hamper 4500")), (0, 1));
}

#[test]
fn a_restart_goes_on_where_it_stopped() {
    let mut shop = Shop::new();
    shop.item("A-1", "Before", None);
    assert_eq!(shop.found(&query("before")), "A-1");
    shop.stop();
    let marked = mark(&shop.index());
    shop.item("A-2", "Meanwhile", None);
    shop.update("A-1", json!({"name": "Renamed"}));
    shop.start();
    assert_eq!(shop.found(&query("meanwhile")), "A-2");
    assert_eq!((shop.found(&query("renamed")), shop.found(&query("before"))), ("A-1".into(), String::new()));
    assert!(marked.exists(), "it was not made anew");
}

/// A file among those of the index, gone when the index is made anew.
fn mark(index: &Path) -> std::path::PathBuf {
    let path = index.join("index").join("mark");
    std::fs::write(&path, "").unwrap();
    path
}

fn files(folder: &Path, ending: &str) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    entries.filter(|path| path.to_string_lossy().ends_with(ending)).collect()
}

#[test]
fn an_index_of_no_use_is_made_anew() {
    let edit = |path: &Path, from: &str, to: &str| {
        let text = std::fs::read_to_string(path).unwrap();
        assert!(text.contains(from), "{text}");
        std::fs::write(path, text.replacen(from, to, 1)).unwrap();
    };
    type Harm<'a> = (&'static str, &'a dyn Fn(&Path));
    let harms: [Harm<'_>; 6] = [
        ("another format", &|index| edit(&index.join("meta.json"), "format\\\":2", "format\\\":0")),
        ("another history", &|index| edit(&index.join("meta.json"), "\\\"at\\\":1", "\\\"at\\\":2")),
        ("no JSON", &|index| std::fs::write(index.join("meta.json"), "{").unwrap()),
        ("a file is gone", &|index| files(index, ".idx").iter().for_each(|path| std::fs::remove_file(path).unwrap())),
        ("a file is cut", &|index| files(index, ".term").iter().for_each(|path| std::fs::write(path, "cut").unwrap())),
        ("a bit is wrong", &|index| {
            for path in files(index, ".term") {
                let mut bytes = std::fs::read(&path).unwrap();
                bytes[10] ^= 1;
                std::fs::write(&path, bytes).unwrap();
            }
        }),
    ];
    let mut shop = Shop::new();
    shop.item("A-1", "Lantern", None);
    for (name, harm) in harms {
        assert_eq!(shop.found(&query("lantern")), "A-1", "before: {name}");
        shop.stop();
        let marked = mark(&shop.index());
        harm(&shop.index().join("index"));
        shop.start();
        assert_eq!(shop.found(&query("lantern")), "A-1", "after: {name}");
        assert!(!marked.exists(), "{name}");
    }
}

#[test]
fn the_index_of_another_database_is_made_anew() {
    let mut shop = Shop::new();
    shop.item("A-1", "Lantern", None);
    assert_eq!(shop.found(&query("lantern")), "A-1");
    shop.stop();
    // The same commands at another time are another history.
    let mut elsewhere = Shop::new();
    elsewhere.stop();
    let place = elsewhere.index();
    let _ = std::fs::remove_dir_all(&place);
    std::fs::rename(shop.index(), &place).unwrap();
    elsewhere.item("B-1", "Teapot", None);
    elsewhere.start();
    assert_eq!(elsewhere.found(&query("teapot")), "B-1");
    assert_eq!(elsewhere.found(&query("lantern")), "");
}

#[test]
fn a_folder_that_holds_something_else_is_left_alone() {
    let shop = Shop::new();
    let photos = Folder::new();
    std::fs::write(photos.path().join("holiday.jpg"), "sea").unwrap();
    let search = Arc::new(Search::new(shop.engine.clone(), Some(photos.path().to_owned())));
    shop.run(&search);
    std::thread::sleep(Duration::from_millis(300));
    assert!(matches!(search.find(&query("x")), Err(Stop::Refused(Refused::SearchNotReady))));
    let left: Vec<_> = std::fs::read_dir(photos.path()).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left, ["holiday.jpg"]);
}

#[test]
fn two_servers_of_one_machine_share_a_folder() {
    let mut shop = Shop::new();
    shop.item("A-1", "Lantern", None);
    assert_eq!(shop.found(&query("lantern")), "A-1");
    let second = Arc::new(Search::new(shop.engine.clone(), Some(shop.index())));
    shop.run(&second);
    assert_eq!(shop.find_in(&second, &query("lantern")).total, 1);
    shop.item("A-2", "Blue lantern", None);
    assert_eq!(shop.find_in(&second, &query("lantern")).total, 2);
    // The first one goes; the second takes over.
    shop.stop();
    shop.item("A-3", "Red lantern", None);
    assert_eq!(shop.find_in(&second, &query("lantern")).total, 3);
}

#[test]
fn nothing_is_ready_where_nothing_runs() {
    let shop = Shop::new();
    let search = Search::new(shop.engine.clone(), None);
    assert!(matches!(search.find(&query("x")), Err(Stop::Refused(Refused::SearchNotReady))));
}

/// What is written while all rows are read is neither missed nor found twice.
#[test]
fn changes_while_the_index_is_made_are_not_missed() {
    let mut shop = Shop::new();
    shop.stop();
    let rows: String = (0..20_000).map(|n| format!("I{n:05},Basket {n}\n")).collect();
    shop.import("one", format!("sku,name\n{rows}"));
    let _ = std::fs::remove_dir_all(shop.index());
    shop.start();
    let mut changed = 0;
    while changed < 500 {
        shop.item(&format!("NEW-{changed}"), "Hamper", None);
        shop.update(&format!("I{:05}", 40 * changed), json!({"name": "Hamper"}));
        changed += 1;
        if shop.search.find(&query("basket")).is_ok_and(|found| found.building.is_none()) {
            break;
        }
    }
    assert!(changed > 1, "the index was made too quickly for this test");
    assert_eq!(shop.find(&query("hamper")).total, 2 * changed);
}
