-- What lists need. Each index says which path pays for it: an order placed, a hold, or only what people do by hand. Holds and
-- the levels that they move get none at all.

-- When the last entry was made, so that stock can be sorted by it without its entries.
ALTER TABLE levels ADD COLUMN moved_at BIGINT NOT NULL DEFAULT 0;
UPDATE levels SET moved_at = COALESCE(
  (SELECT e.at FROM entries e WHERE e.item = levels.item AND e.location = levels.location AND e.number = levels.entries), 0);

-- When the order behind it was placed: a location's orders in the order of all lists.
ALTER TABLE fulfillments ADD COLUMN placed_at BIGINT NOT NULL DEFAULT 0;
UPDATE fulfillments SET placed_at = COALESCE((SELECT o.placed_at FROM orders o WHERE o.id = fulfillments.order_id), 0);

-- Orders by time, because ids of several nodes have no order in time. One entry each an order placed, at the end of its range, so
-- that a commit of many orders shares a page or two; rewritten when the order moves on. All orders are the six statuses merged.
CREATE INDEX orders_status ON orders (status, placed_at, id);
CREATE INDEX orders_channel ON orders (channel, status, placed_at, id);
CREATE INDEX fulfillments_location ON fulfillments (location, status, placed_at, order_id);

-- Entries of a document that a person made, or of a transfer. Orders, holds and imports come before 'stock.' or are left out, so
-- that they pay for one comparison.
CREATE INDEX entries_document ON entries (document) WHERE cause > 'stock.' AND cause <> 'stock.imported';

-- Few transfers, so two indexes cost nothing.
CREATE INDEX transfers_created ON transfers (created_at, id);
CREATE INDEX transfers_open ON transfers (created_at, id) WHERE status <> 'received';

-- Searched by how they begin. Written when a listing is, which is seldom beside sales.
CREATE INDEX listings_title ON listings (channel, lower(title), id);
CREATE INDEX listings_sku ON listings (channel, lower(sku), id) WHERE sku IS NOT NULL;
-- Those that a person must look at: few of many.
CREATE INDEX listings_unmapped ON listings (channel, id) WHERE item IS NULL;
CREATE INDEX listings_refused ON listings (channel, id) WHERE fault IS NOT NULL;

-- Units ordered of an item on a day (days since 1970 UTC), counted from the events behind the writer (`counters.sales` is how far).
CREATE TABLE item_days (
  item BIGINT NOT NULL,
  day BIGINT NOT NULL,
  ordered BIGINT NOT NULL,
  PRIMARY KEY (item, day)
) /* clustered */;
CREATE INDEX item_days_day ON item_days (day, item);
INSERT INTO counters (name, value) VALUES ('sales', 0);
