import { sql } from 'kysely';
import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { Tx } from '#db/database.ts';
import type { ZoneWindows } from '#db/audience/plan-page.ts';
import { openWindow, type QuietHours, quietHoursOf } from '#domain/message/quiet-hours.ts';

interface Night {
  readonly quiet: QuietHours;
  /** The zone of people who have none of their own. */
  readonly zone: string;
  /** The database's clock, in milliseconds. */
  readonly now: number;
}

async function nightOf(tx: Tx, tenantId: number): Promise<Night | null> {
  const row = await tx
    .selectFrom('tenants')
    .select(['policy', 'time_zone', sql<Date>`now()`.as('now')])
    .where('tenant_id', '=', tenantId)
    .executeTakeFirstOrThrow();
  const quiet = quietHoursOf(row.policy);
  return quiet && { quiet, zone: row.time_zone ?? 'UTC', now: row.now.getTime() };
}

/** The zones of a tenant's people are read once per wave; a person of a zone that came later is called by the tenant's clock. */
export interface ZoneMemory {
  zones?: readonly string[];
}

/** Tells when people of each zone may be called next; null where the tenant has no quiet hours. */
export async function zoneWindows(tx: Tx, tenantId: number, memory: ZoneMemory): Promise<ZoneWindows | null> {
  const night = await nightOf(tx, tenantId);
  if (!night) return null;
  memory.zones ??= (
    await tx
      .selectFrom('recipients')
      .select('time_zone')
      .distinct()
      .where('tenant_id', '=', tenantId)
      .where('time_zone', 'is not', null)
      .where('erased_at', 'is', null)
      .execute()
  ).flatMap((row) => row.time_zone ?? []);
  const windowOf = (zone: string) => {
    const { from, until } = openWindow(night.now, zone, night.quiet);
    return { dueAt: new Date(from), openUntil: new Date(until) };
  };
  return { zones: memory.zones.map((zone) => ({ zone, ...windowOf(zone) })), otherwise: windowOf(night.zone) };
}

/** Holds a batch whose quiet hours have begun until they end. @returns milliseconds until then */
export async function holdUntilMorning(tx: Tx, batch: ClaimedBatch): Promise<number> {
  const { tenantId, id } = batch;
  const night = await nightOf(tx, tenantId);
  const held = await tx.selectFrom('batches').select('time_zone').where('tenant_id', '=', tenantId).where('id', '=', id).executeTakeFirst();
  // Where the tenant has given up its quiet hours meanwhile, nothing holds the batch any more.
  const window = night && openWindow(night.now, held?.time_zone ?? night.zone, night.quiet);
  await tx
    .updateTable('batches')
    .set({ open_until: window ? new Date(window.until) : null })
    .where('tenant_id', '=', tenantId)
    .where('id', '=', id)
    .where('fence', '=', batch.fence)
    .where('state', '=', 'claimed')
    .execute();
  return night && window ? window.from - night.now : 0;
}
