-- Functions that run with the rights of another role look into temporary tables last. A search_path that does not name pg_temp
-- searches it first: whoever may make a temporary table called like one of ours had its trigger run as muster_cross, and read
-- what belongs to other tenants.
-- Side by side: only a setting of functions changes. Processes of the version before call the same functions and get the same.

DO $$
DECLARE
  f regprocedure;
BEGIN
  FOR f IN
    SELECT p.oid
    FROM pg_proc p
    WHERE p.pronamespace = 'public'::regnamespace
      AND p.proconfig @> ARRAY['search_path=public']
  LOOP
    EXECUTE format('ALTER FUNCTION %s SET search_path = public, pg_temp', f);
  END LOOP;
END $$;
