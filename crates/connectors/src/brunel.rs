//! One real day of outbound orders of a microchip maker (Kalganova and Dzalbs, Brunel University; CC BY 4.0): orders,
//! plants with daily capacity and cost per unit, which plant makes which product, and plants that serve only their own
//! vendor-managed customers.

use crate::csv::Csv;
use std::fs::File;
use std::io;
use std::path::Path;

/// A plant: orders a day, and handling cost of a unit in millionths.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plant {
    pub code: String,
    pub daily_capacity: i64,
    pub cost_per_unit: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    pub id: String,
    pub customer: String,
    pub product: String,
    pub quantity: i64,
    /// The plant that the company itself put the order on.
    pub plant: String,
}

/// The whole day.
#[derive(Debug, Clone, Default)]
pub struct Day {
    pub plants: Vec<Plant>,
    pub orders: Vec<Order>,
    /// (plant, product) that it makes.
    pub products: Vec<(String, String)>,
    /// (plant, customer) that it serves; a plant named here serves nobody else.
    pub vendor_managed: Vec<(String, String)>,
}

impl Day {
    /// Reads the sheets of the workbook from a folder of CSV files.
    pub fn read(folder: &Path) -> io::Result<Day> {
        let costs = rows(folder, "WhCosts.csv", ["wh", "cost/unit"])?;
        let mut day = Day::default();
        for [code, capacity] in rows(folder, "WhCapacities.csv", ["plant_id", "daily_capacity"])? {
            let cost = costs.iter().find(|[plant, _]| *plant == code).and_then(|[_, cost]| cost.parse::<f64>().ok());
            let (Some(cost), Ok(daily_capacity)) = (cost, capacity.parse()) else { return Err(bad("WhCapacities.csv", &code)) };
            day.plants.push(Plant { code, daily_capacity, cost_per_unit: (cost * 1e6).round() as i64 });
        }
        for [id, customer, product, quantity, plant] in
            rows(folder, "OrderList.csv", ["order_id", "customer", "product_id", "unit_quantity", "plant_code"])?
        {
            let Ok(quantity) = quantity.parse() else { return Err(bad("OrderList.csv", &id)) };
            day.orders.push(Order { id, customer, product, quantity, plant });
        }
        day.products = rows(folder, "ProductsPerPlant.csv", ["plant_code", "product_id"])?.into_iter().map(|[p, i]| (p, i)).collect();
        day.vendor_managed = rows(folder, "VmiCustomers.csv", ["plant_code", "customers"])?.into_iter().map(|[p, c]| (p, c)).collect();
        Ok(day)
    }
}

fn bad(file: &str, row: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("{file}: cannot read the row of “{row}”"))
}

fn rows<const N: usize>(folder: &Path, name: &str, columns: [&str; N]) -> io::Result<Vec<[String; N]>> {
    let mut file = Csv::open(File::open(folder.join(name))?)?;
    if let Some(missing) = columns.iter().find(|c| !file.has(c)) {
        return Err(io::Error::new(io::ErrorKind::InvalidData, format!("{name} has no column “{missing}”")));
    }
    let mut rows = Vec::new();
    while let Some(row) = file.next() {
        let row = row.map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("{name}, line {}: {}", e.line, e.detail)))?;
        rows.push(columns.map(|c| row.get(c).to_owned()));
    }
    Ok(rows)
}
