import type { DeliveryView, MessageView } from '#schemas/views.ts';
import type { Context } from '#services/context.ts';
import { type AnswerView, listAnswers } from '#services/answers/list-answers.ts';
import { listDeliveries } from '#services/delivery/list-deliveries.ts';
import { type InboundView, listInbound } from '#services/inbound/list-inbound.ts';
import { listSpread, type SpreadView } from '#services/spread/list-spread.ts';
import { type WaitingFor, whatWaits } from '#services/delivery/waiting-senders.ts';

/** What the live board shows besides the counters. Each list is short, and a page of its own has the rest. */
export interface BoardData {
  readonly message: MessageView;
  readonly answers: readonly AnswerView[];
  readonly doubt: readonly DeliveryView[];
  readonly failed: readonly DeliveryView[];
  readonly inbound: readonly InboundView[];
  /** Missing until somebody has joined. */
  readonly spread: SpreadView | undefined;
  /** The stopped or failing senders that the message waits for. */
  readonly waits: readonly WaitingFor[];
}

const SHOWN = 8;

/** The spread is a sum over all who joined. So all who watch a message share one reading of it, at most one in this time. */
const SPREAD_MS = 3_000;
const spreads = new Map<string, { at: number; view: Promise<SpreadView> }>();

function spreadOf(ctx: Context, message: MessageView): Promise<SpreadView> | undefined {
  if (message.spread.joins === 0) return undefined;
  const now = ctx.clock.now();
  for (const [id, { at }] of spreads) if (now - at > 10 * SPREAD_MS) spreads.delete(id);
  const key = `${ctx.tenantId}:${message.id}`;
  const known = spreads.get(key);
  if (known && now - known.at < SPREAD_MS) return known.view;
  const view = listSpread(ctx, message.id, { limit: 1 });
  spreads.set(key, { at: now, view });
  // A reading that failed is not kept.
  view.catch(() => spreads.delete(key));
  return view;
}

/** Reads the lists that the counters say are not empty. */
export async function boardData(ctx: Context, message: MessageView): Promise<BoardData> {
  const deliveries = async (state: 'unknown' | 'unresolved' | 'failed'): Promise<readonly DeliveryView[]> =>
    message.deliveries[state] === 0 ? [] : (await listDeliveries(ctx, message.id, { state, limit: SHOWN })).items;
  const anyAnswer = Object.entries(message.answers).some(([key, n]) => key !== 'none' && n > 0);
  const [answers, unknown, unresolved, failed, inbound, spread, waits] = await Promise.all([
    anyAnswer ? listAnswers(ctx, message.id, { limit: SHOWN }).then((page) => page.items) : [],
    deliveries('unknown'),
    deliveries('unresolved'),
    deliveries('failed'),
    listInbound(ctx, { messageId: message.id, needsHuman: true, limit: 20 }).then((page) => page.items),
    spreadOf(ctx, message),
    message.state === 'live' && message.deliveries.pending > 0 ? whatWaits(ctx, message.id) : [],
  ]);
  return { message, answers, doubt: [...unknown, ...unresolved].slice(0, SHOWN), failed, inbound, spread, waits };
}
