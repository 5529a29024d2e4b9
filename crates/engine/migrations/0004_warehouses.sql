-- Warehouses that somebody else runs, and what was handed over to them.

-- Connected as a channel is; this is the location that it stands for. Null for a place that sells.
ALTER TABLE channels ADD COLUMN location BIGINT;

-- Fulfillments that somebody else's warehouse is to send.
CREATE TABLE handovers (
  fulfillment BIGINT PRIMARY KEY,
  channel BIGINT NOT NULL,
  order_id BIGINT NOT NULL,
  -- The warehouse's own id of it, once it has said so.
  external TEXT,
  state TEXT NOT NULL,
  -- It still is to be sent, or what became of it is not known yet.
  open BIGINT NOT NULL,
  -- Asked back: 0 no, 1 to cancel it, 2 because the marketplace canceled it, 3 to send it from elsewhere.
  recall BIGINT NOT NULL,
  -- When something is to be done about it next.
  due_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  -- When it was handed over, and when the warehouse last told something new of it.
  handed_at BIGINT NOT NULL,
  heard_at BIGINT NOT NULL,
  -- The warehouse's ids of the parcels that were booked, JSON.
  parcels TEXT NOT NULL,
  fault TEXT
);
CREATE INDEX handovers_due ON handovers (channel, due_at) WHERE open = 1;
CREATE INDEX handovers_external ON handovers (channel, external);

-- What a marketplace is to be told may be about an order that was not taken on here, and may name what is to be paid back.
ALTER TABLE channel_outbox ADD COLUMN external TEXT;
ALTER TABLE channel_outbox ADD COLUMN lines TEXT;
ALTER TABLE channel_outbox ADD COLUMN reason TEXT;

-- Items that are sent in the place of others: [[ordered, sent], …].
ALTER TABLE market_orders ADD COLUMN substitutes TEXT;
