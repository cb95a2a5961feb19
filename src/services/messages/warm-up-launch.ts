import { audienceCondition, countAndHash } from '#db/audience/audience-sql.ts';
import { planPage } from '#db/audience/plan-page.ts';
import { byChannel, CHANNELS } from '#schemas/channel-facts.ts';
import { messageInputSchema } from '#schemas/message.ts';
import { appendAudits } from '#services/audit.ts';
import { type Context, type Deps, notifyProgress, systemActor } from '#services/context.ts';
import { checkedExpiry } from './check-message.ts';
import { insertMessage, prepareForDeliveries } from './create-message.ts';
import { launchFacts } from '#services/organisations/launch-facts.ts';
import { writeWaves } from '#services/planning/write-waves.ts';
import { viewMessage } from './message-view.ts';
import { FIRST_PAGE } from '#services/planning/plan-wave.ts';

/** Makes the connections and has the statements planned that the first launch of a process would wait for. Nothing is executed. */
export async function warmUpLaunch(deps: Deps): Promise<void> {
  const ctx: Context = { ...deps, tenantId: 0, actor: systemActor, requestId: 'warm-up' };
  const now = new Date(deps.clock.now());
  const input = messageInputSchema.parse({
    class: 'life',
    title: 'Title',
    text: { en: 'Text {{link}}' },
    says: { who: 'Who', where: 'Where', instruction: 'What', issuer: 'Who' },
    audience: { all: true },
    answers: [{ key: 'yes', label: 'Yes' }],
    expiresAt: new Date(now.getTime() + 3_600_000).toISOString(),
  });
  const row = { id: '0', tenant_id: 0, class: input.class, channels: input.channels };
  const condition = audienceCondition(input.audience, () => undefined);
  await deps.db.warmUp((tx) =>
    Promise.allSettled([
      launchFacts(tx, 0),
      countAndHash(tx, 0, condition),
      insertMessage(
        tx,
        ctx,
        input,
        {},
        { wording: null, expiresAt: checkedExpiry(ctx, input, { wording: null }, true), counted: { count: 0, hash: '0', maxId: '0' } },
      ),
      prepareForDeliveries(tx, row),
      appendAudits(tx, ctx, [{ action: 'message.create', object: '0' }]),
      writeWaves(tx, 0, [row], 0),
      planPage(tx, {
        tenantId: 0,
        messageId: '0',
        wave: 0,
        waveId: '0',
        lane: 'life',
        channels: CHANNELS,
        mode: 'parallel',
        senders: byChannel(() => 0),
        optOutsOf: {},
        condition,
        followsId: null,
        untried: false,
        freezes: true,
        cursorId: '0',
        maxId: '0',
        limit: FIRST_PAGE,
        listed: false,
        now,
        windows: null,
      }),
      notifyProgress(tx, 0, '0'),
      viewMessage(tx, ctx, '0'),
    ]),
  );
}
