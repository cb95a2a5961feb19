import { expect, test } from 'vitest';
import { z } from 'zod';
import { fieldErrors } from './validation.ts';

const shape = z.strictObject({
  kind: z.enum(['life', 'ops']),
  text: z.record(z.string(), z.string().min(1)),
  tags: z.array(z.string()).min(1),
  title: z.string().max(3),
  at: z.iso.datetime({ offset: true }),
  km: z.number().positive(),
  limit: z.int().max(100),
  all: z.literal(true),
});

const said = (input: unknown): Record<string, string> => {
  const { error } = shape.safeParse(input);
  return Object.fromEntries(fieldErrors(error ?? { issues: [] }, input).map(({ field, code, detail }) => [field, `${code}: ${detail}`]));
};

test('what is missing is named with what it should be', () => {
  expect(said({})).toEqual({
    kind: 'required: is required: one of life, ops',
    text: 'required: is required: an object: {…}',
    tags: 'required: is required: a list: […]',
    title: 'required: is required: a text',
    at: 'required: is required: a text',
    km: 'required: is required: a number',
    limit: 'required: is required: a number',
    all: 'required: is required: true',
  });
});

test('what is wrong is said in words that need no knowledge of our library', () => {
  expect(said({ kind: 'urgent', text: { en: '' }, tags: [], title: 'long', at: 'soon', km: 0, limit: 101, all: false, more: 1 })).toEqual({
    kind: 'invalid_value: must be one of life, ops',
    'text.en': 'too_small: must not be empty',
    tags: 'too_small: must not be empty',
    title: 'too_big: must have at most 3 characters',
    at: 'invalid_format: must be an RFC 3339 time with its offset, such as 2026-11-22T18:00:00Z or 2026-11-22T19:00:00+01:00',
    km: 'too_small: must be more than 0',
    limit: 'too_big: must be at most 100',
    all: 'invalid_value: must be true',
    more: 'unknown_field: is not a field here; known fields: kind, text, tags, title, at, km, limit, all',
  });
  expect(said({ kind: 'ops', text: 'x', tags: 'a', title: 5, at: 5, km: '1', limit: 1.5, all: true })).toEqual({
    text: 'invalid_type: must be an object: {…}',
    tags: 'invalid_type: must be a list: […]',
    title: 'invalid_type: must be a text',
    at: 'invalid_type: must be a text',
    km: 'invalid_type: must be a number',
    limit: 'invalid_type: must be a whole number',
  });
});
