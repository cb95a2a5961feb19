import type { MessageView } from '#schemas/views.ts';
import type { Client } from './client.ts';
import { newBrowsers } from './people.ts';
import type { LoadName, Settings } from './plan.ts';
import type { Summary } from './summary-of.ts';

/** What a script finds prepared. */
export interface Prepared {
  readonly messageId?: string;
  readonly tokens?: readonly string[];
  readonly subscriptions?: readonly object[];
}

interface Facts {
  readonly client: Client;
  readonly settings: Settings;
  readonly run: string;
  readonly tag: string;
}

/** What happens outside k6: it prepares, and compares k6's own counts with what Muster and the carriers hold afterwards. */
interface Case {
  prepare(facts: Facts): Promise<Prepared>;
  /**
   * @param facts `callsBefore` is the carriers' count before k6 started.
   * @returns one line for each thing that does not add up
   */
  verify(facts: Facts & Prepared & { summary: Summary; callsBefore: number; own: boolean }): Promise<string[]>;
}

const nothing = (): Promise<Prepared> => Promise.resolve({});
const differs = (what: string, is: number, should: number): string[] => (is === should ? [] : [`${what}: ${is}, and it should be ${should}`]);

/** The tokens of the links as the people get them, read from what the carriers wrote down. */
async function answerTokens({ client, settings, run, tag }: Facts, share: boolean): Promise<{ messageId: string; tokens: string[] }> {
  const sent = await client.send({
    class: 'ops',
    text: { en: `Load ${run}: can you come? {{link}}` },
    audience: { tags: [tag] },
    channels: ['sms'],
    share,
    answers: [
      { key: 'yes', label: 'Yes', counts: true },
      { key: 'no', label: 'No' },
      { key: 'later', label: 'Later' },
    ],
  });
  const { items } = await client.control<{ items: { body?: string }[] }>('GET', '/calls?channel=sms&limit=100000');
  const tokens = items.flatMap(({ body = '' }) => (body.includes(`Load ${run}:`) ? (/\/r\/([A-Za-z0-9_-]+)/.exec(body)?.[1] ?? []) : []));
  if (new Set(tokens).size !== settings.people) throw new Error(`the carriers got ${new Set(tokens).size} links for ${settings.people} people`);
  return { messageId: sent.id, tokens };
}

/** Holds that every delivery that was launched reached the carriers once. On a shared installation others call them too. */
async function verifyCalls({ client, summary, callsBefore, own }: Parameters<Case['verify']>[0]): Promise<string[]> {
  const expected = summary.counters['deliveries_expected'] ?? 0;
  const made = (await client.calls()) - callsBefore;
  return own || made < expected ? differs('calls to the carriers', made, expected) : [];
}

async function verifyAnswers({ client, settings, summary, messageId = '' }: Parameters<Case['verify']>[0]): Promise<string[]> {
  const taken = summary.counters['answers_taken'] ?? 0;
  const view = await client.until(
    () => client.api<MessageView>('GET', `/messages/${messageId}`),
    ({ answers }) => answers['none'] === settings.people - taken,
    `${taken} answers to be counted`,
  );
  const { none = 0, ...given } = view.answers;
  const counted = Object.values(given).reduce((a, b) => a + b, 0);
  return [
    ...differs('answers on the message', counted, taken),
    ...differs('silent people', none, settings.people - taken),
    ...differs('answers taken', taken, settings.people),
  ];
}

async function verifySpread({ client, summary, messageId = '', callsBefore, own }: Parameters<Case['verify']>[0]): Promise<string[]> {
  const { visits_counted: visits = 0, joins_taken: joins = 0 } = summary.counters;
  const view = await client.api<MessageView>('GET', `/messages/${messageId}`);
  // People who join get the message at once.
  const made = await client.until(
    async () => (await client.calls()) - callsBefore,
    (calls) => calls >= joins,
    `${joins} joiners to get the message`,
  );
  return [
    ...differs('visits', view.spread.visits, visits),
    ...differs('joins', view.spread.joins, joins),
    ...(own ? differs('calls to the carriers', made, joins) : []),
  ];
}

export const CASES: Readonly<Record<LoadName, Case>> = {
  'fan-out': { prepare: nothing, verify: verifyCalls },
  'mixed-day': { prepare: nothing, verify: verifyCalls },
  'api-abuse': { prepare: nothing, verify: verifyCalls },
  'acknowledge-storm': { prepare: (facts) => answerTokens(facts, false), verify: verifyAnswers },
  'share-burst': {
    prepare: async (facts) => {
      const { messageId, tokens } = await answerTokens(facts, true);
      const shares: string[] = [];
      for (const token of tokens) {
        const share = /\/s\/([A-Za-z0-9_-]+)/.exec(await facts.client.page(`/r/${token}`))?.[1];
        if (share === undefined) throw new Error('the answer page has no link to share');
        shares.push(share);
      }
      const visitors = facts.settings.rate * facts.settings.seconds;
      return { messageId, tokens: shares, subscriptions: await newBrowsers(facts.client, Math.min(2_000, Math.ceil(visitors / 10))) };
    },
    verify: verifySpread,
  },
};
