-- Summarises the new page ranges of the BRIN on batch_id; called by the refresher after a fold,
-- because an unsummarised range is read by every fold to come.
-- A leaf costs one look at its last range: ranges are summarised in ascending order, so where that
-- one was summarised before, there is nothing to do. Where somebody (vacuum) holds the leaf, it is
-- left for the next time at once.
CREATE OR REPLACE FUNCTION summarize_campaign_events()
RETURNS integer
LANGUAGE plpgsql
SECURITY DEFINER
SET search_path FROM CURRENT
AS $$
DECLARE
    block_bytes constant bigint := current_setting('block_size');
    leaf record;
    last_is_new integer;
    ranges integer := 0;
BEGIN
    FOR leaf IN
        SELECT member.inhrelid::regclass AS name, brin.indexrelid::regclass AS index_name
        FROM pg_inherits AS member
        INNER JOIN pg_index AS brin ON member.inhrelid = brin.indrelid
        INNER JOIN pg_class AS index_class ON brin.indexrelid = index_class.oid
        INNER JOIN pg_am AS method ON index_class.relam = method.oid
        WHERE member.inhparent = 'campaign_events'::regclass
            AND method.amname = 'brin' AND brin.indisvalid
        ORDER BY member.inhrelid
    LOOP
        BEGIN
            CONTINUE WHEN pg_relation_size(leaf.name) = 0;
            EXECUTE format('LOCK TABLE ONLY %s IN SHARE UPDATE EXCLUSIVE MODE NOWAIT', leaf.name);
            last_is_new := brin_summarize_range(
                leaf.index_name, pg_relation_size(leaf.name) / block_bytes - 1
            );
            IF last_is_new > 0 THEN
                ranges := ranges + last_is_new + brin_summarize_new_values(leaf.index_name);
            END IF;
        EXCEPTION
            WHEN lock_not_available OR undefined_table THEN
                CONTINUE;
        END;
    END LOOP;
    RETURN ranges;
END
$$;

COMMENT ON FUNCTION summarize_campaign_events() IS
'Summarises new page ranges of the leaves'' BRIN on batch_id; returns how many.';

REVOKE ALL ON FUNCTION summarize_campaign_events() FROM public;
