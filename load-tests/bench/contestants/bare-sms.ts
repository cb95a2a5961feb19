import { stringify } from 'node:querystring';
import { Pool } from 'undici';
import { prepareTemplate } from '#channels/fill.ts';
import { CONNECTIONS } from '#channels/sms/twilio/constants.ts';
import { type Contestant, type ContestantConfig, overConnections } from './contestant.ts';
import { contentOf, slotsOf, tokenOf } from './content.ts';
import { callFor } from './undici-call.ts';

/**
 * undici's dispatch sends one request at a time on each connection that is kept open; there is no SDK, no database and no
 * queue.
 */
export async function bareSms(config: ContestantConfig): Promise<Contestant> {
  const pool = new Pool(config.smsUrl, { connections: CONNECTIONS, pipelining: 1, keepAliveTimeout: 60_000, allowH2: false });
  const { body } = contentOf('sms');
  const text = prepareTemplate(body);
  const headers = {
    'content-type': 'application/x-www-form-urlencoded',
    accept: 'application/json',
    authorization: `Basic ${Buffer.from('a:b').toString('base64')}`,
  };
  const path = '/2010-04-01/Accounts/AC00000000000000000000000000000000/Messages.json';
  return {
    send: (count) =>
      overConnections(count, CONNECTIONS, async (i) => {
        const form = stringify({
          To: `+1${2_000_000_000 + i}`,
          From: '+12025550100',
          Body: text(slotsOf(i)),
          StatusCallback: `http://127.0.0.1:10000/hooks/twilio/status/${tokenOf(i)}`,
          ValidityPeriod: 10_800,
        });
        const answer = await callFor(pool, { path, headers, body: form });
        const { sid } = JSON.parse(answer) as { sid?: string };
        if (sid === undefined) throw new Error('the carrier gave no SID');
      }),
    close: () => pool.destroy(),
  };
}
