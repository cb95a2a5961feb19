import type { DeliveryView, MessageView } from '#schemas/views.ts';
import type { Context } from '#services/context.ts';
import { type AnswerView, listAnswers } from '#services/list-answers.ts';
import { listDeliveries } from '#services/list-deliveries.ts';
import { type InboundView, listInbound } from '#services/list-inbound.ts';

/** What the live board shows besides the counters. Each list is short; its page has the rest. */
export interface BoardData {
  readonly message: MessageView;
  readonly answers: readonly AnswerView[];
  readonly doubt: readonly DeliveryView[];
  readonly failed: readonly DeliveryView[];
  readonly inbound: readonly InboundView[];
}

const SHOWN = 8;

/** Reads the lists that the counters say are not empty. */
export async function boardData(ctx: Context, message: MessageView): Promise<BoardData> {
  const deliveries = async (state: 'unknown' | 'unresolved' | 'failed'): Promise<readonly DeliveryView[]> =>
    message.deliveries[state] === 0 ? [] : (await listDeliveries(ctx, message.id, { state, limit: SHOWN })).items;
  const anyAnswer = Object.entries(message.answers).some(([key, n]) => key !== 'none' && n > 0);
  const [answers, unknown, unresolved, failed, inbound] = await Promise.all([
    anyAnswer ? listAnswers(ctx, message.id, { limit: SHOWN }).then((page) => page.items) : [],
    deliveries('unknown'),
    deliveries('unresolved'),
    deliveries('failed'),
    listInbound(ctx, { messageId: message.id, needsHuman: true, limit: 20 }).then((page) => page.items),
  ]);
  return { message, answers, doubt: [...unknown, ...unresolved].slice(0, SHOWN), failed, inbound };
}
