-- Those that a person must look at, by their titles as all listings are: few of many.
CREATE INDEX listings_unmapped_title ON listings (channel, lower(title), id) WHERE item IS NULL;
DROP INDEX listings_refused;
CREATE INDEX listings_refused_title ON listings (channel, lower(title), id) WHERE fault IS NOT NULL;

-- The audit log of a thing, whatever kind it is, and of a kind of thing, in the order of the log.
DROP INDEX audit_subject;
CREATE INDEX audit_subject ON audit (subject, number);
CREATE INDEX audit_noun ON audit (noun, number);
