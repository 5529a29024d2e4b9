//! Where the retailer of the data set keeps its goods. The file names no warehouse, so these six are ours: three in the
//! United Kingdom, where nine tenths of the lines go, three on the way to the other customers.

use engine::catalog::locations::NewLocation;

struct Place {
    code: &'static str,
    name: &'static str,
    kind: &'static str,
    country: &'static str,
    postal_code: &'static str,
    latitude: f64,
    longitude: f64,
    /// Of a hundred items, how many are kept here.
    carries: u32,
    /// How the units of an item are shared out among the places that carry it.
    share: i64,
}

/// The first carries everything and gets what cannot be shared evenly.
const PLACES: [Place; 6] = [
    place("WARRINGTON", "Warrington", "warehouse", "GB", "WA5 3UZ", (53.403, -2.666), 100, 88),
    place("DAVENTRY", "Daventry", "warehouse", "GB", "NN11 8NU", (52.276, -1.156), 40, 12),
    place("GLASGOW", "Glasgow", "store", "GB", "G2 1DU", (55.861, -4.251), 10, 4),
    place("DUBLIN", "Dublin", "third_party", "IE", "D15 X0PV", (53.404, -6.375), 15, 5),
    place("VENLO", "Venlo", "third_party", "NL", "5928 RH", (51.384, 6.115), 25, 8),
    place("LYON", "Lyon", "dark_store", "FR", "69800", (45.694, 4.945), 10, 4),
];

#[allow(clippy::too_many_arguments)]
const fn place(
    code: &'static str,
    name: &'static str,
    kind: &'static str,
    country: &'static str,
    postal_code: &'static str,
    (latitude, longitude): (f64, f64),
    carries: u32,
    share: i64,
) -> Place {
    Place { code, name, kind, country, postal_code, latitude, longitude, carries, share }
}

/// Where goods come back to when nobody knows from where they were sent.
pub const MAIN: &str = PLACES[0].code;

pub fn locations() -> impl Iterator<Item = NewLocation> {
    PLACES.iter().map(|place| NewLocation {
        code: place.code.into(),
        name: place.name.into(),
        kind: place.kind.into(),
        country: place.country.into(),
        postal_code: Some(place.postal_code.into()),
        latitude: Some(place.latitude),
        longitude: Some(place.longitude),
        daily_capacity: None,
        cost_per_unit: None,
    })
}

/// How units of an item that come from the supplier are shared out. Which places carry an item depends on its SKU alone.
pub fn share_out(sku: &str, units: i64) -> Vec<(&'static str, i64)> {
    let dice = blake3::hash(sku.as_bytes());
    let carriers: Vec<&Place> = PLACES.iter().zip(dice.as_bytes()).filter(|(p, d)| u32::from(**d) * 100 < p.carries * 256).map(|(p, _)| p).collect();
    let whole: i64 = carriers.iter().map(|p| p.share).sum();
    let mut shares: Vec<(&'static str, i64)> =
        carriers.iter().skip(1).map(|p| (p.code, (i128::from(units) * i128::from(p.share) / i128::from(whole)) as i64)).collect();
    let rest = units - shares.iter().map(|(_, n)| n).sum::<i64>();
    shares.insert(0, (MAIN, rest));
    shares.retain(|(_, n)| *n > 0);
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_is_shared_out_once_and_always_in_the_same_way() {
        for (sku, units) in [("85123A", 100), ("22423", 7), ("POSTER", 1), ("X", 1_000_000_007)] {
            let shares = share_out(sku, units);
            assert_eq!(shares.iter().map(|(_, n)| n).sum::<i64>(), units);
            assert_eq!(shares[0].0, MAIN);
            assert_eq!(shares, share_out(sku, units));
        }
        let everywhere: std::collections::BTreeSet<_> = (0..200).flat_map(|n| share_out(&n.to_string(), 1_000)).map(|(code, _)| code).collect();
        assert_eq!(everywhere.len(), PLACES.len());
    }
}
