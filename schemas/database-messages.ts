import type { ColumnType, Generated, GeneratedAlways } from 'kysely';
import type { Id, Json, NullableTime, Time } from './database-columns.ts';
import type { Wording } from './wording.ts';
import type { AnswerWay, Channel, DeliveryState, MessageClass, MessageState } from './delivery.ts';

export interface MessagesTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  class: MessageClass;
  drill: Generated<boolean>;
  state: Generated<MessageState>;
  kind: Generated<'original' | 'correction' | 'all_clear' | 'join'>;
  follows_id: Id | null;
  title: string | null;
  text: Json<Record<string, string>>;
  denies_drill: GeneratedAlways<boolean>;
  said: ColumnType<Wording | null, string | null | undefined, string | null>;
  says_all: GeneratedAlways<boolean>;
  fallback_locale: string;
  answers: Json<{ key: string; label: string; counts?: boolean }[]>;
  share: Generated<boolean>;
  audience: Json<unknown>;
  channels: Json<unknown>;
  audience_count: Id | null;
  audience_hash: Id | null;
  audience_max_id: Id | null;
  frozen_count: Generated<Id>;
  frozen_hash: Generated<Id>;
  mark: Generated<string>;
  cap: ColumnType<unknown, string | null | undefined, string | null>;
  expires_at: NullableTime;
  start_at: NullableTime;
  created_at: GeneratedAlways<Date>;
  created_by: string;
  changed_by: Generated<string[]>;
  approved_at: NullableTime;
  approved_by: string | null;
  approval_needed: Generated<boolean>;
  returned: 'missed_start' | 'audience_changed' | 'empty_audience' | null;
  launched_at: NullableTime;
  launched_by: string | null;
  first_call_at: NullableTime;
  last_call_at: NullableTime;
  completed_at: NullableTime;
  stopped_at: NullableTime;
  stopped_by: string | null;
  forecast: ColumnType<unknown, string | null | undefined, string | null>;
}

export interface WavesTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  message_id: Id;
  ordinal: number;
  channels: Channel[];
  mode: 'first' | 'parallel';
  selects: 'all' | 'not_answered' | 'not_reached' | 'reached' | 'ids';
  recipient_ids: Id[] | null;
  due_at: Time;
  state: Generated<'waiting' | 'planning' | 'planned' | 'cancelled'>;
  cursor_id: Generated<Id>;
  planned: Generated<Id>;
  planned_at: NullableTime;
}

export interface BatchesTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  message_id: Id;
  wave: number;
  lane: MessageClass;
  channel: Channel;
  sender_id: number;
  from_id: Id;
  to_id: Id;
  ids: Id[];
  state: Generated<'planned' | 'claimed' | 'done'>;
  marked: Generated<number>;
  fence: Generated<number>;
  lease_until: NullableTime;
  claimed_by: string | null;
  due_at: Time;
  open_until: NullableTime;
  time_zone: string | null;
  crashes: Generated<number>;
}

export interface DeliveriesTable {
  message_id: Id;
  recipient_id: Id;
  channel: Channel;
  wave: number;
  tenant_id: number;
  sender_id: number | null;
  batch_id: Id | null;
  state: DeliveryState;
  attempts: Generated<number>;
  fence: Generated<number>;
  units: Generated<number>;
  marked_at: NullableTime;
  settled_at: NullableTime;
  next_at: NullableTime;
  provider_id: string | null;
  code: string | null;
}

export type DeliveryCountsTable = {
  message_id: Id;
  wave: number;
  channel: Channel;
  slot: number;
  tenant_id: number;
  units: Generated<Id>;
  settled_at: NullableTime;
} & { [S in DeliveryState]: Generated<Id> };

export interface TalliesTable {
  message_id: Id;
  kind: 'answer' | 'share' | 'visit' | 'join' | 'unread_bounce';
  key: string;
  slot: number;
  tenant_id: number;
  n: Generated<Id>;
}

export interface AnswersTable {
  message_id: Id;
  recipient_id: Id;
  tenant_id: number;
  first_key: string;
  first_at: Time;
  key: string;
  answered_at: Time;
  way: AnswerWay;
  eta_at: NullableTime;
  note: string | null;
  changes: Generated<number>;
}

export interface AnswerEventsTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  message_id: Id;
  recipient_id: Id;
  at: Time;
  key: string;
  way: AnswerWay;
  eta_at: NullableTime;
  note: string | null;
  dedup_key: string | null;
}

export interface InboundTextsTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  provider_id: string;
  sender_id: number;
  from_address: string;
  recipient_id: Id | null;
  message_id: Id | null;
  body: string;
  reply: Generated<string>;
  outcome: 'answer' | 'stop' | 'start' | 'help' | 'join' | 'unclear' | 'unmatched' | 'late';
  needs_human: Generated<boolean>;
  at: GeneratedAlways<Date>;
  handled_at: NullableTime;
  handled_by: string | null;
}

export interface JoinsTable {
  tenant_id: number;
  message_id: Id;
  recipient_id: Id;
  parent_id: Id;
  generation: number;
  channel: Channel;
  joined_at: GeneratedAlways<Date>;
}

export interface SharesTable {
  tenant_id: number;
  message_id: Id;
  parent_id: Id;
  generation: number;
  first_at: GeneratedAlways<Date>;
  visits: Generated<number>;
  joins: Generated<number>;
}

export interface ShareVisitsTable {
  tenant_id: number;
  message_id: Id;
  parent_id: Id;
  day: ColumnType<Date, string, string>;
  visitor: Buffer;
}

export interface PendingJoinsTable {
  tenant_id: number;
  id: GeneratedAlways<Id>;
  message_id: Id;
  parent_id: Id;
  channel: Channel;
  address: string;
  code: string;
  consent: MessageClass[];
  locale: string | null;
  created_at: GeneratedAlways<Date>;
  expires_at: Time;
  confirmed_at: NullableTime;
}
