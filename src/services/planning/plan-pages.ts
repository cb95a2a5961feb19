import type { Selectable } from 'kysely';
import type { Tx } from '#db/database.ts';
import { planPage, type PlannedPage } from '#db/audience/plan-page.ts';
import { wavePeople } from '#db/audience/wave-people.ts';
import type { Audience } from '#schemas/audience.ts';
import type { WavesTable } from '#schemas/database-messages.ts';
import type { MessageClass } from '#schemas/delivery.ts';
import { type Deps, notifyProgressOf } from '#services/context.ts';
import type { MessageRow } from '#services/message-row.ts';
import { type ZoneMemory, zoneWindows } from './quiet-windows.ts';
import { chooseSenders } from '#services/organisations/senders-for.ts';

export type WaveRow = Selectable<WavesTable>;

/** What one page of a wave came to. */
export interface Step {
  waveId: string;
  messageId: string;
  lane: MessageClass;
  page: PlannedPage;
  done: boolean;
  /** It belongs to the wave with which the message began. */
  first: boolean;
  /** Nothing of the wave was planned before this page. */
  began: boolean;
}

export interface Planning {
  readonly tenantId: number;
  /** How many people a page holds. */
  readonly limit: number;
  readonly memory: ZoneMemory;
  /** Given where all waves belong to one message, and its launch has just read these. */
  readonly known?: { readonly message: MessageRow; readonly senders: Senders };
}

/**
 * Plans the next page of each of these waves, which the caller's transaction has locked. What they share is read and
 * written once for all of them.
 */
export async function planPages(tx: Tx, deps: Deps, waves: readonly WaveRow[], planning: Planning): Promise<Step[]> {
  const { tenantId, known } = planning;
  const messages = known ? new Map([[known.message.id, known.message]]) : await messagesOf(tx, tenantId, waves);
  const open: { wave: WaveRow; message: MessageRow }[] = [];
  const over: string[] = [];
  for (const wave of waves) {
    const message = messages.get(wave.message_id);
    if (!message) throw new Error(`wave ${wave.id} has no message`);
    // A stop or expiry ends later waves that have not begun. The first one is planned to its end whatever happens, so that
    // everybody of the frozen audience has a row that says what became of them; its batches are closed as they come.
    if (wave.ordinal > 0 && wave.state === 'waiting' && message.state !== 'live' && message.state !== 'completed') over.push(wave.id);
    else open.push({ wave, message });
  }
  const ended = open.flatMap(({ message }) => (message.state === 'completed' ? [message.id] : []));
  if (over.length > 0)
    await tx.updateTable('waves').set({ state: 'cancelled' }).where('tenant_id', '=', tenantId).where('id', 'in', over).execute();
  if (ended.length > 0)
    await tx
      .updateTable('messages')
      .set({ state: 'live', completed_at: null })
      .where('tenant_id', '=', tenantId)
      .where('id', 'in', ended)
      .execute();
  const senders = known ? () => known.senders : sendersOnce(tx, tenantId);
  // The pages are sent one behind the other without waiting in between; the connection answers them in their order.
  const pages = open.map(async ({ wave, message }) => planOne(tx, deps, { ...planning, wave, message, senders: await senders(message) }));
  const told = notifyProgressOf(
    tx,
    tenantId,
    open.map(({ message }) => message.id),
  );
  const [steps] = await Promise.all([Promise.all(pages), told]);
  return steps;
}

async function messagesOf(tx: Tx, tenantId: number, waves: readonly WaveRow[]): Promise<Map<string, MessageRow>> {
  if (waves.length === 0) return new Map();
  const ids = [...new Set(waves.map((wave) => wave.message_id))];
  const rows = await tx.selectFrom('messages').selectAll().where('tenant_id', '=', tenantId).where('id', 'in', ids).execute();
  return new Map(rows.map((row) => [row.id, row]));
}

type Senders = Awaited<ReturnType<typeof chooseSenders>>;

function sendersOnce(tx: Tx, tenantId: number): (message: MessageRow) => Promise<Senders> {
  const known = new Map<string, Promise<Senders>>();
  return (message) => {
    const key = `${message.class} ${message.drill}`;
    const found = known.get(key) ?? chooseSenders(tx, tenantId, message.class, message.drill);
    known.set(key, found);
    return found;
  };
}

async function planOne(tx: Tx, deps: Deps, one: Planning & { wave: WaveRow; message: MessageRow; senders: Senders }): Promise<Step> {
  const { tenantId, limit, memory, wave, message, senders } = one;
  const page = await planPage(tx, {
    tenantId,
    messageId: message.id,
    wave: wave.ordinal,
    waveId: wave.id,
    lane: message.class,
    channels: wave.channels,
    mode: wave.mode,
    ...senders,
    condition: wavePeople(
      {
        selects: wave.selects,
        ordinal: wave.ordinal,
        messageId: message.id,
        followsId: message.follows_id,
        recipientIds: wave.recipient_ids,
        audience: message.audience as Audience,
      },
      (id) => deps.ids.decode('rcp', id),
    ),
    followsId: wave.selects === 'reached' ? message.follows_id : null,
    untried: wave.selects === 'not_reached',
    freezes: wave.ordinal === 0 || wave.selects === 'ids',
    // Joins come in any order of ids, so their wave has no position: those who are planned leave its list.
    cursorId: wave.selects === 'ids' ? '0' : wave.cursor_id,
    maxId: wave.selects === 'ids' ? null : message.audience_max_id,
    listed: wave.selects === 'ids',
    now: new Date(deps.clock.now()),
    limit: wave.selects === 'ids' ? Math.max(limit, wave.recipient_ids?.length ?? 0) + 1 : limit,
    // People who join by themselves are awake.
    windows: message.class === 'bulk' && wave.selects !== 'ids' ? await zoneWindows(tx, tenantId, memory) : null,
  });
  return {
    waveId: wave.id,
    messageId: message.id,
    lane: message.class,
    page,
    done: wave.selects === 'ids' || page.people < limit,
    first: wave.ordinal === 0,
    began: wave.cursor_id === '0',
  };
}
