import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { Id, NullableTime, Time } from './database-columns.ts';
import type {
  MessagesTable,
  WavesTable,
  BatchesTable,
  DeliveriesTable,
  DeliveryCountsTable,
  TalliesTable,
  AnswersTable,
  AnswerEventsTable,
  InboundTextsTable,
  JoinsTable,
  SharesTable,
  ShareVisitsTable,
  PendingJoinsTable,
} from './database-messages.ts';
import type { Channel, MessageClass, UserRole } from './delivery.ts';

export type { InboundTextsTable, MessagesTable } from './database-messages.ts';

export interface InstallationTable {
  singleton: GeneratedAlways<boolean>;
  id_key: GeneratedAlways<Buffer>;
  stopped_at: NullableTime;
  stopped_by: string | null;
  stopped_reason: string | null;
  created_at: GeneratedAlways<Date>;
}

/** Which life of which database this is; written by `admit()` alone. */
export interface IncarnationTable {
  singleton: Generated<boolean>;
  system: string | null;
  database: number | null;
  relation: number | null;
  timeline: number | null;
  place: string | null;
  beat: Generated<Id>;
  beat_at: NullableTime;
}

export interface TenantsTable {
  tenant_id: GeneratedAlways<number>;
  name: string;
  default_locale: Generated<string>;
  default_country: Generated<string>;
  time_zone: string | null;
  policy: ColumnType<Record<string, unknown>, string | undefined, string>;
  suspended_at: NullableTime;
  stopped_at: NullableTime;
  stopped_channels: Generated<Channel[]>;
  created_at: GeneratedAlways<Date>;
}

export interface UsersTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  email: string;
  name: string;
  password_hash: string;
  role: UserRole;
  operator: Generated<boolean>;
  created_at: GeneratedAlways<Date>;
  disabled_at: NullableTime;
}

export interface SessionsTable {
  id_hash: Buffer;
  tenant_id: number;
  user_id: Id;
  csrf_token: string;
  created_at: GeneratedAlways<Date>;
  last_seen_at: Time;
  expires_at: Time;
}

export interface ApiKeysTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  name: string;
  key_hash: Buffer;
  mode: 'live' | 'test';
  scopes: Generated<string[]>;
  user_id: Id | null;
  created_at: GeneratedAlways<Date>;
  last_used_at: NullableTime;
  expires_at: NullableTime;
  revoked_at: NullableTime;
}

export interface SendersTable {
  tenant_id: number;
  id: GeneratedAlways<number>;
  channel: Channel;
  name: string;
  address: string;
  classes: Generated<MessageClass[]>;
  drill: Generated<boolean>;
  simulated: Generated<boolean>;
  account: Generated<number>;
  units_per_second: number | null;
  throttle: Generated<number>;
  throttled_at: NullableTime;
  next_free_at: Time;
  stopped_at: NullableTime;
  stopped_reason: string | null;
  breaker_run: Generated<number>;
  breaker_window_at: Time;
  breaker_calls: Generated<number>;
  breaker_failed: Generated<number>;
  breaker_opened_at: NullableTime;
  breaker_code: string | null;
  breaker_probes: Generated<number>;
  breaker_probe_at: Time;
  breaker_life_probe_at: Time;
  created_at: GeneratedAlways<Date>;
}

export interface RecipientsTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  external_id: string | null;
  name: string | null;
  phone: string | null;
  email: string | null;
  locale: string | null;
  time_zone: string | null;
  lat: number | null;
  lon: number | null;
  tags: Generated<string[]>;
  skills: Generated<string[]>;
  consent: MessageClass[] | null;
  push_count: Generated<number>;
  phone_invalid_at: NullableTime;
  email_invalid_at: NullableTime;
  parent_id: Id | null;
  generation: Generated<number>;
  origin: Generated<'import' | 'api' | 'share'>;
  created_at: GeneratedAlways<Date>;
  updated_at: Time;
  erased_at: NullableTime;
}

export interface PushSubscriptionsTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  recipient_id: Id;
  endpoint: string;
  p256dh: string;
  auth: string;
  created_at: GeneratedAlways<Date>;
}

export interface SuppressionsTable {
  tenant_id: number;
  sender_id: number;
  address: string;
  reason: 'opted_out' | 'no_mailbox' | 'complaint' | 'manual';
  source: string;
  created_at: GeneratedAlways<Date>;
}

export interface ErasuresTable {
  tenant_id: number;
  address_hash: Buffer;
  erased_at: GeneratedAlways<Date>;
}

export interface ImportsTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  finished_at: Generated<Date>;
  imported_by: string;
  created: number;
  updated: number;
  unchanged: number;
  merged: number;
  rejected: number;
  erased: number;
  rejected_rows: ColumnType<{ line: number; field: string; code: string }[], string, never>;
  acknowledged_at: NullableTime;
  acknowledged_by: string | null;
}

export interface IdempotencyKeysTable {
  tenant_id: number;
  key: string;
  request_hash: Buffer;
  status: number | null;
  headers: ColumnType<Record<string, string> | null, string | null | undefined, string | null>;
  body: string | null;
  created_at: GeneratedAlways<Date>;
  locked_until: Time;
}

export interface AuditLogTable {
  tenant_id: number;
  seq: Id;
  at: GeneratedAlways<Date>;
  actor: string;
  action: string;
  object: string;
  detail: ColumnType<Record<string, unknown>, string, never>;
  prev_hash: Buffer;
  hash: Buffer;
}

/** Every table, as Kysely sees it. Held against the real schema by a test. */
export interface Schema {
  installation: InstallationTable;
  incarnation: IncarnationTable;
  tenants: TenantsTable;
  users: UsersTable;
  sessions: SessionsTable;
  api_keys: ApiKeysTable;
  senders: SendersTable;
  recipients: RecipientsTable;
  push_subscriptions: PushSubscriptionsTable;
  suppressions: SuppressionsTable;
  erasures: ErasuresTable;
  imports: ImportsTable;
  messages: MessagesTable;
  waves: WavesTable;
  batches: BatchesTable;
  deliveries: DeliveriesTable;
  delivery_counts: DeliveryCountsTable;
  tallies: TalliesTable;
  answers: AnswersTable;
  answer_events: AnswerEventsTable;
  inbound_texts: InboundTextsTable;
  joins: JoinsTable;
  shares: SharesTable;
  share_visits: ShareVisitsTable;
  pending_joins: PendingJoinsTable;
  idempotency_keys: IdempotencyKeysTable;
  audit_log: AuditLogTable;
}
