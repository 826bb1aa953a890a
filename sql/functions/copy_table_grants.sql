-- Gives a relation the grants of another, columns included. What the old owner could do by owning
-- the table becomes a grant; for the new owner nothing has to be given.
CREATE OR REPLACE FUNCTION copy_table_grants(source regclass, target regclass)
RETURNS bigint
LANGUAGE plpgsql
SET search_path FROM CURRENT
AS $$
DECLARE
    entry record;
    given bigint := 0;
BEGIN
    FOR entry IN
        SELECT
            acl.privilege_type AS privilege, acl.is_grantable, '' AS columns,
            CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END AS grantee
        FROM pg_class AS class
        CROSS JOIN LATERAL aclexplode(coalesce(class.relacl, acldefault('r', class.relowner))) AS acl
        WHERE class.oid = source
            AND acl.grantee <> (SELECT relowner FROM pg_class WHERE oid = target)
        UNION ALL
        SELECT
            acl.privilege_type, acl.is_grantable, format('(%I)', attribute.attname),
            CASE WHEN acl.grantee = 0 THEN 'PUBLIC' ELSE acl.grantee::regrole::text END
        FROM pg_attribute AS attribute
        CROSS JOIN LATERAL aclexplode(attribute.attacl) AS acl
        WHERE attribute.attrelid = source AND NOT attribute.attisdropped
    LOOP
        EXECUTE format(
            'GRANT %s %s ON %s TO %s %s', entry.privilege, entry.columns, target, entry.grantee,
            CASE WHEN entry.is_grantable AND entry.grantee <> 'PUBLIC' THEN 'WITH GRANT OPTION' ELSE '' END
        );
        given := given + 1;
    END LOOP;
    RETURN given;
END
$$;

COMMENT ON FUNCTION copy_table_grants(regclass, regclass) IS
'Gives the second relation the grants of the first; returns how many.';
