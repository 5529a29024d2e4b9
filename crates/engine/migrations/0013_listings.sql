-- Those that a person must look at, by their titles as all listings are: few of many.
CREATE INDEX listings_unmapped_title ON listings (channel, lower(title), id) WHERE item IS NULL;
CREATE INDEX listings_refused_title ON listings (channel, lower(title), id) WHERE fault IS NOT NULL;
