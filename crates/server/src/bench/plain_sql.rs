//! The plain-SQL way, to compare with: a PL/pgSQL function that checks, decrements and inserts the same rows, one call a
//! reservation, on the same PostgreSQL.

use super::load::{Seen, drive, figure};
use super::{Figure, Place, kind};
use crate::Failed;
use engine::Url;
use std::time::Instant;
use tokio_postgres::NoTls;

const SCHEMA: &str = "
CREATE SCHEMA plain;
CREATE SEQUENCE plain.ids;
CREATE TABLE plain.levels (item BIGINT, location BIGINT, available BIGINT NOT NULL CHECK (available >= 0), reserved BIGINT NOT NULL, entries BIGINT NOT NULL, PRIMARY KEY (item, location));
CREATE TABLE plain.entries (item BIGINT, location BIGINT, number BIGINT, at BIGINT, source BIGINT, target BIGINT, quantity BIGINT, cause TEXT, document BIGINT, actor TEXT, PRIMARY KEY (item, location, number));
CREATE TABLE plain.reservations (id BIGINT PRIMARY KEY, status TEXT, created_at BIGINT, expires_at BIGINT, lines TEXT);
CREATE TABLE plain.events (seq BIGSERIAL PRIMARY KEY, at BIGINT, kind TEXT, subject BIGINT, actor TEXT, data TEXT);
INSERT INTO plain.levels VALUES (1, 1, 1000000000, 0, 0);
CREATE FUNCTION plain.reserve(the_item BIGINT, the_location BIGINT, the_quantity BIGINT, the_time BIGINT) RETURNS BIGINT LANGUAGE plpgsql AS $$
DECLARE
  new_id BIGINT := nextval('plain.ids');
  new_number BIGINT;
BEGIN
  UPDATE plain.levels SET available = available - the_quantity, reserved = reserved + the_quantity, entries = entries + 1
    WHERE item = the_item AND location = the_location AND available >= the_quantity RETURNING entries INTO new_number;
  IF NOT FOUND THEN RETURN NULL; END IF;
  INSERT INTO plain.entries VALUES (the_item, the_location, new_number, the_time, 0, 1, the_quantity, 'reservation.held', new_id, 'bench');
  INSERT INTO plain.reservations VALUES (new_id, 'held', the_time, the_time + 3600000000, '[[1,1,1]]');
  INSERT INTO plain.events (at, kind, subject, actor, data) VALUES (the_time, 'reservation.held', new_id, 'bench', '{\"lines\":[{\"sku\":\"S1\",\"quantity\":1,\"location\":\"L1\"}]}');
  RETURN new_id;
END $$;";

pub fn reservations(runtime: &tokio::runtime::Runtime, place: &Place, callers: usize, seconds: u64) -> Result<Figure, Failed> {
    let Url::Postgres(url) = &place.url else { return Err(Failed("plain SQL is measured on PostgreSQL".into())) };
    runtime.block_on(async {
        let (client, connection) = tokio_postgres::connect(url, NoTls).await?;
        let connection = tokio::spawn(connection);
        client.batch_execute(SCHEMA).await?;
        drop(client);
        connection.await??;
        let driven = drive(callers, seconds, |_, phase| {
            let url = url.clone();
            async move {
                let (client, connection) = tokio_postgres::connect(&url, NoTls).await?;
                tokio::spawn(connection);
                let statement = client.prepare("SELECT plain.reserve(1, 1, 1, $1)").await?;
                let mut seen = Seen::default();
                while !phase.is_over() {
                    let began = Instant::now();
                    let row = client.query_one(&statement, &[&crate::now()]).await?;
                    seen.note(&phase, began, row.get::<_, Option<i64>>(0).is_some());
                }
                Ok(seen)
            }
        })
        .await?;
        Ok(figure("plain SQL: PL/pgSQL, one hot row", kind(&place.url), callers, driven))
    })
}
