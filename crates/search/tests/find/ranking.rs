//! What is found, and in which order: tables of what is typed and what must come.

use crate::shop::{Shop, query};
use holdfast_search::{Kind, MAX_LIMIT, MAX_TOTAL, Query};
use serde_json::json;

const ITEMS: &str = "
    85123A-RED  | White hanging heart light holder, red  | 5012345678900
    85123A      | White hanging heart light holder       | 978-3-16-148410-0
    85123AB     | Blue heart                             |
    RED-9       | Poster                                 |
    DISH        | Crème brûlée dish                      |
    CUPBOARD    | Kitchen furniture                      |
    CUP         | Tea for two                            |
    MUG-1       | Cup with a lid                         |
    MUG-2       | Cupcake stand                          |
    MUG-3       | Stand for a cup                        |
    JP-1        | 東京タワー 模型                          |
    1042        | Numbered print                         |
    LONG-CODE-0123456789-A | Long one                    |
    LONG-CODE-0123456789-B | Long two                    |
";

const ORDERS: &str = "
    web        | 1001                | anna.smith@example.com | Anna Smith      | SW1A 1AA | London
    shopify-de | SHOP-DE-1001        |                        | Jürgen Müller   | 50667    | Köln
    amazon-uk  | 026-1234567-7654321 | cup lover              | Anna Sørensen   | LS1 4AP  | Leeds
    web        | 1002                |                        | Łukasz O'Brien  | 80-001   | Gdańsk
";

fn shop() -> Shop {
    let shop = Shop::new();
    let cells = |line: &str| line.split('|').map(|cell| cell.trim().to_owned()).collect::<Vec<_>>();
    let given = |cell: &String| (!cell.is_empty()).then(|| cell.clone());
    for cells in ITEMS.lines().filter(|line| !line.trim().is_empty()).map(cells) {
        shop.item(&cells[0], &cells[1], given(&cells[2]).as_deref());
    }
    for cells in ORDERS.lines().filter(|line| !line.trim().is_empty()).map(cells) {
        let to = json!({"name": given(&cells[3]), "postal_code": given(&cells[4]), "city": given(&cells[5])});
        shop.order(&cells[0], &cells[1], given(&cells[2]).as_deref(), to);
    }
    shop
}

fn check(shop: &Shop, table: &str) {
    for line in table.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let (text, expected) = line.split_once("->").unwrap();
        assert_eq!(shop.found(&query(text)), expected.trim(), "“{}”", text.trim());
    }
}

#[test]
fn the_best_comes_first() {
    let shop = shop();
    check(
        &shop,
        "
        85123A            -> 85123A 85123AB 85123A-RED
        85123a-red        -> 85123A-RED
        85123 a red       -> 85123A-RED
        8512              -> 85123AB 85123A 85123A-RED
        red               -> RED-9 85123A-RED
        cup               -> CUP CUPBOARD MUG-3 MUG-1 #026-1234567-7654321 MUG-2
        cup st            -> MUG-3 MUG-2
        stand cup         -> MUG-3 MUG-2
        cup stand nothing ->
        heart white       -> 85123A 85123A-RED
        5012345678900     -> 85123A-RED
        9783161484100     -> 85123A
        978 3 16 148410 0 -> 85123A
        978-3-16          -> 85123A
        1001              -> #1001 #SHOP-DE-1001
        #1001             -> #1001 #SHOP-DE-1001
        shop-de-1001      -> #SHOP-DE-1001
        026-1234567       -> #026-1234567-7654321
        0261234567765     -> #026-1234567-7654321
        7654321           -> #026-1234567-7654321
        anna              -> #026-1234567-7654321 #1001
        anna london       -> #1001
        anna.smith@example.com -> #1001
        sw1a1aa           -> #1001
        sw1a 1            -> #1001
        shopify-de        -> #SHOP-DE-1001
        web               -> #1002 #1001
        long-code-0123456789   -> LONG-CODE-0123456789-B LONG-CODE-0123456789-A
        longcode0123456789a    -> LONG-CODE-0123456789-A
        longcode01234567       -> LONG-CODE-0123456789-B LONG-CODE-0123456789-A
        longcode012345678x     ->
        ",
    );
    // The numbers of orders, whole, by their digits, and by a beginning.
    let id = shop.order("web", "9", None, json!({}));
    for text in [format!("H{id}"), format!("h{id}"), id.to_string()] {
        assert_eq!(shop.found(&query(&text)), "#9", "{text}");
    }
    let begins = &format!("H{id}")[..3];
    assert!(shop.found(&query(begins)).starts_with("#9 #1002 "), "the newest first: {}", shop.found(&query(begins)));
    // An item whose code is just that comes before an order whose number is.
    assert_eq!(shop.found(&query("1042")).split(' ').next(), Some("1042"));
}

#[test]
fn case_and_accents_do_not_matter() {
    check(
        &shop(),
        "
        creme brulee  -> DISH
        CRÈME BRÛ     -> DISH
        jurgen muller -> #SHOP-DE-1001
        JÜRGEN        -> #SHOP-DE-1001
        koln          -> #SHOP-DE-1001
        sorensen      -> #026-1234567-7654321
        Łukasz        -> #1002
        lukasz obrien -> #1002
        o'brien       -> #1002
        gdansk        -> #1002
        タワー         -> JP-1
        東京           -> JP-1
        ",
    );
}

#[test]
fn a_slip_is_forgiven_where_nothing_is_found() {
    let shop = shop();
    check(
        &shop,
        "
        postr         -> RED-9
        pposter       -> RED-9
        pistre        ->
        kitchen fruniture -> CUPBOARD
        anna lodnon   -> #1001
        cupp          ->
        85132A        ->
        ",
    );
    assert!(shop.find(&query("postr")).is_near && !shop.find(&query("poster")).is_near && !shop.find(&query("pistre")).is_near);
}

#[test]
fn it_can_be_narrowed() {
    let shop = shop();
    shop.update("MUG-1", json!({"active": false}));
    let channels = |names: &[&str]| names.iter().map(|n| n.to_string()).collect::<Vec<_>>();
    let (web, more, none, unknown) = (channels(&["web"]), channels(&["web", "amazon-uk"]), channels(&[]), channels(&["we", "Web", ""]));
    for (narrowed, expected) in [
        (Query { kind: Some(Kind::Item), ..query("cup") }, "CUP CUPBOARD MUG-3 MUG-1 MUG-2"),
        (Query { kind: Some(Kind::Item), active_only: true, ..query("cup") }, "CUP CUPBOARD MUG-3 MUG-2"),
        (Query { kind: Some(Kind::Order), ..query("cup") }, "#026-1234567-7654321"),
        (Query { channels: Some(&web), ..query("anna") }, "#1001"),
        (Query { channels: Some(&more), ..query("anna") }, "#026-1234567-7654321 #1001"),
        (Query { channels: Some(&none), ..query("anna") }, ""),
        (Query { channels: Some(&unknown), ..query("anna") }, ""),
        (Query { channels: Some(&none), ..query("1001") }, ""),
        (Query { channels: Some(&web), ..query("cup") }, "CUP CUPBOARD MUG-3 MUG-1 MUG-2"),
        (Query { channels: Some(&none), ..query("anna lodnon") }, ""),
        (Query { limit: 2, ..query("cup") }, "CUP CUPBOARD"),
        (Query { limit: 0, ..query("cup") }, ""),
    ] {
        assert_eq!(shop.found(&narrowed), expected, "{narrowed:?}");
    }
    let found = shop.find(&Query { limit: 2, ..query("cup") });
    assert_eq!((found.hits.len(), found.total), (2, 6));
    assert_eq!(shop.find(&Query { limit: 0, ..query("cup") }).total, 6);
}

#[test]
fn whatever_is_typed_is_plain_text() {
    let shop = shop();
    for text in [
        "",
        " ",
        "\"",
        "*",
        "cup*",
        "sku:cup",
        "(cup OR mug",
        "[a TO z]",
        "{",
        "^2",
        "~",
        "\\",
        "cup~1",
        "+cup -mug",
        "\u{0}",
        "cup\u{0}",
        "cup\u{7}",
        "\u{10ffff}",
        "%00",
        "'; --",
    ] {
        shop.find(&query(text));
    }
    check(
        &shop,
        "
        \"cup\"*            -> CUP CUPBOARD MUG-3 MUG-1 #026-1234567-7654321 MUG-2
        (cup) +[stand]~^2   -> MUG-2
        name:cup            ->
        mug_1               -> MUG-1
        ",
    );
    for hostile in
        ["x".repeat(10_000), "cup ".repeat(3_000), "a b c d e f g ".repeat(800), "\u{301}".repeat(10_000), "ﷺ".repeat(10_000), "*:".repeat(5_000)]
    {
        shop.find(&query(&hostile));
    }
    assert_eq!(shop.found(&query(&"cup ".repeat(3_000))), shop.found(&query("cup")), "a word is looked for once");
}

#[test]
fn there_are_limits() {
    let shop = shop();
    let rows: String = (0..12_000).map(|n| format!("BULK-{n},Bulk {n}\n")).collect();
    shop.import("bulk", format!("sku,name\n{rows}"));
    let found = shop.find(&Query { limit: 5_000, ..query("bulk") });
    assert_eq!((found.hits.len(), found.total), (MAX_LIMIT, MAX_TOTAL));
    let ids: Vec<i64> = found.hits.iter().map(|hit| hit.id).collect();
    assert!(ids.is_sorted_by(|a, b| a > b), "the newest first");
    let found = shop.find(&Query { limit: 10, ..query("bulk 1199") });
    assert_eq!((found.hits.len(), found.total), (10, 11));
}
