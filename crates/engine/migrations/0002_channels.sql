-- Channels, what is listed on them, the orders that come from them, and what a person must look at.

CREATE TABLE channels (
  id BIGINT PRIMARY KEY,
  code TEXT NOT NULL UNIQUE,
  kind TEXT NOT NULL,
  name TEXT NOT NULL,
  address TEXT NOT NULL,
  settings TEXT NOT NULL,
  -- Encrypted; never shown.
  secrets TEXT NOT NULL,
  paused BIGINT NOT NULL,
  -- The policy of listings that have none of their own.
  policy TEXT NOT NULL,
  -- How the marketplace takes quantities, fixed when the channel was connected.
  compares BIGINT NOT NULL,
  restocks BIGINT NOT NULL,
  late BIGINT NOT NULL CHECK (late > 0),
  created_at BIGINT NOT NULL
);

-- How far a channel has been read: every order placed there before `watermark` has been counted.
CREATE TABLE channel_progress (
  channel BIGINT PRIMARY KEY,
  watermark BIGINT NOT NULL,
  orders_from BIGINT NOT NULL,
  drift_found BIGINT NOT NULL,
  drift_units BIGINT NOT NULL,
  oversold_units BIGINT NOT NULL
);

CREATE TABLE listings (
  id BIGINT PRIMARY KEY,
  channel BIGINT NOT NULL,
  -- The marketplace's own name of it.
  external TEXT NOT NULL,
  sku TEXT,
  title TEXT NOT NULL,
  -- The item it sells, and how many units of it one listing is. Null until it is mapped.
  item BIGINT,
  per BIGINT NOT NULL CHECK (per > 0),
  policy TEXT,
  -- The most it can still sell that has not been counted, in listing units; and what is known of it, JSON.
  exposure BIGINT NOT NULL CHECK (exposure >= 0),
  knowledge TEXT NOT NULL,
  demand_units BIGINT NOT NULL,
  demand_at BIGINT NOT NULL,
  -- A write is wanted since `due_at`; most urgent is 0.
  due BIGINT NOT NULL,
  urgency BIGINT NOT NULL,
  due_at BIGINT NOT NULL,
  -- A sighting waits for the watermark; a write waits for its answer; what is shown should be read.
  settling BIGINT NOT NULL,
  writing BIGINT NOT NULL,
  unsure BIGINT NOT NULL,
  -- The marketplace refused the last write; nothing is sent until a person says so.
  fault TEXT
);
CREATE UNIQUE INDEX listings_external ON listings (external, channel);
CREATE INDEX listings_channel ON listings (channel, id);
CREATE INDEX listings_due ON listings (channel, urgency, due_at) WHERE due = 1;
CREATE INDEX listings_settling ON listings (channel, id) WHERE settling = 1;
CREATE INDEX listings_writing ON listings (channel, id) WHERE writing = 1;
CREATE INDEX listings_unsure ON listings (channel, id) WHERE unsure = 1;

-- Which items a listing sells: one row, or one for each component of a kit.
CREATE TABLE listing_items (
  item BIGINT NOT NULL,
  listing BIGINT NOT NULL,
  per BIGINT NOT NULL CHECK (per > 0),
  PRIMARY KEY (item, listing)
) /* clustered */;

CREATE INDEX listing_items_listing ON listing_items (listing);

-- Orders as the marketplaces told them, the newest version of each, whether or not they became orders here.
CREATE TABLE market_orders (
  key TEXT PRIMARY KEY,
  channel BIGINT NOT NULL,
  external TEXT NOT NULL,
  updated_at BIGINT NOT NULL,
  placed_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  state TEXT NOT NULL,
  order_id BIGINT,
  reservation BIGINT,
  -- What was counted as sold of each listing: [[listing, units], …].
  counted TEXT NOT NULL,
  told TEXT NOT NULL,
  raw TEXT NOT NULL
) /* clustered */;
CREATE INDEX market_orders_order ON market_orders (order_id);
CREATE INDEX market_orders_channel ON market_orders (channel, placed_at);

-- What a marketplace is still to be told about an order: that it was shipped, or canceled here.
CREATE TABLE channel_outbox (
  id BIGINT PRIMARY KEY,
  channel BIGINT NOT NULL,
  kind TEXT NOT NULL,
  order_id BIGINT NOT NULL,
  shipment BIGINT,
  due_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  fault TEXT
);
CREATE INDEX channel_outbox_due ON channel_outbox (channel, due_at);

CREATE TABLE exceptions (
  id BIGINT PRIMARY KEY,
  -- What it is about: one open exception for each.
  key TEXT NOT NULL,
  kind TEXT NOT NULL,
  severity TEXT NOT NULL,
  channel BIGINT,
  title TEXT NOT NULL,
  detail TEXT NOT NULL,
  payload TEXT NOT NULL,
  open BIGINT NOT NULL,
  owner TEXT,
  due_at BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  updated_at BIGINT NOT NULL,
  times BIGINT NOT NULL,
  history TEXT NOT NULL
);
CREATE INDEX exceptions_open ON exceptions (key) WHERE open = 1;
CREATE INDEX exceptions_due ON exceptions (open, due_at, id);
