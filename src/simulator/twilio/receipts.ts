import { pick, waitingTime } from '#simulator/chance.ts';
import { smsOf } from '#simulator/control.ts';
import type { World } from '#simulator/world.ts';
import type { TwilioMessage, TwilioStatus } from './twilio-message.ts';

/** An early receipt waits at most this long for Muster's answer before the 201 goes out all the same. */
const EARLY_LIMIT_MS = 1000;

/** What the carrier will say of one message, which is decided when the message is taken. */
export interface Verdict {
  readonly final: 'delivered' | 'undelivered' | 'failed' | 'none';
  readonly errorCode: number | null;
  readonly delayMs: number;
  readonly early: boolean;
}

export function judge(world: World, message: TwilioMessage): Verdict {
  const { receipts } = smsOf(world.behaviour, message.account);
  const { chance } = world;
  const override = world.behaviour.addresses[message.to]?.receipt;
  // Luck goes by number: a phone that is off stays off for the next message of this run.
  const luck = chance.of('receipt', message.to);
  const { failedShare, undeliveredShare, lostShare } = receipts;
  const drawn =
    luck < failedShare
      ? 'failed'
      : luck < failedShare + undeliveredShare
        ? 'undelivered'
        : luck < failedShare + undeliveredShare + lostShare
          ? 'none'
          : 'delivered';
  const final = override ?? drawn;
  return {
    final,
    errorCode: final === 'failed' || final === 'undelivered' ? (pick(receipts.errorCodes, chance.of('receipt code', message.to)) ?? null) : null,
    delayMs: 1000 * waitingTime(receipts.delaySeconds, receipts.spread, chance.next(), chance.next()),
    early: chance.next() < receipts.earlyShare,
  };
}

/** The body of a status callback (twilio.com/docs/messaging/guides/track-outbound-message-status). */
function callbackParams(message: TwilioMessage, status: TwilioStatus, errorCode: number | null, at: number): Record<string, string> {
  const stamp = new Date(at).toISOString().replace(/\D/g, '').slice(2, 12);
  return {
    AccountSid: message.accountSid,
    ApiVersion: '2010-04-01',
    From: message.from,
    MessageSid: message.sid,
    MessageStatus: status,
    SmsSid: message.sid,
    SmsStatus: status,
    To: message.to,
    ...(message.serviceSid === null ? {} : { MessagingServiceSid: message.serviceSid }),
    ...(errorCode === null ? {} : { ErrorCode: String(errorCode) }),
    ...(status === 'delivered' || status === 'undelivered' ? { RawDlrDoneDate: stamp } : {}),
  };
}

interface Step {
  readonly status: TwilioStatus;
  readonly atMs: number;
}

/** A message that `failed` never left Twilio, so no `sent` comes before. */
function stepsOf(verdict: Verdict): Step[] {
  const sent: Step = { status: 'sent', atMs: verdict.delayMs / 10 };
  if (verdict.final === 'none') return [sent];
  const last: Step = { status: verdict.final, atMs: verdict.delayMs };
  return verdict.final === 'failed' ? [last] : [sent, last];
}

type Order = World['behaviour']['sms']['receipts']['order'];

/** The statuses in another order, at the times of the natural order. */
function reorder(steps: readonly Step[], order: Order, world: World): Step[] {
  if (order === 'natural' || (order === 'shuffled' && world.chance.next() < 0.5)) return [...steps];
  const statuses = steps.map((step) => step.status).reverse();
  return steps.map((step, i) => ({ atMs: step.atMs, status: statuses[i] ?? step.status }));
}

/**
 * Posts the receipts of one message in their time; the message itself moves in the natural order.
 * @returns resolves when an early message's receipts are answered, else at once
 */
export async function sendReceipts(world: World, message: TwilioMessage, verdict: Verdict): Promise<void> {
  const natural = stepsOf(verdict);
  const { repeat, order } = smsOf(world.behaviour, message.account).receipts;
  const post = async (status: TwilioStatus): Promise<void> => {
    if (!message.callbackUrl) return;
    const errorCode = status === 'sent' ? null : verdict.errorCode;
    for (let n = 0; n < repeat; n++) await world.hooks.post(message.callbackUrl, callbackParams(message, status, errorCode, world.clock.now()));
  };
  const settle = (status: TwilioStatus): void => {
    message.status = status;
    message.updatedAt = world.clock.now();
    message.sentAt ??= message.updatedAt;
    if (status !== 'sent') message.errorCode = verdict.errorCode;
  };
  const posted = reorder(natural, order, world);
  if (verdict.early) {
    for (const { status } of natural) settle(status);
    const all = (async () => {
      for (const { status } of posted) await post(status);
    })();
    await Promise.race([all, new Promise<void>((done) => world.agenda.after(EARLY_LIMIT_MS, done))]);
    return;
  }
  // A receipt is posted only after the one before it was answered, since they could overtake each other over several connections.
  let before = Promise.resolve();
  natural.forEach((step, i) =>
    world.agenda.after(step.atMs, () => {
      settle(step.status);
      before = before.then(() => post(posted[i]?.status ?? step.status));
      return before;
    }),
  );
}
