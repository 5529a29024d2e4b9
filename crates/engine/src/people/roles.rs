//! Roles: those that are always there and the merchant's own, what each allows, and whether it asks for a second factor.

use super::rows::ROLES;
use crate::Stop;
use crate::access::By;
use crate::access::audit::{self, Record};
use crate::db::{Row, Rows, Sql, Tx, Value, Write};
use domain::access::{BUILT_IN, built_in};
use domain::{Grant, Noun, Permissions, Refused, limits};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const ALL: Sql = Sql("SELECT name, about, permissions, second_factor FROM roles ORDER BY name");
const ONE: Sql = Sql("SELECT name, about, permissions, second_factor FROM roles WHERE name = $1");
const HOLDERS: Sql = Sql(
    "SELECT CAST(SUM(n) AS BIGINT) FROM (SELECT COUNT(*) AS n FROM people WHERE role = $1 UNION ALL SELECT COUNT(*) AS n FROM api_keys WHERE role = $1 AND revoked_at IS NULL) AS held",
);
const DELETE: Sql = Sql("DELETE FROM roles WHERE name = $1");

/// A named set of permissions.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Role {
    pub name: String,
    pub about: String,
    #[schema(value_type = Vec<String>)]
    pub permissions: Permissions,
    /// Whether people of this role must show a second factor.
    pub second_factor: bool,
    /// Always there; only whether it asks for a second factor can be set.
    pub built_in: bool,
}

/// A role to be created or changed.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SetRole {
    #[serde(default)]
    pub about: String,
    #[schema(value_type = Vec<String>)]
    pub permissions: Vec<String>,
    #[serde(default)]
    pub second_factor: bool,
}

fn read(row: &Row<'_>) -> Role {
    let name = row.text(0);
    let second_factor = row.flag(3);
    match built_in(&name) {
        Some(role) => Role { second_factor, ..Role::from(role) },
        None => {
            // A permission that this version does not know allows nothing.
            let words: Vec<String> = serde_json::from_str(&row.text(2)).unwrap_or_default();
            let known = words.iter().map(String::as_str).filter(|w| domain::Permission::parse(w).is_some());
            Role { name, about: row.text(1), permissions: Permissions::parse(known).unwrap_or_default(), second_factor, built_in: false }
        }
    }
}

impl From<&domain::access::BuiltIn> for Role {
    fn from(role: &domain::access::BuiltIn) -> Role {
        Role { name: role.name.into(), about: role.about.into(), permissions: role.permissions, second_factor: false, built_in: true }
    }
}

/// All roles, those that are always there first.
pub fn list(tx: &mut Tx<'_>) -> Result<Vec<Role>, Stop> {
    let set = tx.rows(ALL, &[], read)?;
    let fixed = BUILT_IN.iter().map(|b| set.iter().find(|r| r.name == b.name).cloned().unwrap_or_else(|| Role::from(b)));
    Ok(fixed.chain(set.iter().filter(|r| !r.built_in).cloned()).collect())
}

/// A role by its name.
pub fn find(tx: &mut Tx<'_>, name: &str) -> Result<Option<Role>, Stop> {
    let set = tx.one(ONE, &[Value::Text(name)], read)?;
    Ok(set.or_else(|| built_in(name).map(Role::from)))
}

/// A role that must be there, named by `field` of a request.
pub fn known(tx: &mut Tx<'_>, name: &str, field: &str) -> Result<Role, Stop> {
    find(tx, name)?.ok_or_else(|| Refused::unknown(Noun::Role, name, field).into())
}

/// Creates or changes a role. Nobody may put more into it than they have. Refused if somebody has changed it since it was seen.
pub fn set(tx: &mut Tx<'_>, by: &By, now: i64, name: &str, wanted: &SetRole) -> Result<Role, Stop> {
    limits::name("name", name)?;
    limits::text("about", &wanted.about)?;
    let known = find(tx, name)?;
    by.check_seen(&audit::etag_of(&known), Noun::Role, name)?;
    let permissions = Permissions::parse(wanted.permissions.iter().map(String::as_str))?;
    let role = match built_in(name) {
        Some(fixed) if permissions != fixed.permissions => {
            return Err(Refused::invalid("permissions", "of this role are fixed; make a role of your own").into());
        }
        Some(fixed) => Role { second_factor: wanted.second_factor, ..Role::from(fixed) },
        None => Role { name: name.into(), about: wanted.about.clone(), permissions, second_factor: wanted.second_factor, built_in: false },
    };
    may_give(by, &Grant { permissions: role.permissions, ..Grant::default() }, false)?;
    let words = serde_json::to_string(&role.permissions).unwrap_or_default();
    let rows = Rows(vec![name.to_owned().into(), role.about.clone().into(), words.into(), role.second_factor.into(), now.into()]);
    tx.write(vec![Write::changed(&ROLES, rows)])?;
    let state = |role: &Role| serde_json::to_string(role).unwrap_or_default();
    let record = Record::new(by, now, "role.set", "role", name).states(known.as_ref().map(state), Some(state(&role)));
    audit::append(tx, &[record])?;
    Ok(role)
}

/// Deletes a role of the merchant's own that nobody has.
pub fn delete(tx: &mut Tx<'_>, by: &By, now: i64, name: &str) -> Result<(), Stop> {
    let role = known(tx, name, "name")?;
    if role.built_in {
        return Err(Refused::invalid("name", "is a role that is always there").into());
    }
    let holders = tx.one(HOLDERS, &[Value::Text(name)], |r| r.int(0))?.unwrap_or(0);
    if holders > 0 {
        return Err(Refused::invalid("name", format!("is the role of {holders} people or keys; give them another first")).into());
    }
    tx.execute(DELETE, &[Value::Text(name)])?;
    let before = serde_json::to_string(&role).ok();
    Ok(audit::append(tx, &[Record::new(by, now, "role.delete", "role", name).states(before, None)])?)
}

/// Refuses to hand out a role that allows more than one may do oneself.
pub fn may_give_role(by: &By, role: &Role) -> Result<(), Refused> {
    may_give(by, &Grant { permissions: role.permissions, ..Grant::default() }, false)
}

/// Refuses to give away more than one has. The program itself, and who runs it by the command line, may give everything.
pub(crate) fn may_give(by: &By, given: &Grant, with_limits: bool) -> Result<(), Refused> {
    let Some(visitor) = &by.visitor else { return Ok(()) };
    let missing = given.permissions.iter().find(|p| !visitor.grant.may(*p));
    if let Some(missing) = missing {
        return Err(Refused::NotAllowed { permission: missing.word().into() });
    }
    if with_limits && !given.within(&visitor.grant) {
        return Err(Refused::invalid("locations", "and channels may not reach beyond your own"));
    }
    Ok(())
}
