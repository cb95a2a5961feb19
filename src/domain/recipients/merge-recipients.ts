import type { MessageClass } from '#schemas/delivery.ts';
import type { FieldIssue, RecipientFields } from './recipient-fields.ts';

/** A person as they are stored, or are about to be, with the `id` null. */
export interface Person {
  id: string | null;
  external_id: string | null;
  name: string | null;
  phone: string | null;
  email: string | null;
  locale: string | null;
  time_zone: string | null;
  lat: number | null;
  lon: number | null;
  tags: string[];
  skills: string[];
  consent: MessageClass[] | null;
}

export interface MergeRow {
  readonly line: number;
  readonly fields: RecipientFields;
}

export interface MergeIssue extends FieldIssue {
  readonly line: number;
}

export interface MergePlan {
  readonly created: Person[];
  readonly changed: Person[];
  /** Ids of people whose address moves to another person in this very batch, so that it must be taken away before it is given. */
  readonly freed: string[];
  /** Ids of the stored people that this batch named. */
  readonly touched: string[];
  readonly counts: { created: number; updated: number; unchanged: number; merged: number; rejected: number };
  readonly errors: MergeIssue[];
  readonly warnings: MergeIssue[];
}

const KEYS = ['external_id', 'phone', 'email'] as const;
/** This list is shared, like all lists of people, and is never changed in place. */
const NOTHING: string[] = [];
type Key = (typeof KEYS)[number];

/**
 * Decides what a batch of rows does to the people whom its keys name, in the order of the rows.
 *
 * A row means the person who is stored with its `external_id`, `phone` or `email`, or else a new one. What it gives
 * overwrites, and what it leaves out stays. Two kinds of row are merged into a person instead: a second row for a person of
 * this import, and a row whose address belongs to somebody with another external id, as a shared household phone does, which
 * must ring once. Those fill what is missing and add their tags and skills. A row whose keys name two people is rejected,
 * since no order of writing would be right.
 *
 * @param stored every stored person that any key of `rows` names
 * @param seen whether an earlier batch of this import named this stored person
 */
export function planMerge(stored: readonly Person[], rows: readonly MergeRow[], seen: (id: string) => boolean): MergePlan {
  const merge = new Merge(stored, seen);
  for (const row of rows) merge.add(row);
  return merge.plan();
}

class Merge {
  readonly #byKey: Record<Key, Map<string, Person>> = { external_id: new Map(), phone: new Map(), email: new Map() };
  readonly #seen: (id: string) => boolean;
  readonly #named = new Set<Person>();
  readonly #created = new Set<Person>();
  readonly #changed = new Set<Person>();
  /** The people who lost an address in this batch, by that address. */
  readonly #lost = new Map<string, Person>();
  readonly #freed = new Set<string>();
  readonly #counts = { created: 0, updated: 0, unchanged: 0, merged: 0, rejected: 0 };
  readonly #errors: MergeIssue[] = [];
  readonly #warnings: MergeIssue[] = [];

  constructor(stored: readonly Person[], seen: (id: string) => boolean) {
    this.#seen = seen;
    for (const person of stored) this.#index(person);
  }

  #index(person: Person): void {
    for (const key of KEYS) {
      const value = person[key];
      if (value !== null) this.#byKey[key].set(value, person);
    }
  }

  #holder(key: Key, { fields }: MergeRow): Person | undefined {
    const value = fields[key];
    return value === undefined ? undefined : this.#byKey[key].get(value);
  }

  add(row: MergeRow): void {
    const person = this.#holder('external_id', row) ?? this.#holder('phone', row) ?? this.#holder('email', row);
    // Most rows of a first import end here, so nothing is made before that they do not need.
    if (!person) return this.#create(row);
    const keys = KEYS.filter((key) => this.#holder(key, row) !== undefined);
    if (keys.some((key) => this.#holder(key, row) !== person)) return this.#reject(row, keys);
    const other = row.fields.external_id !== undefined && person.external_id !== null && person.external_id !== row.fields.external_id;
    const again = this.#named.has(person) || (person.id !== null && this.#seen(person.id));
    this.#named.add(person);
    if (other || again) this.#fold(person, row);
    else if (this.#write(person, row.fields)) this.#counts.updated += 1;
    else this.#counts.unchanged += 1;
  }

  #reject(row: MergeRow, keys: Key[]): void {
    this.#counts.rejected += 1;
    const list = keys.join(' and ');
    for (const key of keys) this.#errors.push({ line: row.line, field: key, code: 'address_conflict', detail: `${list} belong to different people` });
  }

  #create({ fields }: MergeRow): void {
    const person: Person = {
      id: null,
      external_id: fields.external_id ?? null,
      name: fields.name ?? null,
      phone: fields.phone ?? null,
      email: fields.email ?? null,
      locale: fields.locale ?? null,
      time_zone: fields.time_zone ?? null,
      lat: fields.lat ?? null,
      lon: fields.lon ?? null,
      tags: fields.tags ?? NOTHING,
      skills: fields.skills ?? NOTHING,
      consent: fields.consent ?? null,
    };
    this.#named.add(person);
    this.#created.add(person);
    for (const key of KEYS) this.#move(person, key, null);
    this.#counts.created += 1;
  }

  #fold(person: Person, row: MergeRow): void {
    this.#counts.merged += 1;
    const { fields } = row;
    const fill: RecipientFields = {};
    for (const key of ['phone', 'email'] as const) {
      const value = fields[key];
      if (value === undefined || value === person[key]) continue;
      if (person[key] === null) fill[key] = value;
      else
        this.#warnings.push({
          line: row.line,
          field: key,
          code: 'merged_other_address',
          detail: `this row was merged into a person who already has another ${key}, which was kept`,
        });
    }
    for (const key of ['external_id', 'name', 'locale', 'time_zone'] as const) if (person[key] === null && fields[key] !== undefined) fill[key] = fields[key];
    if (person.lat === null && fields.lat !== undefined && fields.lon !== undefined) Object.assign(fill, { lat: fields.lat, lon: fields.lon });
    if (person.consent === null && fields.consent) fill.consent = fields.consent;
    if (fields.tags) fill.tags = union(person.tags, fields.tags);
    if (fields.skills) fill.skills = union(person.skills, fields.skills);
    this.#write(person, fill);
  }

  /** @returns whether anything differs now */
  #write(person: Person, fields: RecipientFields): boolean {
    const before = KEYS.map((key) => person[key]);
    let differs = false;
    for (const [key, value] of Object.entries(fields) as [keyof RecipientFields, Person[keyof RecipientFields]][]) {
      if (equal(person[key], value)) continue;
      Object.assign(person, { [key]: value });
      differs = true;
    }
    if (!differs) return false;
    if (!this.#created.has(person)) this.#changed.add(person);
    for (const [i, key] of KEYS.entries()) this.#move(person, key, before[i] ?? null);
    return true;
  }

  #move(person: Person, key: Key, old: string | null): void {
    const now = person[key];
    if (now === old) return;
    if (old !== null) {
      this.#byKey[key].delete(old);
      if (person.id !== null) this.#lost.set(`${key} ${old}`, person);
    }
    if (now === null) return;
    this.#byKey[key].set(now, person);
    const loser = this.#lost.size === 0 ? undefined : this.#lost.get(`${key} ${now}`);
    if (loser?.id) this.#freed.add(loser.id);
  }

  plan(): MergePlan {
    const touched = [...this.#named].flatMap((person) => person.id ?? []);
    return {
      created: [...this.#created],
      changed: [...this.#changed],
      freed: [...this.#freed],
      touched,
      counts: this.#counts,
      errors: this.#errors,
      warnings: this.#warnings,
    };
  }
}

const union = (a: readonly string[], b: readonly string[]): string[] => [...new Set([...a, ...b])].sort();

function equal(a: unknown, b: unknown): boolean {
  if (!Array.isArray(a) || !Array.isArray(b)) return a === b;
  if (a.length !== b.length) return false;
  // Stored lists may come in any order. They are short, so a scan is cheaper than a sort.
  return a.every((one) => b.includes(one));
}
