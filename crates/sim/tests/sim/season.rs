//! A season on three marketplaces under four regimes: quotas never oversell, whatever goes wrong; the others do.

use holdfast_sim::season::{Options, Outcome, Regime, play, play_many, summarize, table};

fn of(outcomes: &[Outcome], regime: Regime) -> Vec<&Outcome> {
    outcomes.iter().filter(|o| o.regime == regime).collect()
}

#[test]
fn quotas_never_oversell_and_sell_nearly_all() {
    let outcomes = play_many(&Options::new(0), 1..21, 2, || {}).unwrap();
    eprintln!("{}", table(&summarize(&outcomes)));
    for outcome in of(&outcomes, Regime::Quota) {
        let (seed, season, flash) = (outcome.seed, &outcome.season, &outcome.flash);
        assert_eq!((season.oversold, flash.oversold), (0, 0), "seed {seed}");
        assert!(season.canceled_orders <= season.sold_after_edit, "seed {seed}: orders canceled though their units were there");
        assert!(season.sold_percent() > 99.3, "seed {seed}: {:.2}% of what one counter would have sold", season.sold_percent());
        assert_eq!(season.accuracy_reconciled, 1.0, "seed {seed}");
    }
    let mean = |regime, figure: fn(&Outcome) -> f64| of(&outcomes, regime).into_iter().map(figure).sum::<f64>() / 20.0;
    let sold = mean(Regime::Quota, |o| o.season.sold_percent());
    assert!(sold >= 99.5, "{sold:.2}% of what one counter would have sold");
    let (calls, broadcast) = (mean(Regime::Quota, |o| o.season.calls as f64), mean(Regime::Broadcast, |o| o.season.calls as f64));
    assert!(calls * 5.0 <= broadcast, "{calls} calls, and {broadcast} to broadcast");
    // If these could not oversell, the season would prove nothing.
    for regime in [Regime::Before, Regime::Broadcast, Regime::Shared] {
        for outcome in of(&outcomes, regime) {
            assert!(outcome.flash.oversold >= 20, "seed {}, {}: a harmless season", outcome.seed, regime.name());
        }
    }
}

/// After every event: what the listings show, what writes under way may add and what our own shop would sell is there.
#[test]
fn no_more_is_on_sale_than_there_is() {
    for seed in 1..=600 {
        let options = Options { raises: false, check: true, items: 8, days: 3, ..Options::new(seed) };
        let outcome = play(&options, Regime::Quota).unwrap();
        assert_eq!((outcome.season.oversold, outcome.season.canceled_orders), (0, 0), "seed {seed}");
    }
}

#[test]
fn a_seed_decides_everything() {
    let options = Options { items: 6, days: 3, ..Options::new(7) };
    let told = |outcome: Outcome| format!("{outcome:?}");
    assert_eq!(play(&options, Regime::Quota).map(told), play(&options, Regime::Quota).map(told));
}
