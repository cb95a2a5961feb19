/**
 * True when PostgreSQL refused text for what it is: it takes neither U+0000 nor, in JSON, a lone surrogate; nothing but a
 * request brings them. PostgreSQL Appendix A: 22021 character_not_in_repertoire, 22P05 untranslatable_character; 22P02 is said
 * of JSON with half a pair.
 */
export function isUnstorable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return code === '22021' || code === '22P05' || (code === '22P02' && /type json/.test(error.message));
}
