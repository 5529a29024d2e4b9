//! A small map drawn from coordinates: where an order goes, who sends it, and who else could have. No land, no tiles: places as
//! they lie to one another, with a scale.

use super::one::Whole;
use crate::console::parts::Part;
use crate::console::viewer::Viewer;
use domain::geo::{Point, distance_km};
use maud::{Markup, html};

/// The drawing, in its own units; its height follows what is on it.
const WIDTH: f64 = 288.0;
const HEIGHT: std::ops::RangeInclusive<f64> = 120.0..=300.0;
const MARGIN: f64 = 28.0;
/// Least extent in degrees of latitude: two places in one town are no smudge.
const LEAST: f64 = 0.1;
/// Locations on it at most, and lines to those that lost.
const PLACES: usize = 16;
const LOST: usize = 2;
/// About the width and height of a letter of a label.
const LETTER: (f64, f64) = (6.2, 13.0);

/// A location on the map.
struct Mark<'a> {
    name: &'a str,
    point: Point,
    /// It sends something of the order.
    sends: bool,
    /// It could have sent all of it.
    could: bool,
}

/// Lays points out: east to the right, north up, a kilometer as long either way in the middle of the map.
struct Projection {
    west: f64,
    north: f64,
    /// Units of the drawing for a degree of longitude and of latitude.
    per_lon: f64,
    per_lat: f64,
    height: f64,
    middle: f64,
}

impl Projection {
    fn of(points: &[Point]) -> Projection {
        let bounds = |figure: fn(&Point) -> f64| {
            let all = points.iter().map(figure);
            (all.clone().fold(f64::INFINITY, f64::min), all.fold(f64::NEG_INFINITY, f64::max))
        };
        let ((south, north), (west, east)) = (bounds(|p| p.latitude), bounds(|p| p.longitude));
        let middle = (south + north) / 2.0;
        let squeeze = middle.to_radians().cos().max(0.05);
        let (tall, wide) = ((north - south).max(LEAST), ((east - west) * squeeze).max(LEAST));
        let inner = WIDTH - 2.0 * MARGIN;
        let per_lat = (inner / wide).min((HEIGHT.end() - 2.0 * MARGIN) / tall);
        let height = (tall * per_lat + 2.0 * MARGIN).clamp(*HEIGHT.start(), *HEIGHT.end());
        let per_lon = per_lat * squeeze;
        // What is on it lies in the middle.
        let west = (west + east) / 2.0 - WIDTH / 2.0 / per_lon;
        Projection { west, north: middle + height / 2.0 / per_lat, per_lon, per_lat, height, middle }
    }

    fn place(&self, point: Point) -> (f64, f64) {
        ((point.longitude - self.west) * self.per_lon, (self.north - point.latitude) * self.per_lat)
    }

    /// A round number of kilometers and its length on the map, about a quarter of it.
    fn scale(&self) -> (i64, f64) {
        let end = |longitude: f64| Point { latitude: self.middle, longitude };
        let km_per_unit = distance_km(end(0.0), end(1.0)) / self.per_lon;
        let most = km_per_unit * WIDTH / 4.0;
        let power = 10f64.powf(most.max(1.0).log10().floor());
        let km = [5.0, 2.0, 1.0].into_iter().map(|n| n * power).find(|km| *km <= most).unwrap_or(1.0);
        (km as i64, km / km_per_unit)
    }
}

/// Labels that do not lie on one another: what does not fit is left to its title.
#[derive(Default)]
struct Labels(Vec<(f64, f64, f64, f64)>);

impl Labels {
    fn takes(&mut self, (x, y): (f64, f64), text: &str, ends: bool) -> bool {
        let width = text.chars().count() as f64 * LETTER.0;
        let left = if ends { x - width } else { x };
        let (right, top, bottom) = (left + width, y - LETTER.1, y);
        let meets = |(l, r, t, b): &(f64, f64, f64, f64)| left < *r && right > *l && top < *b && bottom > *t;
        let fits = left >= -MARGIN && right <= WIDTH + MARGIN && !self.0.iter().any(meets);
        if fits {
            self.0.push((left, right, top, bottom));
        }
        fits
    }
}

/// The panel; nothing where it is not known where the order goes, or who sends it.
pub fn panel(v: &Viewer, whole: &Whole) -> Markup {
    let marks = marks(whole);
    let Some(to) = whole.detail.point else { return html! {} };
    if marks.is_empty() {
        return html! {};
    }
    let name = whole.detail.ship_to.postal_code.as_deref().or(whole.detail.ship_to.city.as_deref()).unwrap_or(&whole.detail.ship_to.country);
    let senders: Vec<String> =
        marks.iter().filter(|m| m.sends).map(|m| v.say("{} to {}, {} km", &[&m.name, &name, &v.decimal(distance_km(m.point, to), 0)])).collect();
    let told = if senders.is_empty() { v.say("Nobody sends it to {} yet.", &[&name]) } else { senders.join("; ") };
    let head = html! { span.sub { @if let [one] = senders.as_slice() { (one) } @else { (v.count(senders.len() as i64, "location", "locations")) } } };
    let body = html! { div.panel-body { (drawing(v, &marks, to, name, &told)) } };
    Part::new("route", v.t("Route"), body).head(head).show()
}

/// The locations that send it, and those that were considered.
fn marks(whole: &Whole) -> Vec<Mark<'_>> {
    let mut marks: Vec<Mark<'_>> = Vec::new();
    let explained = whole.detail.decision.as_ref().map(|d| &d.explanation);
    let senders = whole.detail.order.fulfillments.iter().filter(|f| f.status != "canceled").map(|f| (&*f.location, true, false));
    let others =
        explained.into_iter().flat_map(|e| e.candidates.iter().map(|c| (c.location.as_str(), false, e.lines > 0 && c.lines == Some(e.lines))));
    for (code, sends, could) in senders.chain(others) {
        let Some((place, point)) = whole.places.get(code).and_then(|l| Some((l, l.point?))) else { continue };
        if marks.len() < PLACES && !marks.iter().any(|m| m.name == place.name) {
            marks.push(Mark { name: &place.name, point, sends, could });
        }
    }
    marks
}

fn drawing(v: &Viewer, marks: &[Mark<'_>], to: Point, name: &str, told: &str) -> Markup {
    let points: Vec<Point> = marks.iter().map(|m| m.point).chain([to]).collect();
    let map = Projection::of(&points);
    let one = |n: f64| format!("{n:.1}");
    let (x, y) = map.place(to);
    let line = |m: &Mark<'_>| {
        let (from_x, from_y) = map.place(m.point);
        format!("M{from_x:.1} {from_y:.1}L{x:.1} {y:.1}")
    };
    let mut labels = Labels::default();
    // Towards the middle of the map, away from the mark.
    let beside = |x: f64| if x > WIDTH * 0.62 { (x - 10.0, true) } else { (x + 10.0, false) };
    let mut label = |(x, y): (f64, f64), text: &str, strong: bool| {
        let (at, ends) = beside(x);
        let fits = labels.takes((at, y + 4.0), text, ends);
        html! { @if fits { text.end[ends].t-strong[strong] x=(one(at)) y=(one(y + 4.0)) { (text) } } }
    };
    let (km, long) = map.scale();
    let ground = map.height - 8.0;
    html! {
        svg.chart.map viewBox=(format!("0 0 {WIDTH} {:.0}", map.height)) role="img" aria-labelledby="map-told" {
            title #map-told { (told) }
            @for m in marks.iter().filter(|m| m.could && !m.sends).take(LOST) { path.route-alt d=(line(m)) {} }
            @for m in marks.iter().filter(|m| m.sends) { path.route d=(line(m)) {} }
            rect.dest x=(one(x - 5.0)) y=(one(y - 5.0)) width="10" height="10" { title { (name) } }
            (label((x, y), name, true))
            @for m in marks { @let (x, y) = map.place(m.point);
                circle class=(if m.sends { "loc-on" } else { "loc" }) cx=(one(x)) cy=(one(y)) r=(if m.sends { "6" } else { "4" }) { title { (m.name) } }
                (label((x, y), m.name, m.sends))
            }
            path.axis d=(format!("M8 {:.1}v4h{long:.1}v-4", ground - 4.0)) fill="none" {}
            text x=(one(long + 14.0)) y=(one(ground + 2.0)) { (v.num(km)) " km" }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(latitude: f64, longitude: f64) -> Point {
        Point { latitude, longitude }
    }

    #[test]
    fn places_lie_as_on_the_earth() {
        let map = Projection::of(&[at(51.5, -0.1), at(53.8, -1.5), at(55.9, -3.2)]);
        let (london, leeds, edinburgh) = (map.place(at(51.5, -0.1)), map.place(at(53.8, -1.5)), map.place(at(55.9, -3.2)));
        assert!(london.0 > leeds.0 && leeds.0 > edinburgh.0, "{london:?} {leeds:?} {edinburgh:?}");
        assert!(london.1 > leeds.1 && leeds.1 > edinburgh.1);
        for (x, y) in [london, leeds, edinburgh] {
            assert!((0.0..=WIDTH).contains(&x) && (0.0..=map.height).contains(&y));
        }
        // A kilometer is as long to the north as to the east.
        let middle = map.middle;
        let (east, north) =
            (map.place(at(middle, -1.0)).0 - map.place(at(middle, -2.0)).0, map.place(at(middle, -1.0)).1 - map.place(at(middle + 1.0, -1.0)).1);
        let (km_east, km_north) = (distance_km(at(middle, -1.0), at(middle, -2.0)), distance_km(at(middle, -1.0), at(middle + 1.0, -1.0)));
        assert!((east / km_east / (north / km_north) - 1.0).abs() < 0.01);
    }

    #[test]
    fn the_scale_is_round_and_fits() {
        for points in [vec![at(51.5, 0.0)], vec![at(51.5, 0.0), at(51.6, 0.1)], vec![at(60.0, -120.0), at(-33.0, 150.0)]] {
            let map = Projection::of(&points);
            let (km, long) = map.scale();
            assert!(km >= 1 && long > 0.0 && long <= WIDTH / 2.0, "{points:?}: {km} km, {long}");
        }
    }

    #[test]
    fn labels_keep_off_each_other() {
        let mut labels = Labels::default();
        assert!(labels.takes((40.0, 40.0), "London", false));
        assert!(!labels.takes((44.0, 44.0), "Croydon", false));
        assert!(labels.takes((40.0, 70.0), "Croydon", false));
    }
}
