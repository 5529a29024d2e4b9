//! A map of locations from their coordinates alone: an equirectangular frame around them, with lines of latitude and longitude. It shows
//! where they lie to one another; the table beside it says everything else.

use crate::console::fields::step;
use crate::console::viewer::Viewer;
use domain::geo::Point;
use maud::{Markup, html};

/// In the units of the drawing, which are pixels in the column that the map stands in.
const WIDTH: f64 = 360.0;
const HEIGHTS: (f64, f64) = (200.0, 400.0);
const MARGIN: f64 = 36.0;
/// Degrees of latitude that are shown at least, so that a single location does not fill the world.
const LEAST_SPAN: f64 = 3.0;
/// About how wide a letter of a label is, and how high a label.
const LETTER: f64 = 6.2;
const LINE: f64 = 13.0;
/// Most circles; those with most work come first.
const MOST: usize = 200;
/// A name longer than this is told by its code.
const LONGEST_NAME: usize = 16;

/// A location on the map.
#[derive(Debug, Clone)]
pub struct Spot<'a> {
    pub code: &'a str,
    pub name: &'a str,
    pub point: Point,
    /// Fulfillments that wait there: the size of its circle.
    pub open: i64,
    pub active: bool,
}

#[derive(Debug, Clone, Copy, PartialEq)]
struct Box2 {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Box2 {
    fn meets(&self, other: &Box2) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn within(&self, width: f64, height: f64) -> bool {
        self.left >= 2.0 && self.top >= 2.0 && self.right <= width - 2.0 && self.bottom <= height - 2.0
    }
}

/// From degrees to the drawing.
struct Frame {
    /// The middle, degrees.
    latitude: f64,
    longitude: f64,
    /// How much narrower a degree of longitude is there than one of latitude.
    narrower: f64,
    /// Units of the drawing for a degree of latitude.
    scale: f64,
    height: f64,
    /// Longitudes count from 0 to 360, because the locations lie on both sides of the date line.
    is_pacific: bool,
}

impl Frame {
    fn around(points: &[Point]) -> Frame {
        let span = |values: &[f64]| {
            let (low, high) = values.iter().fold((f64::MAX, f64::MIN), |(low, high), v| (low.min(*v), high.max(*v)));
            ((low + high) / 2.0, high - low)
        };
        let latitudes: Vec<f64> = points.iter().map(|p| p.latitude).collect();
        let plain: Vec<f64> = points.iter().map(|p| p.longitude).collect();
        let turned: Vec<f64> = plain.iter().map(|l| l.rem_euclid(360.0)).collect();
        let is_pacific = span(&turned).1 < span(&plain).1;
        let (longitude, wide) = span(if is_pacific { &turned } else { &plain });
        let (latitude, high) = span(&latitudes);
        let narrower = latitude.to_radians().cos().max(0.2);
        let (wide, high) = ((wide * narrower).max(LEAST_SPAN), high.max(LEAST_SPAN));
        let scale = ((WIDTH - 2.0 * MARGIN) / wide).min((HEIGHTS.1 - 2.0 * MARGIN) / high);
        let height = (high * scale + 2.0 * MARGIN).clamp(HEIGHTS.0, HEIGHTS.1);
        Frame { latitude, longitude, narrower, scale, height, is_pacific }
    }

    fn x(&self, longitude: f64) -> f64 {
        WIDTH / 2.0 + (longitude - self.longitude) * self.narrower * self.scale
    }

    fn y(&self, latitude: f64) -> f64 {
        self.height / 2.0 - (latitude - self.latitude) * self.scale
    }

    fn place(&self, point: Point) -> (f64, f64) {
        let longitude = if self.is_pacific { point.longitude.rem_euclid(360.0) } else { point.longitude };
        (self.x(longitude), self.y(point.latitude))
    }

    /// Degrees between the lines: so many that three to eight cross the map.
    fn step(&self) -> f64 {
        let across = WIDTH / (self.scale * self.narrower);
        [0.5, 1.0, 2.0, 5.0, 10.0, 20.0].into_iter().find(|step| across / step <= 6.0).unwrap_or(30.0)
    }

    /// The lines of latitude (y, degrees) and of longitude (x, degrees) within the drawing.
    fn lines(&self) -> (Vec<(f64, f64)>, Vec<(f64, f64)>) {
        let step = self.step();
        let around = |middle: f64, half: f64| {
            let (first, last) = (((middle - half) / step).ceil() as i64, ((middle + half) / step).floor() as i64);
            (first..=last).map(move |n| n as f64 * step)
        };
        let latitudes = around(self.latitude, self.height / 2.0 / self.scale).filter(|l| l.abs() <= 90.0);
        let longitudes = around(self.longitude, WIDTH / 2.0 / (self.scale * self.narrower));
        (latitudes.map(|l| (self.y(l), l)).collect(), longitudes.map(|l| (self.x(l), l)).collect())
    }
}

/// “50° N”, “2.5° W”.
fn degrees(value: f64, positive: &str, negative: &str) -> String {
    let value = if value > 180.0 { value - 360.0 } else { value };
    match value {
        v if v.abs() < 1e-9 => "0°".into(),
        v if v > 0.0 => format!("{v}° {positive}"),
        v => format!("{}° {negative}", -v),
    }
}

/// A circle, and where its label goes if there is room for one.
struct Placed<'a> {
    spot: &'a Spot<'a>,
    x: f64,
    y: f64,
    radius: f64,
    label: Option<(f64, f64, &'static str, &'a str)>,
}

/// Circles by work, the busiest first, each with a label where it meets no other circle or label.
fn place<'a>(frame: &Frame, spots: &[&'a Spot<'a>]) -> Vec<Placed<'a>> {
    let most = spots.iter().map(|s| s.open).max().unwrap_or(0).max(1) as f64;
    let mut placed: Vec<Placed<'_>> = spots
        .iter()
        .map(|spot| {
            let (x, y) = frame.place(spot.point);
            Placed { spot, x, y, radius: 4.0 + 8.0 * (spot.open as f64 / most).sqrt(), label: None }
        })
        .collect();
    let mut taken: Vec<Box2> =
        placed.iter().map(|p| Box2 { left: p.x - p.radius, top: p.y - p.radius, right: p.x + p.radius, bottom: p.y + p.radius }).collect();
    for p in &mut placed {
        let words = if p.spot.name.chars().count() <= LONGEST_NAME { p.spot.name } else { p.spot.code };
        let wide = words.chars().count() as f64 * LETTER;
        let gap = p.radius + 4.0;
        // To the right, to the left, above, below: where the text is anchored, and the box that it takes.
        let tries = [
            (p.x + gap, p.y + 4.0, "", p.x + gap),
            (p.x - gap, p.y + 4.0, "end", p.x - gap - wide),
            (p.x, p.y - gap, "mid", p.x - wide / 2.0),
            (p.x, p.y + gap + 8.0, "mid", p.x - wide / 2.0),
        ];
        for (x, y, class, left) in tries {
            let area = Box2 { left, top: y - LINE + 3.0, right: left + wide, bottom: y + 3.0 };
            if area.within(WIDTH, frame.height) && !taken.iter().any(|t| t.meets(&area)) {
                taken.push(area);
                p.label = Some((x, y, class, words));
                break;
            }
        }
    }
    placed
}

/// The map; None without a single point.
pub fn draw(v: &Viewer, spots: &[Spot<'_>]) -> Option<Markup> {
    let mut shown: Vec<&Spot<'_>> = spots.iter().collect();
    shown.sort_by_key(|s| (std::cmp::Reverse(s.open), s.code));
    shown.truncate(MOST);
    let points: Vec<Point> = shown.iter().map(|s| s.point).collect();
    if points.is_empty() {
        return None;
    }
    let frame = Frame::around(&points);
    let (latitudes, longitudes) = frame.lines();
    let placed = place(&frame, &shown);
    let finding = v.say(
        "{} by their coordinates; the larger the circle, the more fulfillments are open.",
        &[&v.count(shown.len() as i64, "location", "locations")],
    );
    let at = |n: f64| format!("{n:.1}");
    Some(html! {
        svg.map viewBox={ "0 0 " (WIDTH) " " (at(frame.height)) } role="group" aria-labelledby="map-title map-finding" {
            title #map-title { (v.t("Map of locations")) }
            desc #map-finding { (finding) }
            rect.land width=(WIDTH) height=(at(frame.height)) rx="4" {}
            @for (y, degree) in &latitudes {
                line.grat x1="0" x2=(WIDTH) y1=(at(*y)) y2=(at(*y)) {}
                @if *y > 20.0 && *y < frame.height - 20.0 { text.deg x="4" y=(at(y - 3.0)) { (degrees(*degree, "N", "S")) } }
            }
            @for (x, degree) in &longitudes {
                line.grat x1=(at(*x)) x2=(at(*x)) y1="0" y2=(at(frame.height)) {}
                @if *x > 28.0 && *x < WIDTH - 28.0 { text.deg x=(at(x + 3.0)) y=(at(frame.height - 4.0)) { (degrees(*degree, v.t("E"), v.t("W"))) } }
            }
            @for p in &placed {
                a href={ "/locations/" (step(p.spot.code)) } data-key={ "m" (p.spot.code) } aria-label=(v.say("{}: {} open", &[&p.spot.name, &v.num(p.spot.open)])) {
                    circle class=(if p.spot.active { "loc loc-on" } else { "loc" }) cx=(at(p.x)) cy=(at(p.y)) r=(at(p.radius)) { title { (p.spot.name) ", " (p.spot.code) ": " (v.say("{} open", &[&v.num(p.spot.open)])) } }
                    @if let Some((x, y, class, words)) = p.label { text class=(class) x=(at(x)) y=(at(y)) { (words) } }
                }
            }
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spots<'a>(places: &[(&'a str, f64, f64, i64)]) -> Vec<Spot<'a>> {
        let spot = |(name, latitude, longitude, open): &(&'a str, f64, f64, i64)| Spot {
            code: name,
            name,
            point: Point::new(*latitude, *longitude).unwrap(),
            open: *open,
            active: true,
        };
        places.iter().map(spot).collect()
    }

    #[test]
    fn everything_lies_in_the_frame_and_labels_meet_nothing() {
        let britain = spots(&[
            ("London", 51.5, -0.13, 9),
            ("Croydon", 51.37, -0.1, 3),
            ("Watford", 51.65, -0.4, 2),
            ("Leeds", 53.8, -1.55, 0),
            ("Edinburgh", 55.95, -3.19, 1),
        ]);
        let world = spots(&[("Sydney", -33.9, 151.2, 1), ("Oslo", 59.9, 10.75, 1), ("Lima", -12.0, -77.0, 1)]);
        let pacific = spots(&[("Auckland", -36.8, 174.8, 1), ("Honolulu", 21.3, -157.9, 1)]);
        let pole = spots(&[("North", 90.0, 0.0, 1)]);
        for list in [&britain, &world, &pacific, &pole] {
            let points: Vec<Point> = list.iter().map(|s| s.point).collect();
            let frame = Frame::around(&points);
            let shown: Vec<&Spot<'_>> = list.iter().collect();
            let placed = place(&frame, &shown);
            let mut boxes: Vec<Box2> = Vec::new();
            for p in &placed {
                assert!((0.0..=WIDTH).contains(&p.x) && (0.0..=frame.height).contains(&p.y), "{} at {} {}", p.spot.name, p.x, p.y);
                if let Some((x, y, class, words)) = p.label {
                    let wide = words.len() as f64 * LETTER;
                    let left = match class {
                        "end" => x - wide,
                        "mid" => x - wide / 2.0,
                        _ => x,
                    };
                    let area = Box2 { left, top: y - LINE + 3.0, right: left + wide, bottom: y + 3.0 };
                    assert!(!boxes.iter().any(|b| b.meets(&area)), "{words} meets another label");
                    boxes.push(area);
                }
            }
            assert!(!boxes.is_empty());
            let (latitudes, longitudes) = frame.lines();
            assert!(latitudes.len() + longitudes.len() >= 2 && latitudes.len() <= 12 && longitudes.len() <= 12, "{latitudes:?} {longitudes:?}");
        }
        assert!(Frame::around(&[pacific[0].point, pacific[1].point]).is_pacific);
        assert!(!Frame::around(&[britain[0].point, britain[3].point]).is_pacific);
        assert_eq!((degrees(50.0, "N", "S"), degrees(-2.5, "E", "W"), degrees(190.0, "E", "W")), ("50° N".into(), "2.5° W".into(), "170° W".into()));
    }
}
