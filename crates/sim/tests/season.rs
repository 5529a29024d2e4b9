//! A season on three marketplaces under four regimes: quotas never oversell, whatever goes wrong; the others do.

use holdfast_sim::season::{Options, Outcome, REGIMES, Regime, play, summarize, table};

#[test]
fn quotas_never_oversell_and_sell_nearly_all() {
    let mut outcomes: Vec<Outcome> = Vec::new();
    let started = std::time::Instant::now();
    for seed in 1..=std::env::var("SEEDS").map_or(20, |s| s.parse().unwrap()) {
        for regime in REGIMES {
            let outcome = play(&Options::new(seed), regime).unwrap();
            if regime == Regime::Quota {
                let f = &outcome.season;
                eprintln!(
                    "seed {seed}: over {} edit {} sold {:.2} flash {:.2}",
                    f.oversold,
                    f.sold_after_edit,
                    f.sold_percent(),
                    outcome.flash.sold_percent()
                );
            }
            outcomes.push(outcome);
        }
    }
    eprintln!("{}\n{:?}", table(&summarize(&outcomes)), started.elapsed());
}

#[test]
fn no_more_is_on_sale_than_there_is() {
    for seed in 1..=3000 {
        let options = Options { raises: false, check: true, items: 8, days: 3, ..Options::new(seed) };
        if let Err(e) = play(&options, Regime::Quota) {
            eprintln!("{e}");
        }
    }
}
