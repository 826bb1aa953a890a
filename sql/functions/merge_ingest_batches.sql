-- Keeps the ledger small: neighbouring folded rows become one. Neighbours are of the same topic
-- and partition in one ledger (see closed_by) with offsets that meet, or rows without a topic; what
-- is summed stays summed, and the row remembers every id, as the events carry them.
-- Bounded twice: a row takes part until it stands for 100 batches, so none grows beyond 200 (whose
-- ids still fit a heap row); one call reads at most 100,000 rows and removes at most 10,000.
-- Under the refresh lock, since fold and retention write these rows too; writers only add rows
-- that are not folded, and those are never touched.
CREATE OR REPLACE FUNCTION merge_ingest_batches(folded_before timestamptz)
RETURNS bigint
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    batches_per_row constant integer := 100;
    removed bigint;
BEGIN
    PERFORM pg_advisory_xact_lock(ingest_lock_key('refresh'));

    WITH candidates AS (
        SELECT
            ledger.batch_id, ledger.topic, ledger.topic_id, ledger.closed_by, ledger.partition,
            ledger.first_offset, ledger.next_offset,
            coalesce(ledger.merged_batch_ids, ARRAY[ledger.batch_id]) AS ids
        FROM ingest_batches AS ledger
        WHERE ledger.folded_at < folded_before
            AND (ledger.merged_batch_ids IS NULL OR cardinality(ledger.merged_batch_ids) < batches_per_row)
        ORDER BY ledger.batch_id
        LIMIT 100000
    ),
    starts AS (
        SELECT
            candidates.*,
            (topic IS NOT NULL AND first_offset IS DISTINCT FROM lag(next_offset) OVER neighbours)::integer
                AS starts_run
        FROM candidates
        WINDOW neighbours AS (
            PARTITION BY topic, topic_id, closed_by, partition ORDER BY first_offset, batch_id
        )
    ),
    runs AS (
        SELECT
            starts.*, sum(starts_run) OVER neighbours AS run
        FROM starts
        WINDOW neighbours AS (
            PARTITION BY topic, topic_id, closed_by, partition ORDER BY first_offset, batch_id
        )
    ),
    pieces AS (
        SELECT
            runs.batch_id, runs.ids, runs.topic, runs.topic_id, runs.closed_by, runs.partition,
            runs.run,
            (sum(cardinality(ids)) OVER before_it - cardinality(ids)) / batches_per_row AS piece
        FROM runs
        WINDOW before_it AS (
            PARTITION BY topic, topic_id, closed_by, partition, run ORDER BY first_offset, batch_id
        )
    ),
    members AS (
        SELECT
            pieces.batch_id,
            max(batch_id) OVER whole AS kept_id,
            count(*) OVER whole AS rows_in_piece
        FROM pieces
        WINDOW whole AS (PARTITION BY topic, topic_id, closed_by, partition, run, piece)
    ),
    -- A piece is merged whole or not at all, whatever the bound on the work cuts off.
    chosen AS (
        SELECT batch_id, kept_id
        FROM (
            SELECT members.*, rank() OVER (ORDER BY kept_id) AS place
            FROM members WHERE rows_in_piece > 1
        ) AS ranked
        WHERE place <= 10000
    ),
    sums AS (
        SELECT
            chosen.kept_id,
            min(ledger.first_offset) AS first_offset, max(ledger.next_offset) AS next_offset,
            sum(ledger.records) AS records, sum(ledger.inserted) AS inserted,
            sum(ledger.duplicates) AS duplicates, sum(ledger.conflicting) AS conflicting,
            sum(ledger.rejected) AS rejected, sum(ledger.dropped) AS dropped,
            min(ledger.min_occurred_at) AS min_occurred_at,
            max(ledger.max_occurred_at) AS max_occurred_at,
            max(ledger.ingested_at) AS ingested_at, max(ledger.folded_at) AS folded_at
        FROM chosen INNER JOIN ingest_batches AS ledger USING (batch_id)
        GROUP BY chosen.kept_id
    ),
    ids AS (
        SELECT chosen.kept_id, array_agg(id ORDER BY id) AS merged_batch_ids
        FROM chosen
        INNER JOIN candidates USING (batch_id)
        CROSS JOIN unnest(candidates.ids) AS id
        GROUP BY chosen.kept_id
    ),
    merged AS (
        UPDATE ingest_batches AS ledger SET
            first_offset = sums.first_offset,
            next_offset = sums.next_offset,
            records = sums.records,
            inserted = sums.inserted,
            duplicates = sums.duplicates,
            conflicting = sums.conflicting,
            rejected = sums.rejected,
            dropped = sums.dropped,
            min_occurred_at = sums.min_occurred_at,
            max_occurred_at = sums.max_occurred_at,
            ingested_at = sums.ingested_at,
            folded_at = sums.folded_at,
            merged_batch_ids = ids.merged_batch_ids
        FROM sums INNER JOIN ids USING (kept_id)
        WHERE ledger.batch_id = sums.kept_id
    ),
    gone AS (
        DELETE FROM ingest_batches AS ledger USING chosen
        WHERE ledger.batch_id = chosen.batch_id AND chosen.batch_id <> chosen.kept_id
        RETURNING 1
    )
    SELECT count(*) INTO removed FROM gone;
    RETURN removed;
END
$$;

COMMENT ON FUNCTION merge_ingest_batches(timestamptz) IS
'Merges neighbouring ledger rows folded before a time; returns how many rows that removed.';

REVOKE ALL ON FUNCTION merge_ingest_batches(timestamptz) FROM public;
