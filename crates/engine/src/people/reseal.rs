//! Secrets of people and of the company's sign-in under a new key: after the first key of a server changed, whatever the old one
//! encrypted is encrypted anew, so that the old one can be thrown away. Channels and webhooks do so themselves when they are used.

use super::settings::{self, Company};
use super::{by_id, write};
use crate::db::{Sql, Write};
use crate::secrets::Vault;
use crate::{Engine, Stop};

const SEALED: Sql = Sql("SELECT id, totp FROM people WHERE totp IS NOT NULL ORDER BY id LIMIT 5000");

/// Where the secret of a person's second factor is encrypted for.
pub fn totp_place(person: &str) -> String {
    format!("totp {person}")
}

/// Where the secret of the company's sign-in is encrypted for.
pub const COMPANY_PLACE: &str = "company sign-in";

/// Encrypts anew what the first key did not encrypt; answers how many secrets that were. One that no key opens stays as it is: it is
/// told when it is needed.
pub async fn reseal(engine: &Engine, vault: &Vault) -> Result<usize, Stop> {
    let vault = vault.clone();
    engine
        .transact(move |tx, _| {
            let renewed = |place: &str, sealed: &str| match vault.decrypt(place, sealed) {
                Ok((text, true)) => vault.encrypt(place, &text).map(Some),
                _ => Ok(None),
            };
            let mut count = 0;
            for (id, sealed) in tx.rows(SEALED, &[], |r| (r.text(0), r.text(1)))? {
                if let Some(sealed) = renewed(&totp_place(&id), &sealed)? {
                    let mut person = by_id(tx, &id)?;
                    person.totp = Some(sealed);
                    write(tx, &person)?;
                    count += 1;
                }
            }
            let mut company: Company = settings::get(tx, Company::NAME)?;
            if let Some(sealed) = renewed(COMPANY_PLACE, &company.client_secret)? {
                company.client_secret = sealed;
                tx.write(vec![Write::changed(&super::rows::SETTINGS, settings::row(Company::NAME, &company)?)])?;
                count += 1;
            }
            Ok(count)
        })
        .await
}
