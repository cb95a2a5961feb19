import { type ClaimedBatch, releaseBatch, renewLease } from '#db/delivery/claim-batch.ts';
import type { Database } from '#db/database.ts';
import { type MarkedPerson, warmUpMark } from '#db/delivery/mark-slice.ts';
import { noteCalls } from '#db/delivery/note-calls.ts';
import { settleSlice } from '#db/delivery/settle-slice.ts';
import { LANGUAGES } from '#render/words.ts';
import { CHANNELS, type MessageClass } from '#schemas/delivery.ts';
import { warmUpComplete } from '#services/planning/complete-message.ts';
import { notifyProgress } from '#services/context.ts';
import { type PlanFacts, warmUpFacts } from './plan-facts.ts';
import type { SendPlans } from './send-plan.ts';

/** A batch of no organisation. */
const batchOf = (lane: MessageClass): Omit<ClaimedBatch, 'channel'> => ({
  tenantId: 0,
  id: '0',
  messageId: '0',
  wave: 0,
  lane,
  senderId: 0,
  fromId: '0',
  toId: '0',
  ids: ['0'],
  marked: 0,
  fence: 0,
  crashes: 0,
  health: 'well',
});

const factsOf = (lane: MessageClass): PlanFacts => ({
  class: lane,
  drill: true,
  kind: 'original',
  mark: 'A0',
  title: 'Title',
  text: Object.fromEntries(LANGUAGES.map((locale) => [locale, 'Text {{first_name}} {{link}}'])),
  said: Object.fromEntries(LANGUAGES.map((locale) => [locale, { who: 'Who', where: 'Where', instruction: 'What', issuer: 'Who' }])),
  fallback_locale: 'en',
  answers: [{ key: 'yes', label: 'Yes', counts: true }],
  share: true,
  expires_at: new Date(3_600_000),
  now: new Date(0),
  root_id: '0',
  tenant_name: 'Name',
  default_locale: 'en',
  tenant_zone: null,
  sender_id: 0,
  address: '',
  account: 1,
  units_per_second: null,
  others: [],
});

const PEOPLE: readonly MarkedPerson[] = LANGUAGES.map((locale) => ({
  id: '0',
  name: 'Name',
  address: '',
  locale,
  timeZone: null,
  attempts: 1,
  subscriptions: [],
}));

/**
 * Does what the first message of a process would wait for: connections are made, statements planned and texts rendered. Nothing
 * is executed, and nobody is called.
 */
export async function warmUpDelivery(db: Database, plans: SendPlans, lane: MessageClass): Promise<void> {
  const batch = batchOf(lane);
  const planned = db.warmUp((tx) => {
    // What these do is the same for every channel.
    const any: ClaimedBatch = { ...batch, channel: CHANNELS[0] };
    return Promise.all([
      warmUpFacts(tx, any),
      ...CHANNELS.map((channel) => warmUpMark(tx, { ...batch, channel }, { ids: ['0'], markedTo: 1 })),
      settleSlice(tx, any, [{ id: '0', state: 'accepted', code: null, providerId: '0', units: 1, delayMs: null, uncounted: false }]),
      noteCalls(tx, 0, '0', 0, false),
      notifyProgress(tx, 0, '0'),
      renewLease(tx, any),
      releaseBatch(tx, any, null),
      warmUpComplete(tx, 0, '0'),
    ]);
  });
  for (const channel of CHANNELS) plans.warmUp(factsOf(lane), { ...batch, channel }, PEOPLE);
  await planned;
}
