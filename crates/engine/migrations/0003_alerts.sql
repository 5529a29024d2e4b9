-- Who is told of exceptions, and every message that they were told or are still to be.

CREATE TABLE alerts (
  id BIGINT PRIMARY KEY,
  name TEXT NOT NULL,
  -- Where it leads, JSON: a webhook's URL, or mail addresses.
  way TEXT NOT NULL,
  -- The least severity, the kinds and the channels that it is told of; no kinds or no channels are all of them.
  severity TEXT NOT NULL,
  kinds TEXT NOT NULL,
  channels TEXT NOT NULL,
  -- It is told, too, when an exception that it was told of is solved.
  solved BIGINT NOT NULL,
  active BIGINT NOT NULL,
  -- Why the program switched it off.
  reason TEXT,
  -- What webhooks are signed with, the newest first, each encrypted.
  secrets TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  -- Nothing has come through since; the last time that something did; when the last mail was begun.
  failing_since BIGINT,
  delivered_at BIGINT,
  mailed_at BIGINT
);

-- One message to one endpoint.
CREATE TABLE alert_deliveries (
  id TEXT PRIMARY KEY,
  alert BIGINT NOT NULL,
  -- The same for all endpoints and all tries: a receiver knows the message by it.
  message TEXT NOT NULL,
  kind TEXT NOT NULL,
  exception BIGINT,
  body TEXT NOT NULL,
  state TEXT NOT NULL,
  due_at BIGINT NOT NULL,
  tries BIGINT NOT NULL,
  attempts TEXT NOT NULL,
  -- The mail that it goes with; fixed before that is first sent, so that a mail is the same whenever it is tried again.
  mail TEXT,
  created_at BIGINT NOT NULL,
  ended_at BIGINT
);
CREATE INDEX alert_deliveries_due ON alert_deliveries (alert, due_at) WHERE state = 'pending';
CREATE INDEX alert_deliveries_failed ON alert_deliveries (alert) WHERE state = 'failed';
CREATE INDEX alert_deliveries_log ON alert_deliveries (alert, created_at, id);
CREATE INDEX alert_deliveries_exception ON alert_deliveries (exception);
CREATE INDEX alert_deliveries_ended ON alert_deliveries (ended_at) WHERE ended_at IS NOT NULL;
