import type { ClaimedBatch } from '#db/delivery/claim-batch.ts';
import type { Slice } from '#db/delivery/mark-slice.ts';
import { type DuePerson, duePeople, resolveDoubt } from '#db/delivery/resolve-doubt.ts';
import { setAside, standIns } from '#db/delivery/sender-batches.ts';
import { PROBE_PEOPLE } from '#domain/delivery/breaker.ts';
import { type Candidate, insteadOf } from '#domain/delivery/choose-sender.ts';
import type { Deps } from '#services/context.ts';
import { type SendPlan, type SendPlans, SLICE } from './send-plan.ts';
import type { Route } from './choose-route.ts';

/** A slice of a paced sender takes at most this much of its budget. */
const PACED_MS = 250;
/** How many suspects go in a slice; the number is divided by ten for each crash: 12, then one. */
const SUSPECTS = 125;

type CutDeps = Pick<Deps, 'db'> & { readonly plans: SendPlans };

/** A slice with the sender that it goes by: `batch.senderId` is that sender, whichever the batch was planned for. */
export interface Cut extends Slice {
  readonly batch: ClaimedBatch;
  readonly plan: SendPlan;
  /** Whether it goes by another sender than the batch was planned for. */
  readonly standIn: boolean;
  /** How it is marked ahead: in parts, all of it at once, or while nobody else is marked. */
  readonly take: 'any' | 'whole' | 'alone';
  /** Whether a person of it may end the process, so that few others are marked meanwhile. */
  readonly narrow: boolean;
}

/**
 * A person who was called three times by a worker that died, the last time alone in a slice, is called while nobody of any slot
 * is. Otherwise the people who had died beside them in other slots came due at the same times, and of 3,000 one was given up with
 * them.
 */
const ALONE_IN_PROCESS = 3;

/**
 * Cuts a claimed batch into slices. People who are due again come first, then those never marked. After a crash the slices shrink
 * (250, 12, 1), so that a poisonous row ends alone. A life delivery's next attempt goes by another sender than its last one, where
 * one is well.
 */
export async function cutSlices(deps: CutDeps, { batch, probe, ill }: Route): Promise<Cut[]> {
  const again = batch.marked === 0 ? [] : await dueAgain(deps, batch);
  const asks = batch.lane === 'life' && (again.length > 0 || ill);
  const others = asks ? await deps.db.withTenant(batch.tenantId, (tx) => standIns(tx, batch)) : [];
  const cuts: Cut[] = [];
  for (const { senderId, crashes, ids } of grouped(again, (person) => nextSender(others, person.senderId, batch.senderId)))
    cuts.push(...(await cutsOf(deps, batch, senderId, { ids, crashes, fresh: false })));
  const fresh = batch.ids.slice(batch.marked);
  const freshBy = ill ? (insteadOf(others, batch.senderId)?.id ?? batch.senderId) : batch.senderId;
  cuts.push(...(await cutsOf(deps, batch, freshBy, { ids: fresh, crashes: batch.crashes, fresh: true })));
  return probe === null ? cuts : withProbe(deps, batch, cuts, probe);
}

const dueAgain = (deps: CutDeps, batch: ClaimedBatch): Promise<DuePerson[]> =>
  deps.db.withTenant(batch.tenantId, async (tx) => {
    await resolveDoubt(tx, batch);
    return duePeople(tx, batch);
  });

/** The sender of a next attempt: not the one that was tried, unless no other is well. */
function nextSender(others: readonly Candidate[], tried: number, planned: number): number {
  return insteadOf(others, tried)?.id ?? (others.find((one) => one.id === tried)?.well ? tried : planned);
}

interface Group {
  senderId: number;
  crashes: number;
  ids: string[];
}

/** Groups people by sender and suspicion; the groups beyond suspicion come first. */
function grouped(people: readonly DuePerson[], senderOf: (person: DuePerson) => number): Group[] {
  const groups = new Map<string, Group>();
  for (const person of people) {
    const senderId = senderOf(person);
    const key = `${person.crashes}.${senderId}`;
    const group = groups.get(key) ?? { senderId, crashes: person.crashes, ids: [] };
    group.ids.push(person.id);
    groups.set(key, group);
  }
  return [...groups.values()];
}

interface Some {
  ids: readonly string[];
  crashes: number;
  /** Whether these people were never marked: they are the last people of the batch, in their order. */
  fresh: boolean;
}

/** How a batch goes by a sender, and which of these people must not be called by it. */
async function goBy(
  deps: CutDeps,
  planned: ClaimedBatch,
  senderId: number,
  ids: readonly string[],
): Promise<Omit<Cut, keyof Slice | 'take' | 'narrow'> & { aside: ReadonlySet<string> }> {
  const standIn = senderId !== planned.senderId;
  // Nobody knows how a stand-in did a moment ago, so its good calls are news.
  const batch: ClaimedBatch = standIn ? { ...planned, senderId, health: 'watched' } : planned;
  const plan = await deps.plans.of(deps.db, batch);
  // For ops and bulk the mark itself refuses people who opted out of any sender of the class.
  const asks = standIn && planned.lane === 'life';
  const aside = asks ? await deps.db.withTenant(batch.tenantId, (tx) => setAside(tx, batch, senderId, ids)) : new Set<string>();
  return { batch, plan, standIn, aside };
}

async function cutsOf(deps: CutDeps, planned: ClaimedBatch, senderId: number, { ids, crashes, fresh }: Some): Promise<Cut[]> {
  if (ids.length === 0) return [];
  const { aside, ...way } = await goBy(deps, planned, senderId, ids);
  const { unitsPerSecond, unitsPerCall, optOutsOf } = way.plan;
  const paced = unitsPerSecond === null ? SLICE : Math.max(1, Math.floor((unitsPerSecond * PACED_MS) / 1000 / unitsPerCall));
  const size = crashes === 0 ? paced : Math.max(1, Math.min(paced, Math.floor(SUSPECTS / 10 ** Math.min(crashes, 3))));
  const take = !fresh && crashes >= ALONE_IN_PROCESS ? 'alone' : unitsPerSecond !== null || aside.size > 0 ? 'whole' : 'any';
  const cuts: Cut[] = [];
  for (let i = 0; i < ids.length; i += size) {
    const all = ids.slice(i, i + size);
    const markedTo = fresh ? planned.marked + i + all.length : planned.marked;
    cuts.push({
      ids: aside.size > 0 ? all.filter((id) => !aside.has(id)) : all,
      markedTo,
      alone: !fresh && crashes > 1,
      narrow: crashes > 0,
      take,
      optOutsOf,
      ...way,
    });
  }
  return cuts;
}

/** Lets a few people of the batch's own sender go first, alone and by the sender that is asked; the rest follows when it may. */
async function withProbe(deps: CutDeps, planned: ClaimedBatch, cuts: readonly Cut[], asked: number): Promise<Cut[]> {
  const [first, ...rest] = cuts.filter((cut) => !cut.standIn);
  const byOthers = cuts.filter((cut) => cut.standIn);
  if (!first) return byOthers;
  const ids = first.ids.slice(0, PROBE_PEOPLE);
  const { aside, ...way } = await goBy(deps, planned, asked, ids);
  const fresh = first.markedTo > planned.marked;
  const probe: Cut = {
    ...first,
    ...way,
    ids: ids.filter((id) => !aside.has(id)),
    optOutsOf: way.plan.optOutsOf,
    probe: true,
    alone: true,
    take: 'whole',
    markedTo: fresh ? planned.marked + ids.length : planned.marked,
  };
  const left = first.ids.slice(PROBE_PEOPLE);
  return [...byOthers, probe, ...(left.length > 0 ? [{ ...first, ids: left }] : []), ...rest];
}
