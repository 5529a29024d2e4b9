-- One text for SQLite and PostgreSQL. On SQLite, `BIGINT PRIMARY KEY` is read as INTEGER PRIMARY KEY and
-- `/* clustered */` as WITHOUT ROWID. Times are microseconds since 1970 UTC, money is minor units, coordinates are
-- millionths of a degree, flags are 0 or 1.

CREATE TABLE counters (
  name TEXT PRIMARY KEY,
  value BIGINT NOT NULL
) /* clustered */;
INSERT INTO counters (name, value) VALUES ('id', 1000), ('event', 0), ('config', 1);

CREATE TABLE items (
  id BIGINT PRIMARY KEY,
  sku TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  barcode TEXT,
  price_minor BIGINT,
  currency TEXT,
  weight_grams BIGINT,
  length_mm BIGINT,
  width_mm BIGINT,
  height_mm BIGINT,
  when_short TEXT NOT NULL,
  available_from BIGINT,
  is_kit BIGINT NOT NULL,
  active BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE kit_components (
  kit BIGINT NOT NULL,
  component BIGINT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  PRIMARY KEY (kit, component)
) /* clustered */;

CREATE TABLE locations (
  id BIGINT PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  kind TEXT NOT NULL,
  country TEXT NOT NULL,
  postal_code TEXT,
  latitude BIGINT,
  longitude BIGINT,
  daily_capacity BIGINT CHECK (daily_capacity >= 0),
  cost_per_unit BIGINT NOT NULL,
  active BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE postal_codes (
  code TEXT PRIMARY KEY,
  latitude BIGINT NOT NULL,
  longitude BIGINT NOT NULL
) /* clustered */;

-- One item at one location. The sums of its entries, always.
CREATE TABLE levels (
  item BIGINT NOT NULL,
  location BIGINT NOT NULL,
  available BIGINT NOT NULL CHECK (available >= 0),
  reserved BIGINT NOT NULL CHECK (reserved >= 0),
  committed BIGINT NOT NULL CHECK (committed >= 0),
  damaged BIGINT NOT NULL CHECK (damaged >= 0),
  quality_control BIGINT NOT NULL CHECK (quality_control >= 0),
  safety_stock BIGINT NOT NULL CHECK (safety_stock >= 0),
  incoming BIGINT NOT NULL CHECK (incoming >= 0),
  entries BIGINT NOT NULL,
  head BYTEA NOT NULL,
  PRIMARY KEY (item, location)
) /* clustered */;

-- Append-only. `number` counts the entries of one level; the primary key also stops two writers that both saw no level.
CREATE TABLE entries (
  item BIGINT NOT NULL,
  location BIGINT NOT NULL,
  number BIGINT NOT NULL,
  at BIGINT NOT NULL,
  source BIGINT NOT NULL,
  target BIGINT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  cause TEXT NOT NULL,
  document BIGINT NOT NULL,
  actor TEXT NOT NULL,
  reason TEXT,
  reference TEXT,
  hash BYTEA NOT NULL,
  PRIMARY KEY (item, location, number)
) /* clustered */;

CREATE TABLE reservations (
  id BIGINT PRIMARY KEY,
  status TEXT NOT NULL,
  channel TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  order_id BIGINT,
  lines TEXT NOT NULL
);
CREATE INDEX reservations_held ON reservations (expires_at) WHERE status = 'held';

CREATE TABLE orders (
  id BIGINT PRIMARY KEY,
  channel TEXT NOT NULL,
  reference TEXT NOT NULL,
  status TEXT NOT NULL,
  customer TEXT,
  ship_to TEXT NOT NULL,
  currency TEXT,
  total_minor BIGINT NOT NULL,
  placed_at BIGINT NOT NULL,
  reservation BIGINT,
  decision TEXT NOT NULL
);
CREATE UNIQUE INDEX orders_reference ON orders (reference, channel);
CREATE INDEX orders_queued ON orders (id) WHERE status = 'queued';

-- What was ordered, in units of plain items: a line for a kit stands here once for each component.
CREATE TABLE order_lines (
  order_id BIGINT NOT NULL,
  line BIGINT NOT NULL,
  item BIGINT NOT NULL,
  kit BIGINT,
  per_kit BIGINT NOT NULL CHECK (per_kit > 0),
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  unit_price_minor BIGINT,
  canceled BIGINT NOT NULL CHECK (canceled >= 0),
  backordered BIGINT NOT NULL CHECK (backordered >= 0),
  shipped BIGINT NOT NULL CHECK (shipped >= 0),
  returned BIGINT NOT NULL CHECK (returned >= 0),
  PRIMARY KEY (order_id, line, item),
  CHECK (canceled + backordered + shipped <= quantity),
  CHECK (returned <= shipped)
) /* clustered */;
CREATE INDEX order_lines_backordered ON order_lines (item, order_id) WHERE backordered > 0;

-- What one location sends for one order.
CREATE TABLE fulfillments (
  id BIGINT PRIMARY KEY,
  order_id BIGINT NOT NULL,
  location BIGINT NOT NULL,
  status TEXT NOT NULL,
  day BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);
CREATE INDEX fulfillments_order ON fulfillments (order_id);

CREATE TABLE fulfillment_lines (
  fulfillment BIGINT NOT NULL,
  line BIGINT NOT NULL,
  item BIGINT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  shipped BIGINT NOT NULL CHECK (shipped >= 0),
  canceled BIGINT NOT NULL CHECK (canceled >= 0),
  PRIMARY KEY (fulfillment, line, item),
  CHECK (shipped + canceled <= quantity)
) /* clustered */;

CREATE TABLE shipments (
  id BIGINT PRIMARY KEY,
  fulfillment BIGINT NOT NULL,
  shipped_at BIGINT NOT NULL,
  carrier TEXT,
  tracking_number TEXT,
  lines TEXT NOT NULL
);
CREATE INDEX shipments_fulfillment ON shipments (fulfillment);

-- Orders taken by a location on a day (days since 1970 UTC); never more than `most`.
CREATE TABLE capacity (
  location BIGINT NOT NULL,
  day BIGINT NOT NULL,
  used BIGINT NOT NULL CHECK (used >= 0),
  most BIGINT NOT NULL,
  PRIMARY KEY (location, day),
  CHECK (used <= most)
) /* clustered */;

CREATE TABLE transfers (
  id BIGINT PRIMARY KEY,
  source BIGINT NOT NULL,
  target BIGINT NOT NULL,
  status TEXT NOT NULL,
  reference TEXT,
  created_at BIGINT NOT NULL
);

CREATE TABLE transfer_lines (
  transfer BIGINT NOT NULL,
  item BIGINT NOT NULL,
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  received BIGINT NOT NULL CHECK (received >= 0),
  lost BIGINT NOT NULL CHECK (lost >= 0),
  PRIMARY KEY (transfer, item),
  CHECK (received + lost <= quantity)
) /* clustered */;

-- Everything that happened, in one order; `seq` has no gaps.
CREATE TABLE events (
  seq BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  kind TEXT NOT NULL,
  subject BIGINT NOT NULL,
  actor TEXT NOT NULL,
  data TEXT NOT NULL
);
-- The timelines of orders. Events of holds, by far the most, need none.
CREATE INDEX events_of_orders ON events (subject, seq) WHERE kind LIKE 'order.%';

CREATE TABLE idempotency (
  key TEXT PRIMARY KEY,
  request BYTEA NOT NULL,
  status BIGINT NOT NULL,
  answer TEXT NOT NULL,
  at BIGINT NOT NULL
) /* clustered */;
CREATE INDEX idempotency_at ON idempotency (at);

CREATE TABLE rule_sets (
  id BIGINT PRIMARY KEY,
  name TEXT NOT NULL,
  rules TEXT NOT NULL,
  active BIGINT NOT NULL,
  created_at BIGINT NOT NULL
);

CREATE TABLE api_keys (
  id TEXT PRIMARY KEY,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  hash BYTEA NOT NULL,
  created_at BIGINT NOT NULL,
  expires_at BIGINT,
  revoked_at BIGINT
) /* clustered */;

-- How far each import has come, so that the same file sent again goes on where it stopped.
CREATE TABLE imports (
  key TEXT PRIMARY KEY,
  kind TEXT NOT NULL,
  rows_done BIGINT NOT NULL,
  accepted BIGINT NOT NULL,
  rejected BIGINT NOT NULL,
  digest BYTEA NOT NULL,
  errors TEXT NOT NULL,
  finished BIGINT NOT NULL,
  at BIGINT NOT NULL
) /* clustered */;

-- Background work is done by the node whose lease on it has not run out.
CREATE TABLE leases (
  name TEXT PRIMARY KEY,
  holder TEXT NOT NULL,
  until BIGINT NOT NULL
) /* clustered */;
