import type { MessageView } from '#schemas/views.ts';
import { type Context, inTenant } from '#services/context.ts';
import { loadMessage } from '#services/message-row.ts';
import { viewMessages } from './message-view.ts';

/** One message as it stands now. */
export async function getMessage(ctx: Context, publicId: string): Promise<MessageView> {
  return inTenant(ctx, async (tx) => {
    const [view] = await viewMessages(tx, ctx, [await loadMessage(tx, ctx, publicId)]);
    if (!view) throw new Error('a loaded message has a view');
    return view;
  });
}
