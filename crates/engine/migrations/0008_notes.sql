-- What people write beside an order. Not in its events, which never change: a note may hold what has to be forgotten one day.
CREATE TABLE order_notes (
  id BIGINT PRIMARY KEY,
  order_id BIGINT NOT NULL,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  note TEXT NOT NULL
);
CREATE INDEX order_notes_order ON order_notes (order_id, id);
