//! Policies: how a channel, or one listing, takes part in what is for sale; the words for each part, the fields, and reading them back.
//! The rule is `domain/quota.rs`.

use crate::console::fields::Fields;
use crate::console::parts::{Field, check, select};
use crate::console::viewer::Viewer;
use domain::Refused;
use domain::quota::{Mode, Policy};
use maud::{Markup, html};

const MODES: [(&str, &str); 3] =
    [("quota", "Quota: a share by demand"), ("shared", "Shared: everything less a buffer"), ("fixed", "Fixed: always this many")];

/// What a policy says, in short.
pub fn words(v: &Viewer, policy: &Policy) -> String {
    if policy.never {
        return v.t("Never sold here").to_owned();
    }
    let mut words = vec![match policy.mode {
        Mode::Quota => v.t("A share by demand").to_owned(),
        Mode::Shared { buffer } => v.say("Everything less {}", &[&v.num(buffer)]),
        Mode::Fixed { units } => v.say("{} of each", &[&v.num(units)]),
    }];
    words.extend(policy.percent.map(|n| v.say("at most {}%", &[&v.num(n)])));
    words.extend(policy.cap.map(|n| v.say("at most {} shown", &[&v.num(n)])));
    words.extend(Some(policy.stop_at).filter(|n| *n > 0).map(|n| v.say("none when {} are left", &[&v.num(n)])));
    words.join(", ")
}

fn mode_word(mode: Mode) -> &'static str {
    match mode {
        Mode::Quota => "quota",
        Mode::Shared { .. } => "shared",
        Mode::Fixed { .. } => "fixed",
    }
}

/// The fields of a policy. Where `inherits` is given, following the channel's is a choice, too: whether that is chosen.
pub fn fields(v: &Viewer, policy: &Policy, inherits: Option<bool>) -> Markup {
    let mut modes: Vec<(String, String)> = MODES.iter().map(|(word, text)| ((*word).to_owned(), v.t(text).to_owned())).collect();
    if inherits.is_some() {
        modes.insert(0, (String::new(), v.t("As the channel").to_owned()));
    }
    let chosen = if inherits == Some(true) { "" } else { mode_word(policy.mode) };
    let (buffer, units) = match policy.mode {
        Mode::Shared { buffer } => (v.num(buffer), String::new()),
        Mode::Fixed { units } => (String::new(), v.num(units)),
        Mode::Quota => Default::default(),
    };
    let number = |name: &'static str, label: &'static str, value: String, hint: &'static str| {
        Field::new(name, label).kind("number").value(value).hint(html! { (v.t(hint)) }).show(v)
    };
    let opt = |n: Option<i64>| n.map(|n| v.num(n)).unwrap_or_default();
    html! {
        (select(v, "policy.mode", "Way", &modes, chosen))
        p.small.quiet { (v.t("A quota is lent: its units are nobody else's until they are proved to be back, so no two channels sell the same unit. Shared shows the same units on several channels, for deep stock: it can oversell when stock runs out faster than the buffer allows for. Fixed is lent as a quota is, as long as there are as many.")) }
        div.form-grid.of-policy {
            div.of-shared { (number("policy.mode.buffer", "Buffer, units", buffer, "For shared: what is kept back.")) }
            div.of-fixed { (number("policy.mode.units", "Units shown", units, "For fixed: how many listing units.")) }
            (number("policy.percent", "At most, percent", opt(policy.percent), "Of the item's units; no limit if empty."))
            (number("policy.cap", "Never show more than", opt(policy.cap), "Listing units; no limit if empty."))
            (number("policy.stop_at", "Stop selling at", opt(Some(policy.stop_at).filter(|n| *n > 0)), "Units of the item left; keeps the last ones for other channels."))
        }
        div.of-policy { (check(v, "policy.never", "yes", policy.never, html! { (v.t("Never sell it here")) })) }
    }
}

/// The policy of a form; None where the channel's is to be followed. Refuses what is no number; the engine refuses what makes no sense.
pub fn read(fields: &Fields) -> Result<Option<Policy>, Refused> {
    let number = |name: &str| Ok::<i64, Refused>(fields.opt_int(name)?.unwrap_or(0));
    let mode = match fields.text("policy.mode") {
        "" => return Ok(None),
        "quota" => Mode::Quota,
        "shared" => Mode::Shared { buffer: number("policy.mode.buffer")? },
        "fixed" => Mode::Fixed { units: fields.int("policy.mode.units")? },
        _ => return Err(Refused::invalid("policy.mode", "must be quota, shared or fixed")),
    };
    Ok(Some(Policy {
        mode,
        never: fields.is_on("policy.never"),
        stop_at: number("policy.stop_at")?,
        cap: fields.opt_int("policy.cap")?,
        percent: fields.opt_int("policy.percent")?,
    }))
}
