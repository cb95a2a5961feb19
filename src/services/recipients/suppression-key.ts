import { readRecipient } from '#domain/recipients/recipient-fields.ts';
import { invalidField } from '#platform/errors.ts';
import { addressFacts, CHANNELS } from '#schemas/channel-facts.ts';
import type { Tx } from '#db/database.ts';
import type { Context } from '#services/context.ts';
import { countryOf } from './country-of.ts';

export interface SuppressionInput {
  /** `snd_…`; without it every sender is meant that could use the address. */
  senderId?: string | undefined;
  /** Telephone number or e-mail address. */
  address: string;
}

interface SuppressionKey {
  /** As it is stored. */
  readonly address: string;
  readonly senderIds: number[];
}

/**
 * Reads which address of which senders is meant.
 * @throws Problem 422 that names `address` or `senderId`
 */
export async function suppressionKey(ctx: Context, tx: Tx, input: SuppressionInput): Promise<SuppressionKey> {
  const field = input.address.includes('@') ? 'email' : 'phone';
  const channels = CHANNELS.filter((channel) => addressFacts(channel).column === field);
  const { fields, errors } = readRecipient({ [field]: input.address }, await countryOf(tx, ctx.tenantId));
  const address = fields[field];
  if (address === undefined) throw invalidField('address', errors[0]?.code ?? 'required', errors[0]?.detail ?? 'an address is needed');
  const ofTenant = tx.selectFrom('senders').select('id').where('tenant_id', '=', ctx.tenantId);
  const senders = await ofTenant.where('channel', 'in', channels).execute();
  if (input.senderId === undefined) return { address, senderIds: senders.map((sender) => sender.id) };
  const wanted = Number(ctx.ids.decode('snd', input.senderId) ?? Number.NaN);
  const known = senders.some((sender) => sender.id === wanted);
  if (!known) throw invalidField('senderId', 'unknown_sender', `is no ${channels.join(' or ')} sender of this tenant`);
  return { address, senderIds: [wanted] };
}
