-- Roles own nothing. The application connects and sets role muster_api or muster_worker;
-- muster_cross owns only the few functions that must look across tenants (claiming, resolving a token).
DO $$ BEGIN CREATE ROLE muster_api NOLOGIN NOBYPASSRLS; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE muster_worker NOLOGIN NOBYPASSRLS; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN CREATE ROLE muster_cross NOLOGIN NOBYPASSRLS; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$ BEGIN EXECUTE format('GRANT muster_api, muster_worker, muster_cross TO %I', current_user); EXCEPTION WHEN unique_violation THEN NULL; END $$;
GRANT USAGE ON SCHEMA public TO muster_api, muster_worker;
GRANT USAGE, CREATE ON SCHEMA public TO muster_cross;

CREATE TYPE channel AS ENUM ('push', 'sms', 'email');
CREATE TYPE message_class AS ENUM ('life', 'ops', 'bulk');
CREATE TYPE message_state AS ENUM ('draft', 'scheduled', 'live', 'completed', 'stopped', 'expired');
CREATE TYPE delivery_state AS ENUM ('pending', 'attempting', 'accepted', 'unknown', 'delivered', 'failed', 'expired', 'cancelled', 'unresolved');

-- The tenant of this transaction. NULLIF: after a SET LOCAL the setting reads '' and must fail closed.
CREATE FUNCTION app_tenant() RETURNS integer LANGUAGE sql STABLE PARALLEL SAFE
  AS $$ SELECT NULLIF(current_setting('app.tenant', true), '')::integer $$;

-- One row: facts of the whole installation. id_key seals public ids; it never changes.
CREATE TABLE installation (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  id_key bytea NOT NULL DEFAULT decode(replace(gen_random_uuid()::text, '-', ''), 'hex') CHECK (length(id_key) = 16),
  stopped_at timestamptz,
  stopped_by text,
  -- stopped_by = 'restore': how it was noticed
  stopped_reason text,
  created_at timestamptz NOT NULL DEFAULT now()
);
INSERT INTO installation DEFAULT VALUES;

-- One row: which life of which database this is, so that a restored backup is noticed: see admit().
CREATE TABLE incarnation (
  singleton boolean PRIMARY KEY DEFAULT true CHECK (singleton),
  -- of the server, of the database in it, and of this table: a dump brings the row along, and none of these
  system text,
  database oid,
  relation oid,
  timeline integer,
  -- file number and birth of the embedded server's data folder
  place text,
  -- raised by every process every few seconds; who remembers a higher one knows that the database went back
  beat bigint NOT NULL DEFAULT 0,
  beat_at timestamptz
);
INSERT INTO incarnation DEFAULT VALUES;

CREATE TABLE tenants (
  tenant_id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  name text NOT NULL,
  default_locale text NOT NULL DEFAULT 'en',
  default_country text NOT NULL DEFAULT 'US',
  -- IANA zone of people who have none of their own; NULL: nobody has said, times are told in UTC and say so
  time_zone text,
  -- who may send to how many, quiet hours and more: see domain/policy.ts and domain/quiet-hours.ts
  policy jsonb NOT NULL DEFAULT '{}',
  suspended_at timestamptz,
  stopped_at timestamptz,
  stopped_channels channel[] NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE users (
  tenant_id integer NOT NULL REFERENCES tenants,
  id bigint GENERATED ALWAYS AS IDENTITY,
  email text NOT NULL,
  name text NOT NULL,
  password_hash text NOT NULL,
  role text NOT NULL CHECK (role IN ('admin', 'coordinator', 'viewer')),
  -- may stop and release the whole installation, with every organisation on it
  operator boolean NOT NULL DEFAULT false,
  created_at timestamptz NOT NULL DEFAULT now(),
  disabled_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX users_email ON users (lower(email));

CREATE TABLE sessions (
  id_hash bytea PRIMARY KEY,
  tenant_id integer NOT NULL,
  user_id bigint NOT NULL,
  csrf_token text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_seen_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  FOREIGN KEY (tenant_id, user_id) REFERENCES users ON DELETE CASCADE
);

CREATE TABLE api_keys (
  tenant_id integer NOT NULL REFERENCES tenants,
  id bigint GENERATED ALWAYS AS IDENTITY,
  name text NOT NULL,
  key_hash bytea NOT NULL UNIQUE,
  mode text NOT NULL CHECK (mode IN ('live', 'test')),
  scopes text[] NOT NULL DEFAULT '{}',
  user_id bigint,
  created_at timestamptz NOT NULL DEFAULT now(),
  last_used_at timestamptz,
  expires_at timestamptz,
  revoked_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);

-- Something with a rate that messages leave from: a number, a short code, an SMTP relay, the push services.
CREATE TABLE senders (
  tenant_id integer NOT NULL REFERENCES tenants,
  id integer GENERATED ALWAYS AS IDENTITY,
  channel channel NOT NULL,
  name text NOT NULL,
  address text NOT NULL,
  classes message_class[] NOT NULL DEFAULT '{life,ops,bulk}',
  drill boolean NOT NULL DEFAULT false,
  -- the provider behind it is the simulator: test keys may use it
  simulated boolean NOT NULL DEFAULT false,
  -- which of the channel's provider accounts it uses; senders of one channel, class and drill stand in for each other
  account smallint NOT NULL DEFAULT 1 CHECK (account IN (1, 2)),
  -- NULL: as fast as the provider takes it. Units: SMS segments, else messages.
  units_per_second double precision CHECK (units_per_second > 0),
  -- 1 normally; lowered when the provider throttles, climbs back.
  throttle double precision NOT NULL DEFAULT 1 CHECK (throttle > 0 AND throttle <= 1),
  throttled_at timestamptz,
  next_free_at timestamptz NOT NULL DEFAULT now(),
  stopped_at timestamptz,
  stopped_reason text,
  -- the breaker, see domain/breaker.ts: failed calls in a row, the counted window, and since when it is open
  breaker_run integer NOT NULL DEFAULT 0,
  breaker_window_at timestamptz NOT NULL DEFAULT 'epoch',
  breaker_calls integer NOT NULL DEFAULT 0,
  breaker_failed integer NOT NULL DEFAULT 0,
  breaker_opened_at timestamptz,
  breaker_code text,
  breaker_probes smallint NOT NULL DEFAULT 0,
  breaker_probe_at timestamptz NOT NULL DEFAULT 'epoch',
  breaker_life_probe_at timestamptz NOT NULL DEFAULT 'epoch',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX senders_address ON senders (channel, address);

CREATE TABLE recipients (
  tenant_id integer NOT NULL REFERENCES tenants,
  id bigint GENERATED ALWAYS AS IDENTITY,
  external_id text,
  name text,
  phone text,
  -- always lower case: under row-level security lower() is not leakproof, so an index on lower(email) is never used
  email text CHECK (email = lower(email)),
  locale text,
  time_zone text,
  lat double precision,
  lon double precision,
  tags text[] NOT NULL DEFAULT '{}',
  skills text[] NOT NULL DEFAULT '{}',
  -- purposes agreed to; NULL: never asked (allowed for life and ops, not for bulk)
  consent message_class[],
  -- live push subscriptions, kept here so that planning needs no join
  push_count smallint NOT NULL DEFAULT 0,
  phone_invalid_at timestamptz,
  email_invalid_at timestamptz,
  -- who brought this person, and how far from the first broadcast
  parent_id bigint,
  generation smallint NOT NULL DEFAULT 0,
  origin text NOT NULL DEFAULT 'import' CHECK (origin IN ('import', 'api', 'share')),
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  erased_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX recipients_external_id ON recipients (tenant_id, external_id) WHERE external_id IS NOT NULL;
CREATE UNIQUE INDEX recipients_phone ON recipients (tenant_id, phone) WHERE phone IS NOT NULL;
CREATE UNIQUE INDEX recipients_email ON recipients (tenant_id, email) WHERE email IS NOT NULL;

CREATE TABLE push_subscriptions (
  tenant_id integer NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  recipient_id bigint NOT NULL,
  endpoint text NOT NULL,
  p256dh text NOT NULL,
  auth text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, endpoint),
  FOREIGN KEY (tenant_id, recipient_id) REFERENCES recipients ON DELETE CASCADE
);
CREATE INDEX push_subscriptions_recipient ON push_subscriptions (tenant_id, recipient_id);

-- Never send from this sender to this address again (until START / renewed consent).
CREATE TABLE suppressions (
  tenant_id integer NOT NULL,
  sender_id integer NOT NULL,
  address text NOT NULL,
  reason text NOT NULL CHECK (reason IN ('opted_out', 'no_mailbox', 'complaint', 'manual')),
  source text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, sender_id, address),
  FOREIGN KEY (tenant_id, sender_id) REFERENCES senders
);

-- Addresses of erased people, as HMAC, so that an import does not bring them back.
CREATE TABLE erasures (
  tenant_id integer NOT NULL REFERENCES tenants,
  address_hash bytea NOT NULL,
  erased_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, address_hash)
);

-- One row per import that was read to its end. Nothing of the file is kept but where it was wrong: line, field and code.
CREATE TABLE imports (
  tenant_id integer NOT NULL REFERENCES tenants,
  id bigint GENERATED ALWAYS AS IDENTITY,
  finished_at timestamptz NOT NULL DEFAULT now(),
  imported_by text NOT NULL,
  created integer NOT NULL,
  updated integer NOT NULL,
  unchanged integer NOT NULL,
  merged integer NOT NULL,
  rejected integer NOT NULL,
  -- of the rejected: people who were erased, and rightly are not here
  erased integer NOT NULL,
  -- the first hundred: [{line, field, code}]
  rejected_rows jsonb NOT NULL,
  acknowledged_at timestamptz,
  acknowledged_by text,
  PRIMARY KEY (tenant_id, id)
);
CREATE INDEX imports_age ON imports (tenant_id, finished_at);
-- What a launch asks about.
CREATE INDEX imports_open ON imports (tenant_id, finished_at) WHERE acknowledged_at IS NULL AND rejected > erased;

-- Whether a title, a text or what is said with it says that it is no drill, in the languages that Muster speaks itself: the same as
-- domain/drill-text.ts. Both cases of letters outside ASCII are named: the C locale folds no others.
CREATE FUNCTION denies_drill(p_title text, p_text jsonb, p_said jsonb DEFAULT NULL) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
  SELECT COALESCE(bool_or(words ~* replace(
    '\y(?:not|isn[''’]?t)_an?_(?:drill|exercise)\y|\ykeine?_(?:[üÜ]bung|probe(?:alarm)?)\y|\y(?:pas|n[''’]est)_(?:pas_)?un_exercice\y|\yno_es_(?:un|ning[úÚ]n)_(?:simulacro|ejercicio)\y',
    '_', '[\s\u00a0\u2009\u202f]+')), false)
  FROM (SELECT p_title AS words UNION ALL SELECT value FROM jsonb_each_text(p_text)
    UNION ALL SELECT w.value FROM jsonb_each(COALESCE(p_said, '{}')) l, jsonb_each_text(l.value) w) given $$;

-- Whether every text of a message has its words for whom, where, what to do and who issues it.
CREATE FUNCTION says_all(text jsonb, said jsonb) RETURNS boolean LANGUAGE sql IMMUTABLE PARALLEL SAFE
  RETURN (SELECT COALESCE(bool_and(COALESCE(said -> locale ?& '{who,where,instruction,issuer}'::text[], false)), false) FROM jsonb_object_keys(text) AS locale);

CREATE TABLE messages (
  tenant_id integer NOT NULL REFERENCES tenants,
  id bigint GENERATED ALWAYS AS IDENTITY,
  class message_class NOT NULL,
  drill boolean NOT NULL DEFAULT false,
  state message_state NOT NULL DEFAULT 'draft',
  -- original, or what it does to the message it follows
  kind text NOT NULL DEFAULT 'original' CHECK (kind IN ('original', 'correction', 'all_clear', 'join')),
  follows_id bigint,
  title text,
  text jsonb NOT NULL,
  -- per locale: who, where, instruction, issuer
  said jsonb,
  -- read by the mark; decided where the words are written, so that nothing that changes them can leave it out
  denies_drill boolean NOT NULL GENERATED ALWAYS AS (drill AND denies_drill(title, text, said)) STORED,
  says_all boolean NOT NULL GENERATED ALWAYS AS (says_all(text, said)) STORED,
  fallback_locale text NOT NULL,
  answers jsonb NOT NULL DEFAULT '[]',
  share boolean NOT NULL DEFAULT false,
  audience jsonb NOT NULL,
  channels jsonb NOT NULL,
  -- frozen at launch: people, order-independent hash of their ids, and the highest recipient id then
  audience_count bigint,
  audience_hash bigint,
  audience_max_id bigint,
  -- what the planner really froze; differs from the above only if something is wrong
  frozen_count bigint NOT NULL DEFAULT 0,
  frozen_hash bigint NOT NULL DEFAULT 0,
  -- short mark in the text by which a person recognises a double
  mark text NOT NULL DEFAULT '',
  cap jsonb,
  expires_at timestamptz,
  start_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  -- who changed the draft since: they are its authors too, and cannot approve it
  changed_by text[] NOT NULL DEFAULT '{}',
  approved_at timestamptz,
  approved_by text,
  -- decided at launch; the mark refuses a message whose approval is needed and gone
  approval_needed boolean NOT NULL DEFAULT false,
  -- why a scheduled start was not made, and it is a draft again
  returned text CHECK (returned IN ('missed_start', 'audience_changed', 'empty_audience')),
  launched_at timestamptz,
  launched_by text,
  first_call_at timestamptz,
  last_call_at timestamptz,
  completed_at timestamptz,
  stopped_at timestamptz,
  stopped_by text,
  forecast jsonb,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (id)
);
CREATE INDEX messages_list ON messages (tenant_id, id DESC);
-- One draft per CAP alert, however often it is posted.
CREATE UNIQUE INDEX messages_cap ON messages (tenant_id, (cap ->> 'sender'), (cap ->> 'identifier'), (cap ->> 'sent')) WHERE cap IS NOT NULL;
CREATE INDEX messages_open ON messages (state, start_at) WHERE state IN ('scheduled', 'live');
-- stopped or expired, with rows that still have to be closed
CREATE INDEX messages_closing ON messages (id) WHERE state IN ('stopped', 'expired') AND completed_at IS NULL;
-- For the ceiling per person and hour: messages whose calls may lie within it.
CREATE INDEX messages_recent ON messages (tenant_id, (COALESCE(completed_at, 'infinity'::timestamptz))) WHERE launched_at IS NOT NULL;
-- For the largest message so far.
CREATE INDEX messages_largest ON messages (tenant_id, drill, audience_count) WHERE launched_at IS NOT NULL AND kind = 'original';
CREATE INDEX messages_follows ON messages (tenant_id, follows_id) WHERE follows_id IS NOT NULL;

CREATE TABLE waves (
  tenant_id integer NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  message_id bigint NOT NULL,
  ordinal smallint NOT NULL,
  channels channel[] NOT NULL,
  mode text NOT NULL CHECK (mode IN ('first', 'parallel')),
  selects text NOT NULL CHECK (selects IN ('all', 'not_answered', 'not_reached', 'reached', 'ids')),
  -- for selects = 'ids': people added after planning (joins)
  recipient_ids bigint[],
  due_at timestamptz NOT NULL,
  state text NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'planning', 'planned', 'cancelled')),
  -- keyset position of the planner
  cursor_id bigint NOT NULL DEFAULT 0,
  planned bigint NOT NULL DEFAULT 0,
  planned_at timestamptz,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, message_id, ordinal),
  FOREIGN KEY (tenant_id, message_id) REFERENCES messages
);
CREATE INDEX waves_due ON waves (due_at) WHERE state IN ('waiting', 'planning');

-- A contiguous range of recipient ids and, inside it, the exact people. The arrays together are the frozen audience.
CREATE TABLE batches (
  tenant_id integer NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  message_id bigint NOT NULL,
  wave smallint NOT NULL,
  lane message_class NOT NULL,
  channel channel NOT NULL,
  sender_id integer NOT NULL,
  from_id bigint NOT NULL,
  to_id bigint NOT NULL,
  ids bigint[] NOT NULL,
  state text NOT NULL DEFAULT 'planned' CHECK (state IN ('planned', 'claimed', 'done')),
  -- position in ids up to which people have a delivery row
  marked integer NOT NULL DEFAULT 0,
  fence integer NOT NULL DEFAULT 0,
  lease_until timestamptz,
  claimed_by text,
  due_at timestamptz NOT NULL DEFAULT now(),
  -- only where quiet hours apply: nobody is marked from then on, and the zone that says when it goes on ('' the tenant's)
  open_until timestamptz,
  time_zone text,
  -- claims that ended without a settle; slices shrink with each
  crashes smallint NOT NULL DEFAULT 0,
  PRIMARY KEY (tenant_id, id)
) WITH (fillfactor = 70);
-- beside the row, as it is: packing 500 ids took 0.2 ms, and each mark and claim wrote them again with the row
ALTER TABLE batches ALTER COLUMN ids SET STORAGE EXTERNAL;
CREATE INDEX batches_planned ON batches (lane, tenant_id, due_at, id) WHERE state = 'planned';
-- Not by lease: each mark moves it, and a column of an index makes that an entry in every index. Few are claimed at any time.
CREATE INDEX batches_claimed ON batches (lane, tenant_id) WHERE state = 'claimed';
CREATE INDEX batches_message ON batches (message_id, state);

CREATE TABLE deliveries (
  message_id bigint NOT NULL,
  recipient_id bigint NOT NULL,
  channel channel NOT NULL,
  wave smallint NOT NULL,
  tenant_id integer NOT NULL,
  sender_id integer,
  batch_id bigint,
  state delivery_state NOT NULL,
  attempts smallint NOT NULL DEFAULT 0,
  fence integer NOT NULL DEFAULT 0,
  units smallint NOT NULL DEFAULT 0,
  marked_at timestamptz,
  settled_at timestamptz,
  -- pending: not before; unknown: look again at
  next_at timestamptz,
  provider_id text,
  -- raw code of the provider, or our own reason
  code text,
  PRIMARY KEY (message_id, recipient_id, channel, wave),
  -- what waits has a time, or the index below would not find it
  CHECK (next_at IS NOT NULL OR state NOT IN ('pending', 'unknown'))
) PARTITION BY RANGE (message_id);
-- Few rows wait at any time, so this index stays small however large the table is. Not by state: a column of an index,
-- also of its WHERE, makes each change of it a new entry in every index, and each settle changes the state.
CREATE INDEX deliveries_waiting ON deliveries (batch_id) WHERE next_at IS NOT NULL;

-- Counts per state, spread over slots so that workers do not queue on one row. pending includes people not yet marked.
CREATE TABLE delivery_counts (
  message_id bigint NOT NULL,
  wave smallint NOT NULL,
  channel channel NOT NULL,
  slot smallint NOT NULL,
  tenant_id integer NOT NULL,
  pending bigint NOT NULL DEFAULT 0,
  attempting bigint NOT NULL DEFAULT 0,
  accepted bigint NOT NULL DEFAULT 0,
  unknown bigint NOT NULL DEFAULT 0,
  delivered bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  expired bigint NOT NULL DEFAULT 0,
  cancelled bigint NOT NULL DEFAULT 0,
  unresolved bigint NOT NULL DEFAULT 0,
  units bigint NOT NULL DEFAULT 0,
  -- when an outcome was last written
  settled_at timestamptz,
  PRIMARY KEY (message_id, wave, channel, slot)
) WITH (fillfactor = 50);

-- Every other count of a message: answers per key, share page visits, joins per generation.
CREATE TABLE tallies (
  message_id bigint NOT NULL,
  kind text NOT NULL CHECK (kind IN ('answer', 'share', 'visit', 'join')),
  key text NOT NULL,
  slot smallint NOT NULL,
  tenant_id integer NOT NULL,
  n bigint NOT NULL DEFAULT 0,
  PRIMARY KEY (message_id, kind, key, slot)
) WITH (fillfactor = 50);

-- The answer in force. first_key and first_at never change.
CREATE TABLE answers (
  message_id bigint NOT NULL,
  recipient_id bigint NOT NULL,
  tenant_id integer NOT NULL,
  first_key text NOT NULL,
  first_at timestamptz NOT NULL,
  key text NOT NULL,
  answered_at timestamptz NOT NULL,
  way text NOT NULL CHECK (way IN ('page', 'sms', 'push')),
  eta_at timestamptz,
  note text,
  changes integer NOT NULL DEFAULT 0,
  PRIMARY KEY (message_id, recipient_id)
);
CREATE INDEX answers_list ON answers (message_id, answered_at DESC);
-- Few write a note; an erasure must find them all.
CREATE INDEX answers_notes ON answers (tenant_id, recipient_id) WHERE note IS NOT NULL;

-- Every answer as it came, kept for ever. dedup_key: MessageSid for SMS, so that a repeated webhook answers once.
CREATE TABLE answer_events (
  tenant_id integer NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  message_id bigint NOT NULL,
  recipient_id bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT now(),
  key text NOT NULL,
  way text NOT NULL,
  eta_at timestamptz,
  note text,
  dedup_key text,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX answer_events_dedup ON answer_events (tenant_id, dedup_key) WHERE dedup_key IS NOT NULL;
CREATE INDEX answer_events_person ON answer_events (message_id, recipient_id);
CREATE INDEX answer_events_notes ON answer_events (tenant_id, recipient_id) WHERE note IS NOT NULL;

-- Inbound texts that a person in charge may have to read: unreadable, unmatched, or a reserved word amid a life message.
CREATE TABLE inbound_texts (
  tenant_id integer NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  provider_id text NOT NULL,
  sender_id integer NOT NULL,
  from_address text NOT NULL,
  recipient_id bigint,
  message_id bigint,
  body text NOT NULL,
  -- what we answered, so that a repeated webhook gets the same; '' for nothing
  reply text NOT NULL DEFAULT '',
  outcome text NOT NULL CHECK (outcome IN ('answer', 'stop', 'start', 'help', 'join', 'unclear', 'unmatched', 'late')),
  needs_human boolean NOT NULL DEFAULT false,
  at timestamptz NOT NULL DEFAULT now(),
  handled_at timestamptz,
  handled_by text,
  PRIMARY KEY (tenant_id, id),
  UNIQUE (tenant_id, provider_id)
);
CREATE INDEX inbound_texts_human ON inbound_texts (tenant_id, at DESC) WHERE needs_human AND handled_at IS NULL;
CREATE INDEX inbound_texts_message ON inbound_texts (tenant_id, message_id);
CREATE INDEX inbound_texts_from ON inbound_texts (tenant_id, from_address, at DESC);

-- Who passed it to whom. A row exists once the new person confirmed for himself.
CREATE TABLE joins (
  tenant_id integer NOT NULL,
  message_id bigint NOT NULL,
  recipient_id bigint NOT NULL,
  parent_id bigint NOT NULL,
  generation smallint NOT NULL,
  channel channel NOT NULL,
  joined_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (message_id, recipient_id)
);
CREATE INDEX joins_parent ON joins (message_id, parent_id);

-- A person is a sharer once somebody visited or joined through his link.
CREATE TABLE shares (
  tenant_id integer NOT NULL,
  message_id bigint NOT NULL,
  parent_id bigint NOT NULL,
  generation smallint NOT NULL,
  first_at timestamptz NOT NULL DEFAULT now(),
  visits integer NOT NULL DEFAULT 0,
  joins integer NOT NULL DEFAULT 0,
  PRIMARY KEY (message_id, parent_id)
);

-- Visitors of a day as HMAC under that day's name, kept two days, only so that one visitor counts once a day.
CREATE TABLE share_visits (
  tenant_id integer NOT NULL,
  message_id bigint NOT NULL,
  parent_id bigint NOT NULL,
  day date NOT NULL,
  visitor bytea NOT NULL,
  PRIMARY KEY (message_id, parent_id, day, visitor)
);
CREATE INDEX share_visits_day ON share_visits (day);

-- Asked to join by e-mail, not yet confirmed (second half of the double opt-in). One row per message and address.
CREATE TABLE pending_joins (
  tenant_id integer NOT NULL,
  id bigint GENERATED ALWAYS AS IDENTITY,
  message_id bigint NOT NULL,
  parent_id bigint NOT NULL,
  channel channel NOT NULL,
  address text NOT NULL,
  -- fingerprint (HMAC) of message and address: asking again renews this row
  code text NOT NULL,
  consent message_class[] NOT NULL,
  locale text,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  confirmed_at timestamptz,
  PRIMARY KEY (tenant_id, id)
);
CREATE UNIQUE INDEX pending_joins_code ON pending_joins (tenant_id, code);
CREATE INDEX pending_joins_parent ON pending_joins (tenant_id, message_id, parent_id, created_at);

CREATE TABLE idempotency_keys (
  tenant_id integer NOT NULL REFERENCES tenants,
  key text NOT NULL,
  request_hash bytea NOT NULL,
  status smallint,
  headers jsonb,
  body text,
  created_at timestamptz NOT NULL DEFAULT now(),
  locked_until timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key)
);
CREATE INDEX idempotency_keys_age ON idempotency_keys (created_at);

CREATE TABLE audit_log (
  tenant_id integer NOT NULL REFERENCES tenants,
  seq bigint NOT NULL,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  actor text NOT NULL,
  action text NOT NULL,
  object text NOT NULL,
  detail jsonb NOT NULL DEFAULT '{}',
  prev_hash bytea NOT NULL,
  hash bytea NOT NULL,
  PRIMARY KEY (tenant_id, seq)
);

-- Row-level security on everything that has a tenant.
DO $$
DECLARE t text;
BEGIN
  FOR t IN SELECT c.relname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p') AND NOT c.relispartition AND EXISTS
      (SELECT 1 FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'tenant_id')
  LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant_isolation ON %I USING (tenant_id = (SELECT app_tenant())) WITH CHECK (tenant_id = (SELECT app_tenant()))', t);
    EXECUTE format('CREATE POLICY across ON %I TO muster_cross USING (true) WITH CHECK (true)', t);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO muster_api, muster_worker', t);
  END LOOP;
END $$;
REVOKE UPDATE, DELETE ON audit_log, answer_events FROM muster_api, muster_worker;
GRANT SELECT ON installation TO muster_api, muster_worker;
GRANT UPDATE (stopped_at, stopped_by, stopped_reason) ON installation TO muster_api;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO muster_api, muster_worker;
