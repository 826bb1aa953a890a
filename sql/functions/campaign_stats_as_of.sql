-- As of when the statistics are complete: whatever was committed before that moment is in them.
-- Where nothing waits to be folded that is now; else the time at which the oldest batch that waits
-- was written. STABLE, so that it speaks of the same snapshot as the statement that asks.
-- SECURITY DEFINER, so that whoever may read the statistics may ask how fresh they are.
CREATE OR REPLACE FUNCTION campaign_stats_as_of()
RETURNS timestamptz
LANGUAGE sql
STABLE
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
    SELECT coalesce(min(ledger.ingested_at), now()) FROM ingest_batches AS ledger
    WHERE ledger.folded_at IS NULL
$$;

COMMENT ON FUNCTION campaign_stats_as_of() IS
'The moment as of which the statistics are complete: every batch committed before it is folded.';

REVOKE ALL ON FUNCTION campaign_stats_as_of() FROM public;
