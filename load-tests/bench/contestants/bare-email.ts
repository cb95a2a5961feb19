import { CONNECTIONS } from '#channels/email/constants.ts';
import { prepareMime } from '#channels/email/mime.ts';
import { SmtpSession } from '#channels/email/session.ts';
import { type Contestant, type ContestantConfig, inLanes } from './contestant.ts';
import { contentOf, slotsOf, tokenOf } from './content.ts';

/**
 * nodemailer's SMTPConnection, kept open, with MIME that was built once and only its slots filled. The session around
 * it is Muster's own, since it writes body and final dot together and so is quicker than nodemailer's plain `send`.
 */
export async function bareEmail(config: ContestantConfig): Promise<Contestant> {
  const sessions = await Promise.all(
    Array.from({ length: CONNECTIONS }, async () => {
      const session = new SmtpSession({ host: '127.0.0.1', port: config.mailPort, ignoreTLS: true, logger: false }, undefined);
      const failure = await session.open(10_000);
      if (failure) throw new Error(`the mail carrier cannot be reached: ${failure.code}`);
      return session;
    }),
  );
  const build = prepareMime(contentOf('email'), { fromHeader: 'Muster <muster@bench.example>', returnDomain: 'bench.example' });
  const free = [...sessions];
  return {
    send: (count) =>
      inLanes(count, CONNECTIONS, async (i) => {
        const session = free.pop();
        if (!session) throw new Error('more lanes than connections');
        const ref = `0a${tokenOf(i).padStart(32, '0')}`;
        const address = `b${i}@people.example`;
        const built = build({ address, ref, slots: slotsOf(i) }, Date.now());
        if ('refused' in built) throw new Error(built.refused);
        const result = await session.transact({ from: `bounce+${ref}@bench.example`, to: [address] }, built.message, 20_000);
        if (typeof result !== 'string') throw new Error(`SMTP: ${result.code} ${result.reply}`);
        free.push(session);
      }),
    close: async () => sessions.forEach((session) => session.close()),
  };
}
