//! Items: create and change. An item is plain, or a kit made of plain items; which of the two never changes.

use crate::Stop;
use crate::batch::Batch;
use crate::catalog::rows::{Item, WhenShort};
use crate::command::{Answer, Needs, Reply};
use crate::stock::SkuLine;
use crate::views::{Amount, ItemView};
use domain::{Noun, Refused, limits};
use serde::Deserialize;
use utoipa::ToSchema;

#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewItem {
    pub sku: String,
    pub name: String,
    #[serde(default)]
    pub barcode: Option<String>,
    #[serde(default)]
    pub price: Option<Amount>,
    #[serde(default)]
    pub weight_grams: Option<i64>,
    #[serde(default)]
    pub length_mm: Option<i64>,
    #[serde(default)]
    pub width_mm: Option<i64>,
    #[serde(default)]
    pub height_mm: Option<i64>,
    /// What to do when more is ordered than can be promised; deny if left out.
    #[serde(default)]
    pub when_short: WhenShort,
    /// RFC 3339; for pre-orders, nothing is sent before.
    #[serde(default)]
    pub available_from: Option<String>,
    /// Makes it a kit: plain items and how many of each are in one.
    #[serde(default)]
    pub components: Vec<SkuLine>,
}

/// The fields to change; those left out stay, and null empties one (RFC 7396).
#[derive(Debug, Clone, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct UpdateItem {
    #[serde(skip)]
    pub sku: String,
    #[serde(default)]
    pub name: Option<String>,
    #[serde(default, deserialize_with = "told")]
    #[schema(value_type = Option<String>)]
    pub barcode: Option<Option<String>>,
    #[serde(default, deserialize_with = "told")]
    #[schema(value_type = Option<Amount>)]
    pub price: Option<Option<Amount>>,
    #[serde(default, deserialize_with = "told")]
    #[schema(value_type = Option<i64>)]
    pub weight_grams: Option<Option<i64>>,
    #[serde(default)]
    pub when_short: Option<WhenShort>,
    #[serde(default, deserialize_with = "told")]
    #[schema(value_type = Option<String>)]
    pub available_from: Option<Option<String>>,
    #[serde(default)]
    pub active: Option<bool>,
}

/// A field that was sent, be it null.
fn told<'de, T: Deserialize<'de>, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Option<T>>, D::Error> {
    Option::deserialize(from).map(Some)
}

pub(crate) fn time(field: &str, text: &str) -> Result<i64, Refused> {
    let parsed: Result<jiff::Timestamp, _> = text.parse();
    parsed.map(|t| t.as_microsecond()).map_err(|_| Refused::invalid(field, "must be a time such as 2026-12-24T09:00:00Z"))
}

fn measure(field: &str, value: Option<i64>) -> Result<(), Refused> {
    match value {
        Some(value) if !(0..=limits::MAX_LINE_QUANTITY).contains(&value) => {
            Err(Refused::invalid(field, format!("must be 0 to {}", limits::MAX_LINE_QUANTITY)))
        }
        _ => Ok(()),
    }
}

impl NewItem {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.push(&self.sku);
        needs.skus.extend(self.components.iter().map(|c| c.sku.as_str()));
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        if batch.any_item(&self.sku).is_some() {
            return Err(Refused::Exists { noun: Noun::Item, name: self.sku.clone() }.into());
        }
        let item = self.read(batch)?;
        let item = Item { id: batch.id()?, ..item };
        batch.put_item(item.clone());
        let view = ItemView::new(&item, &batch.names());
        batch.event("item.created", item.id, &view);
        Ok(Reply::created(Answer::Item(Box::new(view))))
    }

    /// The item that these fields make, without an id.
    pub(crate) fn read(&self, batch: &Batch<'_>) -> Result<Item, Refused> {
        limits::name("sku", &self.sku)?;
        limits::text("name", &self.name)?;
        if let Some(barcode) = &self.barcode {
            limits::name("barcode", barcode)?;
        }
        let price = self.price.as_ref().map(|p| p.parse("price")).transpose()?;
        measure("weight_grams", self.weight_grams)?;
        measure("length_mm", self.length_mm)?;
        measure("width_mm", self.width_mm)?;
        measure("height_mm", self.height_mm)?;
        let available_from = self.available_from.as_deref().map(|t| time("available_from", t)).transpose()?;
        let mut components = Vec::with_capacity(self.components.len());
        if !self.components.is_empty() {
            crate::stock::check_skus(self.components.iter().map(|c| c.sku.as_str()))?;
        }
        for (n, component) in self.components.iter().enumerate() {
            let field = format!("components[{n}].sku");
            let item = batch.item(&component.sku, &field)?;
            if item.is_kit {
                return Err(Refused::invalid(field, "is a kit; a kit is made of plain items"));
            }
            components.push((item.id, limits::quantity(&format!("components[{n}].quantity"), component.quantity)?));
        }
        Ok(Item {
            id: 0,
            sku: self.sku.as_str().into(),
            name: self.name.clone(),
            barcode: self.barcode.clone(),
            price_minor: price.map(|p| p.minor),
            currency: price.map(|p| p.currency.code().to_owned()),
            weight_grams: self.weight_grams,
            length_mm: self.length_mm,
            width_mm: self.width_mm,
            height_mm: self.height_mm,
            when_short: self.when_short,
            available_from,
            is_kit: !components.is_empty(),
            active: true,
            created_at: batch.now,
            components,
        })
    }
}

impl UpdateItem {
    pub fn needs<'a>(&'a self, needs: &mut Needs<'a>) {
        needs.skus.push(&self.sku);
    }

    pub fn decide(&self, batch: &mut Batch<'_>) -> Result<Reply, Stop> {
        let known = batch.any_item(&self.sku).ok_or_else(|| Refused::unknown(Noun::Item, &self.sku, "sku"))?;
        let mut item = (*known).clone();
        if let Some(name) = &self.name {
            item.name = limits::text("name", name)?.to_owned();
        }
        if let Some(barcode) = &self.barcode {
            item.barcode = barcode.as_deref().map(|b| limits::name("barcode", b)).transpose()?.map(str::to_owned);
        }
        if let Some(price) = &self.price {
            let price = price.as_ref().map(|p| p.parse("price")).transpose()?;
            item.price_minor = price.map(|p| p.minor);
            item.currency = price.map(|p| p.currency.code().to_owned());
        }
        if let Some(weight) = self.weight_grams {
            measure("weight_grams", weight)?;
            item.weight_grams = weight;
        }
        item.when_short = self.when_short.unwrap_or(item.when_short);
        if let Some(text) = &self.available_from {
            item.available_from = text.as_deref().map(|t| time("available_from", t)).transpose()?;
        }
        item.active = self.active.unwrap_or(item.active);
        if item.active != known.active {
            // Channels stop, or begin, to sell it.
            batch.seats.touched.extend(item.components.iter().map(|(component, _)| *component).chain([item.id]));
        }
        batch.put_item(item.clone());
        batch.config_changed = true;
        let view = ItemView::new(&item, &batch.names());
        batch.event("item.updated", item.id, &view);
        Ok(Reply::done(Answer::Item(Box::new(view))))
    }
}
