import { readRecipient } from '#domain/recipients/recipient-fields.ts';
import { invalidField } from '#platform/errors.ts';
import { addressFacts, CHANNELS } from '#schemas/channel-facts.ts';
import type { Tx } from '#db/database.ts';
import type { Context } from '#services/context.ts';
import { countryOf } from './country-of.ts';

export interface SuppressionInput {
  /** `snd_…`; left out: every sender that could use the address. */
  senderId?: string | undefined;
  /** Telephone number or e-mail address. */
  address: string;
}

/** An address as it is stored, and the senders meant. Throws 422 naming `address` or `senderId`. */
export async function suppressionKey(ctx: Context, tx: Tx, input: SuppressionInput): Promise<{ address: string; senderIds: number[] }> {
  const field = input.address.includes('@') ? 'email' : 'phone';
  const channels = CHANNELS.filter((channel) => addressFacts(channel).column === field);
  const { fields, errors } = readRecipient({ [field]: input.address }, await countryOf(tx, ctx.tenantId));
  const address = fields[field];
  if (address === undefined) throw invalidField('address', errors[0]?.code ?? 'required', errors[0]?.detail ?? 'an address is needed');
  const senders = await tx.selectFrom('senders').select('id').where('tenant_id', '=', ctx.tenantId).where('channel', 'in', channels).execute();
  if (input.senderId === undefined) return { address, senderIds: senders.map((sender) => sender.id) };
  const wanted = Number(ctx.ids.decode('snd', input.senderId) ?? Number.NaN);
  if (!senders.some((sender) => sender.id === wanted)) throw invalidField('senderId', 'unknown_sender', `is no ${channels.join(' or ')} sender of this tenant`);
  return { address, senderIds: [wanted] };
}
