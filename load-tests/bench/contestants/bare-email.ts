import { CONNECTIONS } from '#channels/email/constants.ts';
import { prepareMime } from '#channels/email/mime.ts';
import { contentOf, slotsOf, tokenOf } from './content.ts';
import { type Contestant, type ContestantConfig, overConnections } from './contestant.ts';
import { PlainSession } from './plain-session.ts';

/**
 * nodemailer's SMTPConnection, kept open, with MIME that was built once and only its slots filled. Body and final dot
 * are held together, so that they leave in one write: it is quicker than nodemailer's plain `send`.
 */
export async function bareEmail(config: ContestantConfig): Promise<Contestant> {
  const sessions = await Promise.all(Array.from({ length: CONNECTIONS }, () => PlainSession.open(config.mailPort)));
  const build = prepareMime(contentOf('email'), { fromHeader: 'Muster <muster@bench.example>', returnDomain: 'bench.example' });
  const free = [...sessions];
  return {
    send: (count) =>
      overConnections(count, CONNECTIONS, async (i) => {
        const session = free.pop();
        if (!session) throw new Error('more lanes than connections');
        const ref = `0a${tokenOf(i).padStart(32, '0')}`;
        const address = `b${i}@people.example`;
        const built = build({ address, ref, slots: slotsOf(i) }, Date.now());
        if ('refused' in built) throw new Error(built.refused);
        await session.send({ from: `bounce+${ref}@bench.example`, to: [address] }, built.message);
        free.push(session);
      }),
    close: async () => sessions.forEach((session) => session.close()),
  };
}
