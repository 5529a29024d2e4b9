-- What people do at the desk of exceptions and with channels.

-- Put aside until then: not on the desk before it, unless it becomes another kind of trouble.
ALTER TABLE exceptions ADD COLUMN snoozed_until BIGINT NOT NULL DEFAULT 0;
-- Solved ones, the latest first; few are solved beside what is sold.
CREATE INDEX exceptions_solved ON exceptions (updated_at, id) WHERE open = 0;

-- Nothing is sold there, whatever the policies of its listings say, until a person lets it.
ALTER TABLE channels ADD COLUMN stopped BIGINT NOT NULL DEFAULT 0;

-- Kinds of events that a webhook is told, JSON; and whether it is told of exceptions at all.
ALTER TABLE alerts ADD COLUMN events TEXT NOT NULL DEFAULT '[]';
ALTER TABLE alerts ADD COLUMN exceptions BIGINT NOT NULL DEFAULT 1;
