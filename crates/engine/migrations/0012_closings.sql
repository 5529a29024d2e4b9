-- What each level was when a day (UTC, days since 1970) on which something moved had ended, and the number of its last entry then: the closing
-- balances of the ledger. Written with the first entry of a later day, so that a hold or an order of a level that moved today already pays nothing.
CREATE TABLE closings (
  item BIGINT NOT NULL,
  location BIGINT NOT NULL,
  day BIGINT NOT NULL,
  number BIGINT NOT NULL,
  available BIGINT NOT NULL,
  reserved BIGINT NOT NULL,
  committed BIGINT NOT NULL,
  damaged BIGINT NOT NULL,
  quality_control BIGINT NOT NULL,
  safety_stock BIGINT NOT NULL,
  incoming BIGINT NOT NULL,
  PRIMARY KEY (item, location, day)
) /* clustered */;

-- From the entries so far. Should a clock have gone back, the last of a day's closings counts, as it does for the writer.
INSERT INTO closings (item, location, day, number, available, reserved, committed, damaged, quality_control, safety_stock, incoming)
SELECT item, location, day, number, available, reserved, committed, damaged, quality_control, safety_stock, incoming
FROM (
  SELECT closed.*, ROW_NUMBER() OVER (PARTITION BY item, location, day ORDER BY number DESC) AS last
  FROM (
    SELECT item, location, number, at / 86400000000 AS day, LEAD(at / 86400000000) OVER level AS next_day,
      SUM(CASE WHEN target = 0 THEN quantity ELSE 0 END - CASE WHEN source = 0 THEN quantity ELSE 0 END) OVER level AS available,
      SUM(CASE WHEN target = 1 THEN quantity ELSE 0 END - CASE WHEN source = 1 THEN quantity ELSE 0 END) OVER level AS reserved,
      SUM(CASE WHEN target = 2 THEN quantity ELSE 0 END - CASE WHEN source = 2 THEN quantity ELSE 0 END) OVER level AS committed,
      SUM(CASE WHEN target = 3 THEN quantity ELSE 0 END - CASE WHEN source = 3 THEN quantity ELSE 0 END) OVER level AS damaged,
      SUM(CASE WHEN target = 4 THEN quantity ELSE 0 END - CASE WHEN source = 4 THEN quantity ELSE 0 END) OVER level AS quality_control,
      SUM(CASE WHEN target = 5 THEN quantity ELSE 0 END - CASE WHEN source = 5 THEN quantity ELSE 0 END) OVER level AS safety_stock,
      SUM(CASE WHEN target = 6 THEN quantity ELSE 0 END - CASE WHEN source = 6 THEN quantity ELSE 0 END) OVER level AS incoming
    FROM entries
    WINDOW level AS (PARTITION BY item, location ORDER BY number)
  ) AS closed
  WHERE next_day > day
) AS days
WHERE last = 1;
