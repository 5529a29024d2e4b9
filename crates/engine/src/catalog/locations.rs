//! Locations: create and change. Adding a warehouse is a row, not a release.

use crate::Stop;
use crate::batch::Batch;
use crate::catalog::rows::{LOCATIONS, parse_kind, write_location};
use crate::command::{Answer, Reply};
use crate::db::{Rows, Write};
use crate::views::{LocationView, nullable};
use domain::geo::Point;
use domain::routing::{Kind, Location};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use std::sync::Arc;
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewLocation {
    pub code: String,
    pub name: String,
    /// warehouse, store, third_party or dark_store
    pub kind: String,
    /// ISO 3166-1 alpha-2.
    pub country: String,
    #[serde(default)]
    pub postal_code: Option<String>,
    #[serde(default)]
    pub latitude: Option<f64>,
    #[serde(default)]
    pub longitude: Option<f64>,
    /// Orders a day; left out, without limit.
    #[serde(default)]
    pub daily_capacity: Option<i64>,
    /// Handling cost of one unit in micro-units of the currency: 1.00 is 1,000,000.
    #[serde(default)]
    pub cost_per_unit: Option<i64>,
}

/// The fields to change; those left out stay, and null takes away what may be missing.
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateLocation {
    #[serde(skip)]
    pub code: String,
    #[serde(default)]
    pub name: Option<String>,
    /// warehouse, store, third_party or dark_store; one that a connection to somebody else's warehouse stands for stays third_party
    #[serde(default)]
    pub kind: Option<String>,
    /// ISO 3166-1 alpha-2.
    #[serde(default)]
    pub country: Option<String>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<String>)]
    pub postal_code: Option<Option<String>>,
    /// Together with the longitude.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    pub latitude: Option<Option<f64>>,
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<f64>)]
    pub longitude: Option<Option<f64>>,
    /// Orders a day; null is without limit.
    #[serde(default, deserialize_with = "nullable")]
    #[schema(value_type = Option<i64>)]
    pub daily_capacity: Option<Option<i64>>,
    #[serde(default)]
    pub cost_per_unit: Option<i64>,
    #[serde(default)]
    pub active: Option<bool>,
}

fn capacity(value: Option<i64>) -> Result<Option<i64>, Refused> {
    match value {
        Some(value) if !(0..=limits::MAX_LINE_QUANTITY).contains(&value) => {
            Err(Refused::invalid("daily_capacity", format!("must be 0 to {}", limits::MAX_LINE_QUANTITY)))
        }
        value => Ok(value),
    }
}

fn kind(text: &str) -> Result<Kind, Refused> {
    parse_kind(text).ok_or_else(|| Refused::invalid("kind", "must be warehouse, store, third_party or dark_store"))
}

/// Both coordinates or none.
fn point(latitude: Option<f64>, longitude: Option<f64>) -> Result<Option<Point>, Refused> {
    let point = latitude.zip(longitude).and_then(|(latitude, longitude)| Point::new(latitude, longitude));
    if point.is_none() && (latitude.is_some() || longitude.is_some()) {
        return Err(Refused::invalid("latitude", "must come together with the longitude, within -90..90 and -180..180"));
    }
    Ok(point)
}

fn cost(value: i64) -> Result<i64, Refused> {
    // A million a unit: beyond any real handling cost, and far from overflow when multiplied by units.
    if !(0..=1_000_000_000_000).contains(&value) {
        return Err(Refused::invalid("cost_per_unit", "must be 0 to 1,000,000,000,000 micro-units"));
    }
    Ok(value)
}

impl NewLocation {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        self.is_new(batch)?;
        let location = self.read()?;
        let location = Location { id: batch.id()?, ..location };
        Ok(Reply::created(Answer::Location(Box::new(put(batch, location, "location.created")))))
    }

    /// Refuses a code that is there, in whatever case of its letters.
    pub(crate) fn is_new(&self, batch: &Batch<'_>) -> Result<(), Refused> {
        match batch.config.location_like(&self.code) {
            Some(known) => Err(Refused::Exists { noun: Noun::Location, name: known.code.clone() }),
            None => Ok(()),
        }
    }

    /// The location that these fields make, without an id.
    pub(crate) fn read(&self) -> Result<Location, Refused> {
        limits::name("code", &self.code)?;
        limits::title("name", &self.name)?;
        let kind = kind(&self.kind)?;
        limits::country("country", &self.country)?;
        if let Some(code) = &self.postal_code {
            limits::name("postal_code", code)?;
        }
        Ok(Location {
            id: 0,
            code: self.code.clone(),
            name: self.name.clone(),
            kind,
            country: self.country.clone(),
            postal_code: self.postal_code.clone(),
            point: point(self.latitude, self.longitude)?,
            daily_capacity: capacity(self.daily_capacity)?,
            cost_per_unit: cost(self.cost_per_unit.unwrap_or(0))?,
            active: true,
        })
    }
}

impl UpdateLocation {
    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let mut location = batch.location(&self.code, "code")?;
        if let Some(name) = &self.name {
            location.name = limits::title("name", name)?.to_owned();
        }
        if let Some(text) = &self.kind {
            location.kind = kind(text)?;
            if location.kind != Kind::ThirdParty && batch.config.warehouse_at(location.id).is_some() {
                return Err(Refused::invalid("kind", "must stay third_party while a connection stands for the location").into());
            }
        }
        if let Some(country) = &self.country {
            limits::country("country", country)?;
            location.country = country.clone();
        }
        if let Some(code) = &self.postal_code {
            location.postal_code = code.as_deref().map(|code| limits::name("postal_code", code)).transpose()?.map(str::to_owned);
        }
        if self.latitude.is_some() || self.longitude.is_some() {
            location.point = point(self.latitude.flatten(), self.longitude.flatten())?;
        }
        if let Some(most) = self.daily_capacity {
            location.daily_capacity = capacity(most)?;
        }
        if let Some(value) = self.cost_per_unit {
            location.cost_per_unit = cost(value)?;
        }
        location.active = self.active.unwrap_or(location.active);
        Ok(Reply::done(Answer::Location(Box::new(put(batch, location, "location.updated")))))
    }
}

/// Adds or replaces a location, for this batch and all nodes.
pub(crate) fn put(batch: &mut Batch<'_>, location: Location, event: &'static str) -> LocationView {
    let mut rows = Rows::default();
    write_location(&location, batch.now, &mut rows);
    // One statement may not write the same row twice, so each change is a statement of its own.
    batch.more.push(Write::changed(&LOCATIONS, rows));
    let view = LocationView::from(&location);
    batch.event(event, location.id, &view);
    Arc::make_mut(&mut batch.config).put(location);
    batch.config_changed = true;
    view
}
