import type { Mutant } from './mutant.ts';

const DELIVER = 'src/services/delivery/deliver-batch.ts';
const recall = (name: string) => ({ file: 'src/testing/faults/recall.db.test.ts', name: `recall: ${name}` });
const cutOff = (name: string) => ({ file: 'workers/stop-watch.db.test.ts', name });
const by = (channel: string) => recall(`a stop takes back who is marked for ${channel} and not called yet`);
const unheard = (what: string) => recall(`a stop of ${what} is seen by a process that hears nothing`);

/** A mutant that no longer looks at one level of a stop. */
const level = (name: string, from: string, to: string): Mutant => ({
  guard: 'recall',
  removed: `that a stop of ${name} is seen without being heard`,
  changes: [{ file: 'schemas/migrations/0002_across_tenants.sql', from, to }],
  test: unheard(name),
});

/** People who are marked and not called when a stop comes. */
export const RECALL_MUTANTS: readonly Mutant[] = [
  {
    guard: 'recall',
    removed: 'that an SMS waiting for a connection is taken back',
    changes: [{ file: 'src/channels/http/pool.ts', from: 'recall?.add(this);', to: '' }],
    test: by('sms'),
  },
  {
    guard: 'recall',
    removed: 'that a push waiting for a connection is taken back',
    changes: [{ file: 'src/channels/push/origin.ts', from: `body.toString('latin1'), recall)`, to: `body.toString('latin1'))` }],
    test: by('push'),
  },
  {
    guard: 'recall',
    removed: 'that a mail waiting for a connection is taken back',
    changes: [{ file: 'src/channels/email/pool.ts', from: 'mail.recall?.add(call);', to: '' }],
    test: by('email'),
  },
  {
    guard: 'recall',
    removed: 'that a mail whose envelope went ahead has no body after a stop',
    changes: [{ file: 'src/channels/email/conversation.ts', from: 'if (good && transaction.mail.recall?.recalled) {', to: 'if (good && !transaction) {' }],
    test: by('email'),
  },
  {
    guard: 'recall',
    removed: 'that a marked person whose call has not begun gets none',
    changes: [
      { file: DELIVER, from: 'if (recall.recalled) {\n        called', to: 'if (recall.recalled && !person) {\n        called' },
      { file: 'src/channels/http/pool.ts', from: 'if (recall?.recalled) return', to: `if (recall?.recalled && request === '') return` },
    ],
    test: by('sms'),
  },
  {
    guard: 'recall',
    removed: 'that those taken back are written before the slowest answer',
    changes: [{ file: DELIVER, from: 'await Promise.race([calls, recall.told]);', to: 'await calls;' }],
    test: by('sms'),
  },
  {
    guard: 'recall',
    removed: 'that those taken back wait again',
    changes: [
      {
        file: 'src/domain/delivery/delivery.ts',
        from: `state: 'pending', code: outcome.code, delayMs: 0, uncounted: true }`,
        to: `state: 'unknown', code: outcome.code, delayMs: DOUBT_WINDOW_MS[messageClass] }`,
      },
    ],
    test: by('sms'),
  },
  {
    guard: 'recall',
    removed: 'that their attempt is not counted',
    changes: [
      {
        file: 'src/domain/delivery/delivery.ts',
        from: `code: outcome.code, delayMs: 0, uncounted: true }`,
        to: `code: outcome.code, delayMs: 0, uncounted: false }`,
      },
    ],
    test: by('sms'),
  },
  {
    guard: 'recall',
    removed: 'that a correction stops the first message',
    changes: [
      {
        file: 'src/services/messages/correct-message.ts',
        from: `if (first.state === 'live' || first.state === 'scheduled') await`,
        to: `if (first.state === 'scheduled') await`,
      },
    ],
    test: recall('a correction takes them back too, and goes to those alone who were called'),
  },
  {
    guard: 'recall',
    removed: 'that a stop is heard',
    changes: [{ file: 'src/services/delivery/recalls.ts', from: 'if (means(claim)) recall.recall();', to: 'if (means(claim)) void recall.told;' }],
    test: recall('a stop is heard by a process that cannot look'),
  },
  level('the message', `WHERE m.state <> 'live' OR i.stopped_at`, 'WHERE i.stopped_at'),
  level('the channel', ' OR c.channel = ANY (t.stopped_channels) $$', ' $$'),
  level('the organisation', ' OR t.stopped_at IS NOT NULL OR t.suspended_at IS NOT NULL OR c.channel', ' OR c.channel'),
  level('the installation', `WHERE m.state <> 'live' OR i.stopped_at IS NOT NULL OR`, `WHERE m.state <> 'live' OR`),
  {
    guard: 'cut off',
    removed: 'that a worker without its database holds a campaign back',
    changes: [{ file: 'workers/stop-watch.ts', from: 'recalls.miss(LOOKS_MISSED)', to: 'recalls.miss(Number.POSITIVE_INFINITY)' }],
    test: cutOff('calls nobody more of a campaign after two seconds, and takes back whom it has marked'),
  },
  {
    guard: 'cut off',
    removed: 'that it goes on with a life message',
    changes: [{ file: 'src/services/delivery/recalls.ts', from: `new Set(['life'])`, to: 'new Set()' }],
    test: cutOff('goes on calling for a life message'),
  },
  {
    guard: 'cut off',
    removed: 'that its late word ends a doubt',
    changes: [{ file: 'src/services/delivery/settle-results.ts', from: 'untouched.length > 0 && takeBackLate', to: 'untouched.length < 0 && takeBackLate' }],
    test: cutOff('says too late whom it has not called: they are in doubt no longer, and called once'),
  },
  {
    guard: 'cut off',
    removed: 'that its late word opens nothing of a stopped message',
    changes: [{ file: 'src/db/delivery/take-back-late.ts', from: `WHEN b.state <> 'done' THEN`, to: 'WHEN true THEN' }],
    test: cutOff('and of a message that was stopped meanwhile: they are cancelled, not in doubt'),
  },
  {
    guard: 'cut off',
    removed: 'the fence of its late word',
    changes: [{ file: 'src/db/delivery/take-back-late.ts', from: `AND d.fence = \${at('fence')}`, to: `AND d.fence IS DISTINCT FROM \${at('fence')}` }],
    test: cutOff('says too late whom it has not called: they are in doubt no longer, and called once'),
  },
];
