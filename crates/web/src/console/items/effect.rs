//! What will come of a deed, said before it is done: the figure now and after, what it means for promises, or why it would be
//! refused. The engine rehearses it; here are the words alone.

use super::deeds::Deed;
use super::words;
use crate::console::fields::Fields;
use crate::console::parts::icon;
use crate::console::viewer::Viewer;
use domain::Refused;
use domain::stock::Account;
use engine::views::Balances;
use engine::{Effect, Rehearsed};
use maud::{Markup, html};

/// What the form of a deed holds, and what came of rehearsing it.
pub struct Ahead<'a> {
    pub deed: Deed,
    pub fields: &'a Fields,
    /// The name of the location that it is about, and the level there.
    pub place: String,
    pub now: Balances,
    pub units: Option<i64>,
    /// None while there is nothing to rehearse yet.
    pub rehearsed: Option<Result<Rehearsed, Refused>>,
}

impl Ahead<'_> {
    /// The state whose figure stands out; None is on hand.
    fn focus(&self) -> Option<Account> {
        let word = match self.deed {
            Deed::Count => return None,
            Deed::Adjust => self.fields.text("state"),
            Deed::Move => self.fields.text("from_state"),
            Deed::Receive | Deed::Transfer => "available",
        };
        Some(Account::parse(word).filter(|a| a.is_by_hand()).unwrap_or(Account::Available))
    }

    fn figure(&self, balances: &Balances) -> i64 {
        self.focus().map_or(balances.on_hand, |state| balances.get(state))
    }

    fn effect(&self) -> Option<&Effect> {
        self.rehearsed.as_ref()?.as_ref().ok()?.items.first()
    }

    fn refused(&self) -> Option<&Refused> {
        match self.rehearsed.as_ref()? {
            Ok(rehearsed) => rehearsed.outcome.as_ref().err(),
            Err(refused) => Some(refused),
        }
    }

    /// The level of the location afterwards.
    fn after(&self) -> Option<Balances> {
        let code = self.fields.text("location");
        let levels = &self.effect().filter(|_| self.refused().is_none())?.levels;
        Some(levels.iter().find(|(c, ..)| **c == *code).map_or_else(|| self.now.clone(), |(_, _, after)| after.clone()))
    }

    /// The figures, the sentences, and the button that does it.
    pub fn show(&self, v: &Viewer) -> Markup {
        let after = self.after();
        let name = self.focus().map_or(v.t("On hand"), |state| words::account(v, state.word()));
        html! {
            div.change aria-label=(v.t("Effect")) {
                div { span.label { (name) ", " (v.t("now")) } b { (v.num(self.figure(&self.now))) } }
                (icon("arrow"))
                div { span.label { (v.t("After")) } b { @match &after { Some(after) => (v.num(self.figure(after))), None => "–" } } }
            }
            @if let Some(refused) = self.refused() {
                p.verdict.is-danger { (icon("danger")) span { (Deed::why(v, refused)) } }
            } @else if let Some(after) = &after {
                @for sentence in self.sentences(v, after) { p.small.muted { (sentence) } }
                (self.promises(v))
            }
            button.btn.btn-primary.btn-wide type="submit" { (self.deed.button(v, self.units)) }
        }
    }

    fn sentences(&self, v: &Viewer, after: &Balances) -> Vec<String> {
        let mut said = Vec::new();
        let goes = |name: &str, from: i64, to: i64| v.say("{} goes from {} to {}.", &[&name, &v.num(from), &v.num(to)]);
        let effect = self.effect();
        match self.deed {
            Deed::Count if after.on_hand == self.now.on_hand => said.push(v.t("The books say the same: nothing is booked.").to_owned()),
            Deed::Count => said.push(v.say("The difference of {} is booked on available.", &[&v.signed(after.on_hand - self.now.on_hand)])),
            Deed::Move => {
                if let Some(to) = Account::parse(self.fields.text("to_state")) {
                    said.push(goes(words::account(v, to.word()), self.now.get(to), after.get(to)));
                }
            }
            Deed::Transfer => {
                let there = effect.and_then(|e| e.levels.iter().find(|(code, ..)| **code == *self.fields.text("to")));
                if let Some((code, before, after)) = there {
                    said.push(v.say("Incoming at {} goes from {} to {}.", &[code, &v.num(before.incoming), &v.num(after.incoming)]));
                }
            }
            Deed::Receive | Deed::Adjust => {}
        }
        if self.focus() != Some(Account::Available) && after.available != self.now.available {
            said.push(v.say("Available at {} goes from {} to {}.", &[&self.place, &v.num(self.now.available), &v.num(after.available)]));
        }
        let served: i64 = effect.into_iter().flat_map(|e| &e.levels).map(|(_, before, after)| after.committed - before.committed).sum();
        if served > 0 {
            said.push(v.say("{} of them go to orders that waited.", &[&v.num(served)]));
        }
        said
    }

    /// What is promised to channels and may no longer be there. Figures of everywhere are for those who may see everywhere.
    fn promises(&self, v: &Viewer) -> Markup {
        let all = v.caller.as_ref().is_some_and(|c| !c.grant.is_limited());
        let Some(effect) = self.effect().filter(|_| all) else { return html! {} };
        let (left, lent) = (effect.available.after, effect.lent);
        let text = match lent {
            0 => v.t("No promise is broken.").to_owned(),
            _ if left < lent => {
                let text = "{} are lent to channels and {} are left: their listings are lowered at once.";
                return html! { p.verdict.is-warn { (icon("warn")) span { (v.say(text, &[&v.num(lent), &v.num(left)])) } } };
            }
            _ => v.say("{} of the {} left everywhere are lent to channels. No promise is broken.", &[&v.num(lent), &v.num(left)]),
        };
        html! { p.small.muted { (text) } }
    }
}
