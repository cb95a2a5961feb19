import type { HookCall, ReceiptHook } from '#domain/delivery/hook.ts';
import { unpackRef } from '#domain/delivery/refs.ts';
import { notFound } from '#platform/errors.ts';
import type { Deps } from '#services/context.ts';
import { receiptWriter } from './receipt-writer.ts';
import { tenantOfMessage } from '#services/tenant-of-message.ts';

/**
 * Takes one call of a carrier about a delivery. Resolves when its receipt is committed; one that says nothing of the
 * delivery's fate changes nothing.
 * @param token from the path: the sealed delivery reference that the carrier was given
 * @throws Problem 403 forged or of another account; 404 a reference that names no message of this channel; 422 no receipt at all
 */
export async function receiveReceipt(deps: Pick<Deps, 'db' | 'tokens'>, hook: ReceiptHook, token: string, call: HookCall): Promise<void> {
  const fields = hook.verify(call);
  const sealed = deps.tokens.open('receipt', token);
  const ref = sealed && unpackRef(sealed);
  const tenantId = ref?.channel === hook.channel ? await tenantOfMessage(deps, ref.messageId) : undefined;
  if (!ref || tenantId === undefined) throw notFound('delivery');
  const evidence = hook.toReceipt(fields);
  if (evidence) await receiptWriter(deps).write(tenantId, { ref, ...evidence });
}
