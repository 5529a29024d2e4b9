-- What the listings of each channel add up to, written with every change of them, so that nobody counts a million of them for a page.
CREATE TABLE listing_sums (
  channel BIGINT PRIMARY KEY,
  listings BIGINT NOT NULL,
  mapped BIGINT NOT NULL,
  refused BIGINT NOT NULL,
  -- What it may still sell: in listing units, and in units of the items.
  exposure BIGINT NOT NULL,
  exposure_units BIGINT NOT NULL,
  -- Listings that want a write.
  queue BIGINT NOT NULL
);

INSERT INTO listing_sums (channel, listings, mapped, refused, exposure, exposure_units, queue)
SELECT channel, COUNT(*), COUNT(item), COUNT(fault), SUM(exposure), SUM(exposure * per), SUM(due) FROM listings GROUP BY channel;
