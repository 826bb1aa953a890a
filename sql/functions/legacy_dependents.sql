-- What else in the database refers to the legacy table (or to the view that stands in for it), and
-- what a swap does about it. PostgreSQL binds views and new-style SQL functions to the relation and
-- not to its name: renaming the table would silently take them along, so they are defined again
-- under the new binding (`move`), or the swap is refused.
-- Functions whose body is text look the name up when they run: nothing has to be done (`note`).
CREATE OR REPLACE FUNCTION legacy_dependents(legacy regclass, legacy_name text)
RETURNS TABLE (kind text, identity text, action text, reason text, definition text)
LANGUAGE sql
STABLE
SET search_path FROM CURRENT
AS $$
    SELECT DISTINCT
        CASE view.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' ELSE 'rule on' END,
        view.oid::regclass::text,
        CASE view.relkind WHEN 'v' THEN 'move' ELSE 'refuse' END,
        CASE view.relkind
            WHEN 'v' THEN 'is defined again on the new relation of this name'
            WHEN 'm' THEN 'holds rows of the old table: drop it, or let it read something else'
            ELSE 'a rule cannot be moved: drop it'
        END,
        CASE view.relkind WHEN 'v' THEN format(
            'CREATE OR REPLACE VIEW %s%s AS %s', view.oid::regclass,
            coalesce(' WITH (' || array_to_string(view.reloptions, ', ') || ')', ''),
            pg_get_viewdef(view.oid)
        ) END
    FROM pg_depend AS dependency
    INNER JOIN pg_rewrite AS rule ON rule.oid = dependency.objid
    INNER JOIN pg_class AS view ON view.oid = rule.ev_class
    WHERE dependency.classid = 'pg_rewrite'::regclass
        AND dependency.refclassid = 'pg_class'::regclass AND dependency.refobjid = legacy
        AND view.oid <> legacy
    UNION
    SELECT DISTINCT 'function', proc.oid::regprocedure::text, 'move',
        'is defined again on the new relation of this name', pg_get_functiondef(proc.oid)
    FROM pg_depend AS dependency
    INNER JOIN pg_proc AS proc ON proc.oid = dependency.objid
    WHERE dependency.classid = 'pg_proc'::regclass
        AND dependency.refclassid = 'pg_class'::regclass AND dependency.refobjid = legacy
    UNION
    SELECT 'function', proc.oid::regprocedure::text, 'note',
        'names it in its body: reads whatever bears the name, and fails where it writes', NULL
    FROM pg_proc AS proc
    INNER JOIN pg_language AS language ON language.oid = proc.prolang
    INNER JOIN pg_namespace AS space ON space.oid = proc.pronamespace
    WHERE language.lanname NOT IN ('c', 'internal')
        AND space.nspname NOT IN ('pg_catalog', 'information_schema')
        AND position(lower(legacy_name) IN lower(proc.prosrc)) > 0
    UNION
    SELECT 'function', proc.oid::regprocedure::text, 'note',
        'uses the old table''s row type: drop-legacy will be refused until it is dropped', NULL
    FROM pg_class AS class
    INNER JOIN pg_type AS type ON type.oid = class.reltype
    INNER JOIN pg_depend AS dependency
        ON dependency.refclassid = 'pg_type'::regclass
        AND dependency.refobjid IN (type.oid, type.typarray)
    INNER JOIN pg_proc AS proc ON proc.oid = dependency.objid
    WHERE dependency.classid = 'pg_proc'::regclass AND class.oid = legacy
    UNION
    SELECT 'foreign key', format('%s of %s', conname, conrelid::regclass), 'refuse',
        'cannot refer to a view: drop it', NULL
    FROM pg_constraint WHERE contype = 'f' AND confrelid = legacy AND conrelid <> legacy
    UNION
    SELECT 'row security', polname, 'refuse', 'its policies cannot be put on a view: drop them', NULL
    FROM pg_policy WHERE polrelid = legacy
    UNION
    SELECT 'publication', pubname, 'note', 'goes on publishing the old table, now renamed', NULL
    FROM pg_publication_rel
    INNER JOIN pg_publication ON pg_publication.oid = prpubid
    WHERE prrelid = legacy
    UNION
    SELECT 'trigger', tgname, 'note', 'stays on the old table', NULL
    FROM pg_trigger
    INNER JOIN pg_class ON pg_class.oid = tgrelid
    WHERE tgrelid = legacy AND NOT tgisinternal AND relkind = 'r'
$$;

COMMENT ON FUNCTION legacy_dependents(regclass, text) IS
'Views, functions and constraints that refer to the legacy table, and what a swap does about each.';
