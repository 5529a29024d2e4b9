//! The page of settings: what the house assumes for everybody, and sign-in through the company, saved, refused and obeyed.

use crate::reading::{fault, get, hidden, lacks, refused, says};
use crate::support::{Site, on_both};
use engine::people::settings::{self, Company};
use serde_json::json;

/// A form with one field changed.
fn with<'f>(form: &[(&'f str, &'f str)], field: &'f str, typed: &'f str) -> Vec<(&'f str, &'f str)> {
    form.iter().map(|(n, v)| if *n == field { (*n, typed) } else { (*n, *v) }).collect()
}

fn company(site: &Site) -> Company {
    site.block_on(site.engine.read(|tx| settings::get::<Company>(tx, Company::NAME))).unwrap()
}

#[test]
fn what_the_house_assumes_is_saved_or_refused_at_its_field() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        let form = [("name", "Tea & <Co>"), ("language", "de"), ("zone", "Asia/Tokyo"), ("currency", "EUR")];
        let long = "x".repeat(513);
        for (field, typed, told) in [
            ("zone", "Mars/Olympus", "Is no time zone; write it as Europe/London."),
            ("zone", "", "Is no time zone; write it as Europe/London."),
            ("zone", "../../etc/passwd", "Is no time zone; write it as Europe/London."),
            ("currency", "POUND", "Must be a three-letter ISO 4217 code such as GBP."),
            ("currency", "eu", "Must be a three-letter ISO 4217 code such as GBP."),
            ("name", "a\u{7}b", "Must not hold control characters."),
            ("name", &long, "Must be at most 512 bytes long, is 513."),
        ] {
            let page = refused(&owner, "/settings/house", &with(&form, field, typed));
            assert_eq!(fault(&page, field), told, "{field} {typed}");
            says(&page, &["Nothing was changed.", if field == "name" { "value=\"Asia/Tokyo\"" } else { "value=\"Tea &amp; &lt;Co&gt;\"" }]);
        }
        let page = get(&owner, "/settings");
        says(&page, &["name=\"zone\" type=\"text\" value=\"UTC\"", "value=\"USD\"", "<title>Settings · Holdfast</title>"]);

        // Somebody else was faster: nothing of theirs is overwritten.
        let typed = [("zone", "Europe/Paris"), ("currency", "EUR"), ("role", "support"), ("seen", "0123456789abcdef")];
        says(&refused(&owner, "/settings/house", &typed), &["Somebody else changed the setting “house” since you opened it"]);
        says(&refused(&owner, "/settings/company", &typed), &["Somebody else changed the setting “company” since you opened it"]);
        let seen = hidden(&page, "seen");
        // Everybody's pages follow: the title, the language, the currency, and when a day begins.
        site.locations(&[("LON", json!({ "cost_per_unit": 250_000 }))]);
        site.item("MUG", json!({}), "LON 9");
        site.order("1", "MUG 1");
        site.time.advance(7 * 3_600);
        let support = site.visitor("support");
        says(&get(&support, "/"), &["Orders today</dt><dd><span class=\"fig\"><span class=\"val\">1<"]);
        assert_eq!(owner.sent("/settings/house", &[&form[..], &[("seen", &*seen)]].concat()), "/settings?said=saved");
        says(&get(&owner, "/settings"), &["<html lang=\"de\"", "Tea &amp; &lt;Co&gt; · Holdfast</title>", "value=\"Asia/Tokyo\"", "value=\"EUR\""]);
        says(&get(&support, "/locations/LON"), &["0,25 €"]);
        // It is one o'clock in Tokyo, on the day after the order.
        says(&get(&support, "/"), &["<span class=\"fig\"><span class=\"val\">0<"]);
        let told = site.block_on(site.engine.read(|tx| engine::access::audit::list(tx, &Default::default(), None, 100))).unwrap();
        let saved = told.iter().filter(|r| r.noun == "setting" || r.subject == "house").collect::<Vec<_>>();
        assert_eq!(saved.len(), 1, "{told:?}");
        assert!(
            saved[0].before.as_ref().unwrap().get().contains("USD") && saved[0].after.as_ref().unwrap().get().contains("Asia/Tokyo"),
            "{saved:?}"
        );
        site.shut_and_verify();
    });
}

#[test]
fn sign_in_through_the_company_keeps_its_secret() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        let form = [
            ("issuer", "https://login.example.com/"),
            ("client_id", "holdfast"),
            ("client_secret", "hush hush"),
            ("label", "Sign in with <Tea>"),
            ("domain", "@Example.com"),
            ("role", "support"),
        ];
        for (field, typed, told) in [
            ("issuer", "login.example.com", "Must begin with https://."),
            ("issuer", "ftp://login.example.com", "Must begin with https://."),
            ("issuer", "http://login.example.com", "Must begin with https://."),
            ("issuer", "http://localhost.example.com", "Must begin with https://."),
            ("issuer", "http://127.0.0.1@example.com", "Must begin with https://."),
            ("client_id", " ", "Is needed: the provider's name for Holdfast."),
            ("client_id", "a\u{7}", "Must not hold control characters."),
            ("label", "a\u{7}", "Must not hold control characters."),
            ("domain", "a\u{7}", "Must not hold control characters."),
            ("role", "czar", "There is no role “czar”."),
        ] {
            let page = refused(&owner, "/settings/company", &with(&form, field, typed));
            assert_eq!(fault(&page, field), told, "{field} {typed}");
            lacks(&page, &["hush"]);
            says(&page, &[if field == "client_id" { "value=\"@Example.com\"" } else { "value=\"holdfast\"" }]);
        }
        lacks(&site.ask("GET", "/sign-in", Vec::new(), &[]).text(), &["/sign-in/company"]);
        assert_eq!(owner.sent("/settings/company", &form), "/settings?said=saved");
        let kept = company(&site);
        assert_eq!((kept.issuer.as_str(), kept.domain.as_str()), ("https://login.example.com", "example.com"));
        assert!(!kept.client_secret.is_empty() && !kept.client_secret.contains("hush"), "it is encrypted");
        lacks(&get(&owner, "/settings"), &["hush", &kept.client_secret]);
        says(&get(&owner, "/settings"), &["Set. Leave it empty to keep it."]);
        lacks(&get(&owner, "/audit"), &["hush", &kept.client_secret]);
        says(&site.ask("GET", "/sign-in", Vec::new(), &[]).text(), &["/sign-in/company", "Sign in with &lt;Tea&gt;"]);
        // An empty secret keeps the one that is there; an empty issuer ends it.
        assert_eq!(owner.sent("/settings/company", &with(&with(&form, "client_secret", ""), "label", "")), "/settings?said=saved");
        assert_eq!(company(&site).client_secret, kept.client_secret);
        says(&site.ask("GET", "/sign-in", Vec::new(), &[]).text(), &["Sign in through your company"]);
        owner.sent("/settings/company", &with(&form, "issuer", ""));
        lacks(&site.ask("GET", "/sign-in", Vec::new(), &[]).text(), &["/sign-in/company"]);
        owner.sent("/settings/company", &with(&form, "issuer", "http://localhost:8080/realm"));
        site.shut_and_verify();
    });
}

#[test]
fn nobody_lets_others_in_with_more_than_they_have() {
    on_both(|url| {
        let site = Site::new(url);
        let owner = site.visitor("owner");
        let role = [("name", "clerk"), ("about", "Settings"), ("permissions", "settings.edit"), ("permissions", "stock.view")];
        assert_eq!(owner.sent("/roles", &role), "/roles?said=saved");
        let clerk = site.visitor("clerk");
        let page = get(&clerk, "/settings");
        lacks(&page, &["<option value=\"owner\""]);
        says(&page, &["<option value=\"clerk\""]);
        let form = [("issuer", "https://login.example.com"), ("client_id", "holdfast"), ("domain", "example.com"), ("role", "owner")];
        refused(&clerk, "/settings/company", &form);
        assert_eq!(company(&site).issuer, "");
        assert_eq!(clerk.sent("/settings/company", &with(&form, "role", "clerk")), "/settings?said=saved");
        for role in ["operations", "auditor", "support"] {
            let visitor = site.visitor(role);
            assert_eq!((visitor.get("/settings").status, visitor.post("/settings/house", &[("zone", "UTC")]).status), (403, 403), "{role}");
        }
        site.shut_and_verify();
    });
}
