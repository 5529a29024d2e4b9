//! Alerts by mail: one at once, then one a minute with everything; a mail that comes twice is the same; nothing hostile gets out.

use crate::alerts::{Shop, channel, endpoint, log, quiet, raise};
use crate::catchers::Post;
use crate::support::{Site, TestTime, on_both, on_postgres};
use connectors::alerts::transport::Mailer;
use engine::Faults;
use engine::alerts::worker::Outside;
use engine::exceptions::Kind;
use serde_json::{Value, json};
use std::sync::Arc;

/// A mail server, and where people find the pages.
pub fn outside(url: String) -> Outside {
    let mailer = Mailer::new(&url, "Holdfast <alerts@stock.example.com>").unwrap();
    Outside { mailer: Some(Arc::new(mailer)), public_url: Some("https://stock.example.com".into()) }
}

#[test]
fn a_burst_is_one_mail_and_a_hostile_title_stays_a_title() {
    on_both(|url| {
        let post = Post::new();
        let site = Site::with(url, TestTime::new(), Faults::default(), outside(format!("smtp://holdfast:hu%40sh@{}", post.address)));
        let shop = Shop::new(&site, "LAMP-6");
        let (id, secret) = endpoint(&site, json!({"name": "Office", "mail": ["ops@example.com", "boss@example.com"]}));
        assert_eq!(secret, "");
        site.alert();
        assert_eq!(shop.sell(&site, "101", 3), "200");
        let mail = site.soon("the first is told at once", || post.mails().pop());
        assert_eq!((mail.to.len(), mail.from.contains("alerts@stock.example.com")), (2, true));
        let subject = mail.header("Subject").unwrap();
        assert!(subject.starts_with("[Holdfast] critical: Order #") && subject.ends_with("cannot be taken on"), "{subject}");
        assert!(mail.text.contains("What to do: find stock and retry"), "{}", mail.text);
        assert!(mail.text.contains("https://stock.example.com/exceptions/"), "{}", mail.text);
        assert_eq!(mail.header("Auto-Submitted").as_deref(), Some("auto-generated"));
        // PLAIN: a null, the user, a null, the password that was escaped in the URL.
        assert_eq!(mail.auth.as_deref(), Some("AGhvbGRmYXN0AGh1QHNo"));

        for n in 0..30 {
            raise(&site, Kind::Unfillable, &format!("order:shop:b{n}"), &format!("Order b{n} cannot be taken on"));
        }
        site.time.advance(50);
        quiet();
        assert_eq!(post.mails().len(), 1, "one mail a minute");
        site.time.advance(11);
        let mail = site.soon("the rest is told together", || post.mails().get(1).cloned());
        assert_eq!(mail.header("Subject").unwrap(), "[Holdfast] critical: Order b0 cannot be taken on (and 29 more)");
        assert!((0..30).all(|n| mail.text.contains(&format!("Order b{n} cannot be taken on"))), "{}", mail.text);
        site.soon("all is written down", || (site.get(&format!("/alerts/{id}"))["pending"] == 0).then_some(()));
        assert_eq!(log(&site, &id)[0]["attempts"][0]["answer"], "2.0.0 kept");

        // What a marketplace calls an order is its own business, and no header or line of ours.
        site.time.advance(61);
        let title = "Order #1\r\nBcc: thief@example.com\r\n\r\n.\r\nRCPT TO:<thief@example.com> is “odd”";
        raise(&site, Kind::NotUnderstood, "order:shop:odd", title);
        let mail = site.soon("it is told", || post.mails().get(2).cloned());
        assert!(mail.to.len() == 2 && mail.to.iter().all(|to| !to.contains("thief")) && mail.header("Bcc").is_none(), "{mail:?}");
        assert!(mail.header("Subject").unwrap().contains("Order #1 Bcc: thief@example.com . RCPT TO:<thief@example.com> is "), "{mail:?}");
        assert!(mail.text.starts_with("Order #1 Bcc: thief@example.com . RCPT TO:<thief@example.com> is “odd”\r\n"), "{}", mail.text);
        quiet();
        assert_eq!(post.mails().len(), 3);
    });
}

#[test]
fn a_mail_that_comes_twice_is_the_same_twice() {
    on_both(|url| {
        let post = Post::new();
        let site = Site::with(url, TestTime::new(), Faults::default(), outside(format!("smtp://holdfast:hush@{}", post.address)));
        channel(&site);
        let (id, _) = endpoint(&site, json!({"name": "Office", "mail": ["ops@example.com"]}));
        post.replies("451 4.3.0 try later, hush");
        raise(&site, Kind::Unfillable, "order:shop:1", "Order 1");
        raise(&site, Kind::Unfillable, "order:shop:2", "Order 2");
        site.alert();
        let entry = site.soon("it is put off", || log(&site, &id).into_iter().find(|d| d["attempts"][0]["status"] == 451));
        assert_eq!((&entry["state"], entry["attempts"][0]["answer"].as_str().unwrap().contains("hush")), (&json!("pending"), false));
        site.time.advance(10);
        raise(&site, Kind::Unfillable, "order:shop:3", "Order 3");
        site.time.advance(51);
        let mails = site.soon("it is sent again", || Some(post.mails()).filter(|m| m.len() == 2));
        assert_eq!((mails[0].header("Message-ID"), &mails[0].text), (mails[1].header("Message-ID"), &mails[1].text));
        assert!(mails[0].text.contains("Order 2") && !mails[1].text.contains("Order 3"));
        site.time.advance(61);
        let mails = site.soon("then what came meanwhile", || Some(post.mails()).filter(|m| m.len() == 3));
        assert!(mails[2].text.contains("Order 3") && !mails[2].text.contains("Order 1"), "{}", mails[2].text);
        assert_ne!(mails[2].header("Message-ID"), mails[1].header("Message-ID"));

        // A test, a wrong password, and a server that sends no mail.
        post.says_to_passwords("535 5.7.8 hush is wrong");
        site.ok(&format!("POST /alerts/{id}/test"), Value::Null);
        site.time.advance(61);
        let entry = site.soon("it is refused", || log(&site, &id).into_iter().find(|d| d["attempts"][0]["status"] == 535));
        assert!(!entry.to_string().contains("hush"), "{entry}");
        let without = Site::with(on_postgres(), TestTime::new(), Faults::default(), Outside::default());
        let refused = without.call("POST /alerts", json!({"name": "Office", "mail": ["ops@example.com"]}));
        assert_eq!((refused.told().as_str(), &refused.body["field"]), ("422 invalid_field", &json!("mail")));
    });
}

#[test]
fn whoever_signs_in_is_told_when_their_way_in_changes() {
    on_both(|url| {
        let post = Post::new();
        let site = Site::with(url, TestTime::new(), Faults::default(), outside(format!("smtp://holdfast:hush@{}", post.address)));
        let (owner, support) = (site.visitor("owner"), site.visitor("support"));
        let mails = |count: usize| site.soon("it is mailed", || Some(post.mails()).filter(|m| m.len() == count)).pop().unwrap();
        let (old, new) = ("seven blue anvils hum", "nine quiet lanterns drift");
        assert_eq!(support.sent("/account/preferences", &[("language", "de"), ("zone", "Europe/Berlin")]), "/account?said=saved");
        assert_eq!(support.sent("/account/password", &[("password", old), ("again", old)]), "/account?said=password");
        let told = mails(1);
        assert!(told.header("Subject").unwrap().starts_with("Ihre Anmeldung bei Holdfast wurde "), "{told:?}");
        assert!(told.to.len() == 1 && told.to[0].contains("support-") && told.text.starts_with("Ihr Passwort wurde geändert."), "{told:?}");
        assert!(told.text.contains("Europe/Berlin (127.0.0.1)") && !told.text.contains(old), "{}", told.text);
        // What is refused changes nothing, and nobody is told.
        assert_eq!(support.post("/account/password", &[("old", new), ("password", new), ("again", new)]).status, 422);
        let id = site.block_on(site.engine.read(|tx| Ok(engine::people::list(tx)?.into_iter().find(|p| p.role == "support").unwrap().id))).unwrap();
        owner.sent(&format!("/people/{id}/second-factor"), &[]);
        assert!(mails(2).text.starts_with("Ihr zweiter Faktor wurde entfernt."));
        assert!(post.mails().iter().all(|mail| !mail.to[0].contains("owner-")));
    });
}
