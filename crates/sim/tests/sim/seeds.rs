//! Seeds on every kind of database, and proof that the auditor notices what is wrong.
//!
//! `HOLDFAST_SEEDS` says how many seeds, `HOLDFAST_FIRST_SEED` from which one on, `HOLDFAST_TARGET` where: sqlite, postgres
//! or two (two nodes on PostgreSQL); all of them in turn if it is left out.

use holdfast_sim::{Plan, Sabotage, Server, Target, run_many, run_plan};

fn number(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).ok().map_or(otherwise, |text| text.parse().unwrap_or_else(|_| panic!("{name} is not a number: {text}")))
}

#[test]
fn seeds() {
    let server = Server::start(false).expect("a PostgreSQL for the simulation");
    let targets = match std::env::var("HOLDFAST_TARGET").as_deref() {
        Ok("sqlite") => vec![Target::Sqlite],
        Ok("postgres") => vec![Target::Postgres(server)],
        Ok("two") => vec![Target::TwoNodes(server)],
        Ok(other) => panic!("HOLDFAST_TARGET is sqlite, postgres or two, not {other}"),
        // SQLite is several times quicker, so it gets half of the seeds.
        Err(_) => vec![Target::Sqlite, Target::Postgres(server.clone()), Target::Sqlite, Target::TwoNodes(server)],
    };
    let (first, count) = (number("HOLDFAST_FIRST_SEED", 1), number("HOLDFAST_SEEDS", 220));
    let stats = run_many(first, count, &targets, 4, |_| {}).unwrap_or_else(|failure| panic!("{failure}"));
    eprintln!("{stats:#?}");
    assert_eq!(stats.seeds, count);
    if count >= 200 {
        // A workload that never meets a limit proves nothing.
        for code in
            ["insufficient_stock", "not_routable", "reservation_expired", "step_not_allowed", "too_many", "count_below_promised", "unknown_item"]
        {
            assert!(stats.refused.contains_key(code), "nothing was refused with {code}: {stats:#?}");
        }
        assert!([stats.filled, stats.routed, stats.replayed, stats.crashes, stats.full_disks].iter().all(|count| *count > 10), "{stats:#?}");
    }
}

/// The server itself goes down and comes back in the middle of transactions; it is not shared with other tests.
#[test]
fn a_server_that_restarts() {
    let server = Server::start(true).expect("a PostgreSQL for the simulation");
    let targets = [Target::Postgres(server.clone()), Target::TwoNodes(server)];
    let stats = run_many(900_000, 4, &targets, 1, |_| {}).unwrap_or_else(|failure| panic!("{failure}"));
    assert!(stats.restarts > 0, "{stats:#?}");
}

fn fails(sabotage: Sabotage) -> Box<holdfast_sim::Failure> {
    let plan = Plan { sabotage: Some(sabotage), ..Plan::new(7) };
    run_plan(&plan, &Target::Sqlite).expect_err("the auditor noticed nothing")
}

#[test]
fn the_auditor_notices_a_level_that_was_tampered_with() {
    let text = "UPDATE levels SET available = available + 1 WHERE item = (SELECT MIN(item) FROM levels)";
    let failure = fails(Sabotage::Sql { at: 5, text });
    assert!(failure.what.contains("the level of") || failure.what.contains("verify found"), "{failure}");
    let failure = fails(Sabotage::Sql { at: 5, text: "DELETE FROM entries WHERE number = 1" });
    assert!(failure.what.contains("verify found"), "{failure}");
}

#[test]
fn the_auditor_notices_a_wrong_reply_and_the_story_becomes_short() {
    for kind in ["order.shipped", "reservation.released", "stock.received"] {
        let failure = fails(Sabotage::Reply { kind });
        assert!(failure.sent.len() <= 2, "{failure}");
        assert!(failure.original.is_some() && failure.story.len() <= 3, "{failure}");
        assert!(failure.to_string().contains("seed 7 on SQLite"), "{failure}");
    }
}
