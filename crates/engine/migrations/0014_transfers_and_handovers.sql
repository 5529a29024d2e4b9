-- Units of a transfer that were taken back to where they came from.
ALTER TABLE transfer_lines ADD COLUMN canceled BIGINT NOT NULL DEFAULT 0 CHECK (canceled >= 0 AND received + lost + canceled <= quantity);
DROP INDEX transfers_open;
CREATE INDEX transfers_open ON transfers (created_at, id) WHERE status <> 'received' AND status <> 'canceled';

-- What a warehouse was given, in the order of its list; and what is not settled, few of many.
CREATE INDEX handovers_listed ON handovers (channel, fulfillment);
CREATE INDEX handovers_unsettled ON handovers (channel, fulfillment) WHERE state <> 'shipped' AND state <> 'canceled';
