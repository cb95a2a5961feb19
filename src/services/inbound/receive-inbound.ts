import type { HookCall, InboundHook } from '#domain/delivery/hook.ts';
import type { Deps } from '#services/context.ts';
import { receiveInboundText } from './inbound-text.ts';

/**
 * Takes one call of a carrier about a text that somebody sent to one of our numbers.
 * @returns what to text back; '' for nothing
 * @throws Problem 403 forged or of another account; 422 no text at all
 */
export async function receiveInbound(deps: Deps, hook: InboundHook, call: HookCall): Promise<string> {
  const text = hook.toInbound(hook.verify(call));
  return receiveInboundText(deps, hook.channel, text);
}
