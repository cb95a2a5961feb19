import { sql } from 'kysely';
import type { MessageClass } from '#schemas/delivery.ts';
import type { Deps } from '#services/context.ts';

export interface OperationFact {
  readonly name: 'delivery_state' | 'oldest_due_seconds' | 'messages_live' | 'senders_stopped' | 'senders_failing';
  readonly lane: MessageClass | null;
  /** A delivery state, a channel, or ''. */
  readonly label: string;
  readonly value: number;
}

/** Tells what the whole installation is doing, over all tenants, in counts alone. */
export async function operationFacts(deps: Pick<Deps, 'db'>): Promise<OperationFact[]> {
  const { rows } = await sql<OperationFact>`SELECT name, lane, label, value FROM operation_facts()`.execute(deps.db.across);
  return rows;
}
