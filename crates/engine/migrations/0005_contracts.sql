-- Contracts with business customers: units are lent to each as to a channel, and it orders over the API. Its row in `channels` has the
-- kind `contract`, and each of its lines is a listing.

CREATE TABLE contracts (
  channel BIGINT PRIMARY KEY,
  customer TEXT NOT NULL,
  currency TEXT NOT NULL,
  starts_at BIGINT NOT NULL,
  ends_at BIGINT NOT NULL
);

CREATE TABLE contract_lines (
  listing BIGINT PRIMARY KEY,
  channel BIGINT NOT NULL,
  item BIGINT NOT NULL,
  unit_price_minor BIGINT NOT NULL CHECK (unit_price_minor >= 0),
  -- Most that the customer may order, what it agreed to order, what is set aside for it at any time, and what it ordered so far.
  quantity BIGINT NOT NULL CHECK (quantity > 0),
  minimum BIGINT NOT NULL CHECK (minimum >= 0 AND minimum <= quantity),
  set_aside BIGINT NOT NULL CHECK (set_aside >= 0 AND set_aside <= quantity),
  ordered BIGINT NOT NULL CHECK (ordered >= 0)
);
CREATE INDEX contract_lines_channel ON contract_lines (channel);

-- Units that a sale of our own wanted and did not find free, and when: channels are asked for them.
ALTER TABLE listings ADD COLUMN missed BIGINT NOT NULL DEFAULT 0;
ALTER TABLE listings ADD COLUMN missed_at BIGINT NOT NULL DEFAULT 0;

-- As the marketplace tells it, to suggest which item an unmapped listing is.
ALTER TABLE listings ADD COLUMN barcode TEXT;
CREATE INDEX items_barcode ON items (barcode) WHERE barcode IS NOT NULL;
