-- A pseudo-random 64-bit number for a campaign's day. Summed with the values of a metric as weights
-- (sum(value * hash), exact in numeric) it tells whether two sets of daily values are the same,
-- however their rows are split and in whatever order they come; so nothing has to be grouped,
-- sorted or joined. Two different sets agree with a chance of 2⁻⁶⁴, drawn anew with each seed.
-- The idea: linear sketches, as in Clarkson and Woodruff, "Numerical linear algebra in the
-- streaming model" (STOC 2009).
-- One expression without settings of its own: the planner inlines it.
CREATE OR REPLACE FUNCTION replay_value_hash(campaign_id text, day date, seed bigint)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT hashtextextended(campaign_id COLLATE "C", seed # (day - DATE '2000-01-01')::bigint)
$$;

COMMENT ON FUNCTION replay_value_hash(text, date, bigint) IS
'The weight of one campaign and UTC day in the checksums of `replay verify`.';
