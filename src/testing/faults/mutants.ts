import type { Mutant } from './mutant.ts';
import { RECALL_MUTANTS } from './mutants-recall.ts';
import { SEND_GUARD_MUTANTS } from './mutants-send-guards.ts';

const MARK_SLICE = 'src/db/delivery/mark-slice.ts';
const MARK = 'src/db/delivery/mark-sql.ts';
const guard = (name: string) => ({ file: 'src/testing/faults/guards.db.test.ts', name });

/** Every guard that carries a promise. */
export const MUTANTS: readonly Mutant[] = [
  {
    guard: 'fence',
    removed: 'the fence of a settle',
    changes: [
      {
        file: 'src/db/delivery/settle-slice.ts',
        from: `AND d.state = 'attempting' AND d.fence = \${at('fence')}`,
        to: `AND d.state = 'attempting' AND \${at('fence')}::int IS NOT NULL`,
      },
    ],
    test: guard('fence: what an earlier claim settles changes nothing'),
    short: true,
  },
  {
    guard: 'breaker',
    removed: 'that nobody is marked by a sender whose provider fails',
    changes: [{ file: MARK, from: `AND s.drill = m.drill AND (\${at('probe')}::boolean OR NOT \${HELD})`, to: 'AND s.drill = m.drill' }],
    test: guard('breaker: nobody is marked by a sender whose provider fails, but for a probe'),
  },
  {
    guard: 'fence',
    removed: 'the fence of a mark',
    changes: [
      {
        file: MARK,
        from: `AND b.fence = \${at('fence')} AND b.state = 'claimed' AND b.lease_until > now()`,
        to: `AND b.state = 'claimed' AND b.lease_until > now()`,
      },
    ],
    test: guard('fence: an earlier claim marks nobody'),
  },
  {
    guard: 'mark',
    removed: 'the commit of a mark before its calls',
    changes: [
      { file: MARK_SLICE, from: 'mark(tx, values)])', to: "mark(tx, values), prepared<object, unknown>('undo', () => sql`ROLLBACK`)(tx, {})])" },
      { file: MARK_SLICE, from: 'plainArray, type Prepared }', to: 'plainArray, type Prepared, prepared }' },
    ],
    test: guard('mark: it is committed before the carrier hears of anybody'),
    short: true,
  },
  {
    guard: 'mark',
    removed: 'that only who waits is marked',
    changes: [{ file: MARK, from: `WHERE d.state = 'pending' AND COALESCE(d.next_at, now()) <= now()`, to: 'WHERE COALESCE(d.next_at, now()) <= now()' }],
    test: guard('mark: who is marked already is not handed out again'),
  },
  {
    guard: 'unique key',
    removed: 'one delivery for each message, person, channel and wave',
    changes: [
      {
        file: 'schemas/migrations/0001_foundation.sql',
        from: 'PRIMARY KEY (message_id, recipient_id, channel, wave)',
        to: 'PRIMARY KEY (message_id, recipient_id, channel, wave, batch_id)',
      },
      {
        file: MARK,
        from: 'ON CONFLICT (message_id, recipient_id, channel, wave) DO',
        to: 'ON CONFLICT (message_id, recipient_id, channel, wave, batch_id) DO',
      },
    ],
    test: guard('unique key: somebody who stands in two batches is called once'),
  },
  {
    guard: 'unique key',
    removed: 'that one request holds an Idempotency-Key',
    changes: [
      {
        file: 'src/services/idempotency-keys.ts',
        from: `WHERE k.created_at < clock_timestamp() - interval '24 hours'`,
        to: 'WHERE k.created_at < clock_timestamp()',
      },
    ],
    test: {
      file: 'src/http/idempotency.db.test.ts',
      name: 'of 50 equal requests at once under each of 4 keys, one executes and the others get its answer or 409',
    },
  },
  {
    guard: 'lease',
    removed: 'the lease of a mark',
    changes: [
      { file: MARK, from: `AND b.state = 'claimed' AND b.lease_until > now()\n        AND (b.open`, to: `AND b.state = 'claimed'\n        AND (b.open` },
    ],
    test: guard('lease: a claim whose lease has passed marks nobody'),
  },
  {
    guard: 'lease',
    removed: 'that a living claim is left alone',
    changes: [
      {
        file: 'src/db/delivery/claim-batch.ts',
        from: `AND id = \${batchId} AND state = 'claimed' AND lease_until < now()`,
        to: `AND id = \${batchId} AND state = 'claimed'`,
      },
    ],
    test: guard('lease: a claim that is alive is not ended by anybody'),
  },
  {
    guard: 'lease',
    removed: 'that the sweep finds one that has passed',
    changes: [
      {
        file: 'schemas/migrations/0002_across_tenants.sql',
        from: `WHERE b.state = 'claimed' AND b.lease_until < now() ORDER BY b.lease_until LIMIT p_limit`,
        to: `WHERE false ORDER BY b.lease_until LIMIT p_limit`,
      },
    ],
    test: guard('lease: one that has passed is found by the sweep'),
  },
  {
    guard: 'stop epoch',
    removed: 'the stop of a message',
    changes: [{ file: MARK, from: `AND m.id = \${at('messageId')} AND m.state = 'live'`, to: `AND m.id = \${at('messageId')}` }],
    test: guard('stop: nobody of a stopped message is marked'),
    short: true,
  },
  {
    guard: 'stop epoch',
    removed: 'that a stop waits for marks under way',
    changes: [{ file: 'src/db/delivery/stop-lock.ts', from: 'SELECT pg_advisory_xact_lock_shared(${sql.lit(STOP_KEY)})', to: 'SELECT ${sql.lit(STOP_KEY)}' }],
    test: guard('stop: it waits for a mark under way and counts it'),
  },
  {
    guard: 'stop epoch',
    removed: 'the stop of the installation',
    changes: [
      {
        file: MARK,
        from: 'AND i.stopped_at IS NULL AND t.stopped_at IS NULL AND t.suspended_at IS NULL\n        AND',
        to: 'AND t.stopped_at IS NULL\n        AND',
      },
    ],
    test: guard('stop: nobody is marked while the installation is stopped'),
  },
  {
    guard: 'stop epoch',
    removed: 'the stop of a tenant',
    changes: [
      {
        file: MARK,
        from: 'AND i.stopped_at IS NULL AND t.stopped_at IS NULL AND t.suspended_at IS NULL\n        AND',
        to: 'AND i.stopped_at IS NULL\n        AND',
      },
    ],
    test: guard('stop: nobody is marked while the tenant is stopped'),
  },
  {
    guard: 'stop epoch',
    removed: 'the stop of a channel',
    changes: [
      {
        file: MARK,
        from: `AND NOT \${at('channel')}::channel = ANY (t.stopped_channels)\n        AND`,
        to: `AND \${at('channel')}::channel IS NOT NULL\n        AND`,
      },
    ],
    test: guard('stop: nobody is marked while the channel is stopped'),
  },
  {
    guard: 'rank',
    removed: 'that a receipt only raises the rank',
    changes: [{ file: 'src/db/delivery/apply-receipts.ts', from: 'AND g.rank > ${RANK_SQL}', to: '' }],
    test: guard('rank: what was delivered is never failed or merely accepted again'),
  },
  {
    guard: 'doubt window',
    removed: 'that evidence is waited for',
    changes: [{ file: 'src/db/delivery/resolve-doubt.ts', from: `AND d.state = 'unknown' AND d.next_at <= now()`, to: `AND d.state = 'unknown'` }],
    test: guard('doubt: nobody is called again before the window for evidence has passed'),
  },
  {
    guard: 'never twice',
    removed: 'that a campaign is not sent again after doubt',
    changes: [
      {
        file: 'src/db/delivery/resolve-doubt.ts',
        from: `\${lane} <> 'bulk' AND d.attempts < \${maxAfterDoubt(lane)}`,
        to: `\${lane} <> 'x' AND d.attempts < 6`,
        times: 2,
      },
    ],
    test: guard('doubt: a campaign calls nobody again, it lists them'),
  },
  {
    guard: 'never lost',
    removed: 'that a life message is sent again after doubt',
    changes: [
      {
        file: 'src/db/delivery/resolve-doubt.ts',
        from: `\${lane} <> 'bulk' AND d.attempts < \${maxAfterDoubt(lane)}`,
        to: `\${lane} <> 'x' AND false AND d.attempts < 6`,
        times: 2,
      },
    ],
    test: guard('doubt: a life message calls again'),
  },
  {
    guard: 'expiry',
    removed: 'the expiry inside the mark',
    changes: [{ file: MARK, from: 'AND (m.expires_at IS NULL OR m.expires_at > now())\n        AND', to: 'AND' }],
    test: guard('expiry: nobody is marked after it'),
  },
  {
    guard: 'quiet hours',
    removed: 'the end of the window inside the mark',
    changes: [
      { file: MARK, from: 'AND (b.open_until IS NULL OR b.open_until > now()) AND EXISTS (SELECT 1 FROM gate)', to: 'AND EXISTS (SELECT 1 FROM gate)' },
    ],
    test: guard('quiet hours: nobody is marked after they have begun'),
  },
  {
    guard: 'suppression',
    removed: 'the suppression inside the mark',
    changes: [{ file: MARK, from: `AND x.sender_id = ANY (\${at('senders')}::int[])`, to: `AND false AND x.sender_id = ANY (\${at('senders')}::int[])` }],
    test: guard('suppression: who said stop after the planning is not called'),
  },
  {
    guard: 'consent',
    removed: 'the consent inside the mark',
    changes: [{ file: MARK, from: `WHEN g.class <> 'life' AND NOT`, to: `WHEN g.class = 'life' AND NOT` }],
    test: guard('consent: who withdrew it after the planning gets no campaign'),
  },
  {
    guard: 'drill',
    removed: 'that a drill names no live sender',
    changes: [MARK, MARK_SLICE].map((file) => ({ file, from: 's.drill = m.drill', to: 'true' })),
    test: guard('drill: nobody is marked by a live sender'),
  },
  {
    guard: 'says',
    removed: 'that a life message says whom it means, where, what to do and who issues it',
    changes: [{ file: 'src/db/delivery/guard-sql.ts', from: 'OR NOT m.says_all', to: '' }],
    test: guard('says: nobody is marked by a life message that does not say what to do'),
  },
  {
    guard: 'says',
    removed: 'that a life message says until when',
    changes: [{ file: 'src/db/delivery/guard-sql.ts', from: 'm.expires_at IS NULL OR ', to: '' }],
    test: guard('says: nobody is marked by a life message that does not say until when'),
  },
  {
    guard: 'sender',
    removed: 'the stop of a sender',
    changes: [MARK, MARK_SLICE].map((file) => ({ file, from: 's.stopped_at IS NULL', to: 'true' })),
    test: guard('sender: nobody is marked by one that is stopped'),
  },
  {
    guard: 'first answer',
    removed: 'that its time stays',
    changes: [
      {
        file: 'src/services/answers/answer-sql.ts',
        from: 'UPDATE answers a\n      SET key = i.key, answered_at',
        to: 'UPDATE answers a\n      SET key = i.key, first_at = now(), answered_at',
      },
    ],
    test: {
      file: 'src/services/answers/answer.db.test.ts',
      name: '50 answers of one person at once: one is first, its time stays, every change is kept and the tally is of one',
    },
  },
  ...RECALL_MUTANTS,
  ...SEND_GUARD_MUTANTS,
];
