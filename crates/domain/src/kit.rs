//! Kits: items made of others. A kit has no stock; what can be sold of it follows from its components.

/// How many whole kits the components allow: `components` gives (units per kit, units available), all at one location.
/// A kit without components can never be sold.
pub fn available(components: impl IntoIterator<Item = (i64, i64)>) -> i64 {
    components.into_iter().map(|(per_kit, available)| available.max(0) / per_kit.max(1)).min().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_scarcest_component_decides() {
        for (components, kits) in [(&[(1, 10), (2, 7)][..], 3), (&[(1, 0), (1, 9)], 0), (&[], 0), (&[(3, 2)], 0)] {
            assert_eq!(super::available(components.iter().copied()), kits, "{components:?}");
        }
    }
}
