import { html } from 'hono/html';
import type { MessageView } from '#schemas/views.ts';
import { type Context } from '#services/context.ts';
import { type Session, sessionActor } from '#services/access/sessions.ts';
import { boardData } from './board-data.ts';
import { liveRegion } from './board-view.ts';
import { actionsCard, messageTags } from './message-view.ts';

/** Makes one event of the board's stream: the moving part, and the other parts that follow the message's state. */
export async function boardFrame(ctx: Context, message: MessageView, session: Session): Promise<string> {
  const data = await boardData(ctx, message);
  const canWrite = sessionActor(session).scopes.has('write');
  return String(
    await html`${liveRegion(data, session.csrfToken, ctx.clock.now())}
<hx-partial hx-target="#actions" hx-swap="innerMorph">${actionsCard(message, canWrite)}</hx-partial>
<hx-partial hx-target="#tags" hx-swap="innerMorph">${messageTags(message)}</hx-partial>`,
  );
}
