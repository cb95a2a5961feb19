import type { Tx } from '#db/database.ts';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { findByKeys, insertPeople, insertUnknown, lockRecipients, updatePeople } from '#db/recipient-sql.ts';
import { IdSet } from '#domain/id-set.ts';
import { type MergeIssue, type MergePlan, type MergeRow, planMerge } from '#domain/recipients/merge-recipients.ts';
import { type FileRow, HeaderError, type ImportFormat, readerFor } from '#domain/recipients/recipient-file.ts';
import { readRecipient } from '#domain/recipients/recipient-fields.ts';
import { Problem } from '#platform/errors.ts';
import { type Context, inTenant } from '#services/context.ts';
import { countryOf } from '#services/recipients/country-of.ts';
import { erasedAmong } from '#services/recipients/erasures.ts';
import { spoolUtf8 } from './import-spool.ts';
import { type ImportResult, recordImport } from './record-import.ts';

const MAX_ERRORS = 1_000;
const MAX_WARNINGS = 100;
/** Rows of a transaction. With 500 the round trips cost a third more; 5,000 gains nothing and blocks other writers for longer. */
const BATCH = 2_000;
/** Rows read in one turn of the event loop, some 3 ms: requests and the database's answers are not kept waiting for longer. */
const TURN = 200;

/**
 * Imports people from a CSV or NDJSON file of any size. The upload is taken in and proved to be UTF-8 first, so that a wrong
 * encoding, a broken connection or a bad header writes nothing. Then each batch is a transaction of its own, so that memory
 * stays flat and nobody waits long for a lock. A repeat of the same file changes nothing more.
 *
 * It imports 40,000 rows a second where this process and the database share two cores (300,000 rows). It was 16,000 before
 * numbers in E.164 were read from compiled tables, cells were cut without csv-parse, and unknown people were inserted
 * without a look-up, as arrays in place of JSON.
 *
 * @throws Problem 422 `wrong_encoding`, `missing_header`, `unknown_column`, `repeated_column` or `missing_column`. A wrong row
 *   throws nothing: it is reported in the result and never stops the good ones.
 */
export async function importRecipients(ctx: Context, stream: Bytes, input: { format: ImportFormat }): Promise<ImportResult> {
  const spool = await spoolUtf8(ctx.config.dataFolder, stream);
  try {
    const work = new Import(ctx, await inTenant(ctx, (tx) => countryOf(tx, ctx.tenantId)));
    const reader = readerFor(input.format);
    for await (const piece of spool.text()) await work.take(reader.push(piece));
    await work.take(reader.end());
    return await recordImport(ctx, await work.finish());
  } catch (error) {
    if (!(error instanceof HeaderError)) throw error;
    const { code, message: detail } = error;
    throw new Problem(422, code, detail, { errors: error.fields.map((field) => ({ field, code, detail })) });
  } finally {
    await spool.close();
  }
}

type Bytes = AsyncIterable<Uint8Array>;
type Country = Awaited<ReturnType<typeof countryOf>>;
type Counted = Omit<ImportResult, 'id'>;

class Import {
  readonly #ctx: Context;
  readonly #country: Country;
  readonly #seen = new IdSet();
  readonly #result: Counted = {
    rows: 0,
    created: 0,
    updated: 0,
    unchanged: 0,
    merged: 0,
    rejected: 0,
    erased: 0,
    errors: [],
    errorsTruncated: false,
    warnings: [],
    warningCount: 0,
  };
  #batch: MergeRow[] = [];
  /**
   * Batches are written one after the other while the next one is read, which takes about as long. At most two of them wait
   * to be written.
   */
  #writing: Promise<void> = Promise.resolve();
  #before: Promise<void> = Promise.resolve();
  /** The last batch named nobody who was stored, so the next one is inserted without a look-up. */
  #unknown = false;

  constructor(ctx: Context, country: Country) {
    this.#ctx = ctx;
    this.#country = country;
  }

  async take(rows: readonly FileRow[]): Promise<void> {
    for (const [i, row] of rows.entries()) {
      this.#read(row);
      if (this.#batch.length >= BATCH) await this.#flush();
      else if (i % TURN === TURN - 1) await nextTurn();
    }
  }

  #read(row: FileRow): void {
    this.#result.rows += 1;
    if ('error' in row) return this.#reject([{ line: row.line, ...row.error }]);
    const { fields, errors, warnings } = readRecipient(row.raw, this.#country);
    if (errors.length > 0) return this.#reject(errors.map((error) => ({ line: row.line, ...error })));
    if (fields.external_id === undefined && fields.phone === undefined && fields.email === undefined)
      return this.#reject([{ line: row.line, field: 'row', code: 'no_identity', detail: 'the row has no external_id, phone or email' }]);
    this.#warn(warnings.map((warning) => ({ line: row.line, ...warning })));
    this.#batch.push({ line: row.line, fields });
  }

  #reject(errors: readonly MergeIssue[]): void {
    this.#result.rejected += 1;
    this.#report(errors);
  }

  #report(errors: readonly MergeIssue[]): void {
    const room = MAX_ERRORS - this.#result.errors.length;
    this.#result.errors.push(...errors.slice(0, room));
    if (errors.length > room) this.#result.errorsTruncated = true;
  }

  #warn(warnings: readonly MergeIssue[]): void {
    this.#result.warningCount += warnings.length;
    this.#result.warnings.push(...warnings.slice(0, MAX_WARNINGS - this.#result.warnings.length));
  }

  async #flush(): Promise<void> {
    const batch = this.#batch;
    this.#batch = [];
    await this.#before;
    this.#before = this.#writing;
    this.#writing = this.#before.then(() => this.#write(batch));
    // A failure is thrown with the next batch or at the end; until then it must not count as unhandled.
    this.#writing.catch(() => undefined);
  }

  async #write(batch: readonly MergeRow[]): Promise<void> {
    const { plan, createdIds, erased } =
      (this.#unknown && (await this.#insert(batch))) || (await withRetry(() => inTenant(this.#ctx, (tx) => this.#merge(tx, batch))));
    for (const id of [...plan.touched, ...createdIds]) this.#seen.add(id);
    for (const [key, n] of Object.entries(plan.counts) as [keyof MergePlan['counts'], number][]) this.#result[key] += n;
    for (const issue of erased) this.#reject([issue]);
    this.#result.erased += erased.length;
    this.#report(plan.errors);
    this.#warn(plan.warnings);
  }

  /**
   * Inserts a batch of people who are not stored yet, as most of a first import are.
   * @returns undefined where one of them was stored; nothing is written then
   */
  async #insert(batch: readonly MergeRow[]): Promise<Written | undefined> {
    const plan = planMerge([], batch, () => false);
    try {
      const createdIds = await insertUnknown(this.#ctx.db, this.#ctx.tenantId, plan.created);
      if (createdIds.length === plan.created.length) return { plan, createdIds, erased: [] };
    } catch (error) {
      if (!isRace(error)) throw error;
    }
    return undefined;
  }

  async #merge(tx: Tx, batch: readonly MergeRow[]): Promise<Written> {
    const { tenantId } = this.#ctx;
    await lockRecipients(tx, tenantId);
    const erased = await erasedAmong(this.#ctx, tx, batch);
    const barred = new Set(erased.map((issue) => issue.line));
    const rows = barred.size === 0 ? batch : batch.filter((row) => !barred.has(row.line));
    const all = <K extends 'external_id' | 'phone' | 'email'>(key: K) => rows.flatMap((row) => row.fields[key] ?? []);
    const stored = await findByKeys(tx, tenantId, { externalIds: all('external_id'), phones: all('phone'), emails: all('email') });
    this.#unknown = stored.length === 0 && erased.length === 0;
    const plan = planMerge(stored, rows, (id) => this.#seen.has(id));
    await updatePeople(tx, tenantId, plan.changed, plan.freed);
    const createdIds = await insertPeople(tx, tenantId, plan.created, 'import');
    return { plan, createdIds, erased };
  }

  async finish(): Promise<Counted> {
    if (this.#batch.length > 0) await this.#flush();
    await this.#writing;
    this.#result.errors.sort((a, b) => a.line - b.line);
    this.#result.warnings.sort((a, b) => a.line - b.line);
    return this.#result;
  }
}

interface Written {
  plan: MergePlan;
  createdIds: string[];
  /** Rows that would bring an erased person back. */
  erased: MergeIssue[];
}

/** 23505 is unique_violation, 40P01 deadlock_detected and 40001 serialization_failure. */
const isRace = (error: unknown): boolean => ['23505', '40P01', '40001'].includes((error as { code?: string }).code ?? '');

/** Somebody may join by a share link at the same moment. Then their address is taken, and the batch is planned anew. */
async function withRetry<T>(work: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await work();
    } catch (error) {
      if (tries >= 5 || !isRace(error)) throw error;
    }
  }
}
