//! Stock: accounts, levels and the double entries that change them.
//!
//! A level is one item at one location: a balance for each state and the head of its hash chain. The only way to change
//! it is [`Level::post`], which moves units from one account to another and yields the entry that says so.

use crate::limits::MAX_LEVEL;

/// Where units are counted. The first seven are states of a level, the others lie outside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Account {
    Available,
    Reserved,
    Committed,
    Damaged,
    QualityControl,
    SafetyStock,
    /// On its way here; beside on hand, not part of it.
    Incoming,
    Supplier,
    Customer,
    Scrap,
    /// Found or missed by a count or correction.
    Count,
    /// Between two locations.
    InTransit,
}

use Account::*;

/// The states of a level, in the order of its columns.
pub const STATES: [Account; 7] = [Available, Reserved, Committed, Damaged, QualityControl, SafetyStock, Incoming];

const ACCOUNTS: [(Account, &str); 12] = [
    (Available, "available"),
    (Reserved, "reserved"),
    (Committed, "committed"),
    (Damaged, "damaged"),
    (QualityControl, "quality_control"),
    (SafetyStock, "safety_stock"),
    (Incoming, "incoming"),
    (Supplier, "supplier"),
    (Customer, "customer"),
    (Scrap, "scrap"),
    (Count, "count"),
    (InTransit, "in_transit"),
];

impl Account {
    pub fn word(self) -> &'static str {
        ACCOUNTS[self as usize].1
    }

    pub fn parse(word: &str) -> Option<Account> {
        ACCOUNTS.iter().find(|(_, w)| *w == word).map(|(account, _)| *account)
    }

    /// The number that stands in the database and in hashes; never changes.
    pub fn number(self) -> i64 {
        self as i64
    }

    pub fn from_number(number: i64) -> Option<Account> {
        ACCOUNTS.get(usize::try_from(number).ok()?).map(|(account, _)| *account)
    }

    /// Whether a level keeps a balance for it.
    pub fn is_state(self) -> bool {
        (self as usize) < STATES.len()
    }

    /// States that people may move units into and out of by hand; the others belong to documents.
    pub fn is_by_hand(self) -> bool {
        matches!(self, Available | Damaged | QualityControl | SafetyStock)
    }
}

/// A hash of the chain: blake3 over the previous hash and the entry.
pub type Hash = [u8; 32];

/// The hash before the first entry.
pub const GENESIS: Hash = [0; 32];

/// One item at one location: its balances and the head of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Level {
    balances: [i64; 7],
    /// Entries so far; the number of the last one.
    pub entries: i64,
    /// The hash of the last entry.
    pub head: Hash,
    /// When the last entry was made, microseconds since 1970 UTC.
    pub moved_at: i64,
}

impl Default for Level {
    fn default() -> Level {
        Level { balances: [0; 7], entries: 0, head: GENESIS, moved_at: 0 }
    }
}

/// A move of units between two accounts of one level, with who and why.
#[derive(Debug, Clone, Copy)]
pub struct Posting<'a> {
    pub item: i64,
    pub location: i64,
    pub source: Account,
    pub target: Account,
    /// Units, at least 1.
    pub quantity: i64,
    /// Microseconds since 1970 UTC.
    pub at: i64,
    /// What happened, such as `order.placed`.
    pub cause: &'a str,
    /// The reservation, order, transfer or receipt behind it.
    pub document: i64,
    pub actor: &'a str,
    /// Why, in people's words.
    pub reason: &'a str,
    /// Outside reference, such as a delivery note.
    pub reference: &'a str,
}

/// Why a posting cannot be made. Callers check first; meeting one is a refusal or a fault of theirs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unposted {
    /// The source has fewer units.
    Short { available: i64 },
    /// The target would exceed [`MAX_LEVEL`].
    TooLarge,
    /// Zero or negative units, or source and target the same, or neither a state.
    Senseless,
}

impl Level {
    /// A level read back from the database.
    pub fn from_parts(balances: [i64; 7], entries: i64, head: Hash, moved_at: i64) -> Level {
        Level { balances, entries, head, moved_at }
    }

    /// Units in a state; 0 for an outer account.
    pub fn get(&self, account: Account) -> i64 {
        self.balances.get(account as usize).copied().unwrap_or(0)
    }

    pub fn balances(&self) -> &[i64; 7] {
        &self.balances
    }

    /// Units physically here: every state but incoming.
    pub fn on_hand(&self) -> i64 {
        self.balances[..6].iter().sum()
    }

    /// Moves units from one account to another, or changes nothing. Returns the hash of the new entry, which is now the head.
    pub fn post(&mut self, posting: &Posting<'_>) -> Result<Hash, Unposted> {
        let Posting { source, target, quantity, .. } = *posting;
        if quantity <= 0 || source == target || !(source.is_state() || target.is_state()) {
            return Err(Unposted::Senseless);
        }
        if source.is_state() && self.get(source) < quantity {
            return Err(Unposted::Short { available: self.get(source) });
        }
        if target.is_state() && quantity > MAX_LEVEL - self.get(target) {
            return Err(Unposted::TooLarge);
        }
        if source.is_state() {
            self.balances[source as usize] -= quantity;
        }
        if target.is_state() {
            self.balances[target as usize] += quantity;
        }
        self.entries += 1;
        self.head = chain(&self.head, self.entries, posting);
        self.moved_at = posting.at;
        Ok(self.head)
    }
}

/// The hash of entry `number` after `previous`: blake3 over fixed-width numbers and length-prefixed texts, so that no two
/// different entries read the same.
pub fn chain(previous: &Hash, number: i64, posting: &Posting<'_>) -> Hash {
    let mut bytes = Vec::with_capacity(256);
    bytes.extend_from_slice(previous);
    for figure in
        [posting.item, posting.location, number, posting.at, posting.source.number(), posting.target.number(), posting.quantity, posting.document]
    {
        bytes.extend_from_slice(&figure.to_le_bytes());
    }
    for text in [posting.cause, posting.actor, posting.reason, posting.reference] {
        bytes.extend_from_slice(&(text.len() as u32).to_le_bytes());
        bytes.extend_from_slice(text.as_bytes());
    }
    *blake3::hash(&bytes).as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn posting(source: Account, target: Account, quantity: i64) -> Posting<'static> {
        Posting { item: 1, location: 2, source, target, quantity, at: 3, cause: "test", document: 4, actor: "t", reason: "", reference: "" }
    }

    /// `check("supplier>available 10; available>reserved 4", "available 6 reserved 4")`
    fn check(moves: &str, expected: &str) {
        let mut level = Level::default();
        for text in moves.split("; ") {
            let (accounts, quantity) = text.split_once(' ').unwrap();
            let (source, target) = accounts.split_once('>').unwrap();
            let posting = posting(Account::parse(source).unwrap(), Account::parse(target).unwrap(), quantity.parse().unwrap());
            if let Err(why) = level.post(&posting) {
                assert_eq!(format!("{why:?}"), expected, "{moves}");
                return;
            }
        }
        let found: Vec<String> = STATES.iter().filter(|s| level.get(**s) != 0).map(|s| format!("{} {}", s.word(), level.get(*s))).collect();
        assert_eq!(found.join(" "), expected, "{moves}");
    }

    #[test]
    fn postings() {
        check("supplier>available 10; available>reserved 4", "available 6 reserved 4");
        check("supplier>available 10; available>reserved 4; reserved>committed 4; committed>customer 4", "available 6");
        check("supplier>available 10; available>damaged 3; damaged>scrap 3", "available 7");
        check("in_transit>incoming 5; incoming>available 2", "available 2 incoming 3");
        check("supplier>available 1; available>reserved 2", "Short { available: 1 }");
        check("available>reserved 1", "Short { available: 0 }");
        check("supplier>available 0", "Senseless");
        check("supplier>available -5", "Senseless");
        check("supplier>customer 5", "Senseless");
        check("supplier>available 9223372036854775807", "TooLarge");
    }

    #[test]
    fn accounts_keep_their_numbers() {
        for (n, (account, word)) in ACCOUNTS.iter().enumerate() {
            assert_eq!(account.number(), n as i64);
            assert_eq!(Account::from_number(n as i64), Some(*account));
            assert_eq!(Account::parse(word), Some(*account));
        }
    }

    proptest! {
        #[test]
        fn no_history_makes_a_negative_balance_or_loses_a_unit(moves in proptest::collection::vec((0usize..12, 0usize..12, -2i64..50), 0..200)) {
            let mut level = Level::default();
            let mut outside = 0i64;
            for (source, target, quantity) in moves {
                let (source, target) = (ACCOUNTS[source].0, ACCOUNTS[target].0);
                let before = level;
                match level.post(&posting(source, target, quantity)) {
                    Ok(hash) => {
                        prop_assert_eq!(hash, level.head);
                        prop_assert_ne!(before.head, level.head);
                        outside += if source.is_state() { 0 } else { -quantity } + if target.is_state() { 0 } else { quantity };
                    }
                    Err(_) => prop_assert_eq!(before, level),
                }
                prop_assert!(level.balances().iter().all(|b| *b >= 0));
                prop_assert_eq!(level.balances().iter().sum::<i64>() + outside, 0, "debits equal credits");
            }
        }

        #[test]
        fn any_changed_field_changes_the_hash(quantity in 1i64..1000, at in 0i64..1000, text in "[a-z]{0,8}") {
            let base = Posting { quantity, at, reason: &text, ..posting(Supplier, Available, 1) };
            let hash = chain(&GENESIS, 1, &base);
            prop_assert_ne!(hash, chain(&GENESIS, 2, &base));
            prop_assert_ne!(hash, chain(&GENESIS, 1, &Posting { quantity: quantity + 1, ..base }));
            prop_assert_ne!(hash, chain(&GENESIS, 1, &Posting { at: at + 1, ..base }));
            prop_assert_ne!(hash, chain(&GENESIS, 1, &Posting { reason: "", reference: &format!("{text}x"), ..base }));
            prop_assert_ne!(hash, chain(&hash, 1, &base));
        }
    }
}
