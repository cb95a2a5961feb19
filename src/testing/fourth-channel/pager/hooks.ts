import { createHmac, timingSafeEqual } from 'node:crypto';
import type { Evidence } from '#domain/delivery/evidence.ts';
import type { Hook, HookCall, HookFields } from '#domain/delivery/hook.ts';
import { Problem } from '#platform/errors.ts';

interface PagerAccount {
  readonly key: string;
}

/** News of pages, and texts that people typed on theirs: JSON of texts, signed with HMAC-SHA256 over the URL and the body. */
export function pagerHooks(accounts: readonly PagerAccount[]): readonly Hook[] {
  const verify = ({ url, header, body }: HookCall): HookFields => {
    const given = Buffer.from(header('x-pager-signature') ?? '', 'hex');
    const fits = ({ key }: PagerAccount): boolean => {
      const expected = createHmac('sha256', key).update(url).update(body).digest();
      return expected.length === given.length && timingSafeEqual(expected, given);
    };
    if (!accounts.some(fits)) throw new Problem(403, 'bad_signature', 'The signature does not fit this request.');
    return JSON.parse(body) as HookFields;
  };
  const base = { channel: 'pager', caller: 'The pager service', method: 'post', contentType: 'application/json', verify } as const;
  return [
    { ...base, kind: 'receipt', path: '/hooks/pager/receipts/{ref}', summary: 'News of a page', description: 'Signed.', toReceipt },
    {
      ...base,
      kind: 'inbound',
      path: '/hooks/pager/texts',
      summary: 'Text from a pager',
      description: 'Signed.',
      toInbound: ({ id = '', from = '', to = '', text = '' }) => ({ id: `pager:${id}`, from, to: [to], body: text, byCarrier: undefined }),
      answer: { contentType: 'application/json', description: 'What to show on the pager.', of: (reply) => JSON.stringify({ reply }) },
    },
  ];
}

const STATES: Readonly<Record<string, Pick<Evidence, 'state' | 'effect'>>> = {
  shown: { state: 'delivered' },
  lost: { state: 'failed' }, // out of coverage for too long
  closed: { state: 'failed', effect: 'no_mailbox' }, // given back
};

function toReceipt({ id = '', state = '' }: HookFields): Evidence | null {
  const known = STATES[state];
  return known ? { ...known, providerId: id, code: known.state === 'failed' ? state : null } : null;
}
