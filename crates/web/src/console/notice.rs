//! A mail to whoever's way of signing in was changed, so that they notice a change that they did not make.

use super::language::Language;
use super::viewer::Viewer;
use crate::App;
use engine::people::Person;

/// Mails what changed, beside the answer, where the server sends mail. One that fails is logged and not tried again: the audit log has it.
pub fn tell(app: &App, v: &Viewer, person: &Person, what: &'static str) {
    if !app.outside.can_mail() {
        return;
    }
    let language = person.preferences.language.as_deref().and_then(Language::parse).unwrap_or(v.language);
    let [subject, what, otherwise] = [
        "How you sign in to Holdfast has changed",
        what,
        "If this was not you, ask whoever manages people here to sign you out everywhere, and set a new password.",
    ]
    .map(|text| language.text(text));
    let from = v.visit.address;
    let text = format!("{what}\n\n{}, {} ({from})\n\n{otherwise}\n", v.moment(v.now), v.zone_name());
    let id = blake3::hash(format!("{} {} {what}", person.id, v.now).as_bytes()).to_hex()[..32].to_owned();
    let (app, to, now) = (app.clone(), person.login.clone(), v.now);
    tokio::spawn(async move {
        if let Err(error) = app.outside.mail(&to, subject, text, id, now).await {
            tracing::warn!("somebody was not told that their way of signing in changed: {error}");
        }
    });
}
