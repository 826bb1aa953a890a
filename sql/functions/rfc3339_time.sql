-- Reads an RFC 3339 time (section 5.6, without leap seconds) as the ingester reads it: every offset
-- up to 23:59, cut to the microsecond, null where it is none. PostgreSQL's own input takes far more
-- (times without an offset, 'now', other orders of day and month), refuses offsets beyond 15:59,
-- rounds, and raises instead of answering.
CREATE OR REPLACE FUNCTION rfc3339_time(txt text)
RETURNS timestamptz
LANGUAGE plpgsql
IMMUTABLE STRICT PARALLEL SAFE
AS $$
DECLARE
    parts constant text [] := regexp_match(
        txt COLLATE "C",
        '^([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt]([01][0-9]|2[0-3]):([0-5][0-9]):([0-5][0-9])'
        '(?:\.([0-9]+))?(?:[Zz]|([+-])([01][0-9]|2[0-3]):([0-5][0-9]))$'
    );
    year constant integer := parts[1];
    month constant integer := parts[2];
    day constant integer := parts[3];
    days_in_month integer;
    ahead_of_utc interval := '0';
BEGIN
    IF parts IS NULL OR year = 0 OR month NOT BETWEEN 1 AND 12 THEN
        RETURN NULL;
    END IF;
    days_in_month := extract(day FROM make_date(year, month, 1) + interval '1 month - 1 day');
    IF day NOT BETWEEN 1 AND days_in_month THEN
        RETURN NULL;
    END IF;
    IF parts[8] IS NOT NULL THEN
        ahead_of_utc := make_interval(hours => parts[9]::integer, mins => parts[10]::integer);
        IF parts[8] = '-' THEN
            ahead_of_utc := -ahead_of_utc;
        END IF;
    END IF;
    RETURN (
        make_timestamp(year, month, day, parts[4]::integer, parts[5]::integer, parts[6]::integer)
        + rpad(left(coalesce(parts[7], '0'), 6), 6, '0')::integer * interval '1 microsecond'
        - ahead_of_utc
    ) AT TIME ZONE 'UTC';
END
$$;

COMMENT ON FUNCTION rfc3339_time(text) IS
'The instant that an RFC 3339 text with an offset names, cut to the microsecond; null if it is no such text.';
