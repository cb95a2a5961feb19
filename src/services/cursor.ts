import { invalidField } from '#platform/errors.ts';
import type { IdKind } from '#platform/tokens.ts';
import type { Context } from './context.ts';

/**
 * The position after which a list goes on. `read` gives undefined for a text that no list gave out.
 * @returns undefined where the caller sent no cursor, so that the list begins at its first row
 * @throws Problem 422 `invalid_cursor`
 */
export function readCursor<Position>(cursor: string | undefined, read: (cursor: string) => Position | undefined): Position | undefined {
  if (cursor === undefined) return undefined;
  const position = read(cursor);
  if (position === undefined) throw invalidField('cursor', 'invalid_cursor', 'is not a cursor that a list gave out');
  return position;
}

/** The cursor of a list in the order of its ids: the public id of the last row. @throws Problem 422 `invalid_cursor` */
export const readIdCursor = (ctx: Context, kind: IdKind, cursor: string | undefined): string | undefined =>
  readCursor(cursor, (text) => ctx.ids.decode(kind, text));

/** The last row of a list of people in the order of a time. */
export interface TimePosition {
  /** Microseconds since 1970: a JavaScript date would lose the last three digits. */
  readonly at: string;
  readonly recipientId: string;
}

export const timeCursor = (ctx: Context, { at, recipientId }: TimePosition): string => `${at}.${ctx.ids.encode('rcp', recipientId)}`;

/** @throws Problem 422 `invalid_cursor` */
export const readTimeCursor = (ctx: Context, cursor: string | undefined): TimePosition | undefined =>
  readCursor(cursor, (text) => {
    const [at = '', id = ''] = text.split('.');
    const recipientId = ctx.ids.decode('rcp', id);
    return recipientId === undefined || !/^\d{1,18}$/.test(at) ? undefined : { at, recipientId };
  });
