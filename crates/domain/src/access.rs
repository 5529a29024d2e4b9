//! Who may do what: permissions, roles as sets of them, and the limits to locations and channels that stand beside.
//!
//! Not here: who somebody is (`identity`), where roles are kept (`engine/people`), which route asks for which permission (`web`).

use crate::Refused;
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// One thing that can be allowed. The word is what the API, the database and pages write.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Permission {
    StockView,
    StockReceive,
    StockAdjust,
    StockTransfer,
    ItemsEdit,
    LocationsEdit,
    OrdersView,
    OrdersPlace,
    OrdersShip,
    OrdersCancel,
    OrdersReroute,
    OrdersNote,
    RoutingView,
    RoutingEdit,
    ChannelsView,
    ChannelsEdit,
    ListingsEdit,
    ContractsView,
    ContractsEdit,
    ExceptionsView,
    ExceptionsSolve,
    ImportsRun,
    EventsView,
    WebhooksView,
    WebhooksEdit,
    PeopleManage,
    KeysManage,
    SettingsEdit,
    AuditView,
}

use Permission::*;

impl Permission {
    /// All of them with their word and what they allow, in the order in which pages list them.
    pub const ALL: [(Permission, &'static str, &'static str); 29] = [
        (StockView, "stock.view", "See items, stock and its entries"),
        (StockReceive, "stock.receive", "Receive stock"),
        (StockAdjust, "stock.adjust", "Adjust, move and count stock"),
        (StockTransfer, "stock.transfer", "Send, receive and cancel transfers"),
        (ItemsEdit, "items.edit", "Create and change items"),
        (LocationsEdit, "locations.edit", "Create and change locations"),
        (OrdersView, "orders.view", "See orders and reservations"),
        (OrdersPlace, "orders.place", "Place orders and hold stock"),
        (OrdersShip, "orders.ship", "Ship orders"),
        (OrdersCancel, "orders.cancel", "Cancel orders and take returns"),
        (OrdersReroute, "orders.reroute", "Send orders from another location"),
        (OrdersNote, "orders.note", "Write notes on orders"),
        (RoutingView, "routing.view", "See routing rules and try others"),
        (RoutingEdit, "routing.edit", "Change routing rules"),
        (ChannelsView, "channels.view", "See channels, listings and quotas"),
        (ChannelsEdit, "channels.edit", "Connect, change and pause channels"),
        (ListingsEdit, "listings.edit", "Map listings and set their quotas"),
        (ContractsView, "contracts.view", "See contracts"),
        (ContractsEdit, "contracts.edit", "Agree and change contracts"),
        (ExceptionsView, "exceptions.view", "See exceptions"),
        (ExceptionsSolve, "exceptions.solve", "Assign and solve exceptions"),
        (ImportsRun, "imports.run", "Import files"),
        (EventsView, "events.view", "Follow all events"),
        (WebhooksView, "webhooks.view", "See webhooks and what was delivered"),
        (WebhooksEdit, "webhooks.edit", "Create, change and replay webhooks"),
        (PeopleManage, "people.manage", "Manage people, roles and their sessions"),
        (KeysManage, "keys.manage", "Manage API keys"),
        (SettingsEdit, "settings.edit", "Change settings"),
        (AuditView, "audit.view", "See and export the audit log"),
    ];

    pub fn word(self) -> &'static str {
        Permission::ALL[self as usize].1
    }

    /// What it allows, for people.
    pub fn about(self) -> &'static str {
        Permission::ALL[self as usize].2
    }

    pub fn parse(word: &str) -> Option<Permission> {
        Permission::ALL.iter().find(|(_, known, _)| *known == word).map(|(permission, ..)| *permission)
    }
}

/// A set of permissions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u64);

impl Permissions {
    pub const NONE: Permissions = Permissions(0);
    pub const ALL: Permissions = Permissions((1 << Permission::ALL.len()) - 1);

    pub const fn of(list: &[Permission]) -> Permissions {
        let (mut bits, mut n) = (0, 0);
        while n < list.len() {
            bits |= 1 << list[n] as u64;
            n += 1;
        }
        Permissions(bits)
    }

    /// From their words; refuses one that does not exist, as `permissions[n]`.
    pub fn parse<'a>(words: impl IntoIterator<Item = &'a str>) -> Result<Permissions, Refused> {
        let mut bits = 0;
        for (n, word) in words.into_iter().enumerate() {
            let permission =
                Permission::parse(word).ok_or_else(|| Refused::invalid(format!("permissions[{n}]"), format!("names no permission: “{word}”")))?;
            bits |= 1 << permission as u64;
        }
        Ok(Permissions(bits))
    }

    pub const fn and(self, more: Permissions) -> Permissions {
        Permissions(self.0 | more.0)
    }

    pub const fn without(self, less: Permissions) -> Permissions {
        Permissions(self.0 & !less.0)
    }

    pub fn has(self, permission: Permission) -> bool {
        self.0 & (1 << permission as u64) != 0
    }

    /// Whether everything in here is in the other set too.
    pub fn within(self, other: Permissions) -> bool {
        self.0 & !other.0 == 0
    }

    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().map(|(permission, ..)| permission).filter(move |p| self.has(*p))
    }

    pub fn words(self) -> Vec<&'static str> {
        self.iter().map(Permission::word).collect()
    }
}

/// Everything that can be looked at, except the audit log and other people's access.
const VIEWS: Permissions =
    Permissions::of(&[StockView, OrdersView, RoutingView, ChannelsView, ContractsView, ExceptionsView, EventsView, WebhooksView]);
const ACCESS: Permissions = Permissions::of(&[PeopleManage, KeysManage, SettingsEdit]);
const DAILY: Permissions = Permissions::of(&[
    StockReceive,
    StockAdjust,
    StockTransfer,
    OrdersPlace,
    OrdersShip,
    OrdersCancel,
    OrdersReroute,
    OrdersNote,
    ListingsEdit,
    ContractsEdit,
    ExceptionsSolve,
]);

/// A role that is always there.
pub struct BuiltIn {
    pub name: &'static str,
    /// For people.
    pub about: &'static str,
    pub permissions: Permissions,
}

/// The roles that are always there. The last three are for programs, and were there before people had roles.
pub const BUILT_IN: [BuiltIn; 10] = [
    BuiltIn { name: "owner", about: "Everything, and who else may do what", permissions: Permissions::ALL },
    BuiltIn {
        name: "operations",
        about: "All daily work at all locations, rules, channels and imports",
        permissions: Permissions::ALL.without(ACCESS),
    },
    BuiltIn {
        name: "warehouse",
        about: "Receive, count, move, transfer and ship",
        permissions: Permissions::of(&[StockView, StockReceive, StockAdjust, StockTransfer, OrdersView, OrdersShip, OrdersNote, ExceptionsView]),
    },
    BuiltIn {
        name: "channels",
        about: "Channels, listings, quotas and what goes wrong there",
        permissions: Permissions::of(&[
            StockView,
            ItemsEdit,
            OrdersView,
            OrdersNote,
            RoutingView,
            ChannelsView,
            ChannelsEdit,
            ListingsEdit,
            ContractsView,
            ExceptionsView,
            ExceptionsSolve,
            ImportsRun,
            EventsView,
            WebhooksView,
        ]),
    },
    BuiltIn {
        name: "finance",
        about: "Stock, orders, contracts and the audit log, without changing stock",
        permissions: VIEWS.and(Permissions::of(&[OrdersNote, ContractsEdit, AuditView])),
    },
    BuiltIn {
        name: "support",
        about: "Find, place, cancel and reroute orders, solve exceptions",
        permissions: Permissions::of(&[
            StockView,
            OrdersView,
            OrdersPlace,
            OrdersCancel,
            OrdersReroute,
            OrdersNote,
            ChannelsView,
            ContractsView,
            ExceptionsView,
            ExceptionsSolve,
        ]),
    },
    BuiltIn { name: "auditor", about: "See everything, change nothing", permissions: VIEWS.and(Permissions::of(&[AuditView])) },
    BuiltIn { name: "read", about: "For programs that only look", permissions: VIEWS },
    BuiltIn { name: "operate", about: "For programs that do the daily work", permissions: VIEWS.and(DAILY) },
    BuiltIn { name: "admin", about: "For programs that may do everything", permissions: Permissions::ALL },
];

/// The permissions of a role that is always there.
pub fn built_in(name: &str) -> Option<&'static BuiltIn> {
    BUILT_IN.iter().find(|role| role.name == name)
}

/// What somebody may do, and where. A limit that is not set means everywhere.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Grant {
    pub permissions: Permissions,
    /// Ids of locations.
    pub locations: Option<Arc<[i64]>>,
    /// Codes of channels, as orders name them.
    pub channels: Option<Arc<[Arc<str>]>>,
}

impl Grant {
    /// Everything, everywhere.
    pub fn all() -> Grant {
        Grant { permissions: Permissions::ALL, locations: None, channels: None }
    }

    pub fn may(&self, permission: Permission) -> bool {
        self.permissions.has(permission)
    }

    pub fn is_limited(&self) -> bool {
        self.locations.is_some() || self.channels.is_some()
    }

    /// Whether a location is among those that this is limited to.
    pub fn at(&self, location: i64) -> bool {
        self.locations.as_ref().is_none_or(|those| those.contains(&location))
    }

    /// Whether a channel is among those that this is limited to.
    pub fn on(&self, channel: &str) -> bool {
        self.channels.as_ref().is_none_or(|those| those.iter().any(|c| **c == *channel))
    }

    /// Whether this allows nothing that the other does not: nobody may give away more than they have.
    pub fn within(&self, other: &Grant) -> bool {
        let locations = match (&self.locations, &other.locations) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(these), Some(_)) => these.iter().all(|l| other.at(*l)),
        };
        let channels = match (&self.channels, &other.channels) {
            (_, None) => true,
            (None, Some(_)) => false,
            (Some(these), Some(_)) => these.iter().all(|c| other.on(c)),
        };
        self.permissions.within(other.permissions) && locations && channels
    }
}

/// Permissions as a list of their words.
impl Serialize for Permissions {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        self.words().serialize(to)
    }
}

impl<'de> Deserialize<'de> for Permissions {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Permissions, D::Error> {
        let words = Vec::<String>::deserialize(from)?;
        Permissions::parse(words.iter().map(String::as_str)).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_in_the_order_of_the_enum() {
        for (n, (permission, word, about)) in Permission::ALL.into_iter().enumerate() {
            assert_eq!(permission as usize, n, "{word}");
            assert_eq!(Permission::parse(word), Some(permission));
            assert_eq!((permission.word(), permission.about()), (word, about));
        }
        assert_eq!(Permission::parse("stock.steal"), None);
    }

    /// What each role may do, as a merchant would read it.
    #[test]
    fn roles() {
        let may = |role: &str| built_in(role).map(|r| r.permissions).unwrap_or_default();
        assert!(may("owner") == Permissions::ALL && may("admin") == Permissions::ALL);
        for (role, can, cannot) in [
            ("operations", "stock.adjust routing.edit channels.edit imports.run audit.view", "people.manage keys.manage settings.edit"),
            ("warehouse", "stock.receive stock.adjust orders.ship", "orders.cancel channels.view routing.edit audit.view people.manage"),
            ("channels", "channels.edit listings.edit exceptions.solve", "stock.adjust orders.cancel routing.edit people.manage"),
            ("finance", "stock.view orders.view contracts.edit audit.view", "stock.adjust stock.receive orders.cancel channels.edit"),
            ("support", "orders.cancel orders.place exceptions.solve", "stock.adjust orders.ship channels.edit audit.view"),
            ("auditor", "stock.view orders.view audit.view events.view", "stock.receive contracts.edit exceptions.solve orders.place"),
            ("read", "stock.view events.view", "audit.view orders.place"),
            ("operate", "orders.place stock.receive exceptions.solve", "items.edit channels.edit keys.manage"),
        ] {
            for word in can.split(' ') {
                assert!(may(role).has(Permission::parse(word).unwrap()), "{role} should be allowed {word}");
            }
            for word in cannot.split(' ') {
                assert!(!may(role).has(Permission::parse(word).unwrap()), "{role} should not be allowed {word}");
            }
        }
    }

    #[test]
    fn limits() {
        let limited = Grant { permissions: VIEWS, locations: Some([1, 2].into()), channels: Some(["web".into()].into()) };
        assert!(limited.at(1) && !limited.at(3) && limited.on("web") && !limited.on("shopify"));
        assert!(Grant::all().at(3) && Grant::all().on("shopify"));
        assert!(limited.within(&Grant::all()) && !Grant::all().within(&limited) && limited.within(&limited));
        let one = Grant { locations: Some([1].into()), ..limited.clone() };
        assert!(one.within(&limited) && !limited.within(&one));
        assert!(!Grant { channels: None, ..limited.clone() }.within(&limited));
        assert!(!Grant { permissions: Permissions::ALL, ..limited.clone() }.within(&limited));
    }

    #[test]
    fn words_are_read_or_refused_with_their_place() {
        assert_eq!(Permissions::parse(["stock.view", "audit.view"]).unwrap(), Permissions::of(&[StockView, AuditView]));
        assert_eq!(Permissions::parse(["stock.view", "x"]).unwrap_err().field(), Some("permissions[1]"));
    }
}
