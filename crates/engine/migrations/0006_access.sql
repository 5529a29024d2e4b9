-- Who may do what, who is signed in, and the record of it.

CREATE TABLE people (
  id TEXT PRIMARY KEY,
  -- A mail address in lower case.
  login TEXT NOT NULL UNIQUE,
  name TEXT NOT NULL,
  role TEXT NOT NULL,
  -- JSON lists of location ids and channel codes; null is everywhere.
  locations TEXT,
  channels TEXT,
  -- argon2id, as a PHC string; null for those who sign in with a passkey or through their company only.
  password TEXT,
  -- Encrypted; null without a second factor. A step that was used is never taken again.
  totp TEXT,
  totp_step BIGINT NOT NULL,
  -- Hashes of recovery codes that were not used yet, JSON.
  recovery TEXT NOT NULL,
  -- Who the company's provider says it is: issuer and subject.
  subject TEXT,
  -- Language, time zone and appearance, JSON.
  preferences TEXT NOT NULL,
  active BIGINT NOT NULL,
  -- Wrong tries since the last right one, and until when no more are taken.
  failures BIGINT NOT NULL,
  locked_until BIGINT NOT NULL,
  created_at BIGINT NOT NULL,
  seen_at BIGINT
) /* clustered */;
CREATE UNIQUE INDEX people_subject ON people (subject);

CREATE TABLE passkeys (
  id TEXT PRIMARY KEY,
  person TEXT NOT NULL,
  name TEXT NOT NULL,
  credential TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  used_at BIGINT
) /* clustered */;
CREATE INDEX passkeys_person ON passkeys (person);

-- Somebody's browser that is signed in. Only a hash of what its cookie holds is here.
CREATE TABLE sessions (
  id TEXT PRIMARY KEY,
  hash BYTEA NOT NULL,
  person TEXT NOT NULL,
  -- How it began: password, passkey, company, link; and whether the second factor was shown.
  how TEXT NOT NULL,
  second BIGINT NOT NULL,
  address TEXT NOT NULL,
  agent TEXT NOT NULL,
  created_at BIGINT NOT NULL,
  seen_at BIGINT NOT NULL,
  ended_at BIGINT
) /* clustered */;
CREATE INDEX sessions_person ON sessions (person, created_at);

-- Addresses that open something once: the first owner, an invitation, a new password.
CREATE TABLE links (
  id TEXT PRIMARY KEY,
  hash BYTEA NOT NULL,
  kind TEXT NOT NULL,
  person TEXT,
  created_at BIGINT NOT NULL,
  expires_at BIGINT NOT NULL,
  used_at BIGINT
) /* clustered */;

-- What was begun with a browser and waits for its answer: passkeys, sign-ins through a company. Read once.
CREATE TABLE pending (
  id TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  expires_at BIGINT NOT NULL
) /* clustered */;

-- Roles of the merchant's own, and what is set for those that are always there.
CREATE TABLE roles (
  name TEXT PRIMARY KEY,
  about TEXT NOT NULL,
  permissions TEXT NOT NULL,
  second_factor BIGINT NOT NULL,
  created_at BIGINT NOT NULL
) /* clustered */;

CREATE TABLE settings (
  name TEXT PRIMARY KEY,
  value TEXT NOT NULL
) /* clustered */;

ALTER TABLE api_keys ADD COLUMN locations TEXT;
ALTER TABLE api_keys ADD COLUMN channels TEXT;
ALTER TABLE api_keys ADD COLUMN used_at BIGINT;

-- Who did what to what. Append-only; each row carries a hash of itself and the one before it.
CREATE TABLE audit (
  number BIGINT PRIMARY KEY,
  at BIGINT NOT NULL,
  actor TEXT NOT NULL,
  -- The session or key it was done with, and the network address.
  means TEXT NOT NULL,
  address TEXT NOT NULL,
  action TEXT NOT NULL,
  noun TEXT NOT NULL,
  subject TEXT NOT NULL,
  -- JSON, as it was and as it became.
  before TEXT,
  after TEXT,
  hash BYTEA NOT NULL
);
CREATE INDEX audit_subject ON audit (noun, subject, number);
CREATE INDEX audit_actor ON audit (actor, number);
CREATE INDEX audit_action ON audit (action, number);
INSERT INTO counters (name, value) VALUES ('audit', 0);
