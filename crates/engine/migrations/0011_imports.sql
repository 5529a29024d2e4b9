-- Whose file an import was, and since when it runs; the columns of the file, to give refused rows back as they came (`errors` has them).
ALTER TABLE imports ADD COLUMN actor TEXT NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN file TEXT NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN head TEXT NOT NULL DEFAULT '';
ALTER TABLE imports ADD COLUMN began_at BIGINT NOT NULL DEFAULT 0;
UPDATE imports SET began_at = at;
CREATE INDEX imports_began ON imports (began_at, key);

-- Who put a rule set in force.
ALTER TABLE rule_sets ADD COLUMN actor TEXT NOT NULL DEFAULT '';
