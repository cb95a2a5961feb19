-- The only doors across tenants. Each is owned by muster_cross, pins its search_path, and gives back ids, never content.
GRANT SELECT ON tenants, users, sessions, api_keys, senders, messages, waves, batches, deliveries, delivery_counts, pending_joins, idempotency_keys TO muster_cross;
GRANT INSERT ON tenants TO muster_cross;
GRANT USAGE ON SEQUENCE tenants_tenant_id_seq TO muster_cross;
GRANT UPDATE ON batches, sessions, api_keys TO muster_cross;
GRANT DELETE ON idempotency_keys, pending_joins, sessions, share_visits TO muster_cross;
GRANT SELECT ON share_visits TO muster_cross;

-- Deliveries are partitioned by ranges of 4096 message ids; partitions are made ahead by whoever creates a message.
-- Runs as the owner of the tables (only the owner may attach a partition).
CREATE FUNCTION ensure_delivery_partition(p_message_id bigint) RETURNS void
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
DECLARE
  lo bigint := (p_message_id / 4096) * 4096;
  name text := 'deliveries_' || lo;
BEGIN
  IF to_regclass(name) IS NOT NULL THEN RETURN; END IF;
  PERFORM pg_advisory_xact_lock(hashtext('ensure_delivery_partition'));
  -- Asked of the table, not of to_regclass: that still remembers its "no" from before the wait.
  IF EXISTS (SELECT 1 FROM pg_class c WHERE c.relname = name AND c.relnamespace = 'public'::regnamespace) THEN RETURN; END IF;
  -- A settle writes a whole slice anew, and longer: with less than 60 % of each page left free by the marks it goes to other
  -- pages, and each row to the index again. 38: every settle stays in its page; 45: 86 %; 80: 20 %, and a third more WAL.
  EXECUTE format('CREATE TABLE %I PARTITION OF deliveries FOR VALUES FROM (%s) TO (%s) WITH (fillfactor = 38)', name, lo, lo + 4096);
  EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', name);
  EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', name);
END $$;
SELECT ensure_delivery_partition(0);

-- A person's keys work while the person may sign in; one without a person, while it is not revoked. The scope `operator` holds
-- while its person is one: who is no longer trusted with the installation loses it with his keys.
CREATE FUNCTION find_api_key(p_hash bytea)
  RETURNS TABLE (tenant_id integer, id bigint, mode text, scopes text[], user_id bigint)
  LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
  UPDATE api_keys k SET last_used_at = CASE WHEN k.last_used_at > now() - interval '1 minute' THEN k.last_used_at ELSE now() END
  WHERE k.key_hash = p_hash AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > now())
    AND NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = k.tenant_id AND u.id = k.user_id AND u.disabled_at IS NOT NULL)
  RETURNING k.tenant_id, k.id, k.mode, CASE WHEN 'operator' = ANY (k.scopes)
      AND NOT EXISTS (SELECT 1 FROM users u WHERE u.tenant_id = k.tenant_id AND u.id = k.user_id AND u.operator)
    THEN array_remove(k.scopes, 'operator') ELSE k.scopes END, k.user_id $$;

CREATE FUNCTION find_user(p_email text)
  RETURNS TABLE (tenant_id integer, id bigint, password_hash text)
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT u.tenant_id, u.id, u.password_hash FROM users u WHERE lower(u.email) = lower(p_email) AND u.disabled_at IS NULL $$;

-- Whose address this is, also a disabled person's: for the command of whoever runs the installation.
CREATE FUNCTION find_person(p_email text)
  RETURNS TABLE (tenant_id integer, id bigint)
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT u.tenant_id, u.id FROM users u WHERE lower(u.email) = lower(p_email) $$;

CREATE FUNCTION find_session(p_id_hash bytea)
  RETURNS TABLE (tenant_id integer, user_id bigint)
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT s.tenant_id, s.user_id FROM sessions s WHERE s.id_hash = p_id_hash AND s.expires_at > now() AND s.last_seen_at > now() - interval '30 minutes' $$;

CREATE FUNCTION create_tenant(p_name text, p_locale text, p_country text) RETURNS integer
  LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
  INSERT INTO tenants (name, default_locale, default_country) VALUES (p_name, p_locale, p_country) RETURNING tenant_id $$;

-- For the command of whoever runs the installation.
CREATE FUNCTION tenant_ids() RETURNS SETOF integer
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT t.tenant_id FROM tenants t ORDER BY t.tenant_id $$;

-- A link or a receipt names a message; whose is it?
CREATE FUNCTION message_tenant(p_message_id bigint) RETURNS integer
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT m.tenant_id FROM messages m WHERE m.id = p_message_id $$;

-- An inbound text names our number; whose is it? A number serves one tenant.
CREATE FUNCTION sender_tenant(p_channel channel, p_address text)
  RETURNS TABLE (tenant_id integer, sender_id integer)
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT s.tenant_id, s.id FROM senders s WHERE s.channel = p_channel AND s.address = p_address ORDER BY s.drill, s.id $$;

-- Claims one due batch of a lane: fair between tenants (the one with the fewest claimed batches first), then oldest.
-- The loose scan reads one index entry a tenant, not one a batch. Raises the fence. p_skip: senders whose batches the
-- caller holds enough of; ids of senders are unique over all tenants. Ordered by the lane as well, although it is one: an
-- enum's equality is not leakproof, so under row-level security the planner does not know that, and sorted all that waits.
-- With a batch of a few people whom nobody has called yet come up to p_more of the same kind, tenant and sender, where that
-- sender is well and has no rate: a thousand messages to one person each are then some forty claims. Of a sender with a rate
-- each claim holds a part of its budget, so there it is one.
CREATE FUNCTION claim_batch(p_lane message_class, p_worker text, p_lease interval, p_skip integer[], p_more integer)
  RETURNS TABLE (tenant_id integer, id bigint, message_id bigint, wave smallint, channel channel, sender_id integer,
                 from_id bigint, to_id bigint, ids bigint[], marked integer, fence integer, crashes smallint, health text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
#variable_conflict use_column
DECLARE
  t integer;
  b bigint;
  by_sender integer;
  small boolean;
  more bigint[];
BEGIN
  FOR t IN
    WITH RECURSIVE waiting AS (
      (SELECT x.tenant_id FROM batches x WHERE x.state = 'planned' AND x.lane = p_lane ORDER BY x.lane, x.tenant_id LIMIT 1)
      UNION ALL
      SELECT (SELECT x.tenant_id FROM batches x WHERE x.state = 'planned' AND x.lane = p_lane AND x.tenant_id > w.tenant_id ORDER BY x.lane, x.tenant_id LIMIT 1)
      FROM waiting w WHERE w.tenant_id IS NOT NULL
    )
    SELECT w.tenant_id FROM waiting w WHERE w.tenant_id IS NOT NULL
    ORDER BY (SELECT count(*) FROM batches c WHERE c.state = 'claimed' AND c.tenant_id = w.tenant_id AND c.lane = p_lane), random()
  LOOP
    SELECT x.id, x.sender_id, x.marked = 0 AND x.crashes = 0 AND cardinality(x.ids) <= 8 INTO b, by_sender, small FROM batches x
      WHERE x.state = 'planned' AND x.lane = p_lane AND x.tenant_id = t AND x.due_at <= now() AND NOT x.sender_id = ANY (p_skip)
      ORDER BY x.lane, x.due_at, x.id LIMIT 1 FOR UPDATE SKIP LOCKED;
    IF b IS NOT NULL THEN
      IF small AND p_more > 0 AND EXISTS (SELECT 1 FROM senders s WHERE s.tenant_id = t AND s.id = by_sender
        AND s.units_per_second IS NULL AND s.stopped_at IS NULL AND s.breaker_opened_at IS NULL) THEN
        SELECT array_agg(y.id) INTO more FROM (
          SELECT x.id FROM batches x
          -- a look at the next few alone: behind them may wait thousands of large ones
          WHERE x.tenant_id = t AND x.id = ANY (ARRAY(SELECT n.id FROM batches n
              WHERE n.state = 'planned' AND n.lane = p_lane AND n.tenant_id = t AND n.due_at <= now() ORDER BY n.lane, n.due_at, n.id LIMIT 4 * p_more))
            AND x.id <> b AND x.state = 'planned' AND x.sender_id = by_sender AND x.marked = 0 AND x.crashes = 0 AND cardinality(x.ids) <= 8
          ORDER BY x.id LIMIT p_more FOR UPDATE SKIP LOCKED) y;
      END IF;
      RETURN QUERY UPDATE batches u SET state = 'claimed', fence = u.fence + 1, lease_until = now() + p_lease, claimed_by = p_worker
        WHERE u.tenant_id = t AND u.id = ANY (array_append(more, b))
        RETURNING u.tenant_id, u.id, u.message_id, u.wave, u.channel, u.sender_id, u.from_id, u.to_id, u.ids, u.marked, u.fence, u.crashes,
          -- how its sender is; a window of failures is counted for ten seconds (domain/breaker.ts). 'asks': one that goes before
          -- it failed, everything has gone by this one since, and it is time to ask (life: when nobody has for five minutes)
          (SELECT CASE WHEN s.stopped_at IS NOT NULL THEN 'stopped' WHEN s.breaker_opened_at IS NOT NULL THEN 'open'
            WHEN EXISTS (SELECT 1 FROM senders o WHERE o.tenant_id = s.tenant_id AND o.id < s.id AND o.breaker_opened_at IS NOT NULL AND o.stopped_at IS NULL
              AND o.breaker_probe_at <= now() - CASE WHEN p_lane = 'life' THEN interval '5 minutes' ELSE interval '0' END
              AND o.channel = s.channel AND o.drill = s.drill AND o.simulated = s.simulated AND p_lane = ANY (o.classes)) THEN 'asks'
            WHEN s.breaker_window_at > now() - interval '10 seconds' THEN 'watched' ELSE 'well' END
          FROM senders s WHERE s.tenant_id = u.tenant_id AND s.id = u.sender_id);
      RETURN;
    END IF;
  END LOOP;
END $$;

-- What the sweep must look at. kind: lease (batch), wave, start, expire, close (message), nudge (lane with due batches).
CREATE FUNCTION due_work(p_limit integer)
  RETURNS TABLE (kind text, tenant_id integer, id bigint, lane message_class)
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  (SELECT 'lease', b.tenant_id, b.id, b.lane FROM batches b WHERE b.state = 'claimed' AND b.lease_until < now() ORDER BY b.lease_until LIMIT p_limit)
  UNION ALL
  (SELECT 'wave', w.tenant_id, w.id, NULL FROM waves w WHERE w.state IN ('waiting', 'planning') AND w.due_at <= now() ORDER BY w.due_at LIMIT p_limit)
  UNION ALL
  (SELECT 'start', m.tenant_id, m.id, m.class FROM messages m WHERE m.state = 'scheduled' AND m.start_at <= now() ORDER BY m.start_at LIMIT p_limit)
  UNION ALL
  (SELECT 'expire', m.tenant_id, m.id, m.class FROM messages m WHERE m.state IN ('live', 'scheduled') AND m.expires_at <= now() LIMIT p_limit)
  UNION ALL
  (SELECT 'close', m.tenant_id, m.id, m.class FROM messages m WHERE m.state IN ('stopped', 'expired') AND m.completed_at IS NULL LIMIT p_limit)
  UNION ALL
  (SELECT 'nudge', NULL, NULL, l.lane FROM unnest(enum_range(NULL::message_class)) l(lane)
    WHERE EXISTS (SELECT 1 FROM batches b WHERE b.state = 'planned' AND b.lane = l.lane AND b.due_at <= now())) $$;

GRANT SELECT, UPDATE ON incarnation TO muster_cross;
GRANT SELECT (stopped_at, stopped_by, stopped_reason), UPDATE (stopped_at, stopped_by, stopped_reason) ON installation TO muster_cross;
GRANT UPDATE ON deliveries, messages, waves TO muster_cross;
GRANT INSERT, UPDATE ON delivery_counts TO muster_cross;
GRANT SELECT, UPDATE ON SEQUENCE messages_id_seq, recipients_id_seq TO muster_cross;

-- A database that was restored from a backup does not know what was sent after it: nothing more is sent until a person
-- says so. Calls that were under way are in doubt. Of a campaign that was live everybody who waited may have been called
-- since; never twice means that they are listed, not called. Numbers given out since then are in people's links, so that
-- they are not given out again.
CREATE FUNCTION stop_restored(p_reason text) RETURNS void LANGUAGE plpgsql SET search_path = public AS $$
BEGIN
  UPDATE installation SET stopped_at = now(), stopped_by = 'restore', stopped_reason = p_reason;
  WITH moved AS (
    UPDATE deliveries d SET state = 'unknown', code = 'restored', next_at = now() + CASE m.class WHEN 'life' THEN interval '10 seconds' ELSE interval '60 seconds' END
    FROM messages m WHERE m.id = d.message_id AND d.state = 'attempting'
    RETURNING d.message_id, d.wave, d.channel, d.tenant_id
  )
  INSERT INTO delivery_counts AS c (message_id, wave, channel, slot, tenant_id, attempting, unknown)
  SELECT message_id, wave, channel, 0, tenant_id, -count(*), count(*) FROM moved GROUP BY message_id, wave, channel, tenant_id
  ON CONFLICT (message_id, wave, channel, slot) DO UPDATE SET attempting = c.attempting + excluded.attempting, unknown = c.unknown + excluded.unknown;
  UPDATE batches SET state = 'planned', lease_until = NULL, claimed_by = NULL, due_at = now() WHERE state = 'claimed';
  UPDATE waves w SET state = 'cancelled' FROM messages m
    WHERE m.id = w.message_id AND m.class = 'bulk' AND m.state = 'live' AND w.state = 'waiting' AND w.ordinal > 0;
  UPDATE messages SET state = 'stopped', stopped_at = now(), stopped_by = 'restore', completed_at = NULL WHERE class = 'bulk' AND state = 'live';
  PERFORM setval('messages_id_seq', nextval('messages_id_seq') + 1000000), setval('recipients_id_seq', nextval('recipients_id_seq') + 10000000);
END $$;

-- Only from admit(), with its rights.
REVOKE ALL ON FUNCTION stop_restored(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION stop_restored(text) TO muster_cross;

-- Lets a connection in, before anything else is asked on it. What a process remembers of this database tells a restore from
-- a restart: a dump has another server, database or table; files that were copied, another place; a database that went back,
-- a lower beat than somebody remembers. A new timeline is a restore to a point in time or a failover: it is a failover where
-- a process that was there before it says so (p_live), and has lost nothing.
CREATE FUNCTION admit(p_system text, p_database oid, p_timeline integer, p_beat bigint, p_live boolean, p_place text, p_tick boolean)
  RETURNS TABLE (system text, database oid, timeline integer, beat bigint, restored text)
  LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
#variable_conflict use_column
DECLARE
  i incarnation;
  now_system text := (SELECT s.system_identifier::text FROM pg_control_system() s);
  now_database oid := (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
  now_relation oid := 'incarnation'::regclass;
  now_timeline integer;
  remembers boolean := COALESCE(p_system = now_system AND p_database = now_database, false);
  vouches boolean;
  reason text;
BEGIN
  IF pg_is_in_recovery() THEN
    -- As a standby refuses a write: the caller waits and asks again.
    RAISE EXCEPTION 'the server is in recovery' USING ERRCODE = 'read_only_sql_transaction';
  END IF;
  now_timeline := ('x' || left(pg_walfile_name(pg_current_wal_insert_lsn()), 8))::bit(32)::integer;
  vouches := remembers AND p_live AND p_timeline <> now_timeline;
  SELECT * INTO i FROM incarnation;
  IF p_tick OR vouches OR (i.system, i.database, i.relation, i.timeline) IS DISTINCT FROM (now_system, now_database, now_relation, now_timeline)
    OR i.place IS DISTINCT FROM COALESCE(p_place, i.place) OR (remembers AND p_beat > i.beat) THEN
    SELECT * INTO i FROM incarnation FOR UPDATE;
    reason := CASE
      WHEN i.system IS NULL THEN NULL
      WHEN (i.system, i.database, i.relation) IS DISTINCT FROM (now_system, now_database, now_relation) THEN 'another_database'
      WHEN split_part(i.place, ' ', 1) <> split_part(p_place, ' ', 1) AND split_part(i.place, ' ', 2) <> split_part(p_place, ' ', 2) THEN 'copied_files'
      WHEN remembers AND p_beat > i.beat THEN 'went_back'
      WHEN i.timeline <> now_timeline AND NOT vouches THEN 'new_timeline'
    END;
    UPDATE incarnation n SET system = now_system, database = now_database, relation = now_relation, timeline = now_timeline, place = COALESCE(p_place, n.place),
      beat = GREATEST(n.beat, CASE WHEN remembers THEN p_beat ELSE 0 END) + (p_tick AND reason IS NULL)::integer, beat_at = clock_timestamp()
      RETURNING n.* INTO i;
    IF reason IS NOT NULL THEN
      PERFORM stop_restored(reason);
    ELSIF vouches THEN
      UPDATE installation SET stopped_at = NULL, stopped_by = NULL, stopped_reason = NULL WHERE stopped_by = 'restore' AND stopped_reason = 'new_timeline';
    END IF;
  END IF;
  RETURN QUERY SELECT i.system, i.database, i.timeline, i.beat, reason;
END $$;

-- Calls under way in the whole installation: what a stop of everything cannot call back.
CREATE FUNCTION calls_in_flight() RETURNS double precision LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT COALESCE(sum(c.attempting), 0)::float8 FROM messages m JOIN delivery_counts c ON c.message_id = m.id
  WHERE m.state = 'live' OR (m.state IN ('stopped', 'expired') AND m.completed_at IS NULL) $$;

-- Which of a worker's claims (parallel arrays) belong to something that is stopped or over: numbers from 1, nothing else.
CREATE FUNCTION stopped_claims(p_tenants integer[], p_messages bigint[], p_channels channel[]) RETURNS SETOF bigint
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  SELECT c.n FROM unnest(p_tenants, p_messages, p_channels) WITH ORDINALITY c(tenant_id, message_id, channel, n)
  JOIN messages m ON m.tenant_id = c.tenant_id AND m.id = c.message_id JOIN tenants t ON t.tenant_id = c.tenant_id CROSS JOIN installation i
  WHERE m.state <> 'live' OR i.stopped_at IS NOT NULL OR t.stopped_at IS NOT NULL OR t.suspended_at IS NOT NULL OR c.channel = ANY (t.stopped_channels) $$;

-- Counts for the metrics page, over all tenants: no ids, no content.
CREATE FUNCTION operation_facts()
  RETURNS TABLE (name text, lane message_class, label text, value double precision)
  LANGUAGE sql SECURITY DEFINER STABLE SET search_path = public AS $$
  (SELECT 'delivery_state', m.class, s.state, sum(s.n)::float8 FROM messages m JOIN delivery_counts c ON c.message_id = m.id
    CROSS JOIN LATERAL (VALUES ('pending', c.pending), ('attempting', c.attempting), ('accepted', c.accepted), ('unknown', c.unknown), ('delivered', c.delivered),
      ('failed', c.failed), ('expired', c.expired), ('cancelled', c.cancelled), ('unresolved', c.unresolved)) s(state, n)
    WHERE m.state = 'live' GROUP BY m.class, s.state)
  UNION ALL
  (SELECT 'oldest_due_seconds', l.lane, '', COALESCE((SELECT extract(epoch FROM now() - min(b.due_at))::float8 FROM batches b
    WHERE b.state = 'planned' AND b.lane = l.lane AND b.due_at <= now()), 0) FROM unnest(enum_range(NULL::message_class)) l(lane))
  UNION ALL
  (SELECT 'messages_live', m.class, '', count(*)::float8 FROM messages m WHERE m.state = 'live' GROUP BY m.class)
  UNION ALL
  (SELECT 'senders_stopped', NULL, s.channel::text, count(*)::float8 FROM senders s WHERE s.stopped_at IS NOT NULL GROUP BY s.channel)
  UNION ALL
  (SELECT 'senders_failing', NULL, s.channel::text, count(*)::float8 FROM senders s WHERE s.stopped_at IS NULL AND s.breaker_opened_at IS NOT NULL
    -- asked, or to be asked, a moment ago: one that nobody needs is no alarm
    AND s.breaker_probe_at > now() - interval '5 minutes' GROUP BY s.channel) $$;

-- Whether a person was called for so many of these messages within the hour. A function, so that the mark, which asks it
-- for few tenants, does not plan it for all. Marks that ask it wait for each other, tenant by tenant, and VOLATILE makes it
-- see what was committed while it waited: marks of several messages at the same moment would all count the same calls. 500 people against 10
-- messages: 31 ms, 27 without the wait, the same 20,890 pages; nothing where fewer messages went out than the ceiling.
CREATE FUNCTION over_ceiling(p_messages bigint[], p_recipient_id bigint, p_ceiling integer) RETURNS boolean
  LANGUAGE plpgsql VOLATILE AS $$
BEGIN
  PERFORM pg_advisory_xact_lock(hashtext('over_ceiling'), app_tenant());
  RETURN p_ceiling <= (SELECT count(*) FROM (
    SELECT 1 FROM unnest(p_messages) x(id) WHERE EXISTS (SELECT 1 FROM deliveries d
      WHERE d.message_id = x.id AND d.recipient_id = p_recipient_id AND d.attempts > 0 AND d.marked_at > now() - interval '1 hour')
    LIMIT p_ceiling) called);
END $$;

-- Answers are kept for ever and cannot be changed. What an erased person wrote beside them goes, and nobody else's.
GRANT SELECT ON answer_events TO muster_cross;
GRANT UPDATE (note) ON answer_events TO muster_cross;
GRANT SELECT (tenant_id, id, erased_at) ON recipients TO muster_cross;
CREATE FUNCTION forget_notes(p_recipient_id bigint) RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
  UPDATE answer_events e SET note = NULL FROM recipients r
  WHERE r.tenant_id = app_tenant() AND r.id = p_recipient_id AND r.erased_at IS NOT NULL
    AND e.tenant_id = r.tenant_id AND e.recipient_id = r.id AND e.note IS NOT NULL $$;

CREATE FUNCTION forget_old() RETURNS void LANGUAGE sql SECURITY DEFINER SET search_path = public AS $$
  DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours';
  DELETE FROM share_visits WHERE day < current_date - 1;
  -- An address that somebody gave and never confirmed; whoever confirmed it is a recipient.
  DELETE FROM pending_joins WHERE expires_at < now() - interval '1 day';
  DELETE FROM sessions WHERE expires_at < now() OR last_seen_at < now() - interval '30 minutes' $$;

DO $$
DECLARE f regprocedure;
BEGIN
  FOR f IN SELECT p.oid::regprocedure FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname = 'public' AND p.prosecdef
  LOOP
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', f);
    EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO muster_api, muster_worker', f);
    IF f::text NOT LIKE 'ensure_delivery_partition%' THEN EXECUTE format('ALTER FUNCTION %s OWNER TO muster_cross', f); END IF;
  END LOOP;
END $$;
