//! Distance on the earth.

/// Mean earth radius in km (IUGG 1980: R1 = 6,371.0088).
const EARTH_RADIUS_KM: f64 = 6371.0088;

/// A point in degrees, north and east positive.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    pub latitude: f64,
    pub longitude: f64,
}

impl Point {
    /// None outside -90..90 and -180..180.
    pub fn new(latitude: f64, longitude: f64) -> Option<Point> {
        ((-90.0..=90.0).contains(&latitude) && (-180.0..=180.0).contains(&longitude)).then_some(Point { latitude, longitude })
    }
}

/// Great-circle distance in km by the haversine formula (R. W. Sinnott, "Virtues of the Haversine", 1984); at most 0.6% off.
pub fn distance_km(a: Point, b: Point) -> f64 {
    let (lat_a, lat_b) = (a.latitude.to_radians(), b.latitude.to_radians());
    let half_lat = (lat_b - lat_a) / 2.0;
    let half_lon = (b.longitude - a.longitude).to_radians() / 2.0;
    let h = half_lat.sin().powi(2) + lat_a.cos() * lat_b.cos() * half_lon.sin().powi(2);
    2.0 * EARTH_RADIUS_KM * h.sqrt().min(1.0).asin()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_distances() {
        let london = Point::new(51.5074, -0.1278).unwrap();
        let paris = Point::new(48.8566, 2.3522).unwrap();
        let sydney = Point::new(-33.8688, 151.2093).unwrap();
        for (a, b, km) in [(london, paris, 343.6), (london, sydney, 16_993.9), (paris, paris, 0.0)] {
            assert!((distance_km(a, b) - km).abs() < 1.0, "{a:?} {b:?} {}", distance_km(a, b));
        }
        assert!(Point::new(91.0, 0.0).is_none() && Point::new(f64::NAN, 0.0).is_none());
    }
}
