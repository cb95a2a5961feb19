import { parsePhoneNumberFromString } from 'libphonenumber-js/max';
import type { Page } from '#schemas/views.ts';
import type { Client } from './client.ts';

/** Area codes of the demo people, whose numbers these people must not take. */
const TAKEN = new Set(['212', '305', '312', '404', '415', '503', '617', '702', '808', '907', '202']);

/** Numbers that are kept for fiction in every area, +1 NXX 555 0100-0199, so that nobody's telephone ever rings. */
export function fictionalPhones(count: number): string[] {
  const areas = Array.from({ length: 789 }, (_, i) => String(201 + i)).filter(
    (area) => !TAKEN.has(area) && /^(FIXED_LINE_OR_MOBILE|MOBILE)$/.test(parsePhoneNumberFromString(`+1${area}5550100`)?.getType() ?? ''),
  );
  if (count > areas.length * 100) throw new Error(`there are ${areas.length * 100} numbers kept for fiction, not ${count}`);
  return Array.from({ length: count }, (_, i) => `+1${areas[Math.floor(i / 100)] ?? ''}55501${String(i % 100).padStart(2, '0')}`);
}

/** How many people life messages go to. They alone have browsers, since each browser takes a request of its own. */
const LIFE_PEOPLE = 20;

export interface Tags {
  readonly tag: string;
  readonly lifeTag: string;
}

/**
 * Imports the people of a run. They are the same each time, with this run's tags instead of the last run's, and all have a
 * telephone and a mailbox that do not exist. @returns how many got the second tag and a browser
 */
export async function importPeople(client: Client, count: number, { tag, lifeTag }: Tags): Promise<number> {
  const rows = fictionalPhones(count).map(
    (phone, i) => `load-${i},Load person ${i},${phone},load-${i}@load.muster.example,${i < LIFE_PEOPLE ? `${tag};${lifeTag}` : tag},life;ops;bulk`,
  );
  const csv = `external_id,name,phone,email,tags,consent\r\n${rows.join('\r\n')}\r\n`;
  const result = await client.api<{ rows: number; rejected: number; merged: number }>('POST', '/recipients/import', csv, { 'content-type': 'text/csv' });
  if (result.rows !== count || result.rejected > 0 || result.merged > 0) throw new Error(`the import went wrong: ${JSON.stringify(result).slice(0, 500)}`);
  const { items: few } = await client.api<Page<{ id: string; pushSubscriptions: number }>>('GET', `/recipients?tag=${lifeTag}&limit=100`);
  const without = few.filter((person) => person.pushSubscriptions === 0);
  const browsers = await newBrowsers(client, without.length);
  for (const [i, person] of without.entries()) await client.api('POST', `/recipients/${person.id}/push-subscriptions`, browsers[i]);
  return few.length;
}

/** Subscriptions of browsers that only the simulated push service knows. */
export async function newBrowsers(client: Client, count: number): Promise<object[]> {
  if (count === 0) return [];
  return (await client.control<{ items: object[] }>('POST', '/subscriptions', { count })).items;
}
