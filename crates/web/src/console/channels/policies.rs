//! The policy of several listings at once: first what each has and would have, then each by a command of its own; and a way to have all
//! of it as it was.

use super::{policy, settings};
use crate::App;
use crate::console::fields::{Fields, Posted, pairs, see, step};
use crate::console::parts::{csrf, empty, icon, once, wrong};
use crate::console::several;
use crate::console::shell::{self, Page, Sheet};
use crate::console::viewer::Viewer;
use crate::problem::Problem;
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use axum::response::IntoResponse;
use domain::Refused;
use domain::quota::Policy;
use engine::access::audit::etag_of;
use engine::channels::connect::ChannelView;
use engine::channels::listings::{ListingView, MapListing};
use engine::channels::read;
use engine::{Answer, Command, Stop};
use maud::{Markup, html};

/// Most listings at once: a page of them, twice.
const MOST: usize = 100;

/// A listing, and the policy of its own that it would have (None: the channel's).
type Row = several::Row<ListingView, Option<Policy>>;

fn changes(row: &Row) -> bool {
    row.thing.policy != row.to
}

fn change(row: &Row) -> Option<(String, Command)> {
    let id = row.thing.id.0;
    let change = || MapListing { id, policy: row.to.clone(), inherit: row.to.is_none(), ..MapListing::default() };
    changes(row).then(|| (id.to_string(), Command::MapListing(change())))
}

fn etag(answer: &Answer) -> Option<String> {
    if let Answer::Listing(listing) = answer { Some(etag_of(&listing.mapping())) } else { None }
}

/// Those that are there, on this channel, each once.
async fn chosen(app: &App, channel: &ChannelView, fields: &Fields) -> Result<Vec<ListingView>, Stop> {
    let (ids, code) = (several::ids(fields, MOST), channel.code.clone());
    app.read(move |tx, config| Ok(read::some_listings(tx, config, &ids)?.into_iter().filter(|l| l.channel == code).collect())).await
}

/// What is to be changed, before anything was typed.
pub async fn ask(State(app): State<App>, Path(code): Path<String>, viewer: Viewer) -> Result<Page, Problem> {
    let channel = settings::view(&app, &viewer, &code).await?;
    let fields = Fields(pairs(&viewer.query));
    let rows = chosen(&app, &channel, &fields).await?.into_iter().map(|listing| Row::new(listing.clone(), listing.policy));
    Ok(preview(&viewer, &channel, &fields, &rows.collect::<Vec<_>>(), None))
}

/// Looks, or does it.
pub async fn set(State(app): State<App>, Path(code): Path<String>, posted: Posted) -> Result<Response<Body>, Problem> {
    let (v, fields) = (&posted.viewer, &posted.fields);
    let channel = settings::view(&app, v, &code).await?;
    let listings = chosen(&app, &channel, fields).await?;
    let to = match policy::read(fields).and_then(|to| to.map(|p| engine::channels::connect::check_policy(&p).map(|()| p)).transpose()) {
        Ok(to) => to,
        Err(refused) => {
            let v = posted.viewer.clone().refused(fields.0.clone(), refused.into())?;
            let rows = listings.into_iter().map(|listing| Row::new(listing.clone(), listing.policy));
            return Ok(preview(&v, &channel, fields, &rows.collect::<Vec<_>>(), None).into_response());
        }
    };
    let row = |listing: ListingView| Ok::<Row, Refused>(Row::new(listing.clone(), was(fields, listing.id.0)?.unwrap_or_else(|| to.clone())));
    let mut rows = listings.into_iter().map(row).collect::<Result<Vec<Row>, Refused>>()?;
    // What is done is what was looked at.
    let looked = fields.given("looked").is_none_or(|looked| looked == digest(&to));
    if fields.text("step") != "go" || !looked {
        let v = Viewer { typed: fields.0.clone(), ..v.clone() };
        return Ok(preview(&v, &channel, fields, &rows, Some(&to)).into_response());
    }
    if rows.is_empty() {
        return Ok(see(&fields.back(&list_of(&channel))));
    }
    several::change(&app, &posted, &mut rows, change, etag).await?;
    Ok(result(v, &channel, fields, &rows).into_response())
}

/// Tells one policy from another, in a form.
fn digest(to: &Option<Policy>) -> String {
    serde_json::to_string(to).unwrap_or_default()
}

/// The policy that a listing had, where it is to have it again: `was:ID`, empty for the channel's.
fn was(fields: &Fields, id: i64) -> Result<Option<Option<Policy>>, Refused> {
    let name = format!("was:{id}");
    let Some((_, text)) = fields.0.iter().find(|(n, _)| *n == name) else { return Ok(None) };
    if text.is_empty() {
        return Ok(Some(None));
    }
    let policy: Policy = serde_json::from_str(text).map_err(|_| Refused::invalid(name.as_str(), "must be a policy"))?;
    engine::channels::connect::check_policy(&policy)?;
    Ok(Some(Some(policy)))
}

fn list_of(channel: &ChannelView) -> String {
    format!("/channels/{}", step(&channel.code))
}

fn preview(v: &Viewer, channel: &ChannelView, fields: &Fields, rows: &[Row], looked: Option<&Option<Policy>>) -> Page {
    let back = fields.back(&list_of(channel));
    let changes = rows.iter().filter(|r| changes(r)).count() as i64;
    let body = html! {
        @if rows.is_empty() {
            section.panel { (empty(v.t("No listings were chosen"), html! { (v.t("Tick some in the list of the channel first.")) }, html! { a.btn.btn-primary href=(back) { (channel.name) } })) }
        } @else {
            (wrong(v))
            form.panel action={ (list_of(channel)) "/policies" } method="post" aria-label=(v.t("Policy")) {
                (csrf(v)) (once())
                input type="hidden" name="next" value=(back);
                @if let Some(to) = looked { input type="hidden" name="looked" value=(digest(to)); }
                @for row in rows { input type="hidden" name="id" value=(row.thing.id.0); (several::seen(row.thing.id.0, &etag_of(&row.thing.mapping()))) }
                div.panel-body.stack {
                    p.small.quiet { (v.say("The channel's: {}.", &[&policy::words(v, &channel.policy)])) }
                    (policy::fields(v, &channel.policy, Some(false)))
                }
                (table(v, rows, looked.is_some()))
                div.panel-foot.foot-sticky {
                    button.btn type="submit" name="step" value="look" { (icon("play")) @if looked.is_some() { (v.t("Look again")) } @else { (v.t("See what will come of it")) } }
                    @if looked.is_some() && changes > 0 { button.btn.btn-primary type="submit" name="step" value="go" { (v.say("Change {}", &[&v.count(changes, "listing", "listings")])) } }
                    a.btn.btn-ghost href=(back) { (v.t("Cancel")) }
                }
            }
        }
    };
    sheet(v, channel, rows, html! { (v.t("Look first: each row says what policy it has and would have.")) }, body)
}

/// What was done, and a form that has all of it as it was.
fn result(v: &Viewer, channel: &ChannelView, fields: &Fields, rows: &[Row]) -> Page {
    let back = fields.back(&list_of(channel));
    let done: Vec<&Row> = rows.iter().filter(|r| changes(r) && r.refused.is_none()).collect();
    let refused = rows.iter().filter(|r| r.refused.is_some()).count();
    let undo = html! {
        input type="hidden" name="step" value="go"; input type="hidden" name="next" value=(back);
        @for row in &done {
            @let id = row.thing.id.0;
            input type="hidden" name="id" value=(id);
            @if let Some(after) = &row.after { (several::seen(id, after)) }
            input type="hidden" name={ "was:" (id) } value=(row.thing.policy.as_ref().and_then(|p| serde_json::to_string(p).ok()).unwrap_or_default());
        }
    };
    let changed = v.say("{} changed.", &[&v.count(done.len() as i64, "listing", "listings")]);
    let action = format!("{}/policies", list_of(channel));
    let body = html! {
        (several::told(v, &changed, refused, (!done.is_empty()).then_some((&action, undo))))
        section.panel aria-label=(v.t("Policy")) { (table(v, rows, true)) div.panel-foot { a.btn.btn-s href=(back) { (v.t("Back to the list")) } } }
    };
    sheet(v, channel, rows, html! { (v.t("Done listing by listing.")) }, body)
}

fn sheet(v: &Viewer, channel: &ChannelView, rows: &[Row], sub: Markup, body: Markup) -> Page {
    let title = v.say("Policy of {} on {}", &[&v.count(rows.len() as i64, "listing", "listings"), &channel.name]);
    shell::page(v, Sheet { title: title.clone(), here: "/channels", topics: String::new(), head: shell::head(&title, sub, html! {}), body })
}

fn table(v: &Viewer, rows: &[Row], looked: bool) -> Markup {
    let words = |own: &Option<Policy>| own.as_ref().map_or_else(|| v.t("as the channel").to_owned(), |own| policy::words(v, own));
    html! {
        div.table-wrap { table.table.table-stack {
            caption.vh { (v.t("The listings with their policies")) }
            thead { tr { th scope="col" { (v.t("Listing")) } th scope="col" { (v.t("Item")) } th scope="col" { (v.t("Was")) } @if looked { th scope="col" { (v.t("Becomes")) } } } }
            tbody { @for row in rows { tr data-key={ "l" (row.thing.id.0) } {
                th.clip scope="row" title=(row.thing.title) { a href={ "/channels/" (step(&row.thing.channel)) "/listings/" (row.thing.id.0) } { (row.thing.title) } " " span.aside { (row.thing.external) } }
                td data-label=(v.t("Item")) { (row.thing.item.as_deref().unwrap_or("–")) }
                td.wrap data-label=(v.t("Was")) { (words(&row.thing.policy)) }
                @if looked { td.wrap data-label=(v.t("Becomes")) {
                    @if let Some(refused) = &row.refused { (several::why(v, refused)) }
                    @else if changes(row) { b { (words(&row.to)) } } @else { span.quiet { (v.t("As it is")) } }
                } }
            } } }
        } }
    }
}
