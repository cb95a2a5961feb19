import { z } from 'zod';
import type { FieldError } from '#platform/errors.ts';
import { isMissing, plainWords } from './plain-words.ts';

type Issue = z.core.$ZodIssue;

// Zod's own words are for programmers ("expected record, received undefined"). The raw issue still carries the value and
// the schema that refused; the finished one does not. So the words are put in here, for the whole process.
z.config({ customError: (issue) => plainWords(issue) });

/** Lists every field that is wrong, each with its path (`audience.near.lat`, `answers.0.key`) and with what would be right. */
export const fieldErrors = (error: { readonly issues: readonly Issue[] }, input?: unknown): FieldError[] =>
  error.issues.flatMap((issue) => {
    const missing =
      input !== undefined &&
      issue.path.length > 0 &&
      valueAt(input, issue.path) === undefined &&
      (issue.code === 'invalid_union' || issue.code === 'invalid_type' || issue.code === 'invalid_value');
    return missing ? [{ field: name(issue.path), code: 'required', detail: isMissing(issue) ? issue.message : 'is required' }] : spread(issue, []);
  });

const valueAt = (input: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((value, key) => (typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined), input);

function spread(issue: Issue, base: readonly PropertyKey[]): FieldError[] {
  const path = [...base, ...issue.path];
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ field: name([...path, key]), code: 'unknown_field', detail: issue.message }));
    case 'invalid_union':
      return fromUnion(issue, path);
    case 'invalid_key':
      return issue.issues.length > 0
        ? issue.issues.map((inner) => ({ field: name(path), code: 'invalid_key', detail: inner.message }))
        : [{ field: name(path), code: 'invalid_key', detail: issue.message }];
    case 'invalid_type':
      return [{ field: name(path), code: isMissing(issue) ? 'required' : 'invalid_type', detail: issue.message }];
    case 'custom':
      return [{ field: name(path), code: 'invalid', detail: issue.message }];
    default:
      return [{ field: name(path), code: issue.code, detail: issue.message }];
  }
}

/**
 * Finds the branch that the caller meant. Its complaints lie deepest, since a branch of another shape already fails at its
 * root. If none lies deeper than the root, the whole value has the wrong shape.
 */
function fromUnion(issue: Extract<Issue, { code: 'invalid_union' }>, path: readonly PropertyKey[]): FieldError[] {
  const branches = issue.errors.filter((branch) => !branch.some((inner) => inner.path.length === 0 && inner.code !== 'custom'));
  const meant = branches.toSorted((a, b) => depth(b) - depth(a))[0];
  const onlyUnknownFields = issue.errors.find((branch) => branch.length > 0 && branch.every((inner) => inner.code === 'unrecognized_keys'));
  const chosen = onlyUnknownFields ?? (meant?.some((inner) => inner.code !== 'invalid_type' || inner.path.length > 1 || present(inner)) ? meant : undefined);
  if (chosen) return chosen.flatMap((inner) => spread(inner, path));
  const words = [...new Set(issue.errors.flatMap((branch) => branch.flatMap((inner) => (inner.path.length === 1 ? [String(inner.path[0])] : []))))];
  return [
    {
      field: name(path),
      code: 'invalid_shape',
      detail: words.length > 0 ? `must be one of the known shapes, with one of: ${words.join(', ')}` : issue.message,
    },
  ];
}

const depth = (issues: readonly Issue[]): number =>
  Math.max(0, ...issues.map((issue) => (issue.code === 'invalid_union' ? issue.path.length + 1 : issue.path.length)));
const present = (issue: Issue): boolean => !isMissing(issue);
const name = (path: readonly PropertyKey[]): string => path.map(String).join('.') || 'body';
