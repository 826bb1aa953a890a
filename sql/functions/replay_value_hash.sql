-- A pseudo-random 64-bit number for a campaign's metric of a day. Summed with the values as weights
-- (sum(value * hash), exact in numeric) it tells whether two sets of daily values are the same,
-- however their rows are split and in whatever order they come; so nothing has to be grouped,
-- sorted or joined. Two different sets agree with a chance of 2⁻⁶⁴, drawn anew with each seed.
-- The idea: linear sketches, as in Clarkson and Woodruff, "Numerical linear algebra in the
-- streaming model" (STOC 2009). The campaign comes last, so that no id is mistaken for another key.
-- One expression without settings of its own: the planner inlines it.
CREATE OR REPLACE FUNCTION replay_value_hash(
    campaign_id text, day date, metric text, seed bigint
)
RETURNS bigint
LANGUAGE sql
IMMUTABLE
PARALLEL SAFE
AS $$
    SELECT hashtextextended(
        (day - DATE '2000-01-01') || metric || ':' || campaign_id COLLATE "C", seed
    )
$$;

COMMENT ON FUNCTION replay_value_hash(text, date, text, bigint) IS
'The weight of one campaign, UTC day and metric in the checksums of `replay verify`.';
