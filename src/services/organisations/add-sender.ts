import { sql } from 'kysely';
import { readPhone } from '#domain/recipients/phone.ts';
import { readRecipient } from '#domain/recipients/recipient-fields.ts';
import { type FieldError, notFound, Problem } from '#platform/errors.ts';
import { addressFacts, type Channel, factsOf } from '#schemas/channel-facts.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { appendAudit } from '#services/audit.ts';
import type { Context } from '#services/context.ts';
import { insertSender } from './create-tenant.ts';

type SenderContext = Pick<Context, 'db' | 'tenantId' | 'actor' | 'ids'>;

export interface SenderInput {
  readonly channel: Channel;
  readonly name: string;
  /**
   * It depends on the kind of address that people have there: E.164, a short code or the name of a provider's pool of numbers;
   * a mail address, with a name or without; or nothing.
   */
  readonly address: string;
  readonly classes: readonly MessageClass[];
  readonly drill: boolean;
  /** Which of the channel's provider accounts. */
  readonly account: number;
  /** SMS segments, else messages; null: as fast as the provider takes it. */
  readonly unitsPerSecond: number | null;
  /** The provider behind it is the simulator, so that test keys may use it. */
  readonly simulated: boolean;
}

/** No provider is faster, so a rate above it is a slip of the hand. */
const RATE_MAX = 100_000;

/**
 * Adds a sender: a number, an address or a push key that messages leave from. Messages planned from now on may use it, and a
 * life message that waits for a sender uses it at once.
 * @throws Problem 422 that names every wrong field; 422 `name_taken`; 422 `address_taken`, since a number serves one organisation
 */
export async function addSender(ctx: SenderContext, input: SenderInput): Promise<{ id: string }> {
  const errors: FieldError[] = [...rateErrors(input.unitsPerSecond)];
  const name = input.name.trim();
  if (name === '' || name.length > 100) errors.push({ field: 'name', code: 'invalid', detail: 'must be 1 to 100 characters' });
  if (input.classes.length === 0) errors.push({ field: 'classes', code: 'required', detail: 'name at least one of life, ops, bulk' });
  const accountError = accountProblem(input.channel, input.account);
  if (accountError !== undefined) errors.push({ field: 'account', code: 'invalid', detail: accountError });
  const address = addressOf(input.channel, input.address);
  if (typeof address !== 'string') errors.push({ field: 'address', code: 'invalid', detail: address.problem });
  if (errors.length > 0 || typeof address !== 'string') throw refused(errors);
  return ctx.db.withTenant(ctx.tenantId, async (tx) => {
    // Senders are added one at a time, since neither a name nor a number has an index that would decide who was first.
    await sql`SELECT pg_advisory_xact_lock(hashtext('add_sender'))`.execute(tx);
    const senders = tx.selectFrom('senders').select(['name', 'channel', 'address', 'drill', 'account']);
    const own = await senders.where('tenant_id', '=', ctx.tenantId).execute();
    if (own.some((one) => one.name.toLowerCase() === name.toLowerCase()))
      throw refused([{ field: 'name', code: 'name_taken', detail: `a sender of this organisation is called ${name} already` }]);
    const sameAddress = own.filter((one) => one.channel === input.channel && one.address === address);
    if (sameAddress.some((one) => one.drill === input.drill && one.account === input.account))
      throw refused([{ field: 'address', code: 'address_taken', detail: 'this organisation has this sender already' }]);
    if (factsOf(input.channel).inbound) {
      const { rows } = await sql<{ tenant_id: number }>`SELECT tenant_id FROM sender_tenant(${input.channel}::channel, ${address})`.execute(
        tx,
      );
      if (rows.some((row) => row.tenant_id !== ctx.tenantId))
        throw refused([
          {
            field: 'address',
            code: 'address_taken',
            detail: 'another organisation has this number, and a number serves one: texts to it would go astray',
          },
        ]);
    }
    const id = await insertSender(tx, ctx.tenantId, { ...input, name, address, classes: [...input.classes] });
    await appendAudit(tx, ctx, 'sender.create', String(id), {
      channel: input.channel,
      classes: [...input.classes],
      drill: input.drill,
      account: input.account,
      rate: input.unitsPerSecond,
    });
    return { id: ctx.ids.encode('snd', id) };
  });
}

/**
 * Changes how fast a sender may be used, from the next group of people on; null means as fast as the provider takes it. A
 * worker remembers for a minute that a sender had no rate, or how many people go at a time.
 * @param idOrName as the list shows it
 * @throws Problem 404; 422 `invalid` that names `rate`
 */
export async function changeSenderRate(ctx: SenderContext, idOrName: string, unitsPerSecond: number | null): Promise<{ id: string }> {
  const errors = rateErrors(unitsPerSecond);
  if (errors.length > 0) throw refused(errors);
  return ctx.db.withTenant(ctx.tenantId, async (tx) => {
    const senders = tx.selectFrom('senders').select(['id', 'name', 'units_per_second']).forUpdate();
    const own = await senders.where('tenant_id', '=', ctx.tenantId).execute();
    const wanted = idOrName.trim();
    const byId = own.find((one) => ctx.ids.encode('snd', one.id) === wanted);
    const found = byId ?? own.find((one) => one.name.toLowerCase() === wanted.toLowerCase());
    if (!found) throw notFound('sender');
    await tx
      .updateTable('senders')
      // Time that was taken ahead at a far too low rate (a slip of the hand) would bind for hours; at a real rate it is seconds.
      .set({ units_per_second: unitsPerSecond, next_free_at: sql<Date>`LEAST(next_free_at, now() + interval '30 seconds')` })
      .where('tenant_id', '=', ctx.tenantId)
      .where('id', '=', found.id)
      .execute();
    await appendAudit(tx, ctx, 'sender.change', String(found.id), { rate: unitsPerSecond, before: found.units_per_second });
    return { id: ctx.ids.encode('snd', found.id) };
  });
}

function refused(errors: readonly FieldError[]): Problem {
  return new Problem(422, errors[0]?.code ?? 'invalid', 'Nothing was changed.', { errors });
}

function rateErrors(rate: number | null): FieldError[] {
  if (rate === null || (Number.isFinite(rate) && rate > 0 && rate <= RATE_MAX)) return [];
  return [{ field: 'rate', code: 'invalid', detail: `must be above 0 and at most ${RATE_MAX} a second` }];
}

/** Accounts are told apart by small numbers, which the database holds too. */
const ACCOUNT_MAX = 99;

function accountProblem(channel: Channel, account: number): string | undefined {
  const { accounts, names } = factsOf(channel);
  if (accounts === 'one' && account !== 1) return `${names.inText} has one account alone`;
  return Number.isInteger(account) && account >= 1 && account <= ACCOUNT_MAX
    ? undefined
    : `must be a whole number from 1 to ${ACCOUNT_MAX}`;
}

/** `Name <local@domain>`; without a line break or angle bracket that would end it early. */
const WITH_NAME = /^([^<>\p{Cc}]*)<([^<>\s]+)>$/u;

function addressOf(channel: Channel, given: string): string | { problem: string } {
  const text = given.trim();
  const { sender } = addressFacts(channel);
  if (sender === 'none') return text === '' ? '' : { problem: `${factsOf(channel).names.inText} has no address: leave it out` };
  if (sender === 'mailbox') {
    const { email } = readRecipient({ email: WITH_NAME.exec(text)?.[2] ?? text }, 'US').fields;
    return email === undefined || text.length > 320
      ? { problem: 'must be an address such as alerts@example.org or Alerts <alerts@example.org>' }
      : text;
  }
  // Short codes have 3 to 8 digits.
  if (/^\d{3,8}$/.test(text) || factsOf(channel).senderPool?.test(text)) return text;
  const reading = text.startsWith('+')
    ? readPhone(text, 'US')
    : { problem: 'must be a number in international writing such as +12025550100, or a short code' };
  return 'problem' in reading ? { problem: reading.problem } : reading.e164;
}
